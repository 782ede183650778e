"""What the commit costs beside a raw COPY of the same event rows, on the real TimescaleDB.

Two shapes, 240 and 12 samples x 4 columns; batches of 500 frames of 500 different pumps. Measured in turns on one
connection and a fresh database, medians after the first rounds:

* raw: COPY of the rows, encoded beforehand, into a twin of the hypertable (columns, index, chunks), in a transaction;
* commit: `storage.commit.commit` as the worker calls it: encoding, compare-and-set, events, ids, 500 states of 2 kB,
  and in the lines with facts also a dose of each pump with its outbox row, as frames of a whole day bring.

Run: python -m bench.bench_commit [--rounds N] [--json]      on the stack of the settings (`make up`)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.report import Line, table
from contract.codec import encode_fact, encode_wire
from contract.events import CHANNELS, Telemetry
from contract.facts import Dose
from storage import migrate, pgcopy, pool
from storage.commit import commit
from storage.event_rows import EVENT_COLUMNS, encode_events
from storage.types import Changes, EventRow, FactRow, StateRow
from thecaflow.settings import Settings

FRAMES = 500
STATE_BYTES = 2_000
T0_US = 1_750_000_000_000_000
PRESENT = ("delivered_ul", "reservoir_ml", "pressure_kpa", "motor_ma")
WARM_ROUNDS = 3
LEAST_RATIO = 0.6
MILLION_PUMPS_FRAMES_S = 1_400  # a million pumps at one sample a minute, 12 samples a frame
LEAST_TIMES = 5.0
TWIN = (
    "DROP TABLE IF EXISTS raw_events",
    "TRUNCATE events, event_ids, state, progress, dose, outbox",
    "CREATE TABLE raw_events (LIKE events INCLUDING ALL)",
    "SELECT create_hypertable('raw_events', by_range('at', INTERVAL '7 days'), create_default_indexes => false)",
)


@dataclass(frozen=True)
class Server:
    """Settings of a database of our own."""

    database: str


@dataclass(frozen=True)
class Shape:
    """How big a frame is."""

    samples: int
    every_s: float


def frame(shape: Shape, pump: int, batch: int, random: np.random.Generator) -> EventRow:
    """Return one telemetry event, signals of full precision, as the fold would hand it to storage."""
    t_s = np.arange(shape.samples) * shape.every_s
    at_us = T0_US + batch * round(shape.samples * shape.every_s * 1e6)
    columns = np.full((len(CHANNELS), shape.samples), np.nan)
    for name in PRESENT:
        columns[CHANNELS.index(name)] = random.normal(100.0, 3.0, shape.samples)
    event = Telemetry(
        id=str(uuid.UUID(int=(pump << 64) + batch)),
        pump=f"bench-{pump:04d}",
        source="device",
        seq=batch,
        at_us=at_us,
        received_us=at_us + round(t_s[-1] * 1e6) + 500_000,
        t_s=t_s,
        columns=columns,
        present=frozenset(PRESENT),
    )
    rows_us = event.rows_us()
    first_us, last_us = int(rows_us[0]), int(rows_us[-1])
    return EventRow(
        pump=event.pump,
        id=event.id,
        type="telemetry",
        source=event.source,
        seq=batch,
        received_us=event.received_us,
        first_us=first_us,
        last_us=last_us,
        first_raw_us=first_us,
        last_raw_us=last_us,
        offset_us=0,
        digest=random.bytes(16),
        payload=encode_wire(event),
        rows_us=rows_us,
        columns=columns,
    )


def changes(shape: Shape, batch: int, *, with_facts: bool) -> Changes:
    """Return what a fold of one batch would change."""
    random = np.random.default_rng(batch)
    events = [frame(shape, pump, batch, random) for pump in range(FRAMES)]
    return Changes(
        partition=0,
        expected_offset=batch * FRAMES,
        next_offset=(batch + 1) * FRAMES,
        believed_us=max(event.received_us or 0 for event in events),
        events=events,
        states=[StateRow(event.pump, random.bytes(STATE_BYTES)) for event in events],
        added=[dose(event) for event in events] if with_facts else [],
    )


def dose(event: EventRow) -> FactRow:
    """Return a dose fact that ends with the frame."""
    fact = Dose(
        pump=event.pump,
        at_us=event.last_us,
        from_us=event.first_us,
        to_us=event.last_us,
        programmed_ul=96.0,
        programmed_ug=48.0,
        sensed_ul=97.3,
        sensed_ug=48.65,
        tip_ug=48.1,
        bolus_ul=0.0,
        priming_ul=0.0,
        coverage=1.0,
    )
    return FactRow("dose", event.pump, event.last_us, "", "", 0, encode_fact(fact))


async def in_turns(connection: Any, shape: Shape, rounds: int, *, with_facts: bool) -> dict[str, float]:
    """Return medians in seconds a batch of both ways, measured in turns."""
    for statement in TWIN:
        await connection.execute(statement)
    taken: dict[str, list[float]] = {"raw": [], "commit": []}
    for batch in range(rounds + WARM_ROUNDS):
        prepared = changes(shape, batch, with_facts=with_facts)
        encoded = encode_events(prepared.events)
        for way in ("raw", "commit") if batch % 2 else ("commit", "raw"):
            began = time.perf_counter()
            if way == "raw":
                async with connection.transaction():
                    await pgcopy.copy(connection, "raw_events", EVENT_COLUMNS, encoded)
            elif not await commit(connection, prepared):
                raise RuntimeError("the compare-and-set refused a batch of its own")
            taken[way].append(time.perf_counter() - began)
    return {way: statistics.median(times[WARM_ROUNDS:]) for way, times in taken.items()}


async def run(rounds: int) -> list[dict[str, Any]]:
    """Measure both shapes with and without facts in a database of their own, dropped at the end."""
    server, _, _ = Settings.from_env().database.rpartition("/")
    name = f"bench_commit_{os.getpid()}"
    own, rows = Server(f"{server}/{name}"), []
    async with pool.single(Server(f"{server}/postgres")) as admin:
        await admin.execute(f"CREATE DATABASE {name}")
        try:
            async with pool.single(own) as connection:
                await migrate.migrate(connection)
                for shape in (Shape(240, 360.0), Shape(12, 60.0)):
                    for with_facts in (False, True):
                        medians = await in_turns(connection, shape, rounds, with_facts=with_facts)
                        rows.append(measured(shape, medians, with_facts=with_facts))
        finally:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return rows


def measured(shape: Shape, medians: dict[str, float], *, with_facts: bool) -> dict[str, Any]:
    """Return one line of the table."""
    return {
        "samples": shape.samples,
        "facts": with_facts,
        "raw_ms": medians["raw"] * 1e3,
        "commit_ms": medians["commit"] * 1e3,
        "ratio": medians["raw"] / medians["commit"],
        "frames_s": FRAMES / medians["commit"],
    }


def lines(rows: Sequence[dict[str, Any]]) -> list[Line]:
    """Return the two promises, judged on the slower lines, those with facts."""
    full = {row["samples"]: row for row in rows if row["facts"]}
    return [
        Line(
            "whole commit / raw COPY, 500 frames of 240 samples x 4",
            ours=f"{full[240]['commit_ms']:.0f} ms",
            reference=f"{full[240]['raw_ms']:.0f} ms",
            ratio=full[240]["ratio"],
            least=LEAST_RATIO,
        ),
        Line(
            "whole commit, 500 frames of 12 samples",
            ours=f"{full[12]['frames_s']:.0f} frames/s",
            reference=f"{MILLION_PUMPS_FRAMES_S} frames/s",
            ratio=full[12]["frames_s"] / MILLION_PUMPS_FRAMES_S,
            least=LEAST_TIMES,
        ),
    ]


def measure(rounds: int = 40) -> list[Line]:
    """Measure and judge; every line of the measurement goes to standard error."""
    rows = asyncio.run(run(rounds))
    print("samples  facts  raw COPY ms  commit ms  raw / commit  frames/s", file=sys.stderr)
    for row in rows:
        print(
            f"{row['samples']:7d}  {row['facts']!s:5}  {row['raw_ms']:11.1f}  {row['commit_ms']:9.1f}"
            f"  {row['ratio']:12.2f}  {row['frames_s']:8.0f}",
            file=sys.stderr,
        )
    return lines(rows)


def main() -> None:
    """Print the promises as a table, or as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    judged = measure(arguments.rounds)
    print(json.dumps([judgement.fields() for judgement in judged]) if arguments.json else table(judged))


if __name__ == "__main__":
    main()
