"""Reads files of events, plain or compressed, with the places of their lines; `-` is standard input."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import zstandard

from contract.errors import UnusableInputError
from ingest.replay_source import parts

STDIN: Final = "-"
_DAMAGED: Final = (EOFError, zlib.error, zstandard.ZstdError)
_MAGIC: Final = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}


class UnreadableFileError(UnusableInputError):
    """A file that cannot be read, or whose compression is damaged; the message names it."""


def shown_name(path: str) -> str:
    """Return how a file is called in messages."""
    return "standard input" if path == STDIN else path


def size_of(paths: tuple[str, ...]) -> int | None:
    """Return the bytes of all files together, None if one is a stream whose length nobody knows."""
    if any(not Path(path).is_file() for path in paths):
        return None
    return sum(Path(path).stat().st_size for path in paths)


class EventFile:
    """The lines of one file, without their newlines. `taken`: bytes of the file read so far, for a progress bar."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._raw: BinaryIO | None = None
        self.taken = 0

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number from 1, line), blank lines left out but counted.

        Raises UnreadableFileError, also in the middle of a damaged file.
        """
        try:
            with self._opened() as stream:
                for number, line in enumerate(_split(parts(stream)), start=1):
                    if self._raw is not None and number % 256 == 0:
                        self.taken = self._raw.tell()
                    if (text := line.rstrip(b"\r\n")) and not text.isspace():
                        yield number, text
        except _DAMAGED as damaged:
            raise UnreadableFileError(f"{shown_name(self._path)} is damaged: {damaged}") from damaged
        except OSError as failed:
            raise UnreadableFileError(
                f"can't read {shown_name(self._path)}: {failed.strerror or failed}"
            ) from failed

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if self._path == STDIN:
            yield sys.stdin.buffer
            return
        with Path(self._path).open("rb") as raw:
            self._raw = raw
            wanted = _MAGIC.get(Path(self._path).suffix, b"")
            if (found := raw.peek(len(wanted))[: len(wanted)]) and found != wanted:
                raise UnreadableFileError(f"{self._path} is not what its name says: it is not compressed so")
            yield raw


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines from pieces of any length."""
    rest: list[bytes] = []
    for piece in pieces:
        first, *others = piece.split(b"\n")
        rest.append(first)
        if others:
            yield b"".join(rest)
            yield from others[:-1]
            rest = [others[-1]]
    if last := b"".join(rest):
        yield last
