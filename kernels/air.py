"""Air in the pump or its tubing, told from several channels that lose their habits together.

Physics: gas in the pump head or line is compressed instead of moved. The measured flow becomes ragged and falls short of what
is programmed, the load of the motor falls, bubbles make it shake, and the gas, far more compliant than the line, damps
the pulsation of the outlet pressure. Each sign alone has other reasons: a swapped or
noisy sensor, posture, a starved inlet. So at least two channels must say the same.

Every row: `now += KEEP (reading - now)` for flow share, current and vibration, and the same for the change from reading to
reading, `rough`; a change counts JUMPS habits at most, so that one step or glitch is not raggedness, and a reading that
repeats exactly says nothing (a stuck or coarse sensor). Every STEP rows four evidences in sds of the pump's own habit:

flow       sqrt(shortfall x raggedness): a smooth shortfall is another cause, a noisy sensor falls short of nothing
current    shortfall from its line over the programmed flow, plus raggedness up to as much
vibration  the larger of its rise over that line and its raggedness
pressure   damping (raggedness is posture's too); beside the current alone only while the pressure is inside its envelope,
           since a leak takes away pressure, load and pulsation together

S = the second largest. Alarm: S > T = max(LEAST, RECORD x the largest healthy S that stood for two judgements, fading over
FADE_US) in HOLD judgements between which S stays above T / 2. Error rate: with S of exponential or heavier-than-Gaussian tail, the chance that
the largest of the next n judgements exceeds twice the largest of the last n is about 1/n (2^-a for a power law S^-a), whatever
S is correlated with, provided that the spans are alike; n is the judgements of FADE_US, 10^3 at 15 min, 10^6 at 1 s. LEAST
covers the beginning: 5 sds in two channels, in three judgements.

The line over the flow is a regression with fading memory; where the flow lies outside what it has seen (kernels/flow_line.py), current
and vibration say nothing. A flow far from the usual (a bolus) is left out unless it lasts. A stopped pump (no flow and a current
that doesn't run, or a stall) is neither judged nor learned, and everything begins anew after it; nor is one whose inlet has fallen (kernels/suction.py):
a pump that starves makes gas of its own, and its flow is as ragged. Learning stops while S is above
half of T. Scale-free: only ratios decide. State: kernels.state, block AIR. Constants are parameters of ours [P].
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow
from kernels.flow_line import is_seen, usual_at
from kernels.suction import fallen

STEP: Final = 4.0  # rows a judgement: a fault of 20 rows holds four whole steps
KEEP: Final = 0.125  # of a reading: about 15 rows count, so that 8 rows show half of a change
ROUGH_SD: Final = (
    0.25  # sd of rough / habit for white noise: 0.76 / sqrt(15 rows), rounded up for overlap of differences
)
JUMPS: Final = 4.0  # habits that one change counts at most
MEMORY: Final = 128.0  # judgements, of habits, and no less than:
MEMORY_US: Final = 2 * 86_400e6  # a rhythm of the day and a flex program are habits as a whole
CLIP: Final = 4.0  # deviations by which one judgement pulls a habit at most
SD: Final = 1.25  # of a normal law, in mean absolute deviations
QUIET: Final = 0.01  # of the habit: the least deviation, a sensor's own accuracy
LEAST: Final = 5.0  # sds
RECORD: Final = 2.0
HOLD: Final = 3.0  # judgements above T until active, one fewer until pending
CALM: Final = 4.0  # judgements until over
WARM: Final = 64.0  # judgements before anything is said
SETTLED: Final = 16.0  # judgements before records count
FADE_US: Final = 14 * 86_400e6
ODD: Final = 2.0  # times or part of the usual flow: a bolus
ODD_ROWS: Final = 32.0  # rows after which it is a program
NONE_SHARE: Final = 0.1  # of the usual flow: none (as in kernels/drive.py)
RUNS_LOW: Final = 0.25  # of the usual current: it runs between these
RUNS_HIGH: Final = 1.3
STOP_ROWS: Final = 3.0
FLOW: Final = 0
CURRENT: Final = 1
VIBRATION: Final = 2
PRESSURE: Final = 3


def reset(x: NDArray[np.float64]) -> None:
    """Forget all habits: nothing learned, level 0."""
    x[st.AIR_LEVEL : st.AIR_Q_REF + 1] = np.nan
    x[st.AIR_LEVEL] = x[st.AIR_SCORE] = x[st.AIR_ROWS] = x[st.AIR_HOLD] = x[st.AIR_JUDGED] = 0.0
    x[st.AIR_TOP] = x[st.AIR_LAST_EVIDENCE] = x[st.AIR_ASIDE] = x[st.AIR_RECORD] = 0.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _change(x: NDArray[np.float64], channel: int, reading: float) -> None:
    """Take one reading into the roughness of its channel."""
    step = abs(reading - x[st.AIR_LAST + channel])
    x[st.AIR_LAST + channel] = reading
    if step > 0.0:
        rough = x[st.AIR_ROUGH + channel]
        if rough >= 0.0:
            most = JUMPS * x[st.AIR_ROUGH_HABIT + channel]
            x[st.AIR_ROUGH + channel] = rough + KEEP * ((min(step, most)) - rough)
        else:
            x[st.AIR_ROUGH + channel] = step


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _smooth(x: NDArray[np.float64], slot: int, reading: float) -> None:
    """Take one reading into a short mean."""
    now = x[slot]
    x[slot] = now + KEEP * (reading - now) if abs(now) < np.inf else reading


@njit(cache=True, nogil=True, error_model="numpy")
def _restart(x: NDArray[np.float64]) -> None:
    """Begin the short means anew, after a stop."""
    x[st.AIR_FLOW_NOW] = x[st.AIR_MA_NOW] = x[st.AIR_VIBRATION_NOW] = x[st.AIR_Q_NOW] = np.nan
    x[st.AIR_ROWS] = x[st.AIR_LAST_EVIDENCE] = 0.0
    for channel in range(4):
        x[st.AIR_LAST + channel] = np.nan
        x[st.AIR_ROUGH + channel] = x[st.AIR_ROUGH_HABIT + channel]
    if x[st.AIR_LEVEL] < 2.0:
        x[st.AIR_LEVEL] = x[st.AIR_HOLD] = 0.0
        x[st.AIR_ONSET_US] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _short(now: float, usual: float, dev: float) -> float:
    """By how many sds `now` falls short of `usual`; NaN = unknown."""
    return (usual - now) / (SD * max(dev, QUIET * abs(usual)))


@njit(cache=True, nogil=True, error_model="numpy")
def _excess(x: NDArray[np.float64], channel: int) -> float:
    """Raggedness beyond habit, sds; NaN = unknown, negative = smoother."""
    return (x[st.AIR_ROUGH + channel] / x[st.AIR_ROUGH_HABIT + channel] - 1.0) / ROUGH_SD


@njit(cache=True, nogil=True, error_model="numpy")
def _evidence(x: NDArray[np.float64]) -> float:
    """Second largest of the four evidences, sds."""
    flow, current, vibration, pressure = 0.0, 0.0, 0.0, 0.0
    short = _short(x[st.AIR_FLOW_NOW], x[st.AIR_FLOW_MEAN], x[st.AIR_FLOW_DEV])
    ragged = _excess(x, FLOW)
    if short > 0.0 and ragged > 0.0:
        flow = np.sqrt(short * ragged)
    if is_seen(x):
        short = _short(x[st.AIR_MA_NOW], usual_at(x, st.AIR_MA), x[st.AIR_MA + 2])
        if short > 1.0:
            current = short
            ragged = _excess(x, CURRENT)
            if ragged > 0.0:
                current += min(ragged, short)
        rise = -_short(x[st.AIR_VIBRATION_NOW], usual_at(x, st.AIR_VIBRATION), x[st.AIR_VIBRATION + 2])
        if rise > 0.0:
            vibration = rise
        ragged = _excess(x, VIBRATION)
        vibration = max(vibration, ragged)
    ratio = x[st.AIR_ROUGH_HABIT + PRESSURE] / x[st.AIR_ROUGH + PRESSURE]
    if ratio > 1.0:
        pressure = (ratio - 1.0) / ROUGH_SD
        if current > max(flow, vibration) and pressure > max(flow, vibration) and not _usual_pressure(x):
            pressure = 0.0
    high, low = max(flow, current), min(flow, current)
    for other in (vibration, pressure):
        low = max(low, min(high, other))
        high = max(high, other)
    return float(low)


@njit(cache=True, nogil=True, error_model="numpy")
def _usual_pressure(x: NDArray[np.float64]) -> bool:
    """Whether the pressure lies inside its envelope (kernels/occlusion.py), mirrored at its centre."""
    over = x[st.AIR_LAST + PRESSURE] - x[st.OCC_BASE_KPA]
    return bool(abs(over) <= x[st.OCC_TOP_KPA] - x[st.OCC_BASE_KPA])


@njit(cache=True, nogil=True, error_model="numpy")
def _learn_line(x: NDArray[np.float64], slot: int, habit: int, share: float, gap: float) -> None:
    """Move the regression of a channel on the programmed flow by one judgement; `gap`: flow - usual flow."""
    now = x[slot]
    if np.isnan(now):
        return
    if np.isnan(x[habit]):
        x[habit], x[habit + 1], x[habit + 2] = now, 0.0, CLIP * QUIET * abs(now)
        return
    usual = usual_at(x, habit)
    off = now - usual
    if x[st.AIR_JUDGED] >= SETTLED:
        most = CLIP * max(x[habit + 2], QUIET * abs(usual))
        off = min(max(off, -most), most)
    moved = usual + off - x[habit]
    x[habit] += share * moved
    x[habit + 1] = (1.0 - share) * (x[habit + 1] + share * gap * moved)
    x[habit + 2] += share * (abs(off) - x[habit + 2])


@njit(cache=True, nogil=True, error_model="numpy")
def _learn(x: NDArray[np.float64], gone_us: float) -> None:
    """Move every habit by one judgement, `gone_us` after the last."""
    share = max(1.0 / (x[st.AIR_JUDGED] + 1.0), min(1.0 / MEMORY, gone_us / MEMORY_US))
    gap = x[st.AIR_Q_NOW] - x[st.AIR_Q_MEAN]
    _learn_line(x, st.AIR_MA_NOW, st.AIR_MA, share, gap)
    _learn_line(x, st.AIR_VIBRATION_NOW, st.AIR_VIBRATION, share, gap)
    x[st.AIR_Q_MEAN] += share * gap
    x[st.AIR_Q_VAR] = (1.0 - share) * (x[st.AIR_Q_VAR] + share * gap * gap)
    now = x[st.AIR_FLOW_NOW]
    if not np.isnan(now):
        if np.isnan(x[st.AIR_FLOW_MEAN]):
            x[st.AIR_FLOW_MEAN], x[st.AIR_FLOW_DEV] = now, CLIP * QUIET * now
        off = now - x[st.AIR_FLOW_MEAN]
        if x[st.AIR_JUDGED] >= SETTLED:
            most = CLIP * max(x[st.AIR_FLOW_DEV], QUIET * x[st.AIR_FLOW_MEAN])
            off = min(max(off, -most), most)
        x[st.AIR_FLOW_MEAN] += share * off
        x[st.AIR_FLOW_DEV] += share * (abs(off) - x[st.AIR_FLOW_DEV])
    for channel in range(4):
        rough = x[st.AIR_ROUGH + channel]
        habit = x[st.AIR_ROUGH_HABIT + channel]
        if not np.isnan(rough):
            x[st.AIR_ROUGH_HABIT + channel] = rough if np.isnan(habit) else habit + share * (rough - habit)
    x[st.AIR_JUDGED] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(x: NDArray[np.float64], t_us: float) -> None:
    """Weigh the evidence, move the level, learn."""
    x[st.AIR_ROWS] = 0.0
    if fallen(x) and x[st.AIR_LEVEL] < 2.0:
        x[st.AIR_LEVEL] = x[st.AIR_HOLD] = x[st.AIR_LAST_EVIDENCE] = 0.0
        x[st.AIR_ONSET_US] = np.nan
        x[st.AIR_JUDGED_US] = t_us
        return
    if np.isnan(x[st.AIR_Q_MEAN]):
        x[st.AIR_Q_MEAN], x[st.AIR_Q_VAR] = x[st.AIR_Q_NOW], 0.0
    evidence = _evidence(x)
    threshold = max(LEAST, RECORD * x[st.AIR_TOP])
    known = x[st.AIR_JUDGED] >= WARM
    x[st.AIR_SCORE] = evidence / threshold if known else 0.0
    if x[st.AIR_LEVEL] == 2.0:
        x[st.AIR_HOLD] = x[st.AIR_HOLD] + 1.0 if x[st.AIR_SCORE] < 0.5 else 0.0
        if x[st.AIR_HOLD] >= CALM:
            x[st.AIR_LEVEL] = x[st.AIR_HOLD] = 0.0
            x[st.AIR_ONSET_US] = np.nan
    elif x[st.AIR_SCORE] > 1.0:
        if x[st.AIR_HOLD] == 0.0:
            x[st.AIR_ONSET_US] = x[st.AIR_JUDGED_US]
        x[st.AIR_HOLD] += 1.0
        x[st.AIR_LEVEL] = min(max(x[st.AIR_HOLD] - HOLD + 2.0, 0.0), 2.0)
        if x[st.AIR_LEVEL] == 2.0:
            x[st.AIR_HOLD] = 0.0
    elif x[st.AIR_SCORE] <= 0.5:
        x[st.AIR_LEVEL] = x[st.AIR_HOLD] = 0.0
        x[st.AIR_ONSET_US] = np.nan
    if x[st.AIR_LEVEL] == 0.0 and (x[st.AIR_SCORE] <= 0.5 or not known):
        _learn(x, t_us - x[st.AIR_JUDGED_US])
    _keep_record(x, t_us, evidence)
    x[st.AIR_LAST_EVIDENCE] = evidence
    x[st.AIR_JUDGED_US] = t_us


@njit(cache=True, nogil=True, error_model="numpy")
def _keep_record(x: NDArray[np.float64], t_us: float, evidence: float) -> None:
    """Keep the largest evidence that stood; it counts once the episode is over without an alarm, or air would raise T itself."""
    if x[st.AIR_LEVEL] == 2.0:
        x[st.AIR_RECORD] = 0.0
        return
    gone_us = t_us - x[st.AIR_JUDGED_US]
    if gone_us > 0.0:
        x[st.AIR_TOP] *= max(1.0 - gone_us / FADE_US, 0.0)
    if x[st.AIR_JUDGED] >= SETTLED:
        x[st.AIR_RECORD] = max(x[st.AIR_RECORD], min(evidence, x[st.AIR_LAST_EVIDENCE]))
    if evidence < 0.5 * x[st.AIR_RECORD]:
        x[st.AIR_TOP] = max(x[st.AIR_TOP], x[st.AIR_RECORD])
        x[st.AIR_RECORD] = 0.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _stands(x: NDArray[np.float64], share: float, motor_ma: float) -> bool:
    """Whether this row shows a pump that doesn't move: a stall, or no flow and a current that doesn't run."""
    if x[st.STALL_LEVEL] > 0.0:
        return True
    if not share < NONE_SHARE * x[st.AIR_FLOW_MEAN]:
        return False
    usual = x[st.AIR_MA]
    return not (motor_ma > RUNS_LOW * usual and motor_ma < RUNS_HIGH * usual)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def air_row(
    x: NDArray[np.float64],
    t_us: float,
    flow_ul_h: float,
    motor_ma: float,
    vibration_g: float,
    pressure_kpa: float,
    asked_ul_h: float,
    rate_ul_h: float,
) -> int:
    """Fold one row; return 0 normal, 1 pending, 2 active.

    x: float64[SIZE]. t_us: us. flow_ul_h: measured, uL/h. motor_ma: mA. vibration_g: of either sensor, always the same one,
    g. pressure_kpa: outlet, kPa. asked_ul_h: mean programmed flow since the last row with boluses, uL/h. rate_ul_h:
    programmed flow right after the row, uL/h; a sensor may show either, so that the nearer one counts. Readings may be NaN or
    infinite = not reported.
    """
    x = borrow(x)
    if not (asked_ul_h > 0.0 and asked_ul_h < np.inf):
        if x[st.AIR_ASIDE] < STOP_ROWS:
            x[st.AIR_ASIDE] = STOP_ROWS
            _restart(x)
        return int(x[st.AIR_LEVEL])
    share = flow_ul_h / asked_ul_h
    at_once = flow_ul_h / rate_ul_h if rate_ul_h != 0.0 else np.nan
    if abs(at_once - x[st.AIR_FLOW_MEAN]) < abs(share - x[st.AIR_FLOW_MEAN]):
        share = at_once
    if _stands(x, share, motor_ma):
        x[st.AIR_ASIDE] = max(x[st.AIR_ASIDE], 0.0) + 1.0
        if x[st.AIR_ASIDE] >= STOP_ROWS or x[st.STALL_LEVEL] > 0.0:
            _restart(x)
            return int(x[st.AIR_LEVEL])
    elif x[st.AIR_ASIDE] > 0.0:
        x[st.AIR_ASIDE] = 0.0
    if not x[st.AIR_Q_REF] > 0.0:
        x[st.AIR_Q_REF] = asked_ul_h
    flow = asked_ul_h / x[st.AIR_Q_REF]
    usual = x[st.AIR_Q_MEAN]
    if np.isnan(usual):
        usual = (
            rate_ul_h / x[st.AIR_Q_REF]
        )  # a first row that a program began within shows a flow it was not asked for
    if flow > ODD * usual or ODD * flow < usual:
        x[st.AIR_ASIDE] = min(x[st.AIR_ASIDE], 0.0) - 1.0
        if x[st.AIR_ASIDE] >= -ODD_ROWS:
            return int(x[st.AIR_LEVEL])
    elif x[st.AIR_ASIDE] < 0.0:
        x[st.AIR_ASIDE] = 0.0
    _smooth(x, st.AIR_Q_NOW, flow)
    if abs(share) < np.inf:
        _change(x, FLOW, share)
        _smooth(x, st.AIR_FLOW_NOW, share)
    if abs(motor_ma) < np.inf:
        _change(x, CURRENT, motor_ma)
        _smooth(x, st.AIR_MA_NOW, motor_ma)
    if abs(vibration_g) < np.inf:
        _change(x, VIBRATION, vibration_g)
        _smooth(x, st.AIR_VIBRATION_NOW, vibration_g)
    if abs(pressure_kpa) < np.inf:
        _change(x, PRESSURE, pressure_kpa)
    x[st.AIR_ROWS] += 1.0
    if x[st.AIR_ROWS] >= STEP:
        _judge(x, t_us)
    return int(x[st.AIR_LEVEL])
