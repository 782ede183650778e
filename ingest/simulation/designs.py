"""Pumps as they are built: each maker's shape, with parameters drawn per pump."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

TOLERANCE_SD: Final = 1.96  # a maker's tolerance is read as a 95 % interval

MAKERS: Final = ("implant", "gated", "syringe", "bench")
IMPLANT_CHANNELS: Final = ("delivered_ul", "reservoir_ml", "pressure_kpa", "motor_ma", "battery_v", "stalled")
GATED_CHANNELS: Final = ("delivered_ul", "reservoir_ml", "pressure_kpa", "inlet_kpa", "battery_v")
BENCH_CHANNELS: Final = (
    "delivered_ul",
    "flow_ul_h",
    "reservoir_ml",
    "pressure_kpa",
    "inlet_kpa",
    "motor_ma",
    "vibration_g",
)


@dataclass(frozen=True, slots=True)
class Design:
    """One pump: what its data sheet says, what it is really like, and how it is used.

    `line_kpa_h_per_ul` is the flow resistance of tubing and catheter; Poiseuille's law gives about 1e-4 for 0.9 m of
    0.53 mm bore. `drive_ratio` is motor volume / programmed (the encoder sees it), `stroke_ratio` true volume / motor
    volume (the encoder does not). `body_kpa`: pressure at the tip, `posture_kpa`: its step from lying to standing.
    """

    maker: str
    model: str
    channels: tuple[str, ...]
    rate_ul_h: float
    concentration_ug_ml: float
    reservoir_ml: float
    low_reservoir_ml: float
    dead_volume_ul: float
    min_rate_ul_h: float
    max_rate_ul_h: float
    flow_tolerance: float
    encoder_ul_per_count: float | None = None
    encoder_wrap_ul: float | None = None
    compliance_ul_per_kpa: float = 5.0
    compliance_registered: bool = False
    pressure_limit_kpa: float | None = None
    slip_kpa: float = 250.0
    line_kpa_h_per_ul: float = 1e-4
    drive_ratio: float = 1.0
    stroke_ratio: float = 1.0
    body_kpa: float = 1.5
    posture_kpa: float = 1.5
    pressure_noise_kpa: float = 0.1
    level_noise_ml: float = 0.03
    level_quantum_ml: float = 0.01
    level_drift_ml: float = 0.05
    syringe_sd_ml: float = 0.1
    current_ma: float = 20.0
    high_risk: bool = False
    site: str = "ward-a"
    utc_offset_min: int = 0

    def silent_ratio(self) -> float:
        """Delivered / programmed above which a full pump is dry before its own low-reservoir alarm."""
        return self.reservoir_ml / (self.reservoir_ml - self.low_reservoir_ml)


def healthy_stroke(rng: np.random.Generator, tolerance: float, silent_ratio: float) -> float:
    """N(1, tolerance / 1.96), redrawn until clearly healthy.

    Healthy is inside 0.85 of the tolerance, and at most halfway to the ratio at which the pump would be dry before its
    own alarm: past that an alert is right and the pump belongs among the labelled ones.
    """
    upper = 1.0 + min(0.85 * tolerance, 0.5 * (silent_ratio - 1.0))
    while True:
        ratio = rng.normal(1.0, tolerance / TOLERANCE_SD)
        if 1.0 - 0.85 * tolerance <= ratio <= upper:
            return float(ratio)


def alarming_late(design: Design) -> Design:
    """Set the alarm level to at most a tenth of the reservoir, and the stroke to one that is still healthy with it.

    A later alarm makes a pump dry before it at a smaller stroke; until its fault begins it must not be.
    """
    later = replace(design, low_reservoir_ml=min(design.low_reservoir_ml, 0.1 * design.reservoir_ml))
    return replace(later, stroke_ratio=min(later.stroke_ratio, 1.0 + 0.5 * (later.silent_ratio() - 1.0)))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number between low and high, uniform in its logarithm, with four significant digits."""
    return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.4g}")


def _implant(rng: np.random.Generator) -> Design:
    """Draw a peristaltic implant, 20 or 40 mL, 0.08-1 mL/day (domain.md, Pumps; rates of the data sheet 0.048-24 mL/day)."""
    reservoir = float(rng.choice([20.0, 20.0, 40.0]))
    concentration = float(rng.choice([500.0, 1000.0, 2000.0]))
    daily_ml = float(np.clip(log_uniform(rng, 60.0, 800.0) / concentration, 0.08, 0.9))
    quantum = float(rng.choice([0.1, 0.25, 0.5, 1.0]))
    return Design(
        maker="implant",
        model=f"sim-implant-{reservoir:.0f}",
        channels=IMPLANT_CHANNELS,
        rate_ul_h=round(daily_ml * 1000 / 24, 2),
        concentration_ug_ml=concentration,
        reservoir_ml=reservoir,
        low_reservoir_ml=float(rng.choice([2.0, 2.0, 2.0, 4.0])),
        dead_volume_ul=round(float(rng.uniform(200.0, 420.0)), 1),
        min_rate_ul_h=0.25,
        max_rate_ul_h=1000.0,
        flow_tolerance=0.145,
        encoder_ul_per_count=quantum,
        encoder_wrap_ul=float(rng.choice([1000.0, 65536 * quantum])),
        compliance_ul_per_kpa=log_uniform(rng, 1.0, 21.0),
        compliance_registered=bool(rng.random() < 0.6),
        pressure_limit_kpa=float(rng.choice([70.0, 100.0])) if rng.random() < 0.5 else None,
        line_kpa_h_per_ul=log_uniform(rng, 5e-5, 3e-4),
        current_ma=log_uniform(rng, 5.0, 40.0),
    )


def _gated(rng: np.random.Generator) -> Design:
    """Draw a valve-gated pump: gas drives the drug, a valve lets whole pulses through, so its counter moves in large steps."""
    concentration = float(rng.choice([500.0, 1000.0, 2000.0]))
    daily_ml = float(np.clip(log_uniform(rng, 60.0, 800.0) / concentration, 0.1, 0.9))
    pulse_ul = float(rng.choice([1.0, 2.0]))
    return Design(
        maker="gated",
        model="sim-gated-20",
        channels=GATED_CHANNELS,
        rate_ul_h=round(daily_ml * 1000 / 24, 2),
        concentration_ug_ml=concentration,
        reservoir_ml=20.0,
        low_reservoir_ml=2.0,
        dead_volume_ul=round(float(rng.uniform(200.0, 400.0)), 1),
        min_rate_ul_h=0.0,
        max_rate_ul_h=1200.0,
        flow_tolerance=0.10,
        encoder_ul_per_count=pulse_ul,
        encoder_wrap_ul=65536 * pulse_ul,
        compliance_ul_per_kpa=log_uniform(rng, 1.0, 10.0),
        line_kpa_h_per_ul=log_uniform(rng, 5e-5, 3e-4),
        slip_kpa=200.0,
    )


def _syringe(rng: np.random.Generator) -> Design:
    """Draw a syringe pump of the ward: 50 mL at 0.5-10 mL/h, filled anew before it is empty."""
    rate = log_uniform(rng, 500.0, 10_000.0)
    return Design(
        maker="syringe",
        model="sim-syringe-50",
        channels=("delivered_ul", "reservoir_ml", "pressure_kpa", "motor_ma"),
        rate_ul_h=rate,
        concentration_ug_ml=float(rng.choice([10.0, 50.0])),
        reservoir_ml=50.0,
        low_reservoir_ml=3.0,
        dead_volume_ul=1500.0,
        min_rate_ul_h=100.0,
        max_rate_ul_h=100_000.0,
        flow_tolerance=0.05,
        encoder_ul_per_count=1.0,
        encoder_wrap_ul=None,
        compliance_ul_per_kpa=log_uniform(rng, 9.0, 21.0),
        compliance_registered=True,
        pressure_limit_kpa=70.0,
        slip_kpa=140.0,
        line_kpa_h_per_ul=log_uniform(rng, 0.5, 3.0) / rate,
        body_kpa=1.0,
        posture_kpa=0.5,
        level_noise_ml=0.05,
        level_drift_ml=0.02,
        current_ma=log_uniform(rng, 40.0, 200.0),
    )


def _bench(rng: np.random.Generator) -> Design:
    """Draw a bench or process pump, 0.1-5 L/min out of a tank that lasts about twelve days."""
    rate = log_uniform(rng, 6e6, 3e8)
    tank_ml = float(f"{rate * 24 * 12 / 1000:.2g}")
    return Design(
        maker="bench",
        model="sim-bench",
        channels=BENCH_CHANNELS,
        rate_ul_h=rate,
        concentration_ug_ml=1.0,
        reservoir_ml=tank_ml,
        low_reservoir_ml=0.1 * tank_ml,
        dead_volume_ul=log_uniform(rng, 1e5, 1e6),
        min_rate_ul_h=rate / 100,
        max_rate_ul_h=rate * 10,
        flow_tolerance=0.08,
        encoder_ul_per_count=log_uniform(rng, 100.0, 1000.0),
        encoder_wrap_ul=None,
        compliance_ul_per_kpa=log_uniform(rng, 1e-6, 1e-5) * rate,
        line_kpa_h_per_ul=log_uniform(rng, 5.0, 40.0) / rate,
        slip_kpa=500.0,
        body_kpa=log_uniform(rng, 5.0, 30.0),
        posture_kpa=0.0,
        pressure_noise_kpa=0.3,
        level_noise_ml=0.002 * tank_ml,
        level_quantum_ml=0.0005 * tank_ml,
        level_drift_ml=0.002 * tank_ml,
        syringe_sd_ml=0.003 * tank_ml,
        current_ma=log_uniform(rng, 500.0, 5000.0),
    )


_DRAW: Final = {"implant": _implant, "gated": _gated, "syringe": _syringe, "bench": _bench}


def draw_design(rng: np.random.Generator, makers: tuple[str, ...]) -> Design:
    """Draw a pump of one of the makers (equal odds, repeat a name to weigh it), healthy, with limits and habits of its own."""
    design = _DRAW[makers[int(rng.integers(len(makers)))]](rng)
    return replace(
        design,
        drive_ratio=float(np.clip(rng.normal(1.0, 0.002), 0.995, 1.005)),
        stroke_ratio=healthy_stroke(rng, design.flow_tolerance, design.silent_ratio()),
        body_kpa=design.body_kpa * float(rng.uniform(0.6, 1.6)),
        posture_kpa=design.posture_kpa * float(rng.uniform(0.5, 1.5)),
        pressure_noise_kpa=design.pressure_noise_kpa * float(rng.uniform(0.5, 1.5)),
        high_risk=bool(rng.random() < 0.1),
        site=f"ward-{'abcd'[int(rng.integers(4))]}",
        utc_offset_min=int(rng.choice([0, 60, 120, -300])),
    )
