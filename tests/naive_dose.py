"""Slow, obvious twins of the dose kernels: the sentences of the contract in exact fractions, with no closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import floor, isnan, nan
from statistics import median_low

from contract.events import ProgramSet

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BolusRow = tuple[
    int, int, float, int, int
]  # start us, end us, uL, kind 0 bolus / 1 bridge / 2 priming, stated


def local_time(t_us: Fraction | int, event: ProgramSet) -> tuple[datetime, Fraction]:
    """(start of the local day, microseconds into it)."""
    local = Fraction(t_us) + 60_000_000 * (event.utc_offset_min or 0)
    days = floor(local / DAY_US)
    return EPOCH + timedelta(days=days), local - days * DAY_US


def step_rate(event: ProgramSet, t_us: Fraction) -> Fraction:
    """Rate of the newest step at or before `t_us`, looking back day by day."""
    day, into = local_time(t_us, event)
    for back in range(8):
        weekday = (day - timedelta(days=back)).weekday()
        best: tuple[int, float] | None = None
        for step in event.steps:
            today = step.days is None or weekday in step.days
            begun = back > 0 or step.minute * 60_000_000 <= into
            if today and begun and (best is None or step.minute >= best[0]):
                best = (step.minute, step.rate_ul_h)
        if best is not None:
            return Fraction(best[1])
    return Fraction(0)


def pulse_starts(event: ProgramSet, at_us: int, until_us: int) -> list[Fraction]:
    """Every pulse from the program's time to `until_us`, one by one."""
    if event.periodic_bolus is None or event.mode == "stopped":
        return []
    every = Fraction(event.periodic_bolus.every_s * 1e6)
    offset = 60_000_000 * (event.utc_offset_min or 0)
    starts = []
    day_us = floor(Fraction(at_us + offset, DAY_US)) * DAY_US
    while day_us - offset <= until_us:
        into = Fraction(0)
        while into < DAY_US:
            start = day_us - offset + into
            if at_us <= start <= until_us:
                starts.append(start)
            into += every
        day_us += DAY_US
    return starts


def programmed(  # noqa: C901, PLR0912 - one sentence of the contract after the other
    event: ProgramSet,
    at_us: int,
    boluses: Sequence[BolusRow],
    *,
    suspended: bool,
    t0_us: int,
    t1_us: int,
) -> tuple[float, float, float]:
    """(programmed, its bolus part, priming) over (t0, t1]: the flow between every two changes, times the time."""
    pulses = pulse_starts(event, at_us, t1_us)
    pulse = event.periodic_bolus
    volume = Fraction(pulse.volume_ul) if pulse else Fraction(0)
    lasts = Fraction(round(pulse.duration_s * 1e6)) if pulse else Fraction(0)

    def program_runs(t_us: Fraction) -> bool:
        bridged = any(kind == 1 and start <= t_us < end for start, end, _, kind, _ in boluses)
        return not suspended and t_us >= at_us and not bridged

    cuts = {Fraction(t0_us), Fraction(t1_us), Fraction(at_us)}
    for start, end, *_ in boluses:
        cuts |= {Fraction(start), Fraction(end)}
    for start in pulses:
        cuts |= {start, start + lasts}
    midnight, _ = local_time(t0_us, event)
    while (day_us := (midnight - EPOCH) // timedelta(microseconds=1)) <= t1_us + 2 * DAY_US:
        for step in event.steps:
            cuts.add(Fraction(day_us + 60_000_000 * (step.minute - (event.utc_offset_min or 0))))
        midnight += timedelta(days=1)
    ordered = sorted(cut for cut in cuts if t0_us <= cut <= t1_us)
    steps = bolus = priming = Fraction(0)
    for a, b in pairwise(ordered):
        middle, hours = (a + b) / 2, (b - a) / HOUR_US
        if program_runs(middle):
            if event.mode != "stopped":
                steps += step_rate(event, middle) * hours
            if lasts:
                running = sum(1 for start in pulses if start <= middle < start + lasts)
                bolus += running * volume * (b - a) / lasts
        for start, end, amount, kind, _ in boluses:
            if start <= middle < end:
                part = Fraction(amount) * (b - a) / (end - start)
                priming, bolus = (priming + part, bolus) if kind == 2 else (priming, bolus + part)
    if not lasts and t1_us > t0_us:
        for start in pulses:
            first = start == t0_us == at_us
            if (t0_us < start <= t1_us or first) and program_runs(start):
                bolus += volume
    return float(steps + bolus), float(bolus), float(priming)


@dataclass(frozen=True)
class Row:
    """One telemetry row, NaN where nothing was reported."""

    source: int
    t_us: int
    delivered_ul: float = nan
    flow_ul_h: float = nan


def usual_period(times: Sequence[int]) -> float:
    """Lower median of the last three intervals above 0 between `times`; NaN if there is none."""
    intervals = [b - a for a, b in pairwise(times) if b > a]
    return float(median_low(intervals[-3:])) if intervals else nan


def sensed(rows: Sequence[Row], max_rate_ul_h: float, wrap_ul: float) -> list[float]:  # noqa: C901 - the same
    """Sensed volume of each row, each time from the whole history before it."""
    volumes: list[float] = []
    flow_counted: list[tuple[int, float]] = []  # (row, uL)
    accepted: dict[int, tuple[int, float]] = {}  # source: (row, count)
    fallen: dict[int, tuple[int, float]] = {}  # source: (us of the fall, value it fell to)
    for number, row in enumerate(rows):
        earlier = [other for other in rows[:number] if other.source == row.source]
        volumes.append(0.0)
        if not isnan(row.delivered_ul) and row.source in accepted:
            since, count = accepted[row.source]
            difference = row.delivered_ul - count
            if difference < 0:
                fell_us, low = fallen.get(row.source, (row.t_us, nan))
                difference = nan
                if not row.delivered_ul >= low:
                    hours = min(row.t_us - rows[since].t_us, DAY_US) / HOUR_US
                    implied = [row.delivered_ul]
                    if not isnan(wrap_ul):
                        implied.append(wrap_ul - count + row.delivered_ul)
                    fitting = [v for v in implied if 0 <= v <= max_rate_ul_h * hours * (1 + 1e-9)]
                    difference = min(fitting, default=nan)
                    if isnan(difference):
                        low = row.delivered_ul
                        fallen[row.source] = (fell_us, low)
                if isnan(difference) and row.t_us - fell_us >= DAY_US:
                    difference = row.delivered_ul - low
            if not isnan(difference):
                meanwhile = sum(volume for other, volume in flow_counted if since < other)
                volumes[-1] = difference - meanwhile
                accepted[row.source] = (number, row.delivered_ul)
                fallen.pop(row.source, None)
            continue
        readings = [other for other in earlier if not isnan(other.flow_ul_h)]
        if readings:
            period = usual_period([other.t_us for other in earlier])
            until = row.t_us if isnan(period) else min(row.t_us, readings[-1].t_us + 3 * period)
            held = max(0.0, until - earlier[-1].t_us)
            volumes[-1] = readings[-1].flow_ul_h * held / HOUR_US
            flow_counted.append((number, volumes[-1]))
        if not isnan(row.delivered_ul):
            accepted[row.source] = (number, row.delivered_ul)
    return volumes


def covered(rows: Sequence[Row], until_us: int) -> float:
    """Microseconds covered up to `until_us`, one source: each row's time up to the next, three usual periods at most."""
    times = [row.t_us for row in rows]
    total = 0.0
    for number, start in enumerate(times):
        end = times[number + 1] if number + 1 < len(times) else until_us
        period = usual_period(times[: number + 1])
        if isnan(period):
            period = end - start if number + 1 < len(times) else 0.0
        total += min(end - start, 3 * period)
    return total


def tip(dead_volume_ul: int, moves: Sequence[tuple[int, int]]) -> list[Fraction]:
    """Drug that leaves the tip at each move (whole uL, ug/mL), the tubing as a row of one-microlitre parcels."""
    tubing = [moves[0][1]] * dead_volume_ul
    drug = []
    for volume, concentration in moves:
        tubing += [concentration] * volume
        leaving, tubing = tubing[:volume], tubing[volume:]
        drug.append(Fraction(sum(leaving), 1000))
    return drug
