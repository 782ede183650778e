"""All kernels of a telemetry row, as the fold calls them: its calls while simulated pumps are folded are kept and replayed.

Implants send a sample each 15 minutes, the bench pump one a second; all channels of their makes, programs in steps,
boluses, refills. Before each call its rows and its state are copied, as a fold has just decoded them. What that costs, and a
call without a row, comes off: it is the fold's, not the kernels'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.interleave import medians
from bench.report import Line
from contract.codec import decode_json
from contract.times import DAY_US, HOUR_US, SECOND_US, parse_rfc3339
from ingest import simulator
from ingest.simulator import FleetPlan, Uplink
from kernels import step
from kernels.state import SIZE
from processors.analyse import analyse
from processors.timeline import Sighting

Floats = NDArray[np.float64]
Call = tuple[Floats, tuple[Any, ...], Floats, int]
"""A call of `kernels.step.rows`: the state before it, program and rows folded, the array of signals, how many rows."""
START_US: Final = parse_rfc3339("2026-01-01T00:00:00Z")
FLEETS: Final = {
    "implants, 15 min": FleetPlan(
        5, 4, START_US, START_US + 200 * DAY_US, Uplink(900 * SECOND_US, 6 * HOUR_US)
    ),
    "bench pump, 1 s": FleetPlan(
        6, 1, START_US, START_US + 3 * DAY_US, Uplink(SECOND_US, HOUR_US), makers=("bench",)
    ),
}
MOST_NS, MOST_KB = 200.0, 4.0


def calls(plan: FleetPlan) -> list[Call]:
    """Every call of the row loop while the pumps of the plan are folded."""
    kept: list[Call] = []
    compiled = step.rows

    def keep(x: Floats, *arguments: Any) -> int:
        before, (start, _, signals) = x.copy(), arguments[6:]
        done: int = compiled(x, *arguments)
        told = [one.copy() for one in arguments[:3]]
        rows = [arguments[place][..., start:done].copy() for place in (3, 4, 5)]
        kept.append((before, (*told, *rows), signals, done - start))
        return done

    step.rows = keep
    try:
        for case in simulator.draw_fleet(plan):
            seen = [
                Sighting(event=decode_json(line.json), digest=b"", raw=line.json)
                for line in simulator.events([case])
            ]
            analyse(seen, until_us=plan.end_us)
    finally:
        step.rows = compiled
    return kept


def _replay(kept: list[Call], rows: bool) -> Callable[[], None]:  # noqa: FBT001
    """All calls again, each from its own state; without `rows` they fold none of them."""
    x = np.empty(SIZE)

    def again() -> None:
        for before, arguments, signals, count in kept:
            x[:] = before
            decoded = [one.copy() for one in arguments]
            step.rows(x, *decoded, 0, count if rows else 0, signals)

    return again


def measure(gcc: Callable[[], None], gcc_rows: int, rounds: int) -> list[Line]:
    """One line a fleet, and the state's size; beside them the gcc twin of dose, reservoir and occlusion in the same turns."""
    step.warm()
    lines = []
    for name, plan in FLEETS.items():
        kept = calls(plan)
        count = sum(folded for *_, folded in kept)
        spent = medians(
            {"rows": _replay(kept, rows=True), "calls": _replay(kept, rows=False), "gcc": gcc}, rounds
        )
        ours_ns = (spent["rows"] - spent["calls"]) / count * 1e9
        gcc_ns = spent["gcc"] / gcc_rows * 1e9
        lines.append(
            Line(
                f"all kernels a row: {name}",
                f"{ours_ns:.0f} ns",
                f"gcc -O3, dose, reservoir and occlusion alone, {gcc_ns:.0f} ns: {ours_ns / gcc_ns:.1f}x",
                ours_ns,
                most=MOST_NS,
                unit=" ns",
            )
        )
    size_kb = step.fresh().nbytes / 1024.0
    return [*lines, Line("state of a pump", f"{size_kb:g} kB", "", size_kb, most=MOST_KB, unit=" kB")]
