"""A token bucket for each bearer token: how many events a second it may send."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from ingest.problems import Problem

MAX_BUCKETS: Final = 10_000
BURST_S: Final = 2.0


class RateLimit:
    """Buckets of `events_per_s` x 2 s; 0 means no limit.

    A request is let in while its bucket is not empty, and pays for all its events then. So a body may be larger than a
    bucket, and the debt makes the next request wait.
    """

    def __init__(self, events_per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = events_per_s
        self._burst = events_per_s * BURST_S
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # token id -> (level, at)

    def admit(self, token_id: str) -> None:
        """Take one event's worth; raises Problem 429 while the bucket is empty."""
        if self._rate <= 0:
            return
        level = self._level(token_id)
        if level < 1:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "rate",
                f"This token may send {self._rate:g} events a second.",
                retry_after_s=(1 - level) / self._rate,
            )
        self._put(token_id, level - 1)

    def charge(self, token_id: str, events: int) -> None:
        """Take the rest of a body's events, into debt if need be."""
        if self._rate > 0 and events > 0:
            self._put(token_id, self._level(token_id) - events)

    def _level(self, token_id: str) -> float:
        now = self._clock()
        level, at = self._buckets.get(token_id, (self._burst, now))
        return min(self._burst, level + (now - at) * self._rate)

    def _put(self, token_id: str, level: float) -> None:
        self._buckets.pop(token_id, None)
        self._buckets[token_id] = (level, self._clock())
        while len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
