"""Leak and starvation written slowly, with lists of blocks and days; see kernels/lows.py, leak.py and starvation.py."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

HOUR_US = 3.6e9
DAY_US = 24 * HOUR_US
K_OF_SIX_DAYS = 12.2


def finite(*numbers: float) -> bool:
    return all(math.isfinite(number) for number in numbers)


def below(number: float, limit: float) -> bool:
    """Less than, where nothing is less than an unknown limit."""
    return not math.isnan(number) and not math.isnan(limit) and number < limit


def slow(usual: float, now: float, share: float) -> float:
    return now if math.isnan(usual) else usual + share * (now - usual)


class Held:
    """Sum of readings in which a missing one counts as the mean of the others."""

    def __init__(self) -> None:
        self.rows, self.total = 0, math.nan

    def add(self, reading: float) -> None:
        if math.isfinite(reading):
            known = self.rows > 0 and not math.isnan(self.total)
            self.total = self.total + reading if known else reading * (self.rows + 1.0)
        elif self.rows:
            self.total += self.total / self.rows
        self.rows += 1

    def mean(self) -> float:
        return self.total / self.rows


@dataclass
class Lows:
    """Blocks of an hour, days of them, and what is lower than any of that."""

    rows: float = 4.0
    held: Held = field(default_factory=Held)
    open_us: float = math.nan
    span_us: float = math.nan
    last: float = math.nan
    day: list[float] = field(default_factory=list)
    minima: list[float] = field(default_factory=list)
    base: float = math.nan
    bottom: float = math.nan
    limit: float = math.nan

    def add(self, t_us: float, reading: float) -> bool:
        if self.held.rows == 0 and math.isnan(self.open_us):
            self.open_us = t_us
        if reading > self.last and not math.isnan(self.limit):
            reading = min(reading, max(self.base, self.last + self.base - self.limit))
        self.held.add(reading)
        waited = self.held.rows >= 4 and t_us - self.open_us >= 2 * HOUR_US
        return self.held.rows >= self.rows or waited

    def close(self, t_us: float) -> tuple[bool, float]:
        mean, took = self.held.mean(), t_us - self.open_us
        self.held, self.open_us = Held(), t_us
        usual = self.span_us if self.span_us > 0 else took
        usable = took <= 2 * usual
        usual += 0.25 * (min(took, 2 * usual) - usual)
        if usual < 0.6 * HOUR_US:
            self.rows, usual, usable = self.rows * 2, usual * 2, False
        elif usual > 1.5 * HOUR_US and self.rows > 4:
            self.rows, usual = self.rows / 2, usual / 2
        self.span_us = usual
        return usable, mean

    def learn(self, mean: float) -> bool:
        self.base = (
            slow(self.base, mean, 1 / 24) if math.isnan(self.base) else self.base + (mean - self.base) / 24
        )
        self.day.append(mean)
        if len(self.day) * self.span_us < DAY_US:
            return False
        self.minima = [*self.minima, min(self.day)][-6:]
        self.day = []
        self.judge()
        return True

    def judge(self) -> None:
        n = len(self.minima)
        if n < 2:
            return
        ordered = sorted(self.minima)
        self.bottom = ordered[1] if n >= 4 else ordered[0]
        width = max(self.base - self.bottom, 0.0)
        margin = 0.5 * width
        if n == 6:
            minima = list(self.minima)
            minima[minima.index(ordered[0])] = ordered[1]
            mean = sum(minima) / 6
            squares = 0.0
            for smallest in minima:
                squares += (smallest - mean) * (smallest - mean)
            margin = self.bottom - mean + K_OF_SIX_DAYS * math.sqrt(squares / 5)
            margin = min(max(margin, 0.25 * width), 0.75 * width)
        self.limit = self.bottom - max(margin, 1e-6 * abs(self.base))

    def move(self, by: float) -> None:
        self.minima = [smallest + by for smallest in self.minima]
        self.day = [mean + by for mean in self.day]
        self.base += by
        self.judge()

    def back_from(self, level: int) -> float:
        return 0.5 * (self.bottom + self.limit) if level == 2 else self.limit


@dataclass
class Fall:
    """An excursion below the limit."""

    means: list[float] = field(default_factory=list)
    up: float = 0.0
    moves: float = 0.0

    def add(self, mean: float, last: float) -> None:
        if self.means:
            self.up = max(self.up, mean - min(self.means))
        self.means.append(mean)
        if len(self.means) > 2:
            self.moves += (mean - last) ** 2


class NaiveLeak:
    """One pump's leak detector."""

    def __init__(self) -> None:
        self.lows, self.fall, self.level = Lows(), Fall(), 0
        self.up = self.quiet = self.lowest_flow = math.nan
        self.day_up, self.run, self.day_quiet = 0.0, 0.0, math.inf
        self.flow, self.far_rows = 0.0, 0

    def row(self, t_us: float, pressure: float, flow: float, quantum: float) -> int:
        """`flow` NaN = unknown; rows that are not to be judged are not given."""
        lows = self.lows
        self.flow += flow
        if lows.add(t_us, pressure):
            mean_flow, self.flow = self.flow / lows.held.rows, 0.0
            usable, mean = lows.close(t_us)
            if usable:
                if not self._lower(mean_flow):
                    self.level = self._judge(mean)
                elif not self.fall.means:
                    self._learn(mean)
            lows.last = mean
        if self.level < 2 and self._far(pressure, quantum):
            self.far_rows += 1
            if self.far_rows >= 8 and self.far_rows / lows.rows * lows.span_us >= HOUR_US / 4:
                self.level = 2
        else:
            self.far_rows = 0
        self.quantum = quantum
        return self.level

    def _lower(self, flow: float) -> bool:
        if not math.isfinite(flow):
            return False
        lowest = self.lowest_flow
        if math.isnan(lowest):
            self.lowest_flow = flow
            return False
        if flow >= 0.8 * lowest:
            self.lowest_flow = min(flow, lowest + (flow - lowest) / 512)
            return False
        self.lowest_flow = max(flow, 0.97 * lowest)
        return True

    def _zone(self, kpa: float) -> bool:
        return abs(kpa) <= 0.5 * self.lows.bottom

    def _far(self, kpa: float, quantum: float) -> bool:
        width = self.lows.base - self.lows.bottom
        if quantum < math.inf:
            width = max(width, quantum)
        return self._zone(kpa) and self.lows.base - kpa >= 8 * width

    def _learn(self, mean: float) -> None:
        lows = self.lows
        if lows.day:
            self.day_up = max(self.day_up, mean - min(lows.day))
        if not math.isnan(lows.last):
            self.run += (mean - lows.last) ** 2
        if (len(lows.day) + 1) % 6 == 0:
            self.day_quiet, self.run = min(self.day_quiet, self.run / 6), 0.0
        if not lows.learn(mean):
            return
        self.up = slow(self.up, self.day_up, 0.25) if self.day_up > self.up else self.day_up
        if self.day_quiet < math.inf:
            self.quiet = slow(self.quiet, self.day_quiet, 0.25)
        self.day_up, self.run, self.day_quiet = 0.0, 0.0, math.inf

    def _judge(self, mean: float) -> int:
        lows = self.lows
        if math.isnan(lows.limit) or mean >= lows.back_from(self.level):
            self.fall = Fall()
            self._learn(mean)
            return 0
        self.fall.add(mean, lows.last)
        n = len(self.fall.means)
        lasted = n * lows.span_us
        level = self.level if self.level == 2 else self._verdict(mean, n, lasted)
        lively = self.fall.up > 0 and self.fall.up >= 0.75 * self.up and not self._far(mean, self.quantum)
        if lively or (level < 2 and lasted > 3 * DAY_US):
            lows.move(min(self.fall.means) - lows.bottom)
            self.fall = Fall()
            return 0
        return level

    def _verdict(self, mean: float, n: int, lasted: float) -> int:
        if lasted >= DAY_US and self.fall.up < 0.5 * self.up:
            return 2
        long_enough = lasted >= (5 if self._zone(mean) else 10) * HOUR_US and n > 4
        if long_enough and self.fall.moves / (n - 2) < 0.5 * self.quiet:
            return 2
        return 1 if n > 1 else 0


class NaiveStarvation:
    """One pump's starvation detector."""

    def __init__(self) -> None:
        self.lows, self.level, self.out = Lows(), 0, 0
        self.shares, self.share, self.dev = Held(), math.nan, math.nan
        self.usual_ma, self.usual_noise = math.nan, math.nan
        self.readings: list[float] = []
        self.level_ul = math.nan
        self.block_ul = self.short_ul = self.asked_ul = 0.0

    def row(
        self,
        t_us: float,
        inlet: float,
        flow: float,
        level_ml: float,
        expected: float,
        since_us: float,
        current: tuple[float, float],
    ) -> int:
        """`current`: mA now and its deviation; rows that are not to be judged are not given."""
        self.shares.add(flow * since_us / (HOUR_US * expected))
        if math.isfinite(level_ml):
            self.readings.append(1000.0 * level_ml)
        self.block_ul += expected
        if self.lows.add(t_us, inlet):
            self._close(t_us, current)
        return self.level

    def _close(self, t_us: float, current: tuple[float, float]) -> None:
        asked, share = self.block_ul, self.shares.mean()
        self.block_ul, self.shares = 0.0, Held()
        usable, mean = self.lows.close(t_us)
        kept = math.nan
        if self.readings:
            total = 0.0
            for reading in self.readings:
                total += reading
            mean_ul = total / len(self.readings)
            kept = asked - (self.level_ul - mean_ul)
            self.level_ul, self.readings = mean_ul, []
        if usable:
            self.level = self._judge(mean, share, kept, asked, current)
        if not math.isnan(mean):
            self.lows.last = mean

    def _judge(
        self, mean: float, share: float, kept: float, asked: float, current: tuple[float, float]
    ) -> int:
        if math.isnan(mean):
            low = self._flow(share) == 1 and share < 0.45 * self.share
        else:
            low = below(mean, self.lows.back_from(self.level))
        if not low:
            self.out = 0
            self._learn(mean, share, kept, current[0])
            return 0
        level = self._starves(mean, share, kept, asked, current)
        lasted = self.out * self.lows.span_us
        if (level == 0 and lasted >= DAY_US) or (level == 1 and lasted >= 3 * DAY_US and finite(mean)):
            level = 0
            self.lows.move(mean - self.lows.bottom)
            self.out = 0
        return level

    def _starves(
        self, mean: float, share: float, kept: float, asked: float, current: tuple[float, float]
    ) -> int:
        self.out += 1
        if self.out == 1:
            self.short_ul = self.asked_ul = 0.0
        noise = math.sqrt(self.usual_noise)
        if abs(kept) > 2 * asked + 8 * noise:
            self.short_ul = self.asked_ul = 0.0
        elif not math.isnan(kept):
            self.short_ul += kept
            self.asked_ul += asked
        flow, level = self._flow(share), self._level(noise)
        ma, dev = current
        motor = 1 if below(ma, min(0.85 * self.usual_ma, self.usual_ma - 5 * dev)) else 0
        if self.level == 2:
            return 2
        if self.out < 2:
            return 0
        if math.isnan(mean):
            gone = flow == level == 1 and self.short_ul > 0.55 * self.asked_ul
            return 2 if gone and share < 0.45 * self.share else 1
        if 1 in (flow, level, motor):
            return 2
        return 0 if -1 in (flow, level) else 1

    def _flow(self, share: float) -> int:
        if share < 0.8 * self.share and share < self.share - 5 * self.dev:
            return 1
        return -1 if share >= 0.9 * self.share else 0

    def _level(self, noise: float) -> int:
        short, asked = self.short_ul, self.asked_ul
        if short > 0.3 * asked and short > 5 * noise:
            return 1
        return -1 if asked > 20 * noise and short < 0.1 * asked + noise else 0

    def _learn(self, mean: float, share: float, kept: float, current: float) -> None:
        if not math.isnan(mean):
            self.lows.learn(mean)
        if not math.isnan(share):
            self.dev = slow(
                self.dev, abs(share) if math.isnan(self.share) else abs(share - self.share), 1 / 16
            )
            self.share = slow(self.share, share, 1 / 16)
        if not math.isnan(kept):
            square = kept * kept
            self.usual_noise = slow(
                self.usual_noise,
                min(square, 64 * self.usual_noise) if finite(self.usual_noise) else square,
                1 / 16,
            )
        if not math.isnan(current):
            self.usual_ma = slow(self.usual_ma, current, 1 / 16)
