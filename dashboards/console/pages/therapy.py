"""What was done, beside what is usual: test doses, the start, titration, maintenance, infections (docs/domain.md, clinical rules).

Information for staff who know the patient, never an order: the contract does not say whether spasticity is spinal or cerebral, nor
how old somebody is, so that each sentence states all bands. Refill dates and the review of a dose that rose are alerts of
their own (`refill_due`, `tolerance_review`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from contract.events import Bolus, Note, ProgramSet, ReservoirFilled
from contract.times import DAY_US, HOUR_US
from dashboards.console.pages.reservoir import mean_rate_ul_h
from dashboards.console.pages.words import duration, number
from storage.history import PastEvent

TYPES: Final = ("program_set", "reservoir_filled", "bolus", "note")
LADDER_UG: Final = (50.0, 75.0, 100.0)
APART_US: Final = DAY_US  # test doses, and changes of the dose
LARGE_STEP: Final = 0.30
SAME: Final = 1e-6  # a program entered again
LADDER: Final = "Test doses: 50, then 75, then 100 µg, 24 h or more apart, observed for 4 to 8 h; adults 25 to 100 µg, children 10 to 50 µg."
START: Final = "Start: twice the effective test dose over 24 h; once, if its effect lasted more than 8 h or did harm. Less is no fault."
TITRATION: Final = "Steps upwards, once in 24 h at most: spinal +10 to +30 %, cerebral and children +5 to +15 %; more than +30 % is confirmed first."
MAINTENANCE: Final = (
    "Maintenance: spinal 300 to 800 µg a day, cerebral 90 to 703, under 12 years 24 to 1 199."
)
INFECTION: Final = "An infection or another noxious stimulus raises spasticity by itself; the device is checked all the same."


@dataclass(frozen=True, slots=True)
class Told:
    """What was done at a time, and the rule beside it; `notable`: it lies outside every usual band."""

    at_us: int
    what: str
    rule: str
    notable: bool = False


@dataclass(slots=True)
class _Course:
    """What is known while events are read, oldest first."""

    told: list[Told] = field(default_factory=list)
    rate_ul_h: float | None = None
    dose_us: int = 0
    started: bool = False
    concentration: float | None = None
    before_fill: tuple[int, float] | None = None
    test: tuple[int, float] | None = None


def therapy(events: Sequence[PastEvent], *, whole: bool) -> list[Told]:
    """Return what was done, newest first. `events`: of TYPES, newest first; `whole`: none older is missing, so that a start is one."""
    course = _Course(started=not whole)
    for past in reversed(events):
        match past.event:
            case Bolus(kind="test"):
                _test_dose(course, past.at_us, past.event)
            case ReservoirFilled():
                if course.concentration is not None:
                    course.before_fill = (past.at_us, course.concentration)
                course.concentration = past.event.concentration_ug_ml
            case ProgramSet():
                _program(course, past.at_us, past.event)
            case Note(kind="infection"):
                course.told.append(Told(past.at_us, _infection(past.event), INFECTION))
    return course.told[::-1]


def infection_at(events: Sequence[PastEvent], at_us: int) -> str:
    """Return what an alert that began at `at_us` should be read with: an infection noted for that time, or nothing."""
    for past in events:
        note = past.event
        if isinstance(note, Note) and note.kind == "infection" and note.from_us <= at_us <= note.to_us:
            return f"{_infection(note)}. {INFECTION}"
    return ""


def _infection(note: Note) -> str:
    return f"Infection noted: {note.text}" if note.text else "Infection noted"


def _test_dose(course: _Course, at_us: int, bolus: Bolus) -> None:
    if bolus.dose_ug is None:
        return
    parts, notable = [f"Test dose of {number(bolus.dose_ug)} µg"], bolus.dose_ug > LADDER_UG[-1]
    if course.test is not None:
        earlier_us, earlier_ug = course.test
        parts.append(f"{duration(at_us - earlier_us)} after {number(earlier_ug)} µg")
        following = next((rung for rung in LADDER_UG if rung > earlier_ug), LADDER_UG[-1])
        notable |= at_us - earlier_us < APART_US or bolus.dose_ug > max(following, earlier_ug)
    course.test = (at_us, bolus.dose_ug)
    course.told.append(Told(at_us, ", ".join(parts), LADDER, notable))


def _program(course: _Course, at_us: int, program: ProgramSet) -> None:
    if program.mode not in ("continuous", "flex") or course.concentration is None:
        return
    rate_ul_h, before_ul_h = mean_rate_ul_h(program), course.rate_ul_h
    if rate_ul_h <= 0.0:
        return
    daily_ug = 24.0 * rate_ul_h * course.concentration / 1000.0
    since_us, course.rate_ul_h = course.dose_us, rate_ul_h
    if before_ul_h is None:
        course.dose_us = at_us
        if not course.started:
            course.told.append(_start(course, at_us, daily_ug))
        course.started = True
        return
    before_ug = 24.0 * before_ul_h * _concentration_before(course, at_us) / 1000.0
    step = daily_ug / before_ug - 1.0
    if abs(step) < SAME:
        return
    course.dose_us = at_us
    sign = "+" if step > 0.0 else "\N{MINUS SIGN}"
    what = (
        f"{number(before_ug, 4)} to {number(daily_ug, 4)} µg a day ({sign}{abs(100.0 * step):.1f} %),"
        f" {duration(at_us - since_us)} after the dose before was set"
    )
    notable = step > LARGE_STEP * (1.0 + 1e-9) or (step > 0.0 and at_us - since_us < APART_US)
    course.told.append(Told(at_us, what, f"{TITRATION} {MAINTENANCE}", notable))


def _start(course: _Course, at_us: int, daily_ug: float) -> Told:
    what, notable = f"Started at {number(daily_ug, 4)} µg a day", False
    if course.test is not None:
        twice_ug = 2.0 * course.test[1]
        what += f"; the last test dose was {number(course.test[1])} µg, twice that is {number(twice_ug)} µg"
        notable = daily_ug > twice_ug * (1.0 + 1e-9)
    return Told(at_us, what, START, notable)


def _concentration_before(course: _Course, at_us: int) -> float:
    """The concentration that the dose before was given with: that before a fill of the last 24 h (contract, program_implausible)."""
    assert course.concentration is not None
    if course.before_fill is not None and at_us - course.before_fill[0] <= 24 * HOUR_US:
        return course.before_fill[1]
    return course.concentration
