"""`program_set` as arrays: days, minutes, modes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from contract.events import PeriodicBolus, ProgramSet, ProgramStep
from kernels import dose, pulses
from processors.program import compile_program

HOUR_US, DAY_US = 3.6e9, 8.64e10


def program_set(mode: str, *steps: tuple[Any, ...], **more: Any) -> ProgramSet:
    built = tuple(
        ProgramStep(minute=step[0], rate_ul_h=step[1], days=step[2] if len(step) > 2 else None)
        for step in steps
    )
    return ProgramSet(id="1", pump="p", source="clinic", at_us=0, mode=mode, steps=built, **more)


def schedule(event: ProgramSet, min_rate_ul_h: float = math.nan) -> list[list[float]]:
    return compile_program(event, 0, min_rate_ul_h)[1].tolist()


def test_a_continuous_program_is_one_row() -> None:
    """One step at 0 on every day is one rate for the week, which the kernel does in a few flops."""
    program, rows = compile_program(program_set("continuous", (0, 4.0), utc_offset_min=-570), 77, math.nan)
    assert rows.tolist() == [[0.0, 4.0]]
    assert program.tolist() == [77.0, -570 * 6e7, dose.CONTINUOUS, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_a_day_wraps_into_the_next() -> None:
    """The evening's rate holds until the morning's step, on Monday too."""
    rows = schedule(program_set("flex", (360, 5.0), (1320, 3.0)))
    assert rows[:3] == [[0.0, 3.0], [6 * HOUR_US, 5.0], [22 * HOUR_US, 3.0]]
    assert rows[3] == [DAY_US + 6 * HOUR_US, 5.0]
    assert len(rows) == 15


def test_days_of_the_week() -> None:
    """A weekend step from Saturday, a weekday step from Monday: two changes a week."""
    rows = schedule(program_set("flex", (0, 4.0, (0, 1, 2, 3, 4)), (0, 6.0, (5, 6))))
    assert rows == [[0.0, 4.0], [5 * DAY_US, 6.0]]


def test_a_single_weekday_step_holds_all_week() -> None:
    """A step holds until the next one of any day, and there is no other."""
    assert schedule(program_set("flex", (600, 4.0, (3,)))) == [[0.0, 4.0]]


def test_the_order_of_steps_means_nothing_but_for_ties() -> None:
    """Steps may come in any order; of two at one minute the later in the list counts."""
    forward = program_set("flex", (360, 5.0), (1320, 3.0))
    backward = program_set("flex", (1320, 3.0), (360, 5.0))
    assert schedule(forward) == schedule(backward)
    assert schedule(program_set("flex", (0, 4.0), (0, 6.0, (5,))))[1] == [5 * DAY_US, 6.0]


@pytest.mark.parametrize(
    ("steps", "min_rate", "wanted"), [((), 0.25, 0.25), ((), math.nan, 0.0), (((0, 0.5),), 0.25, 0.5)]
)
def test_minimum_rate(steps: Any, min_rate: float, wanted: float) -> None:
    """The step's rate where one is given, else the pump's own minimum, 0 where nobody registered it."""
    assert schedule(program_set("minimum_rate", *steps), min_rate) == [[0.0, wanted]]


def test_stopped_has_neither_rate_nor_pulses() -> None:
    """Whatever else a stopped program says, it delivers nothing."""
    pulse = PeriodicBolus(volume_ul=5.0, every_s=3600.0, duration_s=60.0)
    program, rows = compile_program(program_set("stopped", (0, 4.0), periodic_bolus=pulse), 0, 1.0)
    out = np.ones(3)
    dose.programmed_ul(program, rows, np.empty((0, 5)), 0.0, 0.0, DAY_US, out)
    assert out.tolist() == [0.0, 0.0, 0.0]


def test_pulses_are_in_microseconds() -> None:
    """Every 90 minutes for 30 seconds."""
    pulse = PeriodicBolus(volume_ul=5.0, every_s=5400.0, duration_s=30.0)
    program, _ = compile_program(program_set("continuous", (0, 4.0), periodic_bolus=pulse), 0, 1.0)
    told = (program[pulses.PULSE_UL], program[pulses.PULSE_EVERY_US], program[pulses.PULSE_DURATION_US])
    assert told == (5.0, 5.4e9, 3e7)


def test_no_steps_deliver_nothing() -> None:
    """An empty list of steps is a rate of 0, not an error."""
    assert schedule(program_set("flex")) == [[0.0, 0.0]]
