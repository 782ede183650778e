"""Drug level in the spinal fluid, as what leaves the catheter's tip makes it rise and fall.

One compartment for each half-life T of a grid over the population's range: dL/dt = ln 2 / T (r - L), with r the drug that leaves
the catheter's tip (ledger.displace) in ug/h. L is the level times clearance, so that L = r in steady state and clearance cancels
out. While r is constant, L <- r + (L - r) 2^(-dt / T) exactly, however the interval is cut; a dose at once adds ln 2 / T times it.

The tip dose gathers in a block of BLOCK_US at least, over which it counts as even; at its end kernels.fluid_habit judges the
levels and learns from them. A factor on all doses changes nothing else. State: kernels.state, block FLUID. [S], [P]: docs/domain.md.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import dose
from kernels import state as st
from kernels.borrow import borrow
from kernels.fluid_habit import FAST, HALF_LIFE_H, SLOW, forget_day, judge, learn, status, watch_day
from kernels.pulses import PULSE_UL
from kernels.units import DAY_US, HOUR_US

LN2: Final = math.log(2.0)
BLOCK_US: Final = 9.0e8  # 15 min: a dose at an end of it counts 10 % wrong in the fastest compartment [P]
BLOCK_H: Final = BLOCK_US / HOUR_US
BLOCK_LEFT_FAST: Final = math.exp(
    -LN2 / HALF_LIFE_H[FAST] * BLOCK_H
)  # of a block that is no longer: `_decay`
BLOCK_LEFT_SLOW: Final = math.exp(-LN2 / HALF_LIFE_H[SLOW] * BLOCK_H)
SPREAD_US: Final = HOUR_US  # what a program gave unevenly over a longer time is spread by its own hours
PARTS_AT_MOST: Final = 72  # such hours are 12 half-lives of the slowest; days, where the program is even
NOTHING: Final = 1e-200  # ug/h: below it is nothing, so that no subnormal numbers are dragged on


def reset(x: NDArray[np.float64]) -> None:
    """Prepare the block FLUID of `x`: no drug, no habit."""
    x[st.FLU_LEVEL_UG_H : st.FLU_HIGH_RISK + 1] = 0.0
    for slot in (st.FLU_OPEN_US, st.FLU_DAY_US, st.FLU_LOW_US, st.FLU_OVER_US, st.FLU_BLOCKED_US):
        x[slot] = np.nan
    forget_day(x)


@njit(cache=True, nogil=True, error_model="numpy")
def _decay(hours: float, half_life: int) -> float:
    return math.exp(-LN2 / HALF_LIFE_H[half_life] * hours)


@njit(cache=True, nogil=True, error_model="numpy")
def levels(x: NDArray[np.float64], t_us: float, out: NDArray[np.float64]) -> None:
    """Write the levels at `t_us`, not before the last item, into out, float64[4], ug/h: the open block counted, nothing after."""
    hours = (t_us - x[st.FLU_OPEN_US]) / HOUR_US
    rate = x[st.FLU_OPEN_UG] / hours if hours > 0.0 else 0.0
    idle_h = min(max((t_us - x[st.FLU_BLOCKED_US]) / HOUR_US, 0.0), hours)
    if not idle_h > 0.0:
        idle_h = 0.0
    for half_life in range(4):
        level = x[st.FLU_LEVEL_UG_H + half_life]
        if hours > 0.0:
            level = rate + (level - rate) * _decay(hours - idle_h, half_life)
            level *= _decay(idle_h, half_life)
        out[half_life] = level


@njit(cache=True, nogil=True, error_model="numpy")
def close(x: NDArray[np.float64], t_us: float) -> None:
    """Close the open block at `t_us`, in two where the way to the patient was shut within it."""
    x = borrow(x)
    blocked_us, open_us = x[st.FLU_BLOCKED_US], x[st.FLU_OPEN_US]
    if blocked_us <= open_us:
        x[st.FLU_OPEN_UG] = 0.0
    elif open_us < blocked_us < t_us:
        x[st.FLU_OPEN_UG] *= (blocked_us - open_us) / (t_us - open_us)
        _close(x, blocked_us)
    _close(x, t_us)


@njit(cache=True, nogil=True, error_model="numpy")
def _close(x: NDArray[np.float64], t_us: float) -> None:
    """Move the levels to `t_us`, judge them, learn from a day that is over."""
    open_us = x[st.FLU_OPEN_US]
    if not t_us > open_us:
        if np.isnan(open_us):
            x[st.FLU_OPEN_US] = t_us
            if x[st.FLU_OPEN_UG] > 0.0:
                _jump(x)
        return
    drug_ug = x[st.FLU_OPEN_UG]
    x[st.FLU_OPEN_UG] = 0.0
    x[st.FLU_OPEN_US] = t_us
    begun = drug_ug > 0.0 or not np.isnan(x[st.FLU_DAY_US])
    if not begun and x[st.FLU_LEVEL_UG_H + SLOW] == 0.0:
        return
    if begun and np.isnan(x[st.FLU_DAY_US]):
        x[st.FLU_DAY_US] = open_us
    hours = (t_us - open_us) / HOUR_US
    rate = drug_ug / hours
    x[st.FLU_RATE_UG_H] = rate
    x[st.FLU_DAY_UG] += drug_ug
    fast = x[st.FLU_LEVEL_UG_H + FAST]
    fast_left, slow_left = BLOCK_LEFT_FAST, BLOCK_LEFT_SLOW
    if hours != BLOCK_H:
        fast_left, slow_left = _decay(hours, FAST), _decay(hours, SLOW)
    left = slow_left * slow_left
    _move(x, FAST, rate, fast_left)
    _move(x, 2, rate, left)
    _move(x, 1, rate, left * left)
    _move(x, SLOW, rate, slow_left)
    if not begun:
        return
    judge(x, open_us, fast, rate)
    watch_day(x)
    if t_us - x[st.FLU_DAY_US] >= DAY_US:
        learn(x, t_us)


@njit(cache=True, nogil=True, error_model="numpy")
def _move(x: NDArray[np.float64], half_life: int, rate: float, left: float) -> None:
    level = rate + (x[st.FLU_LEVEL_UG_H + half_life] - rate) * left
    x[st.FLU_LEVEL_UG_H + half_life] = level if level > NOTHING else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _jump(x: NDArray[np.float64]) -> None:
    """Take the gathered drug in at once."""
    drug_ug = x[st.FLU_OPEN_UG]
    x[st.FLU_OPEN_UG] = 0.0
    if not drug_ug > 0.0 or x[st.FLU_BLOCKED_US] < np.inf:
        return
    if np.isnan(x[st.FLU_DAY_US]):
        x[st.FLU_DAY_US] = x[st.FLU_OPEN_US]
    x[st.FLU_DAY_UG] += drug_ug
    before = x[st.FLU_LEVEL_UG_H + FAST]
    for half_life in range(4):
        x[st.FLU_LEVEL_UG_H + half_life] += LN2 / HALF_LIFE_H[half_life] * drug_ug
    judge(x, x[st.FLU_OPEN_US], before, np.nan)
    watch_day(x)


@njit(cache=True, nogil=True, error_model="numpy")
def given_at_once(x: NDArray[np.float64], t_us: float, before_ug: float) -> None:
    """A dose at `t_us` that took no time; before_ug: what the open block held before it."""
    x = borrow(x)
    drug_ug = x[st.FLU_OPEN_UG] - before_ug
    x[st.FLU_OPEN_UG] = before_ug
    close(x, t_us)
    x[st.FLU_OPEN_UG] = drug_ug
    _jump(x)


@njit(cache=True, nogil=True, error_model="numpy")
def passed(
    x: NDArray[np.float64],
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    from_us: float,
    to_us: float,
    before_ug: float,
) -> None:
    """Close a longer interval (from, to]: day by day where the program is even, else hour by hour as it was programmed.

    before_ug: what the open block held at from_us; what it holds more came since. Beyond PARTS_AT_MOST such parts the first ones
    count by their mean; where that is no even program it teaches nothing.
    """
    x, program, schedule, boluses = borrow(x), borrow(program), borrow(schedule), borrow(boluses)
    drug_ug = x[st.FLU_OPEN_UG] - before_ug
    x[st.FLU_OPEN_UG] = before_ug
    close(x, from_us)
    total_ul, _, _ = dose.volumes_ul(program, schedule, boluses, x[st.SUSPENDED], from_us, to_us)
    steady = schedule.shape[0] == 1 and boluses.shape[0] == 0 and program[PULSE_UL] == 0.0
    even = steady or not total_ul > 0.0
    part_us = DAY_US if even else SPREAD_US
    parts = math.ceil((to_us - from_us) / part_us)
    start_us = from_us
    if parts > PARTS_AT_MOST:
        parts = PARTS_AT_MOST
        start_us = to_us - parts * part_us
        x[st.FLU_OPEN_UG] = drug_ug * _share(
            x, program, schedule, boluses, from_us, start_us, to_us - from_us, total_ul
        )
        if even:
            close(x, start_us)
        else:
            _by_mean(x, start_us)
    for part in range(parts):
        end_us = start_us + part_us if part + 1 < parts else to_us
        share = 1.0
        if parts > 1:
            share = _share(x, program, schedule, boluses, start_us, end_us, to_us - from_us, total_ul)
        x[st.FLU_OPEN_UG] = drug_ug * share
        close(x, end_us)
        start_us = end_us


@njit(cache=True, nogil=True, error_model="numpy")
def _share(
    x: NDArray[np.float64],
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    from_us: float,
    to_us: float,
    whole_us: float,
    whole_ul: float,
) -> float:
    """Share of a part of an interval in its dose: by the program, by time where nothing was programmed."""
    if not whole_ul > 0.0:
        return (to_us - from_us) / whole_us
    part_ul, _, _ = dose.volumes_ul(program, schedule, boluses, x[st.SUSPENDED], from_us, to_us)
    return float(part_ul / whole_ul)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def fluid_row(
    x: NDArray[np.float64],
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    from_us: float,
    t_us: float,
    before_ug: float,
) -> bool:
    """Fold one row at `t_us`, the item before it at from_us; before_ug as in `passed`. Returns whether the status is news."""
    x = borrow(x)
    if t_us - x[st.FLU_OPEN_US] < BLOCK_US:
        return False
    if t_us - from_us > SPREAD_US:
        passed(x, program, schedule, boluses, from_us, t_us, before_ug)
    else:
        close(x, t_us)
    told = status(x)
    news: bool = told != x[st.FLU_SAID]
    x[st.FLU_SAID] = told
    return news


@njit(cache=True, nogil=True, error_model="numpy")
def _by_mean(x: NDArray[np.float64], t_us: float) -> None:
    """Move the levels to `t_us` by the open block's mean, without a judgement, and begin a new day there."""
    hours = (t_us - x[st.FLU_OPEN_US]) / HOUR_US
    rate = x[st.FLU_OPEN_UG] / hours
    for half_life in range(4):
        _move(x, half_life, rate, _decay(hours, half_life))
    if np.isnan(x[st.FLU_DAY_US]) and x[st.FLU_OPEN_UG] > 0.0:
        x[st.FLU_DAY_US] = t_us
    x[st.FLU_OPEN_UG] = 0.0
    x[st.FLU_OPEN_US] = t_us
    if not np.isnan(x[st.FLU_DAY_US]):
        x[st.FLU_DAY_US] = t_us
    forget_day(x)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def gather(x: NDArray[np.float64], drug_ug: float, sensed: bool, repaid_ug: float) -> None:
    """Add what the ledgers say has left the tip to the open block.

    While the motor stands, only what its sensors saw is taken in. repaid_ug: counted now, but booked before, when the program's
    word was taken; it is taken in now where it was not then.
    """
    if x[st.FLU_BLOCKED_US] == np.inf and not sensed:
        x[st.FLU_UNSEEN_UG] += drug_ug
        return
    if repaid_ug > 0.0 and x[st.FLU_UNSEEN_UG] > 0.0:
        late_ug = min(repaid_ug, x[st.FLU_UNSEEN_UG])
        x[st.FLU_UNSEEN_UG] -= late_ug
        drug_ug += late_ug
    x[st.FLU_OPEN_UG] += drug_ug


@njit(cache=True, nogil=True, error_model="numpy")
def block(x: NDArray[np.float64], onset_us: float) -> None:
    """From onset_us on nothing leaves the tip, whatever the ledgers say, until `unblock`.

    If that lies back, the levels fall now by the time since; that they were steady before it is assumed.
    """
    if x[st.FLU_BLOCKED_US] < np.inf:
        return
    t_us = x[st.T_US]
    hours = (t_us - onset_us) / HOUR_US
    close(x, t_us)
    x[st.FLU_BLOCKED_US] = max(onset_us, t_us)
    if not hours > 0.0:
        return
    before = x[st.FLU_LEVEL_UG_H + FAST]
    for half_life in range(4):
        _move(x, half_life, 0.0, _decay(hours, half_life))
    judge(x, onset_us, before, 0.0)
    watch_day(x)


@njit(cache=True, nogil=True, error_model="numpy")
def stand(x: NDArray[np.float64]) -> None:
    """Only what the drive's sensors see leaves the tip, from the last item on: its motor stands by them."""
    if x[st.FLU_BLOCKED_US] == np.inf:
        return
    close(x, x[st.T_US])
    x[st.FLU_BLOCKED_US] = np.inf
    x[st.FLU_UNSEEN_UG] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def unblock(x: NDArray[np.float64]) -> None:
    """What the ledgers say reaches the patient again, from the last item on.

    Of what was assumed while the motor stood, readings to come can take off no more than was assumed since the last one.
    """
    if np.isnan(x[st.FLU_BLOCKED_US]):
        return
    close(x, x[st.T_US])
    assumed_ug = (x[st.RES_PENDING_UL] + x[st.RES_DEBT_UL]) * x[st.CONCENTRATION_UG_ML] / 1000.0
    x[st.FLU_UNSEEN_UG] = (
        min(x[st.FLU_UNSEEN_UG], max(assumed_ug, 0.0)) if x[st.FLU_BLOCKED_US] == np.inf else 0.0
    )
    x[st.FLU_BLOCKED_US] = np.nan
