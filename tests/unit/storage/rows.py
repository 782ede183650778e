"""Small rows for the tests of storage: an event, a frame, a fact, a checkpoint, each with only what a test is about."""

import hashlib
from typing import Any

import numpy as np

from contract.codec import encode_wire
from contract.events import CHANNELS, Note, Telemetry
from contract.times import DAY_US, SECOND_US
from storage.types import Changes, CheckpointRow, EventRow, FactRow

T0_US = 1_750_000_000_000_000  # 2025-06-15T15:06:40Z


def note(pump: str, identity: str, at_us: int = T0_US, **changed: Any) -> EventRow:
    """A clinic note; `text` makes another content, other keywords replace fields of the row."""
    text = changed.pop("text", "")
    received_us = changed.get("received_us", at_us + SECOND_US)
    event = Note(
        id=identity,
        pump=pump,
        source="clinic",
        at_us=at_us,
        received_us=received_us,
        kind="other",
        from_us=at_us,
        to_us=at_us,
        text=text,
    )
    fields: dict[str, Any] = {
        "pump": pump,
        "id": identity,
        "type": "note",
        "source": "clinic",
        "seq": None,
        "received_us": received_us,
        "first_us": at_us,
        "last_us": at_us,
        "first_raw_us": at_us,
        "last_raw_us": at_us,
        "offset_us": 0,
        "digest": hashlib.blake2b(f"{pump} {identity} {text}".encode(), digest_size=16).digest(),
        "payload": encode_wire(event),
    }
    return EventRow(**(fields | changed))


def frame(
    pump: str, identity: str, t_s: list[float], columns: dict[str, list[float]], **changed: Any
) -> EventRow:
    """A telemetry frame that begins at T0; keywords replace fields of the row."""
    numbers = np.full((len(CHANNELS), len(t_s)), np.nan)
    for name, column in columns.items():
        numbers[CHANNELS.index(name)] = column
    event = Telemetry(
        id=identity,
        pump=pump,
        source="device",
        seq=changed.get("seq", 1),
        at_us=changed.pop("at_us", T0_US),
        received_us=changed.get("received_us", T0_US + DAY_US),
        t_s=np.array(t_s),
        columns=numbers,
        present=frozenset(columns),
    )
    rows_us = event.rows_us()
    first_us, last_us = (int(rows_us[0]), int(rows_us[-1])) if len(rows_us) else (event.at_us, event.at_us)
    fields: dict[str, Any] = {
        "pump": pump,
        "id": identity,
        "type": "telemetry",
        "source": "device",
        "seq": event.seq,
        "received_us": event.received_us,
        "first_us": first_us,
        "last_us": last_us,
        "first_raw_us": first_us,
        "last_raw_us": last_us,
        "offset_us": 0,
        "digest": hashlib.blake2b(f"{pump} {identity}".encode(), digest_size=16).digest(),
        "payload": encode_wire(event),
        "rows_us": rows_us,
        "columns": numbers,
    }
    return EventRow(**(fields | changed))


def alert(pump: str, at_us: int, ordinal: int = 0, state: str = "active", alert_id: str = "a1") -> FactRow:
    """An alert line as the codec writes it, as far as storage reads it."""
    line = (
        f'{{"fact":"alert","pump":"{pump}","alert_id":"{alert_id}","cause":"occlusion","state":"{state}",'
        f'"priority":"high","since":"2025-06-15T15:06:40.000000Z","harm_at":{{"lo":null,"hi":null}},'
        f'"text":"n {ordinal}","evidence":{{}}}}'
    )
    return FactRow("alert", pump, at_us, "occlusion", alert_id, ordinal, line.encode())


def dose(pump: str, at_us: int, programmed_ul: float = 24.0, sensed_ul: str = "null") -> FactRow:
    """A dose line as the codec writes it, as far as storage reads it."""
    line = (
        '{"fact":"dose","from":"2025-06-15T00:00:00.000000Z","to":"2025-06-16T00:00:00.000000Z",'
        f'"programmed_ul":{programmed_ul},"sensed_ul":{sensed_ul},"coverage":0.5}}'
    )
    return FactRow("dose", pump, at_us, "", "", 0, line.encode())


def forecast(pump: str, at_us: int) -> FactRow:
    """A forecast line as the codec writes it, as far as storage reads it."""
    line = (
        '{"fact":"forecast","flow_ratio":{"mean":1.1,"lo":1.0,"hi":1.2},"empty_at":{"p05":null,'
        '"p50":"2025-12-16T00:00:00.000000Z","p95":null},"device_alarm_at":null,"dry_before_alarm":0.25,'
        '"refill_due":null,"refill_due_reason":null}'
    )
    return FactRow("forecast", pump, at_us, "", "", 0, line.encode())


def checkpoint(
    pump: str, head_us: int, max_seq: int = -1, max_raw_us: int = 0, blob: bytes = b"c"
) -> CheckpointRow:
    """A checkpoint."""
    return CheckpointRow(pump, head_us, max_seq, max_raw_us, blob)


def batch(expected_offset: int = 0, **changed: Any) -> Changes:
    """Changes of partition 3 that move it by ten offsets."""
    fields: dict[str, Any] = {
        "partition": 3,
        "expected_offset": expected_offset,
        "next_offset": expected_offset + 10,
        "believed_us": T0_US + expected_offset * SECOND_US,
    }
    return Changes(**(fields | changed))
