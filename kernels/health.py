"""Day means of all channels against the pump's habit of day means: something changed that no detector names.

Why days, and why diagonal: within a day posture, rhythm, breathing, flex steps and warm-up make every channel autocorrelated in its own
way; a day's mean holds all of that once, and day means are nearly exchangeable, so that a plain deviation in units of
their own habit is a whitened innovation. A full covariance (PCA with T2 and Q) needs more healthy days than channels, ten to
a hundred, before it is better than its diagonal, and a swapped sensor turns its axes; so what common causes move
together is grouped by hand: flow; current; vibration (two sensors); outlet pressure; motor voltage and battery;
temperature (two sensors), which is an explanation, never evidence (fever moves pressure and viscosity). The inlet's pressure
moves with every refill and is no evidence either.

Deviation of a channel: |mean - usual| / (SD max(dev, QUIET |usual|, a quarter of the pressure's own roughness)); out of habit above Z. Error rate:
for n days of habit the tail of a day is that of Student's t with about MEMORY = 8-16 degrees, P(|t_10| > 6) = 1.3e-4; two of
five groups in two days in a row, independent: 10 (1.3e-4)^2 365 = 6e-5 a pump-year if a second day follows the first for
sure. What is left are common causes that are not in the list; they are measured, see tests.

A day with another programmed flow is not judged and moves the habit of what depends on the flow; a day on which a named detector was
on is neither judged nor learned; after ACCEPT days the new state is the habit. The kernel also closes the days for
kernels/wear.py. Not seen: what one channel alone shows, and what is over within two days.

Scale-free. State: kernels.state, block HEALTH. Constants are parameters of ours [P].
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow
from kernels.units import DAY_US
from kernels.wear import wear_day

CHANNELS: Final = 10
FLOW, CURRENT, VIBRATION, VIBRATION2, PRESSURE, INLET, MOTOR_V, BATTERY, BODY, FLUID = range(CHANNELS)
SD: Final = 1.25  # of a normal law, in mean absolute deviations
QUIET: Final = 0.005  # of the usual: the least deviation, a sensor's own accuracy
Z: Final = 6.0  # sds
WARMER_Z: Final = 3.0  # sds of a temperature that explains pressure and current
MEMORY: Final = 16.0  # days
WARM: Final = 10.0  # days
CLIP: Final = 3.0  # deviations that one day adds to the deviation at most
SAME_FLOW: Final = 0.02  # of the programmed flow
ENOUGH: Final = 0.5  # of a day's samples, and of the usual day's
GROUPS: Final = 2
DAYS_ON: Final = 2.0  # days until active
ACCEPT: Final = 9.0  # days until the new state is the habit


def reset(x: NDArray[np.float64]) -> None:
    """Forget all days: nothing learned, level 0."""
    x[st.HLT_LEVEL : st.HLT_DEV + CHANNELS] = np.nan
    x[st.HLT_LEVEL] = x[st.HLT_DAYS] = x[st.HLT_ON_DAYS] = x[st.HLT_MOVED] = 0.0
    x[st.HLT_Q_SUM] = x[st.HLT_SAMPLES] = 0.0
    x[st.HLT_SUM : st.HLT_COUNT + CHANNELS] = 0.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _take(x: NDArray[np.float64], channel: int, reading: float) -> None:
    """Add one reading to the open day."""
    if abs(reading) < np.inf:
        x[st.HLT_SUM + channel] += reading
        x[st.HLT_COUNT + channel] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _mean(x: NDArray[np.float64], channel: int) -> float:
    """Mean of the open day; NaN where too little was read."""
    count = x[st.HLT_COUNT + channel]
    return x[st.HLT_SUM + channel] / count if count >= ENOUGH * x[st.HLT_SAMPLES] else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _deviation(x: NDArray[np.float64], channel: int, mean: float) -> float:
    """|mean - usual| in sds of day means; 0 = unknown."""
    usual = x[st.HLT_MEAN + channel]
    dev = max(x[st.HLT_DEV + channel], QUIET * abs(usual))
    if channel == PRESSURE:
        rough = 0.25 * x[st.AIR_ROUGH_HABIT + 3]
        dev = max(dev, rough)
    away = abs(mean - usual) / (SD * dev)
    return max(0.0, away)


@njit(cache=True, nogil=True, error_model="numpy")
def _learn(x: NDArray[np.float64], channel: int, mean: float) -> None:
    """Move the habit of one channel by one day."""
    if np.isnan(mean):
        return
    usual, dev = x[st.HLT_MEAN + channel], x[st.HLT_DEV + channel]
    if np.isnan(usual):
        x[st.HLT_MEAN + channel] = mean
        return
    away = abs(mean - usual)
    if np.isnan(dev):
        x[st.HLT_DEV + channel] = CLIP * away  # one day says little: begin wide
        x[st.HLT_MEAN + channel] = 0.5 * (usual + mean)
        return
    share = 1.0 / min(x[st.HLT_DAYS] + 1.0, MEMORY)
    most = CLIP * max(dev, QUIET * abs(usual))
    x[st.HLT_DEV + channel] += share * (min(away, most) - dev)
    x[st.HLT_MEAN + channel] += max(share, 0.25) * (mean - usual)


@njit(cache=True, nogil=True, error_model="numpy")
def _depends_on_flow(channel: int) -> bool:
    return bool(CURRENT <= channel <= INLET)


@njit(cache=True, nogil=True, error_model="numpy")
def _moved_groups(x: NDArray[np.float64]) -> int:
    """Count the groups out of habit on the day that ends; note the channels in x[HLT_MOVED].

    A channel that was out of habit alone for two days already is a sensor's matter: it does not count with a later one.
    """
    groups, moved = 0, 0
    before = int(x[st.HLT_MOVED])
    old = before & (before >> CHANNELS) if x[st.HLT_ON_DAYS] == 0.0 else 0
    away_before = 0.0
    warmer = max(_deviation(x, BODY, _mean(x, BODY)), _deviation(x, FLUID, _mean(x, FLUID))) > WARMER_Z
    for channel in (FLOW, CURRENT, VIBRATION, VIBRATION2, PRESSURE, MOTOR_V, BATTERY):
        bit = 1 << channel
        away = _deviation(x, channel, _mean(x, channel))
        explained = warmer and channel in (CURRENT, PRESSURE)
        if away > Z and not explained:
            moved |= bit
        if not away > Z or explained or old & bit:
            away = 0.0
        second = channel in (VIBRATION2, BATTERY)
        if away > 0.0 and not (second and away_before > 0.0):
            groups += 1
        away_before = away
    x[st.HLT_MOVED] = moved | (before & (1 << CHANNELS) - 1) << CHANNELS
    return groups


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(x: NDArray[np.float64], asked: float) -> None:
    """Compare the day that ends with the habit, move the level, learn."""
    same_flow = abs(asked - x[st.HLT_Q_LAST]) <= SAME_FLOW * x[st.HLT_Q_LAST]
    if x[st.WEAR_NAMED] > 0.0:
        x[st.HLT_LEVEL] = x[st.HLT_ON_DAYS] = 0.0
        return
    x[st.HLT_Q_LAST] = asked
    groups = _moved_groups(x) if same_flow and x[st.HLT_DAYS] >= WARM else 0
    if groups >= GROUPS:
        x[st.HLT_ON_DAYS] += 1.0
        x[st.HLT_LEVEL] = 2.0 if x[st.HLT_ON_DAYS] >= DAYS_ON else 1.0
        if x[st.HLT_ON_DAYS] < ACCEPT:
            return
    moves = x[st.HLT_ON_DAYS] >= ACCEPT
    x[st.HLT_LEVEL] = x[st.HLT_ON_DAYS] = 0.0
    for channel in range(CHANNELS):
        mean = _mean(x, channel)
        if not same_flow and _depends_on_flow(channel):
            x[st.HLT_MEAN + channel] = mean  # NaN where it was not read: its next day begins the habit anew
        elif moves and not np.isnan(mean):
            x[st.HLT_MEAN + channel] = mean
        else:
            _learn(x, channel, mean)
    x[st.HLT_DAYS] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _close(x: NDArray[np.float64], t_us: float) -> None:
    """End the open day: judge it if it is whole, begin the next."""
    samples, usual = x[st.HLT_SAMPLES], x[st.WEAR_SAMPLES]
    x[st.WEAR_SAMPLES] = samples if np.isnan(usual) else usual + (samples - usual) / 4.0
    if samples > 0.0 and not samples < ENOUGH * usual:
        asked = x[st.HLT_Q_SUM] / samples
        if x[st.WEAR_NAMED] == 0.0:  # gas shakes and a block loads the drive for days: that is no wear
            body_c = _mean(x, BODY)
            temperature_c = body_c if not np.isnan(body_c) else _mean(x, FLUID)
            wear_day(
                x,
                t_us,
                _mean(x, CURRENT),
                _mean(x, VIBRATION),
                _mean(x, VIBRATION2),
                _mean(x, PRESSURE),
                temperature_c,
                asked,
            )
        if x[st.WEAR_LEVEL] > 0.0:
            x[st.WEAR_NAMED] = 1.0
        _judge(x, asked)
    x[st.HLT_SUM : st.HLT_COUNT + CHANNELS] = 0.0
    x[st.HLT_Q_SUM] = x[st.HLT_SAMPLES] = x[st.WEAR_NAMED] = 0.0
    x[st.HLT_DAY_US] = t_us


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def health_row(
    x: NDArray[np.float64],
    t_us: float,
    motor_v: float,
    vibration_g: float,
    vibration2_g: float,
    pressure_kpa: float,
    inlet_kpa: float,
    temperature_c: float,
    fluid_c: float,
    battery_v: float,
    named: bool,
) -> None:
    """Fold one row at which kernels/air.py has just judged; levels are in x[HLT_LEVEL] and x[WEAR_LEVEL].

    x: float64[SIZE]. t_us: us. motor_v, battery_v: V. vibration_g, vibration2_g: g. pressure_kpa, inlet_kpa: kPa.
    temperature_c, fluid_c: deg C. named: whether another detector is on. Flow, current and the first vibration are taken
    from kernels/air.py, as means of the last rows. Readings may be NaN or infinite = not reported.
    """
    x = borrow(x)
    if not x[st.HLT_DAY_US] <= t_us:
        x[st.HLT_DAY_US] = t_us
    elif t_us - x[st.HLT_DAY_US] >= DAY_US:
        _close(x, t_us)
    if named:
        x[st.WEAR_NAMED] = 1.0
    x[st.HLT_SAMPLES] += 1.0
    x[st.HLT_Q_SUM] += x[st.AIR_Q_NOW]
    _take(x, FLOW, x[st.AIR_FLOW_NOW])
    _take(x, CURRENT, x[st.AIR_MA_NOW])
    _take(x, VIBRATION, x[st.AIR_VIBRATION_NOW] if abs(vibration_g) < np.inf else np.nan)
    _take(x, VIBRATION2, vibration2_g)
    _take(x, PRESSURE, pressure_kpa)
    _take(x, INLET, inlet_kpa)
    _take(x, MOTOR_V, motor_v)
    _take(x, BATTERY, battery_v)
    _take(x, BODY, temperature_c)
    _take(x, FLUID, fluid_c)
