"""What crosses from file to Kafka and back."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from contract import codec
from contract.events import Telemetry
from contract.facts import Quarantined
from contract.times import parse_rfc3339
from tests.unit.contract.samples import PAYLOADS, fields, line

UNKNOWN: dict[str, Any] = {
    "humidity_pct": [1, None, 2.5, 0],
    "firmware": {"major": 3, "tags": ["a", None, {"b": True}]},
    "emoji": "\u00e9\U0001f600",
    "serial": 2**64 - 1,
    "debt": -(2**63),
}


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_json_to_wire_and_back_is_the_same_object(event_type: str):
    """Nothing that a line says is lost on the way through Kafka, unknown fields and `received` included."""
    whole = fields(event_type, received="2026-01-31T08:00:07.25+00:00", **UNKNOWN)
    event, raw = codec.json_to_wire(json.dumps(whole).encode())
    assert not isinstance(event, Quarantined)
    assert json.loads(codec.wire_to_json(raw)) == whole
    assert b"\n" not in codec.wire_to_json(raw)


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_encoded_events_decode_to_themselves(event_type: str):
    """What our own producers write is what they meant, in both forms."""
    event = codec.decode_json(line(event_type, seq=3, received="2026-01-31T09:00:00Z"))
    assert not isinstance(event, Quarantined)
    assert codec.decode_json(codec.encode_json(event)) == event
    assert codec.decode_msgpack(codec.encode_wire(event)) == event
    assert codec.encode_json(event) == codec.encode_json(codec.decode_json(codec.encode_json(event)))  # type: ignore[arg-type]


def test_whole_numbers_past_64_bits_travel_as_doubles():
    """MessagePack ends at 64 bits, a line does not; an unknown field must not stop the event."""
    event, raw = codec.json_to_wire(line("note", serial=10**30))
    assert not isinstance(event, Quarantined)
    assert json.loads(codec.wire_to_json(raw))["serial"] == 1e30


def test_an_unknown_bin_column_of_a_later_contract_is_exported_as_list():
    """A column that only a newer gateway knows survives an export by this version."""
    whole = fields("telemetry") | {"humidity_pct": np.array([1, math.nan, 2.5, 0], "<f8").tobytes()}
    exported = json.loads(codec.wire_to_json(msgspec.msgpack.encode(whole)))
    assert exported["humidity_pct"] == [1, None, 2.5, 0]


def test_the_gateway_sets_received():
    """`received` is set or replaced, and nothing else changes."""
    at_us = parse_rfc3339("2026-01-31T08:00:09.000001Z")
    for event_type in PAYLOADS:
        _, raw = codec.json_to_wire(line(event_type, received="2020-01-01T00:00:00Z", **UNKNOWN))
        stamped = codec.with_received(raw, at_us)
        assert getattr(codec.decode_msgpack(stamped), "received_us", None) == at_us
        assert json.loads(codec.wire_to_json(stamped)) == json.loads(codec.wire_to_json(raw)) | {
            "received": "2026-01-31T08:00:09.000001Z"
        }
        assert codec.json_to_wire(line(event_type, **UNKNOWN), at_us)[1] == codec.with_received(
            codec.json_to_wire(line(event_type, **UNKNOWN))[1], at_us
        )


@pytest.mark.parametrize("raw", [b"", b"{not json", b"\xc1", b"\x05", b"\x91" * 9000])
def test_received_of_what_is_no_map_changes_nothing(raw: bytes):
    """Undecodable bytes reach the log as they came."""
    assert codec.with_received(raw, 5) == raw


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_the_digest_is_of_the_content_alone(event_type: str):
    """`received`, the order of keys, the form and the spelling of a number or time do not show; all else does."""
    event, raw = codec.json_to_wire(line(event_type, **UNKNOWN))
    assert not isinstance(event, Quarantined)
    first = codec.digest(event, raw)
    assert len(first) == 16
    whole = fields(event_type, received="2027-01-01T00:00:00Z", **UNKNOWN)
    whole["at"] = "2026-01-31T09:00:00+01:00"
    shuffled = json.dumps(_spelled(dict(reversed(whole.items())))).encode()
    again, raw_again = codec.json_to_wire(shuffled)
    assert not isinstance(again, Quarantined), again
    assert codec.digest(again, shuffled) == codec.digest(again, raw_again) == first
    assert codec.canonical_json(again, shuffled) == codec.canonical_json(event, raw)
    assert codec.decode_with_digest(raw_again) == (again, first)
    plain_list = msgspec.msgpack.encode(whole)
    assert codec.decode_with_digest(plain_list)[1] == first
    for changed in (
        {"seq": 0},
        {"firmware": {"major": 4}},
        {"at": "2026-01-31T08:00:00.000001Z"},
        {"source": "system"},
    ):
        other, other_raw = codec.json_to_wire(line(event_type, **(UNKNOWN | changed)))
        assert not isinstance(other, Quarantined)
        assert codec.digest(other, other_raw) != first, changed


def _spelled(content: Any) -> Any:
    """The same content with small whole numbers written as 5.0."""
    if isinstance(content, dict):
        return {name: _spelled(member) for name, member in content.items()}
    if isinstance(content, list):
        return [_spelled(member) for member in content]
    return float(content) if type(content) is int and abs(content) < 2**53 else content


def test_one_number_of_a_column_changes_the_digest():
    """Null and 0 differ, a moved column differs, zero has one sign."""
    digests = {}
    for name, changes in {
        "base": {},
        "null": {"stalled": [None, 0, 1, 0]},
        "moved": {"stalled": ..., "battery_v": [0, 0, 1, 0]},
        "nudged": {"pressure_kpa": [-1.5, None, 3, 2.25 + 2**-50]},
        "minus zero": {"stalled": [-0.0, 0, 1, 0]},
    }.items():
        event, raw = codec.json_to_wire(line("telemetry", **changes))
        assert isinstance(event, Telemetry)
        digests[name] = codec.digest(event, raw)
    assert digests.pop("minus zero") == digests["base"]
    assert len(set(digests.values())) == 4


def test_refused_records_have_a_digest_and_a_line_of_their_own():
    """What is no event can still be told apart, and its export is refused again."""
    for raw in (line("bolus", programmed_ul=-1), b"\xc1\xff", b"two\nlines", b"", b"\x81\xa1a\x01"):
        quarantined, first = codec.decode_with_digest(raw)
        assert isinstance(quarantined, Quarantined)
        assert first != codec.decode_with_digest(raw + b"x")[1]
        exported = codec.wire_to_json(raw)
        assert b"\n" not in exported
        assert isinstance(codec.decode_json(exported), Quarantined)
    assert codec.wire_to_json(line("bolus", programmed_ul=-1)) == line("bolus", programmed_ul=-1)


def test_canonical_json_is_sorted_and_without_received():
    """The bytes that decide between two events of one id do not depend on who wrote them."""
    event, raw = codec.json_to_wire(line("telemetry", received="2026-02-01T00:00:00Z"))
    assert not isinstance(event, Quarantined)
    canonical = codec.canonical_json(event, raw)
    assert list(json.loads(canonical)) == sorted(set(fields("telemetry")))
    assert json.loads(canonical) == fields("telemetry")
