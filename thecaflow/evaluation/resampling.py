"""What a coarser sampling costs: the same recordings with only every so-many-th row, and which faults are still named.

A recording is made at its finest sampling and thinned, so that plant, fault and every reading that is left are the same. A
fault counts at a sampling if it lasts LEAST_PERIODS of its periods; its recall there is held against that of the very same faults
in the whole recording. Faults that show within hours are recorded every second over some days; those that take weeks, every ten.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from contract.events import PumpEvent, Telemetry
from contract.times import DAY_US, HOUR_US, SECOND_US
from ingest import simulator
from ingest.simulation.faults import FaultRequest
from ingest.simulator import FleetPlan, Uplink
from thecaflow.evaluation.bars import Verdict
from thecaflow.evaluation.bootstrap import Bootstrap, Estimate
from thecaflow.evaluation.fleets import START_US
from thecaflow.evaluation.matching import match
from thecaflow.settings import use_numba_cache

PERIODS_S: Final = (1, 10, 60, 300, 900)
LEAST_PERIODS: Final = 20
MOST_FALL: Final = 0.05
EACH: Final = 20  # faults of a kind
MAKERS: Final = ("implant", "syringe", "bench")


@dataclass(frozen=True, slots=True)
class Recording:
    """Kinds of faults that are recorded alike: every `period_s` for `days`, a fault from day `onset` on for `lasting` days."""

    kinds: tuple[str, ...]
    period_s: int
    days: float
    onset: float
    lasting: tuple[float, float]


QUICK: Final = Recording(
    ("occlusion", "occlusion_partial", "leak", "starvation", "stall", "air", "restart_overdose"),
    period_s=1,
    days=4.5,
    onset=3.0,
    lasting=(2.0 / 24.0, 1.5),
)
SLOW: Final = Recording(
    ("over_delivery", "under_delivery", "drive_wear"),
    period_s=10,
    days=28.0,
    onset=11.0,
    lasting=(15.0, 17.0),
)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One fault: how long it lasts, and at each period (s) whether it was named; periods finer than its recording are absent."""

    pump: str
    kind: str
    cause: str
    lasts_s: float
    named: dict[int, bool]


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """Recall of the faults that count at one sampling, there and in the whole recordings, and how far it falls."""

    period_s: int
    kind: str
    faults: int
    whole: Estimate
    there: Estimate
    fall: Estimate


def plans(seed: int, each: int = EACH) -> list[FleetPlan]:
    """One plan for every kind of fault, `each` pumps of it; how long a fault lasts is even in its logarithm."""
    rng = np.random.default_rng(seed)
    made = []
    for recording in (QUICK, SLOW):
        for kind in recording.kinds:
            low, high = np.log(recording.lasting)
            lasting = np.exp(rng.uniform(low, high, each))
            made.append(
                FleetPlan(
                    seed=int(rng.integers(2**62)),
                    pumps=each,
                    start_us=START_US,
                    end_us=START_US + round(recording.days * DAY_US),
                    uplink=Uplink(recording.period_s * SECOND_US, 6 * HOUR_US),
                    prefix=kind,
                    makers=MAKERS,
                    faults=tuple(
                        FaultRequest(kind, day=recording.onset, days=float(days)) for days in lasting
                    ),
                )
            )
    return made


def thinned(events: Iterable[PumpEvent], from_us: int, to_us: int) -> list[PumpEvent]:
    """A recording of period `from_us` as one of period `to_us`, a multiple: rows off the coarser clock are taken out."""
    kept: list[PumpEvent] = []
    for event in events:
        if not isinstance(event, Telemetry):
            kept.append(event)
            continue
        rows_us = event.rows_us()
        on_clock = rows_us % to_us < from_us
        if on_clock.any():
            kept.append(_with_rows(event, rows_us[on_clock], event.columns[:, on_clock]))
    return kept


def _with_rows(event: Telemetry, rows_us: NDArray[np.int64], columns: NDArray[np.float64]) -> Telemetry:
    """The frame with these rows alone."""
    first_us = int(rows_us[0])
    t_s = (rows_us - first_us) / 1e6
    return replace(event, at_us=first_us, t_s=t_s, columns=np.ascontiguousarray(columns))


def look(plan: FleetPlan, index: int) -> list[Seen]:
    """Record one pump of a plan, and say at which samplings its fault is named."""
    from thecaflow.evaluation.fold_pump import alerts_of, sightings  # noqa: PLC0415 - kernels take a second to load

    fault = simulator.assign_faults(plan).get(index)
    case = simulator.draw_pump(plan, index, plan.names()[index], fault)
    told, _ = sightings(line.json for line in simulator.events([case]))
    events = list({one.event.id: one.event for one in told}.values())
    period_us = plan.uplink.period_us
    faults = [label for label in case.labels if label.cause is not None]
    named: list[dict[int, bool]] = [{} for _ in faults]
    for period_s in PERIODS_S:
        if period_s * SECOND_US < period_us:
            continue
        alerts = alerts_of(thinned(events, period_us, period_s * SECOND_US), plan.end_us)
        found = match(case.labels, alerts, (plan.start_us, plan.end_us)).found
        for one, there in zip(found, named, strict=True):
            there[period_s] = one.alert is not None
    return [
        Seen(
            pump=label.pump,
            kind=label.kind,
            cause=str(label.cause),
            lasts_s=(min(label.end_us or plan.end_us, plan.end_us) - label.onset_us) / 1e6,
            named=there,
        )
        for label, there in zip(faults, named, strict=True)
    ]


def look_at_all(made: Sequence[FleetPlan], file: Path, processes: int) -> Iterator[int]:
    """Look at every pump that the file does not hold yet and append it; yields how many are done."""
    done = {one.pump for one in read(file)}
    tasks = [(plan, index) for plan in made for index, name in enumerate(plan.names()) if name not in done]
    count = sum(plan.pumps for plan in made) - len(tasks)
    yield count
    if not tasks:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Fresh processes: a forked one would inherit compiled code without the threads that it counts on.
    with multiprocessing.get_context("spawn").Pool(processes) as pool, file.open("ab") as kept:
        for seen in pool.imap_unordered(_look, tasks):
            kept.write(b"".join(msgspec.json.encode(one) + b"\n" for one in seen))
            kept.flush()
            count += 1
            yield count


def _look(task: tuple[FleetPlan, int]) -> list[Seen]:
    use_numba_cache()
    return look(*task)


def read(file: Path) -> list[Seen]:
    """What a file holds; a line cut short by an interruption is left out."""
    if not file.is_file():
        return []
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"".join(line + b"\n" for line in lines[:-1]))
    return [_seen.decode(line) for line in lines[:-1]]


_seen: Final = msgspec.json.Decoder(Seen)


def recalls(seen: Sequence[Seen], seed: int) -> list[Recall]:
    """Recall at each sampling of each kind, then of all faults together, `kind` ""."""
    seen = sorted(seen, key=lambda one: one.pump)
    draws = Bootstrap(max(len(seen), 1), seed)
    return [
        _recall(seen, draws, period_s, kind)
        for kind in (*QUICK.kinds, *SLOW.kinds, "")
        for period_s in PERIODS_S
    ]


def _recall(seen: Sequence[Seen], draws: Bootstrap, period_s: int, kind: str) -> Recall:
    counts = [
        float(kind in ("", one.kind) and period_s in one.named and one.lasts_s >= LEAST_PERIODS * period_s)
        for one in seen
    ]
    whole = [float(count and one.named[min(one.named)]) for count, one in zip(counts, seen, strict=True)]
    there = [float(count and one.named[period_s]) for count, one in zip(counts, seen, strict=True)]
    return Recall(
        period_s=period_s,
        kind=kind,
        faults=round(sum(counts)),
        whole=draws.share(whole, counts),
        there=draws.share(there, counts),
        fall=draws.mean([a - b for a, b in zip(whole, there, strict=True)], counts),
    )


def judge(found: Sequence[Recall]) -> list[Verdict]:
    """Whether recall of all faults together falls by no more than it may at each sampling."""
    return [
        Verdict(
            what=f"fall of recall, sampled every {one.period_s} s",
            asked=f"<= {100 * MOST_FALL:g} points",
            found="-" if one.fall.value is None else f"{100 * one.fall.value:.1f} of {one.faults} faults",
            passed=one.fall.value is not None and one.fall.value <= MOST_FALL + 1e-9,
        )
        for one in found
        if not one.kind
    ]


def table(found: Sequence[Recall]) -> Table:
    """Recall by kind and sampling: faults that count, how many of them are named there, and in the whole recording."""
    shown = Table(
        title=f"recall of faults of {LEAST_PERIODS} periods or more, by sampling (and of the same faults in the whole recording)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    shown.add_column("fault", no_wrap=True)
    for period_s in PERIODS_S:
        shown.add_column(f"{period_s} s", justify="right", no_wrap=True)
    for kind in dict.fromkeys(one.kind for one in found):
        if not kind:
            shown.add_section()
        cells = [_cell(one) for one in found if one.kind == kind]
        shown.add_row(kind or "all", *cells)
    return shown


def _cell(one: Recall) -> str:
    if one.there.value is None or one.whole.value is None:
        return "-"
    return f"{100 * one.there.value:.0f} % ({100 * one.whole.value:.0f} %) of {one.faults}"
