"""A POST over kept connections at some tens of microseconds, a twentieth of a general client's.

The sender shares the machine with what it measures as a rule, so what it costs is taken from that. It speaks as much
HTTP/1.1 as a gateway and the usual proxies before it do: bodies by length, in chunks, or to the connection's end.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from contract.errors import UnusableInputError

HEAD_BYTES: Final = 64 * 1024
_HEAD_END: Final = b"\r\n\r\n"


class NotSentError(Exception):
    """There was no connection: nobody can have got the request."""


class NoAnswerError(Exception):
    """The connection broke, or what came is no HTTP: somebody may have got the request."""


@dataclass(frozen=True, slots=True)
class Response:
    """Status and body of an answer."""

    status: int
    body: bytes


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False


class Poster:
    """Posts bodies to one address; `headers` are sent with each. Raises UnusableInputError for what is no address."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as wrong:
            raise UnusableInputError(f"--url {url}: {wrong}") from wrong
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UnusableInputError(f"--url {url}: write it like http://127.0.0.1:8080")
        self._host = parts.hostname
        self._port = port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        lines = [f"POST {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        self._head = "\r\n".join(lines).encode("latin-1")
        self._free: list[_Connection] = []

    async def post(self, body: bytes, timeout_s: float) -> Response:
        """Return the answer; raises NotSentError, NoAnswerError, or TimeoutError where it takes too long."""
        request = b"%b\r\nContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body)
        async with asyncio.timeout(timeout_s):
            while True:
                connection = self._free.pop() if self._free else await self._connect()
                try:
                    return await self._exchange(connection, request)
                except (OSError, EOFError, ValueError) as broken:
                    connection.writer.close()
                    # A server may close a connection that rests just as we use it: once more, on another one.
                    if connection.used and isinstance(broken, asyncio.IncompleteReadError | ConnectionError):
                        continue
                    raise NoAnswerError(type(broken).__name__) from broken
                except asyncio.CancelledError:
                    connection.writer.close()
                    raise

    def close(self) -> None:
        """Close the connections that rest."""
        for connection in self._free:
            connection.writer.close()
        self._free.clear()

    async def _connect(self) -> _Connection:
        try:
            reader, writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls, limit=HEAD_BYTES
            )
        except OSError as refused:
            raise NotSentError(type(refused).__name__) from refused
        return _Connection(reader, writer)

    async def _exchange(self, connection: _Connection, request: bytes) -> Response:
        connection.writer.write(request)
        head = await connection.reader.readuntil(_HEAD_END)
        connection.used = False  # it answers: whatever fails from here on is no leftover of an old connection
        status, headers = _parse(head)
        body = await _body(connection.reader, headers)
        if headers.get(b"connection", b"").lower() == b"close" or not _has_end(headers):
            connection.writer.close()
        else:
            connection.used = True
            self._free.append(connection)
        return Response(status, body)


def _parse(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    """Return status and headers; ValueError for what is no HTTP/1 answer."""
    first, *lines = head.removesuffix(_HEAD_END).split(b"\r\n")
    version, _, rest = first.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError("no HTTP/1 answer")
    headers = {}
    for line in lines:
        name, _, text = line.partition(b":")
        headers[name.strip().lower()] = text.strip()
    return int(rest[:3]), headers


def _has_end(headers: dict[bytes, bytes]) -> bool:
    return b"content-length" in headers or headers.get(b"transfer-encoding", b"").lower() == b"chunked"


async def _body(reader: asyncio.StreamReader, headers: dict[bytes, bytes]) -> bytes:
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return await _chunks(reader)
    if b"content-length" in headers:
        return await reader.readexactly(int(headers[b"content-length"]))
    return await reader.read()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return b"".join(pieces)
