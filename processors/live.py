"""One partition's pumps, folded as their records come. Pure and synchronous; the agent reads and commits around it.

`read` decodes, `plan` settles what is new and says which pumps need their past, `fold` makes the changes of the batch, and
`accept` takes them over once they are committed. What comes out differently from before is written as corrections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from contract.codec import decode_with_digest
from contract.events import Telemetry, Tick
from contract.facts import Quarantined
from processors import heads, timeline, uploads, ways
from processors.heads import Head
from processors.timeline import NEVER_US, Sighting
from storage.types import (
    Changes,
    CheckpointRow,
    EventKey,
    EventRow,
    FactRow,
    History,
    HistoryRequest,
    Known,
    QuarantineRow,
    StateRow,
)

CONFLICT: Final = "conflicting_id: the id was used before for other content, which was received first; give every event its own id."


class Record(Protocol):
    """A raw record of the log."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def value(self) -> bytes | None:
        """MessagePack of an event."""


class Arrivals(Struct, kw_only=True, eq=False):
    """What a batch brought for one pump. `earlier`: id -> an earlier `received` of a known event."""

    new: list[Sighting] = []
    settlement: ways.Settlement | None = None  # onto the head; None if they do not follow it
    request: HistoryRequest | None = None
    earlier: dict[str, int] = {}


class Intake(Struct, kw_only=True, eq=False):
    """A batch, decoded. `offsets`: of every sighting, by its identity; `tick_us`: the newest tick."""

    expected_offset: int
    next_offset: int
    keys: list[EventKey] = []
    pumps: dict[str, Arrivals] = {}
    offsets: dict[int, int] = {}
    quarantined: list[QuarantineRow] = []
    tick_us: int = NEVER_US


class Gathered(Struct, kw_only=True, eq=False):
    """The changes of a batch as they gather, pump by pump."""

    heads: dict[str, Head] = {}
    events: list[EventRow] = []
    replaced: list[EventKey] = []
    received: list[tuple[str, str, int]] = []
    added: list[FactRow] = []
    superseded: list[FactRow] = []
    checkpoints: list[CheckpointRow] = []
    dropped: list[tuple[str, int]] = []

    def believe(self, old: Sequence[FactRow], new: Sequence[FactRow]) -> None:
        """Write down what `new` has that `old` had not, and the other way round."""
        added, superseded = heads.difference(old, new)
        self.added += added
        self.superseded += superseded


class PartitionFold:
    """The heads of one partition. Everything but `accept` leaves them as they are.

    blobs: head states by pump, as committed; StaleStateError if other rules wrote them.
    """

    def __init__(self, partition: int, blobs: Mapping[str, bytes], next_offset: int) -> None:
        self._partition = partition
        self._next_offset = next_offset
        self._heads = {pump: heads.decode(blob) for pump, blob in blobs.items()}
        self._looks = {pump: head.due_us for pump, head in self._heads.items()}
        self._tick_us = NEVER_US
        self._made: tuple[int, dict[str, Head], int] | None = None

    def read(self, records: Sequence[Record]) -> Intake:
        """Decode what is not committed yet; what can't be decoded is quarantined with its place and reason."""
        fresh = [record for record in records if record.offset >= self._next_offset]
        intake = Intake(
            expected_offset=self._next_offset,
            next_offset=fresh[-1].offset + 1 if fresh else self._next_offset,
        )
        for record in fresh:
            _take(intake, record)
        for pump, arrivals in intake.pumps.items():
            arrivals.new, lost = timeline.unique(arrivals.new)
            intake.quarantined += [_conflict(seen, intake.offsets[id(seen)]) for seen in lost]
            intake.keys += [(pump, seen.event.id) for seen in arrivals.new]
        return intake

    def plan(self, intake: Intake, known: Mapping[EventKey, Known]) -> list[HistoryRequest]:
        """Drop what is known, and say from where the pumps that can't go on from memory have to be folded anew."""
        for pump, arrivals in intake.pumps.items():
            if _sift(intake, pump, arrivals, known):
                arrivals.request = HistoryRequest(pump=pump, first_us=NEVER_US, everything=True)
            elif arrivals.new:
                arrivals.settlement, arrivals.request = _way(self._head(pump), arrivals.new)
        return [arrivals.request for arrivals in intake.pumps.values() if arrivals.request is not None]

    def fold(self, intake: Intake, histories: Mapping[str, History]) -> Changes:
        """Fold the batch into the changes to commit; `histories` answer what `plan` asked for, by pump."""
        gathered = Gathered()
        tick_us = max(self._tick_us, intake.tick_us)
        for pump, arrivals in intake.pumps.items():
            if arrivals.new or arrivals.request is not None:
                self._fold_pump(pump, arrivals, histories.get(pump), intake, gathered, tick_us)
        for pump, due_us in self._looks.items():
            if due_us <= tick_us and pump not in gathered.heads:
                head = self._heads[pump]
                looked = heads.look(head, max(head.present_us, tick_us))
                gathered.believe(_ahead(head), _ahead(looked))
                gathered.heads[pump] = looked
        changes = Changes(
            partition=self._partition,
            expected_offset=intake.expected_offset,
            next_offset=intake.next_offset,
            believed_us=max((head.present_us for head in gathered.heads.values()), default=max(tick_us, 0)),
            events=gathered.events,
            replaced=gathered.replaced,
            received_updates=gathered.received,
            added=gathered.added,
            superseded=gathered.superseded,
            states=[StateRow(pump=pump, blob=heads.encode(head)) for pump, head in gathered.heads.items()],
            checkpoints=gathered.checkpoints,
            drop_checkpoints=gathered.dropped,
            quarantined=intake.quarantined,
        )
        self._made = (id(changes), gathered.heads, tick_us)
        return changes

    def accept(self, changes: Changes) -> None:
        """Take over what was committed."""
        if self._made is None or self._made[0] != id(changes):
            msg = "accept() takes the changes that the last fold() made"
            raise ValueError(msg)
        _, made, self._tick_us = self._made
        self._made = None
        self._heads |= made
        self._looks |= {pump: head.due_us for pump, head in made.items()}
        self._next_offset = changes.next_offset

    def _head(self, pump: str) -> Head:
        return self._heads.get(pump) or heads.begin(pump)

    def _fold_pump(
        self,
        pump: str,
        arrivals: Arrivals,
        history: History | None,
        intake: Intake,
        gathered: Gathered,
        tick_us: int,
    ) -> None:
        head, new = self._head(pump), arrivals.new
        if history is not None:
            way = ways.from_history(head, new, history, arrivals.earlier)
        elif arrivals.settlement is not None:
            way = ways.extend(head, arrivals.settlement)
        else:
            way = ways.from_last_row(head, new)
        present_us = max(head.present_us, tick_us, *map(timeline.seen_us, way.news))
        looked = heads.look(way.head, present_us)
        gathered.believe(way.old, [*way.new, *_ahead(looked)])
        gathered.heads[pump] = looked
        gathered.events += way.events
        gathered.replaced += [(pump, event_id) for event_id in way.replaced]
        gathered.received += [
            (pump, event_id, received_us) for event_id, received_us in arrivals.earlier.items()
        ]
        gathered.checkpoints += [ways.checkpoint_row(state) for state in way.midnights]
        if way.rewound_to_us is not None:
            gathered.dropped.append((pump, way.rewound_to_us))
        offsets = {seen.event.id: intake.offsets[id(seen)] for seen in new}
        intake.quarantined += [_conflict(seen, offsets.get(seen.event.id, 0)) for seen in way.lost]


def _ahead(head: Head) -> list[FactRow]:
    return [*head.physics_ahead, *head.uploads_ahead]


def _take(intake: Intake, record: Record) -> None:
    raw = record.value or b""
    event, digest = decode_with_digest(raw)
    if isinstance(event, Tick):
        intake.tick_us = max(intake.tick_us, event.at_us)
    elif isinstance(event, Quarantined):
        intake.quarantined.append(
            QuarantineRow(
                offset=record.offset,
                reason=event.reason,
                text=event.text,
                pump=event.pump,
                at_us=event.at_us,
                payload=raw,
            )
        )
    else:
        seen = Sighting(event=event, digest=digest, raw=raw)
        intake.offsets[id(seen)] = record.offset
        intake.pumps.setdefault(event.pump, Arrivals()).new.append(seen)


def _conflict(seen: Sighting, offset: int) -> QuarantineRow:
    event = seen.event
    return QuarantineRow(
        offset=offset,
        reason=CONFLICT,
        text=event.id,
        pump=event.pump,
        at_us=event.at_us,
        payload=seen.raw,
        id=event.id,
    )


def _sift(intake: Intake, pump: str, arrivals: Arrivals, known: Mapping[EventKey, Known]) -> bool:
    """Take known events out of the arrivals; True if one of them changes what is known of its id."""
    changes_past = False
    kept = []
    for seen in arrivals.new:
        entry = known.get((pump, seen.event.id))
        received_us = timeline.received_order_us(seen.event)
        known_us = timeline.LATEST_US if entry is None or entry.received_us is None else entry.received_us
        if entry is None:
            kept.append(seen)
        elif entry.digest == seen.digest:
            if received_us < known_us:
                arrivals.earlier[seen.event.id] = received_us
                changes_past = True
        elif received_us > known_us:
            intake.quarantined.append(_conflict(seen, intake.offsets[id(seen)]))
        else:
            kept.append(seen)
            changes_past = True
    arrivals.new = kept
    return changes_past


def _way(head: Head, new: list[Sighting]) -> tuple[ways.Settlement | None, HistoryRequest | None]:
    """(how `new` settles onto the head, if it follows it; what of the pump's past is needed, if memory does not suffice)."""
    pump = head.physics.pump
    settlement = ways.settle_onto(head.physics, new)
    late = any(one.place <= head.track.head for one in uploads.uploads_of(settlement.settled))
    if not late and ways.follows(head.physics, settlement, at_same_time=True):
        return settlement, None
    # Once a clock has moved, the state at that row knows already what the events after it said of the clock.
    moved = head.physics.clock.moved
    row = None if late or moved else head.at_row
    if row is not None and ways.follows(row, ways.settle_onto(row, new), at_same_time=False):
        return None, None
    if late or moved or any(one.offset_us for one in settlement.settled):
        return None, HistoryRequest(pump=pump, first_us=NEVER_US, everything=True)
    raws = [
        int(seen.event.rows_us()[0])
        for seen in new
        if isinstance(seen.event, Telemetry) and len(seen.event.t_s)
    ]
    firsts = raws + [seen.event.at_us for seen in new if not isinstance(seen.event, Telemetry)]
    seqs = [seen.event.seq for seen in new if seen.event.source == "device" and seen.event.seq is not None]
    return None, HistoryRequest(
        pump=pump,
        first_us=min(firsts, default=head.physics.head[0]),
        seq=min(seqs, default=None),
        first_raw_us=min(raws) - 1 if raws else None,
    )
