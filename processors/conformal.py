"""How wide a pump's intervals have to be: adaptive conformal inference on its own forecasts of its volume.

At a midnight it is foreseen what will be left after further programmed volume. On later midnights, if the level sensor closed a
block of readings since (kernels.level_sensor), the block's mean is held against that forecast, until an eighth of the reservoir
was programmed and a fresh one is made. Gibbs and Candes (2021, arXiv 2106.00170): the level `miss` at which the model's own
interval is read moves by STEP (MISS - missed), so that in the long run a share MISS of the checks misses, whatever the
noise is like; after n checks the share is within (1 + STEP) / (STEP n) of MISS. One number a pump, no other pump's errors.

The level stands in for the volume, which nobody sees. Its own noise is added to the forecast's, which makes the
test the harder to fail; of its offset only what a fill's error could explain counts, the rest is the sensor's. A pump without
a level keeps the model's own width.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from contract.times import DAY_US
from kernels import emptying, ledger, level_sensor
from kernels import state as s

MISS: Final = 0.1  # of the truths lie outside p05-p95
STEP: Final = (
    0.2  # sixty checks, less than the 90 days between refills, bring the share to within 0.1 of MISS
)
MOST: Final = 0.5  # an interval that the model itself gives no even chance is none
LEAST: Final = 0.01  # a check in a hundred can't be told from none in a year's noise [P]
HELD: Final = 0.125  # of the reservoir: how much is programmed until a forecast is made anew [P]
_NORMAL: Final = NormalDist()
_EDGE: Final = _NORMAL.inv_cdf(1.0 - MISS / 2.0)


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """The joint normal of volume and delivered / programmed as it stood at a midnight, uL, and what it was made for.

    `programmed_ul`: ledger of all programmed volume then. `offset_ul`: the level sensor's, then. `checked_us`: when it was
    made or last checked.
    """

    filled_us: int | None
    checked_us: int
    programmed_ul: float
    volume_ul: float
    ratio: float
    volume_var: float
    covariance: float
    ratio_var: float
    offset_ul: float


class Conformal(msgspec.Struct, frozen=True, kw_only=True):
    """`miss`: the level at which the model's own interval is read; `foreseen`: the forecast that waits for the level."""

    miss: float = MISS
    foreseen: Foreseen | None = None

    @property
    def width(self) -> float:
        """Half an interval's length as a multiple of the model's own."""
        return _NORMAL.inv_cdf(1.0 - self.miss / 2.0) / _EDGE if self.miss != MISS else 1.0

    def quantile(self, level: float) -> float:
        """Which quantile of the model is told as the quantile `level`."""
        return _NORMAL.cdf(_NORMAL.inv_cdf(level) * self.width) if self.miss != MISS else level

    def probability(self, chance: float) -> float:
        """Which probability is told where the model says `chance`: the inverse of `quantile`."""
        if self.miss == MISS or not 0.0 < chance < 1.0:
            return chance
        return _NORMAL.cdf(_NORMAL.inv_cdf(chance) / self.width)


def learned(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The state with all that the level has said of the stroke, where that is still withheld from alerts."""
    if not math.isnan(x[s.RES_SURPRISE]):
        return x
    told = x.copy()
    told[s.RES_SURPRISE] = 0.0
    return told


def look(
    conformal: Conformal, x: NDArray[np.float64], filled_us: int | None, at_us: int, *, stands: bool
) -> Conformal:
    """Check what was foreseen against the ledgers `x` at a midnight, and foresee anew where it is due.

    `stands`: the motor does, so that what is programmed is no measure of what is delivered.
    """
    foreseen = conformal.foreseen
    reservoir_ul = float(x[s.RESERVOIR_ML]) * 1000.0
    if stands or not reservoir_ul > 0.0 or math.isnan(x[s.RES_V_UL]):
        return conformal if foreseen is None else replace(conformal, foreseen=None)
    used_ul = 0.0
    if foreseen is not None:
        used_ul = _programmed_ul(x) - foreseen.programmed_ul
        if foreseen.filled_us != filled_us or used_ul < 0.0:
            foreseen = None
        elif at_us - foreseen.checked_us >= DAY_US and x[s.RES_BLOCK_US] > foreseen.checked_us:
            missed = _missed(conformal, foreseen, x, used_ul)
            if missed is not None:
                miss = conformal.miss + STEP * (MISS - missed)
                conformal = replace(conformal, miss=min(max(miss, LEAST), MOST))
            foreseen = replace(foreseen, checked_us=at_us)
    if foreseen is None or used_ul > HELD * reservoir_ul:
        foreseen = _foresee(x, filled_us, at_us)
    return replace(conformal, foreseen=foreseen)


def _programmed_ul(x: NDArray[np.float64]) -> float:
    return float(ledger.total(x, s.PROGRAMMED_UL)) + float(ledger.total(x, s.PRIMING_UL))


def _foresee(x: NDArray[np.float64], filled_us: int | None, at_us: int) -> Foreseen:
    volume_ul, ratio, volume_var, covariance, ratio_var = emptying.ratio_moments(learned(x))
    return Foreseen(
        filled_us=filled_us,
        checked_us=at_us,
        programmed_ul=_programmed_ul(x),
        volume_ul=float(volume_ul),
        ratio=float(ratio),
        volume_var=float(volume_var),
        covariance=float(covariance),
        ratio_var=float(ratio_var),
        offset_ul=float(x[s.RES_O_UL]),
    )


def _missed(conformal: Conformal, told: Foreseen, x: NDArray[np.float64], used_ul: float) -> bool | None:
    """Whether the level lies outside the interval; None where it says nothing: no block, or so near to empty."""
    left_ul = told.volume_ul - told.ratio * used_ul
    var = told.volume_var - 2.0 * used_ul * told.covariance + used_ul * used_ul * told.ratio_var
    var = max(var, 0.0)
    seen_ul = float(x[s.RES_LAG1_UL] - x[s.RES_K] * x[s.RES_RUN_UL])
    if math.isnan(seen_ul) or left_ul <= level_sensor.EMPTY_Z * math.sqrt(var):
        return None
    fill_ul = _EDGE * math.sqrt(max(told.volume_var, 0.0))
    sensor_ul = told.offset_ul - min(max(told.offset_ul, -fill_ul), fill_ul)
    noise_var = float(x[s.RES_D1]) / 2.0
    edge_ul = _EDGE * math.sqrt(conformal.width**2 * var + noise_var)
    return abs(seen_ul - sensor_ul - left_ul) > edge_ul
