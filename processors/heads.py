"""A pump's head: where the live fold stands, and what it believes beyond its last item.

`physics` is the state after the last item. Events that came after the newest telemetry row are also kept as a `tail`
beside the state at that row, so that the common late arrival (a clinic note between two uploads) needs no database.
`physics_ahead` and `uploads_ahead` are the facts believed beyond the last item, up to `present_us`; from `due_us` on there
are more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from contract.codec import encode_fact
from contract.errors import StaleStateError
from contract.facts import Alert, Dose, Fact, Forecast, fact_name
from processors import deadlines, pump_state, uploads
from processors.deadlines import WINDOW_PATIENCE_US
from processors.pump_state import PumpState
from processors.timeline import NEVER_US
from processors.versions import STATE_VERSION
from storage.types import FactKind, FactRow

FactPlace = tuple[int, FactKind, str, str]  # at, kind, cause, alert_id
LONGEST_TAIL: Final = 64  # a pump without telemetry would keep every event of its life


class TailEvent(Struct, frozen=True, kw_only=True):
    """An event folded after the newest row: its wire bytes, digest and clock offset."""

    raw: bytes
    digest: bytes
    offset_us: int


class Head(Struct, frozen=True, kw_only=True, eq=False):
    """One pump as the live fold holds it.

    `at_row`: state at the newest row where events follow it, else None; `since_row`: facts emitted since then; `tail`:
    the events since then. `at_head`: places of the facts emitted at the time of the last item.
    """

    version: str = STATE_VERSION
    physics: PumpState
    track: uploads.UploadState
    at_row: PumpState | None = None
    tail: tuple[TailEvent, ...] = ()
    since_row: tuple[FactRow, ...] = ()
    at_head: tuple[FactPlace, ...] = ()
    physics_ahead: tuple[FactRow, ...] = ()
    uploads_ahead: tuple[FactRow, ...] = ()
    present_us: int = NEVER_US
    due_us: int = NEVER_US


_DECODER: Final = pump_state.decoder(Head)
_STATE_DECODER: Final = pump_state.decoder(PumpState)


def begin(pump: str) -> Head:
    """A pump that nothing was heard of."""
    return Head(physics=pump_state.begin(pump), track=uploads.begin(pump))


def encode(head: Head) -> bytes:
    """The bytes that the store keeps of a head."""
    return pump_state.encode(head)


def decode(blob: bytes) -> Head:
    """A head from its bytes; StaleStateError if other rules wrote it."""
    try:
        head: Head = _DECODER.decode(blob)
    except ValueError as unreadable:
        raise StaleStateError(str(StaleStateError.__doc__)) from unreadable
    if head.version != STATE_VERSION:
        raise StaleStateError(str(StaleStateError.__doc__))
    return head


def decode_checkpoint(blob: bytes) -> PumpState:
    """A pump's state from a checkpoint."""
    state: PumpState = _STATE_DECODER.decode(blob)
    return state


def look(head: Head, present_us: int) -> Head:
    """The head with what is believed beyond its last item when the pump's present is `present_us`."""
    silent = uploads.silent_since_us(head.track, present_us) is not None
    closed_us = present_us if silent else present_us - WINDOW_PATIENCE_US
    physics, _, physics_due_us = deadlines.look_ahead(head.physics, present_us, closed_before_us=closed_us)
    heard, heard_due_us = uploads.look_ahead(head.track, present_us)
    return replace(
        head,
        present_us=present_us,
        due_us=min(physics_due_us, heard_due_us),
        physics_ahead=tuple(fact_rows(physics, head.at_head)),
        uploads_ahead=tuple(fact_rows(heard)),
    )


def place(fact: Fact) -> FactPlace:
    """Where a fact stands in the contract's order, its pump aside."""
    match fact:
        case Alert():
            return (fact.at_us, "alert", str(fact.cause), fact.alert_id)
        case Dose():
            return (fact.at_us, "dose", "", "")
        case Forecast():
            return (fact.at_us, "forecast", "", "")
        case _:
            msg = f"the fold makes no facts of kind {fact_name(fact)}"
            raise TypeError(msg)


def fact_rows(facts: Iterable[Fact], before: Iterable[FactPlace] = ()) -> list[FactRow]:
    """Facts in order of emission as rows; `before`: places of facts already emitted, which count in the ordinals."""
    seen = Counter(before)
    rows = []
    for fact in facts:
        where = place(fact)
        at_us, kind, cause, alert_id = where
        rows.append(
            FactRow(
                kind=kind,
                pump=fact.pump or "",
                at_us=at_us,
                cause=cause,
                alert_id=alert_id,
                ordinal=seen[where],
                line=encode_fact(fact),
            )
        )
        seen[where] += 1
    return rows


def difference(old: Iterable[FactRow], new: Iterable[FactRow]) -> tuple[list[FactRow], list[FactRow]]:
    """(added, superseded): what has to be written so that `new` is believed in place of `old`."""
    left = {identity(row): row for row in old}
    added = []
    for row in new:
        known = left.get(identity(row))
        if known is not None and known.line == row.line:
            del left[identity(row)]
        else:
            added.append(row)
    return added, list(left.values())


def identity(row: FactRow) -> tuple[str, int, str, str, int]:
    """By what a fact of a pump is superseded."""
    return (row.kind, row.at_us, row.cause, row.alert_id, row.ordinal)
