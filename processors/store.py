"""The agent's `Store` on TimescaleDB: each call takes a connection of the pool, and a broken one is never used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storage import log, states
from storage.commit import commit
from storage.migrate import require_current
from storage.pool import Database
from storage.restoring import refuse_restoring
from storage.types import Changes, EventKey, History, HistoryRequest, Known


class DatabaseStore:
    """One topic's events, facts, states and progress. Every method raises UnreachableError for what may pass."""

    def __init__(self, database: Database, topic: str) -> None:
        self._database = database
        self._topic = topic

    async def check_schema(self) -> None:
        """Raise SchemaVersionError unless the database has exactly this version's migrations."""
        async with self._database.acquire() as connection:
            await require_current(connection)

    async def load(self, partition: int) -> tuple[dict[str, bytes], int]:
        """Return states by pump and the next offset, of one snapshot.

        States older than the offset would pass the compare-and-set and lose events: so never two snapshots.
        """
        async with (
            self._database.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await refuse_restoring(connection)
            next_offset = await states.next_offset(connection, self._topic, partition)
            return await states.load(connection, self._topic, partition), next_offset

    async def next_offset(self, partition: int) -> int:
        """Return the first offset that is not in the database yet."""
        async with self._database.acquire() as connection:
            return await states.next_offset(connection, self._topic, partition)

    async def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, Known]:
        """Return what is stored of these events."""
        pumps, ids = [pump for pump, _ in keys], [identity for _, identity in keys]
        async with self._database.acquire() as connection:
            return await log.known(connection, pumps, ids)

    async def history(self, request: HistoryRequest) -> History:
        """Return the pump's newest usable checkpoint and what came after it."""
        async with self._database.acquire() as connection:
            return await log.history(connection, request)

    async def commit(self, changes: Changes) -> bool:
        """Write everything in one transaction; False if the partition is not ours any more."""
        async with self._database.acquire() as connection:
            return await commit(connection, changes, self._topic)
