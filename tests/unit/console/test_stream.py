"""Server-sent events: what a browser hears, how many may listen, and how a stream ends."""

from __future__ import annotations

import asyncio

import pytest

from dashboards.console.snapshots import Snapshots
from dashboards.console.stream import Streams
from ingest.problems import Problem
from tests.unit.console.console_double import NOW_US, MemoryFleet, pump


class Listening:
    """A stream over a fleet."""

    def __init__(self, keep_alive_s: float = 5.0, limit: int = 2) -> None:
        self.seconds = 0.0
        self.fleet = MemoryFleet()
        self.snapshots = Snapshots(
            self.fleet, lambda: NOW_US + round(self.seconds), clock=lambda: self.seconds
        )
        self.streams = Streams(self.snapshots, limit=limit, keep_alive_s=keep_alive_s)
        self.allowed = True
        self.events = self.streams.events(self._allowed)

    async def _allowed(self) -> bool:
        return self.allowed


async def next_of(listening: Listening) -> bytes:
    """The next chunk, within a second."""
    async with asyncio.timeout(1):
        return await anext(listening.events)


async def test_the_present_version_comes_at_once_and_then_every_change():
    """So that a browser that was cut off knows whether it missed anything."""
    listening = Listening()
    await listening.snapshots.look()
    assert (await next_of(listening)).startswith(b"retry: ")
    assert await next_of(listening) == f"event: changed\ndata: {NOW_US}\n\n".encode()
    waiting = asyncio.create_task(next_of(listening))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    listening.fleet.pumps = {"p1": pump("p1")}
    listening.fleet.offsets += 1
    listening.seconds += 2
    await listening.snapshots.look()
    assert await waiting == f"event: changed\ndata: {NOW_US + 2}\n\n".encode()


async def test_silence_is_filled_with_comments():
    """Proxies close what is silent."""
    listening = Listening(keep_alive_s=0.01)
    await next_of(listening)
    assert await next_of(listening) == b": still here\n\n"


async def test_a_stream_ends_with_its_viewers_token():
    """At the next event or comment after that."""
    listening = Listening(keep_alive_s=0.01)
    await next_of(listening)
    await next_of(listening)
    listening.allowed = False
    with pytest.raises(StopAsyncIteration):
        await next_of(listening)
    assert listening.streams.clients == 0


async def test_a_console_that_stops_ends_its_streams_and_takes_no_more():
    """A waiting stream ends at once, not after its next comment."""
    listening = Listening(keep_alive_s=60)
    await listening.snapshots.look()
    await next_of(listening)
    await next_of(listening)
    waiting = asyncio.create_task(next_of(listening))
    await asyncio.sleep(0.01)
    listening.streams.close()
    assert await waiting == b": still here\n\n"
    with pytest.raises(StopAsyncIteration):
        await next_of(listening)
    with pytest.raises(Problem):
        listening.streams.admit()


async def test_only_so_many_may_listen():
    """The next one is told to come later; one that leaves makes room."""
    listening = Listening(limit=1)
    await next_of(listening)
    with pytest.raises(Problem) as refused:
        listening.streams.admit()
    assert refused.value.status == 503
    await listening.events.aclose()
    listening.streams.admit()
