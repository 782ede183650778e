"""Identity, clocks and order: from the events of one pump, in any order of arrival, to the items that are folded.

Three steps, each a function of the whole set (contract, "Order and identity"):

1. `unique`: one event for each id; the version that was received first counts.
2. `settle`: the clock offset of every event, and which of its rows are new.
3. `arrange`: clinical events and telemetry rows in their one order.

Times are integer microseconds; raw time is the source's own clock, corrected time = raw + offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from contract.codec import canonical_json
from contract.events import (
    CHANNELS,
    ProgramSet,
    PumpEvent,
    PumpRegistered,
    ReservoirFilled,
    Telemetry,
    type_name,
)
from processors.known_rows import NO_ROWS, KnownRows

SKEW_US: Final = 60_000_000
NEVER_US: Final = -(2**62)
LATEST_US: Final = 2**62
SOURCES: Final = ("device", "clinic", "system")  # as kernels.ledger numbers them
_ROWS_RANK: Final = 4
_RANKS: Final[dict[type, int]] = {PumpRegistered: 0, ReservoirFilled: 1, ProgramSet: 2}

Key: TypeAlias = tuple[
    int, int, str, int, str, str, int
]  # time, rank, source, seq (-1: absent), type, id, row
GENESIS: Final[Key] = (NEVER_US, -1, "", -1, "", "", -1)


class Sighting(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An event as it was seen: its content digest and wire bytes, and its offset if an earlier fold settled it."""

    event: PumpEvent
    digest: bytes
    raw: bytes
    settled_offset_us: int | None = None


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one pump's clocks after the events with `seq` up to `max_seq`.

    `offset_us`, `latest_rows_us`, `latest_single_us`: of the device's numbered log. `max_raw_us`: newest raw row time of
    any source, beyond which no row can be a repeat. `skewed`: whether `clock_skew` is on by that log. `moved`: some offset
    of it was not 0.
    """

    max_seq: int = -1
    offset_us: int = 0
    latest_rows_us: int = NEVER_US
    latest_single_us: int = NEVER_US
    max_raw_us: int = NEVER_US
    skewed: bool = False
    moved: bool = False


class Settled(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An event with its clock offset. `rows_us`: corrected times of its new rows, int64[m]; `kept`: their row numbers."""

    sighting: Sighting
    offset_us: int
    rows_us: NDArray[np.int64]
    kept: NDArray[np.int64]

    @property
    def event(self) -> PumpEvent:
        """The event itself."""
        return self.sighting.event

    @property
    def at_us(self) -> int:
        """Corrected time of the event."""
        return self.event.at_us + self.offset_us


class SkewChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The device's clock is now 60 s or more off (`on`), or not; without `seq` each event says so, news or not."""

    on: bool
    offset_us: int
    received_us: int


Item: TypeAlias = tuple[Key, Settled | SkewChanged]


class Items(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is folded, in order: `events` with their keys, and rows.

    rows_us, received_us: int64[n]; sources: int64[n], index into SOURCES; columns: float64[13, n], NaN = null;
    last_key: the key of the last item of all.
    """

    events: list[Item]
    rows_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    sources: NDArray[np.int64]
    columns: NDArray[np.float64]
    last_key: Key


def received_order_us(event: PumpEvent) -> int:
    """When it was received, an unknown time counting as later than any."""
    return LATEST_US if event.received_us is None else event.received_us


def unique(sightings: Iterable[Sighting]) -> tuple[list[Sighting], list[Sighting]]:
    """(what counts, what lost its id to other content); the same content seen twice is one event, received earliest."""
    earliest: dict[tuple[str, bytes], Sighting] = {}
    for seen in sightings:
        identity = (seen.event.id, seen.digest)
        known = earliest.get(identity)
        if known is None or received_order_us(seen.event) < received_order_us(known.event):
            earliest[identity] = seen
    winners: dict[str, Sighting] = {}
    lost: list[Sighting] = []
    for seen in earliest.values():
        known = winners.get(seen.event.id)
        if known is None:
            winners[seen.event.id] = seen
        elif _precedes(seen, known):
            winners[seen.event.id] = seen
            lost.append(known)
        else:
            lost.append(seen)
    return list(winners.values()), lost


def _precedes(one: Sighting, other: Sighting) -> bool:
    first, second = received_order_us(one.event), received_order_us(other.event)
    return first < second or (first == second and _canonical(one) < _canonical(other))


def _canonical(seen: Sighting) -> bytes:
    return canonical_json(seen.event, seen.raw)


# ------------------------------------------------------------------------------------------------------- clocks


def _log_order(seen: Sighting) -> tuple[str, int, str, str]:
    event = seen.event
    return (event.source, -1 if event.seq is None else event.seq, type_name(event), event.id)


def settle(clock: Clock, sightings: Sequence[Sighting]) -> tuple[list[Settled], Clock, list[Item]]:
    """Offsets and new rows of `sightings` (unique ids), given the clock of the events before them.

    Events with a `seq` that the clock has passed keep the offset they were settled with. Returns the settled events,
    the clock after them, and the changes of `clock_skew` as items.
    """
    passed_seq = clock.max_seq  # two events of one `seq` must not take each other for passed
    known = KnownRows(clock.max_raw_us)
    settled: list[Settled] = []
    skews: list[Item] = []
    for seen in sorted(sightings, key=_log_order):
        event = seen.event
        all_us, raw_us, kept = known.fresh(event)
        last_us = int(all_us[-1]) if len(all_us) else event.at_us
        numbered = event.source == "device" and event.seq is not None
        if (
            numbered
            and event.seq is not None
            and event.seq <= passed_seq
            and seen.settled_offset_us is not None
        ):
            offset_us = seen.settled_offset_us
        else:
            offset_us = _offset(clock, event, raw_us, last_us, numbered=numbered)
            if numbered:
                clock = _after(clock, event, raw_us, offset_us)
                if (abs(offset_us) >= SKEW_US) is not clock.skewed:
                    clock = msgspec.structs.replace(clock, skewed=not clock.skewed)
                    skews.append(_skew(event, raw_us, offset_us))
            elif event.source == "device" and (len(raw_us) or not isinstance(event, Telemetry)):
                # Alone, it can't be compared with the one before it in time: the fold does that.
                skews.append(_skew(event, raw_us, offset_us))
        settled.append(Settled(sighting=seen, offset_us=offset_us, rows_us=raw_us + offset_us, kept=kept))
    return settled, msgspec.structs.replace(clock, max_raw_us=known.max_raw_us), skews


def _offset(
    clock: Clock, event: PumpEvent, raw_us: NDArray[np.int64], last_us: int, *, numbered: bool
) -> int:
    """Both clock rules of the contract: never later than received, and a numbered log never goes back.

    raw_us: int64[m], raw times of the new rows; last_us: the event's last raw time.
    """
    offset_us = clock.offset_us if numbered else 0
    received_us = event.received_us
    if received_us is not None and last_us + offset_us > received_us + SKEW_US:
        offset_us = received_us - last_us
    if not numbered:
        return offset_us
    first_us, latest_us = event.at_us, clock.latest_single_us
    if isinstance(event, Telemetry):
        if not len(raw_us):
            return offset_us
        first_us, latest_us = int(raw_us[0]), clock.latest_rows_us
    if latest_us != NEVER_US and first_us + offset_us <= latest_us - SKEW_US:
        held_us = latest_us - first_us
        if received_us is not None:
            held_us = min(held_us, received_us - last_us)
        offset_us = max(offset_us, held_us)
    return offset_us


def _after(clock: Clock, event: PumpEvent, raw_us: NDArray[np.int64], offset_us: int) -> Clock:
    rows_us, single_us = clock.latest_rows_us, clock.latest_single_us
    if not isinstance(event, Telemetry):
        single_us = max(single_us, event.at_us + offset_us)
    elif len(raw_us):
        rows_us = max(rows_us, int(raw_us[-1]) + offset_us)
    return msgspec.structs.replace(
        clock,
        max_seq=max(clock.max_seq, event.seq or 0),
        offset_us=offset_us,
        latest_rows_us=rows_us,
        latest_single_us=single_us,
        moved=clock.moved or offset_us != 0,
    )


def _skew(event: PumpEvent, raw_us: NDArray[np.int64], offset_us: int) -> Item:
    """What a device's event says of its clock, before its own place among the items."""
    at_us = (int(raw_us[0]) if len(raw_us) else event.at_us) + offset_us
    key = (at_us, _ROWS_RANK - 1, event.source, -1 if event.seq is None else event.seq, "~skew", event.id, 0)
    received_us = at_us if event.received_us is None else event.received_us
    return key, SkewChanged(on=abs(offset_us) >= SKEW_US, offset_us=offset_us, received_us=received_us)


# -------------------------------------------------------------------------------------------------------- order


def seen_us(settled: Settled) -> int:
    """When an event was received; where that is unknown its last row, known or new, else its own time."""
    event = settled.event
    if event.received_us is not None:
        return event.received_us
    return int(event.rows_us()[-1]) + settled.offset_us if isinstance(event, Telemetry) else settled.at_us


def event_key(settled: Settled) -> Key:
    """Place of a single event among the items of its pump."""
    event = settled.event
    seq = -1 if event.seq is None else event.seq
    return (settled.at_us, _RANKS.get(type(event), 3), event.source, seq, type_name(event), event.id, 0)


def row_key(settled: Settled, row: int) -> Key:
    """Place of the row that stands `row`-th among the new rows of a telemetry event."""
    event = settled.event
    seq = -1 if event.seq is None else event.seq
    number = int(settled.kept[row])
    return (int(settled.rows_us[row]), _ROWS_RANK, event.source, seq, "telemetry", event.id, number)


def arrange(settled: Iterable[Settled], skews: Sequence[Item] = (), after: Key = GENESIS) -> Items:
    """The items later than `after`, in order."""
    events = [item for item in skews if item[0] > after]
    frames: list[tuple[Settled, NDArray[np.int64]]] = []
    for one in settled:
        if not isinstance(one.event, Telemetry):
            if (key := event_key(one)) > after:
                events.append((key, one))
        elif len(picked := _later_rows(one, after)):
            frames.append((one, picked))
    events.sort(key=lambda item: item[0])
    frames.sort(key=lambda frame: _log_order(frame[0].sighting))
    return _with_rows(events, frames)


def _later_rows(one: Settled, after: Key) -> NDArray[np.int64]:
    """Positions among the new rows of `one` whose key is beyond `after`."""
    if not len(one.rows_us) or one.rows_us[-1] < after[0]:
        return NO_ROWS
    start = int(np.searchsorted(one.rows_us, after[0], side="left"))
    while start < len(one.rows_us) and one.rows_us[start] == after[0] and row_key(one, start) <= after:
        start += 1
    return np.arange(start, len(one.rows_us), dtype=np.int64)


def _with_rows(events: list[Item], frames: list[tuple[Settled, NDArray[np.int64]]]) -> Items:
    last_key = events[-1][0] if events else GENESIS
    if not frames:
        empty = np.empty((len(CHANNELS), 0))
        return Items(
            events=events,
            rows_us=NO_ROWS,
            received_us=NO_ROWS,
            sources=NO_ROWS,
            columns=empty,
            last_key=last_key,
        )
    rows_us = np.concatenate([one.rows_us[picked] for one, picked in frames])
    owner = np.repeat(np.arange(len(frames)), [len(picked) for _, picked in frames])
    received = np.array([_received(one) for one, _ in frames], dtype=np.int64)[owner]
    sources = np.array([SOURCES.index(one.event.source) for one, _ in frames], dtype=np.int64)[owner]
    columns = np.concatenate([_columns(one, picked) for one, picked in frames], axis=1)
    positions = np.concatenate([picked for _, picked in frames])
    if len(frames) > 1 and (np.diff(rows_us) < 0).any():
        # Stable: at one time the frames stand in the order of source, seq, id, and rows in their own order.
        order = np.argsort(rows_us, kind="stable")
        rows_us, owner, received, sources = rows_us[order], owner[order], received[order], sources[order]
        columns, positions = np.ascontiguousarray(columns[:, order]), positions[order]
    last_key = max(last_key, row_key(frames[int(owner[-1])][0], int(positions[-1])))
    return Items(
        events=events,
        rows_us=rows_us,
        received_us=received,
        sources=sources,
        columns=columns,
        last_key=last_key,
    )


def _received(one: Settled) -> int:
    received_us = one.event.received_us
    return int(one.rows_us[-1]) if received_us is None else received_us


def _columns(one: Settled, picked: NDArray[np.int64]) -> NDArray[np.float64]:
    event = one.event
    assert isinstance(event, Telemetry)
    if len(picked) == event.columns.shape[1]:
        return event.columns
    return event.columns[:, one.kept[picked]]
