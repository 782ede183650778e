"""Storage as one port: the same verbs on TimescaleDB and in memory, with one suite of tests for both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from storage import commit, facts, log, states
from storage.migrate import require_current
from storage.pool import Database
from storage.restoring import outside_restores, refuse_restoring
from storage.types import DEFAULT_TOPIC, Changes, EventKey, FactRow, History, HistoryRequest, Known, Loaded


class Store(Protocol):
    """What the worker, the export and the comparison ask of storage, for one topic.

    Any verb may raise UnreachableError: what failed may pass by itself, so try again.
    """

    async def load(self, partition: int) -> Loaded:
        """Return head states by pump, the first offset that is not stored, and the current run, as of one moment."""

    async def next_offset(self, partition: int) -> int:
        """Return the first offset that is not stored; 0 where nothing is."""

    async def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, Known]:
        """Return what is stored of the counting events with these keys."""

    async def history(self, request: HistoryRequest) -> History:
        """Return what a rewind folds again."""

    async def commit(self, changes: Changes, run_id: int | None = None) -> bool:
        """Write a batch in one transaction; False, and nothing written, if the partition has another owner.

        False too if `run_id`, that of the states folded on, is not the current run: the states were rebuilt meanwhile.
        Raises InconsistentChangesError where something replaced or superseded is not stored as such.
        """

    def export(self, pump: str | None = None, until_us: int | None = None) -> AsyncIterator[bytes]:
        """Yield every event's wire bytes, `received` set, by corrected time, pump, id, digest."""

    def believed(self, until_us: int | None = None) -> AsyncIterator[FactRow]:
        """Yield the current run's facts that are believed now, in the contract's order."""


class DatabaseStore:
    """The port on TimescaleDB; every call borrows a connection of the pool, and a broken one is never used again."""

    def __init__(self, database: Database, topic: str = DEFAULT_TOPIC) -> None:
        self._database = database
        self._topic = topic

    async def check_schema(self) -> None:
        """Raise SchemaVersionError unless the database has exactly this version's migrations."""
        async with self._database.acquire() as connection:
            await require_current(connection)

    async def load(self, partition: int) -> Loaded:
        """See Store. States older than the offset would pass the compare-and-set and lose events: so one snapshot."""
        async with (
            self._database.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await refuse_restoring(connection)
            next_offset = await states.next_offset(connection, self._topic, partition)
            run_id = await states.current_run(connection)
            return Loaded(await states.load(connection, self._topic, partition), next_offset, run_id)

    async def next_offset(self, partition: int) -> int:
        """See Store."""
        async with self._database.acquire() as connection:
            return await states.next_offset(connection, self._topic, partition)

    async def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, Known]:
        """See Store."""
        pumps, ids = [pump for pump, _ in keys], [identity for _, identity in keys]
        async with self._database.acquire() as connection:
            return await log.known(connection, pumps, ids)

    async def history(self, request: HistoryRequest) -> History:
        """See Store."""
        async with self._database.acquire() as connection:
            return await log.history(connection, request)

    async def commit(self, changes: Changes, run_id: int | None = None) -> bool:
        """See Store."""
        async with self._database.acquire() as connection, outside_restores(connection):
            return await commit.commit(connection, changes, self._topic, run_id)

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
