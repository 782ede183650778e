"""Kernels against the interacting-multiple-model reference on the same pumps: `python -m bench.imm_fleet [SEED] [SHARE]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from bench import imm_reference as imm
from bench.imm_reference import Floats, Series
from contract.events import (
    CHANNEL_INDEX,
    ProgramSet,
    PumpEvent,
    PumpRegistered,
    Resumed,
    Suspended,
    Telemetry,
)
from contract.facts import Alert, AlertState, Cause, Priority
from contract.times import HOUR_US
from ingest import simulator
from ingest.simulation.faults import FaultRequest
from ingest.simulator import FleetPlan, Label
from thecaflow.evaluation import fleets, tables
from thecaflow.evaluation.fold_pump import alerts_of, sightings
from thecaflow.evaluation.result import Evaluation, evaluate
from thecaflow.evaluation.scores import score_pump
from thecaflow.settings import use_numba_cache

KINDS: Final = {"occlusion": 200, "occlusion_partial": 100, "leak": 200, "starvation": 200}
OFF: Final = 0.2  # posterior below which an alarm is over
LEVELS: Final = (
    imm.threshold(),
    0.9,
    0.99,
    0.999,
    0.9999,
    0.99999,
    1.0 - 1e-6,
    1.0 - 1e-7,
    1.0 - 1e-8,
    1.0 - 1e-9,
)


def plan(seed: int, share: float) -> FleetPlan:
    """As many healthy pumps as faults of the three causes, drawn as for `make evaluate`."""
    counts = {kind: max(round(count * share), 1) for kind, count in KINDS.items()}
    faults = tuple(FaultRequest(kind, count=count) for kind, count in counts.items())
    return replace(fleets.normal(seed).plan, pumps=2 * sum(counts.values()), faults=faults, prefix="imm")


def series_of(pumps: Sequence[Sequence[PumpEvent]], start_us: int) -> Series:
    """Rows of every pump side by side, in order of time, each moment once."""
    columns = [_columns(events, start_us) for events in pumps]
    n = max(len(one[0]) for one in columns)
    padded = [np.stack([np.pad(c, (0, n - len(c)), constant_values=np.nan) for c in one]) for one in columns]
    hours, outlet, inlet, flow = (np.stack([one[k] for one in padded]) for k in range(4))
    registered = [
        next((e.compliance_ul_per_kpa for e in events if isinstance(e, PumpRegistered)), None)
        for events in pumps
    ]
    compliance = np.array([np.nan if one is None else one for one in registered])
    return Series(hours, outlet, inlet, flow, compliance)


def _columns(events: Sequence[PumpEvent], start_us: int) -> tuple[Floats, Floats, Floats, Floats]:
    frames = [one for one in events if isinstance(one, Telemetry)]
    rows_us, first = np.unique(np.concatenate([one.rows_us() for one in frames]), return_index=True)
    every = np.concatenate([one.columns for one in frames], axis=1)[:, first]
    flow, rate, running = np.zeros(len(rows_us)), 0.0, True
    for event in sorted(events, key=lambda one: one.at_us):
        if isinstance(event, ProgramSet):
            rate = _mean_rate(event)
        elif isinstance(event, Suspended | Resumed):
            running = isinstance(event, Resumed)
        else:
            continue
        flow[rows_us >= event.at_us] = rate * running
    outlet, inlet = every[CHANNEL_INDEX["pressure_kpa"]], every[CHANNEL_INDEX["inlet_kpa"]]
    return (rows_us - start_us) / HOUR_US, outlet, inlet, flow


def _mean_rate(program: ProgramSet) -> float:
    """Mean of the steps of one day with pulses, uL/h."""
    steps = sorted((one.minute, one.rate_ul_h) for one in program.steps)
    ends = [minute for minute, _ in steps[1:]] + [1440]
    basal = sum(rate * (end - begin) for (begin, rate), end in zip(steps, ends, strict=False)) / 1440.0
    pulse = program.periodic_bolus
    return basal + (0.0 if pulse is None else pulse.volume_ul * 3600.0 / pulse.every_s)


def alerts(pump: str, hours: Floats, told: Floats, start_us: int, levels: dict[str, float]) -> list[Alert]:
    """Alert lines of one pump from its posteriors, float64[n, 3]: on from a cause's level, over below OFF."""
    lines: list[Alert] = []
    for place, (name, level) in enumerate(levels.items()):
        on, number = False, 0
        for hour, chance in zip(hours.tolist(), told[:, place].tolist(), strict=True):
            if chance < OFF if on else chance > level:
                on = not on
                number += on
                state = AlertState.ACTIVE if on else AlertState.CLEARED
                lines.append(_line(pump, Cause(name), state, start_us + round(hour * HOUR_US), number))
    return sorted(lines, key=lambda one: one.at_us)


def _line(pump: str, cause: Cause, state: AlertState, at_us: int, number: int) -> Alert:
    return Alert(
        pump=pump, at_us=at_us, alert_id=f"{cause}-{number}", cause=cause, state=state, priority=Priority.HIGH,
        since_us=at_us, text="", evidence={},
    )  # fmt: skip


def compare(fleet: FleetPlan) -> dict[str, Evaluation]:
    """The kernels' and the reference's scores on every pump, for the three causes alone."""
    faults = simulator.assign_faults(fleet)
    names = fleet.names()
    labels: list[Sequence[Label]] = []
    events: list[list[PumpEvent]] = []
    ours: list[list[Alert]] = []
    for index, name in enumerate(names):
        case = simulator.draw_pump(fleet, index, name, faults.get(index))
        seen, _ = sightings(line.json for line in simulator.events([case]))
        events.append(list({one.event.id: one.event for one in seen}.values()))
        labels.append(case.labels)
        ours.append([one for one in alerts_of(events[-1], fleet.end_us) if one.cause in imm.CAUSES])
    series = series_of(events, fleet.start_us)
    chances = imm.posteriors(series)
    span = fleet.start_us, fleet.end_us

    def scored(lines: Sequence[Sequence[Alert]]) -> Evaluation:
        pairs = zip(labels, lines, strict=True)
        return evaluate([score_pump(*pair, [], [], span, set(imm.CAUSES)) for pair in pairs], fleet.seed)

    def reference(levels: dict[str, float]) -> Evaluation:
        rows = zip(names, series.hours, chances, strict=True)
        return scored([alerts(name, hours, told, fleet.start_us, levels) for name, hours, told in rows])

    kernels = scored(ours)
    tried = [(level, reference(dict.fromkeys(imm.CAUSES, level))) for level in LEVELS]
    matched = {
        cause: next(
            (level for level, found in tried if mistakes(found, cause) <= mistakes(kernels, cause)),
            LEVELS[-1],
        )
        for cause in imm.CAUSES
    }
    return {
        "kernels": kernels,
        f"reference, told from the derived threshold {LEVELS[0]:g}": tried[0][1],
        f"reference, as few mistakes as the kernels, where it can: {matched}": reference(matched),
    }


def mistakes(found: Evaluation, cause: str) -> int:
    """Alarms of a cause that were wrong or false."""
    return sum(one.wrong + one.false for one in found.causes if one.cause == cause)


if __name__ == "__main__":
    use_numba_cache()
    seed, share = (*sys.argv[1:], "1", "0.2")[:2]
    console = tables.wide_console()
    for who, found in compare(plan(int(seed), float(share))).items():
        console.print(who)
        console.print(tables.causes(found))
