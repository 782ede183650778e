"""The port in memory, for unit tests of what stands on storage; the suite of the real one runs on it too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from contract.codec import with_received
from contract.times import DAY_US
from storage.errors import InconsistentChangesError
from storage.event_roles import StoredKey, merge_roles
from storage.types import (
    DEFAULT_TOPIC,
    Changes,
    CheckpointRow,
    EventKey,
    EventRow,
    FactRow,
    History,
    HistoryRequest,
    Known,
    Loaded,
    QuarantineRow,
    StoredEvent,
)

Identity: TypeAlias = tuple[str, str, int, str, str, int]

_RUN: Final = 1  # nothing is ever rebuilt here
_MONTH_US: Final = 30 * DAY_US


@dataclass(frozen=True, slots=True)
class _Tables:
    """All that is stored; a commit fills copies and puts them in place at its end."""

    progress: dict[tuple[str, int], int] = field(default_factory=dict)
    events: dict[StoredKey, EventRow] = field(default_factory=dict)
    states: dict[tuple[str, int, str], bytes] = field(default_factory=dict)
    checkpoints: dict[tuple[str, int], CheckpointRow] = field(default_factory=dict)
    believed: dict[Identity, FactRow] = field(default_factory=dict)
    quarantined: list[tuple[str, int, QuarantineRow]] = field(default_factory=list)

    def copy(self) -> _Tables:
        return _Tables(
            dict(self.progress),
            dict(self.events),
            dict(self.states),
            dict(self.checkpoints),
            dict(self.believed),
            list(self.quarantined),
        )


class MemoryStore:
    """The port of ``storage.store.Store`` in dictionaries. Not for threads; nothing is kept when it goes."""

    def __init__(self, topic: str = DEFAULT_TOPIC) -> None:
        self._topic = topic
        self._tables = _Tables()

    @property
    def quarantined(self) -> Sequence[tuple[str, int, QuarantineRow]]:
        """(topic, partition, row) of everything quarantined so far."""
        return tuple(self._tables.quarantined)

    async def commit(self, changes: Changes, run_id: int | None = None) -> bool:
        """See Store."""
        if run_id not in (None, _RUN):
            return False
        tables, place = self._tables.copy(), (self._topic, changes.partition)
        if tables.progress.get(place, 0) != changes.expected_offset:
            return False
        tables.progress[place] = changes.next_offset
        _write_events(tables, changes)
        _write_facts(tables, changes)
        _write_checkpoints(tables, changes)
        tables.quarantined.extend((*place, row) for row in changes.quarantined)
        tables.states.update({(*place, state.pump): state.blob for state in changes.states})
        self._tables = tables
        return True

    async def known(self, keys: Sequence[EventKey]) -> dict[EventKey, Known]:
        """See Store."""
        counting = _counting(self._tables.events.values())
        return {
            key: Known(counting[key].digest, counting[key].received_us) for key in keys if key in counting
        }

    async def history(self, request: HistoryRequest) -> History:
        """See Store."""
        checkpoint = None if request.everything else self._checkpoint(request)
        events = [event for event in self._ordered() if event.pump == request.pump and event.counts]
        facts = [fact for fact in self._facts() if fact.pump == request.pump]
        if checkpoint is not None:
            events = [event for event in events if event.last_us >= checkpoint.head_us]
            facts = [fact for fact in facts if fact.at_us >= checkpoint.head_us]
        stored = [
            StoredEvent(event.payload, event.received_us, event.offset_us, event.digest) for event in events
        ]
        return History(checkpoint, stored, facts)

    def _checkpoint(self, request: HistoryRequest) -> CheckpointRow | None:
        usable = [
            row
            for row in self._tables.checkpoints.values()
            if row.pump == request.pump
            and row.head_us < request.first_us
            and (request.seq is None or row.max_seq < request.seq)
            and (request.first_raw_us is None or row.max_raw_us <= request.first_raw_us)
        ]
        return max(usable, key=lambda row: row.head_us, default=None)

    async def load(self, partition: int) -> Loaded:
        """See Store."""
        place = (self._topic, partition)
        blobs = {key[2]: blob for key, blob in self._tables.states.items() if key[:2] == place}
        return Loaded(blobs, await self.next_offset(partition), _RUN)

    async def next_offset(self, partition: int) -> int:
        """See Store."""
        return self._tables.progress.get((self._topic, partition), 0)

    async def export(self, pump: str | None = None, until_us: int | None = None) -> AsyncIterator[bytes]:
        """See Store."""
        for event in self._ordered():
            if (pump is None or event.pump == pump) and (until_us is None or event.first_us <= until_us):
                received_us = event.received_us
                yield event.payload if received_us is None else with_received(event.payload, received_us)

    async def believed(self, until_us: int | None = None) -> AsyncIterator[FactRow]:
        """See Store."""
        for fact in self._facts():
            if until_us is None or fact.at_us <= until_us:
                yield fact

    def _ordered(self) -> list[EventRow]:
        return sorted(
            self._tables.events.values(),
            key=lambda event: (event.first_us, event.pump, event.id, event.digest),
        )

    def _facts(self) -> list[FactRow]:
        return sorted(
            self._tables.believed.values(),
            key=lambda fact: (fact.at_us, fact.pump, fact.kind, fact.cause, fact.alert_id, fact.ordinal),
        )


def _counting(events: Iterable[EventRow]) -> dict[EventKey, EventRow]:
    return {(event.pump, event.id): event for event in events if event.counts}


def _write_events(tables: _Tables, changes: Changes) -> None:
    counting = _counting(tables.events.values())
    for key in set(changes.replaced):
        if key not in counting:
            raise InconsistentChangesError(f"event {key[1]} of {key[0]} is replaced, but does not count now")
        event = counting[key]
        tables.events[event.pump, event.id, event.digest] = replace(event, counts=False)
    again = {
        (event.pump, event.id, event.digest)
        for event in changes.events
        if not event.counts or (event.pump, event.id) in changes.replaced
    }
    received = {taken: tables.events.pop(taken).received_us for taken in again if taken in tables.events}
    for event in merge_roles(changes.events, received):
        stored = (event.pump, event.id, event.digest)
        if stored in tables.events:
            raise InconsistentChangesError(f"event {event.id} of {event.pump} is stored already")
        tables.events[stored] = event
    counting = _counting(tables.events.values())
    for pump, identity, received_us in changes.received_updates:
        if (pump, identity) not in counting:
            raise InconsistentChangesError(f"event {identity} of {pump} got a `received`, but does not count")
        event = counting[pump, identity]
        before = event.received_us
        earliest = received_us if before is None else min(before, received_us)
        counting[pump, identity] = tables.events[pump, identity, event.digest] = replace(
            event, received_us=earliest
        )


def _write_facts(tables: _Tables, changes: Changes) -> None:
    for fact in changes.superseded:
        if tables.believed.pop(_identity(fact), None) is None:
            raise InconsistentChangesError(f"a {fact.kind} fact of {fact.pump} ends, but is not believed now")
    for fact in changes.added:
        if _identity(fact) in tables.believed:
            raise InconsistentChangesError(
                f"a {fact.kind} fact of {fact.pump} is added, but is believed already"
            )
        tables.believed[_identity(fact)] = fact


def _identity(fact: FactRow) -> Identity:
    return (fact.kind, fact.pump, fact.at_us, fact.cause, fact.alert_id, fact.ordinal)


def _write_checkpoints(tables: _Tables, changes: Changes) -> None:
    for pump, after_us in changes.drop_checkpoints:
        for key in [key for key in tables.checkpoints if key[0] == pump and key[1] > after_us]:
            del tables.checkpoints[key]
    tables.checkpoints.update({(row.pump, row.head_us): row for row in changes.checkpoints})
    thinned = {key for row in changes.checkpoints for key in _thinned(tables, row)}
    for key in thinned:
        del tables.checkpoints[key]


def _thinned(tables: _Tables, new: CheckpointRow) -> list[tuple[str, int]]:
    """Return the keys that storage/queries/checkpoints_thin.sql deletes for one new checkpoint."""
    heads = [head_us for pump, head_us in tables.checkpoints if pump == new.pump]

    def has_earlier(head_us: int, bucket_us: int) -> bool:
        return any(head_us - head_us % bucket_us <= other < head_us for other in heads)

    return [
        (new.pump, head_us)
        for head_us in heads
        if (new.head_us - 2 * DAY_US <= head_us < new.head_us and has_earlier(head_us, DAY_US))
        or (
            new.head_us - 70 * DAY_US <= head_us < new.head_us - 35 * DAY_US
            and has_earlier(head_us, _MONTH_US)
        )
    ]
