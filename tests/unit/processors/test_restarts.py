"""`restart_overdose`: flow above tolerance, or the release of a stored volume, after a day or more without flow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contract.facts import Alert, Cause
from contract.times import HOUR_US
from tests.pump_days import START_US
from tests.unit.processors.test_fold import Story, story

RATE = 5.0
SECOND_H = 1.0 / 3600.0


def restarted(stop_h: float, ratio: float, channel: str = "flow_ul_h", back_h: float = 96.0) -> Story:
    """Hourly rows of a pump that is suspended for `stop_h` until `back_h`, and gives `ratio` of its rate after it."""
    told = story().runs(0, RATE).tell("suspended", back_h - stop_h).tell("resumed", back_h)
    hours = np.arange(round(back_h) + 48)
    ran = np.clip(hours, 0, back_h - stop_h) + ratio * np.clip(hours - back_h, 0, None)
    flow = np.where(hours <= back_h - stop_h, RATE, np.where(hours <= back_h, 0.0, RATE * ratio))
    columns: dict[str, list[float | None]] = {"delivered_ul": (RATE * ran).tolist()}
    if channel == "flow_ul_h":
        counted = np.clip(hours, 0, back_h - stop_h) + np.clip(hours - back_h, 0, None)
        columns = {"delivered_ul": (RATE * counted).tolist(), "flow_ul_h": flow.tolist()}
    return told.rows(0, len(hours), **columns)


@pytest.mark.parametrize("channel", ["flow_ul_h", "delivered_ul"])
def test_flow_above_tolerance_after_a_day_without_flow(channel: str) -> None:
    """Whether the drive or only the stroke runs away; found within hours, as soon as the excess is clear of a row."""
    lines = restarted(24.0, 2.5, channel).alerts(144, Cause.RESTART_OVERDOSE)
    assert lines[0][1:] == ("active", "high")
    assert 96.0 < lines[0][0] <= 101.0


@pytest.mark.parametrize("channel", ["flow_ul_h", "delivered_ul"])
@pytest.mark.parametrize(
    ("stop_h", "ratio"), [(24.0, 1.0), (24.0, 1.145), (48.0, 0.5), (24.0 - SECOND_H, 2.5), (3.0, 2.5)]
)
def test_inside_the_tolerance_or_after_less_than_a_day_there_is_none(
    stop_h: float, ratio: float, channel: str
) -> None:
    """Exactly the tolerance is inside it; a second less than a day is no long stop."""
    assert restarted(stop_h, ratio, channel).alerts(144, Cause.RESTART_OVERDOSE) == []


def test_it_ends_when_the_flow_is_back_inside_the_tolerance() -> None:
    """A high alert then waits for somebody to have seen it."""
    hours = np.arange(160)
    flow = np.where(hours <= 72, RATE, np.where(hours <= 96, 0.0, np.where(hours <= 106, 3 * RATE, RATE)))
    counted = np.clip(hours, 0, 72) + np.clip(hours - 96, 0, None)
    told = story().runs(0, RATE).tell("suspended", 72).tell("resumed", 96)
    told.rows(0, 160, delivered_ul=(RATE * counted).tolist(), flow_ul_h=flow.tolist())
    lines = told.alerts(160, Cause.RESTART_OVERDOSE)
    assert [line[1] for line in lines] == ["active", "latched"]
    assert 106.0 < lines[1][0] < 140.0


def test_a_flow_sensor_that_always_reads_high_is_no_overdose() -> None:
    """It reads a third too much before the stop and after it."""
    hours = np.arange(144)
    flow = np.where((hours <= 72) | (hours > 96), 1.33 * RATE, 0.0)
    counted = np.clip(hours, 0, 72) + np.clip(hours - 96, 0, None)
    told = story().runs(0, RATE).tell("suspended", 72).tell("resumed", 96)
    told.rows(0, 144, delivered_ul=(RATE * counted).tolist(), flow_ul_h=flow.tolist())
    assert told.alerts(144, Cause.RESTART_OVERDOSE) == []


@pytest.mark.parametrize(
    ("ratio", "refilled", "expected"), [(4.0, False, 1), (1.1, False, 0), (4.0, True, 0)]
)
def test_a_level_alone_shows_it_hours_later(ratio: float, *, refilled: bool, expected: int) -> None:
    """The counter turns as programmed, the level falls four times as fast; after a refill the level has another start."""
    rng = np.random.default_rng(5)
    hours = np.arange(168)
    counted = np.clip(hours, 0, 72) + np.clip(hours - 96, 0, None)
    given = np.clip(hours, 0, 72) + ratio * np.clip(hours - 96, 0, None)
    level = 20.0 - 0.02 * given + 0.02 * rng.normal(size=hours.size)
    told = story().runs(0, 20.0).tell("suspended", 72).tell("resumed", 96)
    told = told.filled(97.5) if refilled else told
    told.rows(0, 168, delivered_ul=(20.0 * counted).tolist(), reservoir_ml=np.round(level, 2).tolist())
    lines = told.alerts(96 + 48, Cause.RESTART_OVERDOSE)
    assert [line[2] for line in lines[:1]] == ["high"] * expected


def drawn(removed_ml: float, at_h: float = 104.0, flow: float | None = None) -> Story:
    """A pump at 20 uL/h with a counter that stood for a day until 96 h and is refilled at `at_h`."""
    hours = np.arange(168)
    counted = np.clip(hours, 0, 72) + np.clip(hours - 96, 0, None)
    told = story().runs(0, 20.0).tell("suspended", 72).tell("resumed", 96)
    told.tell(
        "reservoir_filled",
        at_h,
        removed_ml=removed_ml,
        filled_ml=20.0,
        concentration_ug_ml=500.0,
        drug="b",
    )
    columns: dict[str, list[float | None]] = {"delivered_ul": (20.0 * counted).tolist()}
    if flow is not None:
        columns["flow_ul_h"] = np.where((hours > 72) & (hours <= 96), 0.0, flow).tolist()
    return told.rows(0, 168, **columns)


def test_what_is_missing_at_a_refill_after_a_restart_was_given_too_much() -> None:
    """18.4 mL were to be left, 16 are: the pump could have given them in the eight hours since; no refill mismatch beside it."""
    told = drawn(16.0)
    (line, *_) = told.alerts(168, Cause.RESTART_OVERDOSE)
    assert line == (104.0, "active", "high")
    assert told.alerts(168, Cause.REFILL_MISMATCH) == []


@pytest.mark.parametrize("told", [drawn(16.0, 160.0), drawn(20.0), drawn(16.0, flow=20.0)])
def test_a_refill_mismatch_that_a_restart_does_not_explain_stays_one(told: Story) -> None:
    """Days after the watch, where more is left than was to be, or where a flow sensor saw that nothing was given too much."""
    assert told.alerts(168, Cause.RESTART_OVERDOSE) == []
    assert len(told.alerts(168, Cause.REFILL_MISMATCH)) >= 1


def test_a_program_that_stops_for_a_day_is_a_stop_too_and_the_next_may_be_lower() -> None:
    """Sgouros 2010: the restart was at a lower set dose; flow is measured against what is programmed then."""
    hours = np.arange(144)
    counted = np.clip(hours, 0, 72) * RATE + np.clip(hours - 96, 0, None) * RATE
    told = story().runs(0, RATE).tell("program_set", 72, mode="stopped", steps=[]).runs(96, 0.4 * RATE)
    told.rows(0, 144, delivered_ul=counted.tolist())
    assert told.alerts(144, Cause.RESTART_OVERDOSE)[0][2] == "high"


def test_a_motor_that_stood_for_a_day_is_watched_too() -> None:
    """Three times as fast after 30 h at a stand."""
    hours = np.arange(140)
    counted = RATE * (np.clip(hours, 0, 60) + 3.0 * np.clip(hours - 90, 0, None))
    told = story().runs(0, RATE).rows(0, 140, delivered_ul=counted.tolist())
    lines = told.alerts(140, Cause.RESTART_OVERDOSE)
    assert lines[0][2] == "high"
    assert 90.0 < lines[0][0] < 100.0


def blocked(hours_blocked: int) -> list[Alert]:
    """Rows every ten minutes of a catheter that blocks on day 20 and opens again after so many hours."""
    rng = np.random.default_rng(1)
    minutes = np.arange(0, 24 * 60 * 24, 10)
    hours = minutes / 60.0
    onset, end = 20 * 24.0, 20 * 24.0 + hours_blocked
    rise = np.clip(hours - onset, 0, None) * 2.5 * (hours < end)
    pressure = 1.5 + 0.3 * np.sin(hours / 24 * 2 * np.pi) + 0.1 * rng.normal(size=hours.size) + rise
    told = Story().registered(compliance_ul_per_kpa=2.0).filled().runs(0, RATE)
    rows: dict[str, Any] = {
        "t_s": (60.0 * minutes).tolist(),
        "delivered_ul": (RATE * hours).tolist(),
        "pressure_kpa": np.round(pressure, 3).tolist(),
    }
    told.records.append(told.event("telemetry", START_US, START_US + 24 * 24 * HOUR_US, "device", **rows))
    facts = told.outcome(24 * 24).facts
    return [fact for fact in facts if isinstance(fact, Alert) and fact.cause is Cause.RESTART_OVERDOSE]


def test_a_block_of_a_day_or_more_that_opens_releases_what_was_stored() -> None:
    """Compliance x pressure, as a drug mass in the evidence; over a day later."""
    active, latched = blocked(30)
    assert (str(active.priority), str(active.state), str(latched.state)) == ("high", "active", "latched")
    opened_h = (active.at_us - START_US) / HOUR_US
    assert 20 * 24 + 30 <= opened_h <= 20 * 24 + 31
    assert active.evidence["stored_ul"] == pytest.approx(2.0 * 75.0, rel=0.1)
    assert active.evidence["stored_ug"] == pytest.approx(75.0, rel=0.1)
    assert latched.at_us - active.at_us == 24 * HOUR_US


def test_a_block_of_less_than_a_day_has_its_own_alert_only() -> None:
    """The rule speaks of 24 h or more."""
    assert blocked(12) == []


def test_what_a_flow_sensor_shows_before_any_program_is_no_lost_delivery() -> None:
    """Its zero is below zero for five hours; at the first program nothing was delivered that could be too little."""
    hours = np.arange(8)
    told = story().runs(5.5, RATE).rows(0, 8, flow_ul_h=np.where(hours < 5.5, -0.2 * RATE, RATE).tolist())
    assert told.alerts(8, Cause.UNDER_DELIVERY) == []
