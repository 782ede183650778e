"""Programmed flow as an exact step function of time: programs, periodic pulses, boluses, suspensions.

Written apart from the kernels on purpose: the simulator must not inherit a mistake of what it is used to check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contract.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from ingest.simulation.entries import Entry

Times: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

_WEEK_US = 7 * DAY_US
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


@dataclass(frozen=True, slots=True)
class StepFlow:
    """Flow in uL/h, constant between edges: `edges_us` int64[n+1] ascending, `rates_ul_h` float64[n]; 0 outside."""

    edges_us: Times
    rates_ul_h: Floats

    def volumes_ul(self) -> Floats:
        """Volume since the first edge, float64[n+1], at each edge."""
        hours = np.diff(self.edges_us) / HOUR_US
        return np.concatenate(([0.0], np.cumsum(self.rates_ul_h * hours)))

    def at(self, times_us: Times) -> Floats:
        """Flow in uL/h right after each of the times."""
        segment = np.searchsorted(self.edges_us, times_us, side="right") - 1
        inside = (segment >= 0) & (segment < self.rates_ul_h.size)
        return np.where(inside, self.rates_ul_h[np.clip(segment, 0, self.rates_ul_h.size - 1)], 0.0)

    def refined(self, cuts_us: Sequence[int]) -> StepFlow:
        """Keep the same flow with further edges at those of `cuts_us` that lie inside."""
        first, last = int(self.edges_us[0]), int(self.edges_us[-1])
        inside = np.array([cut for cut in cuts_us if first < cut < last], dtype=np.int64)
        edges = np.union1d(self.edges_us, inside)
        return StepFlow(edges, self.at(edges[:-1]))


def local_minute(at_us: int, utc_offset_min: int) -> int:
    """Microseconds since Monday 00:00 of the local week."""
    return (at_us + utc_offset_min * MINUTE_US + _EPOCH_WEEKDAY * DAY_US) % _WEEK_US


def _weekly_steps(fields: dict[str, Any], min_rate_ul_h: float) -> tuple[Times, Floats]:
    """List starts in the local week and rates; the last step of a week lasts into the next one."""
    if fields["mode"] == "stopped":
        return np.zeros(1, np.int64), np.zeros(1)
    steps = fields["steps"] or [{"minute": 0, "rate_ul_h": min_rate_ul_h}]
    pairs = sorted(
        (day * DAY_US + step["minute"] * MINUTE_US, step["rate_ul_h"])
        for step in steps
        for day in step.get("days", range(7))
    )
    if pairs[0][0] > 0:
        pairs.insert(0, (0, pairs[-1][1]))
    return np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.float64)


def _program_flow(program: Entry, min_rate_ul_h: float, end_us: int) -> StepFlow:
    """Flow of one program from its `at` to end_us, pulses included."""
    fields = dict(program.fields)
    offset_us = fields.get("utc_offset_min", 0) * MINUTE_US + _EPOCH_WEEKDAY * DAY_US
    starts, rates = _weekly_steps(fields, min_rate_ul_h)
    week0 = (program.at_us + offset_us) // _WEEK_US * _WEEK_US - offset_us
    weeks = np.arange(week0, end_us, _WEEK_US, dtype=np.int64)
    edges = [(weeks[:, None] + starts[None, :]).ravel(), np.array([program.at_us, end_us], np.int64)]
    pulse = fields.get("periodic_bolus")
    pulses = np.zeros(0, np.int64)
    if pulse:
        every_us, lasting_us = round(pulse["every_s"] * SECOND_US), round(pulse["duration_s"] * SECOND_US)
        day0 = (program.at_us + offset_us) // DAY_US * DAY_US - offset_us
        midnights = np.arange(day0, end_us, DAY_US, dtype=np.int64)
        pulses = (midnights[:, None] + np.arange(0, DAY_US, every_us, dtype=np.int64)[None, :]).ravel()
        pulses = pulses[pulses >= program.at_us]
        edges += [pulses, pulses + lasting_us]
    cuts = np.unique(np.concatenate(edges))
    cuts = cuts[(cuts >= program.at_us) & (cuts <= end_us)]
    in_week = (cuts[:-1] + offset_us) % _WEEK_US
    flow = rates[np.searchsorted(starts, in_week, side="right") - 1]
    if pulse and pulses.size:
        latest = np.searchsorted(pulses, cuts[:-1], side="right") - 1
        running = (latest >= 0) & (cuts[:-1] < pulses[np.maximum(latest, 0)] + lasting_us)
        flow = flow + np.where(running, pulse["volume_ul"] * HOUR_US / lasting_us, 0.0)
    return StepFlow(cuts, flow)


def _suspensions(entries: Sequence[Entry], end_us: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    since: int | None = None
    for entry in entries:
        if entry.kind == "suspended" and since is None:
            since = entry.at_us
        elif entry.kind == "resumed" and since is not None:
            spans.append((since, entry.at_us))
            since = None
    if since is not None:
        spans.append((since, end_us))
    return spans


def _base_flow(entries: Sequence[Entry], start_us: int, end_us: int, min_rate_ul_h: float) -> StepFlow:
    """Programs one after the other, nothing before the first; suspensions not yet applied."""
    programs = [entry for entry in entries if entry.kind == "program_set" and entry.at_us < end_us]
    # Of several programs at one time the last one counts.
    programs = [
        p for i, p in enumerate(programs) if i + 1 == len(programs) or programs[i + 1].at_us > p.at_us
    ]
    edges, rates = [np.array([start_us], np.int64)], [np.zeros(0)]
    if programs and programs[0].at_us > start_us:
        rates.append(np.zeros(1))
    for index, program in enumerate(programs):
        until = programs[index + 1].at_us if index + 1 < len(programs) else end_us
        part = _program_flow(program, min_rate_ul_h, until)
        edges.append(part.edges_us[:-1] if part.edges_us[0] > start_us else part.edges_us[1:-1])
        rates.append(part.rates_ul_h)
    if not programs:
        rates.append(np.zeros(1))
    edges.append(np.array([end_us], np.int64))
    return StepFlow(np.concatenate(edges), np.concatenate(rates))


def programmed_flow(entries: Sequence[Entry], start_us: int, end_us: int, min_rate_ul_h: float) -> StepFlow:
    """Work out what the pump was told to pump from start_us to end_us, priming and boluses included, in uL/h.

    `entries` sorted by `Entry.order`. The rules are the contract's: a bridge replaces the program, a suspension cuts
    the program and any running bolus that does not state `delivered_ul`, a lumbar dose is no affair of the pump's.
    Boluses without a duration are given over one second.
    """
    base = _base_flow(entries, start_us, end_us, min_rate_ul_h)
    spans = _suspensions(entries, end_us)
    boluses: list[tuple[int, int, float, bool]] = []
    for entry in entries:
        fields = entry.fields
        if entry.kind != "bolus" or fields.get("route") == "lumbar" or fields["kind"] == "test":
            continue
        stated = fields.get("delivered_ul")
        lasting_us = max(round((fields.get("duration_s") or 1.0) * SECOND_US), SECOND_US)
        rate = (fields["programmed_ul"] if stated is None else stated) * HOUR_US / lasting_us
        cut_us = entry.at_us + lasting_us
        if stated is None:
            cut_us = min([cut_us, *(max(a, entry.at_us) for a, b in spans if b > entry.at_us and a < cut_us)])
        boluses.append((entry.at_us, cut_us, rate, fields["kind"] == "bridge"))
    cuts = [time for span in spans for time in span] + [
        time for start, end, *_ in boluses for time in (start, end)
    ]
    flow = base.refined(cuts)
    rates, starts = flow.rates_ul_h.copy(), flow.edges_us[:-1]
    for since, until in spans:
        rates[(starts >= since) & (starts < until)] = 0.0
    for start, end, _, bridge in boluses:
        if bridge:
            rates[(starts >= start) & (starts < end)] = 0.0
    for start, end, rate, _ in boluses:
        rates[(starts >= start) & (starts < end)] += rate
    return StepFlow(flow.edges_us, rates)
