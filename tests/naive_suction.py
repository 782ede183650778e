"""The slow twin of kernels/suction.py: a first day's inlet, with lists of looks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class NaiveSuction:
    """Readings of an inlet while no day is known."""

    now: float = math.nan
    rows: int = 0
    learned: list[float] = field(default_factory=list)
    short: int = 0  # looks in a row with the inlet fallen and the flow short
    alone: int = 0  # with the inlet fallen alone
    onset_us: float = math.nan

    def row(self, t_us: float, inlet: float, moves: int) -> int:
        """`moves`: 1 flow or load falls short, -1 the flow is as ever, 0 neither."""
        if math.isfinite(inlet):
            self.now = inlet if math.isnan(self.now) else self.now + 0.125 * (inlet - self.now)
            self.rows += 1
            if self.rows % 4 == 0:
                self._look(t_us, moves)
        return min(self.short, 2) if self.short >= 3 else min(self.short, 1)

    def fallen(self) -> bool:
        if len(self.learned) < 8:
            return False
        width = max(self.learned) - min(self.learned)
        return width > 0 and min(self.learned) - self.now > width

    def _look(self, t_us: float, moves: int) -> None:
        low = self.fallen()
        if low and (moves == 1 or self.short >= 3):
            if self.short == 0:
                self.onset_us = t_us
            self.short, self.alone = self.short + 1, 0
            return
        waited = self.alone >= 32
        self.short, self.alone = 0, self.alone + 1 if low else 0
        if not low or (waited and moves == -1):
            self.learned.append(self.now)
