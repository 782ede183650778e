"""When what the log has came to be in the database: the offset of each record against `progress`, read again and again.

A record is in the database once the next offset of its partition lies beyond it. It is taken to be there at the moment
when that was first read, so that a latency is never too short, and too long by one reading's distance at most.
"""

from __future__ import annotations

import bisect
import heapq
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

READINGS_KEPT: Final = 1200
"""Of each partition: an answer that comes later than its record's commit is looked up among them."""


@dataclass(frozen=True, slots=True, order=True)
class Placed:
    """A record of the run in the log. `due_us` None: it belongs to no schedule (introductions, the end)."""

    offset: int
    received_us: int
    due_us: int | None


@dataclass(frozen=True, slots=True)
class Committed:
    """A record, and the moment at which the database was first seen to have it."""

    placed: Placed
    seen_us: int


class Commits:
    """Pairs records with the readings that first cover them."""

    def __init__(self) -> None:
        self._waiting: defaultdict[int, list[tuple[int, int, Placed]]] = defaultdict(list)
        self._readings: defaultdict[int, deque[tuple[int, int]]] = defaultdict(
            lambda: deque(maxlen=READINGS_KEPT)
        )
        self._added = 0
        self.lag = 0
        """Records that were acknowledged and not yet seen in the database."""
        self.committed = 0

    def add(self, partition: int, placed: Placed) -> Committed | None:
        """Wait for a record; what an earlier reading covers already is returned at once."""
        readings = self._readings[partition]
        if readings and readings[-1][0] > placed.offset:
            first = bisect.bisect_right(readings, placed.offset, key=lambda reading: reading[0])
            self.committed += 1
            return Committed(placed, readings[first][1])
        self._added += 1  # no two entries are equal, so that no two records are ever compared
        heapq.heappush(self._waiting[partition], (placed.offset, self._added, placed))
        self.lag += 1
        return None

    def read(self, next_offsets: Mapping[int, int], at_us: int) -> list[Committed]:
        """Take a reading of `progress` and return what it is the first to cover."""
        covered = []
        for partition, next_offset in next_offsets.items():
            readings = self._readings[partition]
            if readings and readings[-1][0] >= next_offset:
                continue
            readings.append((next_offset, at_us))
            waiting = self._waiting[partition]
            while waiting and waiting[0][0] < next_offset:
                covered.append(Committed(heapq.heappop(waiting)[2], at_us))
        self.lag -= len(covered)
        self.committed += len(covered)
        return covered
