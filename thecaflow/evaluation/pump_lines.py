"""Files of events, however large, pump by pump: memory is that of a part of the pumps, the rest waits on disk.

The lines of a file come as a gateway received them, all pumps mixed. They are dealt by pump into PARTS temporary files,
lightly compressed, each of which fits in memory.
"""

from __future__ import annotations

import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final, Self

import msgspec
import zstandard

from contract.codec import decode_json
from contract.errors import InvalidTimeError, UnusableInputError
from contract.events import Telemetry, Tick
from contract.facts import Quarantined
from contract.times import parse_rfc3339
from thecaflow.event_files import EventFile
from thecaflow.progress import Advance

PARTS: Final = 64
_IN_MEMORY: Final = 64 * 2**20  # bytes; less than that needs no disk
_EVERY: Final = 2000


class _Glance(msgspec.Struct):
    """What has to be known of a line before its pump's turn comes."""

    pump: str
    type: str
    received: str | None = None


_glance: Final = msgspec.json.Decoder(_Glance)


class PumpLines:
    """Lines dealt by pump. `horizon_us`: the newest `received` (else row or `at`) of any; `unreadable`: lines without a pump."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: where the temporary files go [default: the system's]."""
        self._stack = ExitStack()
        self._folder = folder
        self._held: dict[str, list[bytes]] = defaultdict(list)
        self._bytes = 0
        self._parts: list[IO[bytes]] = []
        self._paths: list[Path] = []
        self.pumps: set[str] = set()
        self.events = 0
        self.unreadable = 0
        self.horizon_us: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, paths: Sequence[str], advance: Advance) -> None:
        """Deal all lines of all files; UnreadableFileError, or UnusableInputError where the disk is full."""
        for path in paths:
            file = EventFile(path)
            reported = 0
            for number, text in file.lines():
                try:
                    self._take(text)
                except OSError as failed:
                    raise UnusableInputError(
                        f"can't keep the events in {self._folder or tempfile.gettempdir()}: {failed.strerror}; "
                        "set TMPDIR to a folder with as much room as the files"
                    ) from failed
                if number % _EVERY == 0:
                    advance(file.taken - reported, text=f"{self.events} events of {len(self.pumps)} pumps")
                    reported = file.taken

    def by_pump(self) -> Iterator[tuple[str, list[bytes]]]:
        """Every pump with its lines, in the order in which they came."""
        if not self._parts:
            while self._held:
                pump = min(self._held)
                yield pump, self._held.pop(pump)
            return
        for part in self._parts:
            part.close()
        for path in self._paths:
            lines: dict[str, list[bytes]] = defaultdict(list)
            with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
                content = stream.read()
            path.unlink()
            for text in content.split(b"\n")[:-1]:
                lines[_glance.decode(text).pump].append(text)
            del content
            while lines:
                pump = min(lines)
                yield pump, lines.pop(pump)

    def _take(self, text: bytes) -> None:
        try:
            seen = _glance.decode(text)
            seen_us = _seen_us(seen, text)
        except (msgspec.MsgspecError, UnicodeError, InvalidTimeError):
            self.unreadable += 1
            return
        self.events += 1
        self.pumps.add(seen.pump)
        if seen_us is not None:
            self.horizon_us = seen_us if self.horizon_us is None else max(self.horizon_us, seen_us)
        if self._parts:
            self._parts[_part(seen.pump)].write(text + b"\n")
            return
        self._held[seen.pump].append(text)
        self._bytes += len(text)
        if self._bytes > _IN_MEMORY:
            self._spill()

    def _spill(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
        self._paths = [folder / f"{number:02d}.jsonl.zst" for number in range(PARTS)]
        for path in self._paths:
            raw = self._stack.enter_context(path.open("wb"))
            packed = zstandard.ZstdCompressor(level=1).stream_writer(raw)
            self._parts.append(self._stack.enter_context(packed))
        for pump, lines in self._held.items():
            self._parts[_part(pump)].write(b"\n".join(lines) + b"\n")
        self._held.clear()


def _part(pump: str) -> int:
    return zlib.crc32(pump.encode()) % PARTS


def _seen_us(seen: _Glance, text: bytes) -> int | None:
    """When the event was received, its last row or its time where that is unknown; None for what is no event."""
    if seen.received is not None:
        return parse_rfc3339(seen.received)
    event = decode_json(text)
    if isinstance(event, Quarantined | Tick):
        return None
    return int(event.rows_us()[-1]) if isinstance(event, Telemetry) else event.at_us
