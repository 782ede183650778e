"""The clinical rules of docs/domain.md beside what was done: each at its boundary, none an order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract.codec import decode_json
from contract.facts import Quarantined
from contract.times import DAY_US, HOUR_US, format_us
from dashboards.console.pages import therapy
from dashboards.console.pages.pump_view import PumpPast
from dashboards.console.pages.therapy import Told, infection_at
from storage.history import DoseSpan, PastEvent

START_US = 1_767_225_600_000_000


def past(at_us: int, type_: str, /, **payload: Any) -> PastEvent:
    """An event of the log at a time after the start."""
    told = {"type": type_, "v": 1, "id": f"{type_}{at_us}", "pump": "p1", "source": "clinic"}
    at = {"at": format_us(START_US + at_us)}
    event = decode_json(json.dumps(told | at | payload).encode())
    assert not isinstance(event, Quarantined), event.reason
    return PastEvent(START_US + at_us, None, event)


def fill(at_us: int, concentration: float = 500.0) -> PastEvent:
    """A whole reservoir."""
    return past(
        at_us,
        "reservoir_filled",
        removed_ml=None,
        filled_ml=20.0,
        concentration_ug_ml=concentration,
        drug="baclofen",
    )


def dose(at_us: int, daily_ug: float, concentration: float = 500.0) -> PastEvent:
    """A continuous program."""
    rate_ul_h = daily_ug / concentration * 1000.0 / 24.0
    return past(at_us, "program_set", mode="continuous", steps=[{"minute": 0, "rate_ul_h": rate_ul_h}])


def trial(at_us: int, dose_ug: float) -> PastEvent:
    """A test dose."""
    return past(at_us, "bolus", kind="test", programmed_ul=1.0, dose_ug=dose_ug)


def told(*events: PastEvent, whole: bool = True) -> list[Told]:
    """What is said of these events, given oldest first: newest first."""
    return therapy.therapy(events[::-1], whole=whole)


@pytest.mark.parametrize(
    ("first_ug", "hours", "second_ug", "notable"),
    [
        (50.0, 24.0, 75.0, False),
        (50.0, 24.0, 50.0, False),
        (75.0, 48.0, 100.0, False),
        (25.0, 24.0, 50.0, False),
        (50.0, 23.9, 75.0, True),
        (50.0, 24.0, 100.0, True),
        (100.0, 24.0, 125.0, True),
    ],
)
def test_the_ladder_of_test_doses(first_ug: float, hours: float, second_ug: float, *, notable: bool) -> None:
    """A rung left out, a second dose within 24 h, or more than 100 ug stand out; the same dose again does not."""
    [second, first] = told(trial(0, first_ug), trial(round(hours * HOUR_US), second_ug))
    assert (second.notable, first.notable) == (notable, False)
    assert second.rule == therapy.LADDER


@pytest.mark.parametrize(("daily_ug", "notable"), [(50.0, False), (150.0, False), (151.0, True)])
def test_the_start_is_held_against_twice_the_test_dose(daily_ug: float, *, notable: bool) -> None:
    """The founding case starts below its effective bolus: that is information; more than twice it stands out."""
    [start, *_] = told(trial(0, 50.0), trial(DAY_US, 75.0), fill(2 * DAY_US), dose(2 * DAY_US, daily_ug))
    assert start.notable is notable
    assert "75 µg, twice that is 150 µg" in start.what


def test_a_start_is_none_where_the_log_is_cut() -> None:
    """The oldest program among the newest events is no start of a therapy."""
    assert told(fill(0), dose(0, 50.0), whole=False) == []


@pytest.mark.parametrize(
    ("daily_ug", "days", "notable", "percent"),
    [
        (60.0, 28.0, False, "+20.0 %"),
        (65.0, 1.0, False, "+30.0 %"),
        (65.1, 28.0, True, "+30.2 %"),
        (55.0, 0.9, True, "+10.0 %"),
        (40.0, 0.5, False, "\N{MINUS SIGN}20.0 %"),
    ],
)
def test_the_bands_of_a_titration(daily_ug: float, days: float, percent: str, *, notable: bool) -> None:
    """More than +30 % in a step, or a second rise within 24 h, stand out; a lower dose may come at any time."""
    [change, _] = told(fill(0), dose(0, 50.0), dose(round(days * DAY_US), daily_ug))
    assert change.notable is notable
    assert percent in change.what
    assert therapy.MAINTENANCE in change.rule


def test_a_concentration_is_no_titration() -> None:
    """The same dose from a stronger filling, programmed at a quarter of the rate, changes nothing; the same rate is fourfold."""
    refilled = (fill(0), dose(0, 100.0), fill(90 * DAY_US, 2000.0))
    assert len(told(*refilled, dose(90 * DAY_US + HOUR_US, 100.0, 2000.0))) == 1
    [change, _] = told(*refilled, dose(90 * DAY_US + HOUR_US, 400.0, 2000.0))
    assert "+300.0 %" in change.what
    assert change.notable


def test_stopped_and_minimum_rate_programs_are_no_steps() -> None:
    """A pause is no titration: the dose after it is held against the one before it."""
    paused = past(DAY_US, "program_set", mode="stopped", steps=[])
    assert len(told(fill(0), dose(0, 50.0), paused, dose(2 * DAY_US, 50.0))) == 1


def test_an_infection_is_said_beside_an_alert_of_its_time() -> None:
    """It explains more spasm and never replaces the check of the device; outside its time it says nothing."""
    span = {"from": format_us(START_US), "to": format_us(START_US + 7 * DAY_US)}
    note = past(0, "note", kind="infection", text="urinary tract", **span)
    assert "urinary tract" in infection_at([note], START_US + DAY_US)
    assert "the device is checked all the same" in infection_at([note], START_US + DAY_US)
    assert infection_at([note], START_US + 8 * DAY_US) == ""
    assert infection_at([past(0, "note", kind="procedure", text="", **span)], START_US + DAY_US) == ""
    assert [one.rule for one in told(note)] == [therapy.INFECTION]


def test_assessments_stand_beside_the_dose_of_their_window() -> None:
    """Two scores of one window share its line; one at the very end of a window belongs to it, as rows do."""
    windows = [
        DoseSpan(START_US + day * DAY_US, START_US + (day + 1) * DAY_US, *([0.0] * 8)) for day in range(3)
    ]
    scores = [
        past(HOUR_US, "assessment", scale="ashworth", score=3.0),
        past(DAY_US, "assessment", scale="penn", score=2.0),
        past(DAY_US + 1, "assessment", scale="ashworth", score=1.0),
    ]
    page = PumpPast(doses=windows, assessments=scores[::-1])
    assert page.scores() == {
        START_US + DAY_US: "Ashworth 3, Penn 2",
        START_US + 2 * DAY_US: "Ashworth 1",
    }
