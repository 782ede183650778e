"""The slow twins of kernels/wear.py and kernels/health.py: plain Python over lists of day means."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

NAN = math.nan


def unexplained(change: float, flow_change: float) -> float:
    """What of a change no elasticity from 0 to 1.25 explains: the distance to the interval of what is explained."""
    ends = sorted((0.0, 1.25 * flow_change))
    if change > ends[1]:
        return change - ends[1]
    return change - ends[0] if change < ends[0] else 0.0


@dataclass
class Track:
    """One channel's day means and what they add up to."""

    last: float = NAN
    away: float = 0.0
    var1: float = NAN
    var2: float = NAN
    rise: float = 0.0

    def needed(self, days: float) -> float:
        """Rise beyond random drift (0 while unknown): once in 1000 years, 1.5 sds of doubt on the variances."""
        if math.isnan(self.var1) or math.isnan(self.var2):
            return 0.0
        doubt = 1.5 * math.sqrt(2 / (min(days, 48) / 2))
        of_walk, of_white = 1 / (1 - 0.875**2), 1 + 0.125 / 1.875
        walk = ((1 + 2 * doubt) * self.var2 - of_white / 2 * self.var1) / (of_walk - of_white / 2)
        walk = max(walk, 0.3 * self.var1)
        if walk <= 0:
            return 0.0
        white = self.var1 * (1 + doubt) / 2
        return walk / 0.004 * math.log1p(8e-6 * 365_000 / walk) + 6 * math.sqrt(white)


@dataclass
class NaiveWear:
    """Drive wear of one pump, day by day: means of (current, vibration, vibration2), pressure, temperature, flow."""

    tracks: list[Track] = field(default_factory=lambda: [Track(), Track(), Track()])
    days: int = 0
    level: int = 0
    score: float = 0.0
    asked: float = NAN
    pressure: float = NAN
    pressure_dev: float = NAN
    start_pressure: float = NAN
    start_degrees: float = NAN

    def day(
        self,
        means: tuple[float, float, float],
        pressure: float,
        degrees: float,
        asked: float,
        *,
        occluded: bool,
    ) -> int:
        """Fold one day; the level."""
        self.days += 1
        change = math.log(asked / self.asked) if self.days > 1 else NAN
        self.asked = asked
        loaded, granted = self._load(pressure, degrees)
        for number, track in enumerate(self.tracks):
            self._follow(track, means[number], change, loaded=occluded and number == 0)
        together, alone = [], 0.0
        for number, track in enumerate(self.tracks):
            rise = track.rise
            if number == 0:
                rise = 0.0 if loaded else rise - granted
            together.append(rise / max(track.needed(self.days), 0.1))
            alone = max(alone, rise / max(track.needed(self.days), 0.25))
        self.score = max(sorted(together)[-2], alone, 0.0) if self.days > 8 else 0.0
        if self.score < 0.5:
            self.level = 0
        elif self.score >= 1:
            self.level = 2
        elif self.level == 0:
            self.level = 1
        return self.level

    def _load(self, pressure: float, degrees: float) -> tuple[bool, float]:
        if not math.isnan(pressure):
            step = abs(pressure - self.pressure)
            self.pressure = pressure
            if not math.isnan(step):
                if math.isnan(self.pressure_dev):
                    self.pressure_dev = step
                else:
                    self.pressure_dev += (min(step, 4 * self.pressure_dev) - self.pressure_dev) / 16
        if self.tracks[0].rise < 0.025:
            self.start_pressure = self._approach(self.start_pressure, pressure)
            self.start_degrees = self._approach(self.start_degrees, degrees)
        granted = 0.03 * abs(degrees - self.start_degrees)
        loaded = self.pressure - self.start_pressure > 5 * self.pressure_dev
        return loaded, 0.0 if math.isnan(granted) else granted

    @staticmethod
    def _approach(before: float, now: float) -> float:
        if math.isnan(now):
            return before
        return now if math.isnan(before) else before + (now - before) / 4

    def _follow(self, track: Track, mean: float, flow_change: float, *, loaded: bool) -> None:
        if not (mean > 0 and math.isfinite(mean)):
            return
        last, track.last = track.last, mean
        if math.isnan(last) or not abs(flow_change) <= 0.3:
            return
        change = unexplained(math.log(mean / last), flow_change)
        away = track.away + change
        track.away = 0.875 * away
        if change < 0:
            track.var1 = self._mean_square(track.var1, change**2)
        if away < 0:
            track.var2 = self._mean_square(track.var2, away**2)
        if loaded:
            change = min(change, 0.0)
        track.rise = max(track.rise + min(change, 0.08) - 0.002, 0.0)

    def _mean_square(self, before: float, now: float) -> float:
        if math.isnan(before):
            return now
        return before + (min(now, 9 * before) - before) * 2 / min(self.days, 48)


@dataclass
class NaiveHealth:
    """What has no name, day by day: means of the ten channels in the order of kernels.state.HLT_CHANNELS."""

    usual: list[float] = field(default_factory=lambda: [NAN] * 10)
    dev: list[float] = field(default_factory=lambda: [NAN] * 10)
    days: int = 0
    on_days: int = 0
    level: int = 0
    asked: float = NAN
    moved: list[set[int]] = field(default_factory=lambda: [set(), set()])

    def day(self, means: list[float], asked: float, rough: float, *, named: bool) -> int:
        """Fold one day; the level. rough: usual change of the pressure from row to row."""
        same = abs(asked - self.asked) <= 0.02 * self.asked
        if named:
            self.level = self.on_days = 0
            return 0
        self.asked = asked
        if same and self.days >= 10 and self._groups(means, rough) >= 2:
            self.on_days += 1
            self.level = 2 if self.on_days >= 2 else 1
            if self.on_days < 9:
                return self.level
        accepted = self.on_days >= 9
        self.level = self.on_days = 0
        for channel, mean in enumerate(means):
            if (not same and 1 <= channel <= 5) or (accepted and not math.isnan(mean)):
                self.usual[channel] = mean
            else:
                self._learn(channel, mean)
        self.days += 1
        return 0

    def away(self, channel: int, mean: float, rough: float) -> float:
        """Deviation from habit, sds; 0 = unknown."""
        dev = self.dev[channel]
        if math.isnan(dev) or math.isnan(mean):
            return 0.0
        dev = max(dev, 0.005 * abs(self.usual[channel]))
        if channel == 4 and rough / 4 > dev:
            dev = rough / 4
        return (
            abs(mean - self.usual[channel]) / (1.25 * dev)
            if dev > 0
            else math.inf * (mean != self.usual[channel])
        )

    def _groups(self, means: list[float], rough: float) -> int:
        away = [self.away(channel, mean, rough) for channel, mean in enumerate(means)]
        warmer = max(away[8:]) > 3
        out = {c for c, a in enumerate(away[:8]) if c != 5 and a > 6 and not (warmer and c in (1, 4))}
        old = self.moved[0] & self.moved[1] if self.on_days == 0 else set()
        self.moved = [out, self.moved[0]]
        kinds = [{0}, {1}, {2, 3}, {4}, {6, 7}]
        return sum(bool(kind & (out - old)) for kind in kinds)

    def _learn(self, channel: int, mean: float) -> None:
        usual, dev = self.usual[channel], self.dev[channel]
        if math.isnan(mean):
            return
        if math.isnan(usual):
            self.usual[channel] = mean
        elif math.isnan(dev):
            self.dev[channel] = 3 * abs(mean - usual)
            self.usual[channel] = (usual + mean) / 2
        else:
            share = 1 / min(self.days + 1, 16)
            most = 3 * max(dev, 0.005 * abs(usual))
            self.dev[channel] += share * (min(abs(mean - usual), most) - dev)
            self.usual[channel] += max(share, 0.25) * (mean - usual)
