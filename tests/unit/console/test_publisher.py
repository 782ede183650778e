"""The publisher over an outbox, a lock and a topic in memory: what is sent, in which order, and when it is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from contract.errors import UnreachableError
from dashboards.console.publisher import Publisher
from storage.facts import OutboxRow
from storage.types import FactKind


class Shared:
    """One outbox, one lock and one topic, and the order of what was done to them."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []
        self.holder: object | None = None
        self.sent: list[int] = []
        self.steps: list[str] = []
        self.topic_fails = 0
        self.sessions_fail = 0
        self.cut = False

    def put(self, *kinds: FactKind) -> None:
        """Add changes."""
        for kind in kinds:
            position = len(self.steps) + len(self.rows) + 1
            self.rows.append(OutboxRow(position, f"id-{position}", "added", kind, "p", 0, b"{}"))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Open a session; its end frees the lock."""
        if self.sessions_fail:
            self.sessions_fail -= 1
            raise UnreachableError("the database is away")
        session = Session(self)
        try:
            yield session
        finally:
            if self.holder is session:
                self.holder = None

    async def send(self, rows: Sequence[OutboxRow]) -> None:
        """Take changes."""
        if self.topic_fails:
            self.topic_fails -= 1
            raise UnreachableError("the broker is away")
        self.sent += [row.position for row in rows]
        self.steps.append("sent")


class Session:
    """One session's view of the outbox."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def hold(self) -> bool:
        if self._shared.holder is None:
            self._shared.holder = self
        return self._shared.holder is self

    async def read(self, limit: int) -> Sequence[OutboxRow]:
        return list(self._shared.rows[:limit])

    async def forget(self, positions: Sequence[int]) -> None:
        if self._shared.cut:
            self._shared.cut = False
            raise UnreachableError("the connection was lost")
        self._shared.rows = [row for row in self._shared.rows if row.position not in positions]
        self._shared.steps.append("forgotten")


class Running:
    """A publisher that runs, and what it counted."""

    def __init__(self, shared: Shared) -> None:
        self.counted = 0
        self.publisher = Publisher(shared.session, shared, self._count, idle_s=0.001, wait_s=0.001)

    def _count(self, many: int) -> None:
        self.counted += many


async def until(ready: Callable[[], bool]) -> None:
    """Wait for something, two seconds at most."""
    async with asyncio.timeout(2):
        while not ready():  # noqa: ASYNC110 - the fakes tell nobody
            await asyncio.sleep(0.001)


async def test_changes_are_sent_in_order_and_forgotten_only_then():
    """Forecasts are forgotten unsent."""
    shared = Shared()
    shared.put("dose", "forecast", "alert", "dose")
    running = Running(shared)
    await running.publisher.start()
    await until(lambda: not shared.rows)
    await running.publisher.stop()
    assert (shared.sent, shared.steps, running.counted) == ([1, 3, 4], ["sent", "forgotten"], 3)


async def test_what_the_broker_did_not_take_is_sent_again():
    """Nothing is forgotten meanwhile, and nothing is out of order."""
    shared = Shared()
    shared.put("dose", "alert")
    shared.topic_fails = 3
    running = Running(shared)
    await running.publisher.start()
    await until(lambda: not shared.rows)
    await running.publisher.stop()
    assert (shared.sent, running.counted) == ([1, 2], 2)


async def test_a_lost_connection_after_the_sending_sends_again_with_the_same_ids():
    """At least once: the rows are what they were."""
    shared = Shared()
    shared.put("alert")
    shared.cut = True
    shared.sessions_fail = 2
    running = Running(shared)
    await running.publisher.start()
    await until(lambda: not shared.rows)
    await running.publisher.stop()
    assert shared.sent == [1, 1]


async def test_the_second_publisher_takes_over_when_the_first_ends():
    """While the first one holds the outbox the second sends nothing."""
    shared = Shared()
    first, second = Running(shared), Running(shared)
    await first.publisher.start()
    await until(lambda: shared.holder is not None)
    await second.publisher.start()
    shared.put("dose")
    await until(lambda: not shared.rows)
    await asyncio.sleep(0.01)
    assert (first.counted, second.counted) == (1, 0)
    await first.publisher.stop()
    shared.put("dose")
    await until(lambda: not shared.rows)
    await second.publisher.stop()
    assert (first.counted, second.counted) == (1, 1)
    assert shared.holder is None
