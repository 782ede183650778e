"""What a level sensor says of the stroke: blocks of readings, their noise, and sensors that stand still or jump.

A reading is z = V + o + noise, where o walks: sensors drift over days. Readings are averaged over a block of
1/BLOCKS_A_RESERVOIR of the reservoir, and a block is one update with H = [1, mean volume counted since the readings,
1]. What is informative is the slope: the offset o has a wide prior. The noise of a block is learned from D1, D2 = the
mean squared differences of blocks one and two apart (less the volume counted between and RES_TREND, what it is wrong
by of late: a step of the stroke is no noise; clipped at 3 sd): rho = D2/D1 - 1 is the lag-one correlation, and the
variance used is D1/2 (1 + rho)/(1 - rho)^2, that of uncorrelated noise with the same information. While blocks are
correlated they are made twice as long, up to MAX_BLOCK_SCALE. What is slower is drift: second differences of means
over 1/WIDES_A_RESERVOIR of the reservoir know no slope, and what the noise of blocks doesn't explain of their mean
square is the sensor's wander W. A share WALK_SHARE of it is taken as a walk of o, which limits what a whole reservoir
can teach, the rest as noise of wide blocks, which comes back. Until W was seen the walk goes by the clock
(DRIFT_DAY_SD), since a slow pump's sensor drifts as fast as another's, but never by more than neighbouring blocks
differ: a walk shows there. A step of the stroke is looked for by kernels.shift. A reading that stands still while
three of its quanta are counted is stuck and no longer used. What the level says of k is withheld (RES_SURPRISE is
NaN) until it is sure.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow
from kernels.shift import begin_shift, judge_shift
from kernels.stroke import update
from kernels.units import DAY_US

OFFSET_SD: Final = 0.05  # of the reservoir, level sensor's offset before anything is known of it [P]
BLOCKS_A_RESERVOIR: Final = 512.0  # independent level updates a reservoir, at most [P]
MIN_BLOCKS: Final = 8.0  # block differences before the level counts [P]
NOISE_MEMORY: Final = 128.0  # block differences in D1 and D2 [P]
TREND_MEMORY: Final = 8.0  # block differences in RES_TREND [P]
RHO_MARGIN: Final = 0.1  # chance part of D2/D1 - 1, about its sd over the memory [P]
RHO_MAX: Final = 0.6  # what is slower is drift
CORRELATED: Final = 1.3  # D2/D1 from which blocks are made twice as long [P]
MAX_BLOCK_SCALE: Final = 4.0  # 1/128 of the reservoir [P]
# The level's word on k is withheld until k's sd is so small: between prior and there, chance alone would page [P]
TRUSTED_SD: Final = 0.0165
CLEAR_Z: Final = 4.0  # or until k is so many of its sds from 1 [P]
COARSE: Final = 0.3  # share of unchanged readings from which the noise is finer than the quantum [P]
GATE_Z: Final = 5.0  # level innovations beyond are refused, once
JUMP_BLOCKS: Final = 2.0  # in a row beyond the gate: the sensor has jumped [P]
WIDES_A_RESERVOIR: Final = 16.0  # wide blocks, over which drift shows, a reservoir [P]
WIDE_MEMORY: Final = 32.0  # second differences in RES_WANDER: two reservoirs [P]
FIRST_WEIGHT: Final = 2.0  # differences' worth of belief in the drift by the clock [P]
BEND_CHANCE: Final = 2.5  # chance part of the differences, times the root of the number of differences
DRIFT_SD: Final = 0.004  # of the reservoir: how far any sensor's offset may walk while one is delivered [P]
DRIFT_DAY_SD: Final = 0.001  # of the reservoir, the same in a day, until the sensor's own drift was seen [P]
WALK_SHOWS: Final = 1.5  # of D1: the variance of a walk over a block whose means differ by no more than by it
WALK_SHARE: Final = 0.3  # of the drift seen over wide blocks: what does not come back over longer spans [P]
NOISE_FLOOR: Final = 1e-6  # of the reservoir: no sensor is better
EMPTY_Z: Final = 2.0  # so near to empty, in sds, a low reading stands at 0 and says nothing of the stroke [P]
STUCK_QUANTA: Final = 3.0


@njit(cache=True, nogil=True, error_model="numpy")
def close_level_run(x: NDArray[np.float64]) -> None:
    """Forget the open block and its predecessors: V has jumped and differences across the jump say nothing."""
    x[st.RES_BLOCK_N] = 0.0
    x[st.RES_BLOCK_Z_UL] = 0.0
    x[st.RES_BLOCK_U_UL] = 0.0
    x[st.RES_BLOCK_SPAN_UL] = 0.0
    x[st.RES_LAG1_UL] = np.nan
    x[st.RES_LAG2_UL] = np.nan
    x[st.RES_RUN_UL] = 0.0
    x[st.RES_BLOCK_US] = np.nan
    x[st.RES_WIDE_N] = 0.0
    x[st.RES_WIDE_Z_UL] = 0.0
    x[st.RES_WIDE_UL] = 0.0
    x[st.RES_WIDE1_UL] = np.nan
    x[st.RES_WIDE2_UL] = np.nan
    begin_shift(x)
    if not math.isnan(x[st.RES_SURPRISE]):
        x[st.RES_SURPRISE] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def free_offset(x: NDArray[np.float64]) -> None:
    """Nothing is known of the offset but its prior."""
    sd_ul = x[st.RESERVOIR_ML] * 1000.0 * OFFSET_SD
    x[st.RES_OO] = sd_ul * sd_ul if sd_ul > 0.0 else 0.0
    x[st.RES_VO] = 0.0
    x[st.RES_KO] = 0.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _block_ul(x: NDArray[np.float64]) -> float:
    """Return the counted volume (uL) that closes a level block."""
    return x[st.RESERVOIR_ML] * 1000.0 / BLOCKS_A_RESERVOIR * x[st.RES_BLOCK_SCALE]


@njit(cache=True, nogil=True, error_model="numpy")
def _short_noise_var(x: NDArray[np.float64]) -> float:
    """Variance of a block's mean that carries the information of the block, slow drift apart."""
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    d1 = x[st.RES_D1]
    rho = 0.0
    if d1 > 0.0:
        rho = min(max((x[st.RES_D2] / d1 - 1.0 - RHO_MARGIN) / (1.0 - RHO_MARGIN), 0.0), RHO_MAX)
    var = d1 / 2.0 * (1.0 + rho) / ((1.0 - rho) * (1.0 - rho)) * (1.0 + 8.0 / x[st.RES_BLOCKS])
    quantum = x[st.RES_QUANTUM_UL]
    if x[st.RES_SAME] > COARSE:  # errors then are one sawtooth a quantum, not one a block
        var += quantum * quantum / 12.0 * max(1.0, quantum / _block_ul(x))
    floor_ul = NOISE_FLOOR * reservoir_ul
    return var + floor_ul * floor_ul


@njit(cache=True, nogil=True, error_model="numpy")
def _carry(x: NDArray[np.float64], run_ul: float) -> None:
    """Carry what is remembered of earlier blocks, and the signature of a step of k, over the volume counted since."""
    lost_ul = x[st.RES_K] * run_ul
    x[st.RES_LAG1_UL] -= lost_ul
    x[st.RES_LAG2_UL] -= lost_ul
    x[st.RES_WIDE1_UL] -= run_ul  # with k = 1: a second difference knows no slope, nor what is thought of it
    x[st.RES_WIDE2_UL] -= run_ul
    x[st.RES_WIDE_Z_UL] -= x[st.RES_WIDE_N] * run_ul
    x[st.RES_SHIFT_V] -= x[st.RES_SHIFT_K] * run_ul
    x[st.RES_SHIFT_UL] += run_ul


@njit(cache=True, nogil=True, error_model="numpy")
def _learn_noise(x: NDArray[np.float64], at_end_ul: float, run_ul: float) -> None:
    """Take a block's mean, carried to the block's end, into D1 and D2 (see the module's recurrence)."""
    steeper_ul = x[st.RES_TREND] * run_ul
    d1 = at_end_ul - x[st.RES_LAG1_UL] + steeper_ul
    d2 = at_end_ul - x[st.RES_LAG2_UL] + 2.0 * steeper_ul
    if not math.isnan(d1):
        x[st.RES_BLOCKS] += 1.0
        if run_ul > 0.0:
            x[st.RES_TREND] -= d1 / run_ul / min(x[st.RES_BLOCKS], TREND_MEMORY)
        gain = 1.0 / min(x[st.RES_BLOCKS], NOISE_MEMORY)
        old = x[st.RES_D1]
        clipped = d1 * d1 if old == 0.0 else min(d1 * d1, 9.0 * old)
        x[st.RES_D1] = old + gain * (clipped - old)
        old = x[st.RES_D2]
        if math.isnan(d2):
            d2 = d1
        clipped = d2 * d2 if old == 0.0 else min(d2 * d2, 9.0 * old)
        x[st.RES_D2] = old + gain * (clipped - old)
    x[st.RES_LAG2_UL] = x[st.RES_LAG1_UL]
    x[st.RES_LAG1_UL] = at_end_ul
    if (
        x[st.RES_BLOCKS] >= 2.0 * MIN_BLOCKS
        and x[st.RES_D2] > CORRELATED * x[st.RES_D1]
        and x[st.RES_BLOCK_SCALE] < MAX_BLOCK_SCALE
    ):
        x[st.RES_BLOCK_SCALE] *= 2.0
        x[st.RES_BLOCKS] = MIN_BLOCKS  # what was learned is a cautious start for the longer blocks


@njit(cache=True, nogil=True, error_model="numpy")
def _learn_drift(
    x: NDArray[np.float64], at_end_ul: float, run_ul: float, noise_var: float, elapsed_us: float
) -> None:
    """Take a block's mean into the open wide block; a full one adds a second difference to RES_WANDER."""
    x[st.RES_WIDE_N] += 1.0
    x[st.RES_WIDE_Z_UL] += at_end_ul
    x[st.RES_WIDE_UL] += run_ul
    if x[st.RES_WIDE_UL] * WIDES_A_RESERVOIR < x[st.RESERVOIR_ML] * 1000.0:
        return
    n = x[st.RES_WIDE_N]
    mean_ul = x[st.RES_WIDE_Z_UL] / n
    bend = mean_ul - 2.0 * x[st.RES_WIDE1_UL] + x[st.RES_WIDE2_UL]
    x[st.RES_WIDE2_UL] = x[st.RES_WIDE1_UL]
    x[st.RES_WIDE1_UL] = mean_ul
    x[st.RES_WIDE_N] = 0.0
    x[st.RES_WIDE_Z_UL] = 0.0
    x[st.RES_WIDE_UL] = 0.0
    if math.isnan(bend):
        return
    x[st.RES_WIDES] += 1.0
    wides = min(x[st.RES_WIDES], WIDE_MEMORY)
    explained = 6.0 * noise_var / n
    old = x[st.RES_WANDER]
    believed = old
    if wides == 1.0:  # a walk bends the means of equal spans by the variance of its steps over one
        day_ul = DRIFT_DAY_SD * x[st.RESERVOIR_ML] * 1000.0
        believed = day_ul * day_ul * n * max(elapsed_us, 0.0) / DAY_US
    square = min(bend * bend, 9.0 * (explained + max(believed, 0.0)))
    x[st.RES_WANDER] = old + (square - explained - old) / wides


@njit(cache=True, nogil=True, error_model="numpy")
def _wander(x: NDArray[np.float64], noise_var: float, run_ul: float) -> float:
    """Second differences (uL^2) that are drift beyond chance; blocks are of `run_ul` and `noise_var`."""
    wides = min(x[st.RES_WIDES], WIDE_MEMORY)
    if not wides > 0.0:
        return 0.0
    share = WIDES_A_RESERVOIR * run_ul / (x[st.RESERVOIR_ML] * 1000.0)
    chance = BEND_CHANCE / math.sqrt(wides) * 6.0 * noise_var * min(share, 1.0)
    return max(x[st.RES_WANDER] - chance, 0.0) * wides / (wides + FIRST_WEIGHT)


@njit(cache=True, nogil=True, error_model="numpy")
def _walk_offset(x: NDArray[np.float64], wander: float, run_ul: float, elapsed_us: float) -> None:
    """Let the offset walk since the last block: by what was seen over wide blocks and, while little was, by the clock."""
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    share = run_ul / reservoir_ul
    sd_ul = DRIFT_SD * reservoir_ul
    walked = WALK_SHARE * WIDES_A_RESERVOIR * wander * share
    if elapsed_us > 0.0:
        day_ul = DRIFT_DAY_SD * reservoir_ul
        weight = FIRST_WEIGHT / (min(x[st.RES_WIDES], WIDE_MEMORY) + FIRST_WEIGHT)
        shown = WALK_SHOWS * x[st.RES_D1] * (1.0 + 8.0 / x[st.RES_BLOCKS])
        walked += weight * min(day_ul * day_ul * (elapsed_us / DAY_US), shown)
    x[st.RES_OO] += max(share * sd_ul * sd_ul, walked)


@njit(cache=True, nogil=True, error_model="numpy")
def _surprised(x: NDArray[np.float64], z: float, score_before: float) -> None:
    """Judge what the level has contradicted: a jump of the sensor, a step of k, or neither.

    Before the level's word counts no jump is looked for. A jump: several blocks in a row beyond the gate. The offset starts
    anew, and a step of k, if it is one, shows from there.
    """
    stepped = judge_shift(x, score_before)
    if math.isnan(x[st.RES_SURPRISE]):
        clear = (x[st.RES_K] - 1.0) / CLEAR_Z
        if x[st.RES_KK] <= max(TRUSTED_SD * TRUSTED_SD, clear * clear):
            x[st.RES_SURPRISE] = 0.0
        return
    if stepped or not abs(z) > GATE_Z:
        x[st.RES_SURPRISE] = 0.0
        return
    x[st.RES_SURPRISE] += 1.0
    if x[st.RES_SURPRISE] >= JUMP_BLOCKS:
        x[st.RES_SURPRISE] = 0.0
        free_offset(x)


@njit(cache=True, nogil=True, error_model="numpy")
def close_block(x: NDArray[np.float64]) -> None:
    """One level update from the readings gathered, then an empty block."""
    n = x[st.RES_BLOCK_N]
    if not n > 0.0:
        return
    mean_ul = x[st.RES_BLOCK_Z_UL] / n
    since_ul = x[st.RES_BLOCK_U_UL] / n
    run_ul = x[st.RES_RUN_UL]
    x[st.RES_BLOCK_N] = 0.0
    x[st.RES_BLOCK_Z_UL] = 0.0
    x[st.RES_BLOCK_U_UL] = 0.0
    x[st.RES_BLOCK_SPAN_UL] = 0.0
    x[st.RES_RUN_UL] = 0.0
    elapsed_us = x[st.T_US] - x[st.RES_BLOCK_US]
    x[st.RES_BLOCK_US] = x[st.T_US]
    if math.isnan(x[st.RES_QUANTUM_UL]):
        return  # a reading that never changed yet may be a dead sensor's
    _carry(x, run_ul)
    at_end_ul = mean_ul - x[st.RES_K] * since_ul
    _learn_noise(x, at_end_ul, run_ul)
    if x[st.RES_BLOCKS] < MIN_BLOCKS or not run_ul > 0.0:
        return
    short_var = _short_noise_var(x)
    _learn_drift(x, mean_ul - since_ul, run_ul, short_var, elapsed_us)
    if math.isnan(x[st.RES_V_UL]):
        return
    wander = _wander(x, short_var, run_ul)
    _walk_offset(x, wander, run_ul, elapsed_us)
    wide_ul = x[st.RESERVOIR_ML] * 1000.0 / WIDES_A_RESERVOIR
    returning = (1.0 - WALK_SHARE) * wander / 6.0 * wide_ul / run_ul
    residual_ul = mean_ul - (x[st.RES_V_UL] + x[st.RES_K] * since_ul + x[st.RES_O_UL])
    score_before = x[st.RES_SHIFT_SCORE]
    z = update(x, since_ul, 1.0, residual_ul, short_var + returning, GATE_Z)
    _surprised(x, z, score_before)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def level(x: NDArray[np.float64], reservoir_ml: float) -> None:
    """Take a reading of the level sensor in mL (NaN = none), after `advance` to its row.

    Unused while the reservoir's size is unknown, and once the estimate is near empty and the reading agrees: a dry
    reservoir's level stands still and says nothing of the stroke.
    """
    x = borrow(x)
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    if not (reservoir_ml >= 0.0 and reservoir_ul > 0.0):
        return
    reading_ul = reservoir_ml * 1000.0
    left_ul = x[st.RES_V_UL]
    near_ul2 = EMPTY_Z * EMPTY_Z * (x[st.RES_VV] + x[st.RES_D1])
    if left_ul <= 0.0 or left_ul * left_ul <= near_ul2:
        seen_ul = reading_ul - x[st.RES_O_UL]
        if seen_ul <= 0.0 or seen_ul * seen_ul <= near_ul2:
            return
    change_ul = abs(reading_ul - x[st.RES_LEVEL_UL])
    x[st.RES_LEVEL_UL] = reading_ul
    if change_ul > 1e-9 * reservoir_ul:  # less is the rounding of a float
        x[st.RES_SAME_UL] = 0.0
        x[st.RES_SAME] -= x[st.RES_SAME] / 32.0
        if not x[st.RES_QUANTUM_UL] <= change_ul:
            x[st.RES_QUANTUM_UL] = change_ul
    elif not math.isnan(change_ul):
        x[st.RES_SAME] += (1.0 - x[st.RES_SAME]) / 32.0
        if x[st.RES_SAME_UL] > STUCK_QUANTA * x[st.RES_QUANTUM_UL]:
            return
    if x[st.RES_BLOCK_SPAN_UL] >= _block_ul(x):
        close_block(x)
    x[st.RES_BLOCK_N] += 1.0
    x[st.RES_BLOCK_Z_UL] += reading_ul
