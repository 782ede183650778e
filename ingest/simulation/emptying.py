"""When a reservoir truly runs dry if the present program goes on: the truth by which forecasts are graded.

A forecast assumes that the program goes on (contract, "Rules of meaning, facts"), so its truth is no time that was seen
but one that the plant would have reached. It is told for the longest stretches in which nobody and nothing changed the
flow.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from contract.times import DAY_US, SECOND_US
from ingest.simulation.designs import Design
from ingest.simulation.effects import Effects, factor
from ingest.simulation.entries import Entry
from ingest.simulation.labels import Emptying
from ingest.simulation.plant import Plant
from ingest.simulation.programs import programmed_flow

_WEEK_US: Final = 7 * DAY_US
_SHORTEST_US: Final = DAY_US  # a stretch without a midnight has no daily forecast
_MOST: Final = 6
_CHANGES: Final = ("reservoir_filled", "program_set", "bolus", "suspended", "resumed")


def emptyings(
    entries: tuple[Entry, ...], plant: Plant, design: Design, effects: Effects, end_us: int
) -> tuple[Emptying, ...]:
    """The longest stretches between changes, in order of time, with the dry time that each leads to."""
    stretches = [
        (begin, until)
        for begin, until in pairwise(_cuts(entries, effects, end_us))
        if until - begin >= _SHORTEST_US
    ]
    longest = sorted(sorted(stretches, key=lambda one: one[0] - one[1])[:_MOST])
    told = []
    for begin_us, until_us in longest:
        dry_us = _dry_us(entries, plant, design, effects, begin_us)
        if dry_us is not None and dry_us > begin_us:
            told.append(Emptying(begin_us, min(until_us, dry_us), dry_us))
    return tuple(told)


def _cuts(entries: tuple[Entry, ...], effects: Effects, end_us: int) -> list[int]:
    """Every time at which the flow may change otherwise than by the program itself."""
    cuts = {end_us}
    for entry in entries:
        if entry.kind in _CHANGES:
            lasting_us = round(float(entry.fields.get("duration_s") or 0.0) * SECOND_US)
            cuts |= {entry.at_us, entry.at_us + lasting_us}
    for span in (*effects.stops, *effects.strokes, *effects.inlets, *effects.air, *effects.minimum_rates):
        cuts |= {span.from_us, span.to_us}
    return sorted(cut for cut in cuts if cut <= end_us)


def _dry_us(
    entries: tuple[Entry, ...], plant: Plant, design: Design, effects: Effects, at_us: int
) -> int | None:
    """When what is in the reservoir at `at_us` is gone; None before the first fill, without flow, or while a bolus runs."""
    before = [entry for entry in entries if entry.at_us <= at_us]
    programs = [entry for entry in before if entry.kind == "program_set"]
    stops = [entry.kind for entry in before if entry.kind in ("suspended", "resumed")]
    now = np.array([at_us], np.int64)
    left_ul = float(plant.reservoir_at(now)[0])
    running = any(
        entry.kind == "bolus"
        and at_us < entry.at_us + float(entry.fields.get("duration_s") or 0.0) * SECOND_US
        for entry in before
    )
    if not programs or left_ul <= 0.0 or running or (stops and stops[-1] == "suspended"):
        return None
    ratio = design.drive_ratio * design.stroke_ratio * float(factor(effects.strokes, now)[0])
    going_on = (replace(programs[-1], at_us=at_us),)
    flow = programmed_flow(going_on, at_us, at_us + _WEEK_US, design.min_rate_ul_h)
    volumes_ul = flow.volumes_ul()
    weekly_ul = float(volumes_ul[-1])
    if weekly_ul <= 0.0 or ratio <= 0.0:
        return None
    weeks, rest_ul = divmod(left_ul / ratio, weekly_ul)
    return at_us + int(weeks) * _WEEK_US + int(np.interp(rest_ul, volumes_ul, flow.edges_us - at_us))
