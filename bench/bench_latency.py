"""From the gateway's `received` to the commit of the facts: open loop, real Kafka and TimescaleDB, gateway and workers as processes.

It is a load run (`thecaflow load`) in a database and topics of its own: posts of ten frames leave at fixed moments whatever
was answered before, every pump sends 12 samples x 4 columns each 12 s, and every frame's commit is seen within 50 ms, so
that no quantile is too short. Introductions and a first quarter of a minute of frames are warm-up and not counted.

Run: python -m bench.bench_latency [--seconds N] [--frames-s N] [--workers N]     on the stack of the settings (`make up`)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.interleave import free_port
from bench.report import Line
from storage.migrate import migrate
from storage.pool import single
from thecaflow.load.plan import LoadPlan, pumps_needed
from thecaflow.load.report import LoadReport
from thecaflow.load.run import LoadOptions, run_load
from thecaflow.progress import Advance
from thecaflow.settings import Settings
from thecaflow.topics import create_topics, delete_topics

SAMPLES, EVERY_S = 12, 1.0
FRAMES_A_POST = 10
WARM_S = 15.0
MOST_S = 1.0
LATE_MS = (
    1000.0  # a post so far behind its due time was no open loop: the machine is too busy for the bench itself
)


@contextmanager
def processes(settings: Settings, workers: int, folder: Path) -> Iterator[list[str]]:
    """Gateway and workers; gives the workers' addresses. Their logs go to stderr if something fails."""
    ports = [free_port() for _ in range(workers)]
    commands = [["gateway", "--rate", "0"]]
    commands += [["worker", "--name", f"bench-{port}", "--http-port", str(port)] for port in ports]
    started, logs = [], []
    try:
        for number, arguments in enumerate(commands):
            logs.append(folder / f"{number}-{arguments[0]}.log")
            with logs[-1].open("wb") as log:
                started.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "thecaflow", *arguments],
                        env=os.environ | settings.to_env(),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )
        yield [f"http://127.0.0.1:{port}" for port in ports]
    except Exception:
        for log_file in logs:
            print(f"---- {log_file.name}\n{log_file.read_text()[-3000:]}", file=sys.stderr)
        raise
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


async def measure(seconds: float, frames_s: float, workers: int) -> list[Line]:
    """Run it on the stack of the settings, in a database and topics of its own."""
    base = Settings.from_env()
    name = f"bench_latency_{os.getpid()}"
    server = base.database.rpartition("/")[0]
    own = base.with_changes(
        database=f"{server}/{name}",
        events_topic=name,
        facts_topic=f"{name}-facts",
        consumer_group=name,
        gateway_port=free_port(),
    )
    admin = base.with_changes(database=f"{server}/postgres")
    async with single(admin) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    try:
        return await _measure_with(own, seconds, frames_s, workers)
    finally:
        await delete_topics(own)
        async with single(admin) as connection:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _measure_with(own: Settings, seconds: float, frames_s: float, workers: int) -> list[Line]:
    async with single(own) as connection:
        await migrate(connection)
    await create_topics(own)
    url = f"http://{own.bind_host}:{own.gateway_port}"
    plan = LoadPlan(
        rate_frames_s=frames_s,
        samples=SAMPLES,
        duration_s=seconds,
        warm_up_s=WARM_S,
        pumps=pumps_needed(frames_s, SAMPLES, EVERY_S),
        period_s=EVERY_S,
        frames_a_post=FRAMES_A_POST,
    )
    with tempfile.TemporaryDirectory() as folder, processes(own, workers, Path(folder)) as pages:
        await _until_ready([url, *pages], 180)
        report = await run_load(own, plan, LoadOptions(url=url), asyncio.Event(), _unseen)
    return [line(report)]


@contextmanager
def _unseen(_name: str, _total: float | None) -> Iterator[Advance]:
    def advance(_steps: float = 1, /, *, text: str | None = None) -> None:
        del text

    yield advance


def line(report: LoadReport) -> Line:
    """Judge a run: its p99, unless frames were not taken, lost, or not sent in time."""
    frames, commit, plan = report.frames, report.commit, report.plan
    missing = frames.refused + frames.unanswered + frames.unsent
    lost = None if report.found is None else report.found.lost
    holds = missing == 0 and lost == 0 and report.posts.behind_max_ms < LATE_MS
    drained = "never" if report.lag.drained_s is None else f"in {report.lag.drained_s:.1f} s"
    return Line(
        f"accept -> committed fact, {plan.rate_frames_s:g} frames/s x {plan.samples}, {plan.duration_s:g} s",
        f"p50 {commit.p50_ms:.0f} ms, p99 {commit.p99_ms:.0f} ms, p99.9 {commit.p999_ms:.0f} ms",
        f"{commit.count:,} frames committed; answer p99 {report.accept.p99_ms:.0f} ms, most lag {report.lag.max} "
        f"records, drained {drained}",
        commit.p99_ms / 1000 if holds else None,
        most=MOST_S,
        unit=" s",
        why=f"{missing} frames not taken, {lost} lost, posts up to {report.posts.behind_max_ms:.0f} ms late",
    )


async def _until_ready(urls: Sequence[str], timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s), httpx.AsyncClient(trust_env=False) as client:
        for url in urls:
            while True:
                try:
                    if (await client.get(f"{url}/readyz", timeout=5)).status_code == httpx.codes.OK:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.2)


def main() -> None:
    """Print the line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--frames-s", type=float, default=400.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lines = asyncio.run(measure(arguments.seconds, arguments.frames_s, arguments.workers))
    if arguments.json:
        print(json.dumps([line.fields() for line in lines]))
        return
    for line in lines:
        print(" | ".join(line.cells()))


if __name__ == "__main__":
    main()
