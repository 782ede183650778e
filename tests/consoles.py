"""Console processes for integration tests, and a fleet in the database for them to show."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from ingest.tokens import make_token
from storage import commit, tokens
from storage.pool import single
from storage.types import Changes, FactRow
from tests.unit.storage.rows import T0_US, batch
from tests.workers import free_port
from thecaflow.settings import Settings


class ConsoleProcess:
    """A running console, its log, and a client of it."""

    def __init__(self, settings: Settings, folder: Path, name: str = "console") -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.settings = settings.with_changes(console_port=port, console_url=self.url)
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.started = subprocess.Popen(
                [sys.executable, "-m", "thecaflow", "console"],
                env=os.environ | self.settings.to_env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        """Return its log so far."""
        return self.log.read_text()

    async def status(self, path: str) -> int:
        """Return the status of a page without a token; 0 while there is no server."""
        assert self.started.poll() is None, self.text()
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(self.url + path, timeout=10)).status_code
        except httpx.TransportError:
            return 0

    async def ready(self) -> bool:
        """Whether /readyz says so."""
        return await self.status("/readyz") == 200

    async def metric(self, name: str) -> dict[str, float]:
        """Return the samples of a metric by their labels as text; empty while there is no answer."""
        try:
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"{self.url}/metrics", timeout=10)
        except httpx.TransportError:
            return {}
        if answer.status_code != 200:
            return {}
        samples = (line.rpartition(" ") for line in answer.text.splitlines() if line.startswith(name))
        return {labels.removeprefix(name): float(number) for labels, _, number in samples}

    async def ask(self, token: str, path: str, **fields: str) -> httpx.Response:
        """GET, or with fields POST them as JSON."""
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20) as client:
            return await (client.post(path, json=fields) if fields else client.get(path))


@contextmanager
def console_process(settings: Settings, folder: Path, name: str = "console") -> Iterator[ConsoleProcess]:
    """Run a console for the length of the block; its log goes to standard output for pytest to show."""
    console = ConsoleProcess(settings, folder, name)
    try:
        yield console
    finally:
        if console.started.poll() is None:
            console.started.kill()
            console.started.wait(10)
        print(f"---- {name}\n{console.text()}")


class Log:
    """Commits batches of one partition, as a worker would, one after another."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.offset = 0

    async def commit(self, added: Sequence[FactRow] = (), superseded: Sequence[FactRow] = ()) -> Changes:
        """Commit one batch with these facts."""
        changes = batch(self.offset, added=added, superseded=superseded)
        async with single(self.settings) as connection:
            assert await commit.commit(connection, changes, self.settings.events_topic)
        self.offset = changes.next_offset
        return changes


async def register(settings: Settings, pumps: dict[str, str | None]) -> None:
    """Have pumps, by name, at sites."""
    async with single(settings) as connection:
        for pump, site in pumps.items():
            await connection.execute(
                "INSERT INTO pump VALUES ($1, $2, $3, 'm', 20, 2, 300, 2, 40, 0.145, NULL, 180, 3600, false)",
                pump,
                T0_US,
                site,
            )


async def add_token(settings: Settings, role: str, *sites: str) -> str:
    """Add a token to the database and return its secret."""
    secret, row = make_token(f"a {role}", time.time_ns() // 1000, role=role, sites=sites)
    async with single(settings) as connection:
        await tokens.add(connection, row)
    return secret
