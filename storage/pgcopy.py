"""PostgreSQL's binary COPY format: fields as bytes, rows as bytes, one COPY of many rows.

A field is its length (int32, -1 for NULL) and its content, big endian; a row is its number of fields (int16) and the
fields. Source: PostgreSQL manual, COPY, "Binary Format".
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

PG_EPOCH_US: Final = 946_684_800_000_000  # 2000-01-01T00:00:00Z in microseconds since 1970
MIN_TIMESTAMP_US: Final = -210_866_803_200_000_000  # 4714-11-24 BC, the first timestamptz, since 1970
MAX_TIMESTAMP_US: Final = 2**63 - 1  # in 294247 AD, a little before the last timestamptz

NULL: Final = b"\xff\xff\xff\xff"
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_PIECE_BYTES: Final = 1 << 18

_int2 = struct.Struct(">h").pack
_int4_field = struct.Struct(">ii").pack
_int8_field = struct.Struct(">iq").pack
_float8_field = struct.Struct(">id").pack
length = struct.Struct(">i").pack


def clamped_us(at_us: int) -> int:
    """Return the time nearest to `at_us` that a timestamptz can hold: no number a device sends may end a worker."""
    return min(max(at_us, MIN_TIMESTAMP_US), MAX_TIMESTAMP_US)


def text(words: str | None) -> bytes:
    """Encode text; U+0000 and lone surrogates, which PostgreSQL's text cannot hold, become U+FFFD."""
    if words is None:
        return NULL
    content = printable(words).encode()
    return length(len(content)) + content


def printable(words: str) -> str:
    """Return the words with what PostgreSQL's text cannot hold replaced by U+FFFD."""
    if words.isascii() and "\0" not in words:
        return words
    return words.encode(errors="replace").decode().replace("\0", "\ufffd")


def escaped(identity: str) -> str:
    """Return an id that PostgreSQL's text can hold; distinct ids stay distinct (an id may contain U+0000)."""
    if "\0" not in identity and "\ue000" not in identity:
        return identity
    return identity.replace("\ue000", "\ue000\ue001").replace("\0", "\ue000\ue002")


def unescaped(stored: str) -> str:
    """Return the id that :func:`escaped` was given."""
    if "\ue000" not in stored:
        return stored
    return stored.replace("\ue000\ue002", "\0").replace("\ue000\ue001", "\ue000")


def binary(content: bytes | None) -> bytes:
    """Encode a bytea, or 16 bytes of a uuid."""
    return NULL if content is None else length(len(content)) + content


def int4(number: int) -> bytes:
    """Encode an int4."""
    return _int4_field(4, number)


def int8(number: int | None) -> bytes:
    """Encode an int8."""
    return NULL if number is None else _int8_field(8, number)


def float8(number: float | None) -> bytes:
    """Encode a float8."""
    return NULL if number is None else _float8_field(8, number)


def boolean(truth: bool) -> bytes:  # noqa: FBT001 - a field is what it is
    """Encode a boolean."""
    return b"\0\0\0\1\1" if truth else b"\0\0\0\1\0"


def timestamptz(at_us: int | None) -> bytes:
    """Encode a timestamptz of microseconds since 1970, clamped to what PostgreSQL can hold."""
    return NULL if at_us is None else _int8_field(8, clamped_us(at_us) - PG_EPOCH_US)


def row(*fields: bytes) -> bytes:
    """Join encoded fields to one row."""
    return _int2(len(fields)) + b"".join(fields)


async def copy(connection: Any, table: str, columns: Sequence[str], rows: Sequence[bytes]) -> None:
    """COPY encoded rows into a table: all or nothing. Joins the caller's transaction."""
    if rows:
        await connection.copy_to_table(table, columns=columns, format="binary", source=_pieces(rows))


async def _pieces(rows: Sequence[bytes]) -> AsyncIterator[bytes]:
    stream = b"".join((_SIGNATURE, *rows, _TRAILER))
    for start in range(0, len(stream), _PIECE_BYTES):
        yield stream[start : start + _PIECE_BYTES]
