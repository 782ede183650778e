"""How long things took: a histogram with buckets 1 % wide, so that any percentile is known to 1 % in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

_STEPS_A_FACTOR_E: Final = 100
SHORTEST_S: Final = 1e-6


class Durations:
    """Counts durations in seconds; what is shorter than a microsecond counts as one."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.max_s = 0.0

    def __len__(self) -> int:
        return self._buckets.total()

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a duration, as often as it was seen."""
        self._buckets[math.ceil(math.log(max(seconds, SHORTEST_S)) * _STEPS_A_FACTOR_E)] += times
        self.max_s = max(self.max_s, seconds)

    def include(self, others: Durations) -> None:
        """Count everything that another histogram did."""
        self._buckets.update(others._buckets)
        self.max_s = max(self.max_s, others.max_s)

    def percentile_s(self, share: float) -> float:
        """Return the smallest duration that `share` (0-1) of all do not exceed, at most 1 % too long; 0 for none."""
        wanted = share * self._buckets.total()
        seen = 0
        for step, count in sorted(self._buckets.items()):
            seen += count
            if seen >= wanted:
                return min(math.exp(step / _STEPS_A_FACTOR_E), self.max_s)
        return 0.0
