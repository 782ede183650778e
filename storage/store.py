"""Storage as one port: the same eight verbs on TimescaleDB and in memory, with one suite of tests for both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from storage import commit, facts, log, states
from storage.pool import Database
from storage.types import (
    DEFAULT_TOPIC,
    Changes,
    EventKey,
    FactRow,
    History,
    HistoryRequest,
    Known,
    UploadHeader,
)


class Store(Protocol):
    """What the worker, the export and the comparison ask of storage. Any verb may raise UnreachableError: try again."""

    async def commit(self, changes: Changes, topic: str = DEFAULT_TOPIC) -> bool:
        """Write a batch in one transaction; False, and nothing written, if the partition has another owner.

        Raises InconsistentChangesError where something replaced or superseded is not stored as such.
        """

    async def known(self, pumps: Sequence[str], ids: Sequence[str]) -> dict[EventKey, Known]:
        """Return what is stored of the counting events with these keys (parallel sequences)."""

    async def history(self, request: HistoryRequest) -> History:
        """Return what a rewind folds again."""

    async def upload_headers(self, pump: str) -> list[UploadHeader]:
        """Return the pump's counting uploads, by corrected time."""

    async def load(self, topic: str, partition: int) -> dict[str, bytes]:
        """Return the head states of a partition."""

    async def next_offset(self, topic: str, partition: int) -> int:
        """Return the first offset that is not stored; 0 where nothing is."""

    def export(self, pump: str | None = None, until_us: int | None = None) -> AsyncIterator[bytes]:
        """Yield every event's wire bytes, `received` set, by corrected time, pump, id, digest."""

    def believed(self, until_us: int | None = None) -> AsyncIterator[FactRow]:
        """Yield the current run's facts that are believed now, in the contract's order."""


class DatabaseStore:
    """The port on TimescaleDB; every call borrows a connection of the pool for its length."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def commit(self, changes: Changes, topic: str = DEFAULT_TOPIC) -> bool:
        """See Store."""
        async with self._database.acquire() as connection:
            return await commit.commit(connection, changes, topic)

    async def known(self, pumps: Sequence[str], ids: Sequence[str]) -> dict[EventKey, Known]:
        """See Store."""
        async with self._database.acquire() as connection:
            return await log.known(connection, pumps, ids)

    async def history(self, request: HistoryRequest) -> History:
        """See Store."""
        async with self._database.acquire() as connection:
            return await log.history(connection, request)

    async def upload_headers(self, pump: str) -> list[UploadHeader]:
        """See Store."""
        async with self._database.acquire() as connection:
            return await log.upload_headers(connection, pump)

    async def load(self, topic: str, partition: int) -> dict[str, bytes]:
        """See Store."""
        async with self._database.acquire() as connection:
            return await states.load(connection, topic, partition)

    async def next_offset(self, topic: str, partition: int) -> int:
        """See Store."""
        async with self._database.acquire() as connection:
            return await states.next_offset(connection, topic, partition)

    async def export(self, pump: str | None = None, until_us: int | None = None) -> AsyncIterator[bytes]:
        """See Store."""
        async with self._database.acquire() as connection:
            async for wire in log.export(connection, pump, until_us):
                yield wire

    async def believed(self, until_us: int | None = None) -> AsyncIterator[FactRow]:
        """See Store."""
        async with self._database.acquire() as connection:
            async for fact in facts.believed(connection, until_us):
                yield fact
