"""Whatever bytes come, the codec answers with exactly one event or one quarantined fact."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import codec
from contract.events import PumpEvent, Tick
from contract.facts import Fact, Quarantined
from tests.unit.contract.samples import PAYLOADS, fields

MUTATIONS = int(os.environ.get("THECAFLOW_MUTATIONS", "20000"))
SEED = int(os.environ.get("THECAFLOW_MUTATION_SEED", "20260131"))
TOKENS = (
    b"null", b"NaN", b"-Infinity", b"1e999", b"-0.0", b"true", b"[]", b"{}", b'""', b"\\ud800", b"\\u0000", b"\xff",
    b"1440", b"-1", b'"at":5', b"[[[[", b"}}", b"\xcb\x7f\xf8\0\0\0\0\0\0", b"\xc0", b"\xc1", b"\xdf\xff\xff\xff\xff",
    b"9" * 400, b"T23:59:60Z", b"\xd6\xff\0\0\0\0", b"\n",
)  # fmt: skip


def mutated(valid: bytes, rng: random.Random) -> bytes:
    """Damage valid bytes in one to four places."""
    damaged = bytearray(valid)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(damaged) + 1)
        stop = min(len(damaged), start + rng.randint(0, 8))
        match rng.randrange(6):
            case 0:
                damaged[start:stop] = rng.choice(TOKENS)
            case 1:
                del damaged[start:stop]
            case 2 if start < len(damaged):
                damaged[start] ^= 1 << rng.randrange(8)
            case 3:
                damaged[start:start] = damaged[start:stop]
            case 4:
                damaged[start:] = b""
            case _:
                damaged[start:stop] = rng.randbytes(stop - start)
    return bytes(damaged)


def outcome_of(raw: bytes, *, is_json: bool) -> PumpEvent | Tick | Quarantined:
    """Send bytes through every door of the codec and check what must hold for any of them."""
    decoded = codec.decode_json(raw) if is_json else codec.decode_msgpack(raw)
    assert isinstance(decoded, PumpEvent | Tick | Quarantined)
    if isinstance(decoded, Quarantined):
        assert decoded.reason.endswith(".")
        assert len(decoded.reason) < 700
        assert len(decoded.text) <= 240
        assert (decoded.reason + decoded.text).isprintable()
    _check_forms(raw, decoded, is_json=is_json)
    return decoded


def _check_forms(raw: bytes, decoded: PumpEvent | Tick | Quarantined, *, is_json: bool) -> None:
    wire = raw
    if is_json:
        again, wire = codec.json_to_wire(raw)
        assert again == decoded
        from_log = codec.decode_msgpack(wire)
        assert from_log == decoded or (isinstance(decoded, Quarantined) and isinstance(from_log, Quarantined))
    exported = codec.wire_to_json(wire)
    assert b"\n" not in exported
    from_export = codec.decode_json(exported)
    stamped = codec.with_received(wire, 5)
    if isinstance(decoded, Quarantined):
        assert isinstance(from_export, Quarantined)
        codec.encode_fact(decoded)
        codec.decode_with_digest(wire)
    elif not isinstance(decoded, Tick):
        assert from_export == decoded
        digest = codec.digest(decoded, wire)
        assert digest == codec.digest(from_export, exported) == codec.decode_with_digest(stamped)[1]


def test_mutated_events_give_exactly_one_answer_each():
    """Thousands of damaged lines and records: no exception, one answer each, and both answers occur."""
    rng = random.Random(SEED)
    lines = [json.dumps(fields(name, seq=1, extra={"a": [1, None]})).encode() for name in PAYLOADS]
    records = [codec.json_to_wire(line)[1] for line in lines] + [codec.encode_wire(Tick(at_us=5))]
    quarantined = 0
    for number in range(MUTATIONS):
        is_json = number % 2 == 0
        raw = mutated(rng.choice(lines if is_json else records), rng)
        try:
            quarantined += isinstance(outcome_of(raw, is_json=is_json), Quarantined)
        except Exception as error:
            raise AssertionError(f"mutation {number} of seed {SEED}: {raw!r}") from error
    assert MUTATIONS * 0.5 < quarantined < MUTATIONS * 0.999


JSON_CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELD_NAMES = sorted(
    {name for event_type in PAYLOADS for name in fields(event_type)} | {"seq", "received", "minute"}
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(PAYLOADS)), st.sampled_from(FIELD_NAMES), JSON_CONTENT)
def test_any_content_in_any_field_gives_one_answer(event_type: str, name: str, content: Any):
    """A field of any event may hold anything at all."""
    whole = fields(event_type) | {name: content}
    outcome_of(json.dumps(whole).encode(), is_json=True)
    try:
        raw = msgspec.msgpack.encode(whole)
    except (OverflowError, UnicodeError):
        return
    outcome_of(raw, is_json=False)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_one_answer(raw: bytes, is_json: bool):  # noqa: FBT001
    """Bytes of no meaning are quarantined."""
    outcome_of(raw, is_json=is_json)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20),
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=20, max_size=20),
)
def test_columns_survive_to_the_bit(t_s: list[float], pressures: list[float | None]):
    """Each finite double and each null of a column comes back from Kafka as it was."""
    whole = fields(
        "telemetry", delivered_ul=..., stalled=..., t_s=sorted(t_s), pressure_kpa=pressures[: len(t_s)]
    )
    _, raw = codec.json_to_wire(json.dumps(whole).encode())
    assert json.loads(codec.wire_to_json(raw)) == whole


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=8), JSON_CONTENT, max_size=5))
def test_evidence_is_written_the_same_twice(evidence: dict[str, Any]):
    """Reading a written alert and writing it again changes no byte, whatever its evidence."""
    base = {
        "fact": "alert", "pump": "p", "at": "2026-01-31T08:00:00Z", "kernel": "1", "alert_id": "i", "cause": "leak",
        "state": "active", "priority": "high", "since": "2026-01-31T08:00:00Z", "harm_at": None, "text": "t",
    }  # fmt: skip
    fact: Fact = codec.decode_fact(msgspec.json.encode(base | {"evidence": {}}))
    written = codec.encode_fact(msgspec.structs.replace(fact, evidence=evidence))  # type: ignore[type-var]
    assert codec.encode_fact(codec.decode_fact(written)) == written
