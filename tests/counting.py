"""A fold that only counts, for tests of what is around the fold: every record becomes one stored event.

Keys are pumps, and a record's id is its own bytes, so that the database shows what was missed and what was taken twice.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aiokafka import ConsumerRecord

from storage.types import (
    Changes,
    EventKey,
    EventRow,
    History,
    HistoryRequest,
    Known,
    Loaded,
    QuarantineRow,
    StateRow,
)

POISON = b"poison"
BUG = b"bug"


@dataclass(frozen=True)
class CountingIntake:
    """Records above the next offset."""

    records: Sequence[ConsumerRecord]
    keys: Sequence[EventKey]


class CountingFold:
    """PartitionFold whose state of a pump is how many events it had; `poison` is quarantined, `bug` is a defect."""

    def __init__(self, partition: int, blobs: dict[str, bytes], next_offset: int) -> None:
        self.partition = partition
        self.counts = {pump: struct.unpack("<q", blob)[0] for pump, blob in blobs.items()}
        self.next_offset = next_offset

    def read(self, records: Sequence[ConsumerRecord]) -> CountingIntake:
        fresh = [record for record in records if record.offset >= self.next_offset]
        if any(record.value == BUG for record in fresh):
            raise ZeroDivisionError("a defect of the fold")
        usable = [record for record in fresh if record.value != POISON]
        return CountingIntake(fresh, [(record.key.decode(), record.value.decode()) for record in usable])

    def plan(self, intake: CountingIntake, known: Mapping[EventKey, Known]) -> Sequence[HistoryRequest]:
        return []

    def fold(self, intake: CountingIntake, histories: Mapping[str, History]) -> Changes:
        counts = dict(self.counts)
        events = []
        for record in intake.records:
            if record.value == POISON:
                continue
            pump = record.key.decode()
            counts[pump] = counts.get(pump, 0) + 1
            events.append(_row(pump, record))
        quarantined = [
            QuarantineRow(record.offset, "poison", "", None, None, record.value)
            for record in intake.records
            if record.value == POISON
        ]
        changed = {event.pump for event in events}
        return Changes(
            partition=self.partition,
            expected_offset=self.next_offset,
            next_offset=intake.records[-1].offset + 1,
            believed_us=intake.records[-1].timestamp * 1000,
            events=events,
            states=[StateRow(pump, struct.pack("<q", counts[pump])) for pump in changed],
            quarantined=quarantined,
        )

    def accept(self, changes: Changes) -> None:
        self.counts |= {state.pump: struct.unpack("<q", state.blob)[0] for state in changes.states}
        self.next_offset = changes.next_offset


def _row(pump: str, record: ConsumerRecord) -> EventRow:
    at_us = record.timestamp * 1000
    return EventRow(
        pump=pump,
        id=record.value.decode(),
        type="note",
        source="device",
        seq=record.offset,
        received_us=at_us,
        first_us=at_us,
        last_us=at_us,
        first_raw_us=at_us,
        last_raw_us=at_us,
        offset_us=0,
        digest=hashlib.blake2b(record.value, digest_size=16).digest(),
        payload=record.value,
    )


class MemoryStore:
    """The Store on dictionaries; `failures` are raised one after the other by whatever is called next."""

    def __init__(self) -> None:
        self.next_offsets: dict[int, int] = {}
        self.states: dict[int, dict[str, bytes]] = {}
        self.run_id = 1
        self.events: list[EventRow] = []
        self.quarantined: list[QuarantineRow] = []
        self.failures: list[Exception] = []
        self.failures_after_commit: list[Exception] = []

    def fail_if_told(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    async def load(self, partition: int) -> Loaded:
        self.fail_if_told()
        return Loaded(dict(self.states.get(partition, {})), self.next_offsets.get(partition, 0), self.run_id)

    async def next_offset(self, partition: int) -> int:
        self.fail_if_told()
        return self.next_offsets.get(partition, 0)

    async def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, Known]:
        self.fail_if_told()
        return {}

    async def history(self, request: HistoryRequest) -> History:
        return History(None, [], [])

    async def commit(self, changes: Changes, run_id: int | None = None) -> bool:
        self.fail_if_told()
        if run_id != self.run_id:
            return False
        if self.next_offsets.get(changes.partition, 0) != changes.expected_offset:
            return False
        self.next_offsets[changes.partition] = changes.next_offset
        self.states.setdefault(changes.partition, {}).update({s.pump: s.blob for s in changes.states})
        self.events.extend(replace(event) for event in changes.events)
        self.quarantined.extend(changes.quarantined)
        if self.failures_after_commit:
            raise self.failures_after_commit.pop(0)
        return True
