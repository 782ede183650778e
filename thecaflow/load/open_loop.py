"""The open loop: posts leave at their due times whatever was answered before, so that a slow target makes a queue.

A closed loop would wait with the target, and measure only the requests that a stall let through (coordinated omission).
Here a post keeps its due time while it waits for a free connection, and its latency counts from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from thecaflow.load.plan import LoadPlan

TURN_EVERY: Final = 8
"""Posts that a dispatcher behind its schedule hands out before the connections get a turn."""


@dataclass(frozen=True, slots=True)
class Due:
    """A post of the schedule. `behind_s`: how late it was handed out, which is the sender's own fault."""

    number: int
    due_s: float
    behind_s: float


class Sink(Protocol):
    """Told what becomes of each post of the schedule."""

    def unsent(self, due: Due) -> None:
        """Take note that a post was given up before it left."""


async def send_on_schedule(
    plan: LoadPlan,
    post: Callable[[Due], Awaitable[None]],
    sink: Sink,
    stop: asyncio.Event,
    began_s: float | None = None,
) -> None:
    """Hand out every post at its due time and return once the last is answered; `stop` ends it early.

    `post` sends one and returns when it is answered or failed; it raises nothing but what ends the run. At most
    `plan.connections` of them run at once; a post that waited longer than `plan.patience_s` goes to `sink.unsent`.
    `began_s` is the first post's due time by `time.perf_counter`.
    """
    began_s = time.perf_counter() if began_s is None else began_s
    line: asyncio.Queue[Due | None] = asyncio.Queue()  # bounded by patience: what waits longer is taken out

    async def connection() -> None:
        while (due := await line.get()) is not None:
            if time.perf_counter() - began_s - due.due_s > plan.patience_s:
                sink.unsent(due)
            else:
                await post(due)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(plan.connections):
            tasks.create_task(connection())
        await _dispatch(plan, line, sink, stop, began_s)
        for _ in range(plan.connections):
            line.put_nowait(None)


async def _dispatch(
    plan: LoadPlan, line: asyncio.Queue[Due | None], sink: Sink, stop: asyncio.Event, began_s: float
) -> None:
    room = round(plan.patience_s * plan.rate_frames_s / plan.frames_a_post) + 1
    for number in range(plan.posts):
        due_s = plan.due_s(number)
        wait_s = began_s + due_s - time.perf_counter()
        if wait_s > 0:
            await _sleep(wait_s, stop)
        elif number % TURN_EVERY == 0:
            await asyncio.sleep(0)
        if stop.is_set():
            return
        due = Due(number, due_s, max(time.perf_counter() - began_s - due_s, 0.0))
        if line.qsize() < room:
            line.put_nowait(due)
        else:
            sink.unsent(due)


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
