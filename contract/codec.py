"""Bytes <-> events: never raises on bad input, but gives an event or Quarantined with the reason.

In a file an event is one JSON line, on Kafka one MessagePack map with the same fields; there a telemetry column is a
`bin` of little-endian float64 with NaN for null. Fields that are not known are kept in the wire record.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec

from contract.columns import COLUMN_FIELDS, canonical_numbers, json_list, wire_bytes
from contract.errors import InvalidTimeError
from contract.events import CHANNEL_INDEX, TYPES, Event, PumpId, Telemetry, type_name
from contract.fact_codec import decode_fact, encode_fact
from contract.facts import Quarantined
from contract.plain import storable
from contract.reading import read_event, time_names, unknown_column
from contract.refusal import Refused, excerpt, shown
from contract.times import format_us, parse_rfc3339

__all__ = [
    "canonical_json",
    "decode_fact",
    "decode_json",
    "decode_msgpack",
    "decode_with_digest",
    "digest",
    "encode_fact",
    "encode_json",
    "encode_wire",
    "json_to_wire",
    "wire_to_json",
    "with_received",
]

DIGEST_BYTES: Final = 16
_BOM: Final = b"\xef\xbb\xbf"
_NOT_A_NUMBER: Final = re.compile(rb"[:\[,]\s*-?(?:NaN|Infinity)")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_JSON_START: Final = frozenset(b'{ \t\r\n"[')
_PARSE_ERRORS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError, ValueError)
_OPTIONAL: Final = {
    struct: frozenset(field.name for field in msgspec.structs.fields(struct) if not field.required)
    for struct in TYPES.values()
}
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder().decode
_parse: Final = msgspec.json.Decoder().decode
_write: Final = msgspec.json.Encoder().encode
_write_sorted: Final = msgspec.json.Encoder(order="sorted").encode


def _malformed(raw: bytes, error: Exception, form: str) -> Refused:
    """Return the reason why bytes are not `form` at all."""
    if isinstance(error, RecursionError):
        return Refused("The input is nested too deep to be an event.")
    if isinstance(error, UnicodeError):
        return Refused("The input holds bytes that are not UTF-8 text.")
    if not raw.strip():
        return Refused("The input is empty.")
    if form == "JSON" and _NOT_A_NUMBER.search(raw):
        return Refused(
            "The input holds NaN or Infinity, which are no numbers; use null for what was not reported."
        )
    detail = str(error).split(": ", 1)[-1].split(" - at ")[0]
    if "out of range" in detail:
        return Refused("The input holds a number too large for a double.")
    if form == "JSON" and _SURROGATE.search(raw):
        return Refused(
            "The input is not JSON, perhaps for half of a surrogate pair (\\ud800 to \\udfff) in a text."
        )
    if "truncated" in detail:
        return Refused(f"The input ends in the middle of its {form}.")
    return Refused(f"The input is not {form}: {detail}.")


def _json_fields(line: bytes) -> Any:
    try:
        return _parse(line.removeprefix(_BOM))
    except _PARSE_ERRORS as error:
        raise _malformed(line, error, "JSON") from None


def _wire_fields(raw: bytes) -> Any:
    try:
        return _unpack(raw)
    except _PARSE_ERRORS as error:
        raise _malformed(raw, error, "MessagePack") from None


def _quarantined(raw: bytes, reason: str, fields: Any) -> Quarantined:
    """Return the fact about refused input, with pump and time where they can be read."""
    pump = at_us = None
    if type(fields) is dict:
        try:
            pump = msgspec.convert(fields.get("pump"), PumpId)
        except (msgspec.ValidationError, UnicodeError):
            pump = None
        at = fields.get("at")
        try:
            at_us = parse_rfc3339(at) if type(at) is str else None
        except InvalidTimeError:
            at_us = None
    return Quarantined(pump=pump, at_us=at_us, reason=reason, text=_excerpt(raw, fields))


def _excerpt(raw: bytes, fields: Any) -> str:
    """Return the beginning of the input; a MessagePack map is shown as JSON without its columns."""
    if type(fields) is dict and raw[:1] and raw[0] not in _JSON_START and not raw.startswith(_BOM):
        head = {
            shown(name)[1:-1] if type(name) is str else shown(name): content
            for name, content in fields.items()
        }
        rendered = ", ".join(f'"{name}": {shown(content)}' for name, content in list(head.items())[:16])
        return excerpt(f"{{{rendered}}}".encode())
    return excerpt(raw)


def _decode_json(line: bytes) -> tuple[Event | Quarantined, Any]:
    fields: Any = None
    try:
        fields = _json_fields(line)
        event, _ = read_event(fields, from_kafka=False)
    except Refused as refused:
        return _quarantined(line, str(refused), fields), None
    return event, fields


def _decode_wire(raw: bytes) -> tuple[Event | Quarantined, Any, dict[str, Any]]:
    fields: Any = None
    try:
        fields = _wire_fields(raw)
        event, timed = read_event(fields, from_kafka=True)
    except Refused as refused:
        return _refused_wire(raw, str(refused), fields), None, {}
    return event, fields, timed


def _refused_wire(raw: bytes, reason: str, fields: Any) -> Quarantined:
    # What could not be decoded at the gateway is in the log as it came, mostly JSON: then its own reason says more.
    if type(fields) is not dict and raw and (raw[0] in _JSON_START or raw.startswith(_BOM)):
        as_json, _ = _decode_json(raw)
        if isinstance(as_json, Quarantined):
            return as_json
        return Quarantined(
            pump=getattr(as_json, "pump", None),
            at_us=as_json.at_us,
            reason="The record is JSON, but the log carries MessagePack; send JSON to the gateway.",
            text=excerpt(raw),
        )
    return _quarantined(raw, reason, fields)


def decode_json(line: bytes) -> Event | Quarantined:
    """One event from one JSON line (never a tick). Never raises."""
    return _decode_json(line)[0]


def decode_msgpack(raw: bytes) -> Event | Quarantined:
    """One event, or tick, from a Kafka record. Never raises. A gateway must refuse a Tick that a client sends."""
    return _decode_wire(raw)[0]


def decode_with_digest(raw: bytes) -> tuple[Event | Quarantined, bytes]:
    """`decode_msgpack` and `digest` in one pass; the digest of refused input is that of its bytes. Never raises."""
    event, _, timed = _decode_wire(raw)
    if isinstance(event, Quarantined):
        return event, hashlib.blake2b(raw, digest_size=DIGEST_BYTES).digest()
    return event, _digest(event, timed)


def json_to_wire(line: bytes, received_us: int | None = None) -> tuple[Event | Quarantined, bytes]:
    """Return a JSON line as event and as Kafka record, unknown fields kept; refused input is its own record. Never raises.

    With `received_us` the record says so, whatever the line said; the event keeps what the line said.
    """
    event, fields = _decode_json(line)
    if isinstance(event, Quarantined):
        return event, line
    if isinstance(event, Telemetry):
        fields["t_s"] = wire_bytes(event.t_s)
        for name in event.present:
            fields[name] = wire_bytes(event.columns[CHANNEL_INDEX[name]])
    if received_us is not None:
        fields["received"] = format_us(received_us)
    try:
        return event, _pack(fields)
    except OverflowError:
        return event, _pack(storable(fields))


def wire_to_json(raw: bytes) -> bytes:
    """Return a Kafka record as one JSON line without newline, unknown fields and `received` kept. Never raises.

    A record that is no event gives a line that is no event either: itself if it is one line of text, else a JSON text.
    """
    event, fields, _ = _decode_wire(raw)
    if isinstance(event, Quarantined):
        return _unreadable_line(raw)
    if isinstance(event, Telemetry):
        for name, content in fields.items():
            if type(content) is bytes and name not in COLUMN_FIELDS:
                fields[name] = unknown_column(content, fields["t_s"])
        fields["t_s"] = json_list(event.t_s)
        for name in event.present:
            fields[name] = json_list(event.columns[CHANNEL_INDEX[name]])
    return _write(fields)


def _unreadable_line(raw: bytes) -> bytes:
    line = raw.strip()
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return _write(raw.decode("utf-8", "backslashreplace"))
    if line and text.splitlines() == [text] and isinstance(decode_json(line), Quarantined):
        return line
    return _write(text)


def with_received(raw: bytes, received_us: int) -> bytes:
    """Return the wire record with `received` set; what is no MessagePack map comes back as it is."""
    try:
        fields = _wire_fields(raw)
        if type(fields) is not dict:
            return raw
        fields["received"] = format_us(received_us)
        return _pack(fields)
    except (Refused, *_PARSE_ERRORS, TypeError):
        return raw


def _fields_of(event: Event) -> dict[str, Any]:
    """Return the wire fields of an event, times as text, columns as arrays, absent optional fields left out."""
    fields: dict[str, Any] = {"type": type_name(event)}
    optional = _OPTIONAL[type(event)]
    for attribute, name in zip(event.__struct_fields__, event.__struct_encode_fields__, strict=True):
        content = getattr(event, attribute)
        if attribute in ("t_s", "columns", "present") or (content is None and attribute in optional):
            continue
        fields[name] = format_us(content) if attribute.endswith("_us") else msgspec.to_builtins(content)
    if isinstance(event, Telemetry):
        fields["t_s"] = event.t_s
        for channel, row in CHANNEL_INDEX.items():
            if channel in event.present:
                fields[channel] = event.columns[row]
    return fields


def encode_wire(event: Event) -> bytes:
    """Return an event as Kafka record; known fields only."""
    fields = _fields_of(event)
    if isinstance(event, Telemetry):
        fields |= {name: wire_bytes(fields[name]) for name in COLUMN_FIELDS & fields.keys()}
    return _pack(fields)


def encode_json(event: Event) -> bytes:
    """Return an event as one JSON line without newline; known fields only."""
    fields = _fields_of(event)
    if isinstance(event, Telemetry):
        fields |= {name: json_list(fields[name]) for name in COLUMN_FIELDS & fields.keys()}
    return _write(fields)


def _content(timed: dict[str, Any]) -> dict[str, Any]:
    """Return what counts as an event's content, columns aside: `received` and nulls are left out."""
    return {name: member for name, member in timed.items() if member is not None and name != "received"}


def _digest(event: Event, timed: dict[str, Any]) -> bytes:
    hashed = hashlib.blake2b(_write_sorted(_content(timed)), digest_size=DIGEST_BYTES)
    if isinstance(event, Telemetry):
        present = [row for name, row in CHANNEL_INDEX.items() if name in event.present]
        hashed.update(bytes(present))
        hashed.update(canonical_numbers(event.t_s).data)
        hashed.update(canonical_numbers(event.columns.take(present, axis=0)).data)
    return hashed.digest()


def _timed(raw: bytes) -> dict[str, Any]:
    is_json = raw.startswith(_BOM) or (bool(raw) and raw[0] in _JSON_START)
    try:
        return read_event(_json_fields(raw) if is_json else _wire_fields(raw), from_kafka=not is_json)[1]
    except Refused as refused:
        raise ValueError(f"Only an event has content to compare. {refused}") from None


def digest(event: Event, raw: bytes) -> bytes:
    """Sixteen bytes (BLAKE2b) that are equal for equal content, `received` aside, unknown fields included.

    `raw`: the JSON line or the wire record that gave `event`; both forms give the same digest.
    """
    return _digest(event, _timed(raw))


def canonical_json(event: Event, raw: bytes) -> bytes:
    """Return the content in canonical JSON, keys sorted, `received` aside: decides between two events of one id.

    `raw`: the JSON line or the wire record that gave `event`.
    """
    content = _content(_timed(raw))
    content |= {name: format_us(content[name]) for name in time_names(event) if name in content}
    if isinstance(event, Telemetry):
        content["t_s"] = canonical_numbers(event.t_s).tolist()
        for name in event.present:
            content[name] = json_list(canonical_numbers(event.columns[CHANNEL_INDEX[name]]))
    return _write_sorted(content)
