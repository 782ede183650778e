"""An interacting-multiple-model filter of the pressures, the reference that kernels of occlusion, leak and starvation are held against.

Offline and for many pumps at once. Each pump's outlet pressure, less its hour-of-day rhythm, is level + body + noise: level (kPa)
with a slope (kPa/h), body movement as AR(1), noise white; all scales from the pump's own first LEARN_DAYS. Modes:

healthy     the level stands, but for drift
moved       a swapped sensor or another posture of the gauge: the level has jumped and stands; no alarm, back to healthy within hours
block       the level rises by flow / compliance (registered or log-normal), body movement is gone
narrowed    the level rises and settles over hours, body movement is kept
leak        the level is that of an open line, about the gauge's zero, and little is left of the body movement
starvation  the outlet as healthy, the inlet far below its habit

Blom and Bar-Shalom (1988): the modes' filters are mixed by the transition probabilities, updated, and weighed by their
likelihood, here Student's t, since postures have heavy tails. A fault starts at FAULTS_A_YEAR ([S] 0.02 a catheter-year,
docs/domain.md). Alarm where the posterior of a cause exceeds 1 / (1 + FALSE_A_YEAR / FAULTS_A_YEAR), at which false alarms
stay below FALSE_A_YEAR if the model is true (Shiryaev's threshold from a stated budget).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HEALTHY, MOVED, BLOCK, NARROWED, LEAK, STARVATION = range(6)
MODES: Final = 6
CAUSES: Final = {"occlusion": (BLOCK, NARROWED), "leak": (LEAK,), "starvation": (STARVATION,)}
YEAR_H: Final = 8766.0
FAULTS_A_YEAR: Final = 0.02
FALSE_A_YEAR: Final = 0.005
MOVES_A_YEAR: Final = 1.0
ACCEPTED_H: Final = 72.0  # a moved level is the habit
SETTLES_H: Final = 12.0  # a narrowing has stretched the line
REPAIRED_H: Final = 48.0
LEARN_DAYS: Final = 5.0
DOF: Final = 4.0  # of the likelihood
CLIP_Z: Final = 3.0  # sds by which one reading moves a filter
COMPLIANCE_UL_KPA: Final = 4.6  # middle of 1-21, where none is registered
DRIFT_A_DAY: Final = 0.1  # sds of the residual
LEVEL, SLOPE, BODY = range(3)


@dataclass(frozen=True, slots=True)
class Series:
    """Rows of P pumps side by side, padded with NaN: float64[P, n]; hours ascend. `flow_ul_h`: programmed, 0 = stopped."""

    hours: Floats
    outlet_kpa: Floats
    inlet_kpa: Floats
    flow_ul_h: Floats
    compliance_ul_kpa: Floats  # float64[P], NaN = not registered


def threshold() -> float:
    """Posterior from which a cause is told."""
    return FAULTS_A_YEAR / (FAULTS_A_YEAR + FALSE_A_YEAR)


def posteriors(series: Series) -> Floats:
    """Probability of each cause of CAUSES after each row, float64[P, n, 3]; NaN while a pump is learned."""
    pumps, n = series.hours.shape
    habit = _Habit(series)
    bank = _Bank(habit, series)
    told = np.full((pumps, n, len(CAUSES)), np.nan)
    for row in range(1, n):
        bank.step(row)
        known = series.hours[:, row] - series.hours[:, 0] > 24.0 * LEARN_DAYS
        for place, modes in enumerate(CAUSES.values()):
            told[:, row, place] = np.where(known, bank.chance[:, list(modes)].sum(axis=1), np.nan)
    return told


class _Habit:
    """Rhythm and scales of each pump from its first days, robust where a pump reports little."""

    def __init__(self, series: Series) -> None:
        young = (series.hours - series.hours[:, :1]) <= 24.0 * LEARN_DAYS
        outlet = np.where(young, series.outlet_kpa, np.nan)
        hour = np.nan_to_num(series.hours % 24.0).astype(int)
        self.mean = _nan(np.nanmean, outlet)
        rhythm = np.stack([_nan(np.nanmean, np.where(hour == h, outlet, np.nan)) for h in range(24)], axis=1)
        rhythm = np.where(np.isnan(rhythm), self.mean[:, None], rhythm)
        smooth = np.mean([np.roll(rhythm, shift, axis=1) for shift in (-1, 0, 1)], axis=0)
        self.residual = series.outlet_kpa - np.take_along_axis(smooth, hour, axis=1)
        r = np.where(young, self.residual, np.nan)
        first, second = (_nan(np.nanmean, r[:, lag:] * r[:, :-lag]) for lag in (1, 2))
        self.var = np.maximum(_nan(np.nanmean, r * r), 1e-12)
        keep = np.clip(second / np.maximum(first, 1e-12), 0.05, 0.95)
        step_h = _nan(np.nanmedian, np.diff(series.hours, axis=1))
        self.memory_h = -step_h / np.log(keep)
        self.body_var = np.clip(first / keep, 0.05 * self.var, 0.95 * self.var)
        self.noise_var = self.var - self.body_var
        inlet = np.where(young, series.inlet_kpa, np.nan)
        self.inlet = _nan(np.nanmean, inlet)
        self.inlet_sd = np.maximum(_nan(np.nanstd, inlet), 1e-9)


class _Bank:
    """The modes' filters of every pump: means float64[P, MODES, 3], covariances float64[P, MODES, 3, 3], chances."""

    def __init__(self, habit: _Habit, series: Series) -> None:
        self.habit, self.series = habit, series
        pumps = len(habit.mean)
        self.mean = np.zeros((pumps, MODES, 3))
        self.cov = np.zeros((pumps, MODES, 3, 3))
        self.cov[:, :, LEVEL, LEVEL] = 0.1 * habit.var[:, None]
        self.cov[:, :, BODY, BODY] = habit.body_var[:, None]
        self.chance = np.full((pumps, MODES), 1e-9)
        self.chance[:, HEALTHY] = 1.0
        compliance = series.compliance_ul_kpa
        self.compliance = np.where(compliance > 0.0, compliance, COMPLIANCE_UL_KPA)

    def step(self, row: int) -> None:
        """Fold one row of every pump; a pump that is stopped or reads nothing keeps what it knows."""
        series = self.series
        gone_h = np.clip(np.nan_to_num(series.hours[:, row] - series.hours[:, row - 1], nan=0.0), 0.0, 24.0)
        flow, last = series.flow_ul_h[:, row], series.flow_ul_h[:, row - 1]
        reads = ~(np.isnan(self.habit.residual[:, row]) & np.isnan(series.inlet_kpa[:, row]))
        running = (flow > 0.0) & reads
        before = self.mean.copy(), self.cov.copy(), self.chance.copy()
        self._mix(gone_h, flow / self.compliance)
        self._predict(gone_h)
        ratio = np.where((flow > 0.0) & (last > 0.0), flow / np.where(last > 0.0, last, 1.0), 1.0)
        # Line and outlet resistance: a new program may move the level by as much as itself.
        self.cov[:, :, LEVEL, LEVEL] += np.square(self.habit.mean * (ratio - 1.0))[:, None]
        self._update(self.habit.residual[:, row], series.inlet_kpa[:, row])
        for now, was in zip((self.mean, self.cov, self.chance), before, strict=True):
            now[~running] = was[~running]

    def _mix(self, gone_h: Floats, slope: Floats) -> None:
        """Let some of healthy become each fault, with the state that a fault begins in, and some of each healthy again."""
        habit, mean, cov = self.habit, self.mean, self.cov
        for mode in range(MOVED, MODES):
            rate = MOVES_A_YEAR if mode == MOVED else FAULTS_A_YEAR / (MODES - 2)
            leaves = ACCEPTED_H if mode == MOVED else REPAIRED_H
            begins = self.chance[:, HEALTHY] * rate * gone_h / YEAR_H
            ends = self.chance[:, mode] * (1.0 - np.exp(-gone_h / leaves))
            stays = self.chance[:, mode] - ends
            share = begins / np.maximum(begins + stays, 1e-300)
            new_mean, new_cov = mean[:, HEALTHY].copy(), cov[:, HEALTHY].copy()
            if mode == MOVED:
                new_cov[:, LEVEL, LEVEL] += 25.0 * habit.var
                back = ends / np.maximum(ends + self.chance[:, HEALTHY], 1e-300)
                _blend(mean, cov, HEALTHY, back, mean[:, MOVED].copy(), cov[:, MOVED].copy())
            if mode in (BLOCK, NARROWED):
                new_mean[:, SLOPE] = slope
                new_cov[:, SLOPE, SLOPE] = slope * slope
            if mode == LEAK:
                new_mean[:, LEVEL] = -habit.mean
                new_cov[:, LEVEL, LEVEL] = np.square(0.3 * habit.mean)
            if mode in (BLOCK, LEAK):
                if mode == BLOCK:
                    new_mean[:, LEVEL] += new_mean[:, BODY]
                    new_cov[:, LEVEL, LEVEL] += new_cov[:, BODY, BODY]
                new_mean[:, BODY] = 0.0
                new_cov[:, BODY, :] = new_cov[:, :, BODY] = 0.0
            _blend(mean, cov, mode, share, new_mean, new_cov)
            self.chance[:, HEALTHY] += ends - begins
            self.chance[:, mode] = stays + begins

    def _predict(self, gone_h: Floats) -> None:
        habit = self.habit
        for mode in range(MODES):
            move = np.zeros((len(gone_h), 3, 3))
            rises = mode in (BLOCK, NARROWED)
            left = 0.0 if mode == BLOCK else 0.1 if mode == LEAK else 1.0
            body = left * habit.body_var
            keep = np.exp(-gone_h / habit.memory_h)
            move[:, LEVEL, LEVEL], move[:, LEVEL, SLOPE] = 1.0, gone_h * rises
            move[:, SLOPE, SLOPE] = rises * (np.exp(-gone_h / SETTLES_H) if mode == NARROWED else 1.0)
            move[:, BODY, BODY] = keep
            self.mean[:, mode] = np.einsum("pij,pj->pi", move, self.mean[:, mode])
            self.cov[:, mode] = move @ self.cov[:, mode] @ move.transpose(0, 2, 1)
            self.cov[:, mode, LEVEL, LEVEL] += DRIFT_A_DAY**2 * habit.var * gone_h / 24.0
            self.cov[:, mode, BODY, BODY] += body * (1.0 - keep * keep)

    def _update(self, residual: Floats, inlet: Floats) -> None:
        habit = self.habit
        gain = self.cov[:, :, :, LEVEL] + self.cov[:, :, :, BODY]
        spread = gain[:, :, LEVEL] + gain[:, :, BODY] + habit.noise_var[:, None]
        off = residual[:, None] - self.mean[:, :, LEVEL] - self.mean[:, :, BODY]
        z = np.nan_to_num(off) / np.sqrt(spread)  # an outlet that reads nothing moves nothing
        log = -0.5 * np.log(spread) - 0.5 * (DOF + 1.0) * np.log1p(z * z / DOF)
        log[np.isnan(residual)] = 0.0
        deep = (inlet - habit.inlet) / habit.inlet_sd
        usual = -0.5 * (DOF + 1.0) * np.log1p(deep * deep / DOF)
        starved = -np.log(15.0) - 0.5 * (DOF + 1.0) * np.log1p(np.square((deep + 20.0) / 15.0) / DOF)
        log[:, STARVATION] += np.nan_to_num(starved - usual)
        log += np.log(np.maximum(self.chance, 1e-300))
        chance = np.exp(log - log.max(axis=1, keepdims=True))
        self.chance = np.maximum(chance / chance.sum(axis=1, keepdims=True), 1e-12)
        pull = np.clip(z, -CLIP_Z, CLIP_Z) / np.sqrt(spread)
        # While a fault is likely the healthy filter waits where it was, so that it is there after the repair.
        pull[:, HEALTHY] *= self.chance[:, HEALTHY] > 0.5
        self.mean += gain * pull[:, :, None]
        self.cov -= gain[:, :, :, None] * gain[:, :, None, :] / spread[:, :, None, None]


def _blend(mean: Floats, cov: Floats, mode: int, share: Floats, new_mean: Floats, new_cov: Floats) -> None:
    """Mix `share` of another state into a mode's, by moments."""
    apart = new_mean - mean[:, mode]
    mixed = share[:, None, None]
    outer = apart[:, :, None] * apart[:, None, :]
    cov[:, mode] = (1.0 - mixed) * cov[:, mode] + mixed * new_cov + mixed * (1.0 - mixed) * outer
    mean[:, mode] += share[:, None] * apart


def _nan(of: Callable[..., Floats], columns: Floats) -> Floats:
    """A statistic by pump that leaves NaN out; 0 where nothing was read."""
    known = np.where(np.all(np.isnan(columns), axis=1, keepdims=True), 0.0, columns)
    return np.asarray(of(known, axis=1), dtype=np.float64)
