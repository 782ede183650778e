"""One pump folded anew from its whole log by the present rules, whatever wrote what is stored of it. Pure.

`thecaflow rebuild` writes what comes out under a new run. Its facts are those that `compare` expects.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from processors import heads, timeline, ways
from processors.heads import Head
from processors.timeline import NEVER_US, Settled
from storage.types import CheckpointRow, EventRow, FactRow, PumpLog, StoredEvent


class Rebuilt(Struct, frozen=True, kw_only=True, eq=False):
    """A pump by the present rules.

    `events`: those that stand differently in the log now (another clock offset, or they count), whole; `replaced`: ids of
    counting events that such take the place of, or that count no more. `added`, `superseded`: what is said differently than
    before, the version of the rules aside.
    """

    head: Head
    facts: list[FactRow]
    checkpoints: list[CheckpointRow]
    events: list[EventRow]
    replaced: list[str]
    added: list[FactRow]
    superseded: list[FactRow]


class _Said(Struct):
    """What every version's head states alike: the pump's present."""

    present_us: int = NEVER_US


_SAID = msgspec.msgpack.Decoder(_Said)


def rebuild(pump: str, log: PumpLog) -> Rebuilt:
    """Fold a pump's log, one event or more.

    Its present is the newest `received` of its own (else row, else `at`), or what its stored head knew beyond that, by ticks.
    Raises UnreadableLogError where the log holds what this version can't decode.
    """
    sightings = [ways.from_log(one, {}) for one in log.events]
    stored = {id(seen): one for seen, one in zip(sightings, log.events, strict=True)}
    whole = ways.from_beginning(pump, sightings)
    present_us = max(_present_us(log.head), *map(timeline.seen_us, whole.settled))
    head = heads.look(whole.head, present_us)
    facts = [*whole.facts, *head.physics_ahead, *head.uploads_ahead]
    moved = [one for one in whole.settled if _stands_differently(one, stored[id(one.sighting)])]
    gone = [*(one.sighting for one in moved), *whole.lost]
    added, superseded = _differences(log.facts, facts)
    return Rebuilt(
        head=head,
        facts=facts,
        checkpoints=[ways.checkpoint_row(state) for state in whole.midnights],
        events=[ways.event_row(one) for one in moved],
        replaced=[seen.event.id for seen in gone if stored[id(seen)].counts],
        added=added,
        superseded=superseded,
    )


def _present_us(blob: bytes | None) -> int:
    try:
        return NEVER_US if blob is None else _SAID.decode(blob).present_us
    except msgspec.MsgspecError:
        return NEVER_US


def _stands_differently(settled: Settled, stored: StoredEvent) -> bool:
    return settled.offset_us != stored.offset_us or not stored.counts


def _differences(old: Sequence[FactRow], new: Sequence[FactRow]) -> tuple[list[FactRow], list[FactRow]]:
    """(added, superseded) without facts that differ by the version of the rules only: nobody has to hear those again."""
    added, superseded = heads.difference(old, new)
    before = {heads.identity(row): _content(row) for row in superseded}
    same = {heads.identity(row) for row in added if before.get(heads.identity(row)) == _content(row)}
    return (
        [row for row in added if heads.identity(row) not in same],
        [row for row in superseded if heads.identity(row) not in same],
    )


def _content(row: FactRow) -> dict[str, object]:
    said: dict[str, object] = msgspec.json.decode(row.line)
    said.pop("kernel", None)
    return said
