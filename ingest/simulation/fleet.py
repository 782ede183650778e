"""Who is in the fleet: which pump is of which make, which is healthy, which fault strikes which pump and when."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from contract.times import DAY_US, SECOND_US
from ingest.simulation import stress
from ingest.simulation.case import PumpCase, Uplink, assemble
from ingest.simulation.clinic import Course, CourseBuilder
from ingest.simulation.clock import stream
from ingest.simulation.designs import Design, alarming_late, draw_design
from ingest.simulation.distortion import Distortion
from ingest.simulation.effects import Effects
from ingest.simulation.emptying import emptyings
from ingest.simulation.faults import KINDS, FaultRequest, FaultRequestError
from ingest.simulation.labels import Label
from ingest.simulation.observability import BY_LEVEL, noise_of, observable
from ingest.simulation.scene import Scene

_FLEET: Final = -1  # index of the random stream that belongs to no single pump
DEFAULT_MIX: Final = (
    "occlusion",
    "stall",
    "early_empty",
    "dry_before_alarm",
    "program_implausible",
    "silence",
)
_SAME_RATIO: Final = ("healthy", "dry_before_alarm", "missed_refill")
_SPARE_ODDS: Final = {
    "pressure_kpa": 0.1,
    "motor_ma": 0.15,
    "battery_v": 0.2,
    "stalled": 0.5,
    "reservoir_ml": 0.1,
}
_ROOM: Final = 3.0  # above the lowest rate: it may be titrated down twice and halved
_ONSET_DAYS: Final = (0.2, 0.6)  # share of the run in which a fault begins unless told


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What to simulate.

    `healthy_share` None: all pumps that no fault was asked for, or 0.7 if none was asked for. `stress`: each pump has
    makes, sampling, uploads and a length of run of its own, far outside the defaults (`ingest.simulation.stress`).
    """

    seed: int
    pumps: int
    start_us: int
    end_us: int
    uplink: Uplink
    prefix: str = "pump"
    makers: tuple[str, ...] = ("implant", "implant", "implant", "gated")
    faults: tuple[FaultRequest, ...] = ()
    healthy_share: float | None = None
    channels: tuple[str, ...] | None = None
    stress: bool = False

    @property
    def days(self) -> float:
        """Length of the run."""
        return (self.end_us - self.start_us) / DAY_US

    def names(self) -> list[str]:
        """Names of all pumps."""
        return [f"{self.prefix}-{number:04d}" for number in range(1, self.pumps + 1)]


def draw_fleet(plan: FleetPlan) -> list[PumpCase]:
    """All pumps of the plan with their courses, faults and labels.

    Raises FaultRequestError if the faults asked for don't fit the fleet or the days.
    """
    faults = assign_faults(plan)
    return [draw_pump(plan, index, name, faults.get(index)) for index, name in enumerate(plan.names())]


def assign_faults(plan: FleetPlan) -> dict[int, FaultRequest]:
    """Pump index -> its fault; named pumps first, the rest by lot."""
    rng = stream(plan.seed, _FLEET & 0xFFFF, "faults")
    order = {name: index for index, name in enumerate(plan.names())}
    taken: dict[int, FaultRequest] = {}
    for request in plan.faults:
        if request.pump is None:
            continue
        if request.pump not in order:
            raise FaultRequestError(
                f"there is no pump {request.pump!r}; they are {plan.prefix}-0001 to {plan.prefix}-{plan.pumps:04d}"
            )
        if order[request.pump] in taken:
            raise FaultRequestError(
                f"pump {request.pump} has a fault already; one a pump keeps labels unambiguous"
            )
        taken[order[request.pump]] = request
    free = [int(index) for index in rng.permutation(plan.pumps) if int(index) not in taken]
    wanted = [request for request in plan.faults if request.pump is None for _ in range(request.count)]
    share = plan.healthy_share if plan.healthy_share is not None else (1.0 if plan.faults else 0.7)
    more = plan.pumps - round(share * plan.pumps) - len(wanted) - len(taken)
    wanted += [FaultRequest(DEFAULT_MIX[number % len(DEFAULT_MIX)]) for number in range(max(more, 0))]
    if len(wanted) > len(free):
        raise FaultRequestError(
            f"{len(wanted) + len(taken)} faults asked for, but there are only {plan.pumps} pumps"
        )
    return taken | dict(zip(free, wanted, strict=False))


def draw_pump(plan: FleetPlan, index: int, name: str, fault: FaultRequest | None) -> PumpCase:
    """Draw one pump of the plan with its course and its fault; no other pump changes it."""
    rng = stream(plan.seed, index, "design")
    strain = None
    makers = plan.makers
    if plan.stress:
        strain, plan = _strained_plan(plan, index, fault)
        makers = stress.MAKERS
    if fault is not None:
        makers = tuple(maker for maker in makers if maker != "gated") or makers
    design = draw_design(rng, makers)
    if strain is not None:
        design = stress.strained(stream(plan.seed, index, "strained"), design, strain)
    onset_us = plan.start_us
    if fault is not None:
        onset_day = _onset_day(plan, fault, rng)
        onset_us += round(onset_day * DAY_US)
        design = _fit(design, plan, fault, onset_day, rng)
    if strain is None or plan.channels is not None:
        design = _equip(design, plan, fault, rng)
    else:
        design = stress.equip(stream(plan.seed, index, "equip"), design)
    kind = None if fault is None else KINDS[fault.kind]
    builder = CourseBuilder(stream(plan.seed, index, "clinic"), design, name, plan.start_us, plan.end_us)
    course = builder.build(
        plan.uplink.upload_us / SECOND_US,
        nuisances=fault is None,
        refills_until_us=None if kind is None or kind.drains is None else onset_us,
        filled_us=onset_us if kind is not None and kind.fills else None,
    )
    end_us = None if fault is None or fault.days is None else onset_us + round(fault.days * DAY_US)
    rng = stream(plan.seed, index, "fault")
    scene = Scene(name, design, course, onset_us, end_us, plan.end_us, rng)
    effects, label = Effects(), Label(name, "healthy", None, plan.start_us)
    if kind is not None:
        course, effects, label = kind.strike(scene)
    label = replace(label, parameters={"maker": design.maker, **label.parameters})
    if kind is not None and label.kind in BY_LEVEL:
        noise = noise_of(design, Distortion())
        label = replace(
            label, observable=observable(replace(scene, course=course), label, design.channels, noise)
        )
    distortion = None
    if strain is not None:
        course, effects, label, distortion = _distorted(
            plan, index, strain, replace(scene, course=course), effects, label
        )
    labels = (label, *course.labels) if kind is None else (*course.labels, label)
    course = replace(course, labels=labels)
    case = assemble(
        plan.seed, index, name, design, course, effects, plan.uplink, (plan.start_us, plan.end_us)
    )
    return with_truth_of_forecasts(replace(case, distortion=distortion))


def _strained_plan(
    plan: FleetPlan, index: int, fault: FaultRequest | None
) -> tuple[stress.Strain, FleetPlan]:
    """Draw what a pump's recording has to bear, and the plan of its own that follows: all recordings end together."""
    kind, day = (None, None) if fault is None else (fault.kind, fault.day)
    strain = stress.draw_strain(stream(plan.seed, index, "strain"), plan.days, kind, day)
    start_us = plan.end_us - round(strain.days * DAY_US) // SECOND_US * SECOND_US
    return strain, replace(plan, start_us=start_us, uplink=strain.uplink)


def _distorted(
    plan: FleetPlan, index: int, strain: stress.Strain, scene: Scene, effects: Effects, label: Label
) -> tuple[Course, Effects, Label, Distortion]:
    """Worsen the recording of a strained pump, and label what can't be seen in it."""
    rng = stream(plan.seed, index, "distortion")
    span_us = plan.start_us, plan.end_us
    kind = None if label.cause is None else label.kind
    distortion, dead = stress.draw_distortion(rng, scene.design, strain, kind, span_us)
    # A clock that jumps beside a fault of the clock would be the same fault.
    clocks = Effects() if kind == "clock_skew" else stress.clock_troubles(rng, span_us)
    nuisances = stress.nuisance_labels(scene.pump, dead, clocks, plan.end_us)
    if label.cause is not None:
        noise = noise_of(scene.design, distortion)
        label = replace(label, observable=observable(scene, label, scene.design.channels, noise))
    told = {
        "shape": scene.design.model,
        "rate_ul_h": scene.design.rate_ul_h,
        "period_s": strain.uplink.period_us / SECOND_US,
        "channels": list(scene.design.channels),
    }
    label = replace(label, parameters={**label.parameters, **told})
    course = replace(scene.course, labels=(*scene.course.labels, *nuisances))
    return course, effects + clocks, label, distortion


def with_truth_of_forecasts(case: PumpCase) -> PumpCase:
    """Tell the truth about forecasts where the pump's own flow ratio never changes: what a forecast may assume."""
    if not any(label.kind in _SAME_RATIO for label in case.labels):
        return case
    told = emptyings(case.entries, case.plant, case.design, case.effects, case.end_us)
    labels = tuple(
        replace(label, empties=told) if label.kind in _SAME_RATIO else label for label in case.labels
    )
    return replace(case, labels=labels)


def _onset_day(plan: FleetPlan, fault: FaultRequest, rng: np.random.Generator) -> float:
    """Day of the run on which the fault begins: the one asked for, else by lot.

    Raises FaultRequestError if the run is too short for the fault.
    """
    kind = KINDS[fault.kind]
    if kind.from_start:
        return 0.0
    drawn = float(rng.uniform(*_ONSET_DAYS)) * plan.days
    day = max(drawn, kind.first_day) if fault.day is None else fault.day
    if day >= plan.days:
        raise FaultRequestError(f"{fault.kind} on day {day:g}: the run has only {plan.days:g} days")
    return day


def _fit(
    design: Design, plan: FleetPlan, fault: FaultRequest, onset_day: float, rng: np.random.Generator
) -> Design:
    """Set the flow so that a reservoir lasts as long as its fault needs, as far as the pump's limits let it."""
    kind = KINDS[fault.kind]
    if not kind.fills and kind.drains is None:
        return design
    full_ml = design.reservoir_ml
    if kind.drains is not None:
        # Dry when asked, and at most two fifths used before the fault.
        daily_ml = min(
            full_ml / (plan.days * float(rng.uniform(*kind.drains))), 0.4 * full_ml / max(onset_day, 1e-6)
        )
    else:
        daily_ml = 0.6 * full_ml / max(onset_day, plan.days - onset_day)
    lowest_ul_h = design.min_rate_ul_h if kind.drains is not None else _ROOM * design.min_rate_ul_h
    lowest_ul_h = math.ceil(lowest_ul_h * 1e4) / 1e4  # as programs are written
    hourly_ul = float(np.clip(daily_ml * 1000 / 24, lowest_ul_h, design.max_rate_ul_h / 2))
    if kind.drains is None:
        hourly_ul = max(min(hourly_ul, design.rate_ul_h), lowest_ul_h)
    rate_ul_h = max(float(f"{hourly_ul:.4g}"), lowest_ul_h)  # four digits must not go below the limit
    concentration = design.concentration_ug_ml
    if design.maker in ("implant", "gated"):
        concentration = 500.0 if rate_ul_h * 0.024 * concentration > 1000.0 else concentration
        if kind.drains is not None:
            design = alarming_late(design)
    return replace(design, rate_ul_h=rate_ul_h, concentration_ug_ml=concentration)


def _equip(design: Design, plan: FleetPlan, fault: FaultRequest | None, rng: np.random.Generator) -> Design:
    """Choose the channels: those asked for, else the maker's without some, but never without what shows the fault."""
    if plan.channels is not None:
        return replace(design, channels=plan.channels)
    odds = {name: float(rng.random()) for name in sorted(_SPARE_ODDS)}
    kept = [name for name in design.channels if odds.get(name, 1.0) >= _SPARE_ODDS.get(name, 0.0)]
    needed = KINDS[fault.kind].channels if fault is not None else ()
    kept += [name for name in needed if name not in kept]
    return replace(design, channels=tuple(kept))
