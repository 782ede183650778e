"""The binary COPY rows, read back by the manual's description of the format."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import CHANNELS
from storage import pgcopy
from storage.event_rows import EVENT_COLUMNS, ID_COLUMNS, encode_events, encode_ids
from storage.fact_rows import FACT_COLUMNS, OUTBOX_COLUMNS, encode_facts, encode_outbox
from tests.unit.storage.rows import T0_US, alert, dose, forecast, frame, note


def fields(row: bytes) -> list[bytes | None]:
    """Split one row into its fields; fails unless the row is exactly its fields."""
    (count,), place, found = struct.unpack_from(">h", row), 2, list[bytes | None]()
    for _ in range(count):
        (size,) = struct.unpack_from(">i", row, place)
        place += 4
        found.append(None if size == -1 else row[place : place + size])
        place += max(size, 0)
    assert place == len(row)
    return found


def named_fields(columns: tuple[str, ...], row: bytes) -> dict[str, bytes | None]:
    return dict(zip(columns, fields(row), strict=True))


def array(field: bytes | None, element: str) -> tuple[int, list[Any]]:
    """Read a one-dimensional array without NULLs: its element type and elements."""
    assert field is not None
    dimensions, flags, oid, size, lower = struct.unpack_from(">iiIii", field)
    assert (dimensions, flags, lower) == (1, 0, 1)
    cells = struct.unpack_from(">" + f"i{element}" * size, field, 20)
    assert len(field) == 20 + 12 * size
    assert set(cells[::2]) <= {8}
    return oid, list(cells[1::2])


@given(
    samples=st.integers(1, 5),
    present=st.sets(st.sampled_from(CHANNELS), min_size=1),
    numbers=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1),
)
def test_arrays_hold_every_number_bit_by_bit(samples: int, present: set[str], numbers: list[float]):
    """Any pattern of channels and NULLs, any double: what PostgreSQL would read is what the frame had."""
    columns = {
        name: [numbers[(row + place) % len(numbers)] for row in range(samples)]
        for place, name in enumerate(present)
    }
    sent = frame("p", "a", [0.25 * row for row in range(samples)], columns)
    other = frame("p", "b", [0.0], {"stalled": [1.0]}, seq=None, received_us=None)
    read, _, plain = (
        named_fields(EVENT_COLUMNS, row) for row in encode_events([sent, other, note("p", "c")])
    )
    assert sent.rows_us is not None
    assert array(read["rows_at"], "q") == (
        1184,
        [at_us - pgcopy.PG_EPOCH_US for at_us in sent.rows_us.tolist()],
    )
    for name in CHANNELS:
        if name in present and not np.isnan(columns[name]).all():
            oid, stored = array(read[name], "d")
            assert oid == 701
            np.testing.assert_array_equal(stored, columns[name])
        else:
            assert read[name] is None
    assert all(plain[name] is None for name in ("rows_at", *CHANNELS))


def test_an_event_row_has_its_fields():
    """Heads are laid out in the order of the columns, absent ones as NULL."""
    sent = frame("p", "a", [0.0, 1.5], {"flow_ul_h": [1.0, 2.0]}, received_us=None, seq=None, offset_us=-7)
    read = named_fields(EVENT_COLUMNS, encode_events([sent])[0])
    times = [read[name] for name in ("at", "last_at", "raw_at", "raw_last_at")]
    epoch = pgcopy.PG_EPOCH_US
    assert times == [struct.pack(">q", at_us - epoch) for at_us in (T0_US, T0_US + 1_500_000) * 2]
    assert read["offset_us"] == struct.pack(">q", -7)
    assert (read["seq"], read["received"]) == (None, None)
    assert (read["digest"], read["payload"], read["counts"]) == (sent.digest, sent.payload, b"\1")
    assert [read[name] for name in ("pump", "id", "type", "source")] == [b"p", b"a", b"telemetry", b"device"]


def test_every_encoder_fills_all_of_its_columns():
    """A row with a field too many or too few would be refused by the database only."""
    assert len(fields(encode_ids([note("p", "a")])[0])) == len(ID_COLUMNS)
    for fact in (dose("p", T0_US), forecast("p", T0_US), alert("p", T0_US)):
        read = named_fields(FACT_COLUMNS[fact.kind], encode_facts([fact], 1, T0_US)[0])
        assert read["line"] == fact.line
        assert len(fields(encode_outbox([fact], "added", 1, T0_US)[0])) == len(OUTBOX_COLUMNS)


def test_outbox_ids_tell_changes_apart():
    """Another change, belief, run, ordinal or line is another id; the same is the same."""
    facts = [alert("p", T0_US), alert("p", T0_US, 1), alert("q", T0_US), dose("p", T0_US)]
    arguments = [("added", 1, 5), ("superseded", 1, 5), ("added", 2, 5), ("added", 1, 6)]
    ids = [fields(row)[0] for way in arguments for row in encode_outbox(facts, *way)]
    assert len(set(ids)) == len(facts) * len(arguments)
    assert fields(encode_outbox(facts, "added", 1, 5)[0])[0] == ids[0]


@pytest.mark.parametrize("digest", [b"", b"short", b"x" * 17])
def test_a_digest_of_another_length_is_refused(digest: bytes):
    """It would shift every field behind it."""
    with pytest.raises(ValueError, match="16 bytes"):
        encode_events([note("p", "a", digest=digest)])


@given(st.text(st.sampled_from("a\0\ue000\ue001\ue002")), st.text(st.sampled_from("a\0\ue000\ue001\ue002")))
def test_escaped_ids_have_no_nul_and_stay_distinct(one: str, other: str):
    """Escaping is undone exactly, so two ids never become one."""
    assert "\0" not in pgcopy.escaped(one)
    assert pgcopy.unescaped(pgcopy.escaped(one)) == one
    assert (pgcopy.escaped(one) == pgcopy.escaped(other)) == (one == other)


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_time_can_be_stored(at_us: int):
    """Whatever an int64 says is clamped to what a timestamptz holds, and keeps its order."""
    (stored,) = struct.unpack(">q", pgcopy.timestamptz(at_us)[4:])
    assert pgcopy.MIN_TIMESTAMP_US - pgcopy.PG_EPOCH_US <= stored <= 2**63 - 1
    assert stored == at_us - pgcopy.PG_EPOCH_US or at_us < pgcopy.MIN_TIMESTAMP_US
