"""Server-sent events: one `changed` with the snapshot's version at each change, to a bounded number of browsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from dashboards.console.parts import SnapshotSource
from ingest.problems import unavailable

KEEP_ALIVE_S: Final = 15.0
"""Below the minute after which proxies close what is silent; the viewer's token is looked at as often."""
RETRY_MS: Final = 2000
MAX_CLIENTS: Final = 500


class Streams:
    """All open streams of the console; they end by themselves when the console does."""

    def __init__(
        self, snapshots: SnapshotSource, *, limit: int = MAX_CLIENTS, keep_alive_s: float = KEEP_ALIVE_S
    ) -> None:
        self._snapshots = snapshots
        self._limit = limit
        self._keep_alive_s = keep_alive_s
        self._closing = asyncio.Event()
        self.clients = 0

    def close(self) -> None:
        """End every stream now: a server that stops waits for its answers to end."""
        self._closing.set()

    def admit(self) -> None:
        """Raise Problem 503 where no further client finds room."""
        if self.clients >= self._limit or self._closing.is_set():
            raise unavailable("streams", "As many browsers listen as may; reload instead.", 30.0)

    async def events(self, still_allowed: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """Yield the stream of one client: the present version at once, then each change, comments in between."""
        self.clients += 1
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            version = -1
            while not self._closing.is_set() and await still_allowed():
                newer = await self._next(version)
                if newer is None:
                    yield b": still here\n\n"
                else:
                    version = newer
                    yield f"event: changed\ndata: {version}\n\n".encode()
        finally:
            self.clients -= 1

    async def _next(self, version: int) -> int | None:
        """Return the next version, None where none comes in time or the console ends."""
        change = asyncio.create_task(self._version_after(version))
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait(
                (change, closing), timeout=self._keep_alive_s, return_when=asyncio.FIRST_COMPLETED
            )
            return change.result() if change.done() else None
        finally:
            change.cancel()
            closing.cancel()

    async def _version_after(self, version: int) -> int:
        return (await self._snapshots.changed(version)).version
