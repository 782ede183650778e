"""From the gateway's `received` to the commit of the facts: open loop, real Kafka and TimescaleDB, gateway and workers as processes.

Relays post at fixed moments whatever was answered before, so that a slow system makes a queue and not a slower bench. A
post holds the frames of ten pumps; every pump sends 12 samples x 4 columns each 12 s. The workers' own histogram of
`thecaflow_end_to_end_seconds` gives the quantiles, by linear interpolation within its buckets; one bound is 1 s, so that
whether p99 is under 1 s is exact. Introductions and a first quarter of a minute of frames are warm-up and not counted.

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
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench import fleet
from bench.interleave import free_port
from bench.report import Line
from ingest.tokens import make_token
from storage import tokens
from storage.migrate import migrate
from storage.pool import single
from thecaflow.settings import Settings
from thecaflow.topics import create_topics, delete_topics

SAMPLES, EVERY_S = 12, 1.0
FRAMES_A_POST = 10
WARM_S = 15.0
MOST_S = 1.0
LATE_S = 1.0  # a post later than that was no open loop: the machine is too busy for the bench itself
HISTOGRAM = "thecaflow_end_to_end_seconds"


@dataclass
class Outcome:
    """What the clients saw."""

    accepted: int = 0
    refused: int = 0
    answers_s: list[float] = field(default_factory=list)
    latest_s: float = 0.0
    """How late the worst post left, against the schedule: the bench's own fault."""
    most_lag: float = 0.0


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


class Relays:
    """The clients: introduce pumps, then post frames on schedule."""

    def __init__(self, url: str, secret: str, pumps: int) -> None:
        self._events = f"{url}/v1/events"
        self._pumps = [f"bench-{number:05d}" for number in range(pumps)]
        self._seq = 0
        self._began_us = time.time_ns() // 1000 - 60_000_000
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/msgpack"}
        self._client = httpx.AsyncClient(headers=headers, timeout=60.0, trust_env=False)

    async def introduce(self) -> int:
        """Register, fill and program every pump, some at a time; the number of events."""
        for start in range(0, len(self._pumps), 200):
            some = self._pumps[start : start + 200]
            raw = [event for pump in some for event in fleet.introduction(pump, self._began_us)]
            answer = await self._client.post(self._events, content=b"".join(raw))
            answer.raise_for_status()
        return 3 * len(self._pumps)

    async def post_on_schedule(self, seconds: float, frames_s: float, outcome: Outcome) -> None:
        """Post for `seconds`; returns once every answer is there."""
        every_s = FRAMES_A_POST / frames_s
        began, in_hand = time.perf_counter(), set[asyncio.Task[None]]()
        for number in range(round(seconds / every_s)):
            await asyncio.sleep(began + number * every_s - time.perf_counter())
            outcome.latest_s = max(outcome.latest_s, time.perf_counter() - began - number * every_s)
            task = asyncio.create_task(self._post(self._body(), outcome))
            in_hand.add(task)
            task.add_done_callback(in_hand.discard)
        if in_hand:
            await asyncio.wait(in_hand)

    def _body(self) -> bytes:
        at_us = time.time_ns() // 1000 - round(SAMPLES * EVERY_S * 1e6)
        frames = []
        for _ in range(FRAMES_A_POST):
            turn, pump = divmod(self._seq, len(self._pumps))
            name = self._pumps[pump]
            frames.append(fleet.frame(name, turn, self._began_us, at_us, SAMPLES, EVERY_S))
            self._seq += 1
        return b"".join(frames)

    async def _post(self, body: bytes, outcome: Outcome) -> None:
        began = time.perf_counter()
        try:
            answer = await self._client.post(self._events, content=body)
        except httpx.TransportError:
            outcome.refused += FRAMES_A_POST
            return
        outcome.answers_s.append(time.perf_counter() - began)
        if answer.status_code == httpx.codes.ACCEPTED:
            outcome.accepted += answer.json()["accepted"]
        else:
            outcome.refused += FRAMES_A_POST

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def scrape(workers: Sequence[str]) -> dict[str, float]:
    """Every sample of the workers' pages, by name (and bucket), summed."""
    summed: dict[str, float] = {}
    async with httpx.AsyncClient(trust_env=False) as client:
        for url in workers:
            page = (await client.get(f"{url}/metrics", timeout=10)).text
            for family in text_string_to_metric_families(page):
                for sample in family.samples:
                    name = sample.name + (f" {sample.labels['le']}" if "le" in sample.labels else "")
                    summed[name] = summed.get(name, 0.0) + sample.value
    return summed


async def until_committed(workers: Sequence[str], frames: int, timeout_s: float) -> dict[str, float]:
    """Wait until the workers have committed so many events. TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                page = await scrape(workers)
            except httpx.TransportError as away:
                raise RuntimeError("a worker does not answer; its log is above") from away
            if page.get("thecaflow_frames_total", 0) >= frames:
                return page
            await asyncio.sleep(0.2)


def quantile(before: Mapping[str, float], after: Mapping[str, float], share: float) -> float:
    """Quantile of what the histogram counted between two scrapes, linear within the bucket; inf beyond the last."""
    prefix = f"{HISTOGRAM}_bucket "
    bounds = sorted(float(name.removeprefix(prefix)) for name in after if name.startswith(prefix))
    names = {float(name.removeprefix(prefix)): name for name in after if name.startswith(prefix)}
    counts = [after[names[bound]] - before.get(names[bound], 0.0) for bound in bounds]
    wanted, low, below = share * counts[-1], 0.0, 0.0
    for bound, count in zip(bounds, counts, strict=True):
        if count >= wanted:
            return (
                bound if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
            )
        low, below = bound, count
    return float("inf")


async def measure(seconds: float, frames_s: float, workers: int, pumps: int) -> list[Line]:
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
        return await _measure_with(own, seconds, frames_s, workers, pumps)
    finally:
        await delete_topics(own)
        async with single(admin) as connection:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _measure_with(
    own: Settings, seconds: float, frames_s: float, workers: int, pumps: int
) -> list[Line]:
    secret, row = make_token("bench", time.time_ns() // 1000)
    async with single(own) as connection:
        await migrate(connection)
        await tokens.add(connection, row)
    await create_topics(own)
    url = f"http://{own.bind_host}:{own.gateway_port}"
    with tempfile.TemporaryDirectory() as folder, processes(own, workers, Path(folder)) as pages:
        await _until_ready([url, *pages], 180)
        relays = Relays(url, secret, pumps)
        try:
            sent = await relays.introduce()
            await until_committed(pages, sent, 180)
            warm = Outcome()
            await relays.post_on_schedule(WARM_S, frames_s, warm)
            before = await until_committed(pages, sent + warm.accepted, 120)
            outcome = Outcome()
            watching = asyncio.create_task(_watch_lag(pages, outcome))
            await relays.post_on_schedule(seconds, frames_s, outcome)
            ended = time.perf_counter()
            after = await until_committed(pages, sent + warm.accepted + outcome.accepted, 120)
            drained_s = time.perf_counter() - ended
            watching.cancel()
        finally:
            await relays.close()
    return _lines(before, after, outcome, drained_s, seconds, frames_s)


def _lines(
    before: Mapping[str, float],
    after: Mapping[str, float],
    outcome: Outcome,
    drained_s: float,
    seconds: float,
    frames_s: float,
) -> list[Line]:
    p50, p99, p999 = (quantile(before, after, share) for share in (0.5, 0.99, 0.999))
    answers = sorted(outcome.answers_s)
    answered = answers[int(0.99 * len(answers))] if answers else float("inf")
    kept_up = outcome.refused == 0 and outcome.latest_s < LATE_S
    return [
        Line(
            f"accept -> committed fact, {frames_s:g} frames/s x {SAMPLES}, {seconds:g} s",
            f"p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms, p99.9 {p999 * 1e3:.0f} ms",
            f"{outcome.accepted:,} frames committed; answer p99 {answered * 1e3:.0f} ms, most lag {outcome.most_lag:.0f} "
            f"records, drained in {drained_s:.1f} s",
            p99 if kept_up else None,
            most=MOST_S,
            unit=" s",
            why=f"{outcome.refused} frames refused, posts up to {outcome.latest_s:.2f} s late",
        )
    ]


async def _watch_lag(pages: Sequence[str], outcome: Outcome) -> None:
    while True:
        await asyncio.sleep(2.0)
        page = await scrape(pages)
        outcome.most_lag = max(outcome.most_lag, page.get("thecaflow_lag_records", 0.0))


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
    parser.add_argument("--pumps", type=int, default=4800)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lines = asyncio.run(measure(arguments.seconds, arguments.frames_s, arguments.workers, arguments.pumps))
    if arguments.json:
        print(json.dumps([line.fields() for line in lines]))
        return
    for line in lines:
        print(" | ".join(line.cells()))


if __name__ == "__main__":
    main()
