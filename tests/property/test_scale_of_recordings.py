"""Whole recordings in other units: from the events to the alerts, factors on what is measured change no decision."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contract.codec import decode_json
from contract.events import PumpEvent, Tick
from contract.facts import Alert, Cause, Quarantined
from contract.times import parse_rfc3339
from ingest import simulator
from processors.analyse import analyse
from processors.pump_state import DAY_US, HOUR_US
from processors.timeline import Sighting
from tests.scaled import scaled

exponents = some.integers(min_value=-10, max_value=20)
START_US = parse_rfc3339("2026-01-01T00:00:00Z")
PERIOD_US = 600_000_000
BY_SIGNAL = frozenset(
    {
        Cause.OCCLUSION,
        Cause.MOTOR_STALL,
        Cause.LEAK,
        Cause.STARVATION,
        Cause.AIR_IN_LINE,
        Cause.DRIVE_WEAR,
        Cause.UNCLASSIFIED,
        Cause.OVER_DELIVERY,
        Cause.UNDER_DELIVERY,
        Cause.RESTART_OVERDOSE,
    }
)
FAULTS = {
    "occlusion": Cause.OCCLUSION,
    "stall": Cause.MOTOR_STALL,
    "leak": Cause.LEAK,
    "starvation": Cause.STARVATION,
    "air": Cause.AIR_IN_LINE,
}
SAID = tuple[int, str, str, str, str]


@cache
def recording(fault: str) -> tuple[PumpEvent, ...]:
    """Sixteen days of a bench pump that reports every channel, with a fault from day 9."""
    plan = simulator.FleetPlan(
        seed=11,
        pumps=1,
        start_us=START_US,
        end_us=START_US + 16 * DAY_US,
        uplink=simulator.Uplink(period_us=PERIOD_US, upload_us=4 * HOUR_US),
        makers=("bench",),
        faults=(simulator.parse_fault(f"{fault}@9"),),
    )
    told = [decode_json(line.json) for line in simulator.events(simulator.draw_fleet(plan))]
    return tuple(event for event in told if not isinstance(event, Quarantined | Tick))


def by_signal(events: tuple[PumpEvent, ...] | list[PumpEvent]) -> list[SAID]:
    """Every line of the alerts that measured channels made."""
    seen = [Sighting(event=event, digest=event.id.encode(), raw=b"") for event in events]
    facts = analyse(seen).facts
    return [
        (fact.at_us, fact.cause, fact.state, fact.alert_id, fact.priority)
        for fact in facts
        if isinstance(fact, Alert) and fact.cause in BY_SIGNAL
    ]


@cache
def plain(fault: str) -> list[SAID]:
    """The lines of the recording as it is."""
    return by_signal(recording(fault))


@settings(max_examples=15, deadline=None)
@given(fault=some.sampled_from(sorted(FAULTS)), volumes=exponents, pressures=exponents, currents=exponents)
def test_powers_of_two_change_no_line(fault: str, volumes: int, pressures: int, currents: int):
    """Volumes and flows, pressures, currents, each times a power of two: the same lines at the same microseconds."""
    other = scaled(recording(fault), 2.0**volumes, 2.0**pressures, 2.0**currents)
    assert by_signal(other) == plain(fault)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_the_recordings_have_something_to_lose(fault: str):
    """Each fault is named by its own cause, so that two empty lists are never compared."""
    assert FAULTS[fault] in {cause for _, cause, _, _, _ in plain(fault)}


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("factor", [0.1, 3.0, 1e5])
def test_other_factors_move_an_alert_by_a_row_at_most(fault: str, factor: float):
    """Factors that round: the first line of the fault's cause comes within one row of where it was."""
    cause = FAULTS[fault]
    other = by_signal(scaled(recording(fault), factor, 1.0 / factor, 7.0 * factor))
    first = min(at_us for at_us, named, *_ in plain(fault) if named == cause)
    again = min(at_us for at_us, named, *_ in other if named == cause)
    assert abs(again - first) <= PERIOD_US
