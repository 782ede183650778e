"""Wear of the drive: current per flow and vibration that rise over days to weeks.

Physics: worn shafts, gears and bearings ([S] shaft wear: 59 % of returned stalls, docs/domain.md) need more torque for the same flow and
shake more, by some percent a day or a week, long before delivery suffers. Current also rises with flow, outlet pressure
and viscosity (temperature); sensors drift, and a swapped one steps.

Once a day (kernels/health.py), per channel (motor_ma, vibration_g, vibration2_g) with day mean m: change c = ln(m / last),
and `rise = max(rise + min(u, STEP_MOST) - DRIFT, 0)`, u = what of c the change of flow can't explain: for a flow whose
logarithm changed by f, anything from 0 to ELASTIC f is explained; where f > FLOW_MOST nothing counts. So a step counts STEP_MOST at
most, whatever its height, and a repair takes the rise back at once.

Threshold: sensor drift is a random walk, for which this sum is a CUSUM with allowance k = DRIFT. From s^2, the daily variance of
the walk, Brownian motion gives its mean time between false alarms, s^2 / (2 k^2) (e^(2kh/s^2) - ...) days; so
h = s^2 / (2k) ln(1 + 2 k^2 FALSE_DAYS / s^2). White noise w of a day mean telescopes: it adds WHITE sds once. Both come from the
pump itself: from the mean square of u, v1 = s^2 + 2 w^2, and of r, the distance of the level from its slow mean (SLOW a day),
v2 = s^2 / (1 - (1 - SLOW)^2) + w^2 (1 + SLOW / (2 - SLOW)). Only falls are learned: noise falls as often as it rises, wear never
does, so that wear does not raise its own threshold. FALSE_DAYS = 1000 pump-years a channel if s were known; measured over 100
pump-years of three channels: none false up to s = 1 %, w = 10 %, and 8 at s = 2 % a day, which no sensor does. Two channels that rise together
need h or RISE_TWO, one alone (the other is missing or steady: it can be a sensor) h or RISE_ALONE.

Load: the rise of the current does not count while the pressure stands PRESSURE_DEVS of its usual daily change above where it stood
when the rise began, or kernels/occlusion.py sees a rise; a change of temperature since then is granted VISCOSITY a degree. Not
seen: wear slower than DRIFT a day, or there from the first day. Scale-free: only ratios. State: kernels.state, block WEAR.
Constants without another source are parameters of ours [P].
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st

DRIFT: Final = 0.002  # a day: +20 % in 100 days is less than what sensors and seasons do
STEP_MOST: Final = (
    0.08  # a day: wear doubles a load in no less than nine days, a swapped sensor steps at once
)
ELASTIC: Final = 1.25  # largest relative change of current or vibration for one of flow (1 = proportional)
FLOW_MOST: Final = 0.3
RISE_TWO: Final = 0.1  # 10 %: several times a sensor's gain error
RISE_ALONE: Final = 0.25
FALSE_DAYS: Final = 1000.0 * 365.0
WHITE: Final = 6.0
DOUBT: Final = 1.5
SLOW: Final = 0.125  # a day, of the slow mean
OF_WALK: Final = 1.0 / (1.0 - (1.0 - SLOW) * (1.0 - SLOW))  # share of s^2 in v2
OF_WHITE: Final = 1.0 + SLOW / (2.0 - SLOW)  # share of w^2 in v2
WALK_LEAST: Final = 0.3
CORRELATED: Final = 2.0  # distances of a walk from its slow mean repeat for days: a quarter of them are news
PRESSURE_DEVS: Final = 5.0
VISCOSITY: Final = 0.03  # a degree: grease and water, 2-3 %
MEMORY: Final = 48.0  # days
WARM: Final = 8.0  # days
CLIP: Final = 3.0  # sds by which one day can move the variances
TRACKS: Final = 3


def reset(x: NDArray[np.float64]) -> None:
    """Forget all days: nothing learned, level 0."""
    x[st.WEAR_LEVEL : st.WEAR_NAMED + 1] = np.nan
    x[st.WEAR_LEVEL] = x[st.WEAR_SCORE] = x[st.WEAR_DAYS] = x[st.WEAR_NAMED] = 0.0
    for track in range(TRACKS):
        slot = st.WEAR_TRACKS + track * st.WEAR_TRACK_SIZE
        x[slot + st.WEAR_RISE] = x[slot + st.WEAR_AWAY] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _unexplained(change: float, flow_change: float) -> float:
    """Part of a change that no elasticity between 0 and ELASTIC to the flow's change explains."""
    low, high = min(ELASTIC * flow_change, 0.0), max(ELASTIC * flow_change, 0.0)
    return max(change - high, 0.0) + min(change - low, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _mean_square(before: float, now: float, share: float) -> float:
    """Move a mean square by one day, pulled by CLIP sds at most."""
    if np.isnan(before):
        return now
    return before + share * (min(now, CLIP * CLIP * before) - before)


@njit(cache=True, nogil=True, error_model="numpy")
def threshold(var1: float, var2: float, days: float) -> float:
    """Rise that random drift reaches once in FALSE_DAYS, from the mean squares of changes and of distances.

    A mean square of n numbers is known to sqrt(2 / n), and half of the days are falls; DOUBT sds of that are added.
    """
    doubt = DOUBT * np.sqrt(4.0 / min(days, MEMORY))
    walk = ((1.0 + CORRELATED * doubt) * var2 - 0.5 * OF_WHITE * var1) / (OF_WALK - 0.5 * OF_WHITE)
    walk = max(walk, WALK_LEAST * var1)
    if not walk > 0.0:
        return 0.0
    white = 0.5 * var1 * (1.0 + doubt)
    scale = walk / (2.0 * DRIFT)
    return float(scale * np.log1p(2.0 * DRIFT * DRIFT * FALSE_DAYS / walk) + WHITE * np.sqrt(white))


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(x: NDArray[np.float64], track: int, mean: float, flow_change: float, loaded: bool) -> None:
    """Take one day's mean into a track. `loaded`: a block explains a rise."""
    slot = st.WEAR_TRACKS + track * st.WEAR_TRACK_SIZE
    if not (mean > 0.0 and mean < np.inf):
        return
    last = x[slot + st.WEAR_LAST]
    x[slot + st.WEAR_LAST] = mean
    if np.isnan(last) or not abs(flow_change) <= FLOW_MOST:
        return
    change = _unexplained(np.log(mean / last), flow_change)
    away = x[slot + st.WEAR_AWAY] + change
    x[slot + st.WEAR_AWAY] = (1.0 - SLOW) * away
    share = 2.0 / min(x[st.WEAR_DAYS], MEMORY)  # half of the days are falls
    if change < 0.0:
        x[slot + st.WEAR_VAR1] = _mean_square(x[slot + st.WEAR_VAR1], change * change, share)
    if away < 0.0:
        x[slot + st.WEAR_VAR2] = _mean_square(x[slot + st.WEAR_VAR2], away * away, share)
    if loaded and change > 0.0:
        change = 0.0
    x[slot + st.WEAR_RISE] = max(x[slot + st.WEAR_RISE] + min(change, STEP_MOST) - DRIFT, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _needed(x: NDArray[np.float64], track: int) -> float:
    """Rise of a track beyond its random drift; 0 while its variances are not known."""
    slot = st.WEAR_TRACKS + track * st.WEAR_TRACK_SIZE
    needed = threshold(x[slot + st.WEAR_VAR1], x[slot + st.WEAR_VAR2], x[st.WEAR_DAYS])
    return max(0.0, needed)


@njit(cache=True, nogil=True, error_model="numpy")
def _approach(x: NDArray[np.float64], slot: int, mean: float) -> None:
    """Move a slow mean towards a day's."""
    if not np.isnan(mean):
        x[slot] = mean if np.isnan(x[slot]) else x[slot] + (mean - x[slot]) / 4.0


@njit(cache=True, nogil=True, error_model="numpy")
def _load(x: NDArray[np.float64], pressure_kpa: float, temperature_c: float) -> tuple[bool, float]:
    """(whether the pressure explains a rise of the current, rise that the temperature explains); follow both."""
    last_kpa = x[st.WEAR_LAST_KPA]
    if not np.isnan(pressure_kpa):
        step_kpa = abs(pressure_kpa - last_kpa)
        x[st.WEAR_LAST_KPA] = pressure_kpa
        if step_kpa >= 0.0:
            dev_kpa = x[st.WEAR_DEV_KPA]
            x[st.WEAR_DEV_KPA] = (
                step_kpa if np.isnan(dev_kpa) else dev_kpa + (min(step_kpa, 4.0 * dev_kpa) - dev_kpa) / 16.0
            )
    if x[st.WEAR_TRACKS + st.WEAR_RISE] < RISE_TWO / 4.0:  # nothing has begun: the load is as it is now
        _approach(x, st.WEAR_START_KPA, pressure_kpa)
        _approach(x, st.WEAR_START_C, temperature_c)
    risen_kpa = x[st.WEAR_LAST_KPA] - x[st.WEAR_START_KPA]
    loaded = risen_kpa > PRESSURE_DEVS * x[st.WEAR_DEV_KPA]
    granted = VISCOSITY * abs(temperature_c - x[st.WEAR_START_C])
    return bool(loaded), max(0.0, granted)


@njit(cache=True, nogil=True, error_model="numpy")
def wear_day(
    x: NDArray[np.float64],
    t_us: float,
    motor_ma: float,
    vibration_g: float,
    vibration2_g: float,
    pressure_kpa: float,
    temperature_c: float,
    asked: float,
) -> None:
    """Fold the means of one day while flow was programmed; the level is in x[WEAR_LEVEL].

    x: float64[SIZE]. t_us: end of the day, us. motor_ma: mA. vibration_g, vibration2_g: g. pressure_kpa: outlet, kPa.
    temperature_c: deg C. asked: programmed flow, in any unit of its own. Means may be NaN = not reported.
    """
    x[st.WEAR_DAYS] += 1.0
    flow_change = np.log(asked / x[st.WEAR_LAST_Q])
    x[st.WEAR_LAST_Q] = asked
    loaded, granted = _load(x, pressure_kpa, temperature_c)
    _follow(x, 0, motor_ma, flow_change, x[st.OCCLUSION_LEVEL] > 0.0)
    _follow(x, 1, vibration_g, flow_change, False)
    _follow(x, 2, vibration2_g, flow_change, False)
    first, second, alone = 0.0, 0.0, 0.0
    for track in range(TRACKS):
        rise = x[st.WEAR_TRACKS + track * st.WEAR_TRACK_SIZE + st.WEAR_RISE]
        if track == 0:
            rise = 0.0 if loaded else rise - granted
        needed = _needed(x, track)
        together = rise / max(needed, RISE_TWO)
        second = max(second, min(first, together))
        first = max(first, together)
        alone = max(alone, rise / max(needed, RISE_ALONE))
    x[st.WEAR_SCORE] = max(second, alone) if x[st.WEAR_DAYS] > WARM else 0.0
    _settle(x, t_us)


@njit(cache=True, nogil=True, error_model="numpy")
def _settle(x: NDArray[np.float64], t_us: float) -> None:
    """Pending from half of the threshold, active from the threshold, over below half of it."""
    score = x[st.WEAR_SCORE]
    if score < 0.5:
        x[st.WEAR_LEVEL] = 0.0
        x[st.WEAR_ONSET_US] = np.nan
    elif score >= 1.0:
        x[st.WEAR_LEVEL] = 2.0
    elif x[st.WEAR_LEVEL] == 0.0:
        x[st.WEAR_LEVEL] = 1.0
    if x[st.WEAR_LEVEL] > 0.0 and np.isnan(x[st.WEAR_ONSET_US]):
        x[st.WEAR_ONSET_US] = t_us
