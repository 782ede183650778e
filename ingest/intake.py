"""One body's raw events -> records in the log and a result for each: read, judge, write, answer.

A body is taken as far as its token may: what is refused costs no other event, and nothing refused is written. Only when
every event of it is refused is the whole request (403, or 413 where size is all that is wrong).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from contract.times import format_us
from ingest.authority import Judge, Sites
from ingest.bodies import Media
from ingest.problems import Problem
from ingest.producer import MAX_RECORD_BYTES, Placed
from ingest.records import Record, read_json, read_msgpack
from storage.types import TokenRow

Status: TypeAlias = Literal["accepted", "quarantined", "refused"]
READ_AT_ONCE: Final = 100
"""Events read before the event loop gets a turn: a full body would hold up every other answer."""


class Log(Protocol):
    """Where records go: the bounded producer, or a double in tests."""

    async def write(self, records: Sequence[Record]) -> list[Placed]:
        """Return the places of the records once they are safe; raises UnreachableError."""


class EventResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one event of a body, in the body's order."""

    id: str | None
    status: Status
    reason: str | None = None
    partition: int | None = None
    offset: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """What became of a body: `received` is the gateway's stamp, the counts add up to the number of results."""

    received: str
    accepted: int
    quarantined: int
    refused: int
    results: list[EventResult]


class Intake:
    """Takes bodies for tokens."""

    def __init__(self, log: Log, sites: Sites) -> None:
        self._log = log
        self._sites = sites

    async def take(self, token: TokenRow, events: list[bytes], media: Media, received_us: int) -> Answer:
        """Write what may be written and return a result for each event, once the broker has it.

        `events` is emptied on the way, so that a body is not held twice. Raises Problem 403 or 413 where all events are
        refused, 503 where their pumps' sites can't be looked up; UnreachableError as `Log.write` does.
        """
        judge = Judge(token, self._sites)
        records, refusals = await self._judged(judge, events, media, received_us, keep_received=token.replay)
        writable = [record for record, why in zip(records, refusals, strict=True) if why is None]
        if not writable:
            raise _all_refused(records, refusals)
        placed = iter(await self._log.write(writable))
        judge.written()
        results = [
            _refused(record, why) if why is not None else _written(record, next(placed))
            for record, why in zip(records, refusals, strict=True)
        ]
        counts = {status: sum(result.status == status for result in results) for status in _STATUSES}
        return Answer(received=format_us(received_us), results=results, **counts)

    async def _judged(
        self, judge: Judge, events: list[bytes], media: Media, received_us: int, *, keep_received: bool
    ) -> tuple[list[Record], list[str | None]]:
        read = read_json if media.is_json else read_msgpack
        records, refusals = [], []
        events.reverse()
        while events:
            record = judge.signed(read(events.pop(), received_us, keep_received=keep_received))
            records.append(record)
            refusals.append(_too_large(record) or await judge.refusal(record))
            if len(records) % READ_AT_ONCE == 0:
                await asyncio.sleep(0)
        return records, refusals


_STATUSES: Final[tuple[Status, ...]] = ("accepted", "quarantined", "refused")


def _too_large(record: Record) -> str | None:
    if record.size <= MAX_RECORD_BYTES:
        return None
    return f"One event may have {MAX_RECORD_BYTES} bytes in the log; send its rows in several events."


def _refused(record: Record, why: str) -> EventResult:
    return EventResult(record.id, "refused", why)


def _written(record: Record, placed: Placed) -> EventResult:
    status: Status = "accepted" if record.quarantined is None else "quarantined"
    return EventResult(record.id, status, record.quarantined, placed.partition, placed.offset)


def _all_refused(records: list[Record], refusals: list[str | None]) -> Problem:
    results = [_refused(record, why or "") for record, why in zip(records, refusals, strict=True)]
    if all(_too_large(record) for record in records):
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "event-too-large",
            results[0].reason or "",
            extra={"results": results},
        )
    detail = "None of the events may be sent with this token; each result says why."
    return Problem(HTTPStatus.FORBIDDEN, "scope", detail, extra={"results": results})
