"""Tells a stuck worker from an idle one, by what it has to show for each partition it holds.

A consumer may die in silence (faust-streaming #175, #523; aiokafka #1037) and a fold may hang, so that "the process
runs" says nothing. A partition is well when its committed offset moved, or when the broker itself just said that
nothing is left to read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

STUCK_AFTER_S: Final = 60.0
EXIT_AFTER_S: Final = 300.0


class Health(Enum):
    """What /healthz says; only STUCK is answered with 503."""

    STARTING = "starting"
    IDLE = "idle"
    PROGRESSING = "progressing"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The worker's health, for how long nothing spoke for it, and what that is about in one line."""

    health: Health
    silent_s: float
    text: str


@dataclass(slots=True)
class _Standing:
    well_at: float
    next_offset: int | None = None
    end_offset: int | None = None
    advanced_at: float = float("-inf")

    @property
    def lag(self) -> int | None:
        if self.next_offset is None or self.end_offset is None:
            return None
        return max(0, self.end_offset - self.next_offset)


class Progress:
    """What is known of each partition held; written by the agent's loop, read by other threads.

    Parameters
    ----------
    clock
        Monotonic seconds.
    """

    def __init__(
        self, *, stuck_after_s: float = STUCK_AFTER_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._stuck_after_s = stuck_after_s
        self._lock = threading.Lock()
        self._standings: dict[int, _Standing] = {}
        self._measured_at = clock()
        self._started = False

    def hold(self, partitions: Collection[int]) -> None:
        """Take up exactly these partitions; called at each assignment."""
        with self._lock:
            now = self._clock()
            kept = self._standings
            self._standings = {p: kept.get(p) or _Standing(now) for p in sorted(partitions)}
            self._started = True

    def loaded(self, partition: int, next_offset: int) -> bool:
        """Learn where the database stands, which is no progress; False if the partition is not held any more."""
        with self._lock:
            standing = self._standings.get(partition)
            if standing is not None:
                standing.next_offset = next_offset
            return standing is not None

    def advanced(self, partition: int, next_offset: int) -> bool:
        """Learn that a batch was committed; False if the partition is not held any more."""
        with self._lock:
            standing = self._standings.get(partition)
            if standing is not None:
                standing.next_offset = next_offset
                standing.advanced_at = standing.well_at = self._clock()
            return standing is not None

    def measured(self, end_offsets: Mapping[int, int]) -> dict[int, int]:
        """Take the broker's end offsets; return the lag of each partition whose database offset is known."""
        with self._lock:
            self._measured_at = now = self._clock()
            for partition, end in end_offsets.items():
                standing = self._standings.get(partition)
                if standing is not None:
                    standing.end_offset = end
                    if standing.lag == 0:
                        standing.well_at = now
        return self.lags()

    def lags(self) -> dict[int, int]:
        """Return records not yet committed, of each partition where both offsets are known."""
        with self._lock:
            return {p: s.lag for p, s in self._standings.items() if s.lag is not None}

    def unknown(self) -> dict[int, int]:
        """Return the end offset of each partition whose database offset nobody could read yet."""
        with self._lock:
            return {
                p: s.end_offset
                for p, s in self._standings.items()
                if s.next_offset is None and s.end_offset is not None
            }

    @property
    def started(self) -> bool:
        """Whether the group gave this worker its first assignment (which may be empty)."""
        return self._started

    def verdict(self) -> Verdict:
        """Judge the worker now."""
        with self._lock:
            now = self._clock()
            oldest = min([self._measured_at, *(s.well_at for s in self._standings.values())])
            silent_s = now - oldest
            if silent_s > self._stuck_after_s:
                return Verdict(Health.STUCK, silent_s, self._stuck_text(now))
            if not self._started:
                return Verdict(Health.STARTING, silent_s, "waiting for the database, the broker or the group")
            if any(now - s.advanced_at <= self._stuck_after_s for s in self._standings.values()):
                return Verdict(Health.PROGRESSING, silent_s, f"{len(self._standings)} partitions")
            return Verdict(Health.IDLE, silent_s, f"{len(self._standings)} partitions, nothing to read")

    def _stuck_text(self, now: float) -> str:
        stuck = [
            f"{p} (lag {s.lag})" for p, s in self._standings.items() if now - s.well_at > self._stuck_after_s
        ]
        if stuck:
            return f"no progress on partitions {', '.join(stuck)}"
        return "the broker was not heard of" if self._started else "never got an assignment"
