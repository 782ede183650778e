"""Where a partition stands, and the head states of its pumps: read on assignment."""

from __future__ import annotations

from typing import Any

from storage.queries import named


async def load(connection: Any, topic: str, partition: int) -> dict[str, bytes]:
    """Return the head state of every pump of a partition."""
    return {
        row["pump"]: row["blob"] for row in await connection.fetch(named("states_read"), topic, partition)
    }


async def current_run(connection: Any) -> int:
    """Return the run whose facts and states are the present ones."""
    run_id: int = await connection.fetchval(named("run_current"))
    return run_id


async def next_offset(connection: Any, topic: str, partition: int) -> int:
    """Return the first offset that is not in the database yet; 0 where nothing was committed."""
    offset: int | None = await connection.fetchval(named("progress_read"), topic, partition)
    return 0 if offset is None else offset
