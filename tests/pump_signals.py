"""Small seeded signal generators for the detectors' tests; nothing of them comes from the project's simulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import drive, occlusion
from kernels import state as st

Floats = NDArray[np.float64]
DAY_S = 86_400.0


@dataclass(frozen=True)
class Line:
    """What moves the pressure of a healthy line; kPa and s. Postures: lying, sitting, standing."""

    base_kpa: float = 1.5
    noise_kpa: float = 0.1
    wander_kpa: float = 0.2
    wander_s: float = 600.0
    rhythm_kpa: float = 0.4
    postures_kpa: tuple[float, float, float] = (0.0, 1.2, 2.0)


BENCH = Line(400.0, 3.0, 2.0, 20.0, 0.0, (0.0, 0.0, 0.0))  # litres a minute, nobody lies down


def times_s(days: float, every_s: float) -> Floats:
    """Row times, in seconds."""
    return np.arange(int(days * DAY_S / every_s)) * every_s


def ar1(rng: np.random.Generator, n: int, phi: float, sd: float) -> Floats:
    """Autocorrelated noise of marginal sd `sd`: float64[n]."""
    draws = rng.standard_normal(n) * sd
    out = np.empty(n)
    last = draws[0]
    share = np.sqrt(1.0 - phi * phi)
    for k, draw in enumerate(draws.tolist()):
        last = phi * last + share * draw
        out[k] = last
    return out


def healthy_kpa(rng: np.random.Generator, t_s: Floats, line: Line) -> Floats:
    """Outlet pressure of a healthy pump: breathing seen as noise, wander, rhythm of the day, postures by day."""
    start_s = rng.uniform(0.0, DAY_S)
    phase = (t_s + start_s) % DAY_S
    every_s = float(np.median(np.diff(t_s)))
    pressure = line.base_kpa + line.rhythm_kpa * np.sin(2 * np.pi * phase / DAY_S - 2.0)
    pressure = pressure + ar1(rng, t_s.size, float(np.exp(-every_s / line.wander_s)), line.wander_kpa)
    pressure = pressure + line.noise_kpa * rng.standard_normal(t_s.size)
    k = 0
    while k < t_s.size:
        awake = 7 * 3600 <= phase[k] < 22 * 3600
        chosen = rng.choice(3, p=[0.15, 0.5, 0.35]) if awake else int(rng.random() < 0.05)
        stays_s = rng.exponential(3600.0 if awake else (600.0 if chosen else 14_400.0))
        rows = max(1, int(stays_s / every_s))
        pressure[k : k + rows] += line.postures_kpa[chosen]
        k += rows
    return pressure


def blocked_kpa(
    rng: np.random.Generator, t_s: Floats, healthy: Floats, onset_s: float, slope_kpa_h: float
) -> Floats:
    """A full block: a straight rise from the pressure at the onset, without breathing and posture, to 100 kPa over it."""
    pressure = healthy.copy()
    after = t_s >= onset_s
    rise = np.minimum(slope_kpa_h * (t_s[after] - onset_s) / 3600.0, 100.0)
    pressure[after] = healthy[np.argmax(after)] + rise + 0.05 * rng.standard_normal(int(after.sum()))
    return pressure


def fresh() -> Floats:
    """A state vector in which only the detectors' blocks are prepared."""
    x = np.full(st.SIZE, np.nan)
    occlusion.reset(x)
    drive.reset(x)
    return x


def occlusion_levels(
    x: Floats,
    t_s: Floats,
    pressure_kpa: Floats,
    flow_ul_h: Floats | float,
    sensed_ul_h: Floats | float = np.nan,
    inlet_kpa: Floats | float = np.nan,
) -> Floats:
    """Levels of all rows: float64[n]."""
    t_us = np.round(t_s * 1e6)
    programmed = np.broadcast_to(np.asarray(flow_ul_h, dtype=float), t_s.shape).copy()
    sensed = np.broadcast_to(np.asarray(sensed_ul_h, dtype=float), t_s.shape).copy()
    inlet = np.broadcast_to(np.asarray(inlet_kpa, dtype=float), t_s.shape).copy()
    out = np.zeros(t_s.size)
    occlusion.occlusion_rows(x, t_us, pressure_kpa, inlet, programmed, sensed, out)
    return out


def first_active_s(t_s: Floats, levels: Floats) -> float:
    """Time of the first active row; inf = never."""
    rows = np.flatnonzero(levels == 2.0)
    return float(t_s[rows[0]]) if rows.size else np.inf
