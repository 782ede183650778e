"""Slow twin of kernels.fluid: every level is an exact sum over all that was ever given, every day is looked at as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

HALF_LIVES_H = (0.9, 1.5, 3.0, 6.0)
DAY_H = 24.0


def level_ug_h(doses: list[tuple[float, float, float]], t_h: float, half_life_h: float) -> float:
    """Level times clearance at t_h after doses (from, to, ug), each given evenly; from == to: at once."""
    k = math.log(2.0) / half_life_h
    total = 0.0
    for begin_h, end_h, drug_ug in doses:
        if begin_h > t_h or drug_ug == 0.0:
            continue
        if end_h == begin_h:
            total += k * drug_ug * math.exp(-k * (t_h - begin_h))
            continue
        until_h = min(end_h, t_h)
        rate = drug_ug / (end_h - begin_h)
        total += rate * (math.exp(-k * (t_h - until_h)) - math.exp(-k * (t_h - begin_h)))
    return total


@dataclass
class NaiveFluid:
    """Levels, habit and status from the whole list of blocks (from, to, ug), each of a quarter of an hour or more."""

    high_risk: bool = False
    doses: list[tuple[float, float, float]] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    low_h: float | None = None
    over_h: float | None = None
    both: bool = False
    day_h: float | None = None
    day: list[tuple[float, float]] = field(default_factory=list)
    day_ug: float = 0.0
    odd: bool = False
    odd_days: int = 0
    days: int = 0
    trough: list[float] = field(default_factory=lambda: [0.0, 0.0])
    peak: list[float] = field(default_factory=lambda: [0.0, 0.0])
    habit: float = 0.0

    def level(self, t_h: float, end: int) -> float:
        """Level of the fastest (0) or slowest (1) compartment."""
        return level_ug_h(self.doses, t_h, HALF_LIVES_H[3 * end])

    def give(self, begin_h: float, end_h: float, drug_ug: float) -> None:
        """Add a block, and judge at its end."""
        if self.day_h is None:
            if drug_ug == 0.0:
                return
            self.day_h = begin_h
        self.doses.append((begin_h, end_h, drug_ug))
        self.day_ug += drug_ug
        fast, slow = self.level(end_h, 0), self.level(end_h, 1)
        if self.days >= 2:
            self._judge(begin_h, end_h, fast, slow)
        self.day.append((fast, slow))
        self.odd = self.odd or self.low_h is not None or self.over_h is not None
        if end_h - self.day_h >= DAY_H:
            self._learn(end_h)

    def _judge(self, begin_h: float, end_h: float, fast: float, slow: float) -> None:
        share = 0.5 if self.high_risk else 0.25
        limit = share * self.trough[0]
        if fast < limit:
            if self.low_h is None:
                self.low_h = self._met(begin_h, end_h, limit, falls=True)
        elif fast >= share**0.5 * self.trough[0]:
            self.low_h = None
        if fast > 2.5 * self.peak[0]:
            if self.over_h is None:
                self.over_h = self._met(begin_h, end_h, 2.5 * self.peak[0], falls=False)
        elif fast <= 2.0 * self.peak[0] and slow <= 2.0 * self.peak[1]:
            self.over_h = None
        if self.over_h is None:
            self.both = False
        elif slow > 2.5 * self.peak[1]:
            self.both = True

    def _met(self, begin_h: float, end_h: float, limit: float, *, falls: bool) -> float:
        """Bisect for the time at which the fastest level met the limit."""
        if (self.level(begin_h, 0) <= limit) if falls else (self.level(begin_h, 0) >= limit):
            return begin_h
        low, high = begin_h, end_h
        for _ in range(80):
            middle = 0.5 * (low + high)
            if (self.level(middle, 0) < limit) == falls:
                high = middle
            else:
                low = middle
        return high

    def _learn(self, end_h: float) -> None:
        assert self.day_h is not None
        rate = self.day_ug / (end_h - self.day_h)
        lows = [min(levels[end] for levels in self.day) for end in (0, 1)]
        highs = [max(levels[end] for levels in self.day) for end in (0, 1)]
        self.odd_days = self.odd_days + 1 if self.odd else 0
        self.day_h = end_h
        if self.days < 2:
            self.days += 1
            if self.day_ug == 0.0:
                self.days, self.day_h = 0, None
            elif self.days == 2:
                self.trough, self.peak, self.habit = lows, highs, rate
        elif self.day_ug > 0.0 and (not self.odd or self.odd_days >= 3):
            for end in (0, 1):
                low, trough = lows[end], self.trough[end]
                self.trough[end] = (
                    0.75 * trough + 0.25 * min(low, 2 * trough) if low > trough else max(low, 0.5 * trough)
                )
                high, peak = highs[end], self.peak[end]
                share = 0.5 if high > peak else 1 / 7
                self.peak[end] = (1 - share) * peak + share * min(high, 2 * peak)
            self.habit = 0.5 * self.habit + 0.5 * min(max(rate, 0.5 * self.habit), 2 * self.habit)
        self.day, self.day_ug, self.odd = [], 0.0, False
