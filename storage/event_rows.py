"""Events as binary COPY rows: heads by `struct`, telemetry arrays by numpy, one dtype for each pattern of NULLs."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.events import CHANNELS
from storage import pgcopy
from storage.types import DIGEST_BYTES, EventRow

EVENT_COLUMNS: Final = (
    "at",
    "last_at",
    "raw_at",
    "raw_last_at",
    "offset_us",
    "digest",
    "counts",
    "received",
    "seq",
    "pump",
    "id",
    "type",
    "source",
    "payload",
    "rows_at",
    *CHANNELS,
)
ID_COLUMNS: Final = ("pump", "id", "digest", "at", "received", "counts")

_OID_TIMESTAMPTZ: Final = 1184
_OID_FLOAT8: Final = 701
_head = struct.Struct(">hiqiqiqiqiqi16si?").pack  # number of fields, five times, digest, counts
_NO_ARRAYS: Final = pgcopy.NULL * (1 + len(CHANNELS))
_PATTERNS_KEPT: Final = 512
_WORD_OF: Final = {
    word: pgcopy.text(word)
    for word in ("telemetry", "device", "clinic", "system")  # encoded once: nearly every row has them
}


def encode_events(events: Sequence[EventRow]) -> list[bytes]:
    """Return one COPY row of EVENT_COLUMNS for each event, in order.

    Raises ValueError where a digest is not 16 bytes or rows and columns disagree in length.
    """
    arrays = _encode_arrays(events)
    return [_encode_event(event, block) for event, block in zip(events, arrays, strict=True)]


def encode_ids(events: Sequence[EventRow]) -> list[bytes]:
    """Return one COPY row of ID_COLUMNS for each event, in order."""
    return [
        pgcopy.row(
            pgcopy.text(event.pump),
            pgcopy.text(pgcopy.escaped(event.id)),
            pgcopy.binary(event.digest),
            pgcopy.timestamptz(event.first_us),
            pgcopy.timestamptz(event.received_us),
            pgcopy.boolean(event.counts),
        )
        for event in events
    ]


def _encode_event(event: EventRow, arrays: bytes | memoryview) -> bytes:
    if len(event.digest) != DIGEST_BYTES:
        raise ValueError(f"event {event.id} of {event.pump}: a digest has {DIGEST_BYTES} bytes")
    epoch, clamp, payload = pgcopy.PG_EPOCH_US, pgcopy.clamped_us, event.payload
    head = _head(
        len(EVENT_COLUMNS),
        8,
        clamp(event.first_us) - epoch,
        8,
        clamp(event.last_us) - epoch,
        8,
        clamp(event.first_raw_us) - epoch,
        8,
        clamp(event.last_raw_us) - epoch,
        8,
        event.offset_us,
        DIGEST_BYTES,
        event.digest,
        1,
        event.counts,
    )
    return b"".join(
        (
            head,
            pgcopy.timestamptz(event.received_us),
            pgcopy.int8(event.seq),
            pgcopy.text(event.pump),
            pgcopy.text(pgcopy.escaped(event.id)),
            _WORD_OF.get(event.type) or pgcopy.text(event.type),
            _WORD_OF.get(event.source) or pgcopy.text(event.source),
            pgcopy.length(len(payload)),
            payload,
            arrays,
        )
    )


def _encode_arrays(events: Sequence[EventRow]) -> list[bytes | memoryview]:
    """Encode rows_at and the channels of every event: one numpy pass for all frames of one pattern."""
    blocks: list[bytes | memoryview] = [_NO_ARRAYS] * len(events)
    patterns: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for place, event in enumerate(events):
        if event.rows_us is not None and event.columns is not None and len(event.rows_us):
            absent = np.logical_and.reduce(np.isnan(event.columns), axis=1)
            patterns[len(event.rows_us), absent.tobytes()].append(place)
    for (samples, mask), places in patterns.items():
        channels = np.flatnonzero(~np.frombuffer(mask, dtype=np.bool_))
        record = _blank(samples, mask).repeat(len(places))
        record["rows_at"]["cell"]["content"] = _timestamps([events[place].rows_us for place in places])
        for channel in channels:
            cells = record[CHANNELS[channel]]["cell"]["content"]
            for at, place in enumerate(places):
                cells[at] = _columns(events[place])[channel]
        stream = record.view(np.uint8).data  # slices of it are joined without a copy between
        for at, place in enumerate(places):
            blocks[place] = stream[at * record.itemsize : (at + 1) * record.itemsize]
    return blocks


def _columns(event: EventRow) -> NDArray[np.float64]:
    if event.columns is None:  # pragma: no cover - grouped only with columns
        raise ValueError(f"event {event.id} of {event.pump} has rows without columns")
    return event.columns


def _timestamps(rows_us: list[Any]) -> NDArray[np.int64]:
    stacked: NDArray[np.int64] = np.stack(rows_us)
    low, high = pgcopy.clamped_us(-(2**63)), pgcopy.clamped_us(2**63)
    return np.clip(stacked, low, high) - pgcopy.PG_EPOCH_US


@lru_cache(maxsize=_PATTERNS_KEPT)
def _blank(samples: int, mask: bytes) -> NDArray[np.void]:
    """Return one record of the pattern with all lengths and array headers in place and no contents.

    The dtype is exactly the COPY fields: an array field is its length, dimensions (1), flags (0), element type, size and
    lower bound (1), then each element as length and content; an absent one is the length -1.
    """
    absent = np.frombuffer(mask, dtype=np.bool_)
    fields = [("rows_at", _array_dtype(samples, ">i8"))]
    fields += [
        (channel, np.dtype([("length", ">i4")]) if missing else _array_dtype(samples, ">f8"))
        for channel, missing in zip(CHANNELS, absent, strict=True)
    ]
    record = np.zeros(1, dtype=np.dtype(fields))
    for name, field in fields:
        array = record[name]
        if "cell" not in (field.names or ()):
            array["length"] = -1
            continue
        array["length"] = field.itemsize - 4
        array["dimensions"] = array["lower"] = 1
        array["element"] = _OID_TIMESTAMPTZ if name == "rows_at" else _OID_FLOAT8
        array["size"] = samples
        array["cell"]["length"] = 8
    return record


def _array_dtype(samples: int, content: str) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("length", ">i4"),
            ("dimensions", ">i4"),
            ("flags", ">i4"),
            ("element", ">u4"),
            ("size", ">i4"),
            ("lower", ">i4"),
            ("cell", [("length", ">i4"), ("content", content)], (samples,)),
        ]
    )
