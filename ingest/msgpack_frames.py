"""Where one MessagePack object ends and the next begins, without making any of them.

msgspec decodes a whole buffer and cannot tell where its first object ends; this walk can, in constant memory and without
recursion, so that neither depth nor a lying length costs more than the bytes that are there.
"""

from __future__ import annotations

from typing import Final

_ARRAYS: Final = {0xDC: 2, 0xDD: 4}
_MAPS: Final = {0xDE: 2, 0xDF: 4}
_SIZED: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}  # bin and str: length, then bytes
_EXTENSIONS: Final = {0xC7: 1, 0xC8: 2, 0xC9: 4}  # length, one byte of type, then bytes
_FIXED: Final = {
    0xC0: 0, 0xC2: 0, 0xC3: 0,
    0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip


class MalformedError(Exception):
    """Bytes that are no sequence of MessagePack objects; the message says where."""


def split_stream(body: bytes, limit: int) -> list[bytes]:
    """Return the objects of a body: of a single array its members, else the objects one after another.

    Stops after `limit` objects. Raises MalformedError.
    """
    if body and (array := _array_at(body)) is not None:
        members, start = array
        pieces, end = _take(body, start, min(members, limit))
        if members <= limit and end != len(body):
            raise MalformedError(f"bytes after the array's end at byte {end}")
        return pieces
    return _take(body, 0, limit)[0]


def _array_at(body: bytes) -> tuple[int, int] | None:
    """Return the number of members and the start of the first, if the body begins with an array."""
    head = body[0]
    if 0x90 <= head <= 0x9F:
        return head & 0x0F, 1
    if width := _ARRAYS.get(head):
        return _length(body, 1, width), 1 + width
    return None


def _take(body: bytes, start: int, count: int) -> tuple[list[bytes], int]:
    pieces: list[bytes] = []
    while len(pieces) < count and start < len(body):
        end = _end(body, start)
        pieces.append(body[start:end])
        start = end
    if len(pieces) < count and body and _array_at(body) is not None:
        raise MalformedError("the array ends too early")
    return pieces, start


def _end(body: bytes, position: int) -> int:
    """Return where the object at a position ends."""
    wanted = 1
    while wanted:
        if position >= len(body):
            raise MalformedError("the last object ends too early")
        members, position = _step(body, position)
        wanted += members - 1
    if position > len(body):
        raise MalformedError("the last object ends too early")
    return position


def _step(body: bytes, position: int) -> tuple[int, int]:
    """Return how many objects the one at a position contains, and where they, or the next one, begin."""
    head = body[position]
    position += 1
    if head <= 0x7F or head >= 0xE0:
        return 0, position
    if head <= 0x9F:
        return (2 if head <= 0x8F else 1) * (head & 0x0F), position
    if head <= 0xBF:
        return 0, position + (head & 0x1F)
    if (fixed := _FIXED.get(head)) is not None:
        return 0, position + fixed
    return _long_step(body, position, head)


def _long_step(body: bytes, position: int, head: int) -> tuple[int, int]:
    """`_step` behind a head that is followed by a length."""
    if width := _SIZED.get(head):
        return 0, position + width + _length(body, position, width)
    if width := _ARRAYS.get(head):
        return _length(body, position, width), position + width
    if width := _MAPS.get(head):
        return 2 * _length(body, position, width), position + width
    if width := _EXTENSIONS.get(head):
        return 0, position + width + 1 + _length(body, position, width)
    raise MalformedError(f"byte 0x{head:02x} at {position - 1} begins nothing")


def _length(body: bytes, position: int, width: int) -> int:
    if position + width > len(body):
        raise MalformedError("the last object ends too early")
    return int.from_bytes(body[position : position + width])
