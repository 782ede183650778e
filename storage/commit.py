"""The commit protocol: all that one batch changes, in one transaction, or nothing.

The order, and what would be lost if it changed:
1. Compare-and-set of `progress`. First, because its row lock is what keeps a second owner of the partition from writing
   the same rows; were it last, two owners would meet on a unique key instead and one would die of it.
2. Events that no longer count, before the ones that take their place; beliefs that end, before those that follow them.
3. Everything else in any order. States last: their row versions are the largest and hold locks the shortest.
A lost connection leaves nobody knowing whether it committed: the caller tries again, and the compare-and-set tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg

from contract.errors import UnreachableError
from storage import pgcopy, registrations
from storage.errors import InconsistentChangesError
from storage.event_roles import merge_roles
from storage.event_rows import EVENT_COLUMNS, ID_COLUMNS, encode_events, encode_ids
from storage.fact_rows import FACT_COLUMNS, OUTBOX_COLUMNS, encode_facts, encode_outbox
from storage.pool import LOCK_TIMEOUT_MS
from storage.queries import named
from storage.types import DEFAULT_TOPIC, Changes, CheckpointRow, EventRow, FactKind, FactRow, QuarantineRow

_KINDS: Final[tuple[FactKind, ...]] = ("dose", "forecast", "alert")
_ANNOUNCED: Final[frozenset[FactKind]] = frozenset({"dose", "alert"})
"""A forecast is only ever read as the newest, and there are as many of them as doses."""
_IN_SERVICE: Final = frozenset({"pump_registered", "pump_explanted"})
"""What table `pump` is kept by."""
_QUARANTINE_COLUMNS: Final = (
    "topic",
    "partition",
    "offset",
    "believed_from",
    "pump",
    "id",
    "at",
    "reason",
    "text",
    "payload",
)


async def commit(
    connection: Any, changes: Changes, topic: str = DEFAULT_TOPIC, run_id: int | None = None
) -> bool:
    """Write a batch's changes in one transaction; return False, writing nothing, if the partition has another owner.

    `run_id`: the run of the states that were folded on; False if it is not the current one any more. None: any.

    Raises InconsistentChangesError where a replaced event or superseded fact is not stored as such, or a new one is
    stored already; UnreachableError where a frozen worker held the partition (it has been ended: try again), asyncpg's errors as they come.
    """
    try:
        async with connection.transaction():
            current_run = await _advance(connection, topic, changes, run_id)
            if current_run is None:
                return False
            await write_events(connection, changes)
            await _write_facts(connection, changes, current_run)
            await write_checkpoints(connection, changes)
            await _write_quarantine(connection, topic, changes)
            await write_states(connection, topic, changes)
    except asyncpg.LockNotAvailableError as held:
        await connection.fetch(named("blocker_end"), LOCK_TIMEOUT_MS)
        raise UnreachableError(
            f"partition {changes.partition} was held for {LOCK_TIMEOUT_MS} ms by a commit that does not move; "
            "it has been ended: try again"
        ) from held
    except asyncpg.UniqueViolationError as twice:
        raise InconsistentChangesError(
            f"partition {changes.partition} from offset {changes.expected_offset}: {twice} ({twice.detail})"
        ) from twice
    return True


async def _advance(connection: Any, topic: str, changes: Changes, run_id: int | None) -> int | None:
    partition, expected, next_offset = changes.partition, changes.expected_offset, changes.next_offset
    current_run: int | None = await connection.fetchval(
        named("progress_advance"), topic, partition, expected, next_offset, run_id
    )
    if current_run is None and expected == 0:
        current_run = await connection.fetchval(
            named("progress_begin"), topic, partition, next_offset, run_id
        )
    return current_run


# ------------------------------------------------------------------------------------------------------------- events
async def write_events(connection: Any, changes: Changes) -> None:
    """Write `events`, `replaced` and `received_updates`; raises as `commit` does."""
    if changes.replaced:
        await _replace(connection, changes.replaced)
    events = await _take_back(connection, changes)
    if events:
        await pgcopy.copy(connection, "events", EVENT_COLUMNS, encode_events(events))
        await pgcopy.copy(connection, "event_ids", ID_COLUMNS, encode_ids(events))
    if changes.received_updates:
        await _receive(connection, changes.received_updates)
    pumps = {event.pump for event in events if event.type in _IN_SERVICE} | {
        pump for pump, _ in changes.replaced
    }
    if pumps:
        await registrations.refresh(connection, sorted(pumps))
        await registrations.mark_explanted(connection, sorted(pumps))


async def _replace(connection: Any, keys: Sequence[tuple[str, str]]) -> None:
    pumps, ids = _key_columns(keys)
    found = await connection.fetch(named("event_ids_replace"), pumps, ids)
    if len(found) != len(set(keys)):
        raise InconsistentChangesError(
            f"{len(set(keys)) - len(found)} of the replaced events do not count now"
        )
    await connection.execute(named("events_replace"), *_places(found), *_span(found))


async def _take_back(connection: Any, changes: Changes) -> Sequence[EventRow]:
    """Remove stored copies of events that come again in another role; return the events to write.

    An event that loses or wins a conflict of ids, or whose corrected time moved, may be stored already. Only such can
    be, so the common batch does nothing here.
    """
    replaced = set(changes.replaced)
    again = [event for event in changes.events if not event.counts or (event.pump, event.id) in replaced]
    if not again:
        return changes.events
    pumps, ids = _key_columns([(event.pump, event.id) for event in again])
    found = await connection.fetch(
        named("event_ids_take"), pumps, ids, [event.digest.hex() for event in again]
    )
    if found:
        await connection.execute(named("events_take"), *_places(found), *_span(found))
    received = {
        (row["pump"], pgcopy.unescaped(row["id"]), row["digest"].bytes): row["received"] for row in found
    }
    return merge_roles(changes.events, received)


async def _receive(connection: Any, updates: Sequence[tuple[str, str, int]]) -> None:
    earliest: dict[tuple[str, str], int] = {}
    for pump, identity, received_us in updates:
        earliest[pump, identity] = min(received_us, earliest.get((pump, identity), received_us))
    pumps, ids = _key_columns(list(earliest))
    found = await connection.fetch(named("event_ids_receive"), pumps, ids, list(earliest.values()))
    if len(found) != len(earliest):
        raise InconsistentChangesError(
            f"{len(earliest) - len(found)} events got a `received`, but do not count"
        )
    times = [row["received"] for row in found]
    await connection.execute(named("events_receive"), *_places(found), times, *_span(found))


def _key_columns(keys: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    keys = list(keys)
    return [pump for pump, _ in keys], [pgcopy.escaped(identity) for _, identity in keys]


def _places(found: Sequence[Any]) -> tuple[list[Any], ...]:
    return tuple([row[name] for row in found] for name in ("pump", "id", "digest", "at"))


def _span(found: Sequence[Any]) -> tuple[int, int]:
    """Return the first and last time, as constants of the statement, so that other chunks are not even opened."""
    times = [row["at"] for row in found]
    return min(times), max(times)


# -------------------------------------------------------------------------------------------------------------- facts
async def _write_facts(connection: Any, changes: Changes, run_id: int) -> None:
    believed_us = changes.believed_us
    for kind in _KINDS:
        ended = [fact for fact in changes.superseded if fact.kind == kind]
        if ended:
            await _supersede(connection, kind, ended, run_id, believed_us)
    await copy_facts(connection, changes.added, run_id, believed_us)
    await announce(connection, changes, run_id)


async def copy_facts(connection: Any, facts: Sequence[FactRow], run_id: int, believed_us: int) -> None:
    """Write facts of a run that are believed from `believed_us` on."""
    for kind in _KINDS:
        rows = encode_facts([fact for fact in facts if fact.kind == kind], run_id, believed_us)
        await pgcopy.copy(connection, kind, FACT_COLUMNS[kind], rows)


async def announce(connection: Any, changes: Changes, run_id: int) -> None:
    """Write the `superseded` and `added` facts that anybody subscribes to into the outbox."""
    ended = [fact for fact in changes.superseded if fact.kind in _ANNOUNCED]
    begun = [fact for fact in changes.added if fact.kind in _ANNOUNCED]
    outbox = encode_outbox(ended, "superseded", run_id, changes.believed_us)
    outbox += encode_outbox(begun, "added", run_id, changes.believed_us)
    await pgcopy.copy(connection, "outbox", OUTBOX_COLUMNS, outbox)


async def _supersede(
    connection: Any, kind: FactKind, ended: Sequence[FactRow], run_id: int, believed_us: int
) -> None:
    status: str = await connection.execute(
        named(f"{kind}_supersede"),
        believed_us,
        run_id,
        [fact.pump for fact in ended],
        [fact.at_us for fact in ended],
        [fact.cause for fact in ended],
        [fact.alert_id for fact in ended],
        [fact.ordinal for fact in ended],
    )
    updated = int(status.rpartition(" ")[2])
    if updated != len(ended):
        raise InconsistentChangesError(
            f"{len(ended)} {kind} facts end, but {updated} of them are believed now"
        )


# ------------------------------------------------------------------------------------------------- states, checkpoints
async def write_checkpoints(connection: Any, changes: Changes) -> None:
    """Write `checkpoints` after those of `drop_checkpoints` are gone, and thin out what is old."""
    if changes.drop_checkpoints:
        pumps, after = zip(*changes.drop_checkpoints, strict=True)
        await connection.execute(named("checkpoints_drop"), pumps, after)
    rows = list({(row.pump, row.head_us): row for row in changes.checkpoints}.values())
    if rows:
        await connection.execute(named("checkpoints_write"), *_checkpoint_columns(rows))
        await connection.execute(
            named("checkpoints_thin"), [row.pump for row in rows], [row.head_us for row in rows]
        )


def _checkpoint_columns(rows: Sequence[CheckpointRow]) -> tuple[list[Any], ...]:
    return (
        [row.pump for row in rows],
        [row.head_us for row in rows],
        [row.max_seq for row in rows],
        [row.max_raw_us for row in rows],
        [row.blob for row in rows],
    )


async def write_states(connection: Any, topic: str, changes: Changes) -> None:
    """Write `states`, and how long the longest of `events` is."""
    longest: dict[str, int] = {}
    for event in changes.events:
        longest[event.pump] = max(longest.get(event.pump, 0), event.last_us - event.first_us)
    blobs: dict[str, bytes | None] = dict.fromkeys(longest)
    blobs.update((state.pump, state.blob) for state in changes.states)
    if blobs:
        await connection.execute(
            named("states_write"),
            topic,
            changes.partition,
            list(blobs),
            list(blobs.values()),
            [longest.get(pump, 0) for pump in blobs],
        )


# ---------------------------------------------------------------------------------------------------------- quarantine
async def _write_quarantine(connection: Any, topic: str, changes: Changes) -> None:
    rows = [_encode_quarantined(row, topic, changes) for row in changes.quarantined]
    await pgcopy.copy(connection, "quarantine", _QUARANTINE_COLUMNS, rows)


def _encode_quarantined(quarantined: QuarantineRow, topic: str, changes: Changes) -> bytes:
    return pgcopy.row(
        pgcopy.text(topic),
        pgcopy.int4(changes.partition),
        pgcopy.int8(quarantined.offset),
        pgcopy.timestamptz(changes.believed_us),
        pgcopy.text(quarantined.pump),
        pgcopy.text(quarantined.id),
        pgcopy.timestamptz(quarantined.at_us),
        pgcopy.text(quarantined.reason),
        pgcopy.text(quarantined.text),
        pgcopy.binary(quarantined.payload),
    )
