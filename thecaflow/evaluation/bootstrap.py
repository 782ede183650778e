"""Intervals by the bootstrap over pumps: a pump's faults, alarms and forecasts depend on each other, pumps do not.

One draw weighs every pump by how often it was drawn, the same weights for every number, so that a whole evaluation
needs one pass. Where every trial succeeded or failed, resampling says nothing and the exact (Clopper-Pearson) bound stands
in; where nothing was counted in a time, the Poisson one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS: Final = 1000
LEVEL: Final = 0.95
_TAIL: Final = (1.0 - LEVEL) / 2.0
_MOST_WEIGHTS: Final = 50_000_000  # 200 MB; a hundred thousand pumps have 500 draws
_AT_ONCE: Final = 100  # draws


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A number with its 95 % interval; None where nothing was there to count. `n`: trials, or pump-years."""

    value: float | None
    lo: float | None = None
    hi: float | None = None
    n: float = 0.0


class Bootstrap:
    """Weights of `pumps` pumps in DRAWS draws, from a seed."""

    def __init__(self, pumps: int, seed: int, draws: int = DRAWS) -> None:
        rng = np.random.default_rng(seed)
        draws = min(draws, max(_MOST_WEIGHTS // pumps, 1))
        self._weights = np.empty((draws, pumps), dtype=np.float32)
        for draw in range(draws):
            self._weights[draw] = np.bincount(rng.integers(0, pumps, pumps), minlength=pumps)

    def share(self, successes: Sequence[float], trials: Sequence[float]) -> Estimate:
        """Successes / trials, each given by pump: float[pumps]."""
        estimate = self._ratio(successes, trials)
        n, found = estimate.n, float(np.sum(successes))
        if estimate.value is None or 0.0 < found < n:
            return estimate
        # All of n succeeded: p^n = tail. A pump is one trial here, since its own depend on each other.
        bound = _TAIL ** (1.0 / int(np.count_nonzero(trials)))
        lo, hi = (bound, 1.0) if found >= n else (0.0, 1.0 - bound)
        return Estimate(value=estimate.value, lo=lo, hi=hi, n=n)

    def rate(self, counts: Sequence[float], years: Sequence[float]) -> Estimate:
        """Counts / years, each given by pump."""
        estimate = self._ratio(counts, years)
        if estimate.value != 0.0:
            return estimate
        return Estimate(value=0.0, lo=0.0, hi=-math.log(_TAIL) / estimate.n, n=estimate.n)

    def mean(self, sums: Sequence[float], counts: Sequence[float]) -> Estimate:
        """Sums / counts, each given by pump."""
        return self._ratio(sums, counts)

    def quantile(self, level: float, numbers: Sequence[float], owners: Sequence[int]) -> Estimate:
        """A quantile of numbers, of which number i belongs to pump owners[i]; infinite ones are allowed."""
        if not len(numbers):
            return Estimate(value=None)
        order = np.argsort(np.asarray(numbers, dtype=np.float64), kind="stable")
        ascending = np.asarray(numbers, dtype=np.float64)[order]
        of = np.asarray(owners)[order]
        drawn = np.concatenate(
            [
                _weighted(level, ascending, self._weights[first : first + _AT_ONCE, of].astype(np.float64))
                for first in range(0, len(self._weights), _AT_ONCE)
            ]
        )
        value = float(_weighted(level, ascending, np.ones((1, len(ascending))))[0])
        return _estimate(value, drawn[~np.isnan(drawn)], float(len(ascending)))

    def _ratio(self, above: Sequence[float], below: Sequence[float]) -> Estimate:
        tops, bottoms = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
        n = float(bottoms.sum())
        if n <= 0.0:
            return Estimate(value=None)
        drawn_tops, drawn_bottoms = self._weights @ tops, self._weights @ bottoms
        known = drawn_bottoms > 0.0
        return _estimate(float(tops.sum()) / n, drawn_tops[known] / drawn_bottoms[known], n)


def _weighted(level: float, ascending: Floats, weights: Floats) -> Floats:
    """The first number at which a share `level` of the weight is reached, float64[draws]; NaN without any weight."""
    reached = np.cumsum(weights, axis=1)
    totals = reached[:, -1:]
    first = np.argmax(reached >= level * totals - 1e-9, axis=1)
    return np.where(totals[:, 0] > 0.0, ascending[first], np.nan)


def _estimate(value: float, drawn: Floats, n: float) -> Estimate:
    if not drawn.size:
        return Estimate(value=value, n=n)
    # Of infinities no mean can be taken, so the bound is one of the drawn numbers.
    lo, hi = np.quantile(drawn, (_TAIL, 1.0 - _TAIL), method="nearest")
    return Estimate(value=value, lo=float(lo), hi=float(hi), n=n)
