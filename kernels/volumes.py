"""Enters volumes into every ledger: of a row, of a time that only the program tells of, of a bolus given at once."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import dose, fluid, ledger, reservoir
from kernels.borrow import borrow
from kernels.state import (
    BOLUS_UL,
    CONCENTRATION_UG_ML,
    COUNT_UL,
    DEAD_VOLUME_UL,
    DELIVERED_UL,
    DOSE_SOURCES,
    EXPECTED_UL,
    FLU_OPEN_UG,
    MOVING_PROGRAMMED_UL,
    MOVING_SENSED_UL,
    PRIMED_UL,
    PRIMING_UL,
    PROGRAMMED_UG,
    PROGRAMMED_UL,
    RES_DEBT_UL,
    RES_E_PROGRAMMED_UL,
    RES_E_SENSED_UL,
    RES_SOURCE,
    SENSED_UG,
    SENSED_UL,
    SOURCE_SIZE,
    SOURCES,
    STALL_LEVEL,
    SUSPENDED,
    T_US,
    TIP_UG,
)
from kernels.stroke import COUNTER_SOURCE


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _sense(x: NDArray[np.float64], sensed_ul: float) -> None:
    """Enter what the sensors add into their own ledgers, priming's share aside."""
    patient_ul = sensed_ul
    if x[PRIMED_UL] > 0.0 and sensed_ul > 0.0:
        primed_ul = min(x[PRIMED_UL], sensed_ul)
        x[PRIMED_UL] -= primed_ul
        patient_ul = sensed_ul - primed_ul
    ledger.add(x, SENSED_UL, patient_ul)
    concentration_ug_ul = x[CONCENTRATION_UG_ML] / 1000.0
    if not np.isnan(concentration_ug_ul):
        ledger.add(x, SENSED_UG, patient_ul * concentration_ug_ul)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def account(
    x: NDArray[np.float64],
    programmed_ul: float,
    bolus_ul: float,
    priming_ul: float,
    sensed_ul: float,
    counted: bool,
) -> None:
    """Enter the volumes of one interval into every ledger.

    programmed_ul: with its bolus part bolus_ul, without priming_ul. sensed_ul: what the sensors add at this item, priming
    included, NaN if they say nothing; counted: by the encoder's counter. Tip dose = what the best estimate of the
    delivered volume pushes out of the dead volume, priming's share aside. What was primed since the sensors last counted
    comes off what they count next.
    """
    concentration_ug_ul = x[CONCENTRATION_UG_ML] / 1000.0
    total_ul = programmed_ul + priming_ul
    debt_ul = x[RES_DEBT_UL]
    delivered_ul = reservoir.advance(x, total_ul, sensed_ul, counted)
    ledger.add(x, PROGRAMMED_UL, programmed_ul)
    if bolus_ul != 0.0:
        ledger.add(x, BOLUS_UL, bolus_ul)
    if priming_ul != 0.0:
        ledger.add(x, PRIMING_UL, priming_ul)
        x[PRIMED_UL] += priming_ul
    ledger.add(x, DELIVERED_UL, delivered_ul)
    if not np.isnan(sensed_ul):
        _sense(x, sensed_ul)
    elif counted:
        x[PRIMED_UL] = 0.0  # a counter's first reading holds whatever was primed before it
    if np.isnan(concentration_ug_ul):
        return
    ledger.add(x, PROGRAMMED_UG, programmed_ul * concentration_ug_ul)
    tip_ug = ledger.displace_ug(x, x[DEAD_VOLUME_UL], delivered_ul, x[CONCENTRATION_UG_ML])
    if priming_ul > 0.0:
        tip_ug *= programmed_ul / total_ul
    ledger.add(x, TIP_UG, tip_ug)
    repaid_ug = max(debt_ul - x[RES_DEBT_UL], 0.0) * concentration_ug_ul
    fluid.gather(x, tip_ug, not np.isnan(sensed_ul), repaid_ug)


@njit(cache=True, nogil=True, error_model="numpy")
def account_held(
    x: NDArray[np.float64],
    split_ul: NDArray[np.float64],
    sensed_ul: float,
    row_us: float,
    held_us: float,
    from_us: float,
) -> None:
    """Enter an interval from `from_us` to now of which a flow reading measures a part: from the row at `row_us` to `held_us`.

    What was not measured is no lost delivery: its share of the program is entered by the program alone. What ran before
    `from_us`, where an event lies between two rows, was entered so by then and is the sensors' alone; where a counter
    counts, it takes both off its next difference. split_ul: float64[3], programmed, bolus part, priming; sensed_ul: uL.
    """
    x, split_ul = borrow(x), borrow(split_ul)
    if from_us > row_us and x[RES_SOURCE] != COUNTER_SOURCE:
        earlier_ul = sensed_ul * min((from_us - row_us) / (held_us - row_us), 1.0)
        _sense(x, earlier_ul)
        sensed_ul -= earlier_ul
    span_us = x[T_US] - from_us
    share = min(max((held_us - from_us) / span_us, 0.0), 1.0) if span_us > 0.0 else 1.0
    account(x, share * split_ul[0], share * split_ul[1], share * split_ul[2], sensed_ul, False)
    rest = 1.0 - share
    account(x, rest * split_ul[0], rest * split_ul[1], rest * split_ul[2], np.nan, False)


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    x: NDArray[np.float64],
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    t_us: float,
) -> None:
    """Move the ledgers to `t_us` by the program alone: at a clinical event, or on a copy at a deadline."""
    if t_us > x[T_US]:
        split_ul = np.zeros(3)
        dose.programmed_ul(program, schedule, boluses, x[SUSPENDED], x[T_US], t_us, split_ul)
        before_ug, from_us = x[FLU_OPEN_UG], x[T_US]
        account(x, split_ul[0], split_ul[1], split_ul[2], np.nan, False)
        x[EXPECTED_UL] += split_ul[0] + split_ul[2]
        fluid.passed(x, program, schedule, boluses, from_us, t_us, before_ug)
    x[T_US] = t_us


@njit(cache=True, nogil=True, error_model="numpy")
def inject(x: NDArray[np.float64], volume_ul: float, priming: bool) -> None:
    """A bolus that is delivered at once, at the time of the last item."""
    before_ug = x[FLU_OPEN_UG]
    if priming:
        account(x, 0.0, 0.0, volume_ul, np.nan, False)
    else:
        account(x, volume_ul, volume_ul, 0.0, np.nan, False)
    fluid.given_at_once(x, x[T_US], before_ug)
    x[EXPECTED_UL] += volume_ul


@njit(cache=True, nogil=True, error_model="numpy")
def recovered(x: NDArray[np.float64]) -> None:
    """Put sensed / programmed back to what it was at the last movement: the motor stood since then."""
    if not np.isnan(x[MOVING_PROGRAMMED_UL]):
        x[RES_E_SENSED_UL] = x[MOVING_SENSED_UL]
        x[RES_E_PROGRAMMED_UL] = x[MOVING_PROGRAMMED_UL]


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def moving(x: NDArray[np.float64]) -> None:
    """Keep a stall out of sensed / programmed: a standing motor has its own alert, and says nothing of the drive's ratio."""
    if x[STALL_LEVEL] > 0.0:
        recovered(x)
    else:
        x[MOVING_SENSED_UL] = x[RES_E_SENSED_UL]
        x[MOVING_PROGRAMMED_UL] = x[RES_E_PROGRAMMED_UL]


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def has_counter(x: NDArray[np.float64]) -> bool:
    """Whether a counter of any source was ever read."""
    known = False
    for source in range(SOURCES):
        known = known or not np.isnan(x[DOSE_SOURCES + source * SOURCE_SIZE + COUNT_UL])
    return known
