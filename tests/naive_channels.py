"""Slow twin of kernels.channels: each channel counts its own silence and its own standing still, in time of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

HOUR_US = 3.6e9
LOST_US = 6 * HOUR_US
KNOWN_US = 30 * HOUR_US


@dataclass
class Presence:
    """Whether a channel is reported: lost after six hours without a reading, back after one hour with them."""

    ever: bool = False
    lost: bool = False
    age_us: float = 0.0
    silent_us: float = 0.0

    def row(self, step_us: float, *, reported: bool) -> bool:
        """Take a row of any channel; True when this row made it lost."""
        if reported:
            if self.lost:
                self.silent_us = max(self.silent_us - 6 * step_us, 0.0)
                self.lost = self.silent_us > 0.0
            else:
                self.ever, self.silent_us = True, 0.0
                if self.age_us < LOST_US:
                    self.age_us += step_us
            return False
        if not self.ever:
            return False
        self.silent_us += step_us
        if self.lost:
            self.silent_us = min(self.silent_us, LOST_US)
        elif self.age_us < LOST_US:
            self.age_us = max(self.age_us - step_us, 0.0)
        elif self.silent_us >= LOST_US:
            self.silent_us, self.age_us, self.lost = LOST_US, 0.0, True
            return True
        return False


@dataclass
class NoisyChannel:
    """A channel that its own noise moves: stuck once it stands for six hours and six of its longest healthy runs."""

    presence: Presence = field(default_factory=Presence)
    stuck: bool = False
    last: float = math.nan
    quantum: float = math.inf
    run_us: float = 0.0
    habit_us: float = 0.0

    def row(self, reading: float, step_us: float, *, steady: bool, held: bool) -> None:
        """Take a row; held: standing still is right now. steady: the program did not change."""
        if not math.isfinite(reading):
            if self.presence.row(step_us, reported=False):
                self.stuck = False
            return
        self.presence.row(step_us, reported=True)
        if not held:
            self.run_us += step_us
        if abs(reading - self.last) <= 1e-9 * abs(reading):
            self._stands()
        else:
            self._moves(reading, steady=steady)

    def _stands(self) -> None:
        lived = self.presence.age_us >= KNOWN_US
        if self.run_us < LOST_US:
            return
        if self.stuck or (lived and self.run_us >= 6 * self.habit_us):
            self.stuck, self.run_us = True, LOST_US

    def _moves(self, reading: float, *, steady: bool) -> None:
        change, self.last, run_us = abs(reading - self.last), reading, self.run_us
        if self.stuck:
            self.run_us = run_us - run_us / 3 if run_us > HOUR_US else 0.0
            self.stuck = self.run_us > 0.0
            return
        self.run_us = 0.0
        if math.isnan(change):
            return
        lived = self.presence.age_us >= KNOWN_US
        if run_us > self.habit_us:
            self.habit_us = min(run_us, 2 * self.habit_us) if lived else run_us
        if not steady:
            return
        if LOST_US <= self.presence.age_us < KNOWN_US and change >= 2.5 * self.quantum:
            self.presence.age_us += min(run_us, 3 * HOUR_US)
        self.quantum = min(self.quantum, change)


@dataclass
class Level:
    """The reservoir's level: stuck once six times what a step of it usually takes was programmed without one."""

    presence: Presence = field(default_factory=Presence)
    stuck: bool = False
    last_ml: float = math.nan
    run_ul: float = 0.0
    run_us: float = 0.0
    habit_ul: float = 0.0

    def row(
        self,
        level_ml: float,
        step_us: float,
        asked_ul: float,
        *,
        held: bool,
        left: float,
        quantum_ul: float,
        size_ml: float,
    ) -> None:
        """Take a row; left: of the reservoir, 1. quantum_ul: the smallest step of the level that was ever seen, NaN = none."""
        if not math.isfinite(level_ml):
            if self.presence.row(step_us, reported=False):
                self.stuck = False
            return
        self.presence.row(step_us, reported=True)
        dry = not left > 0.05
        stands = abs(level_ml - self.last_ml) <= 1e-9 * size_ml
        self.last_ml = level_ml
        if dry or not stands:
            if not dry and not self.stuck:
                self.habit_ul = max(self.habit_ul, self.run_ul)
            self.run_ul, self.run_us, self.stuck = 0.0, 0.0, False
        elif not held:
            self.run_ul += asked_ul
            self.run_us += step_us
            usual_ul = self.habit_ul if math.isnan(quantum_ul) else max(self.habit_ul, quantum_ul)
            if self.run_us >= LOST_US and self.habit_ul > 0.0 and self.run_ul >= 6 * usual_ul:
                self.stuck = True


@dataclass
class Counter:
    """The drive's counter: stuck by what the stall detector has learned of it, while no stall explains it."""

    presence: Presence = field(default_factory=Presence)
    stuck: bool = False

    def row(self, count_ul: float, step_us: float, *, standing_us: float, habits: float, stall: bool) -> None:
        """Take a row; standing_us: time of readings since a movement; habits: what was asked since, in usual movements."""
        if not math.isfinite(count_ul):
            if self.presence.row(step_us, reported=False):
                self.stuck = False
            return
        self.presence.row(step_us, reported=True)
        if standing_us >= LOST_US:
            self.stuck = self.stuck or (habits > 6.0 and not stall)
        elif standing_us == 0.0:
            self.stuck = False


def time_of_rows_us(since_us: float, period_us: float) -> float:
    """A row's own time: the interval before it, or one period where that was longer than three."""
    if not since_us > 0.0:
        return 0.0
    return period_us if since_us > 3 * period_us else since_us
