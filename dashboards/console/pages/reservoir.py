"""What is left in a reservoir: by our estimate with its fan, and by the pump's own arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contract.events import ProgramSet
from contract.times import DAY_US, HOUR_US
from dashboards.console.pages.plots import Mark, Plot
from dashboards.console.pages.words import absolute, interval, number
from storage.console import PumpNow

_WEEK_MIN: Final = 7 * 1440
_HALF_90: Final = 1.6449
"""Half the width of a normal distribution's central 90 %, in standard deviations."""
_HALF_95: Final = 1.9600
_SHOWN_US: Final = 14 * DAY_US
"""How much of the past is drawn at least; more where the fan reaches further."""
_BEND: Final = 8
"""Pieces of the fan: its bounds are curves."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A volume in mL: the median, and the bounds of the 90 % interval."""

    p50_ml: float
    lo_ml: float
    hi_ml: float


@dataclass(frozen=True, slots=True)
class Fan:
    """A forecast as volumes: ours falls from `volume_ml` at `at_us` to 0 at `p50_us`, the pump's to its own alarm.

    The forecast states times and a ratio. The volume is the present program's rate, times the ratio, over the median time
    that is left; what the spread of the times is more than the spread of the ratio explains is the volume's own.
    """

    at_us: int
    volume_ml: float
    volume_sd_ml: float
    rate_ml_us: float
    rate_sd_ml_us: float
    p05_us: int
    p50_us: int
    p95_us: int
    device_ml: float | None
    device_rate_ml_us: float
    low_ml: float | None

    def at(self, when_us: int) -> Expected:
        """Return what is expected at a time after `at_us`, if the present program goes on."""
        later_us = when_us - self.at_us
        expected = self.volume_ml - self.rate_ml_us * later_us
        half = _HALF_90 * math.hypot(self.volume_sd_ml, self.rate_sd_ml_us * later_us)
        return Expected(max(0.0, expected), max(0.0, expected - half), max(0.0, expected + half))

    def device_at(self, when_us: int) -> float | None:
        """Return what the pump itself will show at a time; None where its own arithmetic is not known."""
        if self.device_ml is None:
            return None
        return max(0.0, self.device_ml - self.device_rate_ml_us * (when_us - self.at_us))


def mean_rate_ul_h(program: ProgramSet) -> float:
    """Return a program's rate, averaged over a week, its pulses included."""
    turns: list[tuple[int, float]] = []
    for step in program.steps:
        days = range(7) if step.days is None else step.days
        turns += [(day * 1440 + step.minute, step.rate_ul_h) for day in days]
    turns.sort()
    rate = 0.0
    for place, (minute, rate_ul_h) in enumerate(turns):
        following = turns[place + 1][0] if place + 1 < len(turns) else turns[0][0] + _WEEK_MIN
        rate += rate_ul_h * (following - minute) / _WEEK_MIN
    if program.periodic_bolus is not None:
        pulses_a_day = math.ceil(86_400 / program.periodic_bolus.every_s)
        rate += pulses_a_day * program.periodic_bolus.volume_ul / 24
    return rate


def fan_of(pump: PumpNow, program: ProgramSet | None) -> Fan | None:
    """Return the fan of a pump's newest forecast; None where it predicts no end, or no program is known."""
    at_us, p05, p50, p95 = pump.forecast_us, pump.empty_p05_us, pump.empty_p50_us, pump.empty_p95_us
    if at_us is None or p05 is None or p50 is None or p95 is None or pump.flow_ratio is None:
        return None
    rate_ml_us = 0.0 if program is None else mean_rate_ul_h(program) / 1000 / HOUR_US
    if rate_ml_us <= 0:
        return None
    device_ml = None
    if pump.device_alarm_us is not None and pump.low_reservoir_ml is not None:
        device_ml = max(0.0, pump.low_reservoir_ml + rate_ml_us * (pump.device_alarm_us - at_us))
    true_rate, left_us = rate_ml_us * pump.flow_ratio, max(0, p50 - at_us)
    rate_sd = true_rate * _relative_sd(pump)
    times_sd = true_rate * (p95 - p05) / (2 * _HALF_90)
    return Fan(
        at_us=at_us,
        volume_ml=true_rate * left_us,
        volume_sd_ml=math.sqrt(max(0.0, times_sd**2 - (rate_sd * left_us) ** 2)),
        rate_ml_us=true_rate,
        rate_sd_ml_us=rate_sd,
        p05_us=p05,
        p50_us=p50,
        p95_us=p95,
        device_ml=device_ml,
        device_rate_ml_us=rate_ml_us,
        low_ml=pump.low_reservoir_ml,
    )


def _relative_sd(pump: PumpNow) -> float:
    """Return the relative standard deviation of the flow ratio; 0 where its interval is not known."""
    ratio, lo, hi = pump.flow_ratio, pump.flow_ratio_lo, pump.flow_ratio_hi
    return (hi - lo) / (2 * _HALF_95) / ratio if ratio and lo is not None and hi is not None else 0.0


def fan_plot(
    pump: PumpNow, fan: Fan, levels: Sequence[tuple[int, float]], ours_us: int | None, now_us: int
) -> Plot:
    """Return the level readings, our fan, the pump's own arithmetic, the low level and both alarm times."""
    pieces = (fan.at_us + (fan.p95_us - fan.at_us) * piece // _BEND for piece in range(_BEND))
    bends = {*pieces, fan.p05_us, fan.p50_us, fan.p95_us}
    if fan.device_ml is not None:
        bends.add(fan.at_us + round(fan.device_ml / fan.device_rate_ml_us))
    ends = sorted(at for at in bends if at >= fan.at_us)
    shown_us = max(_SHOWN_US, (fan.p95_us - fan.at_us) * 3 // 2)
    past = [(at, level) for at, level in levels if fan.at_us - shown_us < at < fan.at_us]
    x = [at for at, _ in past] + ends
    nothing: list[float | None] = [None] * len(past)
    expected = [fan.at(at) for at in ends if at <= fan.p95_us or at == fan.at_us]
    beyond: list[float | None] = [None] * (len(ends) - len(expected))
    device = [fan.device_at(at) for at in ends]
    series = [
        {
            "label": "earliest (5 %)",
            "y": nothing + [e.lo_ml for e in expected] + beyond,
            "look": "edge",
        },
        {
            "label": "latest (95 %)",
            "y": nothing + [e.hi_ml for e in expected] + beyond,
            "look": "edge",
        },
        {
            "label": "our estimate",
            "y": nothing + [e.p50_ml for e in expected] + beyond,
            "look": "first",
        },
        {"label": "the pump's own arithmetic", "y": nothing + device, "look": "second"},
        {"label": "level reading", "y": [level for _, level in past] + [None] * len(ends), "look": "points"},
    ]
    if fan.low_ml is not None:
        series.append({"label": "low level", "y": [fan.low_ml] * len(x), "look": "limit"})
    marks = [Mark(now_us, "now", "now")]
    if pump.device_alarm_us is not None:
        marks.append(Mark(pump.device_alarm_us, "pump's own alarm", "alarm"))
    if pump.refill_due_us is not None and pump.refill_due_reason == "volume":
        marks.append(Mark(pump.refill_due_us, "low by our estimate", "ours"))
    if ours_us is not None:
        marks.append(Mark(ours_us, "our alert", "ours"))
    return Plot(
        title="Reservoir",
        caption=_caption(pump, fan, ours_us, now_us),
        shown={
            "x": [at / 1e6 for at in x],
            "series": series,
            "bands": [[2, 1]],
            "unit": "mL",
            "marks": [{"x": mark.at_us / 1e6, "label": mark.label, "line": mark.line} for mark in marks],
            "zero": True,
        },
    )


def _caption(pump: PumpNow, fan: Fan, ours_us: int | None, now_us: int) -> str:
    text = (
        f"About {number(fan.volume_ml)} mL at {absolute(fan.at_us)}. Dry {interval(fan.p05_us, fan.p95_us, now_us)},"
        f" most likely {absolute(fan.p50_us)}."
    )
    if pump.refill_due_us is not None and pump.refill_due_reason == "volume":
        text += f" At the low level by our estimate: {absolute(pump.refill_due_us)}."
    if pump.device_alarm_us is not None:
        text += f" The pump's own low-reservoir alarm: {absolute(pump.device_alarm_us)}."
    if ours_us is not None:
        text += f" Our alert that it may run dry before that: {absolute(ours_us)}."
    return text
