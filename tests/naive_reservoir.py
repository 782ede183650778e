"""Slow, obvious twin of the reservoir filter: numpy matrices, no closed form, forecasts by bisection; and a true pump."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from kernels import level_sensor, reservoir, stroke
from kernels import state as st

NAN = math.nan
Vector = NDArray[np.float64]


class Twin:
    """The same model with full matrices: m = [V, k, o], P = its covariance; no stuck sensor, no surprise."""

    def __init__(self, reservoir_ml: float, tolerance: float) -> None:
        self.size_ul = reservoir_ml * 1000.0
        self.prior = (tolerance / stroke.Z95) ** 2
        self.m = np.array([0.0, 1.0, 0.0])
        self.p = np.diag([0.0, self.prior, (level_sensor.OFFSET_SD * self.size_ul) ** 2])
        self.sensed: list[tuple[float, float]] = []
        self.pending_ul = 0.0

    def fill(self, removed_ml: float, filled_ml: float) -> None:
        """Measure V by what was drawn out, then set it."""
        if not math.isnan(removed_ml):
            sd_ul = reservoir.SYRINGE_SD * self.size_ul
            self.measure(np.array([1.0, 0.0, 0.0]), removed_ml * 1000.0, sd_ul**2)
        self.m[0] = filled_ml * 1000.0
        self.p[0, :] = self.p[:, 0] = 0.0
        self.p[0, 0] = (reservoir.SYRINGE_SD * self.size_ul) ** 2

    @property
    def e(self) -> float:
        """The encoder ratio: each pair faded by all that was programmed after it."""
        memory = stroke.RATIO_MEMORY * self.size_ul
        total = sum(pair[1] for pair in self.sensed)
        above = below = stroke.RATIO_PRIOR * self.size_ul * math.exp(-total / memory)
        for i, (sensed_ul, programmed_ul) in enumerate(self.sensed):
            later = sum(pair[1] for pair in self.sensed[i + 1 :])
            above += math.exp(-later / memory) * sensed_ul
            below += math.exp(-later / memory) * programmed_ul
        return above / below

    def advance(self, programmed_ul: float, sensed_ul: float, counted: bool) -> float:  # noqa: FBT001 - the kernel's own signature
        """Predict with F = [[1, -u, 0], [0, 1, 0], [0, 0, 1]]; return the volume that V lost."""
        u = programmed_ul * self.e
        if math.isnan(sensed_ul):
            self.pending_ul += programmed_ul
        elif counted:
            u = sensed_ul - self.pending_ul * self.e
            self.sensed.append((sensed_ul, self.pending_ul + programmed_ul))
            self.pending_ul = 0.0
        f = np.array([[1.0, -u, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        lost_ul = self.m[1] * u
        self.m = f @ self.m
        self.p = f @ self.p @ f.T
        q = min(stroke.WALK_SD**2 * max(u, 0.0) / self.size_ul, max(self.prior - self.p[1, 1], 0.0))
        self.p += q * np.array([[u * u / 3.0, -u / 2.0, 0.0], [-u / 2.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
        return float(lost_ul)

    def measure(self, h: Vector, reading_ul: float, noise_var: float) -> None:
        """Joseph-form update, softened beyond HUBER_Z."""
        residual = reading_ul - float(h @ self.m)
        s = float(h @ self.p @ h) + noise_var
        s *= max(1.0, abs(residual) / math.sqrt(s) / stroke.HUBER_Z)
        gain = self.p @ h / s
        keep = np.eye(3) - np.outer(gain, h)
        noise = s - float(h @ self.p @ h)
        self.m = self.m + gain * residual
        self.p = keep @ self.p @ keep.T + noise * np.outer(gain, gain)

    def probability(self, level_ul: float, programmed_ul: float) -> float:
        """P(V - r p <= level) from the joint normal of V and r = e k."""
        a = np.array([1.0, -self.e * programmed_ul, 0.0])
        sd = math.sqrt(float(a @ self.p @ a))
        return NormalDist(float(a @ self.m), sd).cdf(level_ul)

    def needed_ul(self, level_ul: float, quantile: float) -> float:
        """The first programmed volume at which `probability` has reached `quantile`, by bisection."""
        low, high = 0.0, 10.0 * self.size_ul
        while high - low > 1e-9 * self.size_ul:
            middle = (low + high) / 2.0
            if self.probability(level_ul, middle) < quantile:
                low = middle
            else:
                high = middle
        return high


@dataclass
class TruePump:
    """A pump whose truth is known, and the filter that watches it."""

    ratio: float = 1.0  # truly delivered / programmed
    reservoir_ml: float = 20.0
    low_ml: float = 2.0
    tolerance: float = 0.145
    noise_ml: float = 0.1
    offset_ml: float = 0.0
    quantum_ml: float = 0.0
    correlation: float = 0.0  # of the sensor's noise from one reading to the next
    seed: int = 0
    fill_error_ml: float | None = None  # None: drawn with the stated sd
    x: Vector = field(default_factory=lambda: np.full(st.SIZE, np.nan))

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        reservoir.reset(self.x)
        self.x[st.RESERVOIR_ML] = self.reservoir_ml
        self.x[st.LOW_RESERVOIR_ML] = self.low_ml
        self.x[st.FLOW_TOLERANCE] = self.tolerance
        reservoir.register(self.x)
        reservoir.filled(self.x, NAN, self.reservoir_ml, self.reservoir_ml)
        error_ml = self.fill_error_ml
        if error_ml is None:
            error_ml = self.rng.normal(0.0, reservoir.SYRINGE_SD * self.reservoir_ml)
        self.left_ml = self.reservoir_ml + error_ml
        self.noise = 0.0

    def run(self, days: float, ml_day: float, *, every_h: float = 24.0, sensor: bool = True) -> None:
        """Deliver for some days with a perfect encoder, reading the level every `every_h` hours."""
        for _ in range(round(days * 24.0 / every_h)):
            programmed_ul = ml_day * 1000.0 * every_h / 24.0
            self.left_ml = max(self.left_ml - self.ratio * programmed_ul / 1000.0, 0.0)
            reservoir.advance(self.x, programmed_ul, programmed_ul, True)
            if sensor:
                reservoir.level(self.x, self.read_ml())

    def read_ml(self) -> float:
        """One reading of the level sensor."""
        fresh = self.rng.normal(0.0, self.noise_ml)
        self.noise = self.correlation * self.noise + math.sqrt(1.0 - self.correlation**2) * fresh
        reading_ml = max(self.left_ml + self.offset_ml + self.noise, 0.0)
        return round(reading_ml / self.quantum_ml) * self.quantum_ml if self.quantum_ml else reading_ml

    @property
    def estimate(self) -> tuple[float, float, float]:
        """(mean, lo, hi) of delivered / programmed."""
        out3 = np.zeros(3)
        reservoir.ratio(self.x, out3)
        return float(out3[0]), float(out3[1]), float(out3[2])

    @property
    def left_estimate_ml(self) -> float:
        """Best estimate of what is left."""
        out2 = np.zeros(2)
        reservoir.volume(self.x, out2)
        return float(out2[0]) / 1000.0

    @property
    def dry_before_alarm(self) -> float:
        """Probability that the pump is dry when the device's own arithmetic sounds."""
        return float(reservoir.probability_dry(self.x, reservoir.device_needed_ul(self.x)))

    def empty_in_days(self, ml_day: float, quantile: float = 0.5) -> float:
        """Days of the program `ml_day` until empty."""
        return float(reservoir.needed_ul(self.x, 0.0, quantile)) / (ml_day * 1000.0)
