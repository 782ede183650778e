"""A program as the kernels read it: `program_set` turned into the arrays of `kernels.dose`."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.events import ProgramSet
from contract.times import DAY_US, MINUTE_US
from kernels import dose, pulses

_MODES: Final = {
    "continuous": dose.CONTINUOUS,
    "flex": dose.FLEX,
    "minimum_rate": dose.MINIMUM_RATE,
    "stopped": dose.STOPPED,
}


def compile_program(
    event: ProgramSet, at_us: int, min_rate_ul_h: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(program float64[8], schedule float64[n, 2]) of `kernels.dose`; at_us: the event's corrected time.

    Local time is UTC + `utc_offset_min`, 0 where absent. `minimum_rate` without steps runs at `min_rate_ul_h`, at 0 where
    that is unknown (NaN); `stopped` has neither rate nor pulses.
    """
    program = np.zeros(pulses.PROGRAM_SIZE)
    program[pulses.AT_US] = at_us
    program[pulses.UTC_OFFSET_US] = (event.utc_offset_min or 0) * MINUTE_US
    program[pulses.MODE] = _MODES[event.mode]
    if event.mode == "stopped":
        return program, np.zeros((1, 2))
    periodic = event.periodic_bolus
    if periodic is not None and periodic.volume_ul > 0.0:
        program[pulses.PULSE_UL] = periodic.volume_ul
        program[pulses.PULSE_EVERY_US] = max(periodic.every_s * 1e6, 1.0)
        program[pulses.PULSE_DURATION_US] = float(np.rint(periodic.duration_s * 1e6))
    if event.mode == "minimum_rate" and not event.steps:
        program[pulses.BY_LIMIT] = 1.0
        return program, with_minimum_rate(program, np.zeros((1, 2)), min_rate_ul_h)
    return program, week_schedule(event)


def with_minimum_rate(
    program: NDArray[np.float64], schedule: NDArray[np.float64], min_rate_ul_h: float
) -> NDArray[np.float64]:
    """The schedule when the registered minimum is (now) `min_rate_ul_h`, NaN where unknown; itself if that changes nothing."""
    if program[pulses.BY_LIMIT] == 0.0:
        return schedule
    return np.array([[0.0, 0.0 if np.isnan(min_rate_ul_h) else min_rate_ul_h]])


def week_schedule(event: ProgramSet) -> NDArray[np.float64]:
    """Lay out the local week's steps, float64[n, 2] (start in us from Monday 00:00, uL/h), the first at 0.

    A step holds until the next one of any day; the week's last holds on into the next week. Of two steps at the same minute
    of the same day the later in the list counts. No steps at all: nothing is delivered.
    """
    rates: dict[int, float] = {}
    for step in event.steps:
        for day in range(7) if step.days is None else step.days:
            rates[day * DAY_US + step.minute * MINUTE_US] = step.rate_ul_h
    if not rates:
        return np.zeros((1, 2))
    starts = sorted(rates)
    rows = [(0.0, rates[starts[-1]])]
    for start in starts:
        if start == 0:
            rows = [(0.0, rates[start])]
        elif rates[start] != rows[-1][1]:
            rows.append((float(start), rates[start]))
    return np.array(rows, dtype=np.float64)
