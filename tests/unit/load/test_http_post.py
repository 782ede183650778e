"""The posts of the load against a server that speaks HTTP in every way that a proxy might, or no HTTP at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from contract.errors import UnusableInputError
from thecaflow.load.gateway import Gateway
from thecaflow.load.http_post import NoAnswerError, NotSentError, Poster, Response
from thecaflow.load.ledger import Fate

OK = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request with what `answer` gives; None closes the connection without a word."""

    def __init__(self, answer: Callable[[int], bytes | None]) -> None:
        self._answer = answer
        self.requests: list[bytes] = []
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self._answer(len(self.requests))
                if answer is None:
                    break
                writer.write(answer)
                if b"onnection: close" in answer or (b"ength" not in answer and b"chunked" not in answer):
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()


@asynccontextmanager
async def serving(answer: Callable[[int], bytes | None]) -> AsyncIterator[tuple[Server, str]]:
    """A server on a free port."""
    server = Server(answer)
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        listening.close()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"ok"),
        (b"HTTP/1.1 202 Accepted\r\ncontent-length:0\r\nx: y\r\n\r\n", b""),
        (b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nt: u\r\n\r\n",
         b"abc0123456789abcdef"),
        (b"HTTP/1.0 202 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 202 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", b"x"),
    ],
)  # fmt: skip
async def test_bodies_by_length_in_chunks_and_to_the_end(answer: bytes, body: bytes):
    """Twice each: what is left of one answer would spoil the next."""
    async with serving(lambda _number: answer) as (server, url):
        poster = Poster(f"{url}/v1/events", {"Authorization": "Bearer x"})
        assert [await poster.post(b"frames", 5.0) for _ in range(2)] == [Response(202, body)] * 2
        poster.close()
        assert server.requests[1].startswith(b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:")
        assert server.requests[1].endswith(b"\r\nAuthorization: Bearer x\r\nContent-Length: 6\r\n\r\nframes")


async def test_connections_are_kept_and_as_many_as_posts_are_under_way():
    """Ten posts one after another need one, three at once three."""
    async with serving(lambda _number: OK) as (server, url):
        poster = Poster(url, {})
        for _ in range(10):
            await poster.post(b"x", 5.0)
        assert server.connections == 1
        await asyncio.gather(*(poster.post(b"x", 5.0) for _ in range(3)))
        assert server.connections == 3
        poster.close()


async def test_a_resting_connection_that_the_server_closed_is_no_failure():
    """A gateway closes idle connections, and a restarted one all of them: the post goes out again, on a new one."""
    async with serving(lambda number: None if number == 2 else OK) as (server, url):
        poster = Poster(url, {})
        await poster.post(b"first", 5.0)
        assert await poster.post(b"second", 5.0) == Response(202, b"ok")
        assert server.connections == 2
        poster.close()


@pytest.mark.parametrize(
    "answer", [None, b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 x\r\nContent-Length: 0\r\n\r\n"]
)
async def test_a_new_connection_without_an_answer_is_one(answer: bytes | None):
    """Somebody may have got it: it is not sent twice by itself."""
    async with serving(lambda _number: answer) as (server, url):
        with pytest.raises(NoAnswerError):
            await Poster(url, {}).post(b"x", 5.0)
        assert len(server.requests) == 1


async def test_nobody_there_is_told_apart_from_no_answer():
    """Nobody can have got it."""
    with pytest.raises(NotSentError):
        await Poster("http://127.0.0.1:1/v1/events", {}).post(b"x", 5.0)


async def test_an_answer_that_does_not_come_ends_the_waiting():
    """And the connection with it, whose answer would be taken for the next post's."""
    async with serving(lambda _number: b"HTTP/1.1 202 OK\r\nContent-Length: 9\r\n\r\n") as (server, url):
        poster = Poster(url, {})
        with pytest.raises(TimeoutError):
            await poster.post(b"x", 0.1)
        with pytest.raises(TimeoutError):
            await poster.post(b"x", 0.1)
        assert server.connections == 2


@pytest.mark.parametrize("url", ["ftp://here", "here:80", "http://", "http://here:port", "http://here:99999"])
def test_what_is_no_address_is_refused(url: str):
    """Before anything is sent."""
    with pytest.raises(UnusableInputError, match="--url"):
        Poster(url, {})


PROBLEM = b'{"type": "urn:thecaflow:problem:queue-full", "detail": "x"}'


@pytest.mark.parametrize(
    ("status", "body", "fate", "reason", "later"),
    [
        (503, PROBLEM, Fate.REFUSED, "503 queue-full", True),
        (429, PROBLEM, Fate.REFUSED, "429 queue-full", True),
        (403, b"<html>", Fate.REFUSED, "403", False),
        (202, b"<html>", Fate.UNANSWERED, "an answer 202 that is none of a gateway's", False),
    ],
)
async def test_what_a_gateway_refuses_is_counted_by_its_word_for_it(
    status: int, body: bytes, fate: Fate, reason: str, *, later: bool
):
    """The kinds are few and are ours; a proxy's page is not repeated."""
    answer = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    async with serving(lambda _number: answer) as (_server, url):
        gateway = Gateway(url, "token")
        reply = await gateway.post(b"x")
        gateway.close()
    assert (reply.fate, reply.reason, reply.later, reply.results) == (fate, reason, later, None)
