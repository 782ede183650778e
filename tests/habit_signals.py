"""Recordings of whole pumps for the detectors of lost habits (air, wear, no name); nothing comes from the project's simulator.

A pump is drawn with its own scale, sampling, noise laws and channels; a healthy recording holds what really happens to healthy
pumps; faults are laid over it. `signals` runs the kernels of a telemetry row over it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kernels import dose, reservoir, step
from kernels import state as st
from tests.pump_signals import DAY_S, Floats, Line, ar1, healthy_kpa, times_s

T0_US = 1_750_000_000_000_000
(
    COUNTER,
    FLOW,
    RESERVOIR,
    PRESSURE,
    INLET,
    CURRENT,
    VOLTS,
    VIBRATION,
    VIBRATION2,
    BODY,
    FLUID,
    BATTERY,
    STALLED,
) = range(13)
SENSING = (FLOW, PRESSURE, INLET, CURRENT, VOLTS, VIBRATION, VIBRATION2, BODY, FLUID, BATTERY)


@dataclass(frozen=True)
class Pump:
    """One pump: scale, sampling, noise of its sensors (relative), how current and vibration follow the flow."""

    rate_ul_h: float = 4.0
    every_s: float = 300.0
    flex: bool = False
    channels: tuple[int, ...] = SENSING
    flow_noise: float = 0.03
    current_ma: float = 20.0
    current_noise: float = 0.03
    current_wander: float = 0.01
    current_by_flow: float = 0.7
    current_by_kpa: float = 0.004
    current_by_degree: float = -0.02
    vibration_g: float = 0.05
    vibration_noise: float = 0.12
    vibration_wander: float = 0.03
    wander_s: float = 7200.0
    drift_a_day: float = 0.001
    quantum: float = 0.0
    line: Line = field(default_factory=Line)


def draw_pump(rng: np.random.Generator) -> Pump:
    """A pump of any maker, 0.1 mL/day to litres a minute, sampled every half minute to 15 minutes."""
    rate = float(10 ** rng.uniform(0.6, 8.0))
    base = float(10 ** rng.uniform(0.0, 2.5))
    kinds = [c for c in SENSING if rng.random() < 0.75]
    return Pump(
        rate_ul_h=rate,
        every_s=float(rng.choice([60.0, 120.0, 300.0, 600.0, 900.0])),
        flex=bool(rng.random() < 0.4),
        channels=tuple(kinds),
        flow_noise=float(10 ** rng.uniform(-2.3, -1.0)),
        current_ma=float(10 ** rng.uniform(0.0, 4.0)),
        current_noise=float(10 ** rng.uniform(-2.3, -0.5)),
        current_wander=float(10 ** rng.uniform(-3.0, -1.5)),
        current_by_flow=float(rng.uniform(0.0, 1.0)),
        current_by_kpa=float(rng.uniform(0.0, 0.1)) / base,
        current_by_degree=float(rng.uniform(-0.03, 0.01)),
        vibration_g=float(10 ** rng.uniform(-3.0, 1.0)),
        vibration_noise=float(10 ** rng.uniform(-1.5, -0.4)),
        vibration_wander=float(10 ** rng.uniform(-2.0, -1.0)),
        wander_s=float(10 ** rng.uniform(2.0, 5.5)),
        drift_a_day=float(10 ** rng.uniform(-4.0, -2.3)),
        quantum=float(rng.choice([0.0, 0.0, 0.002, 0.02])),
        line=Line(base, 0.05 * base, 0.1 * base, 600.0, 0.2 * base, (0.0, 0.5 * base, 0.8 * base)),
    )


@dataclass
class Recording:
    """Row times (s), programmed flow at each row (uL/h), telemetry columns float64[13, n]."""

    pump: Pump
    t_s: Floats
    rate_ul_h: Floats
    columns: Floats
    happened: list[str] = field(default_factory=list)


def healthy(rng: np.random.Generator, pump: Pump, days: float, *, nuisances: bool = True) -> Recording:
    """Program with titrations, rhythm, posture, drift; with `nuisances` also what else befalls a healthy pump."""
    t_s = times_s(days, pump.every_s)
    rate = _program(rng, pump, t_s)
    n = t_s.size
    degrees = 36.6 + 0.3 * np.sin(2 * np.pi * t_s / DAY_S) + 0.05 * rng.standard_normal(n)
    pressure = healthy_kpa(rng, t_s, pump.line)
    happened: list[str] = []
    if nuisances:
        _fever(rng, pump, t_s, degrees, pressure, happened)
    q = np.maximum(rate, 0.0) / pump.rate_ul_h
    columns = np.full((13, n), np.nan)
    columns[FLOW] = np.maximum(rate * _noisy(rng, pump, n, pump.flow_noise, 0.2 * pump.flow_noise), 0.0)
    moved = np.concatenate([[0.0], np.cumsum(rate[1:] * np.diff(t_s) / 3600.0)])
    columns[COUNTER] = moved
    columns[RESERVOIR] = np.nan
    columns[PRESSURE] = pressure + 0.2 * pump.line.base_kpa * (q - 1.0)
    columns[INLET] = pump.line.base_kpa * (0.2 + 0.01 * rng.standard_normal(n) + 0.02 * (degrees - 36.6))
    load = (
        (0.1 + 0.9 * q**pump.current_by_flow)
        * (1.0 + pump.current_by_kpa * (columns[PRESSURE] - pump.line.base_kpa))
        * (1.0 + pump.current_by_degree * (degrees - 36.6))
    )
    running = np.where(rate > 0.0, 1.0, 0.02)
    columns[CURRENT] = (
        pump.current_ma * load * running * _noisy(rng, pump, n, pump.current_noise, pump.current_wander)
    )
    shaking = pump.vibration_g * (0.3 + 0.7 * q) * running
    for channel in (VIBRATION, VIBRATION2):
        columns[channel] = shaking * _noisy(rng, pump, n, pump.vibration_noise, pump.vibration_wander)
    columns[VOLTS] = 3.0 + 0.01 * rng.standard_normal(n)
    columns[BATTERY] = 3.0 - 0.02 * t_s / (365 * DAY_S) + 0.003 * rng.standard_normal(n)
    columns[BODY] = degrees
    columns[FLUID] = degrees - 0.2 + 0.05 * rng.standard_normal(n)
    recording = Recording(pump, t_s, rate, columns, happened)
    if nuisances:
        _incidents(rng, recording)
        _pathologies(rng, recording)
    return recording


def finished(recording: Recording) -> Recording:
    """Quantise, and leave out the channels that this pump doesn't have."""
    pump, columns = recording.pump, recording.columns
    for channel in (FLOW, PRESSURE, CURRENT, VIBRATION, VIBRATION2):
        quantum = pump.quantum * abs(np.nanmedian(columns[channel]))
        if quantum > 0.0:
            columns[channel] = np.round(columns[channel] / quantum) * quantum
    for channel in SENSING:
        if channel not in pump.channels:
            columns[channel] = np.nan
    return recording


def _program(rng: np.random.Generator, pump: Pump, t_s: Floats) -> Floats:
    rate = np.full(t_s.size, pump.rate_ul_h)
    for at_s in np.sort(rng.uniform(0, t_s[-1], rng.poisson(t_s[-1] / DAY_S / 25))):
        rate[t_s >= at_s] *= rng.choice([0.85, 0.9, 1.1, 1.15, 1.25])
    if pump.flex:
        shape = rng.choice([0.6, 0.8, 1.0, 1.3, 1.8], 6)
        rate = rate * shape[((t_s % DAY_S) / 14_400).astype(int)]
    return rate


def _noisy(rng: np.random.Generator, pump: Pump, n: int, noise: float, wander: float) -> Floats:
    """1 + noise (white, or of heavy tails) + wander + drift of the sensor's gain."""
    tails = rng.standard_t(4, n) / np.sqrt(2.0) if rng.random() < 0.4 else rng.standard_normal(n)
    slow = ar1(rng, n, float(np.exp(-pump.every_s / pump.wander_s)), wander)
    drift = np.cumsum(rng.standard_normal(n)) * pump.drift_a_day * np.sqrt(pump.every_s / DAY_S)
    factors: Floats = np.maximum((1.0 + noise * tails) * (1.0 + slow) * np.exp(drift), 0.0)
    return factors


def _fever(
    rng: np.random.Generator, pump: Pump, t_s: Floats, degrees: Floats, pressure: Floats, happened: list[str]
) -> None:
    for at_s in rng.uniform(0, t_s[-1], rng.poisson(t_s[-1] / DAY_S / 90)):
        ill = (t_s >= at_s) & (t_s < at_s + rng.uniform(2, 6) * DAY_S)
        degrees[ill] += rng.uniform(1.0, 2.5)
        pressure[ill] += 0.15 * pump.line.base_kpa
        happened.append(f"fever {at_s / DAY_S:.1f}")


@dataclass(frozen=True)
class Chance:
    """When incidents befall a recording, and for how long."""

    rng: np.random.Generator
    t_s: Floats

    def often(self, every_days: float) -> list[float]:
        """Times of incidents that come once in so many days, s."""
        count = self.rng.poisson(self.t_s[-1] / DAY_S / every_days)
        return [float(at_s) for at_s in self.rng.uniform(0, self.t_s[-1], count)]

    def lasting(self, at_s: float, low_h: float, high_h: float) -> NDArray[np.bool_]:
        """Rows of an incident that lasts between so many hours."""
        until_s = at_s + self.rng.uniform(low_h, high_h) * 3600.0
        return (self.t_s >= at_s) & (self.t_s < until_s)


def _incidents(rng: np.random.Generator, recording: Recording) -> None:
    """Refills, scans and suspensions."""
    t_s, columns, rate = recording.t_s, recording.columns, recording.rate_ul_h
    chance = Chance(rng, t_s)
    often, lasting = chance.often, chance.lasting
    for at_s in often(60):
        span = lasting(at_s, 3, 12)
        columns[BODY, span] -= 2.0
        columns[FLUID, span] -= 3.0
        columns[INLET, t_s >= at_s] += 0.05 * recording.pump.line.base_kpa
        columns[PRESSURE, span] *= 1.1
        recording.happened.append(f"refill {at_s / DAY_S:.1f}")
    for at_s in often(120):
        span = lasting(at_s, 0.5, 1.0)
        columns[FLOW, span] = 0.0
        columns[CURRENT, span] *= rng.choice([0.02, 1.8])
        columns[VIBRATION : VIBRATION2 + 1, span] *= 0.1
        after = columns[COUNTER].copy()
        if span.any():
            still = np.flatnonzero(span)
            lost = after[still[-1]] - after[still[0]]
            columns[COUNTER, span] = after[still[0]]
            columns[COUNTER, t_s > t_s[still[-1]]] -= lost
        recording.happened.append(f"scan {at_s / DAY_S:.1f}")
    for at_s in often(60):
        span = lasting(at_s, 2, 30)
        rate[span] = 0.0
        columns[FLOW, span] = 0.0
        columns[CURRENT, span] *= 0.05
        columns[VIBRATION : VIBRATION2 + 1, span] *= 0.1
        recording.happened.append(f"suspended {at_s / DAY_S:.1f}")


def _pathologies(rng: np.random.Generator, recording: Recording) -> None:
    """Swapped, stuck and noisy sensors, missing rows, outages."""
    t_s, columns = recording.t_s, recording.columns
    chance = Chance(rng, t_s)
    often, lasting = chance.often, chance.lasting
    for at_s in often(150):
        channel = int(rng.choice([FLOW, PRESSURE, CURRENT, VIBRATION, VIBRATION2, INLET]))
        columns[channel, t_s >= at_s] *= rng.choice([0.7, 0.85, 0.95, 1.05, 1.15, 1.4])
        recording.happened.append(f"swap {channel} {at_s / DAY_S:.1f}")
    for at_s in often(150):
        channel = int(rng.choice([FLOW, PRESSURE, CURRENT, VIBRATION, INLET]))
        span = lasting(at_s, 3, 100)
        if span.any():
            columns[channel, span] = columns[channel, np.flatnonzero(span)[0]]
        recording.happened.append(f"stuck {channel} {at_s / DAY_S:.1f}")
    for at_s in often(150):
        channel = int(rng.choice([FLOW, PRESSURE, CURRENT, VIBRATION, INLET]))
        span = lasting(at_s, 3, 200)
        spread = 3.0 * np.nanstd(np.diff(columns[channel])) + 1e-12
        columns[channel, span] += spread * rng.standard_normal(int(span.sum()))
        recording.happened.append(f"noisy {channel} {at_s / DAY_S:.1f}")
    lost = rng.random(t_s.size) < 0.01
    columns[:, lost] = np.nan
    for at_s in often(90):
        columns[:, lasting(at_s, 1, 60)] = np.nan
        recording.happened.append(f"outage {at_s / DAY_S:.1f}")


def add_air(rng: np.random.Generator, recording: Recording, at_s: float, rows: int) -> None:
    """Slugs of gas: flow comes and goes, load falls with it, bubbles shake, the pulsation is damped or ragged."""
    columns = recording.columns
    first = int(np.searchsorted(recording.t_s, at_s))
    span = slice(first, first + rows)
    size = columns[FLOW, span].size
    share = float(rng.uniform(0.1, 0.6))
    kind = int(rng.integers(3))
    if kind == 0:  # gas and fluid by turns
        gas = (ar1(rng, size, 0.5, 1.0) > 0.0).astype(float)
    elif kind == 1:  # bubbles of any size
        gas = rng.beta(0.7, 0.7, size)
    else:  # one large bubble that shrinks
        gas = np.clip(np.linspace(1.3, 0.3, size) + 0.3 * rng.standard_normal(size), 0.0, 1.2)
    moved = np.clip(1.0 - (1.0 - share) * gas, 0.0, 1.2)
    columns[FLOW, span] *= moved
    columns[CURRENT, span] *= 1.0 - rng.uniform(0.3, 0.8) * (1.0 - moved)
    shakes = float(rng.uniform(1.3, 3.0))
    for channel in (VIBRATION, VIBRATION2):
        columns[channel, span] *= 1.0 + (shakes - 1.0) * rng.uniform(0.0, 2.0, size)
    mean = np.nanmean(columns[PRESSURE, span])
    columns[PRESSURE, span] = mean + rng.choice([0.3, 2.5]) * (columns[PRESSURE, span] - mean)


def add_wear(rng: np.random.Generator, recording: Recording, at_s: float, per_day: float) -> None:
    """Load and vibration grow: straight, ever faster, or by fits and starts."""
    t_s, columns = recording.t_s, recording.columns
    days = np.clip((t_s - at_s) / DAY_S, 0.0, None)
    kind = int(rng.integers(3))
    if kind == 0:
        growth = per_day * days
    elif kind == 1:
        growth = np.expm1(per_day * days)
    else:
        fits = np.cumsum(rng.exponential(1.0, int(days[-1]) + 2))
        growth = per_day * np.concatenate([[0.0], fits])[days.astype(int)]
    columns[CURRENT] *= 1.0 + growth * rng.uniform(0.5, 1.0)
    for channel in (VIBRATION, VIBRATION2):
        columns[channel] *= 1.0 + growth * rng.uniform(0.5, 1.5)


def signals(recording: Recording, factors: dict[int, float] | None = None) -> list[tuple[float, int, int]]:
    """(time in s, code, level) of every change that the kernels signal; columns may be scaled by channel."""
    x = step.fresh()
    x[st.MAX_RATE_UL_H] = 50.0 * recording.pump.rate_ul_h * (factors or {}).get(FLOW, 1.0)
    reservoir.register(x)
    columns = recording.columns.copy()
    for channel, factor in (factors or {}).items():
        columns[channel] *= factor
    volumes = (factors or {}).get(FLOW, 1.0)
    rows_us = T0_US + np.round(recording.t_s * 1e6).astype(np.int64)
    sources = np.zeros(rows_us.size, dtype=np.int64)
    told = np.empty((step.SIGNALS, step.SIGNAL_SIZE))
    none = np.empty((0, 5))
    said = []
    cuts = [0, *(np.flatnonzero(np.diff(recording.rate_ul_h)) + 1).tolist(), rows_us.size]
    x[st.T_US] = float(rows_us[0])
    for first, last in itertools.pairwise(cuts):
        head = np.array([float(rows_us[first]), 0.0, dose.CONTINUOUS, 0.0, 0.0, 0.0, 0.0, 0.0])
        schedule = np.array([[0.0, recording.rate_ul_h[first] * volumes]])
        row = first
        while row < last:
            row = step.rows(x, head, schedule, none, rows_us, sources, columns, row, last, told)
            for number, code, level in told[told[:, 0] >= 0.0]:
                said.append((float(recording.t_s[int(number)]), int(code), int(level)))
    return said
