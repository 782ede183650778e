"""What the database holds of a load run, found by the run's part in the names of its pumps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from storage.overview import progress
from storage.queries import named


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """Versions of the server and of its extension."""

    postgres: str
    timescaledb: str


async def next_offsets(connection: Any, topic: str) -> dict[int, int]:
    """Return the next offset of each partition that something was committed of."""
    return {row.partition: row.next_offset for row in await progress(connection, topic)}


async def stored_ids(connection: Any, first_pump: str, last_pump: str) -> list[str]:
    """Return the id of every stored event of these pumps, by name from the first to the last, once for each row."""
    return [row[0] for row in await connection.fetch(named("load_stored"), first_pump, last_pump)]


async def quarantined_ids(connection: Any, first_pump: str, last_pump: str) -> list[str | None]:
    """Return the id of every quarantined record of these pumps, None where it has none that could be read."""
    return [row[0] for row in await connection.fetch(named("load_quarantined"), first_pump, last_pump)]


async def alerts_raised(connection: Any, first_pump: str, last_pump: str) -> dict[str, int]:
    """Return how many alerts these pumps raised, by cause; those that were only pending are left out."""
    rows = await connection.fetch(named("load_alerts"), first_pump, last_pump)
    return {row[0]: row[1] for row in rows}


async def database_facts(connection: Any) -> DatabaseFacts:
    """Return what the server says of itself."""
    return DatabaseFacts(*await connection.fetchrow(named("load_database")))
