"""The rules over more than one event on simulated fleets: each fault under its own name, nothing beside it, nothing on healthy pumps."""

from __future__ import annotations

import pytest

from contract.codec import decode_json
from contract.events import Tick
from contract.facts import Alert, AlertState, Cause, Quarantined
from contract.times import DAY_US, HOUR_US
from ingest import simulator
from processors.analyse import analyse
from processors.timeline import Sighting
from tests.pump_days import START_US

FAULTS = ("bridge_missing", "refill_mismatch", "stall_overdue", "restart_overdose", "device_disagrees")
MINE = {Cause(fault) for fault in FAULTS}


def raised(seed: int, pumps: int, days: int, *faults: str) -> tuple[list[simulator.Label], list[Alert]]:
    """(labels, lines with which one of these causes becomes active) of a fleet; without faults all are healthy."""
    plan = simulator.FleetPlan(
        seed=seed,
        pumps=pumps,
        start_us=START_US,
        end_us=START_US + days * DAY_US,
        uplink=simulator.Uplink(period_us=HOUR_US // 6, upload_us=4 * HOUR_US),
        faults=tuple(simulator.parse_fault(fault) for fault in faults),
        healthy_share=1.0,
    )
    cases = simulator.draw_fleet(plan)
    told = [decode_json(line.json) for line in simulator.events(cases)]
    seen = [
        Sighting(event=event, digest=event.id.encode(), raw=b"")
        for event in told
        if not isinstance(event, Quarantined | Tick)
    ]
    lines = [
        fact
        for fact in analyse(seen).facts
        if isinstance(fact, Alert) and fact.cause in MINE and fact.state is AlertState.ACTIVE
    ]
    return simulator.labels(cases), lines


@pytest.mark.parametrize("seed", [101, 102])
def test_each_fault_is_told_by_its_own_cause(seed: int) -> None:
    """Two of each on pumps of all makers; what else is said follows from the same fault."""
    labels, lines = raised(seed, 10, 20, *(f"{fault}:2@6" for fault in FAULTS))
    faults = {label.pump: label for label in labels if label.cause is not None}
    assert len(faults) == 10
    named = {line.pump for line in lines if line.cause == faults[line.pump].cause}
    assert named == set(faults)
    assert [(line.pump, line.cause) for line in lines if line.cause not in right(faults[line.pump])] == []
    assert all(line.at_us >= faults[line.pump].onset_us for line in lines)


def right(label: simulator.Label) -> set[str | None]:
    """The causes that a label's fault explains."""
    return {label.cause, *label.also}


@pytest.mark.parametrize("seed", [201, 202])
def test_healthy_pumps_with_all_that_happens_to_them_are_silent(seed: int) -> None:
    """Refills with and without another concentration, scans, suspensions, stated volumes: 20 pumps for 45 days."""
    assert raised(seed, 20, 45)[1] == []
