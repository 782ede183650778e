"""Keeps the newest snapshot: looks often, reads when something was committed, and outlives the database's absence."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
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
FIGURES_EVERY_S: Final = 15.0
"""How often it asks what the store says of itself, which costs a look at each of its files."""


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
        self._running: list[asyncio.Task[None]] = []
        self._up = False
        self._said: dict[str, str] = {}
        self._figures: Figures | None = None
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
        self._running = [
            asyncio.create_task(_repeat(self.look, LOOK_EVERY_S)),
            asyncio.create_task(_repeat(self.read_figures, FIGURES_EVERY_S)),
        ]

    async def stop(self) -> None:
        """End that."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def look(self) -> None:
        """Read what is due; whatever goes wrong is said once, and the next look tries again."""
        try:
            await self._read_what_is_due()
        except Exception as away:  # noqa: BLE001 - whatever it is, the snapshot in hand stays
            self._up = False
            self._read_at = self._read_all_at = float("-inf")  # once it answers, read all at once
            self._say("the last snapshot stays", away)
        else:
            self._up = True
            self._said.pop("the last snapshot stays", None)

    async def read_figures(self) -> None:
        """Read the store's figures, apart from the fleet: no page may wait for them, or be missing because they fail."""
        try:
            figures = await self._source.figures()
        except Exception as away:  # noqa: BLE001 - whatever it is, the figures in hand stay
            self._say("the store's last figures stay", away)
            return
        self._said.pop("the store's last figures stay", None)
        self._figures = figures
        if self._current is not None:
            self._current = replace(self._current, figures=figures)

    def _say(self, what: str, why: Exception) -> None:
        reason = str(why) if isinstance(why, ThecaflowError) else f"{type(why).__name__}: {why}"
        if self._said.get(what) != reason:  # once, not four times a second
            logger.warning("console: %s: %s", what, reason)
        self._said[what] = reason

    async def _read_what_is_due(self) -> None:
        now = self._clock()
        if now - self._read_all_at >= READ_ANYWAY_S:
            self._take(await self._source.fleet(), all_of_it=True)
            self._read_at = self._read_all_at = now
        elif now - self._read_at < READ_EVERY_S:
            pass
        elif await self._source.watermark() != self._watermark:
            self._take(await self._source.fleet())
            self._read_at = now
        else:
            self._confirmed_us = self._now_us()

    def _take(self, fleet: Fleet, *, all_of_it: bool = False) -> None:
        self._watermark = fleet.watermark
        now_us = self._confirmed_us = self._now_us()
        before = self._current
        fresh = Snapshot(
            version=now_us, at_us=now_us, pumps=fleet.pumps, alerts=fleet.alerts, figures=self._figures
        )
        if before is None:
            self._publish(fresh)
            return
        moved = before.alerts != fresh.alerts or before.pumps != fresh.pumps
        if all_of_it:
            moved = moved or before.newest_received_us != fresh.newest_received_us
        version = max(now_us, before.version + 1) if moved else before.version
        self._publish(replace(fresh, version=version))

    def _publish(self, snapshot: Snapshot) -> None:
        self._current = snapshot
        self._arrived.set()
        self._arrived = asyncio.Event()


async def _repeat(do: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        await do()
        await asyncio.sleep(every_s)
