"""Seeded recordings for the detectors of leak and starvation, in which all kernels before them run as in a pump."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit

from kernels import drive, leak, occlusion, starvation
from kernels import state as st
from tests.pump_signals import DAY_S, Floats, Line, ar1, healthy_kpa


@dataclass
class Recording:
    """Columns of equal length; a float holds for all rows, NaN = the device has no such channel."""

    t_s: Floats
    pressure_kpa: Floats | float = np.nan
    inlet_kpa: Floats | float = np.nan
    programmed_ul_h: Floats | float = 4.0
    level_ml: Floats | float = np.nan
    flow_ul_h: Floats | float = np.nan
    motor_ma: Floats | float = np.nan
    leak: Floats = field(default_factory=lambda: np.empty(0))
    starvation: Floats = field(default_factory=lambda: np.empty(0))

    def columns(self) -> Floats:
        """float64[7, n]: time (us) and the channels in the order above."""
        named = (
            np.round(self.t_s * 1e6),
            self.pressure_kpa,
            self.inlet_kpa,
            self.programmed_ul_h,
            self.level_ml,
            self.flow_ul_h,
            self.motor_ma,
        )
        return np.array([np.broadcast_to(np.asarray(c, dtype=float), self.t_s.shape) for c in named])


def fresh() -> Floats:
    """A state vector in which the detectors' blocks are prepared."""
    x = np.full(st.SIZE, np.nan)
    for kernel in (occlusion, drive, leak, starvation):
        kernel.reset(x)
    return x


@njit(nogil=True, error_model="numpy")
def _rows(x: Floats, columns: Floats, levels: Floats) -> None:
    before_us = np.nan
    for k in range(columns.shape[1]):
        t_us, pressure, inlet, programmed, level_ml, flow, current = columns[:, k]
        since_us = t_us - before_us if t_us > before_us else 0.0
        expected = programmed * since_us / 3.6e9
        before_us = t_us
        occlusion.occlusion_row(x, t_us, pressure, inlet, programmed, flow)
        drive.stall_row(x, t_us, np.nan, flow, current, np.nan, np.nan, expected, programmed)
        levels[0, k] = starvation.starvation_row(x, t_us, inlet, flow, level_ml, expected, since_us)
        levels[1, k] = leak.leak_row(x, t_us, pressure, programmed, flow)


def run(recording: Recording, x: Floats | None = None) -> tuple[Floats, Floats]:
    """Levels of (leak, starvation) at every row: float64[n] each."""
    columns = recording.columns()
    levels = np.zeros((2, columns.shape[1]))
    _rows(fresh() if x is None else x, columns, levels)
    return levels[1], levels[0]


def first_active_s(recording: Recording, levels: Floats) -> float:
    """Time of the first active row; inf = never."""
    rows = np.flatnonzero(levels == 2.0)
    return float(recording.t_s[rows[0]]) if rows.size else np.inf


def leaked(
    rng: np.random.Generator,
    t_s: Floats,
    onset_s: float,
    line: Line,
    ramp_s: float = 0.0,
    tissue_kpa: float = 0.0,
) -> Floats:
    """Outlet pressure of a pump whose line opens at onset_s, over ramp_s: tissue pressure and the sensor's own noise."""
    healthy = healthy_kpa(rng, t_s, line)
    own = tissue_kpa + ar1(rng, t_s.size, 0.5, 0.3 * line.noise_kpa)
    open_share = np.clip((t_s - onset_s) / max(ramp_s, 1e-9), 0.0, 1.0)
    return healthy + open_share * (own - healthy)


def fed(
    rng: np.random.Generator,
    t_s: Floats,
    onset_s: float = np.inf,
    share: float = 0.2,
    rate_ul_h: float = 4.0,
    scale: float = 1.0,
) -> Recording:
    """A pump with inlet, flow, level and current that gets only `share` of its strokes from onset_s on. scale: its volumes."""
    every_s = float(np.median(np.diff(t_s)))
    starved = t_s >= onset_s
    delivered = np.where(starved, share, 1.0)
    rate = rate_ul_h * scale
    pumped_ul = np.cumsum(rate * delivered) * every_s / 3600.0
    level_ml = (30_000.0 * scale - pumped_ul) / 1000.0 + 0.03 * scale * rng.standard_normal(t_s.size)
    hour = t_s % DAY_S / DAY_S
    return Recording(
        t_s,
        pressure_kpa=healthy_kpa(rng, t_s, Line()),
        inlet_kpa=-1.0
        + 0.3 * np.sin(2 * np.pi * hour)
        - 8.0 * (1.0 - delivered)
        + 0.1 * rng.standard_normal(t_s.size),
        programmed_ul_h=rate,
        level_ml=level_ml,
        flow_ul_h=rate * delivered * (1.0 + 0.03 * rng.standard_normal(t_s.size)),
        motor_ma=20.0 * (1.0 + 0.05 * rng.standard_normal(t_s.size)),
    )
