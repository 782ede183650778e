"""Programmed dose: what a pump was told to deliver between two instants, in closed form, with its exact inverse.

All times are microseconds since the epoch as float64, all volumes uL, all rates uL/h. Three arrays say what was told:

program   float64[8] = AT_US, UTC_OFFSET_US, MODE, PULSE_UL, PULSE_EVERY_US, PULSE_DURATION_US, BY_LIMIT, 0 (kernels.pulses)
schedule  float64[n, 2] = (start in us of the local week, Monday 00:00 = 0; rate), sorted, first start 0, n >= 1
boluses   float64[m, 5] = (start, end, volume, kind, stated 0/1)

The flow at an instant t is: schedule's rate + the pulses that run (none before AT_US), or nothing of both while suspended or
while a bridge runs; plus every bolus that runs. Pulses restart at each local day start, and add up where they overlap. A
pulse or bolus of no duration is a jump. A jump at tau belongs to the interval with t0 < tau <= t1 (contract: a window is
(from, to]); one at AT_US itself belongs to the first interval, t0 == AT_US. Bridges run over [start, end): a jump at their
start is replaced, one at their end is not. Single boluses of no duration are entered by the fold when they happen; rows with
end == start count nothing here.

Closed forms: whole weeks of the schedule by the weekly sum; pulses by counting those that ended (an integer difference,
exact) plus the delivered fractions of those that run (an arithmetic series a day). A year costs what a minute costs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.borrow import borrow
from kernels.pulses import (
    AT_US,
    PULSE_DURATION_US,
    PULSE_EVERY_US,
    PULSE_UL,
    UTC_OFFSET_US,
    pulsed_ul,
    pulses_begun,
)
from kernels.units import DAY_US, HOUR_US

NO_PROGRAM, CONTINUOUS, FLEX, MINIMUM_RATE, STOPPED = 0.0, 1.0, 2.0, 3.0, 4.0
PUMP_BOLUS, BRIDGE, PRIMING = 0.0, 1.0, 2.0

WEEK_US: Final = 6.048e11
MONDAY_US: Final = 3.0 * DAY_US  # 1970-01-01 was a Thursday: its week began three days earlier
ULPS: Final = 4e-15  # relative rounding of a volume that time_of_volume_us forgives, below 1 us of flow


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _step_at(schedule: NDArray[np.float64], week_us: float) -> int:
    """Row of the step that runs at `week_us` of the local week."""
    schedule = borrow(schedule)
    low, high = 0, schedule.shape[0] - 1
    while low < high:
        middle = (low + high + 1) // 2
        if schedule[middle, 0] <= week_us:
            low = middle
        else:
            high = middle - 1
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def _within_week(schedule: NDArray[np.float64], from_us: float, to_us: float) -> float:
    """Integral of the rate over part of one local week, uL/h * us."""
    schedule = borrow(schedule)
    integral = 0.0
    step = _step_at(schedule, from_us)
    last = schedule.shape[0] - 1
    start_us = from_us
    while start_us < to_us:
        end_us = to_us if step == last else min(schedule[step + 1, 0], to_us)
        integral += schedule[step, 1] * (end_us - start_us)
        start_us = end_us
        step += 1
    return integral


@njit(cache=True, nogil=True, error_model="numpy")
def _steps_ul(
    program: NDArray[np.float64], schedule: NDArray[np.float64], t0_us: float, t1_us: float
) -> float:
    """Volume of the steps over (t0, t1], never before the program's time."""
    program, schedule = borrow(program), borrow(schedule)
    t0_us = max(t0_us, program[AT_US])
    if not t1_us > t0_us:
        return 0.0
    if schedule.shape[0] == 1:
        steady_ul: float = schedule[0, 1] * (t1_us - t0_us) / HOUR_US
        return steady_ul
    shift_us = program[UTC_OFFSET_US] + MONDAY_US
    week0 = np.floor((t0_us + shift_us) / WEEK_US)
    week1 = np.floor((t1_us + shift_us) / WEEK_US)
    from_us = t0_us + shift_us - week0 * WEEK_US
    to_us = t1_us + shift_us - week1 * WEEK_US
    if week0 == week1:
        return _within_week(schedule, from_us, to_us) / HOUR_US
    integral = _within_week(schedule, from_us, WEEK_US) + _within_week(schedule, 0.0, to_us)
    if week1 - week0 > 1.0:
        integral += (week1 - week0 - 1.0) * _within_week(schedule, 0.0, WEEK_US)
    return integral / HOUR_US


@njit(cache=True, nogil=True, error_model="numpy")
def _bridge_end(boluses: NDArray[np.float64], t_us: float) -> float:
    """When the bridges that run at `t_us` are over; `t_us` itself if none runs."""
    end_us = t_us
    moved = True
    while moved:
        moved = False
        for row in range(boluses.shape[0]):
            if boluses[row, 3] == BRIDGE and boluses[row, 0] <= end_us < boluses[row, 1]:
                end_us = boluses[row, 1]
                moved = True
    return end_us


@njit(cache=True, nogil=True, error_model="numpy")
def _next_bridge(boluses: NDArray[np.float64], t_us: float) -> float:
    """Start of the next bridge after `t_us`, inf if there is none."""
    start_us = np.inf
    for row in range(boluses.shape[0]):
        if boluses[row, 3] == BRIDGE and boluses[row, 1] > boluses[row, 0] > t_us:
            start_us = min(start_us, boluses[row, 0])
    return start_us


@njit(cache=True, nogil=True, error_model="numpy")
def _program_ul(
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    t0_us: float,
    t1_us: float,
) -> tuple[float, float]:
    """Give (steps, pulses) over (t0, t1] without the times when a bridge replaces both."""
    steps_ul = pulses_ul = 0.0
    pulsing = program[PULSE_UL] > 0.0
    cursor_us = t0_us
    from_cursor = t0_us <= program[AT_US]
    while True:
        free_us = _bridge_end(boluses, cursor_us)
        from_cursor = from_cursor or free_us > cursor_us
        cursor_us = free_us
        if cursor_us > t1_us:
            return steps_ul, pulses_ul
        next_us = _next_bridge(boluses, cursor_us)
        end_us = min(next_us, t1_us)
        steps_ul += _steps_ul(program, schedule, cursor_us, end_us)
        if pulsing:
            pulses_ul += pulsed_ul(program, cursor_us, end_us, from_cursor, next_us > t1_us)
        if next_us > t1_us:
            return steps_ul, pulses_ul
        cursor_us = next_us


@njit(cache=True, nogil=True, error_model="numpy")
def volumes_ul(
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    suspended: float,
    t0_us: float,
    t1_us: float,
) -> tuple[float, float, float]:
    """Give (programmed with boluses and without priming, its bolus part, priming) over (t0, t1], uL.

    The bolus part is the pulses, the single boluses and the bridges.
    """
    program, schedule, boluses = borrow(program), borrow(schedule), borrow(boluses)
    if not t1_us > t0_us:
        return 0.0, 0.0, 0.0
    count = boluses.shape[0]
    if count == 0 and program[PULSE_UL] == 0.0:
        steps_ul = 0.0 if suspended else _steps_ul(program, schedule, t0_us, t1_us)
        return steps_ul, 0.0, 0.0
    steps_ul = bolus_ul = priming_ul = 0.0
    if not suspended:
        steps_ul, bolus_ul = _program_ul(program, schedule, boluses, t0_us, t1_us)
    for row in range(count):
        start_us, end_us = boluses[row, 0], boluses[row, 1]
        shared_us = min(end_us, t1_us) - max(start_us, t0_us)
        if shared_us > 0.0:
            part_ul = boluses[row, 2] * (shared_us / (end_us - start_us))
            if boluses[row, 3] == PRIMING:
                priming_ul += part_ul
            else:
                bolus_ul += part_ul
    return steps_ul + bolus_ul, bolus_ul, priming_ul


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def programmed_ul(
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    suspended: float,
    t0_us: float,
    t1_us: float,
    out: NDArray[np.float64],
) -> None:
    """Write `volumes_ul` over (t0, t1] into out, float64[3]; all 0 where t1 is not after t0."""
    program, schedule, boluses, out = borrow(program), borrow(schedule), borrow(boluses), borrow(out)
    out[0] = out[1] = out[2] = 0.0
    if boluses.shape[0] == 0 and program[PULSE_UL] == 0.0 and schedule.shape[0] == 1:
        # The usual program, apart: this much is inlined into the loop over rows.
        elapsed_us = t1_us - max(t0_us, program[AT_US])
        if elapsed_us > 0.0 and not suspended:
            out[0] = schedule[0, 1] * elapsed_us / HOUR_US
    elif boluses.shape[0] == 0 and program[PULSE_UL] == 0.0:
        if not suspended:
            out[0] = _steps_ul(program, schedule, t0_us, t1_us)
    else:
        out[0], out[1], out[2] = volumes_ul(program, schedule, boluses, suspended, t0_us, t1_us)


@njit(cache=True, nogil=True, error_model="numpy")
def jump_ul(
    program: NDArray[np.float64], boluses: NDArray[np.float64], suspended: float, t_us: float
) -> float:
    """Volume of the pulse of no duration that the interval ending at `t_us` counted at `t_us` itself, uL.

    What takes effect at `t_us` (a program, a suspension, a bridge, a resumption) holds from `t_us` on, so the ledger is owed
    the difference: jump_ul with the new arrays less jump_ul with the old. At AT_US it is 0: that jump is the next interval's.
    """
    if suspended or program[PULSE_UL] == 0.0 or program[PULSE_DURATION_US] > 0.0 or t_us <= program[AT_US]:
        return 0.0
    if _bridge_end(boluses, t_us) > t_us:
        return 0.0
    volume_ul: float = program[PULSE_UL] * (
        pulses_begun(program, t_us, True) - pulses_begun(program, t_us, False)
    )
    return volume_ul


@njit(cache=True, nogil=True, error_model="numpy")
def _any_rate_ul_h(
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    suspended: float,
    t_us: float,
) -> float:
    """Sum the flow right after `t_us` of whatever the arrays hold: `rate_ul_h`."""
    program, schedule, boluses = borrow(program), borrow(schedule), borrow(boluses)
    rate = 0.0
    count = boluses.shape[0]
    if not suspended and t_us >= program[AT_US] and (count == 0 or _bridge_end(boluses, t_us) == t_us):
        rate = schedule[0, 1]
        if schedule.shape[0] > 1:
            week_us = t_us + program[UTC_OFFSET_US] + MONDAY_US
            rate = schedule[_step_at(schedule, week_us - np.floor(week_us / WEEK_US) * WEEK_US), 1]
        duration_us = program[PULSE_DURATION_US]
        if program[PULSE_UL] > 0.0 and duration_us > 0.0:
            running = pulses_begun(program, t_us, True) - pulses_begun(program, t_us - duration_us, True)
            rate += running * program[PULSE_UL] / duration_us * HOUR_US
    for row in range(count):
        if boluses[row, 3] != PRIMING and boluses[row, 0] <= t_us < boluses[row, 1]:
            rate += boluses[row, 2] / (boluses[row, 1] - boluses[row, 0]) * HOUR_US
    return rate


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def rate_ul_h(
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    suspended: float,
    t_us: float,
) -> float:
    """Programmed flow right after `t_us`, uL/h: steps, running pulses and boluses, no priming, no jumps."""
    program, schedule, boluses = borrow(program), borrow(schedule), borrow(boluses)
    if schedule.shape[0] == 1 and boluses.shape[0] == 0 and program[PULSE_UL] == 0.0:
        rate = 0.0
        if t_us >= program[AT_US] and not suspended:
            rate = schedule[0, 1]
    else:
        rate = _any_rate_ul_h(program, schedule, boluses, suspended, t_us)
    return rate


@njit(cache=True, nogil=True, error_model="numpy")
def pump_rate_ul_h(
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    suspended: float,
    t_us: float,
) -> float:
    """`rate_ul_h` with priming: what the motor is told to move right after `t_us`, uL/h."""
    rate = rate_ul_h(program, schedule, boluses, suspended, t_us)
    for row in range(boluses.shape[0]):
        if boluses[row, 3] == PRIMING and boluses[row, 0] <= t_us < boluses[row, 1]:
            rate += boluses[row, 2] / (boluses[row, 1] - boluses[row, 0]) * HOUR_US
    return rate


@njit(cache=True, nogil=True, error_model="numpy")
def time_of_volume_us(
    program: NDArray[np.float64],
    schedule: NDArray[np.float64],
    boluses: NDArray[np.float64],
    suspended: float,
    t0_us: float,
    volume_ul: float,
    limit_us: float,
) -> float:
    """First whole microsecond at which the volume after t0 (boluses and priming too) is `volume_ul`; NaN if after limit_us.

    The inverse of `programmed_ul` to rounding (ULPS): a bracket halved in turn by the chord and by the middle. A steady
    program needs no search.
    """
    if np.isnan(volume_ul):
        return np.nan
    if volume_ul <= 0.0:
        return t0_us if t0_us <= limit_us else np.nan
    rows = 0
    for row in range(boluses.shape[0]):
        if boluses[row, 1] > t0_us:
            rows += 1
    if rows == 0 and (suspended or (schedule.shape[0] == 1 and program[PULSE_UL] == 0.0)):
        if suspended or schedule[0, 1] <= 0.0:
            return np.nan
        elapsed_us = volume_ul / schedule[0, 1] * HOUR_US * (1.0 - ULPS)
        reached_us = max(t0_us, program[AT_US]) + np.ceil(elapsed_us)
        return reached_us if reached_us <= limit_us else np.nan
    limit_us = min(np.floor(limit_us), 9.0e15)
    wanted_ul = volume_ul * (1.0 - ULPS)
    low_us, high_us = t0_us, limit_us
    low_ul = 0.0
    programmed, _, priming = volumes_ul(program, schedule, boluses, suspended, t0_us, high_us)
    high_ul = programmed + priming
    if not high_ul >= wanted_ul:
        return np.nan
    by_chord = True
    while high_us - low_us > 1.0:
        middle_us = np.floor(low_us + 0.5 * (high_us - low_us))
        if by_chord and high_ul > low_ul:
            chord_us = np.floor(low_us + (wanted_ul - low_ul) / (high_ul - low_ul) * (high_us - low_us))
            middle_us = min(max(chord_us, low_us + 1.0), high_us - 1.0)
        by_chord = not by_chord
        if not low_us < middle_us < high_us:
            if by_chord:
                continue  # the chord fell on an end: the middle is tried next
            break  # before 1684 a float64 does not hold every microsecond
        programmed, _, priming = volumes_ul(program, schedule, boluses, suspended, t0_us, middle_us)
        if programmed + priming >= wanted_ul:
            high_us, high_ul = middle_us, programmed + priming
        else:
            low_us, low_ul = middle_us, programmed + priming
    return high_us


@njit(cache=True, nogil=True, error_model="numpy")
def daily_ul(program: NDArray[np.float64], schedule: NDArray[np.float64]) -> tuple[float, float]:
    """Give (mean volume a day over the week, volume of the local day with the most), pulses included, uL.

    Pulses count on the day that they begin; every local day has the same number.
    """
    pulses_ul = 0.0
    if program[PULSE_UL] > 0.0:
        pulses_ul = program[PULSE_UL] * np.ceil(DAY_US / program[PULSE_EVERY_US])
    if schedule.shape[0] == 1:
        steady_ul = schedule[0, 1] * DAY_US / HOUR_US + pulses_ul
        return steady_ul, steady_ul
    week_ul = largest_ul = 0.0
    for day in range(7):
        day_ul = _within_week(schedule, day * DAY_US, (day + 1) * DAY_US) / HOUR_US
        week_ul += day_ul
        largest_ul = max(largest_ul, day_ul)
    return week_ul / 7.0 + pulses_ul, largest_ul + pulses_ul
