"""Reading the log of record: what is known of an id, a pump's history from a checkpoint on, the export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from contract.codec import with_received
from storage.pgcopy import MIN_TIMESTAMP_US, escaped
from storage.queries import named
from storage.types import (
    CheckpointRow,
    EventKey,
    FactRow,
    History,
    HistoryRequest,
    Known,
    StoredEvent,
)

_PREFETCH: Final = 500


async def known(connection: Any, pumps: Sequence[str], ids: Sequence[str]) -> dict[EventKey, Known]:
    """Return what is stored of the counting events with these keys; `pumps` and `ids` are parallel."""
    rows = await connection.fetch(named("known"), pumps, [escaped(identity) for identity in ids])
    return {(pumps[row[0] - 1], ids[row[0] - 1]): Known(row[1], row[2]) for row in rows}


async def history(connection: Any, request: HistoryRequest) -> History:
    """Return the pump's newest usable checkpoint, its counting events that reach it, and its facts from there on."""
    checkpoint = None if request.everything else await _checkpoint(connection, request)
    head_us, begins_us = MIN_TIMESTAMP_US, MIN_TIMESTAMP_US
    if checkpoint is not None:
        head_us = checkpoint.head_us
        begins_us = head_us - await connection.fetchval(named("longest"), request.pump)
    events = await connection.fetch(named("history_events"), request.pump, head_us, begins_us)
    facts = await connection.fetch(named("history_facts"), request.pump, head_us)
    return History(
        checkpoint,
        [StoredEvent(row["payload"], row["received"], row["offset_us"], row["digest"]) for row in events],
        [fact_of(row) for row in facts],
    )


async def _checkpoint(connection: Any, request: HistoryRequest) -> CheckpointRow | None:
    row = await connection.fetchrow(
        named("checkpoint_before"), request.pump, request.first_us, request.seq, request.first_raw_us
    )
    return None if row is None else CheckpointRow(*row)


def fact_of(row: Any) -> FactRow:
    """Return a fact as it was written."""
    return FactRow(
        row["kind"],
        row["pump"],
        row["at"],
        row["cause"],
        row["alert_id"],
        row["ordinal"],
        row["line"].encode(),
    )


async def export(
    connection: Any, pump: str | None = None, until_us: int | None = None
) -> AsyncIterator[bytes]:
    """Yield the wire bytes of every event, `received` set, by corrected time, pump, id and digest.

    Also those that lost a conflict of ids or repeat known rows: folding the export gives the same facts. `until_us`
    leaves out what begins after it. One snapshot of the database; a chunk of time is sorted at a time.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        slices = await connection.fetch(named("export_slices"))
        for start_us, end_us in slices:
            if until_us is not None and start_us > until_us:
                break
            query = connection.cursor(
                named("export_events"), start_us, end_us, pump, until_us, prefetch=_PREFETCH
            )
            async for payload, received_us in query:
                yield payload if received_us is None else with_received(payload, received_us)
