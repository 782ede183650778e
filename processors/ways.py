"""Three ways to fold new events onto a pump's head, from the cheapest to the one that always works.

`extend`: they are later than everything folded. `from_last_row`: later than the newest telemetry row, but not than the
clinic's events after it, which are kept beside the head and folded once more. `from_history`: from a checkpoint, or from
the pump's beginning (`from_beginning`), with what the log of record holds since. Each gives the new head, what counts of
the new events, the facts that were believed of the time folded anew (`old`), and those that are believed now (`new`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from contract.codec import decode_msgpack, with_received
from contract.errors import UnreadableLogError
from contract.events import Telemetry, Tick, type_name
from contract.facts import Cause, Quarantined
from processors import fold, heads, pump_state, timeline, uploads
from processors.heads import LONGEST_TAIL, Head, TailEvent
from processors.pump_state import PumpState
from processors.timeline import Settled, Sighting
from storage.types import CheckpointRow, EventRow, FactRow, History, StoredEvent


class Way(Struct, frozen=True, kw_only=True, eq=False):
    """What folding new events onto a head made. `replaced`: stored events that no longer stand as they were written."""

    head: Head
    events: list[EventRow]
    old: list[FactRow]
    new: list[FactRow]
    midnights: list[PumpState]
    news: list[Settled]
    rewound_to_us: int | None = None
    replaced: list[str] = []
    lost: list[Sighting] = []


class Whole(Struct, frozen=True, kw_only=True, eq=False):
    """A pump folded from its beginning. `facts`: up to its last item; `lost`: what lost its id to other content."""

    head: Head
    facts: list[FactRow]
    settled: list[Settled]
    lost: list[Sighting]
    midnights: list[PumpState]


class Settlement(Struct, frozen=True, kw_only=True, eq=False):
    """New events with their clock offsets, given the clock of a state; and the clock after them."""

    settled: list[Settled]
    clock: timeline.Clock
    skews: list[timeline.Item]


def settle_onto(state: PumpState, new: Sequence[Sighting]) -> Settlement:
    """The new events as they stand if nothing came before them but what the state has seen."""
    settled, clock, skews = timeline.settle(state.clock, new)
    return Settlement(settled=settled, clock=clock, skews=skews)


def follows(state: PumpState, settlement: Settlement, *, at_same_time: bool) -> bool:
    """Whether the events can be folded onto `state` with nothing before it changed.

    `at_same_time`: items at the very time of the state's head may follow it if their order says so.
    """
    clock, head = state.clock, state.head
    keys = [key for key, _ in settlement.skews]
    for one in settlement.settled:
        event = one.event
        if event.source == "device" and event.seq is not None and event.seq <= clock.max_seq:
            return False
        if not isinstance(event, Telemetry):
            keys.append(timeline.event_key(one))
        elif len(one.rows_us):
            if int(one.rows_us[0]) - one.offset_us <= clock.max_raw_us:
                return False
            keys.append(timeline.row_key(one, 0))
    if at_same_time:
        return all(key > head for key in keys)
    return all(key[0] > head[0] for key in keys)


def extend(head: Head, settlement: Settlement) -> Way:
    """Go on from the head: `follows(head.physics, settlement)` holds."""
    settled = settlement.settled
    items = timeline.arrange(settled, settlement.skews, head.physics.head)
    folded = fold.fold(replace(head.physics, clock=settlement.clock), items)
    rows = heads.fact_rows(folded.facts, head.at_head)
    track, said = uploads.fold_uploads(head.track, uploads.uploads_of(settled))
    after = _stand(replace(head, track=track), head.at_row or head.physics, folded, settled, rows)
    return Way(
        head=after,
        events=[event_row(one) for one in settled],
        old=[*head.physics_ahead, *head.uploads_ahead],
        new=[*rows, *heads.fact_rows(said)],
        midnights=folded.at_midnights,
        news=settled,
    )


def from_last_row(head: Head, new: list[Sighting]) -> Way:
    """Go on from the newest row: `follows(head.at_row, new)` holds."""
    base = head.at_row
    assert base is not None
    tail = [_from_tail(one) for one in head.tail]
    settled, folded, rows = _refold(base, [*tail, *new])
    news = _of(settled, new)
    track, said = uploads.fold_uploads(head.track, uploads.uploads_of(news))
    return Way(
        head=_stand(_bare(head, track), base, folded, settled, rows),
        events=[event_row(one) for one in news],
        old=[*head.since_row, *head.physics_ahead, *head.uploads_ahead],
        new=[*rows, *heads.fact_rows(said)],
        midnights=folded.at_midnights,
        news=news,
        rewound_to_us=base.head[0] + 1,
    )


def from_beginning(pump: str, sightings: Iterable[Sighting]) -> Whole:
    """The one fold of a whole pump: rewinds, rebuilds and comparisons all call it."""
    winners, lost = timeline.unique(sightings)
    base = pump_state.begin(pump)
    settled, folded, rows = _refold(base, winners)
    track, said = uploads.fold_uploads(uploads.begin(pump), uploads.uploads_of(settled))
    return Whole(
        head=_stand(_bare(heads.begin(pump), track), base, folded, settled, rows),
        facts=[*rows, *heads.fact_rows(said)],
        settled=settled,
        lost=lost,
        midnights=folded.at_midnights,
    )


def from_history(head: Head, new: list[Sighting], history: History, earlier: dict[str, int]) -> Way:
    """Go on from the history's checkpoint, or from the beginning where it has none and holds everything.

    `earlier`: id -> a `received` earlier than the stored one, which can change the clock and who won an id.
    """
    stored = [from_log(one, earlier) for one in history.events]
    if history.checkpoint is None:
        return _from_whole(head, stored, new, history)
    base = heads.decode_checkpoint(history.checkpoint.blob)
    settled, folded, rows = _refold(base, [*stored, *new])
    news = _of(settled, new)
    track, said = uploads.fold_uploads(head.track, uploads.uploads_of(news))
    moved = [one for one in settled if _moved(one)]
    return Way(
        head=_stand(_bare(head, track), base, folded, settled, rows),
        events=[event_row(one) for one in (*news, *moved)],
        old=[*(row for row in history.facts if row.cause != Cause.TELEMETRY_SILENT), *head.uploads_ahead],
        new=[*rows, *heads.fact_rows(said)],
        midnights=folded.at_midnights,
        news=news,
        rewound_to_us=base.head[0] + 1,
        replaced=[one.event.id for one in moved],
    )


def _from_whole(head: Head, stored: list[Sighting], new: list[Sighting], history: History) -> Way:
    whole = from_beginning(head.physics.pump, [*stored, *new])
    moved = [one for one in whole.settled if _moved(one)]
    known = {id(seen) for seen in stored}
    return Way(
        head=whole.head,
        events=[event_row(one) for one in (*_of(whole.settled, new), *moved)],
        old=list(history.facts),
        new=whole.facts,
        midnights=whole.midnights,
        news=whole.settled,
        rewound_to_us=timeline.GENESIS[0] + 1,
        replaced=[one.event.id for one in moved]
        + [seen.event.id for seen in whole.lost if id(seen) in known],
        lost=whole.lost,
    )


# ---------------------------------------------------------------------------------------------------------- parts


def _refold(
    base: PumpState, sightings: Sequence[Sighting]
) -> tuple[list[Settled], fold.Folded, list[FactRow]]:
    settled, clock, skews = timeline.settle(base.clock, sightings)
    folded = fold.fold(replace(base, clock=clock), timeline.arrange(settled, skews, base.head))
    return settled, folded, heads.fact_rows(folded.facts)


def _of(settled: list[Settled], sightings: list[Sighting]) -> list[Settled]:
    """Those of `settled` that these sightings became."""
    chosen = {id(seen) for seen in sightings}
    return [one for one in settled if id(one.sighting) in chosen]


def _bare(head: Head, track: uploads.UploadState) -> Head:
    return replace(head, track=track, at_row=None, tail=(), since_row=(), at_head=())


def _stand(
    head: Head, base: PumpState, folded: fold.Folded, settled: list[Settled], rows: list[FactRow]
) -> Head:
    """The head after a fold, with the events since its newest row; `base`: where that row was before."""
    state = folded.state
    tail: tuple[TailEvent, ...] = ()
    since: tuple[FactRow, ...] = ()
    at_row: PumpState | None = None
    if folded.at_last_row is not None:
        at_row, count = folded.at_last_row
        tail, since = _tail(settled, at_row), tuple(rows[count:])
    elif not folded.has_rows:
        at_row = base
        tail, since = (*head.tail, *_tail(settled, base)), (*head.since_row, *rows)
    if len(tail) > LONGEST_TAIL:
        at_row, tail, since = None, (), ()
    at_us = state.head[0]
    places = tuple((row.at_us, row.kind, row.cause, row.alert_id) for row in rows if row.at_us == at_us)
    if at_us == head.physics.head[0]:
        places = (*head.at_head, *places)
    return replace(head, physics=state, at_row=at_row, tail=tail, since_row=since, at_head=places)


def _tail(settled: list[Settled], at_row: PumpState) -> tuple[TailEvent, ...]:
    return tuple(
        TailEvent(raw=one.sighting.raw, digest=one.sighting.digest, offset_us=one.offset_us)
        for one in settled
        if not isinstance(one.event, Telemetry) and timeline.event_key(one) > at_row.head
    )


def _from_tail(one: TailEvent) -> Sighting:
    return from_log(StoredEvent(one.raw, None, one.offset_us, one.digest), {})


def from_log(stored: StoredEvent, earlier: dict[str, int]) -> Sighting:
    """An event of the log of record as the fold takes it; `earlier`: id -> a `received` earlier than the stored one.

    Raises UnreadableLogError where this version can't decode what an earlier one did.
    """
    raw, event = stored.payload, decode_msgpack(stored.payload)
    if isinstance(event, Quarantined | Tick):
        reason = event.reason if isinstance(event, Quarantined) else "a tick"
        raise UnreadableLogError(
            f"the log of record holds what is no event ({reason}); report it, keep the log"
        )
    received_us = earlier.get(event.id, stored.received_us)
    if received_us is not None and received_us != event.received_us:
        raw = with_received(raw, received_us)
        event = replace(event, received_us=received_us)
    return Sighting(event=event, digest=stored.digest, raw=raw, settled_offset_us=stored.offset_us)


def _moved(one: Settled) -> bool:
    """Whether a stored event's clock offset came out differently, so that its place in the log is written anew."""
    known_us = one.sighting.settled_offset_us
    return known_us is not None and known_us != one.offset_us


def event_row(one: Settled) -> EventRow:
    """A settled event as the log of record keeps it: its new rows only, its payload whole."""
    event = one.event
    first_raw_us = last_raw_us = event.at_us
    rows_us = columns = None
    if isinstance(event, Telemetry) and len(one.rows_us):
        first_raw_us, last_raw_us = (
            int(one.rows_us[0]) - one.offset_us,
            int(one.rows_us[-1]) - one.offset_us,
        )
        rows_us = one.rows_us
        columns = event.columns if len(one.kept) == len(event.t_s) else event.columns[:, one.kept]
    return EventRow(
        pump=event.pump,
        id=event.id,
        type=type_name(event),
        source=event.source,
        seq=event.seq,
        received_us=event.received_us,
        first_us=first_raw_us + one.offset_us,
        last_us=last_raw_us + one.offset_us,
        first_raw_us=first_raw_us,
        last_raw_us=last_raw_us,
        offset_us=one.offset_us,
        digest=one.sighting.digest,
        payload=one.sighting.raw,
        rows_us=rows_us,
        columns=columns,
    )


def checkpoint_row(state: PumpState) -> CheckpointRow:
    """A state before a new day: everything before `head_us` is in it, nothing at or after."""
    return CheckpointRow(
        pump=state.pump,
        head_us=state.head[0] + 1,
        max_seq=state.clock.max_seq,
        max_raw_us=state.clock.max_raw_us,
        blob=pump_state.encode(state),
    )
