"""Request bodies -> the raw events in them: media types, bounded decompression, splitting.

Splitting looks at the frame only. What a piece means, and whether it is an event at all, is the codec's to say: so one
broken event costs no other.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from enum import Enum
from http import HTTPStatus
from typing import Final

import msgspec

from ingest.msgpack_frames import MalformedError, split_stream
from ingest.problems import Problem, too_large

_GZIP: Final = 16 + zlib.MAX_WBITS
_STEP: Final = 256 * 1024
_MAX_MEMBERS: Final = 1000
_JSON_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_PARSE_ERRORS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError)
_BOM: Final = b"\xef\xbb\xbf"


class Media(Enum):
    """What a body may be."""

    JSON = "application/json"
    NDJSON = "application/x-ndjson"
    MSGPACK = "application/msgpack"

    @property
    def is_json(self) -> bool:
        """Whether its events are JSON texts."""
        return self is not Media.MSGPACK


_NAMES: Final = {
    **{media.value: media for media in Media},
    "application/ndjson": Media.NDJSON,
    "application/jsonl": Media.NDJSON,
    "application/x-msgpack": Media.MSGPACK,
    "application/vnd.msgpack": Media.MSGPACK,
}


def media_of(content_type: str | None) -> Media:
    """Return the form of a body by its Content-Type; raises Problem 415."""
    name = (content_type or "").partition(";")[0].strip().lower()
    media = _NAMES.get(name)
    if media is None:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            f"Content-Type must be one of {', '.join(member.value for member in Media)}.",
        )
    return media


def is_gzip(content_encoding: str | None) -> bool:
    """Whether a body is compressed; raises Problem 415 for any other coding than gzip."""
    coding = (content_encoding or "identity").strip().lower()
    if coding in ("gzip", "x-gzip"):
        return True
    if coding in ("identity", ""):
        return False
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content-encoding", "Content-Encoding must be gzip or absent."
    )


async def read_body(
    chunks: AsyncIterator[bytes], *, gzip: bool, limit_bytes: int, hold: Callable[[int], None]
) -> bytes:
    """Return a body, decompressed.

    `hold` is told of every byte kept, and may raise. Raises Problem 413 past `limit_bytes`, before or after
    decompression, without ever holding more than that; 400 where the gzip stream is broken.
    """
    reader = _Gunzip(limit_bytes, hold) if gzip else _Plain(limit_bytes, hold)
    async for chunk in chunks:
        reader.feed(chunk)
    return reader.body()


class _Plain:
    def __init__(self, limit_bytes: int, hold: Callable[[int], None]) -> None:
        self._limit_bytes = limit_bytes
        self._hold = hold
        self._held = 0
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self._keep(chunk)

    def _keep(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > self._limit_bytes:
            raise too_large(f"A body may have {self._limit_bytes} bytes, decompressed; send it in parts.")
        self._hold(len(part))
        self._parts.append(part)

    def body(self) -> bytes:
        return b"".join(self._parts)


class _Gunzip(_Plain):
    def __init__(self, limit_bytes: int, hold: Callable[[int], None]) -> None:
        super().__init__(limit_bytes, hold)
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False
        self._members = 1
        self._received = 0

    def feed(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._received > self._limit_bytes:  # many empty members decompress to nothing
            raise too_large(f"A body may have {self._limit_bytes} bytes; send it in parts.")
        part = b""
        while chunk or len(part) == _STEP:  # a full step may have left output behind without input
            if self._member.eof:  # gzip files may be joined
                self._next_member()
            self._begun = True
            try:
                part = self._member.decompress(chunk, _STEP)
            except zlib.error:
                raise _broken_gzip() from None
            self._keep(part)
            chunk = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            part = b"" if self._member.eof else part

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise _broken_gzip()
        self._member = zlib.decompressobj(_GZIP)

    def body(self) -> bytes:
        if not self._begun or not self._member.eof:
            raise _broken_gzip()
        return super().body()


def _broken_gzip() -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "gzip", "The body is not a whole gzip stream; send it again.")


def split(body: bytes, media: Media, limit_events: int) -> list[bytes]:
    """Return the raw events of a body, at least one.

    Raises Problem 400 for a body that cannot be split or has no event, 413 for more than `limit_events`.
    """
    if media is Media.NDJSON:
        events = [line for line in (line.strip() for line in body.split(b"\n", limit_events * 2)) if line]
        if body.count(b"\n") > limit_events * 2:  # blank lines count a little too: they are work
            raise _too_many(limit_events)
    elif media is Media.JSON:
        events = _split_json(body)
    else:
        events = _split_msgpack(body, limit_events)
    if len(events) > limit_events:
        raise _too_many(limit_events)
    if not events:
        raise Problem(HTTPStatus.BAD_REQUEST, "empty", "The body holds no event.")
    return events


def _split_json(body: bytes) -> list[bytes]:
    text = body.removeprefix(_BOM).strip()
    if not text.startswith(b"["):
        return [text] if text else []
    try:
        return [bytes(member) for member in _JSON_ARRAY(text)]
    except _PARSE_ERRORS:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "not-splittable",
            "The body begins like a JSON array but is none, so its events can't be told apart; "
            "as application/x-ndjson one broken line costs no other.",
        ) from None


def _split_msgpack(body: bytes, limit_events: int) -> list[bytes]:
    try:
        return split_stream(body, limit_events + 1)
    except MalformedError as malformed:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "not-splittable",
            f"The body is no sequence of MessagePack objects ({malformed}), so its events can't be told apart.",
        ) from None


def _too_many(limit_events: int) -> Problem:
    return too_large(f"A body may hold {limit_events} events; send it in parts.")
