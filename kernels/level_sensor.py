"""What a level sensor says of the stroke: blocks of readings, their noise, and sensors that stand still or jump.

A reading is z = V + o + noise. Readings are averaged over a block of 1/BLOCKS_A_RESERVOIR of the reservoir, and a block is
one update with H = [1, mean volume counted since the readings, 1]. What is informative is the slope: the offset o has a
wide prior. The noise of a block is learned from D1, D2 = the mean squared differences of blocks one and two apart (less the
volume counted between, clipped at 3 sd): rho = D2/D1 - 1 is the lag-one correlation, and the variance used is
D1/2 (1 + rho)/(1 - rho)^2, that of uncorrelated noise with the same information. While blocks are correlated they are made
twice as long, up to MAX_BLOCK_SCALE. A reading that stands still while three of its quanta are counted is stuck and no
longer used. What the level says of k is withheld (RES_SURPRISE is NaN) until it is sure.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow
from kernels.stroke import prior_var, update

OFFSET_SD: Final = 0.05  # of the reservoir, level sensor's offset before anything is known of it [P]
BLOCKS_A_RESERVOIR: Final = 512.0  # independent level updates a reservoir, at most [P]
MIN_BLOCKS: Final = 12.0  # block differences before the level counts [P]
NOISE_MEMORY: Final = 128.0  # block differences in D1 and D2 [P]
RHO_MARGIN: Final = 0.1  # chance part of D2/D1 - 1, about its sd over the memory [P]
RHO_MAX: Final = 0.85
CORRELATED: Final = 1.3  # D2/D1 from which blocks are made twice as long [P]
MAX_BLOCK_SCALE: Final = 16.0  # 1/32 of the reservoir [P]
# The level's word on k is withheld until k's sd is so small: between prior and there, chance alone would page [P]
TRUSTED_SD: Final = 0.0165
COARSE: Final = 0.3  # share of unchanged readings from which the noise is finer than the quantum [P]
GATE_Z: Final = 5.0  # level innovations beyond are refused, once
SURPRISE_KEEP: Final = 0.8  # a forgetting sum over about five blocks
SURPRISE_LIMIT: Final = 8.3  # 5 sd of that sum of unit innovations, 5 sqrt(1 / (1 - 0.8^2))
SURPRISE_SHARE: Final = 0.25  # of a new pump's variance of k, given back at each surprise [P]
SURPRISE_BLOCKS: Final = 8.0  # how long ago k changed when it shows [P]
NOISE_FLOOR: Final = 1e-6  # of the reservoir: no sensor is better
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
def _block_noise_var(x: NDArray[np.float64]) -> float:
    """Variance of a block's mean that carries the information of the block: see the module's recurrence."""
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
def _learn_noise(x: NDArray[np.float64], at_end_ul: float) -> None:
    """Take a block's mean, carried to the block's end, into D1 and D2 (see the module's recurrence)."""
    d1 = at_end_ul - x[st.RES_LAG1_UL]
    d2 = at_end_ul - x[st.RES_LAG2_UL]
    if not math.isnan(d1):
        x[st.RES_BLOCKS] += 1.0
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
def _surprised(x: NDArray[np.float64], span_ul: float, z: float) -> None:
    """Let go of what the level has contradicted for about five blocks.

    A jump (the last block alone is beyond the gate) may be the sensor's: its offset starts anew and k is freed. A drift
    is k's, from SURPRISE_BLOCKS blocks of `span_ul` ago, so that V carries what has gathered since. k's sd doubles with
    each surprise that follows another.
    """
    if math.isnan(x[st.RES_SURPRISE]):
        if x[st.RES_KK] <= TRUSTED_SD * TRUSTED_SD:
            x[st.RES_SURPRISE] = 0.0
        return
    x[st.RES_SURPRISE] = SURPRISE_KEEP * x[st.RES_SURPRISE] + min(max(z, -3.0), 3.0)
    if abs(x[st.RES_SURPRISE]) < SURPRISE_LIMIT:
        return
    x[st.RES_SURPRISE] = 0.0
    walked = max(SURPRISE_SHARE * prior_var(x), 3.0 * x[st.RES_KK])
    x[st.RES_KK] += 1.25 * walked  # a quarter apart from V: when it changed is not known so well
    if abs(z) > GATE_Z:
        free_offset(x)
    else:
        ago_ul = SURPRISE_BLOCKS * span_ul
        x[st.RES_VK] -= walked * ago_ul
        x[st.RES_VV] += walked * ago_ul * ago_ul


@njit(cache=True, nogil=True, error_model="numpy")
def close_block(x: NDArray[np.float64]) -> None:
    """One level update from the readings gathered, then an empty block."""
    n = x[st.RES_BLOCK_N]
    if not n > 0.0:
        return
    mean_ul = x[st.RES_BLOCK_Z_UL] / n
    since_ul = x[st.RES_BLOCK_U_UL] / n
    span_ul = x[st.RES_BLOCK_SPAN_UL]
    x[st.RES_BLOCK_N] = 0.0
    x[st.RES_BLOCK_Z_UL] = 0.0
    x[st.RES_BLOCK_U_UL] = 0.0
    x[st.RES_BLOCK_SPAN_UL] = 0.0
    if math.isnan(x[st.RES_QUANTUM_UL]):
        return  # a reading that never changed yet may be a dead sensor's
    _learn_noise(x, mean_ul - x[st.RES_K] * since_ul)
    if x[st.RES_BLOCKS] < MIN_BLOCKS or math.isnan(x[st.RES_V_UL]):
        return
    residual_ul = mean_ul - (x[st.RES_V_UL] + x[st.RES_K] * since_ul + x[st.RES_O_UL])
    z = update(x, since_ul, 1.0, residual_ul, _block_noise_var(x), GATE_Z)
    _surprised(x, span_ul, z)


@njit(cache=True, nogil=True, error_model="numpy")
def level(x: NDArray[np.float64], reservoir_ml: float) -> None:
    """Take a reading of the level sensor in mL (NaN = none), after `advance` to its row.

    Unused while the reservoir's size is unknown, and once the estimate is at empty and the reading agrees: a dry
    reservoir's level stands still and says nothing of the stroke.
    """
    x = borrow(x)
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    if not (reservoir_ml >= 0.0 and reservoir_ul > 0.0):
        return
    reading_ul = reservoir_ml * 1000.0
    if x[st.RES_V_UL] <= 0.0 and reading_ul - x[st.RES_O_UL] <= math.sqrt(x[st.RES_VV] + x[st.RES_D1]):
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
