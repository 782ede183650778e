"""Whether the channels that detectors live on still say something: there, and moving as they always did.

Time is the time of rows: the interval before a row counts whole up to GAP usual periods, else as one period, so that a silent relay
ages nothing. Per channel, in that time:

null   no finite reading for LOST_US. Only of a channel that was known: reported for LOST_US more than it was missing, so that
       one that comes once a day, or never came, can't be lost.
stuck  the very same reading for LOST_US and for FACTOR of the longest run that this channel ever had while all was well. Judged after it
       lived for LIVED_US: time in runs that ended by a step of STEP_QUANTA of its smallest step or more, without a change of
       the program. So a sensor whose noise is less than its own step, a noise-free reading that only follows the program and a
       battery are never stuck. False alarms: of n + 1 exponential runs the last is beyond FACTOR times the largest before with
       chance 1 / C(n + FACTOR, n). After LIVED_US n is 8 at least (a run counts 3 h at most): 1 / 3003, falling as n^-6; where runs
       are below 15 min, n is 96 and it is 10^-9.

Runs grow only while flow is programmed and no named detector is active: a stopped pump, a standing motor, a line at its
limit hold readings rightly. The level has to fall by the programmed volume: it is stuck when FACTOR of its largest step or
healthy run (uL) were asked for meanwhile, above DRY of the reservoir. The counter is stuck when kernels/drive.py sees it stand for FACTOR of
its habit; the two vibrations are one channel. A lost channel is back after an hour of readings: RETURN turns 1 h of them into LOST_US; a
stuck one after RETURN changes. Scale-free. State: kernels.state, block CHANNELS. Constants are parameters of ours [P] but
for LOST_US (contract, `monitoring_lost`).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import drive
from kernels import state as st
from kernels.borrow import borrow

LOST_US: Final = 6 * 3.6e9
GAP: Final = 3.0  # usual periods: a reading holds so long (contract, `sensed_*`)
FACTOR: Final = 6.0
STEP_QUANTA: Final = 2.5  # smallest steps: beyond rounding of a noise of 0.6 steps
ROUNDING: Final = 1e-9  # of the reading
LIVED_US: Final = 24 * 3.6e9  # a whole day and its night, whatever the hour of the first row
KNOWN_US: Final = LOST_US + LIVED_US  # age from which stillness is judged
RETURN: Final = 6.0
STEADY: Final = 0.01  # of the programmed flow: no change of the program
DRY: Final = 0.05  # of the reservoir (as in kernels/starvation.py)
NOISY: Final = 5  # channels with a run of their own: flow, outlet, inlet, current, vibration
NAMES: Final = (
    "flow_ul_h",
    "pressure_kpa",
    "inlet_kpa",
    "motor_ma",
    "vibration_g",
    "reservoir_ml",
    "delivered_ul",
)
COLUMNS: Final = (1, 3, 4, 5, 7)  # of the telemetry
VIBRATION: Final = 4
LEVEL: Final = 5
COUNTER: Final = 6
CHANNELS: Final = 7
VALUE, QUANTUM, CHANGE_US, HABIT_US, AGE_US, VALID_US = range(6)  # slots of a noisy channel
SIZE: Final = 6


def reset(x: NDArray[np.float64]) -> None:
    """Forget all channels: nothing was ever reported."""
    x[st.CH_CLOCK_US : st.CH_COUNTER_VALID_US + 1] = 0.0
    x[st.CH_RATE_UL_H] = x[st.CH_LEVEL_VALID_US] = x[st.CH_COUNTER_VALID_US] = np.nan
    for channel in range(NOISY):
        at = st.CH_NOISY + channel * SIZE
        x[at + VALUE] = x[at + VALID_US] = np.nan
        x[at + QUANTUM] = np.inf


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _lost(x: NDArray[np.float64], bit: int) -> bool:
    return bool(int(x[st.CH_LOST]) >> bit & 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(x: NDArray[np.float64], bit: int, lost: bool) -> None:
    """Set or clear a bit of CH_LOST: 0..6 null, 7..13 stuck."""
    bits = int(x[st.CH_LOST])
    x[st.CH_LOST] = float(bits | (1 << bit) if lost else bits & ~(1 << bit))


@njit(cache=True, nogil=True, error_model="numpy")
def _missing(x: NDArray[np.float64], channel: int, age: int, valid: int, step_us: float) -> None:
    """Take a row without a reading of a channel."""
    if math.isnan(x[valid]):
        return
    clock_us = x[st.CH_CLOCK_US]
    if _lost(x, channel):
        x[valid] = max(x[valid], clock_us - LOST_US)
    elif x[age] < LOST_US:
        x[age] = max(x[age] - step_us, 0.0)
    elif clock_us - x[valid] >= LOST_US:
        x[valid] = clock_us - LOST_US
        x[age] = 0.0
        _turn(x, channel, True)
        _turn(x, channel + CHANNELS, False)


@njit(cache=True, nogil=True, error_model="numpy")
def _returns(x: NDArray[np.float64], channel: int, valid: int, step_us: float) -> None:
    """Take a reading of a channel that is lost."""
    clock_us = x[st.CH_CLOCK_US]
    x[valid] = min(x[valid] + (RETURN + 1.0) * step_us, clock_us)
    if x[valid] == clock_us:
        _turn(x, channel, False)


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _there(x: NDArray[np.float64], channel: int, age: int, valid: int, step_us: float) -> None:
    """Take a row with a reading of a channel."""
    if x[st.CH_LOST] != 0.0 and _lost(x, channel):
        _returns(x, channel, valid, step_us)
    else:
        x[valid] = x[st.CH_CLOCK_US]
        if x[age] < LOST_US:
            x[age] += step_us


@njit(cache=True, nogil=True, error_model="numpy")
def _changed(x: NDArray[np.float64], channel: int, at: int, reading: float, steady: bool) -> None:
    """End a run: what it was teaches the habit."""
    clock_us = x[st.CH_CLOCK_US]
    change = abs(reading - x[at + VALUE])
    x[at + VALUE] = reading
    run_us = clock_us - x[at + CHANGE_US]
    known = x[at + AGE_US] >= KNOWN_US
    if x[st.CH_LOST] != 0.0 and _lost(x, channel + CHANNELS):
        x[at + CHANGE_US] += run_us / 3.0 if run_us > LOST_US / RETURN else run_us
        if x[at + CHANGE_US] == clock_us:
            _turn(x, channel + CHANNELS, False)
        return
    x[at + CHANGE_US] = clock_us
    if math.isnan(change):
        return
    if run_us > x[at + HABIT_US]:
        x[at + HABIT_US] = min(run_us, 2.0 * x[at + HABIT_US]) if known else run_us
    if not steady:
        return
    if x[at + AGE_US] >= LOST_US and not known and change >= STEP_QUANTA * x[at + QUANTUM]:
        x[at + AGE_US] += min(run_us, LOST_US / 2.0)
    x[at + QUANTUM] = min(x[at + QUANTUM], change)


@njit(cache=True, nogil=True, error_model="numpy")
def _noisy(
    x: NDArray[np.float64], channel: int, reading: float, step_us: float, steady: bool, held: bool
) -> None:
    """Take a row of a channel whose noise moves it, whatever its state."""
    x = borrow(x)
    at = st.CH_NOISY + channel * SIZE
    if not abs(reading) < np.inf:
        _missing(x, channel, at + AGE_US, at + VALID_US, step_us)
        x[at + CHANGE_US] += step_us  # a run is of readings
        return
    _there(x, channel, at + AGE_US, at + VALID_US, step_us)
    if held:
        x[at + CHANGE_US] += step_us
    if not abs(reading - x[at + VALUE]) <= ROUNDING * abs(reading):
        _changed(x, channel, at, reading, steady)
        return
    run_us = x[st.CH_CLOCK_US] - x[at + CHANGE_US]
    if run_us >= LOST_US:
        bit = channel + CHANNELS
        if _lost(x, bit):
            x[at + CHANGE_US] = x[st.CH_CLOCK_US] - LOST_US
        elif x[at + AGE_US] >= KNOWN_US and run_us >= FACTOR * x[at + HABIT_US]:
            x[at + CHANGE_US] = x[st.CH_CLOCK_US] - LOST_US
            _turn(x, bit, True)


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _usual(x: NDArray[np.float64], at: int, reading: float, clock_us: float) -> bool:
    """Take a reading that moved as ever while the channel is known and nothing is lost; False if it is anything else."""
    change = abs(reading - x[at + VALUE])
    run_us = clock_us - x[at + CHANGE_US]
    if (
        not (ROUNDING * abs(reading) < change < np.inf)
        or x[at + AGE_US] < KNOWN_US
        or run_us > x[at + HABIT_US]
        or change < x[at + QUANTUM]
    ):
        return False
    x[at + VALUE] = reading
    x[at + CHANGE_US] = x[at + VALID_US] = clock_us
    return True


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _channel(
    x: NDArray[np.float64],
    channel: int,
    reading: float,
    step_us: float,
    steady: bool,
    held: bool,
    well: bool,
) -> None:
    """Take a row of one channel; inlined with its number known, so that its slots have fixed places."""
    at = st.CH_NOISY + channel * SIZE
    if math.isnan(reading) and math.isnan(x[at + VALID_US]):
        return  # this pump does not report it
    if not (well and _usual(x, at, reading, x[st.CH_CLOCK_US])):
        _noisy(x, channel, reading, step_us, steady, held)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _level(x: NDArray[np.float64], level_ml: float, expected_ul: float, step_us: float, held: bool) -> None:
    """Take a row of the level, before kernels/reservoir.py does: it has to fall by what is programmed."""
    x = borrow(x)
    if not abs(level_ml) < np.inf:
        _missing(x, LEVEL, st.CH_LEVEL_AGE_US, st.CH_LEVEL_VALID_US, step_us)
        return
    _there(x, LEVEL, st.CH_LEVEL_AGE_US, st.CH_LEVEL_VALID_US, step_us)
    change_ul = abs(level_ml * 1000.0 - x[st.RES_LEVEL_UL])
    dry = not x[st.RES_V_UL] > DRY * 1000.0 * x[st.RESERVOIR_ML]
    bit = LEVEL + CHANNELS
    if dry or not change_ul <= ROUNDING * 1000.0 * x[st.RESERVOIR_ML]:
        if not dry and not _lost(x, bit):
            x[st.CH_LEVEL_HABIT_UL] = max(x[st.CH_LEVEL_HABIT_UL], x[st.CH_LEVEL_RUN_UL])
        x[st.CH_LEVEL_RUN_UL] = x[st.CH_LEVEL_RUN_US] = 0.0
        if x[st.CH_LOST] != 0.0:
            _turn(x, bit, False)
    elif not held:
        x[st.CH_LEVEL_RUN_UL] += expected_ul
        x[st.CH_LEVEL_RUN_US] += step_us
        if x[st.CH_LEVEL_RUN_US] >= LOST_US and x[st.CH_LEVEL_HABIT_UL] > 0.0:
            largest_ul = max(x[st.CH_LEVEL_HABIT_UL], x[st.RES_QUANTUM_UL])
            if x[st.CH_LEVEL_RUN_UL] >= FACTOR * largest_ul:
                _turn(x, bit, True)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _counter(x: NDArray[np.float64], counter_ul: float, step_us: float, period_us: float) -> None:
    """Take a row of the counter, after kernels/drive.py did for the rows before it."""
    x = borrow(x)
    if not abs(counter_ul) < np.inf:
        _missing(x, COUNTER, st.CH_COUNTER_AGE_US, st.CH_COUNTER_VALID_US, step_us)
        return
    _there(x, COUNTER, st.CH_COUNTER_AGE_US, st.CH_COUNTER_VALID_US, step_us)
    asked_ul, readings = (
        x[st.DRV_COUNTER + drive.ASKED_UL],
        x[st.DRV_COUNTER + drive.READINGS],
    )
    bit = COUNTER + CHANNELS
    if readings * period_us >= LOST_US:
        habit_ul = x[st.DRV_COUNTER + drive.HABIT_UL]
        far = x[st.DRV_COUNTER + drive.MOVED] >= drive.LEARNED and asked_ul > FACTOR * habit_ul
        if far and x[st.STALL_LEVEL] < 2.0:
            _turn(x, bit, True)
    elif x[st.CH_LOST] != 0.0 and readings == 0.0 and _lost(x, bit):
        _turn(x, bit, False)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def channels_row(
    x: NDArray[np.float64],
    columns: NDArray[np.float64],
    row: int,
    since_us: float,
    period_us: float,
    expected_ul: float,
    mean_ul_h: float,
    rate_ul_h: float,
) -> None:
    """Fold a row; what is lost is in x[CH_LOST], bits 0..6 null and 7..13 stuck in the order of NAMES.

    x: float64[SIZE]. columns: float64[13, n] (contract, telemetry). since_us, period_us: since the last row and usual period of
    the source, us, NaN if unknown. expected_ul, mean_ul_h: programmed since the last row, volume and mean flow.
    rate_ul_h: programmed right after the row.
    """
    x, columns = borrow(x), borrow(columns)
    step_us = 0.0
    if since_us > 0.0:
        step_us = period_us if since_us > GAP * period_us else since_us
    x[st.CH_CLOCK_US] += step_us
    same = abs(mean_ul_h - rate_ul_h) <= STEADY * rate_ul_h
    steady = same and abs(x[st.CH_RATE_UL_H] - rate_ul_h) <= STEADY * rate_ul_h
    x[st.CH_RATE_UL_H] = rate_ul_h if same else np.nan
    named = max(x[st.OCCLUSION_LEVEL], x[st.STALL_LEVEL], x[st.LEAK], x[st.STARVATION])
    held = not expected_ul > 0.0 or named > 1.0
    vibration_g, other_g = columns[7, row], columns[8, row]
    if math.isnan(vibration_g):
        vibration_g = other_g
    elif not math.isnan(other_g):
        vibration_g += other_g
    well = x[st.CH_LOST] == 0.0
    _channel(x, 0, columns[COLUMNS[0], row], step_us, steady, held, well)
    _channel(x, 1, columns[COLUMNS[1], row], step_us, steady, held, well)
    _channel(x, 2, columns[COLUMNS[2], row], step_us, steady, held, well)
    _channel(x, 3, columns[COLUMNS[3], row], step_us, steady, held, well)
    _channel(x, VIBRATION, vibration_g, step_us, steady, held, well)
    _level(x, columns[2, row], expected_ul, step_us, held)
    _counter(x, columns[0, row], step_us, period_us)
