"""Replay: recorded lines to a target at a chosen speed, several at once, each pump's in their order.

A pump's lines always go through the same lane, and a lane has one post under way. So lanes give speed and order stays.
"""

from __future__ import annotations

import asyncio
import random
import time
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from contract.errors import ThecaflowError, UnusableInputError
from ingest.intake import EventResult
from ingest.replay_report import Report, State, Tally
from ingest.replay_source import Line, Source
from ingest.replay_targets import LaterError, Target, TooLargeError

MAX_BODY_BYTES: Final = 1024 * 1024
LANE_BATCHES: Final = 3
LINGER_S: Final = 0.025
"""How long a paced line waits for company: a request for each would cost three times the processor time of 3 a request."""
SAVE_EVERY_S: Final = 1.0
LONGEST_PAUSE_S: Final = 10.0


class GivenUpError(ThecaflowError):
    """The target did not take anything for so long that the replay ended; run it again to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How to replay.

    Parameters
    ----------
    speed
        Times faster than it was recorded; None: as fast as the target takes it.
    rate_events_s
        Instead of the recorded times: so many events a second, whatever the target does (an open loop).
    sort
        Read everything first and send it in the order of `received`.
    """

    speed: float | None = None
    rate_events_s: float | None = None
    batch: int = 200
    lanes: int = 6
    sort: bool = False
    resume_from: int = 0
    state: Path | None = None
    give_up_s: float = 300.0


@dataclass
class _Run:
    source: Source
    target: Target
    options: ReplayOptions
    tally: Tally
    skip: int
    expected_first: str | None
    progress: Callable[[Tally, Source], None]
    began_s: float = field(default_factory=time.monotonic)
    saved_s: float = float("-inf")

    async def feed(self, lanes: list[asyncio.Queue[Line | None]]) -> None:
        first_us: int | None = None
        latest_s = 0.0
        sent = 0
        async for chunk in self._chunks():
            for line in chunk:
                if line.number <= self.skip:
                    continue
                if self.options.rate_events_s:
                    line.due_s = self.began_s + sent / self.options.rate_events_s
                elif self.options.speed and line.time_us is not None:
                    first_us = line.time_us if first_us is None else first_us
                    latest_s = max(latest_s, (line.time_us - first_us) / 1e6 / self.options.speed)
                    line.due_s = self.began_s + latest_s
                if line.due_s is not None and (wait_s := line.due_s - time.monotonic()) > 0.001:
                    await asyncio.sleep(wait_s)
                sent += 1
                await lanes[zlib.crc32(line.lane_key.encode()) % len(lanes)].put(line)
            self.progress(self.tally, self.source)
        for lane in lanes:
            await lane.put(None)

    async def _chunks(self) -> AsyncIterator[list[Line]]:
        """Read in a thread: a slow pipe must not hold up what is under way."""
        chunks = self.source.chunks()
        if self.options.sort:
            yield await asyncio.to_thread(
                lambda: sorted((line for chunk in chunks for line in chunk), key=_order)
            )
            return
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            self._check_first()
            yield chunk
        self._check_first()

    def _check_first(self) -> None:
        if self.expected_first is not None and self.source.first_digest != self.expected_first:
            raise UnusableInputError(
                f"{self.options.state} belongs to a replay of another file; delete it to begin anew"
            )

    async def work(self, lane: asyncio.Queue[Line | None]) -> None:
        ended = False
        while not ended:
            line = await lane.get()
            batch: list[Line] = []
            size = 0
            if line is not None and line.due_s is not None and lane.empty():
                await asyncio.sleep(LINGER_S)
            while line is not None:
                batch.append(line)
                size += len(line.raw) + 1
                if len(batch) >= self.options.batch or size >= MAX_BODY_BYTES or lane.empty():
                    break
                line = lane.get_nowait()
            ended = line is None
            if batch:
                await self._deliver(batch)

    async def _deliver(self, batch: list[Line]) -> None:
        posted_s = time.monotonic()
        self.tally.sent += len(batch)
        try:
            results = await self._persistently([line.raw for line in batch])
        except TooLargeError as too_large:
            if len(batch) == 1:
                self._count(batch, [EventResult(None, "refused", str(too_large))], posted_s)
                return
            self.tally.sent -= len(batch)
            middle = len(batch) // 2
            await self._deliver(batch[:middle])
            await self._deliver(batch[middle:])
            return
        self._count(batch, results, posted_s)

    async def _persistently(self, lines: list[bytes]) -> list[EventResult]:
        failing_since: float | None = None
        pauses = 0
        while True:
            try:
                return await self.target.send(lines)
            except LaterError as later:
                now = time.monotonic()
                failing_since = now if failing_since is None else failing_since
                if now - failing_since > self.options.give_up_s:
                    raise GivenUpError(f"given up after {self.options.give_up_s:g} s: {later}") from later
                self.tally.retries += 1
                # All lanes are told the same Retry-After; a little chance keeps them from coming back as one.
                pause_s = min(later.retry_after_s * 1.3**pauses, max(LONGEST_PAUSE_S, later.retry_after_s))
                pauses += 1
                await asyncio.sleep(pause_s * random.uniform(1.0, 1.2))  # noqa: S311 - no secret

    def _count(self, batch: list[Line], results: list[EventResult], posted_s: float) -> None:
        tally, now = self.tally, time.monotonic()
        for line, result in zip(batch, results, strict=True):
            if result.status == "refused":
                tally.refused += 1
                tally.mark.refused(line.number)
            else:
                tally.mark.acknowledged(line.number)
                tally.add_latency(now - (posted_s if line.due_s is None else line.due_s))
                if result.status == "accepted":
                    tally.accepted += 1
                else:
                    tally.quarantined += 1
            if result.reason is not None:
                tally.add_reason(result.reason)
        self.progress(tally, self.source)
        self.save(now)

    def save(self, now_s: float | None = None) -> None:
        """Write the resume file, at most once a second unless `now_s` is None."""
        if self.options.state is None or (now_s is not None and now_s - self.saved_s < SAVE_EVERY_S):
            return
        if self.source.first_digest:
            State(self.tally.mark.lines, self.source.first_digest).write(self.options.state)
        self.saved_s = time.monotonic()


async def replay(
    source: Source,
    target: Target,
    options: ReplayOptions,
    progress: Callable[[Tally, Source], None] = lambda _tally, _source: None,
) -> Report:
    """Send all lines and return what became of them; an error that ends it early still leaves the resume file right.

    Raises ThecaflowError leaves: TurnedAwayError, GivenUpError, UnusableInputError.
    """
    stored = State.read(options.state) if options.state is not None else None
    if options.sort and (stored is not None or options.resume_from):
        raise UnusableInputError(
            "a sorted replay can't be resumed by a number of lines; run it again as a whole"
        )
    skip = options.resume_from if stored is None else stored.lines
    tally = Tally(skip)
    run = _Run(source, target, options, tally, skip, None if stored is None else stored.first, progress)
    lanes: list[asyncio.Queue[Line | None]] = [
        asyncio.Queue(LANE_BATCHES * options.batch) for _ in range(options.lanes)
    ]
    finished = False
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run.feed(lanes))
            for lane in lanes:
                tasks.create_task(run.work(lane))
        finished = True
    except* ThecaflowError as failed:
        raise failed.exceptions[0] from None
    finally:
        if not options.sort:
            run.save()
    return tally.report(time.monotonic() - run.began_s, finished=finished)


def _order(line: Line) -> tuple[int, int]:
    return (line.time_us if line.time_us is not None else -(2**63), line.number)
