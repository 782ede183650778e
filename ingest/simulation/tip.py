"""What leaves the catheter's tip while a narrowed line is stretched, and whether the patient misses it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from contract.times import DAY_US, HOUR_US, MINUTE_US
from ingest.simulation.designs import Design
from ingest.simulation.effects import Effects
from ingest.simulation.labels import HALF_LIFE_HOURS, WITHDRAWAL_HOURS, WITHDRAWAL_LEVEL, Label
from ingest.simulation.plant import Plant
from ingest.simulation.programs import Floats, Times

_EVERY_US: Final = 5 * MINUTE_US


def with_narrow_harm(label: Label, plant: Plant, design: Design, effects: Effects, end_us: int) -> Label:
    """Say of a partial occlusion what truly follows: a level that is low, and harm where it stays low for long.

    `withdrawal_risk` is right where the fastest level falls under WITHDRAWAL_LEVEL of its usual trough, which is all that it says.
    The measure of harm is a full stop, harmful 8 to 72 h later: then the level has been that low for as long as is left of these
    times, by the fastest and the slowest half-life.
    """
    if label.kind != "occlusion_partial":
        return label
    times = np.arange(label.onset_us - DAY_US, end_us, _EVERY_US, dtype=np.int64)
    pumped = np.diff(plant.pumped_at(times)) / (_EVERY_US / HOUR_US)
    tip = tip_ul_h(times[1:], pumped, design, effects)
    low_h = [_low_h(times[1:], pumped, tip, label.onset_us, half_life_h) for half_life_h in HALF_LIFE_HOURS]
    if not low_h[0].any():
        return label
    label = replace(label, also=(*label.also, "withdrawal_risk", "under_delivery"))
    halvings = -math.log2(WITHDRAWAL_LEVEL)
    harms: list[int] = []
    for hours, half_life_h, stop_h in zip(low_h, HALF_LIFE_HOURS, WITHDRAWAL_HOURS, strict=True):
        harmed = np.flatnonzero(hours >= stop_h - halvings * half_life_h)
        harms += [int(times[1 + harmed[0]])] if harmed.size else []
    if not harms or harms[0] > end_us:
        return label
    # Where the slowest level never is that low for so long, the latest is as late as after a full stop.
    after_us = round((WITHDRAWAL_HOURS[1] - WITHDRAWAL_HOURS[0]) * HOUR_US)
    return replace(label, harm_us=(harms[0], harms[1] if len(harms) > 1 else harms[0] + after_us))


def tip_ul_h(times_us: Times, pumped_ul_h: Floats, design: Design, effects: Effects) -> Floats:
    """Flow out of the tip (P - body) / R at equally spaced times, from C dP/dt = flow - (P - body) / R."""
    resistance = np.full(times_us.shape, design.line_kpa_h_per_ul)
    for narrowing in effects.narrowings:
        resistance = np.maximum(resistance, narrowing.resistance(times_us, design.line_kpa_h_per_ul))
    keep = np.exp(-np.minimum(_EVERY_US / HOUR_US / (resistance * design.compliance_ul_per_kpa), 700.0))
    over_kpa = float(resistance[0] * pumped_ul_h[0])
    tip = np.empty(times_us.shape)
    for k, (flow, ohm, kept) in enumerate(
        zip(pumped_ul_h.tolist(), resistance.tolist(), keep.tolist(), strict=True)
    ):
        before_kpa = over_kpa
        over_kpa = min(flow * ohm + (over_kpa - flow * ohm) * kept, design.slip_kpa - design.body_kpa)
        # What was pumped and is not stored has left, on the mean of the interval.
        tip[k] = flow - design.compliance_ul_per_kpa * (over_kpa - before_kpa) / (_EVERY_US / HOUR_US)
    return np.maximum(tip, 0.0)


def _low_h(times_us: Times, open_ul_h: Floats, tip: Floats, onset_us: int, half_life_h: float) -> Floats:
    """For how long, at each time, the level has been under WITHDRAWAL_LEVEL of its lowest on the day before the onset (h)."""
    decay = 2.0 ** (-(_EVERY_US / HOUR_US) / half_life_h)
    usual = level = float(open_ul_h.mean())
    trough = math.inf
    low_h = np.zeros(times_us.shape)
    for k, (flow, left) in enumerate(zip(open_ul_h.tolist(), tip.tolist(), strict=True)):
        usual, level = flow + (usual - flow) * decay, left + (level - left) * decay
        if times_us[k] < onset_us:
            trough = min(trough, usual)
        elif level < WITHDRAWAL_LEVEL * trough:
            low_h[k] = (low_h[k - 1] if k else 0.0) + _EVERY_US / HOUR_US
    return low_h
