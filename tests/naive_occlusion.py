"""The occlusion detector written slowly, with lists and words instead of slots; see kernels/occlusion.py."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import dataclass, field

HOUR_US = 3.6e9
K = {6: 12.2, 7: 9.91, 8: 8.69, 9: 7.91, 10: 7.37, 11: 6.96, 12: 6.68}


@dataclass
class Part:
    """A period of healthy rows."""

    lows: list[float] = field(default_factory=list)
    roughs: list[float] = field(default_factory=list)
    flows: list[float] = field(default_factory=list)
    inlets: list[float] = field(default_factory=list)


@dataclass
class Excursion:
    """The way of the pressure since it left the envelope."""

    profile: list[float]
    began_us: float
    stride: int = 1
    open_rows: list[float] = field(default_factory=list)
    rows: int = 0
    below: int = 0

    def add(self, low: float) -> None:
        self.rows += 1
        self.open_rows.append(low)
        if len(self.open_rows) < self.stride:
            return
        self.profile.append(sum(self.open_rows) / len(self.open_rows))
        self.open_rows = []
        if len(self.profile) == 11:
            before, rest = self.profile[0], self.profile[1:]
            self.profile = [before] + [0.5 * (a + b) for a, b in zip(rest[::2], rest[1::2], strict=True)]
            self.stride *= 2

    def jumps(self, low: float) -> tuple[float, float]:
        path = [*self.profile, low]
        rises = [b - a for a, b in itertools.pairwise(path)]
        spans = [(rises[i], i, 1) for i in range(len(rises))]
        if self.stride > 1:
            spans += [(rises[i + 1] + rises[i], i, 2) for i in range(len(rises) - 1)]
        first, at, width = max(spans, key=lambda span: span[0])
        if first <= 0.0:
            first, at, width = 0.0, -2, 1
        second = max([0.0] + [r for i, r in enumerate(rises) if not at <= i < at + width])
        falls = 0.0
        for rise in rises:
            falls -= min(rise, 0.0)
        return first, first + second + falls


class NaiveOcclusion:
    """One pump's detector."""

    def __init__(self) -> None:
        self.level, self.hold, self.peak = 0, 0.0, 0.0
        self.last: tuple[float, float] | None = None
        self.last_low: float | None = None
        self.period_us = math.nan
        self.quantum = math.inf
        self.same, self.habit = 0, 0
        self.part, self.part_rows = Part(), 16
        self.maxima: list[float] = []
        self.means: list[float] = []
        self.ready = False
        self.base = self.top = self.threshold = math.nan
        self.step, self.rough, self.rough_ref = 0.0, 0.0, 0.0
        self.flow_top, self.flow_next, self.flow_last, self.allow = 0.0, 0.0, 0.0, 0.0
        self.inlet_top = math.nan
        self.sensed: list[float] | None = None  # mean, deviation, now
        self.programmed_before = False
        self.out: Excursion | None = None

    @property
    def span_us(self) -> float:
        return len(self.maxima) * self.part_rows * self.period_us

    @property
    def young(self) -> bool:
        return self.span_us < 36 * HOUR_US

    @property
    def day_known(self) -> bool:
        return self.part_rows * self.period_us >= 24 * HOUR_US

    def row(self, t_us: float, pressure: float, inlet: float, programmed: float, sensed: float) -> int:
        if not math.isfinite(pressure):
            return self.level
        last, self.last = self.last, (t_us, pressure)
        if last is None:
            return self.level
        gap = t_us - last[0]
        if self.period_us > 0:
            self.period_us += (min(gap, 4 * self.period_us) - self.period_us) / 64
        else:
            self.period_us = gap
        step = pressure - last[1]
        if self._stuck(step) and (self.day_known or self.level > 0):
            return self.level
        bend, self.step = step - self.step, step
        square, most = bend * bend, max(4 * self.rough, self.rough_ref / 16)
        self.rough += ((min(square, most) if most > 0 else square) - self.rough) / 8
        lost = self._sensed_lost(programmed, sensed)
        flow = self._flow(programmed, sensed)
        common = inlet - self.inlet_top if math.isfinite(inlet) and inlet > self.inlet_top else 0.0
        low = min(pressure, last[1]) - common
        before = low if self.last_low is None else self.last_low
        self.last_low = low
        if self.level == 2:
            assert self.out is not None
            self.out.add(low)
            return self._wait_for_recovery(max(pressure, last[1]))
        if flow == 0:
            return self.level
        self._allow_for(max(flow, sensed) if math.isfinite(sensed) else flow, low)
        due = self._worth(low, before, flow, lost=lost)
        if due:
            self.hold += due
            self.level = 2 if self.hold >= 2 else 1
            if self.level == 2:
                self.hold, self.peak, self.part = 0, low - self.base, Part()
        else:
            self.hold, self.level = 0, 0
            if self._learn(low, inlet):
                self._blame_youth(low)
        return self.level

    def _stuck(self, step: float) -> bool:
        bound = 2 * self.habit + 8
        if step == 0:
            self.same += 1
            return self.same > bound
        self.quantum = min(self.quantum, abs(step))
        if self.same > self.habit and self.level == 0:
            self.habit = min(self.same, bound)
        self.same = 0
        return False

    def _sensed_lost(self, programmed: float, sensed: float) -> bool:
        if programmed > 0:
            self.sensed = self.sensed if self.programmed_before else None
        elif self.programmed_before:
            return False
        share = sensed / programmed if programmed > 0 else sensed
        if not math.isfinite(share):
            return False
        if self.sensed is None:
            self.sensed = [share, abs(share), share]
            return False
        mean, dev, now = self.sensed
        now += 0.25 * (share - now)
        if self.level == 0 and self.out is None:
            most = 4 * max(dev, max(abs(mean), abs(share)) / 64)
            off = min(max(share - mean, -most), most)
            mean, dev = mean + off / 64, dev + (abs(off) - dev) / 64
        self.sensed = [mean, dev, now]
        return self.ready and now < mean - 6 * max(dev, abs(mean) / 64)

    def _flow(self, programmed: float, sensed: float) -> float:
        if programmed > 0:
            if not self.programmed_before and self.flow_top == 0:
                self._forget()
            self.programmed_before = True
            return programmed
        if sensed > 0:
            return sensed
        never_ran = sensed == 0 and self.flow_top == 0
        return 0.0 if programmed == 0 and (self.programmed_before or never_ran) else math.nan

    def _forget(self) -> None:
        """The program is the first that is known of any flow."""
        self.level, self.hold, self.rough_ref, self.out = 0, 0, 0.0, None
        self.part, self.part_rows, self.maxima, self.means = Part(), 16, [], []
        self.ready, self.base, self.top, self.threshold = False, math.nan, math.nan, math.nan

    def _wait_for_recovery(self, high: float) -> int:
        over = high - self.base
        self.peak = max(self.peak, over)
        back = over < 0.5 * (self.threshold - self.base) or over < 0.25 * self.peak
        self.hold = self.hold + 1 if back else 0
        if self.hold > 2:
            self.level, self.hold, self.out = 0, 0, None
        return self.level

    def _lift(self, flow: float) -> float:
        if flow <= self.flow_top:
            return 0.0
        ratio = flow / self.flow_top
        return max(abs(self.base), abs(self.top)) * (ratio * ratio - 1)

    def _allow_for(self, flow: float, low: float) -> None:
        lasting = min(flow, self.flow_last) if flow > 0 else 0.0
        known = [self.flow_top, self.flow_next, *self.part.flows]
        if self.ready and lasting > 1.01 * max(known):
            self.part = Part()
        if flow > 0:
            self.part.flows.append(lasting)
            self.flow_last = flow
            if self.flow_top == 0:
                self.flow_top = flow
        if not self.ready:
            return
        self.allow, before = self._lift(lasting), self.allow
        if self.allow == 0.0:
            self.allow = 0.9375 * min(before, max(low - self.top, 0.0))
            if self.allow < 1e-6 * (self.threshold - self.base):
                self.allow = 0.0

    def _excursion(self, low: float, before: float) -> bool:
        if not self.ready:
            return False
        top = self.top + self.allow
        if low > top:
            if self.out is None:
                self.out = Excursion([min(before, top)], self.last[0])
            self.out.below = 0
            self.out.add(low)
            return True
        if self.out is not None:
            self.out.below += 1
            if self.out.below > 3 + 0.25 * self.out.rows:
                self.out = None
            else:
                self.out.add(low)
        return False

    def _worth(self, low: float, before: float, flow: float, *, lost: bool) -> float:
        if not self.ready:
            return self._first_due(low, before, flow)
        return self._due(low, lost=lost) if self._excursion(low, before) else 0

    def _due(self, low: float, *, lost: bool) -> float:
        assert self.out is not None
        assert self.last is not None
        top, threshold = self.top + self.allow, self.threshold + self.allow
        tower = self._tower(low, self.base, self.top, self.allow) if self.young else 0.0
        if low <= threshold:
            return tower
        jumps, rise = self.out.jumps(low)[1], low - self.out.profile[0]
        even = rise - jumps > (0.4 if self.young else 0.2) * rise
        settled = not self.young or self.last[0] - self.out.began_us >= 300e6
        if settled and (low - jumps - top) / (threshold - top) > 0.5 and even:
            return 2
        smooth = (
            self.rough < self.rough_ref / 16 and self.rough_ref > 4 * self.quantum**2 and self.out.rows >= 16
        )
        if self.young and not smooth and not lost:
            return tower
        flat = (16 if self.young else 4) * (0.25 if smooth or lost else 1)
        return 1 if low - self.base > flat * (threshold - self.base) else tower

    def _tower(self, low: float, base: float, top: float, allow: float) -> float:
        """Of the two rows' worth that it needs, what this row is worth far above all that was seen."""
        over, width = low - top - allow, top - base
        rigid = over > 2 * (abs(top) + allow) and over > 60 * width
        if rigid or over > 5 * max(abs(top) + allow, width + allow):
            return 2 / max(16, self.part_rows / 2)
        return 0.0

    def _first_due(self, low: float, before: float, flow: float) -> float:
        """The same before the envelope is ready, from two periods on."""
        due = 0.0
        if len(self.maxima) >= 2 and self.flow_top > 0:
            base, top = min(self.means), max(self.maxima)
            ratio = 1.0 if math.isnan(flow) else max(flow / self.flow_top, 1.0)
            due = self._tower(low, base, top, max(abs(base), abs(top)) * (ratio**2 - 1))
        if not due:
            self.out = None
            return due
        self.base, self.top, self.threshold = base, top, top + 0.5 * (top - base)
        if self.out is None:
            self.out = Excursion([min(before, self.top)])
        self.out.add(low)
        return due

    def _learn(self, low: float, inlet: float) -> bool:
        self.part.lows.append(low)
        self.part.roughs.append(self.rough)
        if math.isfinite(inlet):
            self.part.inlets.append(inlet)
        if len(self.part.lows) < self.part_rows:
            return False
        self._close_part(low)
        return self.ready and self.young and self._straight()

    def _straight(self) -> bool:
        rises = [b - a for a, b in itertools.pairwise(self.means)]
        largest = sorted(max(rise, 0.0) for rise in rises)[-2:]
        falls = 0.0
        for rise in rises:
            falls -= min(rise, 0.0)
        spread = 0.0
        for largest_kpa, mean in zip(self.maxima, self.means, strict=True):
            spread += largest_kpa - mean
        start, whole = self.means[0], self.means[-1] - self.means[0]
        rest = whole - largest[1] - largest[0] - falls
        return rest > max(12 * spread / len(self.means), 0.6 * whole, 1.8 * abs(start))

    def _blame_youth(self, low: float) -> None:
        assert self.last is not None
        start = self.means[0]
        self.maxima = [m - (mean - start) for m, mean in zip(self.maxima, self.means, strict=True)]
        self.means = [start] * len(self.means)
        self._envelope()
        self.level, self.peak, self.out = (
            2,
            low - start,
            Excursion([start, low], self.last[0], stride=len(self.means) * self.part_rows, rows=1),
        )

    def _swapped(self, part: Part, mean: float, low: float) -> float:
        if not self.ready or not self.day_known:
            return 0.0
        if max(part.lows) < min(self.means) - (self.top - self.base):
            return mean - self.base
        outside = self.out is not None and self.out.rows >= len(part.lows)
        if outside and min(part.lows) > self.top:
            assert self.out is not None
            if self.out.jumps(low)[0] > 0.5 * (mean - self.out.profile[0]):
                return mean - self.base
        return 0.0

    def _close_part(self, low: float) -> None:
        part, self.part = self.part, Part()
        mean, largest = sum(part.lows) / len(part.lows), max(part.lows)
        shift = self._swapped(part, mean, low)
        if shift:
            self.maxima = [m + shift for m in self.maxima]
            self.means = [m + shift for m in self.means]
            self.out = None
        elif self.ready and self.span_us >= 24 * HOUR_US:
            share = min(self.part_rows * self.period_us / (24 * HOUR_US), 1.0)
            follow = 0.5 * share * (self.top - self.base) + self._lift(max(part.flows, default=0.0))
            mean, largest = min(mean, max(self.means) + follow), min(largest, self.top + follow)
        self.maxima = [*self.maxima, largest][-12:]
        self.means = [*self.means, mean][-12:]
        merged = len(self.maxima) == 12 and not self.day_known
        if len(self.maxima) == 12:
            self.ready = True
            if merged:
                self.maxima = [max(a, b) for a, b in zip(self.maxima[::2], self.maxima[1::2], strict=True)]
                self.means = [0.5 * (a + b) for a, b in zip(self.means[::2], self.means[1::2], strict=True)]
                self.part_rows *= 2
        rough = sum(part.roughs) / len(part.roughs)
        if self.rough_ref == 0:
            self.rough_ref = rough
        else:
            self.rough_ref += 0.25 * (min(rough, 4 * self.rough_ref) - self.rough_ref)
        flow = max(part.flows, default=0.0)
        if flow <= self.flow_top:
            self.flow_top = max(flow, 0.9 * self.flow_top)
        elif self.flow_next > self.flow_top and not merged:
            self.flow_top = min(flow, self.flow_next)
        self.flow_next = flow
        if part.inlets:
            inlet, known = max(part.inlets), self.inlet_top
            self.inlet_top = inlet if math.isnan(known) else known + 0.125 * (inlet - known)
        if len(self.maxima) >= 6:
            self._envelope()

    def _envelope(self) -> None:
        n = len(self.maxima)
        largest = self.maxima.index(max(self.maxima))
        self.top = max(m for i, m in enumerate(self.maxima) if i != largest)
        tamed = [self.top if i == largest else m for i, m in enumerate(self.maxima)]
        mean = sum(tamed) / n
        sd = math.sqrt(sum((m - mean) * (m - mean) for m in tamed) / (n - 1))
        self.base = statistics.median_low(self.means)
        self.threshold = mean + K[n] * sd
        if self.span_us >= 24 * HOUR_US:
            most = 1.0 + 0.5 * (24 * HOUR_US) / self.span_us
            self.threshold = min(self.threshold, self.top + most * (self.top - self.base))
        floors = [0.5 * (self.top - self.base), 1e-6 * abs(self.base)]
        floors += [2.5 * self.quantum] if math.isfinite(self.quantum) else []
        self.threshold = max([self.threshold] + [self.top + floor for floor in floors])
