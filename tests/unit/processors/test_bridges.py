"""`bridge_missing`: which fills need a bridge, which bridges are valid, when the alert comes and when it ends."""

from __future__ import annotations

import pytest

from contract.facts import Cause
from tests.unit.processors.test_fold import Story, story

FILL_H = 240.0
MISSING = [(FILL_H + 1.0, "active", "high")]
SECOND_H = 1.0 / 3600.0


def changed() -> Story:
    """A pump at 5 uL/h whose concentration is doubled after ten days: 200 uL of old drug are 40 h."""
    return story().runs(0, 5.0).filled(FILL_H, concentration=1000.0)


def bridged(
    told: Story, at_h: float, volume_ul: float = 200.0, **more: object
) -> list[tuple[float, str, str]]:
    """The alerts of a story with a bridge of 40 h, looked at two hours after the fill."""
    told.tell("bolus", at_h, kind="bridge", programmed_ul=volume_ul, duration_s=144_000.0, **more)
    return told.alerts(FILL_H + 2, Cause.BRIDGE_MISSING)


def test_no_bridge_is_missing_from_the_end_of_the_hour() -> None:
    """Not a moment before it: the bridge may still come."""
    assert changed().alerts(FILL_H + 1 - SECOND_H, Cause.BRIDGE_MISSING) == []
    assert changed().alerts(FILL_H + 2, Cause.BRIDGE_MISSING) == MISSING


@pytest.mark.parametrize(
    ("after_h", "expected"), [(0.0, []), (0.5, []), (1.0, []), (1.0 + SECOND_H, MISSING)]
)
def test_a_bridge_starts_within_an_hour(after_h: float, expected: list[object]) -> None:
    """At the end of the hour is within it, a second later is not."""
    lines = bridged(changed(), FILL_H + after_h)
    assert lines[:1] == expected


@pytest.mark.parametrize(
    ("volume_ul", "expected"), [(180.0, []), (220.0, []), (179.9, MISSING), (220.1, MISSING), (0.0, MISSING)]
)
def test_a_bridge_covers_the_dead_volume_to_within_ten_percent(
    volume_ul: float, expected: list[object]
) -> None:
    """Exactly ten percent is inside; too long a bridge is as wrong as one that is too short."""
    assert bridged(changed(), FILL_H + 0.1, volume_ul) == expected


def test_what_a_bridge_delivered_counts_before_what_it_was_to_deliver() -> None:
    """200 uL were asked for and 100 given."""
    assert bridged(changed(), FILL_H + 0.1, delivered_ul=100.0) == MISSING


@pytest.mark.parametrize(
    "told",
    [
        story().runs(0, 5.0).filled(FILL_H),
        Story().registered(dead_volume_ul=0).filled().runs(0, 5.0).filled(FILL_H, concentration=1000.0),
        Story().registered().runs(0, 5.0).filled(FILL_H, concentration=1000.0),
        changed().tell("bolus", FILL_H + 0.2, kind="priming", programmed_ul=200.0, duration_s=600.0),
        changed().filled(FILL_H + 0.5, concentration=500.0),
        changed().tell("pump_explanted", FILL_H + 0.5, reason="r"),
    ],
    ids=["same", "no dead volume", "first fill", "primed", "back to the old drug", "explanted"],
)
def test_fills_without_anything_to_bridge(told: Story) -> None:
    """The same drug, no tubing, the first fill, a line primed through, a fill taken back at once, no pump."""
    assert told.alerts(FILL_H + 10, Cause.BRIDGE_MISSING) == []


def test_another_bolus_is_no_bridge() -> None:
    """A therapeutic bolus adds to the program and pushes the old drug out too fast."""
    told = changed().tell("bolus", FILL_H + 0.2, kind="therapeutic", programmed_ul=200.0, duration_s=600.0)
    assert told.alerts(FILL_H + 2, Cause.BRIDGE_MISSING)[:1] == MISSING


def test_a_bridge_in_a_suspended_pump_delivers_nothing() -> None:
    """Nor does one that is cut by a suspension before the hour is over; a stated one did what it states."""
    assert bridged(changed().tell("suspended", FILL_H + 0.1), FILL_H + 0.2) == MISSING
    assert bridged(changed().tell("suspended", FILL_H + 0.5), FILL_H + 0.2) == MISSING
    assert bridged(changed().tell("suspended", FILL_H + 0.5), FILL_H + 0.2, delivered_ul=200.0) == []


def test_a_bridge_that_runs_at_the_fill_counts_by_what_it_still_delivers() -> None:
    """Begun minutes before the fill it covers the dead volume, begun two hours before it is not of this fill."""
    assert bridged(changed(), FILL_H - 0.1) == []
    assert bridged(changed(), FILL_H - 2.0) == MISSING


def test_it_ends_when_the_old_drug_has_left_the_catheter() -> None:
    """200 uL at 5 uL/h; a high alert stays until somebody has seen it."""
    lines = changed().alerts(FILL_H + 60, Cause.BRIDGE_MISSING)
    assert lines == [*MISSING, (pytest.approx(FILL_H + 40.0, abs=0.01), "latched", "high")]


def test_a_late_bridge_over_the_rest_ends_it() -> None:
    """Four hours late 180 uL are left; a bridge of 200 uL covers them, one of 50 does not."""
    for volume_ul, ends in ((200.0, True), (50.0, False)):
        told = changed().tell(
            "bolus", FILL_H + 4, kind="bridge", programmed_ul=volume_ul, duration_s=100_000.0
        )
        lines = told.alerts(FILL_H + 6, Cause.BRIDGE_MISSING)
        assert lines == ([*MISSING, (FILL_H + 4.0, "latched", "high")] if ends else MISSING)


def test_an_unknown_dead_volume_asks_for_a_bridge_and_takes_any() -> None:
    """Without a registration no volume is wrong, but every catheter holds something."""
    plain = Story().filled().runs(0, 5.0).filled(FILL_H, concentration=1000.0)
    assert plain.alerts(FILL_H + 60, Cause.BRIDGE_MISSING) == MISSING
    again = Story().filled().runs(0, 5.0).filled(FILL_H, concentration=1000.0)
    assert bridged(again, FILL_H + 0.2, 77.0) == []
