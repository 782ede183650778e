"""Lines of recorded events from files or standard input, plain or compressed, with what their schedule needs."""

from __future__ import annotations

import hashlib
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

import msgspec
import zstandard

from contract.errors import InvalidTimeError, UnusableInputError
from contract.times import parse_rfc3339

CHUNK_BYTES: Final = 512 * 1024
PACKED_BYTES: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class _Head(msgspec.Struct):
    """The fields that lane and schedule look at; everything else is skipped, not decoded."""

    pump: str = ""
    at: str = ""
    received: str | None = None


_head: Final = msgspec.json.Decoder(_Head).decode
_NO_HEAD: Final = _Head()


@dataclass(slots=True)
class Line:
    """One event line. `number` counts lines that are not blank, from 1, over all files; `due_s` is set by the schedule.

    `time_us` is when the gateway received it, else when it happened; None where neither can be read.
    """

    number: int
    raw: bytes
    lane_key: str
    time_us: int | None
    due_s: float | None = None


class Source:
    """The lines of some files (`-`: standard input) in their order.

    `size` is the number of bytes of all files, 0 where it is not known; `position` how many of them were read.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._done = 0
        self._current: BinaryIO | None = None
        self._number = 0
        self.first_digest = ""
        """Of the first line: tells a resumed run that it has the same file."""
        self.size = 0
        for name in names:
            if name != "-" and not Path(name).is_file():
                raise UnusableInputError(f"{name}: there is no such file")
        if "-" not in names:
            self.size = sum(Path(name).stat().st_size for name in names)

    @property
    def position(self) -> int:
        """Bytes read so far, of the files as they are on disk."""
        current = self._current
        return self._done + (current.tell() if current is not None and current.seekable() else 0)

    def chunks(self) -> Iterator[list[Line]]:
        """Yield the lines as they come, some at a time; raises UnusableInputError for a broken archive."""
        for name in self._names:
            raw = sys.stdin.buffer if name == "-" else Path(name).open("rb")  # noqa: SIM115 - closed below
            self._current = raw if name != "-" else None
            try:
                yield from self._chunks_of(raw)
            except (OSError, EOFError, zlib.error, zstandard.ZstdError) as broken:
                raise UnusableInputError(f"{name}: cannot be read to its end ({broken})") from broken
            finally:
                if name != "-":
                    self._done += Path(name).stat().st_size
                    self._current = None
                    raw.close()

    def _chunks_of(self, raw: BinaryIO) -> Iterator[list[Line]]:
        rest = b""
        for part in parts(raw):
            *whole, rest = (rest + part).split(b"\n")
            if lines := self._lines(whole):
                yield lines
        if lines := self._lines([rest]):
            yield lines

    def _lines(self, texts: list[bytes]) -> list[Line]:
        lines = []
        for text in texts:
            raw = text.strip()
            if not raw:
                continue
            self._number += 1
            if self._number == 1:
                self.first_digest = hashlib.blake2b(raw, digest_size=16).hexdigest()
            lines.append(_line(self._number, raw))
        return lines


def _line(number: int, raw: bytes) -> Line:
    try:
        head = _head(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        head = _NO_HEAD
    time_us = None
    with suppress(InvalidTimeError):
        time_us = parse_rfc3339(head.received or head.at)
    return Line(number, raw, head.pump or str(number), time_us)


def parts(raw: BinaryIO) -> Iterator[bytes]:
    """Yield the content as it comes; raises EOFError where an archive ends too early."""
    # By its first bytes: standard input has no name, and names may lie.
    buffered = cast("io.BufferedReader", raw)
    magic = buffered.peek(4)[:4]
    if magic.startswith(_GZIP):
        yield from _members(buffered, lambda: zlib.decompressobj(16 + zlib.MAX_WBITS))
    elif magic == _ZSTD:
        yield from _members(buffered, zstandard.ZstdDecompressor().decompressobj)
    else:
        while part := buffered.read1(CHUNK_BYTES):
            yield part


class _Member(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, compressed: bytes, /) -> bytes: ...


def _members(buffered: io.BufferedReader, begin: Callable[[], _Member]) -> Iterator[bytes]:
    """Decompress archives that may be joined, one member after another."""
    member = begin()
    while compressed := buffered.read1(PACKED_BYTES):
        while compressed:
            if member.eof:
                member = begin()
            yield member.decompress(compressed)
            compressed = member.unused_data if member.eof else b""
    if not member.eof:
        raise EOFError("it ends in the middle")
