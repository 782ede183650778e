"""Periodic pulses: how many began, how far those that run have come, what they delivered between two instants.

program float64[8] = AT_US, UTC_OFFSET_US, MODE, PULSE_UL, PULSE_EVERY_US, PULSE_DURATION_US, BY_LIMIT, 0: the head of what
`kernels.dose` reads. A pulse begins at each local day start and every PULSE_EVERY_US from there within that day, none before
AT_US; it delivers PULSE_UL evenly over its duration, whatever midnight or the next pulse does. Times in us as float64.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.units import DAY_US

AT_US: Final = 0
UTC_OFFSET_US: Final = 1
MODE: Final = 2
PULSE_UL: Final = 3
PULSE_EVERY_US: Final = 4
PULSE_DURATION_US: Final = 5
BY_LIMIT: Final = 6  # 0/1, the rate is the registered minimum, whatever that is; no kernel reads it
PROGRAM_SIZE: Final = 8


@njit(cache=True, nogil=True, error_model="numpy")
def _first_pulse(program: NDArray[np.float64]) -> float:
    """Count the pulses of its local day that lie before the program's time."""
    local_us = program[AT_US] + program[UTC_OFFSET_US]
    into_day_us = local_us - np.floor(local_us / DAY_US) * DAY_US
    every_us = program[PULSE_EVERY_US]
    before: float = min(np.ceil(into_day_us / every_us), np.ceil(DAY_US / every_us))
    return before


@njit(cache=True, nogil=True, error_model="numpy")
def pulses_begun(program: NDArray[np.float64], t_us: float, inclusive: bool) -> float:
    """Count the pulses that began since the program's time, before `t_us` or (inclusive) at it."""
    if t_us < program[AT_US]:
        return 0.0
    every_us = program[PULSE_EVERY_US]
    day0 = np.floor((program[AT_US] + program[UTC_OFFSET_US]) / DAY_US)
    local_us = t_us + program[UTC_OFFSET_US]
    day = np.floor(local_us / DAY_US)
    into_day_us = local_us - day * DAY_US
    a_day = np.ceil(DAY_US / every_us)
    today = np.floor(into_day_us / every_us) + 1.0 if inclusive else np.ceil(into_day_us / every_us)
    count: float = max((day - day0) * a_day + min(today, a_day) - _first_pulse(program), 0.0)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def fractions_running(program: NDArray[np.float64], t_us: float) -> float:
    """Sum of the delivered fractions of the pulses that run at `t_us`: (t - tau) / duration over t - duration < tau <= t."""
    if t_us < program[AT_US]:
        return 0.0
    every_us, duration_us = program[PULSE_EVERY_US], program[PULSE_DURATION_US]
    at_local_us = program[AT_US] + program[UTC_OFFSET_US]
    local_us = t_us + program[UTC_OFFSET_US]
    since_us = local_us - duration_us
    day0 = np.floor(at_local_us / DAY_US)
    oldest = max(day0, np.floor(since_us / DAY_US))
    last_of_day = np.ceil(DAY_US / every_us) - 1.0
    elapsed_us = 0.0
    day = np.floor(local_us / DAY_US)
    newest = min(np.floor((local_us - day * DAY_US) / every_us), last_of_day)
    while day >= oldest:
        start_us = day * DAY_US
        first = 0.0
        if since_us >= start_us:
            first = np.floor((since_us - start_us) / every_us) + 1.0
        if day == day0:
            first = max(first, _first_pulse(program))
        if newest >= first:
            elapsed_us += (newest - first + 1.0) * ((local_us - start_us) - 0.5 * (first + newest) * every_us)
        newest = last_of_day
        day -= 1.0
    fractions: float = elapsed_us / duration_us
    return fractions


@njit(cache=True, nogil=True, error_model="numpy")
def pulsed_ul(
    program: NDArray[np.float64],
    t0_us: float,
    t1_us: float,
    from_t0: bool,
    to_t1: bool,
) -> float:
    """Volume of the pulses from t0 (its own jump only if from_t0) to t1 (its own jump only if to_t1)."""
    duration_us = program[PULSE_DURATION_US]
    if duration_us > 0.0:
        pulses = pulses_begun(program, t1_us - duration_us, True) - pulses_begun(
            program, t0_us - duration_us, True
        )
        pulses += fractions_running(program, t1_us) - fractions_running(program, t0_us)
    else:
        pulses = pulses_begun(program, t1_us, to_t1) - pulses_begun(program, t0_us, not from_t0)
    volume_ul: float = program[PULSE_UL] * pulses
    return volume_ul
