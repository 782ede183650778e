"""The driver: moves one pump's state over its items, row by row, in order.

A pump's ledgers advance at items only (telemetry rows and clinical events), one item after the other, so that no way of
cutting the log into batches can change a bit. What a detector concludes leaves as a signal, a row of numbers. What runs at
every row is `forceinline`: a quarter of a row's time was calls (bench/whole_rows.py).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import (
    air,
    channels,
    dose,
    drive,
    emptying,
    fill_level,
    fluid,
    fluid_habit,
    health,
    leak,
    ledger,
    occlusion,
    reservoir,
    restart,
    shift,
    slow,
    starvation,
    stroke,
    volumes,
    wear,
)
from kernels.borrow import borrow
from kernels.state import (
    AIR_LEVEL,
    CH_LOST,
    CH_RATE_UL_H,
    COUNT_UL,
    DEAD_VOLUME_UL,
    DOSE_SOURCES,
    DRV_FLOW,
    ENCODER_WRAP_UL,
    EXPECTED_UL,
    FILL_US,
    FLOW_TOLERANCE,
    FLU_OPEN_UG,
    FLU_SAID,
    HLT_LEVEL,
    LAST_ROW_US,
    MAX_RATE_UL_H,
    OCC_OUT_FILL,
    OCC_OUT_ROWS,
    OCCLUSION_LEVEL,
    PERIOD_US,
    PRIMED_UL,
    PROGRAMMED_UL,
    ROW_US,
    ROWS,
    RST_LEVEL,
    RST_SINCE_US,
    SENSED_KNOWN,
    SENSING_ROWS,
    SIZE,
    SOURCE_SIZE,
    STALL_LEVEL,
    SUSPENDED,
    T_US,
    WEAR_LEVEL,
)
from kernels.units import HOUR_US

FLOW_STOOD: Final = DRV_FLOW + drive.READINGS  # rows since measured flow last moved
SIGNAL_SIZE: Final = 3  # row, code, level
OCCLUSION: Final = 0  # signal codes
STALL: Final = 1
LEAK: Final = 2
STARVATION: Final = 3
AIR: Final = 4
WEAR: Final = 5
LEVEL: Final = 6  # drug level, kernels.fluid
RESTART: Final = 7
FILL: Final = 8
HEALTH: Final = 9  # something that no other detector names
CHANNELS: Final = 10  # the set of lost channels changed; its level is x[CH_LOST]
SIGNALS: Final = 11  # rows of the array that `rows` reports in: at least one for each code


def fresh() -> NDArray[np.float64]:
    """A new pump's state, float64[SIZE]: nothing known."""
    x = np.full(SIZE, np.nan)
    x[SUSPENDED] = x[OCCLUSION_LEVEL] = x[STALL_LEVEL] = x[ROWS] = x[SENSING_ROWS] = x[EXPECTED_UL] = 0.0
    x[PRIMED_UL] = 0.0
    x[FLOW_TOLERANCE] = reservoir.DEFAULT_TOLERANCE
    for kernel in (
        ledger,
        reservoir,
        occlusion,
        drive,
        leak,
        starvation,
        fluid,
        restart,
        fill_level,
        air,
        wear,
        health,
        channels,
    ):
        kernel.reset(x)
    return x


@njit(cache=True, nogil=True, error_model="numpy")
def rows(
    x: NDArray[np.float64],
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    rows_us: NDArray[np.int64],
    sources: NDArray[np.int64],
    columns: NDArray[np.float64],
    start: int,
    stop: int,
    signals: NDArray[np.float64],
) -> int:
    """Fold rows `start` .. `stop` until a detector changes its level; return the row after the last one folded.

    rows_us: int64[n]; sources: int64[n]; columns: float64[13, n]; signals: float64[k, SIGNAL_SIZE], filled from the
    front for the last row folded, its unused rows set to -1. k = SIGNALS.
    """
    x, program, schedule, boluses = borrow(x), borrow(program), borrow(schedule), borrow(boluses)
    rows_us, sources, columns, signals = borrow(rows_us), borrow(sources), borrow(columns), borrow(signals)
    volumes_ul = np.zeros(3)
    split_ul = borrow(volumes_ul)
    signals[:, 0] = -1.0
    count = 0
    for row in range(start, stop):
        t_us = float(rows_us[row])
        volumes_ul[0] = volumes_ul[1] = volumes_ul[2] = 0.0  # its use here keeps it alive, too
        elapsed_us = t_us - x[T_US]
        if elapsed_us > 0.0:
            dose.programmed_ul(program, schedule, boluses, x[SUSPENDED], x[T_US], t_us, split_ul)
        from_us, before_ug = x[T_US], x[FLU_OPEN_UG]
        x[T_US] = t_us
        total_ul = split_ul[0] + split_ul[2]
        counter_ul, flow_ul_h = columns[0, row], columns[1, row]
        has_counter = not np.isnan(counter_ul)
        starts = has_counter and np.isnan(x[DOSE_SOURCES + sources[row] * SOURCE_SIZE + COUNT_UL])
        row_us = x[DOSE_SOURCES + sources[row] * SOURCE_SIZE + ROW_US]
        held_us = ledger.held_until_us(x, sources[row], t_us)
        sensed_ul = ledger.sensed_ul(
            x, sources[row], t_us, counter_ul, flow_ul_h, x[MAX_RATE_UL_H], x[ENCODER_WRAP_UL]
        )
        by_counter = x[SENSED_KNOWN] == ledger.BY_COUNTER
        nothing = x[SENSED_KNOWN] == ledger.NOTHING
        if nothing:
            sensed_ul = np.nan
        # A counter's first reading only starts it; while an unexplained fall is held it says nothing at all.
        if (held_us < t_us or row_us < from_us) and not (by_counter or nothing):
            volumes.account_held(x, split_ul, sensed_ul, row_us, held_us, from_us)
        else:
            volumes.account(
                x, split_ul[0], split_ul[1], split_ul[2], sensed_ul, by_counter or (starts and nothing)
            )
        if (by_counter and sensed_ul > 0.0) or (not (by_counter or nothing) and x[FLOW_STOOD] == 0.0):
            volumes.moving(x)
        if x[PRIMED_UL] > 0.0 and not volumes.has_counter(x):
            x[PRIMED_UL] = 0.0  # flow shows only what runs past it between two readings
        expected_ul = x[EXPECTED_UL] + total_ul
        x[EXPECTED_UL] = 0.0
        since_us = t_us - x[LAST_ROW_US]
        rate_ul_h = dose.rate_ul_h(program, schedule, boluses, x[SUSPENDED], t_us)
        restart.level_mean(x, columns[2, row], expected_ul)
        if t_us > x[FILL_US] and fill_level.fill_row(x, t_us, columns[2, row]):
            count = _signal(signals, count, row, FILL, 2.0)
        mean_ul_h = expected_ul / since_us * HOUR_US if since_us > 0.0 else rate_ul_h
        lost = x[CH_LOST]
        period_us = x[DOSE_SOURCES + sources[row] * SOURCE_SIZE + PERIOD_US]
        channels.channels_row(x, columns, row, since_us, period_us, expected_ul, mean_ul_h, rate_ul_h)
        if x[CH_LOST] != lost:
            count = _signal(signals, count, row, CHANNELS, x[CH_LOST])
        reservoir.level(x, columns[2, row])
        if by_counter and since_us > 0.0:
            reservoir.measured_flow(x, flow_ul_h * since_us / HOUR_US, sensed_ul)
        sensed_us = since_us if by_counter or not held_us < t_us else held_us - x[LAST_ROW_US]
        sensed_ul_h = sensed_ul / sensed_us * HOUR_US if sensed_us > 0.0 else np.nan
        x[LAST_ROW_US] = t_us
        x[ROWS] += 1.0
        if has_counter or not np.isnan(flow_ul_h):
            x[SENSING_ROWS] += 1.0
        shown_ul_h = (
            sensed_ul_h if np.isnan(flow_ul_h) else flow_ul_h
        )  # strokes are seen by a flow sensor only
        entries = x[OCC_OUT_ROWS]
        level = occlusion.occlusion_row(x, t_us, columns[3, row], columns[4, row], mean_ul_h, shown_ul_h)
        # Each entry that an open block's course gains may say whether the line still fills.
        goes_on = level == x[OCCLUSION_LEVEL] == 2.0 and x[OCC_OUT_ROWS] != entries and x[OCC_OUT_FILL] == 0.0
        if level != x[OCCLUSION_LEVEL] or goes_on:
            count = _signal(signals, count, row, OCCLUSION, level)
            x[OCCLUSION_LEVEL] = level
        level = drive.stall_row(
            x,
            t_us,
            counter_ul,
            flow_ul_h,
            columns[5, row],
            columns[6, row],
            columns[12, row],
            expected_ul,
            rate_ul_h,
        )
        if level != x[STALL_LEVEL]:
            count = _signal(signals, count, row, STALL, level)
            x[STALL_LEVEL] = level
        before = x[starvation.LEVEL]
        # A flow read at once says nothing of an interval in which the program changed.
        steady_ul_h = flow_ul_h if not np.isnan(x[CH_RATE_UL_H]) else np.nan
        level = starvation.starvation_row(
            x, t_us, columns[4, row], steady_ul_h, columns[2, row], expected_ul, since_us
        )
        if level != before:
            count = _signal(signals, count, row, STARVATION, level)
        before = x[leak.LEVEL]
        level = leak.leak_row(x, t_us, columns[3, row], mean_ul_h, sensed_ul_h)
        if level != before:
            count = _signal(signals, count, row, LEAK, level)
        if fluid.fluid_row(x, program, schedule, boluses, from_us, t_us, before_ug):
            count = _signal(signals, count, row, LEVEL, x[FLU_SAID])
        if t_us > x[RST_SINCE_US]:
            before = 2.0 if x[RST_LEVEL] > restart.NOBODY else 0.0
            level = restart.restart_row(
                x,
                t_us,
                since_us,
                x[DOSE_SOURCES + sources[row] * SOURCE_SIZE + PERIOD_US],
                expected_ul,
                sensed_ul if by_counter else np.nan,
                flow_ul_h,
            )
            if level != before:
                count = _signal(signals, count, row, RESTART, level)
        aired, worn, unwell = x[AIR_LEVEL], x[WEAR_LEVEL], x[HLT_LEVEL]
        slow.slow_row(x, t_us, columns, row, mean_ul_h, sensed_ul_h, rate_ul_h)
        if x[AIR_LEVEL] != aired:
            count = _signal(signals, count, row, AIR, x[AIR_LEVEL])
        if x[WEAR_LEVEL] != worn:
            count = _signal(signals, count, row, WEAR, x[WEAR_LEVEL])
        if x[HLT_LEVEL] != unwell:
            count = _signal(signals, count, row, HEALTH, x[HLT_LEVEL])
        if count:
            return row + 1
    return stop


@njit(cache=True, nogil=True, error_model="numpy")
def _signal(signals: NDArray[np.float64], count: int, row: int, code: int, level: float) -> int:
    signals[count, 0] = row
    signals[count, 1] = code
    signals[count, 2] = level
    return count + 1


def warm() -> None:
    """Compile (or load from the cache) everything that a fold calls, so that the first batch is as quick as any."""
    x = fresh()
    program, schedule, boluses = np.zeros(8), np.zeros((1, 2)), np.empty((0, 5))
    signals = np.empty((SIGNALS, SIGNAL_SIZE))
    volumes.advance(x, program, schedule, boluses, 0.0)
    volumes.inject(x, 0.0, False)
    stamps = np.arange(2, dtype=np.int64)
    rows(
        x,
        program,
        schedule,
        boluses,
        stamps,
        np.zeros(2, dtype=np.int64),
        np.full((13, 2), np.nan),
        0,
        2,
        signals,
    )
    columns = np.full((13, 2), np.nan)
    columns.flags.writeable = False
    rows(x, program, schedule, boluses, stamps, np.zeros(2, dtype=np.int64), columns, 0, 2, signals)
    reservoir.ratio(x, np.empty(3))
    reservoir.encoder_ratio(x)
    emptying.ratio_moments(x)
    stroke.joined_k(x)
    shift.take_step(fresh(), 0.0, 0.0, 0.0, 0.0, 0.0)
    shift.begin_shift(fresh())
    occlusion.flow_is_lost(x)
    occlusion.movement_is_lost(x)
    reservoir.volume(x, np.empty(2))
    reservoir.needed_ul(x, 0.0, 0.5)
    reservoir.probability_dry(x, 1.0)
    reservoir.device_needed_ul(x)
    reservoir.stated(x, 1.0)
    reservoir.filled(x, np.nan, 1.0, 1.0)
    reservoir.register(x)
    dose.time_of_volume_us(program, schedule, boluses, x[SUSPENDED], 0, 1.0, 1)
    dose.daily_ul(program, schedule)
    dose.jump_ul(program, boluses, x[SUSPENDED], 0.0)
    volumes.recovered(x)
    drive.runs_again(x)
    ledger.total(x, PROGRAMMED_UL)
    ledger.held_ul(x)
    reservoir.taken(x, 0.0, 0.0)
    ledger.first_concentration(x, x[DEAD_VOLUME_UL], 1.0)
    fluid.levels(x, 0.0, np.zeros(4))
    fluid_habit.low_limit(x, 0)
    fluid_habit.low_off(x, 0)
    fluid_habit.status(x)
    fluid_habit.crossing_h(1.0, 0.0, 0.5, 6.0)
    fluid_habit.known(x)
    fluid.block(x, 0.0)
    fluid.stand(x)
    fluid.unblock(x)
    restart.begin(fresh(), 0.0)
    restart.refilled(fresh())
    fill_level.begin(fresh(), 0.0)
