"""What is said of a pump's detectors: what they need, what they have, and the alert where one went blind."""

from __future__ import annotations

import numpy as np
import pytest

from contract.facts import Alert, AlertState, Cause, Priority, Readiness, fact_sort_key
from processors import readiness, ready_words
from processors.channel_needs import CHANNELS, NEEDS, serves, table
from tests.rules.test_docs import text_of
from tests.unit.processors.test_fold import Story

Columns = dict[str, list[float | None]]


def told(hours: int, gone: dict[str, int], *channels: str) -> Story:
    """A pump with these channels every hour; `gone`: from which hour on a channel is null."""
    rng = np.random.default_rng(3)
    story = Story().registered().filled().runs(0.0, 100.0)
    columns: Columns = {}
    for name in channels:
        readings = {
            "delivered_ul": 100.0 * np.arange(hours),
            "reservoir_ml": 20.0 - 0.1 * np.arange(hours) + rng.normal(0.0, 0.02, hours),
        }.get(name, 100.0 + rng.normal(0.0, 3.0, hours))
        until = gone.get(name, hours)
        columns[name] = [float(reading) if hour < until else None for hour, reading in enumerate(readings)]
    return story.rows(0.0, hours, **columns)


def alerts_of(story: Story, until_h: float) -> list[Alert]:
    """Lines of monitoring_lost."""
    facts = story.outcome(until_h).facts
    return [fact for fact in facts if isinstance(fact, Alert) and fact.cause is Cause.MONITORING_LOST]


def said_of(story: Story, until_h: float, cause: Cause) -> list[Readiness]:
    """What is said of one cause."""
    facts = story.outcome(until_h).facts
    return [fact for fact in facts if isinstance(fact, Readiness) and fact.cause is cause]


def test_the_loss_of_the_only_pressure_is_an_alert_after_six_hours_of_rows() -> None:
    """At the row that completes them, with the causes that nobody watches now."""
    story = told(60, {"pressure_kpa": 41}, "delivered_ul", "flow_ul_h", "pressure_kpa")
    (line,) = alerts_of(story, 60)
    assert (line.state, line.priority) == (AlertState.ACTIVE, Priority.MEDIUM)
    assert line.evidence["channels"] == ["pressure_kpa"]
    assert {"occlusion", "leak"} <= set(line.evidence["causes"])
    first_h = said_of(story, 60, Cause.OCCLUSION)[0]
    assert (line.at_us - first_h.at_us) / 3.6e9 == 46


def test_a_counter_that_flow_replaces_is_no_alert() -> None:
    """Delivery is still seen."""
    story = told(60, {"delivered_ul": 41}, "delivered_ul", "flow_ul_h", "pressure_kpa")
    assert alerts_of(story, 60) == []


def test_both_gone_are_an_alert() -> None:
    """With the last channel that sees delivery the pump is blind for a stall."""
    story = told(60, {"delivered_ul": 30, "flow_ul_h": 41}, "delivered_ul", "flow_ul_h")
    causes = alerts_of(story, 60)[-1].evidence["causes"]
    assert "motor_stall" in causes


def test_readiness_goes_from_warming_up_to_ready_to_blind() -> None:
    """Each change is one line, at the first row, at a midnight, and at the row of the loss."""
    story = told(300, {"pressure_kpa": 250}, "delivered_ul", "flow_ul_h", "pressure_kpa")
    said = said_of(story, 300, Cause.OCCLUSION)
    assert [fact.state for fact in said] == ["warming_up", "ready", "blind"]
    first_us, ready_us, blind_us = (fact.at_us for fact in said)
    assert ready_us % 86_400_000_000 == 0
    assert (blind_us - first_us) / 3.6e9 == 255


def test_a_channel_that_is_not_there_makes_its_causes_blind_at_once() -> None:
    """Whoever has no pressure is told from the first row on that an occlusion can't be seen."""
    (said,) = said_of(told(30, {}, "delivered_ul"), 30, Cause.OCCLUSION)
    assert said.state == "blind"
    assert "pressure_kpa" in said.why


def test_one_line_per_cause_at_first() -> None:
    """Every cause of the table is spoken of once at the first row, in the order of facts."""
    facts = [f for f in told(3, {}, "delivered_ul").outcome(3).facts if isinstance(f, Readiness)]
    assert [fact.cause for fact in facts] == sorted(need.cause for need in NEEDS)
    assert facts == sorted(facts, key=fact_sort_key)


def test_the_page_shows_the_table() -> None:
    """docs/detection.md says what the code judges by."""
    assert table() in text_of("docs/detection.md")


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.cause)
def test_every_cause_of_the_table_can_be_served_and_learned(need: object) -> None:
    """A cause that all channels can't serve, or whose learning nobody knows, would be blind for ever."""
    known = next(one for one in NEEDS if one is need)
    assert serves(known, frozenset(CHANNELS))
    assert not serves(known, frozenset())
    assert known.cause in readiness._LEARNED
    assert known.cause in ready_words._LEARNS
