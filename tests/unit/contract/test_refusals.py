"""One refusal for each way in which an event can be wrong, by the words that a person reads."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from contract import codec
from contract.events import TYPES, Telemetry, type_name
from contract.facts import Quarantined
from tests.unit.contract.samples import PAYLOADS, WINDOW, fields, line


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_every_type_is_read_from_json_and_from_messagepack(event_type: str):
    """A valid event of each type decodes to its struct, the same one from both forms."""
    from_json, raw = codec.json_to_wire(line(event_type))
    assert isinstance(from_json, TYPES[event_type]), from_json
    assert codec.decode_msgpack(raw) == from_json
    assert codec.decode_json(line(event_type)) == from_json


def test_all_types_have_a_sample():
    """A new event type cannot be added without a sample here."""
    assert set(PAYLOADS) == set(TYPES) - {"tick"}
    assert all(type_name(struct) == name for name, struct in TYPES.items())


REQUIRED = {
    "pump_registered": (
        [
            "model",
            "reservoir_ml",
            "low_reservoir_ml",
            "dead_volume_ul",
            "min_rate_ul_h",
            "max_rate_ul_h",
            "flow_tolerance",
        ]
    ),
    "reservoir_filled": ["removed_ml", "filled_ml", "concentration_ug_ml", "drug"],
    "program_set": ["mode", "steps"],
    "bolus": ["kind", "programmed_ul"],
    "suspended": [],
    "resumed": [],
    "telemetry": ["t_s"],
    "device_alarm": ["code", "text"],
    "volume_reported": ["ledger", "value_ul", "from", "to"],
    "note": ["kind", "from", "to", "text"],
    "assessment": ["scale", "score"],
    "alert_ack": [],
    "alert_shelved": ["until"],
    "pump_explanted": ["reason"],
}


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_a_missing_field_is_named_and_an_optional_one_may_be_absent(event_type: str):
    """Exactly the fields that the contract does not call optional are missed, by name."""
    always = ["id", "pump", "source", "at", "v"]
    for name in fields(event_type):
        if name == "type" or (event_type.startswith("alert") and name in ("cause", "alert_id")):
            continue
        decoded = codec.decode_json(line(event_type, **{name: ...}))
        if name in REQUIRED[event_type] or name in always:
            assert isinstance(decoded, Quarantined), name
            assert decoded.reason == f"Field {name} of this {event_type} is missing."
        else:
            assert not isinstance(decoded, Quarantined), decoded


STEP = {"minute": 0, "rate_ul_h": 4}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("bolus", {"type": ...}, "Field type of this event is missing."),
    ("bolus", {"type": "bulos"}, 'The event type "bulos" is not known to contract version 1.'),
    ("bolus", {"type": 7}, "Field type must be a text, but is 7."),
    (
        "bolus",
        {"type": "tick"},
        'The type "tick" belongs to the gateway alone and is not an event of a pump.',
    ),
    ("bolus", {"v": 2}, "Contract version 2 is not understood here; only 1 is."),
    ("bolus", {"v": "1"}, 'Field v must be the number 1, but is "1".'),
    ("bolus", {"v": True}, "Field v must be the number 1, but is true."),
    ("bolus", {"id": ""}, "Field id must not be empty."),
    ("bolus", {"id": "x" * 257}, "Field id must be at most 256 characters long"),
    ("bolus", {"id": 5}, "Field id must be a text, but is 5."),
    ("bolus", {"id": "a\0b"}, "Field id holds a NUL character"),
    ("bolus", {"pump": ""}, "Field pump must be 1 to 64 of the characters"),
    ("bolus", {"pump": "x" * 65}, "Field pump must be 1 to 64 of the characters"),
    (
        "bolus",
        {"pump": "pump 1"},
        'Field pump must be 1 to 64 of the characters A-Z a-z 0-9 . _ : - but is "pump 1".',
    ),
    ("bolus", {"pump": "pump\n"}, 'but is "pump\\n".'),
    ("bolus", {"pump": "p\u00fcmp"}, "Field pump must be 1 to 64 of the characters"),
    ("bolus", {"source": "nurse"}, 'Field source must be one of clinic, device, system, but is "nurse".'),
    ("bolus", {"source": None}, "Field source must be a text, but is null."),
    ("bolus", {"seq": -1}, "Field seq must not be negative, but is -1."),
    ("bolus", {"seq": 1.5}, "Field seq must be a whole number or null, but is 1.5."),
    ("bolus", {"seq": True}, "Field seq must be a whole number or null, but is true."),
    ("bolus", {"seq": 2**63}, "Field seq must be"),
    ("bolus", {"at": "2026-01-31T08:00:00"}, "Field at is a bare local time; add Z or an offset"),
    ("bolus", {"at": 1769846400}, "Field at must be a time as text, but is 1769846400."),
    ("bolus", {"at": None}, "Field at must be a time as text, but is null."),
    ("bolus", {"at": "2026-01-31T08:00:60Z"}, "Field at has second 60"),
    ("bolus", {"received": "yesterday"}, "Field received is not a time such as"),
    (
        "bolus",
        {"kind": "bonus"},
        'Field kind must be one of bridge, priming, test, therapeutic, but is "bonus".',
    ),
    ("bolus", {"programmed_ul": -1}, "Field programmed_ul must not be negative, but is -1."),
    ("bolus", {"programmed_ul": "50"}, 'Field programmed_ul must be a number, but is "50".'),
    ("bolus", {"programmed_ul": True}, "Field programmed_ul must be a number, but is true."),
    ("bolus", {"programmed_ul": None}, "Field programmed_ul must be a number, but is null."),
    ("bolus", {"programmed_ul": 10**400}, "Field programmed_ul holds a number too large for a double."),
    ("bolus", {"delivered_ul": -0.5}, "Field delivered_ul must not be negative, but is -0.5."),
    ("bolus", {"duration_s": -1}, "Field duration_s must not be negative"),
    ("bolus", {"dose_ug": -1}, "Field dose_ug must not be negative"),
    ("bolus", {"route": "oral"}, 'Field route must be one of lumbar, pump, but is "oral".'),
    ("pump_registered", {"high_risk": 1}, "Field high_risk must be true or false, but is 1."),
    ("pump_registered", {"reservoir_ml": -40}, "Field reservoir_ml must not be negative"),
    ("pump_registered", {"encoder_wrap_ul": 0}, "Field encoder_wrap_ul must be above 0, but is 0."),
    ("pump_registered", {"upload_every_s": 0}, "Field upload_every_s must be above 0, but is 0."),
    ("reservoir_filled", {"filled_ml": -1}, "Field filled_ml must not be negative"),
    (
        "reservoir_filled",
        {"concentration_ug_ml": None},
        "Field concentration_ug_ml must be a number, but is null.",
    ),
    ("program_set", {"mode": "turbo"}, "Field mode must be one of continuous, flex, minimum_rate, stopped"),
    ("program_set", {"steps": "all day"}, 'Field steps must be a list, but is "all day".'),
    ("program_set", {"steps": [STEP, 4]}, "Field steps[1] must be an object, but is 4."),
    ("program_set", {"steps": [{"minute": 0}]}, "Field steps[0].rate_ul_h of this program_set is missing."),
    (
        "program_set",
        {"steps": [{**STEP, "minute": 1440}]},
        "Field steps[0].minute must be at most 1439, but is 1440.",
    ),
    (
        "program_set",
        {"steps": [{**STEP, "minute": -1}]},
        "Field steps[0].minute must not be negative, but is -1.",
    ),
    ("program_set", {"steps": [{**STEP, "rate_ul_h": -4}]}, "Field steps[0].rate_ul_h must not be negative"),
    (
        "program_set",
        {"steps": [{**STEP, "days": [0, 7]}]},
        "Field steps[0].days[1] must be at most 6, but is 7.",
    ),
    ("program_set", {"steps": [{**STEP, "days": [-1]}]}, "Field steps[0].days[0] must not be negative"),
    ("program_set", {"steps": []}, "Field steps of a flex program must have at least one step"),
    (
        "program_set",
        {"mode": "continuous", "steps": [STEP, STEP]},
        "Field steps of a continuous program must be one",
    ),
    ("program_set", {"mode": "continuous", "steps": [{**STEP, "minute": 5}]}, "must be one step at minute 0"),
    ("program_set", {"utc_offset_min": 1441}, "Field utc_offset_min must be at most 1440, but is 1441."),
    (
        "program_set",
        {"periodic_bolus": {"volume_ul": 1, "every_s": 0, "duration_s": 1}},
        "every_s must be above 0",
    ),
    (
        "program_set",
        {"periodic_bolus": {"volume_ul": 1, "every_s": 9}},
        "Field periodic_bolus.duration_s of this",
    ),
    ("device_alarm", {"code": "beep"}, "Field code must be one of"),
    ("volume_reported", {"from": "2026-02-01T00:00:00Z"}, "Field from must not be later than field to."),
    ("volume_reported", {"ledger": "reservoir"}, "must be the same time as at"),
    ("volume_reported", {"value_ul": -1}, "Field value_ul must not be negative"),
    ("note", {"to": "2026-01-01T00:00:00Z"}, "Field from must not be later than field to."),
    ("note", {"kind": "party"}, "Field kind must be one of infection, mri_window, other, procedure"),
    ("assessment", {"score": 5}, "Field score must be 0 to 4 on the ashworth scale, but is 5."),
    ("assessment", {"scale": "mood"}, "Field scale must be one of"),
    ("alert_ack", {"alert_id": ..., "cause": ...}, "Field alert_id is missing"),
    ("alert_ack", {"cause": "gremlins"}, "Field cause must be one of occlusion, starvation"),
    ("alert_shelved", {"until": ...}, "Field until of this alert_shelved is missing."),
    ("note", {"extra": {"deep": [[[]]], "far": 10**400}}, "Field extra.far holds a number too large"),
]


@pytest.mark.parametrize(("event_type", "changes", "reason"), WRONG)
def test_each_refusal_names_the_field_and_what_it_held(event_type: str, changes: dict[str, Any], reason: str):
    """A wrong event is quarantined with a sentence that a clinician can act on, in both forms."""
    raw_line = line(event_type, **changes)
    decoded, raw = codec.json_to_wire(raw_line)
    assert isinstance(decoded, Quarantined)
    assert reason in decoded.reason
    assert decoded.reason.endswith(".")
    assert len(decoded.reason) < 600
    assert raw == raw_line, "what cannot be decoded goes to the log as it came"
    assert codec.decode_msgpack(raw) == decoded, "and keeps its reason there"


@pytest.mark.parametrize(("event_type", "changes", "reason"), WRONG)
def test_messagepack_is_refused_with_the_same_words(event_type: str, changes: dict[str, Any], reason: str):
    """A MessagePack map with the same fault has the same reason."""
    try:
        raw = msgspec.msgpack.encode(fields(event_type, **changes))
    except OverflowError:
        pytest.skip("MessagePack has no whole numbers past 64 bits")
    decoded = codec.decode_msgpack(raw)
    if changes.get("type") == "tick":
        assert not isinstance(decoded, Quarantined), "a tick travels on Kafka"
        return
    assert isinstance(decoded, Quarantined)
    assert reason in decoded.reason


MALFORMED: list[tuple[bytes, str]] = [
    (b"", "The input is empty."),
    (b"  \n", "The input is empty."),
    (b"null", "An event must be an object, but this is null."),
    (b"[]", "An event must be an object, but this is an empty list."),
    (b'"text"', 'An event must be an object, but this is "text".'),
    (b"5", "An event must be an object, but this is 5."),
    (b'{"type":"bolus"', "The input ends in the middle of its JSON."),
    (b"{'type':'bolus'}", "The input is not JSON:"),
    (b'{"a":1} {"b":2}', "The input is not JSON: trailing characters"),
    (b'{"programmed_ul":NaN}', "The input holds NaN or Infinity"),
    (b'{"t_s":[0,-Infinity]}', "The input holds NaN or Infinity"),
    (b'{"a":1e999}', "The input holds a number too large for a double."),
    (b'{"a":' + b"1" * 9000 + b"}", "The input holds a number too large for a double."),
    (b'{"type":"\xff"}', "The input holds bytes that are not UTF-8 text."),
    (b'{"type":"\xed\xa0\x80"}', "The input holds bytes that are not UTF-8 text."),
    (b'{"type":"\\ud800x"}', "half of a surrogate pair"),
    (b'{"type":"\\udc00"}', "half of a surrogate pair"),
    (b'{"a":' + b"[" * 50_000, "The input is nested too deep to be an event."),
    (b"\x00\x01", "The input is not JSON:"),
]


@pytest.mark.parametrize(("raw", "reason"), MALFORMED, ids=range(len(MALFORMED)))
def test_bytes_that_are_no_json_say_so(raw: bytes, reason: str):
    """Malformed, truncated, not finite, not UTF-8 and endless input each has its own plain reason."""
    decoded = codec.decode_json(raw)
    assert isinstance(decoded, Quarantined)
    assert reason in decoded.reason
    assert len(decoded.text) <= 240
    assert decoded.text.isprintable()


def test_unknown_content_nested_past_the_limit_is_refused_the_same_everywhere():
    """The limit is a number of ours, not what is left of some interpreter's stack."""
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    decoded = codec.decode_json(line("note", extra=deep))
    assert isinstance(decoded, Quarantined)
    assert decoded.reason == "Field extra is nested more than 32 levels deep."
    assert not isinstance(codec.decode_json(line("note", extra=[[[[{"a": [1]}]]]])), Quarantined)


def test_quarantined_input_keeps_pump_and_time_where_they_can_be_read():
    """A refused bolus still says whose it is and when; unreadable ones say null."""
    decoded = codec.decode_json(line("bolus", programmed_ul=-1))
    assert isinstance(decoded, Quarantined)
    assert (decoded.pump, decoded.at_us) == ("pump-0001", 1_769_846_400_000_000)
    assert decoded.text.startswith('{"type": "bolus"')
    decoded = codec.decode_json(line("bolus", pump="pump 1", at="noon"))
    assert isinstance(decoded, Quarantined)
    assert (decoded.pump, decoded.at_us) == (None, None)
    assert (decoded.line, decoded.offset) == (None, None)


def test_the_last_of_two_equal_keys_counts():
    """A repeated JSON key is read as its last one, always."""
    repeated = line("bolus").replace(b'"programmed_ul": 50', b'"programmed_ul": -1, "programmed_ul": 51')
    decoded = codec.decode_json(repeated)
    assert getattr(decoded, "programmed_ul", None) == 51.0


def test_a_byte_order_mark_is_passed_over():
    """A file saved by an editor that writes a byte order mark loses no first event."""
    assert codec.decode_json(b"\xef\xbb\xbf" + line("note")) == codec.decode_json(line("note"))


def test_zero_is_a_value_and_defaults_are_the_contracts():
    """0 is never read as missing, and absent optional fields have the contract's defaults."""
    bare = {name: ... for name in PAYLOADS["pump_registered"] if name not in REQUIRED["pump_registered"]}
    registered = codec.decode_json(line("pump_registered", flow_tolerance=0, **bare))
    assert getattr(registered, "flow_tolerance", None) == 0.0
    assert getattr(registered, "stability_days", None) == 180.0
    assert getattr(registered, "high_risk", None) is False
    bolus = codec.decode_json(line("bolus"))
    assert getattr(bolus, "delivered_ul", None) == 0.0
    routes = {
        kind: getattr(codec.decode_json(line("bolus", kind=kind, route=...)), "route", None)
        for kind in ("therapeutic", "test", "priming", "bridge")
    }
    assert routes == {"therapeutic": "pump", "test": "lumbar", "priming": "pump", "bridge": "pump"}


def test_whole_numbers_may_be_written_with_a_point():
    """A producer that knows only doubles may write seq 5.0."""
    decoded = codec.decode_json(line("program_set", seq=5.0, v=1.0))
    assert getattr(decoded, "seq", None) == 5


@pytest.mark.parametrize("rate", [0, 5e-324, 1e-9, 3.6e9, 1.7e308])
def test_numbers_have_no_built_in_range(rate: float):
    """A bench pump at litres a minute is as welcome as an implant."""
    program = codec.decode_json(line("program_set", steps=[{"minute": 0, "rate_ul_h": rate}]))
    assert not isinstance(program, Quarantined | Telemetry)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x81\x01\x02",
        b"\x81\xa4type\xc7\x01\x05\x00",
        b"\xc1",
        b"\x91" * 50_000,
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x81\xa1\xff\x01",
        b"\x81\x81\x01\x02\x03",
        b"",
        msgspec.msgpack.encode(fields("note") | {"x": msgspec.msgpack.Ext(5, b"1")}),
        msgspec.msgpack.encode({**fields("note"), 5: 6}),
        msgspec.msgpack.encode(fields("bolus") | {"programmed_ul": float("nan")}),
        msgspec.msgpack.encode(fields("bolus") | {"x": float("-inf")}),
        msgspec.msgpack.encode(fields("bolus") | {"id": b"bytes"} | {"pump": b"p"}),
        json.dumps(fields("note")).encode(),
    ],
    ids=range(16),
)
def test_messagepack_that_is_no_event_is_quarantined(raw: bytes):
    """Extensions, NaN, keys that are no text, lengths that lie, and plain JSON are refused, not raised."""
    decoded = codec.decode_msgpack(raw)
    assert isinstance(decoded, Quarantined)
    again = codec.wire_to_json(raw)
    assert b"\n" not in again
    assert isinstance(codec.decode_json(again), Quarantined), (
        "no refused record becomes an event by an export"
    )


def test_a_tick_is_read_from_kafka_only():
    """A tick moves time on, so that only the gateway's own records may say it."""
    raw = codec.encode_wire(TYPES["tick"](at_us=5))  # type: ignore[call-arg]
    assert codec.decode_msgpack(raw) == TYPES["tick"](at_us=5)  # type: ignore[call-arg]
    assert isinstance(codec.decode_json(codec.wire_to_json(raw)), Quarantined)
    assert WINDOW["from"] < WINDOW["to"]
