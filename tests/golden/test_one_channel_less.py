"""With any one channel removed, a fault is still detected, or the pump said that it is blind for it: nothing is dropped silently."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace

from contract.events import CHANNELS as EVERY
from contract.events import Telemetry
from contract.facts import Alert, AlertState, Cause, Fact, Readiness
from contract.times import DAY_US, HOUR_US, MINUTE_US, parse_rfc3339
from ingest import simulator
from processors.analyse import analyse
from processors.timeline import Sighting
from thecaflow.evaluation.fold_pump import sightings

START_US = parse_rfc3339("2026-01-01T00:00:00Z")
CHANNELS = (
    "delivered_ul",
    "flow_ul_h",
    "reservoir_ml",
    "pressure_kpa",
    "inlet_kpa",
    "motor_ma",
    "vibration_g",
)
# Kind of fault -> the causes of which one names it; the day of the onset where it can be chosen.
FAULTS = {
    "occlusion": (Cause.OCCLUSION, "@15"),
    "leak": (Cause.LEAK, "@15"),
    "stall": (Cause.MOTOR_STALL, "@15"),
    "starvation": (Cause.STARVATION, "@15"),
    "air": (Cause.AIR_IN_LINE, "@15"),
    "drive_wear": (Cause.DRIVE_WEAR, "@15"),
    "over_delivery": (Cause.OVER_DELIVERY, "@12"),
    "under_delivery": (Cause.UNDER_DELIVERY, "@12"),
    "dry_before_alarm": (Cause.DRY_BEFORE_ALARM, ""),
}


@cache
def recording(fault: str) -> tuple[Sighting, ...]:
    """One pump with every channel and the fault, 40 days, a row every 15 minutes."""
    plan = simulator.FleetPlan(
        seed=11,
        pumps=1,
        start_us=START_US,
        end_us=START_US + 40 * DAY_US,
        uplink=simulator.Uplink(15 * MINUTE_US, 6 * HOUR_US),
        makers=("implant",),
        faults=(simulator.parse_fault(fault + FAULTS[fault][1]),),
        healthy_share=1.0,
        channels=CHANNELS,
    )
    lines = [line.json for line in simulator.events(simulator.draw_fleet(plan))]
    return tuple(sightings(lines)[0])


def without(seen: tuple[Sighting, ...], channel: str) -> list[Sighting]:
    """The recording of the same pump without a channel."""
    return [
        replace(one, event=bare(one.event, channel)) if isinstance(one.event, Telemetry) else one
        for one in seen
    ]


def bare(frame: Telemetry, channel: str) -> Telemetry:
    """A frame without a channel."""
    columns = frame.columns.copy()
    columns[EVERY.index(channel)] = np.nan
    return replace(frame, columns=columns, present=frame.present - {channel})


def detected(facts: list[Fact], cause: Cause) -> bool:
    """Whether the cause was ever more than pending."""
    return any(isinstance(f, Alert) and f.cause is cause and f.state is AlertState.ACTIVE for f in facts)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_whole_recording_shows_the_fault(fault: str) -> None:
    """Else the removal of a channel would show nothing."""
    assert detected(analyse(recording(fault)).facts, FAULTS[fault][0])


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("fault", FAULTS)
def test_without_a_channel_the_fault_is_detected_or_the_pump_is_blind_for_it(
    fault: str, channel: str
) -> None:
    """Silence about a fault always has its line of readiness."""
    cause = FAULTS[fault][0]
    facts = analyse(without(recording(fault), channel)).facts
    said = [fact.state for fact in facts if isinstance(fact, Readiness) and fact.cause is cause]
    assert detected(facts, cause) or said[-1] == "blind"
