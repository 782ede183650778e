"""Motor stall: nothing moves although flow is programmed.

Each channel that can see movement has a track: the volume that the program asked for since the channel last moved,
against the largest such volume in its healthy habit (at least one encoder quantum). So a low rate whose quantum takes
many rows, a pulsatile drive, a flex step near zero and a coarse counter are habits, not stalls; nothing accumulates
while nothing is programmed, nor, in a gap between rows that is longer than a movement takes, over the time by which a clock may jump unseen (CLOCK_US). Standing for STALL x habit and STALL_ROWS readings is a stall, provided that the time is
beyond habit too (a drive that pulses by the clock asks more per pulse after a rise of rate) or the volume is FAR
beyond. Before LEARNED movements are known only a registered encoder quantum can judge.

counter  moves when it rises above its last stand, or falls by more than jitter (wrap, restart)
flow     moves when its share of the programmed flow, over about four readings, is a tenth of its healthy mean or more
current  moves when it is neither at its off level (learned while nothing is programmed, else a tenth of the mean) nor
         at a locked-rotor level; it can make a stall pending, never active, and is asked only without the others
stalled  the device's own word: pending at the first reading, active at the second

A counter that stands while measured flow keeps its habit is a counter fault: pending at most. A stall ends after two
movements in a row. Only ratios decide: factors on volumes or currents change nothing. State: kernels.state, block
DRIVE. Constants are parameters of ours [P].
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st

ASKED_UL: Final = 0  # slots of a track: programmed since the last movement
READINGS: Final = 1
STOOD_US: Final = 2  # time with programmed flow since the last movement
HABIT_UL: Final = 3
HABIT_US: Final = 4
MOVED: Final = 5
STALL: Final = 3.0  # habits of volume: active
STALL_ROWS: Final = 3.0
SUSPECT: Final = 2.0  # habits of volume: pending
SUSPECT_ROWS: Final = 2.0
LATE: Final = 1.5  # habits of time
FAR: Final = 12.0  # habits of volume beyond which time is not asked
CLOCK_US: Final = 60e6  # contract, Clocks: a clock that is off by less is not corrected
LEARNED: Final = 4.0  # movements before a habit counts
BLIND_QUANTA: Final = 8.0  # registered quanta, and readings, that judge before that
FORGET: Final = 1.0 / 32.0
NONE_SHARE: Final = 0.1  # of the healthy mean: no flow, no current
LOCKED_DEVS: Final = 12.0
LOCKED_SHARE: Final = 1.8  # of the healthy mean, beside LOCKED_DEVS: a locked rotor's current
JITTER_QUANTA: Final = 4.0  # a smaller fall of the counter is noise


def reset(x: NDArray[np.float64]) -> None:
    """Forget the drive: nothing learned, level 0."""
    x[st.DRV_LEVEL : st.DRV_STATED + 1] = 0.0
    for slot in (
        st.DRV_ONSET_US,
        st.DRV_SCORE,
        st.DRV_LAST_US,
        st.DRV_ANCHOR_UL,
        st.DRV_FLOW_NOW,
        st.DRV_FLOW_MEAN,
        st.DRV_MA_NOW,
        st.DRV_MA_MEAN,
        st.DRV_MA_OFF,
    ):
        x[slot] = np.nan
    x[st.DRV_QUANTUM_UL] = np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def runs_again(x: NDArray[np.float64]) -> None:
    """Take the device's word that its motor has recovered: what is asked counts from here, and level is 0 until it stands anew."""
    for track in (st.DRV_COUNTER, st.DRV_FLOW, st.DRV_CURRENT):
        x[track + ASKED_UL] = x[track + READINGS] = x[track + STOOD_US] = 0.0
    x[st.DRV_LEVEL] = x[st.DRV_MOVES] = x[st.DRV_STATED] = x[st.STALL_LEVEL] = 0.0
    x[st.DRV_ONSET_US] = np.nan


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _ask(x: NDArray[np.float64], track: int, expected_ul: float, elapsed_us: float) -> None:
    """Add what was programmed since the last row to a track; of a gap longer than a movement takes, CLOCK_US may be a clock's jump."""
    if not expected_ul > 0.0:
        return
    gap_us = elapsed_us - x[track + HABIT_US]
    share = 1.0
    if x[track + HABIT_US] > 0.0 and gap_us > 0.0:
        share -= min(gap_us, CLOCK_US) / elapsed_us
    x[track + ASKED_UL] += share * expected_ul
    x[track + STOOD_US] += share * elapsed_us


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _moved(x: NDArray[np.float64], track: int) -> None:
    """Take note of a movement: learn how much was asked before it (at most doubling the habit), start the track anew."""
    asked_ul, stood_us, habit_ul = x[track + ASKED_UL], x[track + STOOD_US], x[track + HABIT_UL]
    if x[track + MOVED] > 0.0 and asked_ul > 0.0:
        habit_us = x[track + HABIT_US]
        if x[track + MOVED] >= LEARNED:
            asked_ul = min(asked_ul, 2.0 * habit_ul)
            stood_us = min(stood_us, 2.0 * habit_us)
        x[track + HABIT_UL] = max(asked_ul, habit_ul - FORGET * (habit_ul - asked_ul))
        x[track + HABIT_US] = max(stood_us, habit_us - FORGET * (habit_us - stood_us))
    x[track + MOVED] += 1.0
    x[track + ASKED_UL] = x[track + READINGS] = x[track + STOOD_US] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _stands(x: NDArray[np.float64], track: int, quantum_ul: float, registered_ul: float) -> int:
    """Judge a track that has not moved: 0 within habit, 1 suspect, 2 stall."""
    x[track + READINGS] += 1.0
    asked_ul, readings = x[track + ASKED_UL], x[track + READINGS]
    if x[track + MOVED] < LEARNED:
        if not registered_ul > 0.0:
            return 0
        blind_ul = BLIND_QUANTA * max(registered_ul, x[track + HABIT_UL])
        return 2 if asked_ul > blind_ul and readings > BLIND_QUANTA else 0
    habit_ul = max(x[track + HABIT_UL], quantum_ul)
    x[st.DRV_SCORE] = asked_ul / habit_ul
    late = x[track + STOOD_US] > LATE * x[track + HABIT_US] or asked_ul > FAR * habit_ul
    if asked_ul > STALL * habit_ul and readings >= STALL_ROWS and late:
        return 2
    return 1 if asked_ul > SUSPECT * habit_ul and readings >= SUSPECT_ROWS and late else 0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _counter(x: NDArray[np.float64], delivered_ul: float) -> int:
    """Verdict of the counter: -1 moved, else 0..2."""
    anchor_ul = x[st.DRV_ANCHOR_UL]
    registered_ul = x[st.ENCODER_UL_PER_COUNT]
    if np.isnan(anchor_ul):
        x[st.DRV_ANCHOR_UL] = delivered_ul
        x[st.DRV_COUNTER + ASKED_UL] = x[st.DRV_COUNTER + STOOD_US] = 0.0
        return 0
    step_ul = delivered_ul - anchor_ul
    quantum_ul = registered_ul
    if not quantum_ul > 0.0:
        quantum_ul = x[st.DRV_QUANTUM_UL] if x[st.DRV_QUANTUM_UL] < np.inf else 0.0
    if step_ul > 0.0:
        x[st.DRV_QUANTUM_UL] = min(x[st.DRV_QUANTUM_UL], step_ul)
        x[st.DRV_ANCHOR_UL] = delivered_ul
        _moved(x, st.DRV_COUNTER)
        return -1
    if step_ul < -JITTER_QUANTA * quantum_ul:
        x[st.DRV_ANCHOR_UL] = delivered_ul
        x[st.DRV_COUNTER + ASKED_UL] = x[st.DRV_COUNTER + READINGS] = x[st.DRV_COUNTER + STOOD_US] = 0.0
        return 0
    return _stands(x, st.DRV_COUNTER, quantum_ul, registered_ul)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _flow(x: NDArray[np.float64], flow_ul_h: float, programmed_ul_h: float) -> int:
    """Verdict of the measured flow: -1 moved, else 0..2."""
    share = flow_ul_h / programmed_ul_h
    mean = x[st.DRV_FLOW_MEAN]
    if np.isnan(mean):
        if share > 0.0:
            x[st.DRV_FLOW_MEAN] = x[st.DRV_FLOW_NOW] = share
        return 0
    x[st.DRV_FLOW_NOW] += 0.25 * (share - x[st.DRV_FLOW_NOW])
    if x[st.DRV_FLOW_NOW] >= NONE_SHARE * mean:
        _moved(x, st.DRV_FLOW)
        if x[st.DRV_LEVEL] == 0.0:
            x[st.DRV_FLOW_MEAN] += FORGET * (min(max(share, 0.0), 4.0 * mean) - mean)
        return -1
    return _stands(x, st.DRV_FLOW, 0.0, np.nan)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _current(x: NDArray[np.float64], motor_ma: float) -> int:
    """Verdict of the current: -1 running, else 0..2."""
    mean, dev = x[st.DRV_MA_MEAN], x[st.DRV_MA_DEV]
    if np.isnan(mean):
        x[st.DRV_MA_MEAN] = x[st.DRV_MA_NOW] = motor_ma
        x[st.DRV_MA_DEV] = abs(motor_ma)
        return 0
    x[st.DRV_MA_NOW] += 0.25 * (motor_ma - x[st.DRV_MA_NOW])
    now, off_ma = x[st.DRV_MA_NOW], x[st.DRV_MA_OFF]
    floor_ma = NONE_SHARE * mean
    if not np.isnan(off_ma) and off_ma < mean:
        floor_ma = max(off_ma + NONE_SHARE * (mean - off_ma), floor_ma)
    locked = now > mean + LOCKED_DEVS * dev and now > LOCKED_SHARE * mean
    if now >= floor_ma and not locked:
        _moved(x, st.DRV_CURRENT)
        if x[st.DRV_LEVEL] == 0.0:
            off = min(max(motor_ma - mean, -4.0 * dev), 4.0 * dev)
            x[st.DRV_MA_MEAN] += FORGET * off
            x[st.DRV_MA_DEV] += FORGET * (abs(off) - dev)
        return -1
    return _stands(x, st.DRV_CURRENT, 0.0, np.nan)


@njit(cache=True, nogil=True, error_model="numpy")
def _off_level(x: NDArray[np.float64], motor_ma: float) -> None:
    """Learn the current of a pump that is not asked to pump."""
    if np.isnan(x[st.DRV_MA_OFF]):
        x[st.DRV_MA_OFF] = motor_ma
    else:
        x[st.DRV_MA_OFF] += FORGET * (motor_ma - x[st.DRV_MA_OFF])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _settle(x: NDArray[np.float64], verdict: int, t_us: float, stood_us: float) -> int:
    """Join verdict and level: a stall ends only after two movements in a row."""
    level = int(x[st.DRV_LEVEL])
    if verdict < 0:
        x[st.DRV_MOVES] += 1.0
    elif verdict > 0:
        x[st.DRV_MOVES] = 0.0
    if level == 2:
        if x[st.DRV_MOVES] < 2.0:
            return 2
        level = 0
    else:
        level = max(verdict, 0)
    if level == 0:
        x[st.DRV_ONSET_US] = np.nan
    elif np.isnan(x[st.DRV_ONSET_US]):
        x[st.DRV_ONSET_US] = t_us - stood_us
    x[st.DRV_LEVEL] = level
    return level


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def stall_row(
    x: NDArray[np.float64],
    t_us: float,
    delivered_ul: float,
    flow_ul_h: float,
    motor_ma: float,
    motor_v: float,  # noqa: ARG001 - part of the interface; a supply fault is another cause
    stalled: float,
    expected_ul: float,
    programmed_ul_h: float,
) -> int:
    """Fold one row; return 0 normal, 1 pending, 2 active.

    x: float64[SIZE]. t_us: us. delivered_ul: cumulative counter, uL. flow_ul_h: measured, uL/h. motor_ma: mA.
    motor_v: V. stalled: 0/1. expected_ul: programmed since the last row with boluses and priming, uL. programmed_ul_h:
    programmed flow right after the row, uL/h. Readings may be NaN or infinite = not reported.
    """
    elapsed_us = max(t_us - x[st.DRV_LAST_US], 0.0) if not np.isnan(x[st.DRV_LAST_US]) else 0.0
    x[st.DRV_LAST_US] = t_us
    _ask(x, st.DRV_COUNTER, expected_ul, elapsed_us)
    _ask(x, st.DRV_FLOW, expected_ul, elapsed_us)
    _ask(x, st.DRV_CURRENT, expected_ul, elapsed_us)
    asked = expected_ul > 0.0
    stated = -1
    if stalled > 0.0:
        x[st.DRV_STATED] += 1.0
        stated = 2 if x[st.DRV_STATED] >= SUSPECT_ROWS else 1
    elif stalled == 0.0:
        x[st.DRV_STATED] = 0.0
        stated = 0
    counter, flow, current = -2, -2, -2  # -2: not reported
    if abs(delivered_ul) < np.inf:
        counter = _counter(x, delivered_ul)
    if abs(flow_ul_h) < np.inf and asked and programmed_ul_h > 0.0:
        flow = _flow(x, flow_ul_h, programmed_ul_h)
    if abs(motor_ma) < np.inf:
        if asked:
            current = _current(x, motor_ma)
        elif programmed_ul_h == 0.0:
            _off_level(x, motor_ma)

    if counter > -2:
        verdict, track = counter, st.DRV_COUNTER
        if counter == 2 and flow == -1:
            verdict = 1
    elif x[st.DRV_COUNTER + MOVED] == 0.0 and flow > -2:
        verdict, track = flow, st.DRV_FLOW
    elif x[st.DRV_COUNTER + MOVED] == 0.0 and x[st.DRV_FLOW + MOVED] == 0.0 and current > -2:
        verdict, track = min(current, 1), st.DRV_CURRENT
    else:
        verdict, track = -2, st.DRV_COUNTER
    if stated > 0:
        verdict = max(verdict, stated)
    elif stated == 0 and verdict == -2 and x[st.DRV_COUNTER + MOVED] + x[st.DRV_FLOW + MOVED] == 0.0:
        verdict = -1
    if verdict == -2 or (not asked and verdict == 0):
        return int(x[st.DRV_LEVEL])
    return _settle(x, verdict, t_us, x[track + STOOD_US])
