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

    rows: float = 3.0
    held: Held = field(default_factory=Held)
    open_us: float = math.nan
    span_us: float = math.nan
    last: float = math.nan
    day: list[float] = field(default_factory=list)
    day_low: float = math.inf
    minima: list[float] = field(default_factory=list)
    base: float = math.nan
    bottom: float = math.nan
    limit: float = math.nan

    def add(self, t_us: float, reading: float) -> bool:
        if self.held.rows == 0 and math.isnan(self.open_us):
            self.open_us = t_us
        self.held.add(reading)
        waited = self.held.rows >= 3 and t_us - self.open_us >= 2 * HOUR_US
        return self.held.rows >= self.rows or waited

    def close(self, t_us: float) -> tuple[bool, float]:
        n, mean, took = self.held.rows, self.held.mean(), t_us - self.open_us
        self.held, self.open_us = Held(), t_us
        usual = self.span_us if self.span_us > 0 else took * self.rows / (self.rows - 1.0)
        if n < self.rows:
            self.rows = max(3.0, float(n // 4))
            self.span_us = took * self.rows / n
            return False, mean
        usable = took <= 2 * usual
        usual += 0.25 * (min(took, 2 * usual) - usual)
        if usual < 0.38 * HOUR_US:
            self.rows, usual, usable = self.rows * 2, usual * 2, False
        elif usual > HOUR_US and self.rows > 3:
            self.rows, usual = self.rows / 2, usual / 2
        self.span_us = usual
        return usable, mean

    def learn(self, mean: float) -> bool:
        self.base = (
            slow(self.base, mean, 1 / 24) if math.isnan(self.base) else self.base + (mean - self.base) / 24
        )
        self.day.append(mean)
        self.day_low = min(self.day_low, mean)
        if len(self.day) * self.span_us < DAY_US:
            return False
        self.minima = [*self.minima, self.day_low][-6:]
        self.day, self.day_low = [], math.inf
        self.judge()
        return True

    def judge(self) -> None:
        n = len(self.minima)
        if n < 1:
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
        if self.bottom > 0:
            margin = min(margin, 0.5 * self.bottom)
        self.limit = self.bottom - max(margin, 1e-6 * abs(self.base))

    def move(self, by: float) -> None:
        self.minima = [smallest + by for smallest in self.minima]
        self.day_low += by
        self.base += by
        self.judge()

    def back_from(self, level: int) -> float:
        return 0.5 * (self.bottom + self.limit) if level == 2 else self.limit


@dataclass
class Fall:
    """An excursion below the limit."""

    means: list[float] = field(default_factory=list)
    up: float = 0.0
    score: float = 0.0

    def add(self, mean: float, last: float, usual: float) -> None:
        if self.means:
            self.up = max(self.up, mean - min(self.means))
        self.means.append(mean)
        if len(self.means) > 2 and usual > 0:
            ratio = (0.75 * (mean - last) / usual) ** 2
            self.score = max(self.score + (-0.5 * math.log(0.3) - 0.5 * (1 / 0.3 - 1) * ratio), -3.0)


@dataclass
class Movement:
    """How much a pressure moves from row to row and from block to block, with lists of rows; see kernels/movement.py."""

    last: float = math.nan
    now: float = math.nan
    least: float = math.nan
    moves: list[float] = field(default_factory=lambda: [math.nan] * 5)

    def row(self, lows: Lows, fallen: int, kpa: float, flow: float, flows: float) -> None:
        """`fallen`: blocks of the fall so far; `flows`: sum over the open block."""
        step, self.last, n = abs(kpa - self.last), kpa, lows.held.rows
        if n and abs(flow - flows / n) > 0.02 * (flows / n):
            return
        if not step < math.inf:
            return
        blocks = min(max(fallen - 1 + (n + 1) / lows.rows, 0.0), 8.0) if fallen else 2.0
        self.now = (
            slow(self.now, step, 1.0) if math.isnan(self.now) else self._nearer(step, blocks * lows.rows)
        )

    def _nearer(self, step: float, rows: float) -> float:
        return self.now + (step - self.now) / max(rows, 1.0)

    def fifth(self, lows: Lows) -> int:
        return int(lows.open_us % DAY_US / DAY_US * 5)

    def usual(self, lows: Lows) -> float:
        at = self.fifth(lows)
        near = [self.moves[k % 5] for k in (at - 1, at, at + 1)]
        return min((change for change in near if not math.isnan(change)), default=0.0)

    def learn(self, lows: Lows, mean: float) -> None:
        if not math.isnan(lows.last):
            at, change = self.fifth(lows), abs(mean - lows.last)
            usual = self.moves[at]
            self.moves[at] = change if math.isnan(usual) else usual + (min(change, 2 * usual) - usual) / 16
        if not self.now > 0 or (not lows.minima and len(lows.day) < 4):
            return
        if self.now > self.least:
            self.least *= 1 + min(lows.span_us / DAY_US, 1.0) / 64
        else:
            self.least = self.now

    def stiller(self, fallen: int, share: float) -> bool:
        return fallen > 4 and 0 < self.now < share * self.least


class NaiveLeak:
    """One pump's leak detector."""

    def __init__(self) -> None:
        self.lows, self.fall, self.level = Lows(), Fall(), 0
        self.up = self.lowest_flow = math.nan
        self.day_up, self.out_min, self.quantum = 0.0, math.inf, math.inf
        self.movement = Movement()
        self.flow, self.far_rows, self.young = 0.0, 0, (math.nan, math.nan)
        self.onset_us = math.nan

    def row(
        self,
        t_us: float,
        pressure: float,
        flow: float,
        quantum: float,
        most: float,
        young: tuple[float, float],
    ) -> int:
        """`flow` NaN = unknown; what is above `most` is a spike; `young`: base and width of the envelope; judged rows only."""
        lows, self.quantum, self.young = self.lows, quantum, young
        kpa = min(pressure, most)
        self.movement.row(lows, len(self.fall.means), kpa, flow, self.flow)
        self.flow += flow
        if lows.add(t_us, kpa):
            mean_flow, self.flow = self.flow / lows.held.rows, 0.0
            open_us = lows.open_us
            usable, mean = lows.close(t_us)
            if usable:
                if not self._lower(mean_flow):
                    self.level = self._judge(mean, open_us)
                elif self.level < 2:
                    self._end()
                    if below(mean, lows.limit):
                        lows.move(mean - lows.bottom)
                    self._learn(mean)
                    self.level = 0
            lows.last = mean
        if self.level < 2 and self._far(pressure) and not flow < 0.95 * self.lowest_flow:
            self.far_rows += 1
            lasted_us = self.far_rows / lows.rows * lows.span_us
            if self.far_rows >= 8 and lasted_us >= HOUR_US / 4:
                self.level = 2
                self.onset_us = self.onset_us if self.fall.means else t_us - lasted_us
        else:
            self.far_rows = 0
        return self.level

    def _end(self) -> None:
        if self.fall.means:
            self.movement.now = 8 * self.movement.least
        self.fall, self.onset_us = Fall(), math.nan

    def _lower(self, flow: float) -> bool:
        if not math.isfinite(flow):
            return False
        lowest = self.lowest_flow
        if math.isnan(lowest):
            self.lowest_flow = flow
            return False
        if flow >= 0.95 * lowest:
            self.lowest_flow = min(flow, lowest + (flow - lowest) / 512)
            return False
        self.lowest_flow = flow
        return True

    def _zone(self, kpa: float) -> bool:
        return abs(kpa) <= 0.5 * self.lows.bottom

    def _far(self, kpa: float) -> bool:
        base, width = self.lows.base, self.lows.base - self.lows.bottom
        if math.isnan(width):
            base, width = self.young
        zone = abs(kpa) <= 0.5 * (base - width)
        if self.quantum < math.inf:
            width = max(width, self.quantum)
        return zone and base - kpa >= 8 * width

    def _learn(self, mean: float) -> None:
        lows = self.lows
        self.movement.learn(lows, mean)
        if lows.day:
            self.day_up = max(self.day_up, mean - lows.day_low)
        if lows.learn(mean):
            self.up = slow(self.up, self.day_up, 0.25) if self.day_up > self.up else self.day_up
            self.day_up = 0.0

    def _moved(self) -> None:
        self.lows.move(self.out_min - self.lows.bottom)
        self.out_min = math.inf

    def _judge(self, mean: float, open_us: float) -> int:
        lows, fall = self.lows, self.fall
        if math.isnan(lows.limit) and (self.far_rows or (self.level == 2 and self._far(mean))):
            return self.level
        if math.isnan(lows.limit) or mean >= lows.back_from(self.level):
            if fall.means and self.level < 2:
                lows.day_low = min(lows.day_low, *fall.means)
            if fall.means and (self.level == 2 or len(fall.means) < 3):
                self.out_min = math.inf
            self._end()
            if mean - self.out_min >= 0.75 * self.up:
                self._moved()
            self._learn(mean)
            return 0
        self.onset_us = self.onset_us if fall.means else open_us
        fall.add(mean, lows.last, self.movement.usual(lows))
        self.out_min = min(fall.means)
        lasted = len(fall.means) * lows.span_us
        level = self.level if self.level == 2 else self._verdict(mean, lasted)
        lively = fall.up > 0 and fall.up >= 0.75 * self.up and not self._far(mean)
        if lively or (level < 2 and lasted > 3 * DAY_US):
            self._moved()
            self._end()
            return 0
        return level

    def _verdict(self, mean: float, lasted: float) -> int:
        if lasted >= DAY_US and self.fall.up < 0.5 * self.up:
            return 2
        if self.movement.stiller(len(self.fall.means), 0.8 if self.fall.score < 2.3 else 1.0):
            return 2
        if self.fall.score >= (2.3 if self._zone(mean) else 4.6):
            return 2
        return 1 if len(self.fall.means) > 1 else 0


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
        stands: float,
    ) -> int:
        """`stands`: the motor is said to. `current`: mA now and its deviation; rows that are not to be judged are not given."""
        self.shares.add(flow * since_us / (HOUR_US * expected))
        if math.isfinite(level_ml):
            self.readings.append(1000.0 * level_ml)
        self.block_ul, self.stands = self.block_ul + expected, stands > 0
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
        if self.stands and not mean < self.lows.base - 3 * (self.lows.base - self.lows.limit):
            return self.level
        if not low:
            self.out = 0
            self._learn(mean, share, kept, current[0])
            return 0
        level = self._starves(mean, share, kept, asked, current)
        lasted = self.out * self.lows.span_us
        if (level == 0 and lasted >= DAY_US) or (level == 1 and lasted >= 7 * DAY_US and finite(mean)):
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
            long = self.out * self.lows.span_us > 2 * DAY_US
            return 2 if gone and long and share < 0.45 * self.share else 1
        if flow == -1 or (level == -1 and flow == 0):
            return 0
        return 2 if 1 in (flow, level, motor) else 1

    def _flow(self, share: float) -> int:
        if share < 0.8 * self.share and share < self.share - 5 * self.dev:
            return 1
        steady = 5 * self.dev <= (1 - 0.8) * self.share
        return -1 if share >= (0.8 if steady else 0.9) * self.share else 0

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
            weight = 1 / 16 if share >= 0.8 * self.share else 1 / 512
            self.share = slow(self.share, share, weight)
        if not math.isnan(kept):
            square = kept * kept
            self.usual_noise = slow(
                self.usual_noise,
                min(square, 64 * self.usual_noise) if finite(self.usual_noise) else square,
                1 / 16,
            )
        if not math.isnan(current):
            self.usual_ma = slow(self.usual_ma, current, 1 / 16)
