"""All kernels of a telemetry row, as the fold calls them: its calls while simulated pumps are folded are kept and replayed.

Implants send a sample each 15 minutes, the bench pump one a second; all channels of their makes, programs in steps,
boluses, refills. What a call costs without a row (its arguments, a cold state) comes off: it is the fold's, not the kernels'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.interleave import medians
from bench.report import Line
from contract.codec import decode_json
from contract.times import parse_rfc3339
from ingest import simulator
from ingest.simulation.clock import DAY_US, HOUR_US, SECOND_US
from ingest.simulator import FleetPlan, Uplink
from kernels import step
from kernels.state import SIZE
from processors.analyse import analyse
from processors.timeline import Sighting

Floats = NDArray[np.float64]
Call = tuple[Floats, tuple[Any, ...], int]
"""The state before a call of `kernels.step.rows`, its other arguments, and how many rows it folded."""
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
        before = x.copy()
        done: int = compiled(x, *arguments)
        kept.append((before, arguments, done - arguments[6]))
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
    """All calls again, each from its own state; without `rows` they have none to fold."""
    x = np.empty(SIZE)

    def again() -> None:
        for before, arguments, _ in kept:
            x[:] = before
            start, stop = arguments[6:8] if rows else (0, 0)
            step.rows(x, *arguments[:6], start, stop, arguments[8])

    return again


def measure(gcc: Callable[[], None], gcc_rows: int, rounds: int) -> list[Line]:
    """One line a fleet, and the state's size; beside them the gcc twin of dose, reservoir and occlusion in the same turns."""
    step.warm()
    lines = []
    for name, plan in FLEETS.items():
        kept = calls(plan)
        count = sum(folded for _, _, folded in kept)
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
