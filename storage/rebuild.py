"""A rebuild's side of the database: one transaction in which a new run is written and becomes the current one.

Until it commits everybody reads the old run; if it fails, nothing has changed. Workers are kept from committing by a lock
of table `progress`. One that was loaded before is fenced by its run (storage/commit.py), whatever it has in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from contract.errors import ThecaflowError
from storage.commit import announce, copy_facts, write_checkpoints, write_events, write_states
from storage.log import fact_of
from storage.pgcopy import MIN_TIMESTAMP_US
from storage.pool import LOCK_TIMEOUT_MS, WORKER
from storage.queries import named
from storage.restoring import refuse_restoring
from storage.types import Changes, FactRow, PumpLog, StoredEvent


class WorkerActiveError(ThecaflowError):
    """A worker is up; stop the workers, then run `thecaflow rebuild` again."""


class PartitionUnknownError(ThecaflowError):
    """A pump has a log, but table `state` does not say in which partition; nobody knows who will fold it on."""


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """The transaction of a rebuild under way."""

    connection: Any
    topic: str
    run_id: int

    async def pumps(self) -> dict[str, int]:
        """Return every pump of the log, in order, with its partition. Raises PartitionUnknownError."""
        rows = await self.connection.fetch(named("rebuild_pumps"), self.topic)
        lost = [row["pump"] for row in rows if row["partition"] is None]
        if lost:
            raise PartitionUnknownError(
                f"pump {lost[0]}{f' and {len(lost) - 1} more' if lost[1:] else ''}: events are stored, but table state "
                f"has no row of topic {self.topic} for it; check THECAFLOW_EVENTS_TOPIC, or restore the table"
            )
        return {row["pump"]: row["partition"] for row in rows}

    async def log(self, pump: str, partition: int) -> PumpLog:
        """Return all that is stored of a pump."""
        connection = self.connection
        events = await connection.fetch(named("rebuild_events"), pump)
        facts = await connection.fetch(named("history_facts"), pump, MIN_TIMESTAMP_US)
        head = await connection.fetchval(named("snapshot_head"), self.topic, partition, pump)
        return PumpLog(
            [StoredEvent(*row) for row in events],
            [fact_of(row) for row in facts],
            head,
        )

    async def write(self, pump: str, facts: list[FactRow], changes: Changes) -> None:
        """Write a pump's `facts` under the new run, and of `changes` everything but offsets.

        `added` and `superseded` are for the outbox: how the new run differs from what was believed.
        """
        await write_events(self.connection, changes)
        await copy_facts(self.connection, facts, self.run_id, changes.believed_us)
        await announce(self.connection, changes, self.run_id)
        await self.connection.execute(named("rebuild_checkpoints_forget"), pump)
        await write_checkpoints(self.connection, changes)
        await write_states(self.connection, self.topic, changes)


@asynccontextmanager
async def rebuilding(connection: Any, topic: str, reason: str) -> AsyncIterator[Rebuilding]:
    """Begin a run; at the end of the block it is the current one, if the block raises it never was.

    Raises WorkerActiveError where a worker is up, or somebody commits or rebuilds and does not end.
    """
    await refuse_restoring(connection)
    async with connection.transaction():
        await _keep_workers_out(connection)
        run_id = await connection.fetchval(named("rebuild_run_begin"), reason)
        yield Rebuilding(connection, topic, run_id)
        await connection.execute(named("rebuild_orphans_forget"), topic)
        await connection.execute(named("rebuild_run_end"))
        await connection.execute(named("rebuild_run_switch"), run_id)


async def _keep_workers_out(connection: Any) -> None:
    sessions = await connection.fetch(named("rebuild_workers"), WORKER)
    if sessions:
        clients = ", ".join(sorted({row["client"] for row in sessions}))
        raise WorkerActiveError(
            f"workers are up ({len(sessions)} sessions from {clients}): stop them (SIGTERM), then rebuild. A session whose "
            f"worker is gone ends with SELECT pg_terminate_backend({sessions[0]['pid']})"
        )
    await connection.fetchval(named("rebuild_lock_timeout"), str(LOCK_TIMEOUT_MS))
    try:
        await connection.execute(named("rebuild_lock"))
    except asyncpg.LockNotAvailableError as held:
        raise WorkerActiveError(
            f"somebody else writes to the database and did not end within {LOCK_TIMEOUT_MS} ms, a worker or another "
            "rebuild: wait for it or stop it, then rebuild"
        ) from held
    await connection.fetchval(named("rebuild_lock_timeout"), "0")
