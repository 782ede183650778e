"""Whole recordings in other units: from the events to the alerts, factors on what is measured change no decision."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from msgspec.structs import replace

from contract.codec import decode_json
from contract.events import CHANNEL_INDEX, PumpEvent, Telemetry, Tick
from contract.facts import Alert, Cause, Quarantined
from contract.times import DAY_US, HOUR_US, parse_rfc3339
from ingest import simulator
from processors.analyse import analyse
from processors.channel_needs import NEEDS
from processors.timeline import Sighting
from tests.scaled import scaled

exponents = some.integers(min_value=-10, max_value=20)
factors = some.floats(min_value=1e-3, max_value=1e6)
START_US = parse_rfc3339("2026-01-01T00:00:00Z")
PERIOD_US = 600_000_000
DAYS = 20
BY_SIGNAL = frozenset(need.cause for need in NEEDS)
UNNAMED = "sags"
FAULTS = {
    "occlusion@9": Cause.OCCLUSION,
    "occlusion@9 of an implant": Cause.OCCLUSION,
    "leak@9 of an implant": Cause.LEAK,
    "stall@9": Cause.MOTOR_STALL,
    "stall_overdue@9": Cause.STALL_OVERDUE,
    "leak@9": Cause.LEAK,
    "starvation@9": Cause.STARVATION,
    "air@9": Cause.AIR_IN_LINE,
    "drive_wear@9": Cause.DRIVE_WEAR,
    "restart_overdose@9": Cause.RESTART_OVERDOSE,
    "over_delivery@9": Cause.OVER_DELIVERY,
    "under_delivery@9": Cause.UNDER_DELIVERY,
    "dry_before_alarm": Cause.DRY_BEFORE_ALARM,
    "missed_refill": Cause.RESERVOIR_LOW,
    "refill_mismatch@9": Cause.REFILL_MISMATCH,
    "device_disagrees@9": Cause.DEVICE_DISAGREES,
    "program_implausible@9": Cause.OVERDOSE_RISK,
    UNNAMED: Cause.UNCLASSIFIED,
}
SAID = tuple[int, str, str, str]


@cache
def recording(fault: str) -> tuple[PumpEvent, ...]:
    """Some weeks of a bench pump that reports every channel, or of another make, with a fault."""
    kind, _, make = fault.partition(" of an ")
    plan = simulator.FleetPlan(
        seed=11,
        pumps=1,
        start_us=START_US,
        end_us=START_US + DAYS * DAY_US,
        uplink=simulator.Uplink(period_us=PERIOD_US, upload_us=4 * HOUR_US),
        makers=(make or "bench",),
        faults=() if fault == UNNAMED else (simulator.parse_fault(kind),),
        healthy_share=1.0 if fault == UNNAMED else 0.0,
    )
    told = [decode_json(line.json) for line in simulator.events(simulator.draw_fleet(plan))]
    events = (event for event in told if not isinstance(event, Quarantined | Tick))
    return tuple(sagging(event) if fault == UNNAMED else event for event in events)


def sagging(event: PumpEvent) -> PumpEvent:
    """From day 13 on current and vibration are a fifth lower, which no detector has a name for."""
    if not isinstance(event, Telemetry) or event.at_us < START_US + 13 * DAY_US:
        return event
    share = np.ones(event.columns.shape[0])
    share[[CHANNEL_INDEX["motor_ma"], CHANNEL_INDEX["vibration_g"]]] = 0.8
    return replace(event, columns=event.columns * share[:, None])


def by_signal(events: tuple[PumpEvent, ...] | list[PumpEvent]) -> list[SAID]:
    """Every line of the alerts that need a channel, in order of time."""
    seen = [Sighting(event=event, digest=event.id.encode(), raw=b"") for event in events]
    return [
        (fact.at_us, fact.cause, fact.state, fact.priority)
        for fact in analyse(seen).facts
        if isinstance(fact, Alert) and fact.cause in BY_SIGNAL
    ]


@cache
def plain(fault: str) -> list[SAID]:
    """The lines of the recording as it is."""
    return by_signal(recording(fault))


@pytest.mark.parametrize("fault", sorted(FAULTS))
@settings(max_examples=4, deadline=None)
@given(volumes=exponents, pressures=exponents, currents=exponents)
@example(volumes=-10, pressures=0, currents=0)
@example(volumes=20, pressures=0, currents=0)
@example(volumes=0, pressures=-10, currents=0)
@example(volumes=0, pressures=20, currents=0)
@example(volumes=0, pressures=0, currents=-10)
@example(volumes=0, pressures=0, currents=20)
def test_powers_of_two_change_no_line(fault: str, volumes: int, pressures: int, currents: int):
    """Volumes and flows, pressures, currents, each times a power of two: the same lines at the same microseconds."""
    other = scaled(recording(fault), 2.0**volumes, 2.0**pressures, 2.0**currents)
    assert by_signal(other) == plain(fault)


def test_every_cause_that_needs_a_channel_is_in_a_recording():
    """A cause that no recording raises would be compared with nothing."""
    assert {cause for fault in FAULTS for _, cause, *_ in plain(fault)} == BY_SIGNAL


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_the_recordings_have_something_to_lose(fault: str):
    """Each fault is named by its own cause, so that two empty lists are never compared."""
    assert FAULTS[fault] in {cause for _, cause, *_ in plain(fault)}


@pytest.mark.parametrize("fault", sorted(FAULTS))
@settings(max_examples=4, deadline=None)
@given(volumes=factors, pressures=factors, currents=factors)
@example(volumes=0.1, pressures=10.0, currents=0.7)
@example(volumes=1e5, pressures=1e-3, currents=7e5)
def test_other_factors_move_no_line_by_more_than_a_row(
    fault: str, volumes: float, pressures: float, currents: float
):
    """Factors that round: the same lines in the same order, each within one row of where it was."""
    other = by_signal(scaled(recording(fault), volumes, pressures, currents))
    assert [line[1:] for line in other] == [line[1:] for line in plain(fault)]
    assert all(abs(one[0] - was[0]) <= PERIOD_US for one, was in zip(other, plain(fault), strict=True))
