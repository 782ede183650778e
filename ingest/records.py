"""One raw event, JSON or MessagePack -> the record that would be written to the log, and who it speaks for.

What counts for authority is how the log's reader understands the record, not how it was declared: a MessagePack event
sent as a JSON line would else pass as unreadable text and be an event again behind the gateway.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from contract.codec import decode_msgpack, json_to_wire, with_received
from contract.events import Event, PumpRegistered, Tick, type_name
from contract.facts import Quarantined

KEY_BYTES: Final = 8
_PARSE_ERRORS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError, ValueError)
_JSON_START: Final = frozenset(b'{ \t\r\n"[\xef')
_unpack: Final = msgspec.msgpack.Decoder().decode
_pack: Final = msgspec.msgpack.Encoder().encode
_parse: Final = msgspec.json.Decoder().decode

TICK_IS_OURS: Final = 'The type "tick" belongs to the gateway alone and cannot be sent.'
OTHER_ACTOR: Final = "The actor is the label of the token that says it; leave `actor` out."
DISGUISED: Final = "This is a MessagePack event where JSON was declared; send it as application/msgpack."


@dataclass(frozen=True, slots=True)
class Record:
    """What one raw event becomes.

    Parameters
    ----------
    wire
        The Kafka value: MessagePack with `received`, or what cannot be decoded as it came.
    id, type, pump
        As far as they can be read.
    site
        Of a registration that states one.
    quarantined
        Why it cannot be decoded; None for an event.
    refused
        Why it must not be written whoever sends it; None for nearly everything.
    """

    wire: bytes
    id: str | None
    type: str | None
    pump: str | None
    site: str | None = None
    quarantined: str | None = None
    refused: str | None = None

    @property
    def key(self) -> bytes:
        """The Kafka key: the pump, or a digest that spreads what names none."""
        if self.pump is not None:
            return self.pump.encode()
        return hashlib.blake2b(self.wire, digest_size=KEY_BYTES).hexdigest().encode()

    @property
    def size(self) -> int:
        """Bytes that it holds while it waits for the broker."""
        return len(self.wire)


def read_json(line: bytes, received_us: int, *, keep_received: bool) -> Record:
    """Return a JSON event as a record. `keep_received`: what it says of itself counts, where it does. Never raises."""
    event, wire = json_to_wire(line, None if keep_received else received_us)
    if not isinstance(event, Quarantined):
        if keep_received and event.received_us is None:  # type: ignore[union-attr]
            wire = with_received(wire, received_us)
        return _of_event(event, wire)
    read_by_log = decode_msgpack(line)
    if isinstance(read_by_log, Quarantined):
        return _of_quarantined(line, read_by_log.pump, event.reason)
    return _of_quarantined(line, None, event.reason, refused=DISGUISED)


def read_msgpack(raw: bytes, received_us: int, *, keep_received: bool) -> Record:
    """Return a MessagePack event as a record, as `read_json` does. Never raises."""
    event = decode_msgpack(raw)
    if isinstance(event, Quarantined):
        return _of_quarantined(raw, event.pump, event.reason)
    if isinstance(event, Tick):
        return Record(wire=b"", id=None, type="tick", pump=None, refused=TICK_IS_OURS)
    keeps = keep_received and event.received_us is not None
    return _of_event(event, raw if keeps else with_received(raw, received_us))


def signed(record: Record, actor: str) -> Record:
    """Return a person's record with `actor` in it: refused where it names another, or where it is no event.

    A person is told what is wrong with an event; the quarantine is for what programs send.
    """
    if record.refused is not None:
        return record
    if record.quarantined is not None:
        return replace(record, refused=record.quarantined)
    fields = _unpack(record.wire)
    if fields.get("actor") not in (None, actor):
        return replace(record, refused=OTHER_ACTOR)
    return replace(record, wire=_pack(fields | {"actor": actor}))


def _of_event(event: Event, wire: bytes) -> Record:
    assert not isinstance(event, Tick), "the callers have refused it"
    site = event.site if isinstance(event, PumpRegistered) else None
    return Record(wire=wire, id=event.id, type=type_name(event), pump=event.pump, site=site)


def _of_quarantined(raw: bytes, pump: str | None, reason: str, refused: str | None = None) -> Record:
    stated = _stated(raw)
    stated_type = _text(stated.get("type"))
    if stated_type == "tick":
        refused = TICK_IS_OURS
    return Record(
        wire=raw,
        id=_text(stated.get("id")),
        type=stated_type,
        pump=pump,
        quarantined=reason,
        refused=refused,
    )


def _stated(raw: bytes) -> dict[Any, Any]:
    """Return the fields of what is no event, as far as it is an object."""
    try:
        fields = (
            _parse(raw.removeprefix(b"\xef\xbb\xbf")) if raw[:1] and raw[0] in _JSON_START else _unpack(raw)
        )
    except _PARSE_ERRORS:
        return {}
    return fields if type(fields) is dict else {}


def _text(content: Any) -> str | None:
    return content[:256] if type(content) is str else None
