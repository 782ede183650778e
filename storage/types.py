"""What crosses the border of storage: frozen rows in, frozen rows out. Times are integer microseconds since 1970, UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

FactKind: TypeAlias = Literal["dose", "forecast", "alert"]
Role: TypeAlias = Literal["sender", "viewer", "operator", "admin"]
EventKey: TypeAlias = tuple[str, str]  # (pump, id)

DIGEST_BYTES: Final = 16
DEFAULT_TOPIC: Final = "pump-events"


@dataclass(frozen=True, slots=True)
class Known:
    """What storage remembers of an id: the digest of the content that counts, and its earliest `received`."""

    digest: bytes
    received_us: int | None


@dataclass(frozen=True, slots=True, eq=False)
class EventRow:
    """One event of the log of record.

    Parameters
    ----------
    first_us, last_us
        Corrected times of the first and last row (of the event itself where it has no rows); `first_us` partitions.
    first_raw_us, last_raw_us
        The same by the source's own clock.
    offset_us
        Clock correction: corrected minus raw.
    digest
        16 bytes over the content without `received`.
    payload
        The Kafka wire bytes with `received`, exactly what an export folds again.
    rows_us
        int64[n] corrected row times; None unless telemetry.
    columns
        float64[13, n] in the order of ``contract.events.CHANNELS``, NaN = null; None unless telemetry.
        A channel that is NaN in every row is stored as an absent one.
    counts
        False: kept and exported, but no part of the fold (it lost a conflict of ids, or repeats known rows).
    """

    pump: str
    id: str
    type: str
    source: str
    seq: int | None
    received_us: int | None
    first_us: int
    last_us: int
    first_raw_us: int
    last_raw_us: int
    offset_us: int
    digest: bytes
    payload: bytes
    rows_us: NDArray[np.int64] | None = None
    columns: NDArray[np.float64] | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class FactRow:
    """One fact as it is written, with the identity by which it can be superseded.

    Identity: kind, pump, at_us, cause, alert_id, ordinal. `ordinal` is the order of emission among the pump's facts of
    one `at_us`. `line` is the canonical JSON of ``contract.codec.encode_fact`` (a superseded fact may leave it empty).
    """

    kind: FactKind
    pump: str
    at_us: int
    cause: str
    alert_id: str
    ordinal: int
    line: bytes


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """Input that takes no part, with its place in the partition, the reason and its raw bytes."""

    offset: int
    reason: str
    text: str
    pump: str | None
    at_us: int | None
    payload: bytes
    id: str | None = None


@dataclass(frozen=True, slots=True)
class StateRow:
    """A pump's head state: an opaque blob of the fold."""

    pump: str
    blob: bytes


class Loaded(NamedTuple):
    """A partition as a worker takes it over: head states by pump, the offset they stand for, the run they belong to."""

    blobs: dict[str, bytes]
    next_offset: int
    run_id: int


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A pump's state at `head_us`: an opaque blob of the fold; `max_seq` is -1 where no event had a `seq`."""

    pump: str
    head_us: int
    max_seq: int
    max_raw_us: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """All that one batch of one partition changes; committed in one transaction or not at all.

    Parameters
    ----------
    expected_offset, next_offset
        The compare-and-set: `progress` moves from the first to the second, or nothing is written.
    believed_us
        When we came to believe the added facts (newest `received` of the batch).
    replaced
        Stored events that no longer count. An event in `events` may have the same key (another content won the id) and
        even the same digest (its corrected time moved): it takes the place of the stored one.
    received_updates
        (pump, id, received_us): an earlier `received` of a known event came in.
    superseded
        Facts believed until now; they get `believed_to` = `believed_us`.
    drop_checkpoints
        (pump, after_us): a rewind made the pump's checkpoints with head_us > after_us void. Dropped before
        `checkpoints` are written.
    """

    partition: int
    expected_offset: int
    next_offset: int
    believed_us: int
    events: Sequence[EventRow] = ()
    replaced: Sequence[EventKey] = ()
    received_updates: Sequence[tuple[str, str, int]] = ()
    added: Sequence[FactRow] = ()
    superseded: Sequence[FactRow] = ()
    states: Sequence[StateRow] = ()
    checkpoints: Sequence[CheckpointRow] = ()
    drop_checkpoints: Sequence[tuple[str, int]] = ()
    quarantined: Sequence[QuarantineRow] = ()


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """What a rewind needs: the pump's newest checkpoint that an event can still be folded behind.

    The checkpoint has head_us < first_us (strictly, so that whatever is ordered within one time is folded again); with
    `seq`, also max_seq < seq; with `first_raw_us`, also max_raw_us <= first_raw_us. `everything` asks for no checkpoint
    and the pump's whole log.
    """

    pump: str
    first_us: int
    seq: int | None = None
    first_raw_us: int | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event read back from the log: its wire bytes, its earliest `received`, its clock correction, whether it counts."""

    payload: bytes
    received_us: int | None
    offset_us: int
    digest: bytes
    counts: bool = True


@dataclass(frozen=True, slots=True)
class History:
    """A pump from a checkpoint on: counting events with last_us >= its head, facts of the current run with at >= it."""

    checkpoint: CheckpointRow | None
    events: Sequence[StoredEvent]
    facts: Sequence[FactRow]


@dataclass(frozen=True, slots=True)
class PumpLog:
    """All that is stored of a pump: its whole log, the facts believed now (current run), its head state if it has one."""

    events: Sequence[StoredEvent]
    facts: Sequence[FactRow]
    head: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A bearer token's hash, role and scope; a scope of None means all. The token itself is never stored."""

    id: str
    hash: bytes
    label: str
    pumps: tuple[str, ...] | None = None
    sites: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    replay: bool = False
    role: Role = "sender"
    created_us: int
    revoked_us: int | None = None
