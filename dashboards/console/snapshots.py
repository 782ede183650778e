"""Keeps the newest snapshot: looks often, reads when something was committed, and outlives the database's absence."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from contract.errors import ThecaflowError
from dashboards.console.database import Asking
from dashboards.console.snapshot import Snapshot
from storage import console
from storage.console import Figures, Fleet, Watermark

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.25
"""How often it asks whether anything was committed."""
READ_EVERY_S: Final = 1.0
"""How often it reads at most, however much is committed."""
READ_ANYWAY_S: Final = 15.0
"""How often it reads at least: some things change without a commit of a worker."""


class FleetSource(Protocol):
    """What snapshots are read from; every method raises UnreachableError."""

    async def watermark(self) -> Watermark:
        """Return where the commits are."""

    async def fleet(self) -> Fleet:
        """Return every pump and open alert of one moment."""

    async def figures(self) -> Figures:
        """Return what the store says of itself."""


@dataclass(frozen=True, slots=True)
class DatabaseFleet:
    """The fleet in the database, by the states of one events topic."""

    database: Asking
    topic: str

    async def watermark(self) -> Watermark:
        """Return where the commits are."""
        return await self.database.ask(lambda connection: console.watermark(connection, self.topic))

    async def fleet(self) -> Fleet:
        """Return every pump and open alert of one moment."""
        return await self.database.ask(lambda connection: console.fleet(connection, self.topic))

    async def figures(self) -> Figures:
        """Return what the store says of itself."""
        return await self.database.ask(console.figures)


class Snapshots:
    """The newest snapshot, and a wait for the next.

    Parameters
    ----------
    source
        Where it reads.
    now_us
        The clock that snapshots are stamped with.
    clock
        Seconds, for the pauses between reads.
    """

    def __init__(
        self, source: FleetSource, now_us: Callable[[], int], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._now_us = now_us
        self._clock = clock
        self._current: Snapshot | None = None
        self._watermark: Watermark | None = None
        self._read_at = self._read_all_at = float("-inf")
        self._arrived = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._up = False
        self._confirmed_us = 0

    @property
    def current(self) -> Snapshot | None:
        """The newest snapshot; None while the database has not answered since the start."""
        return self._current

    @property
    def confirmed_us(self) -> int:
        """When the database last said that nothing has been committed since the newest snapshot."""
        return self._confirmed_us

    @property
    def database_up(self) -> bool:
        """Whether the last look succeeded."""
        return self._up

    async def changed(self, after_version: int) -> Snapshot:
        """Return the first snapshot whose version is above `after_version`, at once or when it comes."""
        while (current := self._current) is None or current.version <= after_version:
            await self._arrived.wait()
        return current

    async def start(self) -> None:
        """Begin to look; the first snapshot is there on return if the database answers."""
        await self.look()
        self._running = asyncio.create_task(self._repeat())

    async def stop(self) -> None:
        """End that."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def look(self) -> None:
        """Read what is due; whatever goes wrong is said once, and the next look tries again."""
        try:
            await self._read_what_is_due()
        except ThecaflowError as away:
            self._down(str(away))
        except Exception as surprise:
            logger.debug("snapshot", exc_info=surprise)
            self._down(f"{type(surprise).__name__}: {surprise}")
        else:
            self._up = True

    def _down(self, why: str) -> None:
        if self._up or self._read_at == float("-inf"):
            logger.warning("console: the last snapshot stays: %s", why)
        self._up = False
        self._read_at, self._read_all_at = 0.0, float("-inf")  # once it answers, read all at once

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def _read_what_is_due(self) -> None:
        now = self._clock()
        if now - self._read_all_at >= READ_ANYWAY_S:
            figures = await self._source.figures()
            self._take(await self._source.fleet(), figures)
            self._read_at = self._read_all_at = now
        elif now - self._read_at < READ_EVERY_S:
            pass
        elif await self._source.watermark() != self._watermark:
            self._take(await self._source.fleet(), None)
            self._read_at = now
        else:
            self._confirmed_us = self._now_us()

    def _take(self, fleet: Fleet, figures: Figures | None) -> None:
        self._watermark = fleet.watermark
        now_us = self._confirmed_us = self._now_us()
        before = self._current
        fresh = Snapshot(
            version=now_us, at_us=now_us, pumps=fleet.pumps, alerts=fleet.alerts, figures=figures
        )
        if before is None:
            self._publish(fresh)
            return
        moved = before.alerts != fresh.alerts or before.pumps != fresh.pumps
        if figures is not None:
            moved = moved or before.newest_received_us != fresh.newest_received_us
        version = max(now_us, before.version + 1) if moved else before.version
        self._publish(replace(fresh, version=version, figures=figures or before.figures))

    def _publish(self, snapshot: Snapshot) -> None:
        self._current = snapshot
        self._arrived.set()
        self._arrived = asyncio.Event()
