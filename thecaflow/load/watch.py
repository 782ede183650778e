"""The watcher: reads `progress` all through a run, and with it lag, commit latencies and the machine's load."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Final

from contract.errors import UnreachableError
from storage import load, pool
from thecaflow.load.commits import Commits, Committed
from thecaflow.load.ledger import Ledger
from thecaflow.load.machine import Busy
from thecaflow.load.plan import LoadPlan
from thecaflow.settings import Settings

logger = logging.getLogger(__name__)

READ_EVERY_S: Final = 0.05
"""How far commit latencies may be too long; twenty small queries a second cost the database next to nothing."""
AGAIN_S: Final = 0.5
STALLED_S: Final = 60.0
"""Without any commit for so long what is still waited for is given up."""


def now_us() -> int:
    """Return the wall clock, microseconds since 1970."""
    return time.time_ns() // 1000


class Watcher:
    """Reads until it is cancelled. `began_us`: when the schedule begins, None before; until then only lag is watched."""

    def __init__(self, settings: Settings, plan: LoadPlan, ledger: Ledger, commits: Commits) -> None:
        self._settings = settings
        self._plan = plan
        self._ledger = ledger
        self._commits = commits
        self._busy = Busy()
        self._busy_at_us = now_us()
        self.began_us: int | None = None

    async def read_for_ever(self) -> None:
        """Read every 50 ms, from a new connection after a loss of the old one."""
        while True:
            try:
                async with pool.single(self._settings) as connection:
                    while True:
                        offsets = await load.next_offsets(connection, self._settings.events_topic)
                        self.take(offsets, now_us())
                        await asyncio.sleep(READ_EVERY_S)
            except UnreachableError as lost:
                logger.warning("watcher: %s", lost)
                await asyncio.sleep(AGAIN_S)

    def take(self, offsets: dict[int, int], at_us: int) -> None:
        """Take one reading."""
        self.record(self._commits.read(offsets, at_us))
        if self.began_us is None:
            return
        after_s = (at_us - self.began_us) / 1e6
        if after_s < 0:
            return
        number = self._plan.interval(after_s)
        if number not in self._ledger.intervals or self._ledger.intervals[number].lag_readings == 0:
            self._close_interval(number - 1, at_us)
        interval = self._ledger.interval(after_s)
        interval.lag_readings += 1
        interval.lag_max = max(interval.lag_max, self._commits.lag)
        interval.lag_end = self._commits.lag

    def record(self, committed: Iterable[Committed]) -> None:
        """Count commits of frames of the schedule."""
        if self.began_us is None:
            return
        for one in committed:
            placed, seen_us = one.placed, one.seen_us
            if placed.due_us is None:
                continue
            due = self._ledger.interval((placed.due_us - self.began_us) / 1e6)
            due.commit.add((seen_us - placed.received_us) / 1e6)
            due.whole.add((seen_us - placed.due_us) / 1e6)
            self._ledger.interval((seen_us - self.began_us) / 1e6).committed += 1

    def finish(self, at_us: int) -> None:
        """Close the interval that is open."""
        if self.began_us is not None:
            self._close_interval(self._plan.interval((at_us - self.began_us) / 1e6), at_us)

    def _close_interval(self, number: int, at_us: int) -> None:
        share, cores = self._busy.since((at_us - self._busy_at_us) / 1e6)
        self._busy_at_us = at_us
        if (interval := self._ledger.intervals.get(number)) is not None:
            interval.machine_busy, interval.own_cores = share, cores


async def until_drained(commits: Commits, *, stalled_s: float = STALLED_S) -> float | None:
    """Wait until everything acknowledged was seen in the database; the seconds it took, None once nothing moves any more."""
    began_s = moved_s = time.monotonic()
    committed = commits.committed
    while commits.lag > 0:
        await asyncio.sleep(READ_EVERY_S)
        if commits.committed != committed:
            committed, moved_s = commits.committed, time.monotonic()
        elif time.monotonic() - moved_s > stalled_s:
            return None
    return time.monotonic() - began_s
