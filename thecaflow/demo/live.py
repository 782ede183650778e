"""Sends the fleet through every real part: stack, gateway, Kafka, workers, TimescaleDB, console, Alertmanager, pager."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from ingest import simulator
from ingest.replay import ReplayOptions, replay
from ingest.replay_report import Tally
from ingest.replay_source import Source
from ingest.replay_targets import GatewayTarget
from ingest.simulator import PumpCase
from thecaflow.background import stop_in_background
from thecaflow.demo import paging, place, processes
from thecaflow.demo.fleet import DemoPlan, cases
from thecaflow.demo.place import Secrets
from thecaflow.demo.processes import DemoError, Server
from thecaflow.demo.report import Outcome
from thecaflow.demo.steps import Steps
from thecaflow.overview import Lag, lags
from thecaflow.progress import bar
from thecaflow.settings import Settings

COMMITTED_WITHIN_S = 300.0
POLL_S = 0.3


def write_events(drawn: Sequence[PumpCase], folder: Path, seed: int) -> tuple[Path, int]:
    """Write events and labels into the run folder as `thecaflow simulate` would; returns the events' file and number."""
    folder.mkdir(parents=True, exist_ok=True)
    path, written = folder / "demo-events.jsonl", 0
    with path.open("wb") as sink, bar("simulating") as advance:
        for written, line in enumerate(simulator.events(drawn), start=1):
            sink.write(line.json + b"\n")
            if written % 1000 == 0:
                advance(0, text=f"{written} events of seed {seed}")
    labels = b"".join(simulator.encode_label(label) + b"\n" for label in simulator.labels(drawn))
    (folder / "demo-labels.jsonl").write_bytes(labels)
    return path, written


@dataclass(frozen=True, slots=True)
class Sent:
    """The fleet that went through, what was measured, and the tokens it was done with."""

    drawn: Sequence[PumpCase]
    outcome: Outcome
    secrets: Secrets


def run_live(plan: DemoPlan, settings: Settings, steps: Steps, *, stack: bool) -> Sent:
    """Send the fleet through every real part; the processes stay up."""
    with steps.step("ending what an earlier run left, its pages too"):
        processes.stop_servers(settings)
        pager = processes.start_pager(settings)  # before who sends to it
        compiling = processes.start_compiling()
        starting = processes.start_stack() if stack else None
    with steps.step(
        f"simulating {plan.pumps} pumps over {plan.days:g} days and the founding case, seed {plan.seed}"
    ):
        drawn = cases(plan)
        path, written = write_events(drawn, Path(settings.run_folder), plan.seed)
    if starting is not None:
        with steps.step("starting Kafka, TimescaleDB, Prometheus and Alertmanager"):
            processes.finish(starting, "dev/stack start")
    with steps.step("making database, tables, topics and tokens anew"):
        secrets = asyncio.run(place.make_anew(settings))
    with steps.step("compiling kernels (once, then they are in a cache)"):
        processes.finish(compiling, "compiling the kernels")
    with steps.step("starting gateway, two workers and console"):
        gateway, workers = _start(settings, pager)
    with steps.step(f"{written} events through the gateway"):
        outcome = asyncio.run(_replay(path, written, secrets.sender, settings, gateway, workers))
    with steps.step("it is now: the gateway ticks from here on"):
        _tick(settings)
    return Sent(drawn, outcome, secrets)


def _start(settings: Settings, pager: Server) -> tuple[Server, list[Server]]:
    """Start all servers and wait until none shows anything of an earlier run; returns the gateway and the workers."""
    gateway = processes.start_gateway(settings, ticks=False)
    workers = processes.start_workers(settings)
    for server in (pager, gateway, *workers, processes.start_console(settings)):
        server.until_ready(settings)
    paging.until_quiet(settings)
    return gateway, workers


async def _replay(
    path: Path, written: int, secret: str, settings: Settings, gateway: Server, workers: list[Server]
) -> Outcome:
    options = ReplayOptions()
    target = GatewayTarget(gateway.url, secret, options.lanes)
    began_s = time.monotonic()
    try:
        with bar("sending", written) as advance:
            sent = 0

            def show(tally: Tally, _source: Source) -> None:
                nonlocal sent
                done = tally.accepted + tally.quarantined + tally.refused
                advance(done - sent, text=f"{done} of {written} acknowledged")
                sent = done

            sent_report = await replay(Source([str(path)]), target, options, show)
    finally:
        await target.close()
    if sent_report.refused or sent_report.quarantined:
        raise DemoError(f"the gateway did not take every event: {sent_report.reasons}")
    acknowledged_s = time.monotonic()
    await until_committed(settings, workers)
    now_s = time.monotonic()
    return Outcome(sent_report, now_s - began_s, now_s - acknowledged_s, *_worked(workers))


async def until_committed(
    settings: Settings, servers: Sequence[Server], beyond: dict[int, int] | None = None
) -> None:
    """Wait until the database has every record of the log; `beyond`: only once the log has grown past these ends."""
    end_s = time.monotonic() + COMMITTED_WITHIN_S
    first: int | None = None
    with bar("committing") as advance:
        while True:
            found = await lags(settings)
            left = sum(lag.records or 0 for lag in found)
            if left == 0 and found and _grown(found, beyond):
                return
            first = left if first is None else first
            advance(0, text=f"{left} records to go")
            for server in servers:
                if server.process.poll() is not None:
                    code = server.process.returncode
                    raise DemoError(
                        f"{server.name} ended with exit {code}:\n{processes.log_end(server.name, settings)}"
                    )
            if time.monotonic() > end_s:
                ends = "\n".join(processes.log_end(server.name, settings) for server in servers)
                raise DemoError(f"{left} records not committed after {COMMITTED_WITHIN_S:.0f} s:\n{ends}")
            await asyncio.sleep(POLL_S)


def _grown(found: Sequence[Lag], beyond: dict[int, int] | None) -> bool:
    return beyond is None or all((lag.end or 0) > beyond.get(lag.partition, 0) for lag in found)


def _tick(settings: Settings) -> None:
    before = {lag.partition: lag.end or 0 for lag in asyncio.run(lags(settings))}
    stop_in_background(processes.GATEWAY, settings)
    gateway = processes.start_gateway(settings, ticks=True)
    gateway.until_ready(settings)
    asyncio.run(until_committed(settings, [gateway], before))


def _worked(workers: Sequence[Server]) -> tuple[int, int, float, float]:
    """(samples, batches, fold seconds, commit seconds) by the workers' own metrics."""
    sums = {"samples": 0.0, "batches": 0.0, "fold_seconds_sum": 0.0, "commit_seconds_sum": 0.0}
    for worker in workers:
        for family in text_string_to_metric_families(worker.page("/metrics") or ""):
            for sample in family.samples:
                name = sample.name.removeprefix("thecaflow_").removesuffix("_total")
                if name in sums:
                    sums[name] += sample.value
    return int(sums["samples"]), int(sums["batches"]), sums["fold_seconds_sum"], sums["commit_seconds_sum"]
