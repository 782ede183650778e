"""Dose ledgers: compensated sums, volume by the sensors of each source, coverage, and drug on its way through the tubing.

State: block DOSE of the pump's vector `x` (`kernels.state`). Rows come in time order, all sources mixed.

Usual sampling period of a source: lower median of its last three row intervals above 0, learned at each row from that row
and earlier ones only (three survive one gap or one pair of close rows; more would need more state). A reading, and with it
the row, holds for HOLD_PERIODS of them. The first interval has no period yet: it counts whole.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.borrow import borrow
from kernels.state import (
    COUNT_UL,
    COUNT_US,
    COVER_US,
    COVERED_US,
    DOSE_SOURCES,
    FALLEN_UL,
    FELL_US,
    FLOW_COUNTED_UL,
    HELD_FLOW_UL_H,
    HELD_FLOW_US,
    INTERVAL_US,
    MAX_PLUGS,
    PERIOD_US,
    PLUGS,
    PROGRAMMED_UL,
    ROW_US,
    SENSED_KNOWN,
    SOURCE_SIZE,
    SOURCES,
)
from kernels.units import DAY_US, HOUR_US

HOLD_PERIODS: Final = 3.0  # contract, sensed_*: a reading holds for at most 3 sampling periods
FIT: Final = 1.0 + 1e-9  # rounding of a volume that exactly fits the pump's largest rate
NOTHING, BY_FLOW, BY_COUNTER = 0.0, 1.0, 2.0


def reset(x: NDArray[np.float64]) -> None:
    """Prepare the block DOSE of `x`: empty ledgers, no reading yet, an empty dead volume."""
    x[PROGRAMMED_UL:COVER_US] = 0.0
    x[COVER_US] = np.nan
    x[DOSE_SOURCES:PLUGS] = np.nan
    x[DOSE_SOURCES + FLOW_COUNTED_UL : PLUGS : SOURCE_SIZE] = 0.0
    x[PLUGS : PLUGS + 2 * MAX_PLUGS] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def add(x: NDArray[np.float64], slot: int, amount: float) -> None:
    """Add to the ledger at `slot` (sum, compensation) by Neumaier's sum (ZAMM 54:39, 1974)."""
    x = borrow(x)
    before = x[slot]
    after = before + amount
    if abs(before) >= abs(amount):
        x[slot + 1] += (before - after) + amount
    else:
        x[slot + 1] += (amount - after) + before
    x[slot] = after


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def total(x: NDArray[np.float64], slot: int) -> float:
    """Read the ledger at `slot`."""
    x = borrow(x)
    held: float = x[slot] + x[slot + 1]
    return held


# ------------------------------------------------------------------------------------------------- sensed volume


@njit(cache=True, nogil=True, error_model="numpy")
def _fallen_ul(
    count_ul: float, delivered_ul: float, elapsed_us: float, max_rate_ul_h: float, wrap_ul: float
) -> float:
    """Volume that a wrap or a restart at 0 implies for a counter that fell, the smaller that fits; NaN if none fits.

    Fits: at most max_rate_ul_h over the time since the last reading, 24 h at most. An unknown limit shows no fit. By the
    contract's letter (the smaller if both fit) a wrap wins only over a reading beyond encoder_wrap_ul: what a restart implies
    is less than what a wrap from below implies, by what was left to the wrap.
    """
    most_ul = max_rate_ul_h * min(elapsed_us, DAY_US) / HOUR_US * FIT
    implied_ul = np.nan
    if 0.0 <= delivered_ul <= most_ul:
        implied_ul = delivered_ul
    wrapped_ul = (wrap_ul - count_ul) + delivered_ul
    if 0.0 <= wrapped_ul <= most_ul and not wrapped_ul >= implied_ul:
        implied_ul = wrapped_ul
    return implied_ul


@njit(cache=True, nogil=True, error_model="numpy")
def _after_fall_ul(
    x: NDArray[np.float64], base: int, t_us: float, delivered_ul: float, max_rate_ul_h: float, wrap_ul: float
) -> float:
    """Judge a reading below the last accepted one: the volume that it says, NaN while it says nothing."""
    x = borrow(x)
    fallen_ul = x[base + FALLEN_UL]
    difference_ul = np.nan
    if not delivered_ul >= fallen_ul:
        # It falls at this row. A further fall is judged from the last accepted reading too: after a wrong reading the
        # counter may truly restart.
        elapsed_us = t_us - x[base + COUNT_US]
        difference_ul = _fallen_ul(x[base + COUNT_UL], delivered_ul, elapsed_us, max_rate_ul_h, wrap_ul)
        if np.isnan(difference_ul):
            if np.isnan(fallen_ul):
                x[base + FELL_US] = t_us
            fallen_ul = x[base + FALLEN_UL] = delivered_ul
    if np.isnan(difference_ul) and t_us - x[base + FELL_US] >= DAY_US:
        difference_ul = delivered_ul - fallen_ul
    return difference_ul


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def held_until_us(x: NDArray[np.float64], source: int, t_us: float) -> float:
    """Time up to which the source's last flow reading holds, `t_us` at most; NaN if it has none. To be asked before `sensed_ul`."""
    base = DOSE_SOURCES + source * SOURCE_SIZE
    held_us = x[base + HELD_FLOW_US] + HOLD_PERIODS * x[base + PERIOD_US]
    if held_us < t_us:
        return held_us
    return t_us if not np.isnan(x[base + HELD_FLOW_US]) else np.nan


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _flow_ul(x: NDArray[np.float64], source: int, t_us: float) -> float:
    """Integrate the last flow reading since the last row; NaN if there is none or it no longer holds."""
    x = borrow(x)
    base = DOSE_SOURCES + source * SOURCE_SIZE
    flow_ul_h, row_us = x[base + HELD_FLOW_UL_H], x[base + ROW_US]
    until_us = held_until_us(x, source, t_us)
    if not until_us > row_us:
        return np.nan
    volume_ul: float = flow_ul_h * (until_us - row_us) / HOUR_US
    # Every counter of this pump saw that volume too: it comes off its next difference.
    for other in range(SOURCES):
        x[DOSE_SOURCES + other * SOURCE_SIZE + FLOW_COUNTED_UL] += volume_ul
    return volume_ul


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def cover(x: NDArray[np.float64], t_us: float) -> None:
    """Bring COVERED_US to `t_us`: at a row, or on a copy at the end of a window.

    The time after a row counts as covered until HOLD_PERIODS usual periods of its source are over, by any source.
    """
    x = borrow(x)
    since_us = x[COVER_US]
    if not t_us > since_us:
        return
    until_us = since_us
    for source in range(SOURCES):
        base = DOSE_SOURCES + source * SOURCE_SIZE
        held_us = x[base + ROW_US] + HOLD_PERIODS * x[base + PERIOD_US]
        if held_us > until_us:  # noqa: PLR1730 - false for NaN, unlike max
            until_us = held_us
    x[COVERED_US] += min(until_us, t_us) - since_us
    x[COVER_US] = t_us


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _learn_period(x: NDArray[np.float64], base: int, interval_us: float) -> None:
    """Take one more row interval into the usual period: the lower median of the last three."""
    x = borrow(x)
    first, second = x[base + INTERVAL_US], x[base + INTERVAL_US + 1]
    x[base + INTERVAL_US + 2] = second
    x[base + INTERVAL_US + 1] = first
    x[base + INTERVAL_US] = interval_us
    if interval_us == x[base + PERIOD_US]:
        return  # one more of the median's own size doesn't move it
    if np.isnan(first):
        x[base + PERIOD_US] = interval_us
    elif np.isnan(second):
        x[base + PERIOD_US] = min(interval_us, first)
    else:
        x[base + PERIOD_US] = max(min(first, second), min(max(first, second), interval_us))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def sensed_ul(
    x: NDArray[np.float64],
    source: int,
    t_us: float,
    delivered_ul: float,
    flow_ul_h: float,
    max_rate_ul_h: float,
    wrap_ul: float,
) -> float:
    """Sensed volume that belongs to one row, uL (contract, Rules of meaning, `sensed_*`); moves coverage too.

    source: 0 device, 1 clinic, 2 system; delivered_ul, flow_ul_h: NaN where not reported; max_rate_ul_h, wrap_ul: NaN where
    unknown. Returns 0 where nothing was measured; x[SENSED_KNOWN] says by what: 0 nothing, 1 flow, 2 the counter. It can be
    negative where flow had counted more than the counter says later.

    A counter that falls and neither wraps nor restarts is held: nothing counts until the old reading is reached again, or
    from 24 h after the fall on, from the value that it fell to.
    """
    x = borrow(x)
    base = DOSE_SOURCES + source * SOURCE_SIZE
    row_us = x[base + ROW_US]
    interval_us = t_us - row_us
    has_counter = not np.isnan(delivered_ul)
    count_ul = x[base + COUNT_UL]
    known, volume_ul = NOTHING, np.nan
    if has_counter and not np.isnan(count_ul):
        if delivered_ul >= count_ul:
            volume_ul = delivered_ul - count_ul
        else:
            volume_ul = _after_fall_ul(x, base, t_us, delivered_ul, max_rate_ul_h, wrap_ul)
        if not np.isnan(volume_ul):
            known = BY_COUNTER
            volume_ul -= x[base + FLOW_COUNTED_UL]
            x[base + COUNT_UL] = delivered_ul
            x[base + COUNT_US] = t_us
            x[base + FLOW_COUNTED_UL] = 0.0
            x[base + FALLEN_UL] = np.nan
    else:
        if interval_us > 0.0:
            volume_ul = _flow_ul(x, source, t_us)
            known = BY_FLOW
        if has_counter:
            x[base + COUNT_UL] = delivered_ul
            x[base + COUNT_US] = t_us
            x[base + FLOW_COUNTED_UL] = 0.0
    if np.isnan(volume_ul):
        known, volume_ul = NOTHING, 0.0
    x[SENSED_KNOWN] = known
    if interval_us > 0.0:
        if np.isnan(x[base + PERIOD_US]):
            _learn_period(x, base, interval_us)
            cover(x, t_us)
        else:
            cover(x, t_us)
            _learn_period(x, base, interval_us)
    elif np.isnan(x[COVER_US]):
        x[COVER_US] = t_us
    else:
        cover(x, t_us)
    x[base + ROW_US] = t_us
    if not np.isnan(flow_ul_h):
        x[base + HELD_FLOW_UL_H] = flow_ul_h
        x[base + HELD_FLOW_US] = t_us
    return volume_ul


# ---------------------------------------------------------------------------------------------- drug in the tubing


@njit(cache=True, nogil=True, error_model="numpy")
def first_concentration(x: NDArray[np.float64], dead_volume_ul: float, concentration_ug_ml: float) -> None:
    """Fill the whole dead volume with one concentration; NaN volume = 0."""
    x[PLUGS : PLUGS + 2 * MAX_PLUGS] = 0.0
    if dead_volume_ul > 0.0:
        x[PLUGS] = dead_volume_ul
        x[PLUGS + 1] = concentration_ug_ml


@njit(cache=True, nogil=True, error_model="numpy")
def held_ul(x: NDArray[np.float64]) -> float:
    """Read the volume of the fluid in the dead volume, uL; 0 before the first fill or while that volume is unknown."""
    x = borrow(x)
    volume_ul = 0.0
    for plug in range(MAX_PLUGS):
        volume_ul += x[PLUGS + 2 * plug]
    return volume_ul


@njit(cache=True, nogil=True, error_model="numpy")
def _push(x: NDArray[np.float64], volume_ul: float, concentration_ug_ml: float) -> None:
    """Put fluid behind the last plug; where the queue is full, the two at the tip become one of their mean, mass kept."""
    count = 0
    while count < MAX_PLUGS and x[PLUGS + 2 * count] > 0.0:
        count += 1
    if count and x[PLUGS + 2 * count - 1] == concentration_ug_ml:
        x[PLUGS + 2 * count - 2] += volume_ul
        return
    if count == MAX_PLUGS:
        both_ul = x[PLUGS] + x[PLUGS + 2]
        x[PLUGS + 1] = (x[PLUGS] * x[PLUGS + 1] + x[PLUGS + 2] * x[PLUGS + 3]) / both_ul
        x[PLUGS] = both_ul
        for slot in range(PLUGS + 2, PLUGS + 2 * MAX_PLUGS - 2):
            x[slot] = x[slot + 2]
        count -= 1
    x[PLUGS + 2 * count] = volume_ul
    x[PLUGS + 2 * count + 1] = concentration_ug_ml


@njit(cache=True, nogil=True, error_model="numpy")
def _pop(x: NDArray[np.float64]) -> None:
    """Take the plug at the tip out."""
    for slot in range(PLUGS, PLUGS + 2 * MAX_PLUGS - 2):
        x[slot] = x[slot + 2]
    x[PLUGS + 2 * MAX_PLUGS - 2] = 0.0
    x[PLUGS + 2 * MAX_PLUGS - 1] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _displace_ug(
    x: NDArray[np.float64], dead_ul: float, volume_ul: float, concentration_ug_ml: float
) -> float:
    """Move plugs: `displace_ug` where more than one concentration, or a new dead volume, makes it needed."""
    held_ul = 0.0
    for plug in range(MAX_PLUGS):
        held_ul += x[PLUGS + 2 * plug]
    if held_ul == 0.0:
        first_concentration(x, dead_ul, concentration_ug_ml)
        return volume_ul * concentration_ug_ml / 1000.0
    if held_ul < dead_ul:
        x[PLUGS] += dead_ul - held_ul
        held_ul = dead_ul
    excess_ul = held_ul - dead_ul + volume_ul
    drug_ug = 0.0
    while excess_ul > 0.0 and x[PLUGS] > 0.0:
        if x[PLUGS] > excess_ul:
            x[PLUGS] -= excess_ul
            drug_ug += excess_ul * x[PLUGS + 1]
            excess_ul = 0.0
        else:
            excess_ul -= x[PLUGS]
            drug_ug += x[PLUGS] * x[PLUGS + 1]
            _pop(x)
    # What is left of the excess went straight through; the rest of the new volume stays in the tubing.
    drug_ug += excess_ul * concentration_ug_ml
    kept_ul = volume_ul - excess_ul
    if kept_ul > 0.0:
        _push(x, kept_ul, concentration_ug_ml)
    return drug_ug / 1000.0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def displace_ug(
    x: NDArray[np.float64], dead_volume_ul: float, volume_ul: float, concentration_ug_ml: float
) -> float:
    """Drug that leaves the tip, ug, when `volume_ul` of the reservoir's concentration enters the tubing: plug flow.

    Unknown dead volume = 0. A dead volume that is not yet full (it became known later, or grew) holds the concentration of
    the fluid at its tip, else the one that enters. Where it became smaller, the excess leaves with the next volume.
    Volume not above 0 moves nothing; unknown concentration gives NaN and moves nothing.
    """
    x = borrow(x)
    if not volume_ul > 0.0:
        return 0.0
    if np.isnan(concentration_ug_ml):
        return np.nan
    dead_ul = dead_volume_ul if dead_volume_ul > 0.0 else 0.0  # noqa: FURB136 - 0 for NaN
    if (
        x[PLUGS] == dead_ul
        and x[PLUGS + 2] == 0.0
        and (x[PLUGS + 1] == concentration_ug_ml or dead_ul == 0.0)
    ):
        return volume_ul * concentration_ug_ml / 1000.0
    return _displace_ug(x, dead_ul, volume_ul, concentration_ug_ml)
