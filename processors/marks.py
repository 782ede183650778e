"""Ledgers of the past: a few marks per pump, from which the volume between two earlier times is read.

A mark is set at midnights and where what is programmed changes. At most MARKS are kept: the one goes whose going widens the
gaps least, measured against their age, so that yesterday is known by the day and last quarter by the week.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec.structs import replace

from kernels import dose, ledger
from kernels import state as s
from kernels.reservoir import encoder_ratio
from kernels.stroke import COUNTER_SOURCE
from processors.pump_state import Clinic, PumpState
from processors.watches import Mark

MARKS: Final = 12
UNEVEN: Final = (
    0.25  # of the volume between two marks: how far a day's course may depart from a straight line [P]
)


def now(state: PumpState, at_us: int) -> Mark:
    """The ledgers as they stand; what was programmed since a counter was last read counts as sensed."""
    x = state.x
    sensed_ul = float(ledger.total(x, s.SENSED_UL))
    if x[s.RES_SOURCE] == COUNTER_SOURCE:
        sensed_ul += float(x[s.RES_PENDING_UL]) * float(encoder_ratio(x))
    return Mark(
        at_us,
        float(ledger.total(x, s.PROGRAMMED_UL)),
        sensed_ul,
        float(x[s.COVERED_US]),
        float(x[s.ROWS]),
        float(x[s.SENSING_ROWS]),
    )


def add(state: PumpState, at_us: int) -> Clinic:
    """Set a mark, and let one go where there are too many."""
    clinic, mark = state.clinic, now(state, at_us)
    marks = (*(old for old in clinic.device.marks if old.at_us < at_us), mark)
    if len(marks) > MARKS:
        gaps = [
            (marks[i + 1].at_us - marks[i - 1].at_us) / (at_us - marks[i - 1].at_us)
            for i in range(1, len(marks) - 1)
        ]
        gone = 1 + gaps.index(min(gaps))
        marks = (*marks[:gone], *marks[gone + 1 :])
    return replace(clinic, device=replace(clinic.device, marks=marks))


def past(state: PumpState, at_us: int, present_us: int) -> tuple[Mark, float] | None:
    """(ledgers as they stood at `at_us`, doubt of their volumes in uL); None before the first mark.

    By the program where that has not changed since; else on a straight line between two marks.
    """
    device, latest = state.clinic.device, now(state, present_us)
    marks = (*(mark for mark in device.marks if mark.at_us < present_us), latest)
    if not marks[0].at_us <= at_us <= present_us:
        return None
    after = next(mark for mark in marks if mark.at_us >= at_us)
    if after.at_us == at_us:
        return after, 0.0
    before = marks[marks.index(after) - 1]
    way = (at_us - before.at_us) / (after.at_us - before.at_us)
    asked_ul = after.programmed_ul - before.programmed_ul
    part_ul, doubt_ul = way * asked_ul, 4.0 * way * (1.0 - way) * UNEVEN * asked_ul
    if device.steady_us is not None and before.at_us >= device.steady_us:
        # What the program alone does not explain is a bolus, which began where the mark is.
        bolus_ul = asked_ul - _by_program_ul(state, before.at_us, after.at_us)
        part_ul, doubt_ul = _by_program_ul(state, before.at_us, at_us) + bolus_ul, abs(bolus_ul)
    share = part_ul / asked_ul if asked_ul > 0.0 else way
    sensed_ul = after.sensed_ul - before.sensed_ul
    doubt_ul += 4.0 * way * (1.0 - way) * abs(sensed_ul - asked_ul)
    return Mark(
        at_us,
        before.programmed_ul + part_ul,
        before.sensed_ul + share * sensed_ul,
        before.covered_us + way * (after.covered_us - before.covered_us),
        before.rows + way * (after.rows - before.rows),
        before.sensing_rows + way * (after.sensing_rows - before.sensing_rows),
    ), doubt_ul


def _by_program_ul(state: PumpState, from_us: int, to_us: int) -> float:
    """Volume that the present program asks for between two times since it was set, uL."""
    split_ul, program = np.zeros(3), state.program
    dose.programmed_ul(
        program.head,
        program.schedule,
        np.empty((0, 5)),
        state.x[s.SUSPENDED],
        float(from_us),
        float(to_us),
        split_ul,
    )
    return float(split_ul[0])
