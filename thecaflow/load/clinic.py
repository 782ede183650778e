"""What surrounds the schedule: every pump is introduced before it and taken out of watch after it, in a closed loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from contract.errors import UnreachableError
from thecaflow.load.commits import Commits, Placed
from thecaflow.load.gateway import Gateway, Reply

EVENTS_A_POST: Final = 600
AT_ONCE: Final = 3
"""Posts under way: enough to keep a gateway at work, few enough to leave it room for others."""
GIVE_UP_S: Final = 60.0
PAUSE_S: Final = 0.5


class Clinic:
    """Sends clinical events until each is acknowledged. `acknowledged` holds the ids of those that are."""

    def __init__(self, gateway: Gateway, commits: Commits, advance: Callable[[int], None]) -> None:
        self._gateway = gateway
        self._commits = commits
        self._advance = advance
        self.acknowledged: set[str] = set()

    async def send(self, events: Iterable[bytes], ids: Iterable[str]) -> None:
        """Send events, whose ids are given in the same order; raises UnreachableError where one is not taken.

        The order of posts is not kept among the three under way; events of one moment have an order of their own.
        """
        chunks = _chunks(zip(events, ids, strict=True))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._send_some(chunks))

    async def _send_some(self, chunks: Iterator[Sequence[tuple[bytes, str]]]) -> None:
        for chunk in chunks:
            reply = await self._persistently(b"".join(event for event, _ in chunk))
            if reply.results is None or any(result.status == "refused" for result in reply.results):
                reasons = {result.reason for result in reply.results or () if result.reason}
                raise UnreachableError(
                    f"the gateway does not take the fleet's clinical events: {reply.reason} {'; '.join(reasons)}"
                )
            for (_, identity), result in zip(chunk, reply.results, strict=True):
                self.acknowledged.add(identity)
                if result.partition is not None and result.offset is not None:
                    self._commits.add(result.partition, Placed(result.offset, reply.received_us, None))
            self._advance(len(chunk))

    async def _persistently(self, body: bytes) -> Reply:
        waited_s = 0.0
        while True:
            reply = await self._gateway.post(body)
            if not reply.later or waited_s >= GIVE_UP_S:
                return reply
            await asyncio.sleep(PAUSE_S)
            waited_s += PAUSE_S


def _chunks(events: Iterator[tuple[bytes, str]]) -> Iterator[Sequence[tuple[bytes, str]]]:
    while chunk := list(itertools.islice(events, EVENTS_A_POST)):
        yield chunk
