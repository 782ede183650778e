"""One snapshot of the database, pump by pump: its log, the facts believed now, its head state. For the comparison."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from contract.codec import with_received
from storage.log import fact_of
from storage.pgcopy import MIN_TIMESTAMP_US
from storage.queries import named
from storage.types import FactRow


@dataclass(frozen=True, slots=True)
class PumpSnapshot:
    """All that is stored of one pump at one moment. `head`: None where no worker has folded it."""

    pump: str
    events: list[bytes]
    """Wire bytes, `received` set, of the whole log."""
    facts: list[FactRow]
    """Those of the current run that are believed now, in the contract's order."""
    head: bytes | None


class Snapshot:
    """Reads that all see the database as it was at one moment, while workers go on writing."""

    def __init__(self, connection: Any, topic: str) -> None:
        self._connection = connection
        self._topic = topic

    async def pumps(self) -> dict[str, int | None]:
        """Return every pump that something is stored of, in order, with its partition."""
        rows = await self._connection.fetch(named("snapshot_pumps"), self._topic)
        return {row["pump"]: row["partition"] for row in rows}

    async def pump(self, pump: str, partition: int | None) -> PumpSnapshot:
        """Return what is stored of one pump."""
        connection = self._connection
        events = await connection.fetch(named("snapshot_events"), pump)
        facts = await connection.fetch(named("history_facts"), pump, MIN_TIMESTAMP_US)
        head = None
        if partition is not None:
            head = await connection.fetchval(named("snapshot_head"), self._topic, partition, pump)
        return PumpSnapshot(
            pump,
            [raw if received_us is None else with_received(raw, received_us) for raw, received_us in events],
            [fact_of(row) for row in facts],
            head,
        )


@asynccontextmanager
async def snapshot(connection: Any, topic: str) -> AsyncIterator[Snapshot]:
    """Hold one snapshot of the database for the length of the block."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield Snapshot(connection, topic)
