"""The stall detector written slowly, with a small object for each channel; see kernels/drive.py."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Track:
    """What one channel has seen since it last moved, and its habit."""

    asked_ul: float = 0.0
    readings: int = 0
    stood_us: float = 0.0
    habit_ul: float = 0.0
    habit_us: float = 0.0
    moved: int = 0

    def movement(self) -> None:
        if self.moved > 0 and self.asked_ul > 0:
            volume, time = self.asked_ul, self.stood_us
            if self.moved >= 4:
                volume, time = min(volume, 2 * self.habit_ul), min(time, 2 * self.habit_us)
            self.habit_ul = max(volume, self.habit_ul - (self.habit_ul - volume) / 32)
            self.habit_us = max(time, self.habit_us - (self.habit_us - time) / 32)
        self.moved += 1
        self.restart()

    def restart(self) -> None:
        self.asked_ul, self.readings, self.stood_us = 0.0, 0, 0.0

    def stands(self, quantum_ul: float, registered_ul: float) -> int:
        self.readings += 1
        if self.moved < 4:
            if math.isnan(registered_ul):
                return 0
            blind_ul = 8 * max(registered_ul, self.habit_ul)
            return 2 if self.asked_ul > blind_ul and self.readings > 8 else 0
        habit_ul = max(self.habit_ul, quantum_ul)
        late = self.stood_us > 1.5 * self.habit_us or self.asked_ul > 12 * habit_ul
        if late and self.asked_ul > 3 * habit_ul and self.readings >= 3:
            return 2
        return 1 if late and self.asked_ul > 2 * habit_ul and self.readings >= 2 else 0


class NaiveDrive:
    """One pump's detector. Verdicts: None not reported, -1 moved, 0 within habit, 1 suspect, 2 stall."""

    def __init__(self, registered_ul: float = math.nan) -> None:
        self.registered_ul = registered_ul
        self.level, self.moves, self.stated = 0, 0, 0
        self.last_us = math.nan
        self.counter, self.flow, self.current = Track(), Track(), Track()
        self.anchor_ul, self.smallest_ul = math.nan, math.inf
        self.share: list[float] | None = None  # now, mean
        self.motor: list[float] | None = None  # now, mean, deviation
        self.off_ma = math.nan

    def row(  # noqa: C901 - one column after the other
        self,
        t_us: float,
        delivered: float,
        flow: float,
        current: float,
        stalled: float,
        expected: float,
        programmed: float,
    ) -> int:
        elapsed = 0.0 if math.isnan(self.last_us) else max(t_us - self.last_us, 0.0)
        self.last_us = t_us
        if expected > 0:
            for track in (self.counter, self.flow, self.current):
                gap_us = elapsed - track.habit_us
                surely = 1 - min(gap_us, 60e6) / elapsed if track.habit_us and gap_us > 0 else 1.0
                track.asked_ul += surely * expected
                track.stood_us += surely * elapsed
        stated = None
        if stalled > 0:
            self.stated += 1
            stated = 2 if self.stated >= 2 else 1
        elif stalled == 0:
            self.stated, stated = 0, 0
        by_counter = self._by_counter(delivered) if math.isfinite(delivered) else None
        by_flow = by_current = None
        if math.isfinite(flow) and expected > 0 and programmed > 0:
            by_flow = self._by_flow(flow / programmed)
        if math.isfinite(current):
            if expected > 0:
                by_current = self._by_current(current)
            elif programmed == 0:
                self.off_ma += (current - self.off_ma) / 32 if not math.isnan(self.off_ma) else 0.0
                self.off_ma = current if math.isnan(self.off_ma) else self.off_ma
        verdict = self._joined(by_counter, by_flow, by_current)
        if stated:
            verdict = max(verdict if verdict is not None else -2, stated)
        elif stated == 0 and verdict is None and self.counter.moved + self.flow.moved == 0:
            verdict = -1
        if verdict is None or (verdict == 0 and not expected > 0):
            return self.level
        return self._settle(verdict)

    def _joined(self, counter: int | None, flow: int | None, current: int | None) -> int | None:
        if counter is not None:
            return 1 if counter == 2 and flow == -1 else counter
        if self.counter.moved:
            return None
        if flow is not None:
            return flow
        if self.flow.moved or current is None:
            return None
        return min(current, 1)

    def _settle(self, verdict: int) -> int:
        if verdict < 0:
            self.moves += 1
        elif verdict > 0:
            self.moves = 0
        if self.level == 2:
            self.level = 2 if self.moves < 2 else 0
        else:
            self.level = max(verdict, 0)
        return self.level

    def _by_counter(self, delivered: float) -> int:
        if math.isnan(self.anchor_ul):
            self.anchor_ul = delivered
            self.counter.asked_ul = self.counter.stood_us = 0.0
            return 0
        step = delivered - self.anchor_ul
        quantum = self.smallest_ul if math.isfinite(self.smallest_ul) else 0.0
        if self.registered_ul > 0:
            quantum = self.registered_ul
        if step > 0:
            self.smallest_ul = min(self.smallest_ul, step)
            self.anchor_ul = delivered
            self.counter.movement()
            return -1
        if step < -4 * quantum:
            self.anchor_ul = delivered
            self.counter.restart()
            return 0
        return self.counter.stands(quantum, self.registered_ul)

    def _by_flow(self, share: float) -> int:
        if self.share is None:
            if share > 0:
                self.share = [share, share]
            return 0
        now, mean = self.share
        now += 0.25 * (share - now)
        self.share = [now, mean]
        if now < 0.1 * mean:
            return self.flow.stands(0.0, math.nan)
        self.flow.movement()
        if self.level == 0:
            self.share[1] = mean + (min(max(share, 0.0), 4 * mean) - mean) / 32
        return -1

    def _by_current(self, current: float) -> int:
        if self.motor is None:
            self.motor = [current, current, abs(current)]
            return 0
        now, mean, dev = self.motor
        now += 0.25 * (current - now)
        self.motor[0] = now
        floor = 0.1 * mean
        if self.off_ma < mean:
            floor = max(self.off_ma + 0.1 * (mean - self.off_ma), floor)
        if now < floor or (now > mean + 12 * dev and now > 1.8 * mean):
            return self.current.stands(0.0, math.nan)
        self.current.movement()
        if self.level == 0:
            off = min(max(current - mean, -4 * dev), 4 * dev)
            self.motor = [now, mean + off / 32, dev + (abs(off) - dev) / 32]
        return -1
