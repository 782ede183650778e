"""Worker processes for integration and chaos tests, and what the database shows of their work."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer

from storage.migrate import migrate
from storage.pool import single
from thecaflow.settings import Settings

COUNTING = ("-m", "tests.chaos.counting_worker")
REAL = ("-m", "thecaflow", "worker")


class WorkerProcess:
    """One worker; its log is kept and shown when something fails."""

    def __init__(
        self, settings: Settings, name: str, folder: Path, program: Sequence[str] = COUNTING
    ) -> None:
        self.settings = settings
        self.name = name
        self.port = free_port()
        self.log = folder / f"{name}.log"
        self._stdout = folder / f"{name}.out"
        self._program = program
        self._log_before = 0
        self.started: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, or start again."""
        arguments = [self.name, str(self.port)]
        if self._program == REAL:
            arguments = ["--name", self.name, "--http-port", str(self.port), "--session-timeout", "3"]
        self._log_before = len(self.text())
        with self.log.open("ab") as log, self._stdout.open("ab") as stdout:
            self.started = subprocess.Popen(
                [sys.executable, *self._program, *arguments],
                env=os.environ | self.settings.to_env(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
            )

    @property
    def came_up(self) -> bool:
        """Whether it got as far as to take signals since it was last started."""
        return "pages on" in self.text()[self._log_before :]

    @property
    def running(self) -> bool:
        """Whether it was started and did not end."""
        return self.started is not None and self.started.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.started is not None
        self.started.send_signal(number)

    def wait(self, timeout_s: float = 30.0) -> int:
        """Wait for the end and return the exit code."""
        assert self.started is not None
        return self.started.wait(timeout_s)

    def end(self) -> int:
        """SIGTERM and wait."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def end_somehow(self) -> None:
        """Leave no process behind."""
        if self.started is not None and self.started.poll() is None:
            self.signal(signal.SIGCONT)
            self.started.kill()
            self.started.wait(10)

    def page(self, path: str) -> tuple[int, bytes]:
        """Return status and body of one of its pages; 0 while there is no server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()
        except OSError:
            return 0, b""

    def health(self) -> dict[str, object]:
        """Return /healthz."""
        return json.loads(self.page("/healthz")[1] or b"{}")

    def metric(self, name: str) -> float:
        """Return a metric, summed over its labels."""
        text = self.page("/metrics")[1].decode()
        lines = (line for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name)
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def stdout(self) -> str:
        """Return what it wrote to standard output."""
        return self._stdout.read_text(errors="replace")

    def text(self) -> str:
        """Return its log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@contextmanager
def workers(
    settings: Settings, folder: Path, *names: str, program: Sequence[str] = COUNTING
) -> Iterator[list[WorkerProcess]]:
    """Start workers, and end them whatever happens; their logs go to standard output for pytest to show."""
    made = [WorkerProcess(settings, name, folder, program) for name in names]
    try:
        for worker in made:
            worker.start()
        yield made
    finally:
        for worker in made:
            worker.end_somehow()
            print(f"---- {worker.name}\n{worker.text()}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def make_tables(settings: Settings) -> None:
    """Apply the migrations."""
    async with single(settings) as connection:
        await migrate(connection)


async def fetch(settings: Settings, sql: str, *arguments: object) -> list[tuple]:
    """Run a query."""
    async with single(settings) as connection:
        return [tuple(row) for row in await connection.fetch(sql, *arguments)]


async def progress(settings: Settings) -> dict[int, int]:
    """Return the database's next offset of each partition that has one."""
    rows = await fetch(
        settings, 'SELECT "partition", next_offset FROM progress WHERE topic = $1', settings.events_topic
    )
    return dict(rows)


@contextmanager
def deadline(seconds: float) -> Iterator[Callable[[], float]]:
    """Give a function that tells the seconds left, and raises when there are none."""
    end = time.monotonic() + seconds

    def left() -> float:
        remaining = end - time.monotonic()
        if remaining <= 0:
            raise AssertionError(f"not within {seconds} s")
        return remaining

    yield left


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Wait until a condition holds."""
    with deadline(seconds) as left:
        while not await condition():
            left()
            await asyncio.sleep(0.1)


class CountingFleet:
    """Sends numbered events of a fleet; knows what it sent, by partition."""

    def __init__(self, settings: Settings, pumps: int = 40) -> None:
        self.settings = settings
        self.pumps = [f"pump-{number:03d}" for number in range(pumps)]
        self.sent = 0
        self.ends: dict[int, int] = {}

    async def send(self, count: int, content: str | None = None) -> None:
        """Send `count` events (all with this content if given) and wait until the broker has them."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka, acks="all", enable_idempotence=True
        )
        await producer.start()
        try:
            await self._send(producer, count, content)
        finally:
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, count: int, content: str | None = None) -> None:
        waiting = []
        for number in range(self.sent, self.sent + count):
            pump = self.pumps[number % len(self.pumps)]
            text = content or f"event-{number}"
            waiting.append(await producer.send(self.settings.events_topic, text.encode(), key=pump.encode()))
        self.sent += count
        for future in waiting:
            placed = await future
            self.ends[placed.partition] = max(self.ends.get(placed.partition, 0), placed.offset + 1)

    async def stream(self, rate: float, stop: asyncio.Event) -> None:
        """Send at `rate` events a second until told to stop."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka, acks="all", enable_idempotence=True
        )
        await producer.start()
        try:
            while not stop.is_set():
                await self._send(producer, max(1, round(rate / 20)))
                await asyncio.sleep(0.05)
        finally:
            await producer.stop()

    def _producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(bootstrap_servers=self.settings.kafka, acks="all", enable_idempotence=True)

    async def all_committed(self) -> bool:
        """Whether the database stands at the end of every partition that got something."""
        return await progress(self.settings) == self.ends

    async def assert_once(self) -> None:
        """Every event is stored, none twice, and every pump's state counted each of its events once."""
        rows = await fetch(self.settings, "SELECT pump, id FROM events")
        assert len(set(rows)) == len(rows), f"{len(rows) - len(set(rows))} events twice"
        expected = {(self.pumps[n % len(self.pumps)], f"event-{n}") for n in range(self.sent)}
        assert set(rows) == expected, (
            f"{len(expected - set(rows))} missing, {len(set(rows) - expected)} unknown"
        )
        states = await fetch(self.settings, "SELECT pump, blob FROM state WHERE blob IS NOT NULL")
        counted = sum(int.from_bytes(blob, "little") for _, blob in states)
        assert counted == self.sent, f"states counted {counted} of {self.sent}"
