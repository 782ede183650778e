"""What a pump's patient is used to, by the drug level (kernels.fluid): usual trough and peak, and whether a level is low or over.

Learned day by day from the fastest and the slowest compartment of the pump itself, so that flex steps, pulses and a coarse counter
are habits. A day that was low, over or blocked teaches nothing, unless ODD_DAYS of them follow each other with a dose: that is how
it is now. A day without any dose never teaches. The first day is for the slowest compartment to settle (4 half-lives, 94 %), the
second is the first habit, when the effect of an infusion is at its peak, too (24-48 h [S]).

low   the fastest compartment is below a part of its usual trough (two half-lives; one for high-risk patients [P])
over  the fastest compartment is above OVER x its usual peak; the slowest may be over, too

Only ratios decide: a factor on all doses changes nothing. [S], [P] as in docs/domain.md. State: kernels.state, block FLUID.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.units import HOUR_US

HALF_LIFE_H: Final = (0.9, 1.5, 3.0, 6.0)  # [S] population range of baclofen in spinal fluid
FAST, SLOW = 0, 3  # of them
LOW_SHARE: Final = 0.25  # of the usual trough [P]
LOW_SHARE_HIGH_RISK: Final = 0.5  # [P]: "earlier withdrawal" [S]
OVER: Final = 2.5  # times the usual peak [P]: two steps of titration at their upper limit are 1.7, and 3 is implausible [S]
OVER_OFF: Final = 2.0  # times the usual peak: no longer over
ODD_DAYS: Final = 3.0  # [S] the untreated course is over after 72 h
TRUSTED_DAYS: Final = 2.0  # closed days from which a habit is known
FALL: Final = 0.5  # a trough falls at once, to this part a day at most [P]
RISE_TROUGH: Final = 0.25  # and rises by this part of the way: a weekend at a lower dose stays a habit [P]
RISE_PEAK: Final = 0.5  # a peak follows titration by this part of the way a day [P]
FALL_PEAK: Final = 1.0 / 7.0  # and is forgotten within weeks, as tolerance is [P]
NORMAL, LOW, OVER_FAST, OVER_SLOW = 0.0, 1.0, 2.0, 3.0


@njit(cache=True, nogil=True, error_model="numpy")
def forget_day(x: NDArray[np.float64]) -> None:
    """Begin a day with nothing seen."""
    x[st.FLU_DAY_UG] = x[st.FLU_DAY_ODD] = 0.0
    for end in range(2):
        x[st.FLU_DAY_LOW_UG_H + end] = np.inf
        x[st.FLU_DAY_HIGH_UG_H + end] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def known(x: NDArray[np.float64]) -> bool:
    """Whether the pump's habit is known."""
    return bool(x[st.FLU_DAYS] >= TRUSTED_DAYS)


@njit(cache=True, nogil=True, error_model="numpy")
def crossing_h(level: float, rate: float, limit: float, half_life_h: float) -> float:
    """Hours until a level that tends to `rate` meets `limit`; negative = it did so long ago, NaN = never.

    level, rate, limit: ug/h, of one compartment. A level that started beyond the limit gives the time since it met it.
    """
    if limit == rate:
        return np.nan
    share = (level - rate) / (limit - rate)
    return half_life_h * math.log2(share) if 0.0 < share < np.inf else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def low_limit(x: NDArray[np.float64], end: int) -> float:
    """Level below which the fastest (end 0) or the slowest (1) compartment is low, ug/h."""
    share = LOW_SHARE_HIGH_RISK if x[st.FLU_HIGH_RISK] > 0.0 else LOW_SHARE
    limit: float = share * x[st.FLU_TROUGH_UG_H + end]
    return limit


@njit(cache=True, nogil=True, error_model="numpy")
def low_off(x: NDArray[np.float64], end: int) -> float:
    """Level from which a compartment is no longer low, ug/h: on half of the way back, in half-lives."""
    limit = low_limit(x, end)
    return math.sqrt(limit * x[st.FLU_TROUGH_UG_H + end])


@njit(cache=True, nogil=True, error_model="numpy")
def judge(x: NDArray[np.float64], open_us: float, before: float, rate: float) -> None:
    """Note since when the fastest compartment is low or over; `before`: its level at open_us, `rate` since then."""
    if not known(x):
        return
    fast, slow = x[st.FLU_LEVEL_UG_H + FAST], x[st.FLU_LEVEL_UG_H + SLOW]
    limit = low_limit(x, 0)
    if fast < limit:
        if np.isnan(x[st.FLU_LOW_US]):
            x[st.FLU_LOW_US] = _met_us(open_us, before, rate, limit, before > limit)
    elif not np.isnan(x[st.FLU_LOW_US]) and fast >= low_off(x, 0):
        x[st.FLU_LOW_US] = np.nan
    peak, slow_peak = x[st.FLU_PEAK_UG_H], x[st.FLU_PEAK_UG_H + 1]
    if fast > OVER * peak:
        if np.isnan(x[st.FLU_OVER_US]):
            x[st.FLU_OVER_US] = _met_us(open_us, before, rate, OVER * peak, before < OVER * peak)
    elif fast <= OVER_OFF * peak and slow <= OVER_OFF * slow_peak:
        x[st.FLU_OVER_US] = np.nan
    if np.isnan(x[st.FLU_OVER_US]):
        x[st.FLU_OVER_BOTH] = 0.0
    elif slow > OVER * slow_peak:
        x[st.FLU_OVER_BOTH] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _met_us(open_us: float, before: float, rate: float, limit: float, inside: bool) -> float:
    """When the fastest compartment met its limit in the block that began at open_us, in whole us."""
    if not inside:
        return open_us
    hours = crossing_h(before, rate, limit, HALF_LIFE_H[FAST])
    return open_us if np.isnan(hours) else open_us + math.ceil(hours * HOUR_US)


@njit(cache=True, nogil=True, error_model="numpy")
def status(x: NDArray[np.float64]) -> float:
    """NORMAL, LOW, OVER_FAST or OVER_SLOW, as of the last closed block."""
    told = NORMAL
    if x[st.FLU_OVER_BOTH] > 0.0:
        told = OVER_SLOW
    elif not np.isnan(x[st.FLU_OVER_US]):
        told = OVER_FAST
    elif not np.isnan(x[st.FLU_LOW_US]):
        told = LOW
    return told


@njit(cache=True, nogil=True, error_model="numpy")
def watch_day(x: NDArray[np.float64]) -> None:
    """Take the levels at the end of a block into the day's extremes."""
    for end in range(2):
        level = x[st.FLU_LEVEL_UG_H + end * SLOW]
        x[st.FLU_DAY_LOW_UG_H + end] = min(x[st.FLU_DAY_LOW_UG_H + end], level)
        x[st.FLU_DAY_HIGH_UG_H + end] = max(x[st.FLU_DAY_HIGH_UG_H + end], level)
    if status(x) != NORMAL or not np.isnan(x[st.FLU_BLOCKED_US]):
        x[st.FLU_DAY_ODD] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def learn(x: NDArray[np.float64], t_us: float) -> None:
    """End a day: take it into the habit, unless it was odd."""
    days, drug_ug, odd = x[st.FLU_DAYS], x[st.FLU_DAY_UG], x[st.FLU_DAY_ODD]
    rate = drug_ug / ((t_us - x[st.FLU_DAY_US]) / HOUR_US)
    x[st.FLU_DAY_US] = t_us
    if days < TRUSTED_DAYS:
        x[st.FLU_DAYS] = days + 1.0
        if not drug_ug > 0.0:
            x[st.FLU_DAYS] = 0.0
            x[st.FLU_DAY_US] = np.nan  # therapy begins anew
        elif days > 0.0:
            for end in range(2):
                x[st.FLU_TROUGH_UG_H + end] = x[st.FLU_DAY_LOW_UG_H + end]
                x[st.FLU_PEAK_UG_H + end] = x[st.FLU_DAY_HIGH_UG_H + end]
            x[st.FLU_HABIT_UG_H] = rate
        forget_day(x)
        return
    x[st.FLU_DAYS] = days + 1.0 if odd > 0.0 else TRUSTED_DAYS
    if drug_ug > 0.0 and (odd == 0.0 or x[st.FLU_DAYS] - TRUSTED_DAYS >= ODD_DAYS):
        for end in range(2):
            low, trough = x[st.FLU_DAY_LOW_UG_H + end], x[st.FLU_TROUGH_UG_H + end]
            rise = RISE_TROUGH * (min(low, 2.0 * trough) - trough)
            x[st.FLU_TROUGH_UG_H + end] = trough + rise if low > trough else max(low, FALL * trough)
            high, peak = x[st.FLU_DAY_HIGH_UG_H + end], x[st.FLU_PEAK_UG_H + end]
            share = RISE_PEAK if high > peak else FALL_PEAK
            x[st.FLU_PEAK_UG_H + end] = peak + share * (min(high, 2.0 * peak) - peak)
        habit = x[st.FLU_HABIT_UG_H]
        x[st.FLU_HABIT_UG_H] = habit + RISE_PEAK * (min(max(rate, 0.5 * habit), 2.0 * habit) - habit)
    forget_day(x)
