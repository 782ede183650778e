"""Facts from the outbox to the facts topic: at least once, in order, by one console at a time.

A change is deleted from the outbox only once the broker has it. Whoever dies between the two leaves it to be sent again,
with the same id, by which a subscriber knows it. The lock that makes one publisher of many consoles belongs to a session
of the database: it ends with its holder, and the next one takes over. A holder that lost its session without noticing may
send what the next one sends, too: the same ids again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from contract.errors import ThecaflowError
from storage import facts
from storage.facts import OutboxRow
from storage.pool import DatabaseSettings, single

logger = logging.getLogger(__name__)

BATCH: Final = 500
IDLE_S: Final = 0.2
"""Between two looks into an empty outbox."""
WAIT_S: Final = 1.0
"""Between two attempts at what another console holds, or at what is away."""
ASK_S: Final = 10.0


class HeldOutbox(Protocol):
    """The outbox over one session of the database. Every method raises UnreachableError."""

    async def hold(self) -> bool:
        """Become the one publisher while this session lives; False while another one is."""

    async def read(self, limit: int) -> Sequence[OutboxRow]:
        """Return the oldest changes."""

    async def forget(self, positions: Sequence[int]) -> None:
        """Delete changes that need not be sent any more."""


class FactsTopic(Protocol):
    """Where the changes go."""

    async def send(self, rows: Sequence[OutboxRow]) -> None:
        """Send changes in their order and return once the broker has all of them; raises UnreachableError."""


OpenOutbox = Callable[[], AbstractAsyncContextManager[HeldOutbox]]


@dataclass(frozen=True, slots=True)
class SessionOutbox:
    """The outbox over a connection of its own."""

    connection: Any

    async def hold(self) -> bool:
        """Become the one publisher."""
        async with asyncio.timeout(ASK_S):
            return await facts.hold_outbox(self.connection)

    async def read(self, limit: int) -> Sequence[OutboxRow]:
        """Return the oldest changes."""
        async with asyncio.timeout(ASK_S):
            return await facts.outbox(self.connection, limit)

    async def forget(self, positions: Sequence[int]) -> None:
        """Delete changes."""
        async with asyncio.timeout(ASK_S):
            await facts.published(self.connection, positions)


def open_outbox(settings: DatabaseSettings) -> OpenOutbox:
    """Return what opens a session of the outbox; its errors are the project's."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[SessionOutbox]:
        async with single(settings) as connection:
            yield SessionOutbox(connection)

    return opened


class Publisher:
    """Sends the outbox for as long as the process lives.

    Parameters
    ----------
    count_published
        Told how many changes the broker acknowledged.
    """

    def __init__(
        self,
        outbox: OpenOutbox,
        topic: FactsTopic,
        count_published: Callable[[int], None],
        *,
        idle_s: float = IDLE_S,
        wait_s: float = WAIT_S,
    ) -> None:
        self._outbox = outbox
        self._topic = topic
        self._count_published = count_published
        self._idle_s = idle_s
        self._wait_s = wait_s
        self._running: asyncio.Task[None] | None = None
        self._said = ""

    async def start(self) -> None:
        """Begin."""
        self._running = asyncio.create_task(self.run())

    async def stop(self) -> None:
        """End; what was on its way is sent again by the next publisher."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def run(self) -> None:
        """Hold the outbox and send it, again and again; nothing but a cancellation ends this."""
        while True:
            try:
                async with self._outbox() as outbox:
                    await self._publish_while_held(outbox)
            except (ThecaflowError, TimeoutError) as away:
                self._say(str(away) or type(away).__name__)
            except Exception as surprise:
                logger.debug("publisher", exc_info=surprise)
                self._say(f"{type(surprise).__name__}: {surprise}")
            await asyncio.sleep(self._wait_s)

    async def _publish_while_held(self, outbox: HeldOutbox) -> None:
        while not await outbox.hold():  # noqa: ASYNC110 - a lock of the database tells nobody that it is free
            await asyncio.sleep(self._wait_s)
        logger.info("publisher: this console publishes the facts")
        while True:
            rows = await outbox.read(BATCH)
            await self._publish(outbox, rows)
            if self._said:
                logger.info("publisher: goes on")
                self._said = ""
            if len(rows) < BATCH:
                await asyncio.sleep(self._idle_s)

    async def _publish(self, outbox: HeldOutbox, rows: Sequence[OutboxRow]) -> None:
        if not rows:
            return
        sent = [
            row for row in rows if row.kind != "forecast"
        ]  # of before forecasts were left out of the outbox
        if sent:
            await self._topic.send(sent)
            self._count_published(len(sent))
        await outbox.forget([row.position for row in rows])

    def _say(self, why: str) -> None:
        if why != self._said:  # once, not every second
            logger.warning("publisher: waits: %s", why)
        self._said = why
