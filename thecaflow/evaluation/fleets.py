"""The fleets of `make evaluate`: who is in them, and how their pumps are scored, some at a time, in several processes.

A pump is drawn, played and folded by itself, from memory: its lines are the bytes that `thecaflow simulate` would write, so
nothing is graded here that a file would not hold. Scores are appended to a file of the run as they come, so that a run that was
interrupted goes on where it stood.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from contract.times import DAY_US, HOUR_US, MINUTE_US, parse_rfc3339
from ingest import simulator
from ingest.simulation.faults import FaultRequest
from ingest.simulator import FleetPlan, Uplink
from thecaflow.evaluation.scores import PumpScore
from thecaflow.settings import use_numba_cache

START_US: Final = parse_rfc3339("2026-01-01T00:00:00Z")
HARMFUL: Final = {
    "occlusion": 200,
    "leak": 200,
    "starvation": 200,
    "stall": 200,
    "stall_overdue": 200,
    "restart_overdose": 200,
    "early_empty": 110,
    "dry_before_alarm": 110,
    "missed_refill": 210,  # one in twenty is not low by the end of its run
    "program_implausible": 200,
    "eos": 200,
    "safe_state": 200,
}
"""Kinds whose cause bears harm; early_empty and dry_before_alarm are two ways to one cause."""
OTHERS: Final = dict.fromkeys(
    (
        "occlusion_partial",
        "over_delivery",
        "under_delivery",
        "air",
        "drive_wear",
        "silence",
        "refill_mismatch",
        "bridge_missing",
        "eri",
        "clock_skew",
        "monitoring_lost",
        "device_disagrees",
    ),
    100,
)
MAKERS: Final = ("implant", "implant", "implant", "gated", "syringe", "bench")
_PUMPS_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet under a name. `counts`: faults by kind, as many healthy pumps as all faults together."""

    name: str
    plan: FleetPlan


def normal(seed: int, share: float = 1.0, days: float = 45.0) -> Fleet:
    """The fleet that the bars are for: half healthy; 45 days make 500 healthy pump-years of its pumps.

    Sampled every 15 minutes and sent every 6 hours: the coarsest sampling that the product promises to serve.
    """
    return Fleet("normal", _plan(seed, share, days))


def stress(seed: int, share: float = 0.5, days: float = 45.0) -> Fleet:
    """The strained fleet, of the same kinds: 100 faults of each harmful cause, so that a share of 0.9 is known to +/-0.06."""
    return Fleet("stress", replace(_plan(seed + 1, share, days), stress=True, prefix="stress"))


def _plan(seed: int, share: float, days: float) -> FleetPlan:
    counts = {kind: max(round(count * share), 1) for kind, count in (HARMFUL | OTHERS).items()}
    faults = tuple(FaultRequest(kind, count=count) for kind, count in counts.items())
    return FleetPlan(
        seed=seed,
        pumps=2 * sum(counts.values()),
        start_us=START_US,
        end_us=START_US + round(days * DAY_US),
        uplink=Uplink(15 * MINUTE_US, 6 * HOUR_US),
        makers=MAKERS,
        faults=faults,
        healthy_share=0.5,
    )


def score_fleet(fleet: Fleet, file: Path, processes: int) -> Iterator[int]:
    """Score every pump that the file does not hold yet and append it; yields how many of the fleet are done."""
    names = fleet.plan.names()
    done = {score.pump for score in read_scores(file)}
    waiting = [index for index, name in enumerate(names) if name not in done]
    yield len(names) - len(waiting)
    if not waiting:
        return
    faults = simulator.assign_faults(fleet.plan)
    parts = [waiting[first : first + _PUMPS_AT_ONCE] for first in range(0, len(waiting), _PUMPS_AT_ONCE)]
    tasks = [(fleet.plan, [(index, faults.get(index)) for index in part]) for part in parts]
    file.parent.mkdir(parents=True, exist_ok=True)
    count = len(names) - len(waiting)
    # Fresh processes: a forked one would inherit compiled code without the threads that it counts on.
    with multiprocessing.get_context("spawn").Pool(processes) as pool, file.open("ab") as kept:
        for scores in pool.imap_unordered(_score_part, tasks):
            kept.write(b"".join(msgspec.json.encode(score) + b"\n" for score in scores))
            kept.flush()
            count += len(scores)
            yield count


def read_scores(file: Path) -> list[PumpScore]:
    """The scores that a file holds, each pump once; a line cut short by an interruption is left out."""
    if not file.is_file():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        file.write_bytes(whole)
    scores = (_score.decode(line) for line in whole.splitlines())
    return list({score.pump: score for score in scores}.values())


_score: Final = msgspec.json.Decoder(PumpScore)


def score_pumps(plan: FleetPlan, pumps: Sequence[tuple[int, FaultRequest | None]]) -> list[PumpScore]:
    """Draw, play, fold and score some pumps of a plan, each by its place in the plan and its fault."""
    from thecaflow.evaluation.fold_pump import score_lines  # noqa: PLC0415 - compiled kernels take a second to load

    names = plan.names()
    labelled = {label for kind in {one.kind for one in plan.faults} for label in _causes(kind)}
    scores = []
    for index, fault in pumps:
        case = simulator.draw_pump(plan, index, names[index], fault)
        lines = (line.json for line in simulator.events([case]))
        score = score_lines(lines, case.labels, plan.end_us, labelled)
        if score is not None:
            scores.append(score)
    return scores


def _score_part(task: tuple[FleetPlan, list[tuple[int, FaultRequest | None]]]) -> list[PumpScore]:
    use_numba_cache()
    return score_pumps(*task)


def _causes(kind: str) -> tuple[str, ...]:
    """The cause of a kind of fault: known by its name, else by what it is called among the faults."""
    return _CAUSE_OF.get(kind, (kind,))


_CAUSE_OF: Final[dict[str, tuple[str, ...]]] = {
    "occlusion_partial": ("occlusion",),
    "stall": ("motor_stall",),
    "early_empty": ("dry_before_alarm",),
    "missed_refill": ("reservoir_low",),
    "air": ("air_in_line",),
    "silence": ("telemetry_silent",),
    "eri": ("battery_eri",),
    "eos": ("battery_eos",),
}
