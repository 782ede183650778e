"""The reservoir filter over simulated pump-years: false alarms of healthy pumps, and how soon a grown stroke is told.

Its own generator, apart from the simulator's: `python bench/reservoir_fleet.py [YEARS]`. Two kinds of fleet: implants with the
level sensor of the simulator (0.03 mL of noise, quanta of 0.01, drift of 0.05 mL over 15 days), and any pump: 5 mL to 1 L,
noise 0.2-5 % of the reservoir, quanta up to 2 %, drift up to 1 % over hours to weeks, a reading a minute to a day.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace

from thecaflow.settings import use_numba_cache

use_numba_cache()  # before numba is imported: else a kernel that changed would be run as it was

import numpy as np  # noqa: E402
from numba import njit  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from kernels import reservoir  # noqa: E402
from kernels import state as st  # noqa: E402

Floats = NDArray[np.float64]
DRY_ON, DRY_OFF = 0.5, 0.2  # contract, dry_before_alarm
NEVER = 1e9


@dataclass(frozen=True, slots=True)
class Pump:
    """One pump and its level sensor: mL and days; `tolerance` and `stroke` are ratios."""

    reservoir_ml: float
    low_ml: float
    tolerance: float
    ml_day: float
    period_days: float
    noise_ml: float
    quantum_ml: float
    drift_ml: float
    drift_days: float
    syringe_ml: float
    offset_ml: float
    stroke: float = 1.0
    later_stroke: float = 1.0
    later_day: float = NEVER

    @property
    def silent_ratio(self) -> float:
        """Delivered / programmed above which a full pump is dry before its own alarm."""
        return self.reservoir_ml / (self.reservoir_ml - self.low_ml)

    @property
    def life_days(self) -> float:
        """How long a reservoir lasts by the program."""
        return self.reservoir_ml / self.ml_day


def draw(rng: np.random.Generator, *, implant: bool) -> Pump:
    """Draw a healthy pump."""
    if implant:
        size = float(rng.choice([20.0, 40.0]))
        pump = Pump(
            size, 2.0, float(rng.choice([0.1, 0.145])), float(np.exp(rng.uniform(-3.0, -0.1))), 1.0 / 144.0,
            0.03, 0.01, 0.05, 15.0, 0.1, 0.0,
        )  # fmt: skip
    else:
        size = float(np.exp(rng.uniform(math.log(5.0), math.log(1000.0))))
        share = np.exp(rng.uniform(np.log([0.002, 0.0005, 0.001]), np.log([0.05, 0.02, 0.01])))
        used = rng.random(2) > 0.4  # of quantum and drift
        pump = Pump(
            size, size * float(rng.uniform(0.05, 0.2)), float(rng.choice([0.05, 0.1, 0.145])),
            size / float(np.exp(rng.uniform(math.log(4.0), math.log(180.0)))),
            1.0 / float(rng.choice([1, 2, 4, 6, 24, 96, 144, 1440])),
            size * float(share[0]), size * float(share[1] * used[0]), size * float(share[2] * used[1]),
            float(np.exp(rng.uniform(math.log(0.3), math.log(40.0)))), size * float(rng.uniform(0.003, 0.01)),
            size * 0.02 * float(rng.normal()),
        )  # fmt: skip
    upper = 1.0 + min(0.85 * pump.tolerance, 0.5 * (pump.silent_ratio - 1.0))
    while True:
        stroke = float(rng.normal(1.0, pump.tolerance / 1.96))
        if 1.0 - 0.85 * pump.tolerance <= stroke <= upper:
            return replace(pump, stroke=stroke)


@njit(nogil=True, error_model="numpy")
def follow(p: Floats, rng: np.random.Generator, refill: bool, days: Floats) -> float:  # noqa: FBT001 - numba has no keywords
    """Live the pump `p` (fields of `Pump` in order); days[n] = mean, lo, hi, P(dry), withheld. Returns the dry day or -1."""
    size, low, tolerance, ml_day, period, noise, quantum, drift, memory, syringe, offset = p[:11]
    x = np.full(st.SIZE, np.nan)
    reservoir.reset(x)
    x[st.RESERVOIR_ML], x[st.LOW_RESERVOIR_ML], x[st.FLOW_TOLERANCE] = size, low, tolerance
    reservoir.register(x)
    reservoir.filled(x, np.nan, size, size)
    left, nominal, wander = size + rng.normal() * syringe, size, rng.normal() * drift
    keep, counted_ul, dry, out3 = math.exp(-period / memory), ml_day * 1000.0 * period, -1.0, np.zeros(3)
    rows = round(1.0 / period)
    for row in range(days.shape[0] * rows):
        now = (row + 1) * period
        left -= (p[12] if now > p[13] else p[11]) * counted_ul / 1000.0
        nominal -= counted_ul / 1000.0
        if left <= 0.0:
            left = 0.0
            dry = now if dry < 0.0 else dry
        x[st.T_US] = now * 86_400e6
        reservoir.advance(x, counted_ul, counted_ul, True)
        wander = keep * wander + math.sqrt(1.0 - keep * keep) * drift * rng.normal()
        reading = left + offset + wander + noise * rng.normal()
        if quantum > 0.0:
            reading = round(reading / quantum) * quantum
        reservoir.level(x, max(reading, 0.0))
        if refill and nominal < low + 0.12 * size:
            reservoir.filled(x, max(left + rng.normal() * syringe, 0.0), size, size)
            left, nominal = size + rng.normal() * syringe, size
        if (row + 1) % rows == 0:
            reservoir.ratio(x, out3)
            device_ul = reservoir.device_needed_ul(x)
            day = row // rows
            days[day, :3] = out3
            days[day, 3] = reservoir.probability_dry(x, device_ul) if device_ul > 0.0 else 0.0
            days[day, 4] = 1.0 if np.isnan(x[st.RES_SURPRISE]) else 0.0
    return dry


def live(pump: Pump, days: float, seed: int, *, refill: bool) -> tuple[Floats, float]:
    """(what was estimated each day, the day on which it ran dry or -1)."""
    fields = np.array([getattr(pump, name) for name in Pump.__slots__])
    out = np.full((int(days) + 1, 5), np.nan)
    return out, float(follow(fields, np.random.default_rng(seed), refill, out))


def healthy(name: str, years: int, *, implant: bool) -> None:
    """Print false alarms a pump-year and how honest the interval is."""
    rng = np.random.default_rng(1)
    dry = delivery = covered = judged = 0
    for year in range(years):
        pump = draw(rng, implant=implant)
        days, _ = live(pump, 364.0, year, refill=True)
        on = False
        for chance in days[:, 3]:
            dry += bool(not on and chance >= DRY_ON)
            on = chance >= (DRY_OFF if on else DRY_ON)
        outside = (days[:, 1] > 1.0 + pump.tolerance, days[:, 2] < 1.0 - pump.tolerance)
        delivery += sum(
            int(np.count_nonzero(np.diff(np.r_[False, wrong].astype(int)) > 0)) for wrong in outside
        )
        said = days[days[:, 4] == 0.0]
        covered += int(np.count_nonzero((said[:, 1] <= pump.stroke) & (pump.stroke <= said[:, 2])))
        judged += len(said)
    print(
        f"{name}, healthy, {years} pump-years: dry_before_alarm {dry / years:.3f}, over/under_delivery {delivery / years:.3f} a"
        f" year; the 95 % interval holds the truth on {100 * covered / judged:.1f} % of days"
    )


def grown(name: str, pumps: int, *, implant: bool) -> None:
    """Print how many strokes that grow are told before the pump is dry, and how much of that time it took."""
    rng = np.random.default_rng(2)
    shares: list[float] = []
    late = 0
    while len(shares) + late < pumps:
        pump = draw(rng, implant=implant)
        if max(pump.noise_ml, pump.drift_ml) > 0.01 * pump.reservoir_ml or pump.silent_ratio > 1.18:
            continue
        if implant:
            pump = replace(pump, ml_day=pump.reservoir_ml / rng.uniform(18.0, 40.0))
        begun = float(rng.uniform(0.1, 0.35)) * pump.life_days
        left_ml = pump.reservoir_ml - begun * pump.ml_day
        stroke = max(left_ml / (left_ml - pump.low_ml) * float(rng.uniform(1.08, 1.16)), 1.16)
        pump = replace(pump, later_stroke=stroke, later_day=begun)
        days, dry = live(pump, pump.life_days, len(shares), refill=False)
        told = [day + 1 for day in np.flatnonzero(days[:, 3] >= DRY_ON) if day + 1 > begun]
        if told and told[0] < dry:
            shares.append((told[0] - begun) / (dry - begun))
        elif dry > 0.0:
            late += 1
    print(
        f"{name}, grown stroke, {pumps} pumps: {late} told too late; the others after {100 * np.median(shares):.0f} % (median),"
        f" {100 * np.quantile(shares, 0.9):.0f} % (nine of ten) of the time from growth to dry"
    )


def main() -> None:
    """Print four lines."""
    years = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for name, implant in (("implants", True), ("any pump", False)):
        healthy(name, years, implant=implant)
        grown(name, years, implant=implant)


if __name__ == "__main__":
    main()
