"""The fluid side of one pump, exact in continuous time: what the drive turned, what was pumped, what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from contract.times import HOUR_US
from ingest.simulation.designs import Design
from ingest.simulation.effects import Effects, factor
from ingest.simulation.programs import Floats, StepFlow, Times

_NOTHING: Final = 1e-7  # share of a filling


@dataclass(frozen=True, slots=True)
class Fill:
    """A refill as it really was: `true_ml` entered the reservoir after everything was drawn out."""

    at_us: int
    true_ml: float


@dataclass(frozen=True, slots=True)
class Plant:
    """Cumulative volumes (uL since the first edge) at `edges_us`, linear between them, and the reservoir.

    `motor_ul` is what the encoder could count, `pumped_ul` what left the reservoir. `fill_us`, `fill_ul`,
    `fill_pumped_ul`: per fill its time, the volume then in the reservoir and `pumped_ul` at that time.
    `dry_us`: when the reservoir ran dry, one entry per fill cycle that did.
    """

    edges_us: Times
    motor_ul: Floats
    pumped_ul: Floats
    fill_us: Times
    fill_ul: Floats
    fill_pumped_ul: Floats
    removed_ul: tuple[float, ...]
    dry_us: tuple[int, ...]

    def motor_at(self, times_us: Times) -> Floats:
        """Volume by the drive since the first edge, uL."""
        return np.interp(times_us, self.edges_us, self.motor_ul)

    def pumped_at(self, times_us: Times) -> Floats:
        """Volume out of the reservoir since the first edge, uL."""
        return np.interp(times_us, self.edges_us, self.pumped_ul)

    def reservoir_at(self, times_us: Times) -> Floats:
        """Volume in the reservoir, uL; 0 before the first fill."""
        if not self.fill_us.size:
            return np.zeros(times_us.shape)
        cycle = np.searchsorted(self.fill_us, times_us, side="right") - 1
        known = np.maximum(cycle, 0)
        left = self.fill_ul[known] - (self.pumped_at(times_us) - self.fill_pumped_ul[known])
        # Dryness is cut to the microsecond, so what rounding leaves in the reservoir is nothing.
        left = np.where(left < _NOTHING * self.fill_ul[known], 0.0, left)
        return np.where(cycle >= 0, left, 0.0)


def run_plant(programmed: StepFlow, design: Design, effects: Effects, fills: Sequence[Fill]) -> Plant:
    """Turn programmed flow into volumes.

    motor = programmed x drive ratio (0 while the rotor stands); pumped = motor x stroke ratio x what the inlet lets in;
    nothing once the reservoir is dry, though the drive turns on and the encoder counts on.
    """
    spans = (*effects.stops, *effects.strokes, *effects.inlets, *effects.air, *effects.minimum_rates)
    cuts = [time for span in spans for time in (span.from_us, span.to_us)] + [fill.at_us for fill in fills]
    flow = programmed.refined(cuts)
    starts = flow.edges_us[:-1]
    motor = flow.rates_ul_h * design.drive_ratio
    for span in effects.minimum_rates:
        motor = np.where(span.covers(starts), np.minimum(motor, span.size), motor)
    for span in effects.stops:
        motor = np.where(span.covers(starts), 0.0, motor)
    stroke = design.stroke_ratio * factor(effects.strokes, starts) * factor(effects.inlets, starts)
    pumped = motor * stroke * factor(effects.air, starts)
    return _with_reservoir(StepFlow(flow.edges_us, motor), pumped, fills)


def _with_reservoir(motor: StepFlow, wanted_ul_h: Floats, fills: Sequence[Fill]) -> Plant:
    """Stop the flow where the reservoir is dry, cutting the segment in which that happens at the exact time."""
    edges, starts = motor.edges_us, motor.edges_us[:-1]
    hours = np.diff(edges) / HOUR_US
    pumped = wanted_ul_h.copy()
    pumped[starts < (fills[0].at_us if fills else edges[-1])] = 0.0
    dry: list[int] = []
    extra_edges: list[int] = []
    removed: list[float] = []
    for index, fill in enumerate(fills):
        until = fills[index + 1].at_us if index + 1 < len(fills) else int(edges[-1])
        cycle = np.flatnonzero((starts >= fill.at_us) & (starts < until))
        left = 1000.0 * fill.true_ml - np.cumsum(pumped[cycle] * hours[cycle])
        over = np.flatnonzero(left < 0.0)
        if over.size:
            segment = cycle[over[0]]
            before = left[over[0]] + pumped[segment] * hours[segment]
            at_us = int(starts[segment] + before / pumped[segment] * HOUR_US)
            dry.append(at_us)
            extra_edges.append(at_us)
            pumped[cycle[over[0] + 1 :]] = 0.0
        removed.append(max(float(left[-1]), 0.0) if left.size else 1000.0 * fill.true_ml)
    flow = StepFlow(edges, pumped).refined(extra_edges)
    rates = flow.rates_ul_h.copy()
    for at_us in dry:
        rates[np.searchsorted(flow.edges_us[:-1], at_us)] = 0.0
    volumes = StepFlow(flow.edges_us, rates).volumes_ul()
    fill_us = np.array([fill.at_us for fill in fills], np.int64)
    return Plant(
        edges_us=flow.edges_us,
        motor_ul=np.interp(flow.edges_us, edges, motor.volumes_ul()),
        pumped_ul=volumes,
        fill_us=fill_us,
        fill_ul=np.array([1000.0 * fill.true_ml for fill in fills]),
        fill_pumped_ul=np.interp(fill_us, flow.edges_us, volumes) if fills else np.zeros(0),
        removed_ul=tuple(removed),
        dry_us=tuple(dry),
    )
