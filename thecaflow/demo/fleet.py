"""The fleet of the demonstration: two hundred pumps for thirty days, labelled faults among them, and the founding case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from contract.times import DAY_US, HOUR_US, MINUTE_US
from ingest import simulator
from ingest.simulator import FaultRequest, FleetPlan, FoundingPlan, PumpCase, Uplink, parse_fault

FAULTS: Final = (
    "occlusion:12",
    "stall:12",
    "early_empty:8",
    "dry_before_alarm:8",
    "program_implausible:8",
    "silence:8",
)
FOUNDING_RATIO: Final = (
    1.145  # the upper end of the tolerance: dry before the device's own alarm, on day 150.2
)
FOUNDING_DAYS: Final = 140.0


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What the demonstration simulates; it ends at `end_us`."""

    seed: int
    end_us: int
    pumps: int = 200
    days: float = 30.0
    period_us: int = 10 * MINUTE_US
    upload_us: int = 4 * HOUR_US
    faults: tuple[FaultRequest, ...] = tuple(map(parse_fault, FAULTS))
    founding: bool = True


def cases(plan: DemoPlan) -> list[PumpCase]:
    """All pumps of the demonstration."""
    uplink = Uplink(plan.period_us, plan.upload_us)
    fleet = FleetPlan(
        seed=plan.seed,
        pumps=plan.pumps,
        start_us=plan.end_us - round(plan.days * DAY_US),
        end_us=plan.end_us,
        uplink=uplink,
        faults=plan.faults,
    )
    drawn = simulator.draw_fleet(fleet)
    if plan.founding:
        drawn.append(simulator.founding_case(_founding(plan)))
    return drawn


def _founding(plan: DemoPlan) -> FoundingPlan:
    quiet = replace(Uplink(HOUR_US, DAY_US), late_share=0.0, doubled_share=0.0, lost_row_share=0.0)
    return FoundingPlan(
        seed=plan.seed,
        fill_us=plan.end_us - round(FOUNDING_DAYS * DAY_US),
        days=FOUNDING_DAYS,
        uplink=replace(quiet, latency_s=0.0, in_step=True),
        flow_ratio=FOUNDING_RATIO,
    )
