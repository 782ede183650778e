"""The slow twin of kernels/air.py: the same rules in plain Python, without slots or compilation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

NAN = math.nan
CHANNELS = ("flow", "current", "vibration", "pressure")


@dataclass
class Course:
    """A channel: short mean, roughness, and the habits of both."""

    last: float = NAN
    rough: float = NAN
    rough_habit: float = NAN
    now: float = NAN
    mean: float = NAN
    cov: float = 0.0
    dev: float = NAN

    def reading(self, number: float) -> None:
        """Take one finite reading."""
        step = abs(number - self.last)
        self.last = number
        if step > 0.0:
            if math.isnan(self.rough):
                self.rough = step
            else:
                step = min(step, 4.0 * self.rough_habit)
                self.rough += 0.125 * (step - self.rough)
        self.now = number if math.isnan(self.now) else self.now + 0.125 * (number - self.now)

    def excess(self) -> float:
        """Raggedness beyond habit, sds."""
        if not self.rough_habit > 0.0:
            return NAN
        return (self.rough / self.rough_habit - 1.0) / 0.25


@dataclass
class NaiveAir:
    """Air in the line of one pump, row by row."""

    course: dict[str, Course] = field(default_factory=lambda: {name: Course() for name in CHANNELS})
    level: int = 0
    score: float = 0.0
    q_ref: float = NAN
    q_now: float = NAN
    q_mean: float = NAN
    q_var: float = 0.0
    rows: int = 0
    hold: int = 0
    judged: int = 0
    judged_us: float = NAN
    onset_us: float = NAN
    top: float = 0.0
    record: float = 0.0
    last_evidence: float = 0.0
    stopped: int = 0
    odd: int = 0
    envelope: tuple[float, float] = (NAN, NAN)

    def row(  # noqa: C901, PLR0912 - the rules of a row in one place
        self,
        t_us: float,
        flow: float,
        current: float,
        vibration: float,
        pressure: float,
        asked: float,
        rate: float,
        stall: float,
    ) -> int:
        """Fold one row; 0 normal, 1 pending, 2 active."""
        if not (asked > 0.0 and math.isfinite(asked)):
            if self.stopped < 3:
                self.stopped, self.odd = 3, 0
                self._restart()
            return self.level
        share = flow / asked
        at_once = flow / rate if rate else NAN
        if abs(at_once - self.course["flow"].mean) < abs(share - self.course["flow"].mean):
            share = at_once
        if self._stands(share, current, stall):
            self.stopped += 1
            self.odd = 0
            if self.stopped >= 3 or stall > 0:
                self._restart()
                return self.level
        else:
            self.stopped = 0
        if math.isnan(self.q_ref):
            self.q_ref = asked
        q = asked / self.q_ref
        usual = rate / self.q_ref if math.isnan(self.q_mean) else self.q_mean
        if q > 2.0 * usual or 2.0 * q < usual:
            self.odd += 1
            self.stopped = 0
            if self.odd <= 32:
                return self.level
        else:
            self.odd = 0
        self.q_now = q if math.isnan(self.q_now) else self.q_now + 0.125 * (q - self.q_now)
        for name, number in zip(CHANNELS, (share, current, vibration, pressure), strict=True):
            if math.isfinite(number):
                self.course[name].reading(number)
        self.rows += 1
        if self.rows >= 4:
            self._judge(t_us)
        return self.level

    def _stands(self, share: float, current: float, stall: float) -> bool:
        if stall > 0:
            return True
        usual = self.course["current"].mean
        none = share < 0.1 * self.course["flow"].mean
        return none and not 0.25 * usual < current < 1.3 * usual

    def _restart(self) -> None:
        for course in self.course.values():
            course.now = course.last = NAN
            course.rough = course.rough_habit
        self.q_now = NAN
        self.rows = 0
        self.last_evidence = 0.0
        if self.level < 2:
            self.level = self.hold = 0
            self.onset_us = NAN

    def _line(self, name: str) -> float:
        course = self.course[name]
        if self.q_var > (0.02 * self.q_mean) ** 2:
            return course.mean + course.cov / self.q_var * (self.q_now - self.q_mean)
        return course.mean

    def _short(self, name: str, usual: float) -> float:
        course = self.course[name]
        least = 0.01 * abs(usual)
        dev = course.dev if course.dev > least or math.isnan(course.dev) else least
        return (usual - course.now) / (1.25 * dev)

    def _evidences(self) -> list[float]:
        flow = current = vibration = pressure = 0.0
        short, ragged = self._short("flow", self.course["flow"].mean), self.course["flow"].excess()
        if short > 0 and ragged > 0:
            flow = math.sqrt(short * ragged)
        gap = self.q_now - self.q_mean
        if gap * gap <= 9 * self.q_var or abs(gap) <= 0.02 * self.q_mean:
            short = self._short("current", self._line("current"))
            if short > 1:
                ragged = self.course["current"].excess()
                current = short + (min(ragged, short) if ragged > 0 else 0.0)
            for sign in (
                -self._short("vibration", self._line("vibration")),
                self.course["vibration"].excess(),
            ):
                vibration = max(vibration, sign)
        course = self.course["pressure"]
        if course.rough > 0 and course.rough_habit > 0:
            pressure = max(course.rough_habit / course.rough - 1, 0) / 0.25
            base, top = self.envelope
            inside = abs(course.last - base) <= top - base
            if current > max(flow, vibration) and pressure > max(flow, vibration) and not inside:
                pressure = 0.0
        return [flow, current, vibration, pressure]

    def _judge(self, t_us: float) -> None:
        self.rows = 0
        if math.isnan(self.q_mean):
            self.q_mean = self.q_now
        evidence = sorted(self._evidences())[-2]
        known = self.judged >= 64
        self.score = evidence / max(5.0, 2.0 * self.top) if known else 0.0
        if self.level == 2:
            self.hold = self.hold + 1 if self.score < 0.5 else 0
            if self.hold >= 4:
                self.level = self.hold = 0
                self.onset_us = NAN
        elif self.score > 1:
            self.onset_us = self.judged_us if self.hold == 0 else self.onset_us
            self.hold += 1
            self.level = min(max(self.hold - 1, 0), 2)
            if self.level == 2:
                self.hold = 0
        elif self.score <= 0.5:
            self.level = self.hold = 0
            self.onset_us = NAN
        if self.level == 0 and (self.score <= 0.5 or not known):
            self._learn(t_us - self.judged_us)
        self._keep_record(t_us, evidence)
        self.last_evidence, self.judged_us = evidence, t_us

    def _keep_record(self, t_us: float, evidence: float) -> None:
        if self.level == 2:
            self.record = 0.0
        else:
            gone = t_us - self.judged_us
            if gone > 0:
                self.top *= max(1 - gone / (14 * 86_400e6), 0.0)
            if self.judged >= 16:
                self.record = max(self.record, min(evidence, self.last_evidence))
            if evidence < self.record / 2:
                self.top, self.record = max(self.top, self.record), 0.0

    def _learn(self, gone_us: float) -> None:
        share = max(1 / (self.judged + 1), min(1 / 128, gone_us / (2 * 86_400e6)))
        gap = self.q_now - self.q_mean
        for name in ("current", "vibration"):
            self._learn_mean(name, share, gap)
        self.q_mean += share * gap
        self.q_var = (1 - share) * (self.q_var + share * gap * gap)
        self._learn_mean("flow", share, None)
        for course in self.course.values():
            if math.isnan(course.rough_habit):
                course.rough_habit = course.rough
            elif not math.isnan(course.rough):
                course.rough_habit += share * (course.rough - course.rough_habit)
        self.judged += 1

    def _learn_mean(self, name: str, share: float, gap: float | None) -> None:
        course = self.course[name]
        if math.isnan(course.now):
            return
        if math.isnan(course.mean):
            course.mean, course.cov, course.dev = course.now, 0.0, 0.04 * abs(course.now)
            if gap is not None:
                return
        usual = course.mean if gap is None else self._line(name)
        off = course.now - usual
        if self.judged >= 16:
            most = 4 * max(course.dev, 0.01 * abs(usual))
            off = min(max(off, -most), most)
        moved = usual + off - course.mean
        course.mean += share * moved
        if gap is not None:
            course.cov = (1 - share) * (course.cov + share * gap * moved)
        course.dev += share * (abs(off) - course.dev)
