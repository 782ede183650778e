"""Splitting MessagePack: the walk must end objects where a decoder ends them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.msgpack_frames import MalformedError, split_stream

pack = msgspec.msgpack.encode
OBJECTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=8), inner, max_size=20),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(OBJECTS, max_size=6))
def test_objects_one_after_another_and_in_an_array_are_the_same_pieces(objects: list[Any]):
    """Both forms of a body give each object's own bytes, which decode to it."""
    pieces = [pack(member) for member in objects]
    assert split_stream(pack(objects), 1000) == pieces
    if pieces and not isinstance(objects[0], list):
        assert split_stream(b"".join(pieces), 1000) == pieces


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_split_or_refused(body: bytes):
    """Nothing else than a refusal comes out of bytes of no meaning, and no byte is lost or doubled."""
    try:
        pieces = split_stream(body, 1000)
    except MalformedError:
        return
    assert body.endswith(b"".join(pieces))


@pytest.mark.parametrize(
    "raw",
    [pack("x" * 300), pack("x" * 70_000), pack(b"x" * 300), pack(b"x" * 70_000), pack([1] * 70_000),
     pack({str(number): 1 for number in range(70_000)}), b"\xc7\x03\x05abc", b"\xc8\x00\x01\x05a",
     b"\xc9\x00\x00\x00\x01\x05a", b"\xd4\x01a", b"\xd8\x01" + b"a" * 16, pack(msgspec.msgpack.Ext(5, b"a" * 8))],
    ids=range(12),
)  # fmt: skip
def test_every_width_of_length_is_walked(raw: bytes):
    """Each head with a length of its own is followed to its end, and one byte less is refused."""
    assert split_stream(b"\x92" + raw + pack({"a": 1}), 10) == [raw, pack({"a": 1})]
    with pytest.raises(MalformedError):
        split_stream(b"\x91" + raw[:-1], 10)


@pytest.mark.parametrize(
    "raw", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff\xc0", b"\xdb\xff\xff\xff\xffx", b"\x91" * 100_000]
)
def test_lengths_that_lie_cost_nothing(raw: bytes):
    """An array of four billion members that are not there is refused at the end of its bytes, as is endless depth."""
    with pytest.raises(MalformedError):
        split_stream(raw, 10_000)


def test_no_more_than_the_limit_is_taken():
    """The walk stops at the limit, so a body of many tiny objects is not split to its end."""
    assert len(split_stream(b"\xc0" * 100, 11)) == 11
    assert len(split_stream(b"\xdc\x00\x64" + b"\xc0" * 100, 11)) == 11
