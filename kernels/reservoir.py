"""How much is left in the reservoir, and how much a counted microlitre really is.

States: V (uL left), k (truly delivered / counted; counted = encoder, measured flow where there is none, else program)
and o (uL, offset of the level sensor), as a Kalman filter of three states in the shared vector `x`
(`kernels.state`, block RESERVOIR). The encoder can't see the stroke, so k is learned only from the level sensor, from
flow measured beside a counter, and from what was drawn out at a fill. e = sensed / programmed has bounded memory and
turns programmed volume into counted volume; delivered / programmed = e k.

Recurrence for a counted volume u: V -= k u; Var V += u^2 Var k - 2 u Cov(V,k); k walks by WALK_SD a reservoir.
A level reading is z = V + o + noise. Readings are averaged over a block of 1/BLOCKS_A_RESERVOIR of the reservoir, and a
block is one update with H = [1, mean volume counted since the readings, 1]. What is informative is the slope: o has a
wide prior. The noise of a block is learned from D1, D2 = the mean squared differences of blocks one and two apart (less
the volume counted between, clipped at 3 sd): rho = D2/D1 - 1 is the lag-one correlation and the variance used is
D1/2 (1 + rho)/(1 - rho)^2, that of uncorrelated noise with the same information. A reading that stands still while three
of its quanta are counted is stuck and no longer used.

Scale-free: every sd is a share of the reservoir or learned, so that microlitres and hundreds of litres behave alike.
Forecasts are closed forms (Fieller): P(V - r p <= level) for a further programmed volume p.
Unknown V gives NaN; the ratio works without it. Sources: [S] and [P] as in design/domain.md, [P] = our parameter.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit

from kernels import state as st

DEFAULT_TOLERANCE: Final = 0.145  # [S] programmed +/-14.5 % (ANZCA), where registration says none
Z95: Final = 1.959963984540054  # tolerance and interval are both read as 95 %
WALK_SD: Final = 0.005  # of k, a reservoir delivered; [S] +1 % cumulative over six months (PMC4218763)
SYRINGE_SD: Final = (
    0.01  # of the reservoir, filling and drawing out [P]; 1/5 of a consequential misfill (Maino 2017)
)
NOMINAL_SD: Final = 0.025  # of the reservoir, where the filled volume was not said [P]
STATED_SD: Final = 0.01  # of the reservoir, a volume that the device or clinic states [P]
OFFSET_SD: Final = 0.05  # of the reservoir, level sensor's offset before anything is known of it [P]
OFFSET_WALK_SD: Final = 0.005  # of the reservoir, its change from fill to fill [P]
FLOW_SD: Final = 0.03  # calibration of a flow sensor, relative [P]
BLOCKS_A_RESERVOIR: Final = 512.0  # independent level updates a reservoir, at most [P]
RATIO_MEMORY: Final = 0.05  # of the reservoir: memory of e (1 mL of 20 mL: ten days at 0.1 mL/day) [P]
RATIO_PRIOR: Final = 0.001  # of the reservoir counted as e = 1 before anything was sensed [P]
RATIO_MEMORY_ROWS: Final = 1024.0  # memory of e where the reservoir is unknown [P]
MIN_BLOCKS: Final = 12.0  # block differences before the level counts [P]
NOISE_MEMORY: Final = 128.0  # block differences in D1 and D2 [P]
RHO_MARGIN: Final = 0.1  # chance part of D2/D1 - 1, about its sd over the memory [P]
RHO_MAX: Final = 0.85
CORRELATED: Final = 1.3  # D2/D1 from which blocks are made twice as long [P]
MAX_BLOCK_SCALE: Final = 16.0  # 1/32 of the reservoir [P]
TRUST_SHARE: Final = (
    8.0  # the level's word on k is withheld until k's variance is that much below a new pump's [P]
)
HUBER_Z: Final = 2.5  # innovations beyond pull no harder than this
GATE_Z: Final = 5.0  # level innovations beyond are refused, once
FILL_GATE_Z: Final = 4.0  # drawn-out volumes beyond are refused
SURPRISE_KEEP: Final = 0.8  # a forgetting sum over about five blocks
SURPRISE_LIMIT: Final = 8.3  # 5 sd of that sum of unit innovations, 5 sqrt(1 / (1 - 0.8^2))
SURPRISE_SHARE: Final = 0.25  # of a new pump's variance of k, given back at each surprise [P]
NOISE_FLOOR: Final = 1e-6  # of the reservoir: no sensor is better
STUCK_QUANTA: Final = 3.0
NO_SOURCE: Final = 0.0
FLOW_SOURCE: Final = 1.0
COUNTER_SOURCE: Final = 2.0


@njit(cache=True, nogil=True, error_model="numpy")
def _prior_var(x: np.ndarray) -> float:
    """Variance of k before anything is known: calibration of the flow sensor that counts, else the tolerance."""
    if x[st.RES_SOURCE] == FLOW_SOURCE:
        return FLOW_SD * FLOW_SD
    tolerance = x[st.FLOW_TOLERANCE]
    if not tolerance > 0.0:
        tolerance = DEFAULT_TOLERANCE
    sd = tolerance / Z95
    return sd * sd


@njit(cache=True, nogil=True, error_model="numpy")
def _close_level_run(x: np.ndarray) -> None:
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
def reset(x: np.ndarray) -> None:
    """Prepare the RESERVOIR block of `x` (float64[SIZE]): nothing known but the default tolerance."""
    for i in range(st.RES_V_UL, st.RES_FLOW_COUNTED_UL + 1):
        x[i] = 0.0
    x[st.RES_V_UL] = np.nan
    x[st.RES_DEVICE_UL] = np.nan
    x[st.RES_K] = 1.0
    x[st.RES_KK] = _prior_var(x)
    x[st.RES_LEVEL_UL] = np.nan
    x[st.RES_QUANTUM_UL] = np.nan
    x[st.RES_FILL_Z] = np.nan
    x[st.RES_SURPRISE] = np.nan
    x[st.RES_BLOCK_SCALE] = 1.0
    _close_level_run(x)


@njit(cache=True, nogil=True, error_model="numpy")
def _set_prior(x: np.ndarray) -> None:
    """Give k its prior variance for the present source and tolerance, and V what that means for it.

    Only while nothing was learned of k, which shows in its mean of exactly 1. V's error then is fill + a k, so that
    Cov = a Var k: both are scaled to the new variance.
    """
    old = x[st.RES_KK]
    if x[st.RES_K] != 1.0 or not old > 0.0:
        return
    new = _prior_var(x)
    a = x[st.RES_VK] / old
    x[st.RES_VV] += a * a * (new - old)
    x[st.RES_VK] = a * new
    x[st.RES_KK] = new


@njit(cache=True, nogil=True, error_model="numpy")
def register(x: np.ndarray) -> None:
    """After COMMON holds a registration: k's prior sd is tolerance / 1.96 (what was learned is kept)."""
    _set_prior(x)


@njit(cache=True, nogil=True, error_model="numpy")
def _joined(x: np.ndarray) -> tuple[float, float, float, float, float]:
    """(V, k, Var V, Cov(V, k), Var k) with the flow that was measured beside a counter taken in.

    That flow is one measurement of k, however many readings it averages: its calibration does not average out. So it
    is joined whenever the state is read, and never twice into the state.
    """
    v, k = x[st.RES_V_UL], x[st.RES_K]
    vv, vk, kk = x[st.RES_VV], x[st.RES_VK], x[st.RES_KK]
    if math.isnan(x[st.RES_SURPRISE]) and x[st.RES_BLOCKS] > 0.0:
        prior = _prior_var(x)  # V = ... + a k: the same line, with k as a new pump's
        a = vk / kk
        v += a * (1.0 - k)
        k = 1.0
        vv += a * (a * prior - vk)
        vk = a * prior
        kk = prior
    counted_ul = x[st.RES_FLOW_COUNTED_UL]
    if counted_ul > 0.0 and x[st.RES_SOURCE] == COUNTER_SOURCE:
        doubt = x[st.RESERVOIR_ML] * 1000.0 * RATIO_PRIOR / counted_ul  # while little was counted
        s = kk + FLOW_SD * FLOW_SD
        if doubt > 0.0:
            s += doubt * doubt
        innovation = x[st.RES_FLOW_UL] / counted_ul - k
        v += vk / s * innovation
        k += kk / s * innovation
        vv -= vk * vk / s
        vk -= vk * kk / s
        kk -= kk * kk / s
    return v, k, vv, vk, kk


@njit(cache=True, nogil=True, error_model="numpy")
def encoder_ratio(x: np.ndarray) -> float:
    """e = sensed / programmed, recent and volume-weighted; 1 before anything was sensed."""
    prior = x[st.RESERVOIR_ML] * 1000.0 * RATIO_PRIOR
    if not prior > 0.0:
        prior = 0.0
    below = x[st.RES_E_PROGRAMMED_UL] + prior
    if not below > 0.0:
        return 1.0
    return (x[st.RES_E_SENSED_UL] + prior) / below


@njit(cache=True, nogil=True, error_model="numpy")
def _sense_ratio(x: np.ndarray, sensed_ul: float, programmed_ul: float) -> None:
    """Take one pair into e; older pairs fade with the programmed volume."""
    memory = x[st.RESERVOIR_ML] * 1000.0 * RATIO_MEMORY
    keep = math.exp(-programmed_ul / memory) if memory > 0.0 else 1.0 - 1.0 / RATIO_MEMORY_ROWS
    x[st.RES_E_SENSED_UL] = keep * x[st.RES_E_SENSED_UL] + sensed_ul
    x[st.RES_E_PROGRAMMED_UL] = keep * x[st.RES_E_PROGRAMMED_UL] + programmed_ul


@njit(cache=True, nogil=True, error_model="numpy")
def _count(x: np.ndarray, u_ul: float) -> None:
    """Move the filter by a counted volume (negative where more was assumed than the counter confirms)."""
    k = x[st.RES_K]
    x[st.RES_LAG1_UL] -= k * u_ul
    x[st.RES_LAG2_UL] -= k * u_ul
    x[st.RES_BLOCK_U_UL] += x[st.RES_BLOCK_N] * u_ul
    if x[st.RES_BLOCK_N] > 0.0:
        x[st.RES_BLOCK_SPAN_UL] += u_ul
    x[st.RES_SAME_UL] += u_ul
    kk, vk = x[st.RES_KK], x[st.RES_VK]
    x[st.RES_V_UL] -= k * u_ul
    x[st.RES_VV] += u_ul * (u_ul * kk - 2.0 * vk)
    x[st.RES_VK] = vk - u_ul * kk
    x[st.RES_VO] -= u_ul * x[st.RES_KO]
    room = _prior_var(x) - kk  # the walk never makes k less known than a new pump's
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    if room > 0.0 and u_ul > 0.0 and reservoir_ul > 0.0:
        walked = min(WALK_SD * WALK_SD * u_ul / reservoir_ul, room)
        x[st.RES_KK] += walked
        x[st.RES_VK] -= (
            walked * u_ul / 2.0
        )  # the walk integrated into V, so that cutting an interval changes nothing
        x[st.RES_VV] += walked * u_ul * u_ul / 3.0


@njit(cache=True, nogil=True, error_model="numpy")
def advance(x: np.ndarray, programmed_ul: float, sensed_ul: float, counted: bool) -> float:  # noqa: FBT001
    """Move on by one interval and return the best estimate (uL, >= 0) of what was truly delivered in it.

    Parameters
    ----------
    programmed_ul
        All that the program asks of the reservoir since the last call: boluses and priming too.
    sensed_ul
        What was sensed up to this row; NaN = nothing was. From a counter it is the difference since the counter was
        last read, less what flow counted meanwhile; from flow it belongs to this interval.
    counted
        True where this row holds a counter reading: the difference replaces what was assumed since the last one. With
        NaN it is the first reading of a counter and only starts it.
    """
    x[st.RES_DEVICE_UL] -= programmed_ul
    e = encoder_ratio(x)
    if counted and x[st.RES_SOURCE] != COUNTER_SOURCE:
        if x[st.RES_SOURCE] == FLOW_SOURCE:  # k was about a flow sensor and says nothing about the stroke
            x[st.RES_K] = 1.0
            x[st.RES_VK] = 0.0
            x[st.RES_KO] = 0.0
            x[st.RES_E_SENSED_UL] = 0.0
            x[st.RES_E_PROGRAMMED_UL] = 0.0
        x[st.RES_SOURCE] = COUNTER_SOURCE
        _set_prior(x)
    if math.isnan(sensed_ul):
        x[st.RES_PENDING_UL] = 0.0 if counted else x[st.RES_PENDING_UL] + programmed_ul
        u = programmed_ul * e
    elif counted:
        pending = x[st.RES_PENDING_UL]
        u = sensed_ul - pending * e
        _sense_ratio(x, sensed_ul, pending + programmed_ul)
        x[st.RES_PENDING_UL] = 0.0
    else:
        if x[st.RES_SOURCE] == NO_SOURCE:
            x[st.RES_SOURCE] = FLOW_SOURCE
            _set_prior(x)
        if x[st.RES_SOURCE] == FLOW_SOURCE:
            _sense_ratio(x, sensed_ul, programmed_ul)
        u = sensed_ul
    delivered_ul = _joined(x)[1] * u
    _count(x, u)
    owed = x[st.RES_DEBT_UL] - delivered_ul
    x[st.RES_DEBT_UL] = max(owed, 0.0)
    return max(-owed, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _update(x: np.ndarray, h_k: float, h_o: float, residual: float, noise_var: float, gate_z: float) -> float:
    """One scalar Kalman update with H = [1, h_k, h_o]; returns the innovation in sds.

    Beyond HUBER_Z it pulls no harder than there (the noise counts as larger), beyond `gate_z` not at all.
    """
    p_v = x[st.RES_VV] + h_k * x[st.RES_VK] + h_o * x[st.RES_VO]
    p_k = x[st.RES_VK] + h_k * x[st.RES_KK] + h_o * x[st.RES_KO]
    p_o = x[st.RES_VO] + h_k * x[st.RES_KO] + h_o * x[st.RES_OO]
    s = p_v + h_k * p_k + h_o * p_o + noise_var
    z = residual / math.sqrt(s)
    if not abs(z) <= gate_z:
        return z
    s *= max(1.0, abs(z) / HUBER_Z)
    x[st.RES_V_UL] += p_v / s * residual
    x[st.RES_K] = max(x[st.RES_K] + p_k / s * residual, 0.0)
    x[st.RES_O_UL] += p_o / s * residual
    x[st.RES_VV] = max(x[st.RES_VV] - p_v * p_v / s, 0.0)
    x[st.RES_KK] = max(x[st.RES_KK] - p_k * p_k / s, 0.0)
    x[st.RES_OO] = max(x[st.RES_OO] - p_o * p_o / s, 0.0)
    x[st.RES_VK] -= p_v * p_k / s
    x[st.RES_VO] -= p_v * p_o / s
    x[st.RES_KO] -= p_k * p_o / s
    return z


@njit(cache=True, nogil=True, error_model="numpy")
def _anchor(x: np.ndarray, volume_ul: float, sd_ul: float) -> None:
    """V is known anew, apart from all that was before."""
    x[st.RES_V_UL] = volume_ul
    x[st.RES_VV] = sd_ul * sd_ul
    x[st.RES_VK] = 0.0
    x[st.RES_VO] = 0.0
    _close_level_run(x)


@njit(cache=True, nogil=True, error_model="numpy")
def _free_offset(x: np.ndarray) -> None:
    """Nothing is known of the offset but its prior."""
    sd = x[st.RESERVOIR_ML] * 1000.0 * OFFSET_SD
    x[st.RES_OO] = sd * sd
    x[st.RES_VO] = 0.0
    x[st.RES_KO] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def filled(x: np.ndarray, removed_ml: float, filled_ml: float, reservoir_ml: float) -> None:
    """A fill: what was drawn out measures the volume before it (and so k), what was filled is the volume after it.

    NaN `removed_ml` = unknown; NaN `filled_ml` = the nominal volume, with that uncertainty; both unknown with
    `reservoir_ml` leave V unknown. A drawn-out volume that contradicts the filter by FILL_GATE_Z is refused, and k's
    variance then goes back to that of a new pump, so that a second fill that says the same is believed. The innovation
    stays readable in RES_FILL_Z.
    """
    reservoir_ul = reservoir_ml * 1000.0
    scale_ul = reservoir_ul if reservoir_ul > 0.0 else filled_ml * 1000.0
    syringe_ul = SYRINGE_SD * scale_ul
    x[st.RES_FILL_Z] = np.nan
    _close_block(x)
    if not math.isnan(removed_ml + x[st.RES_V_UL]):
        residual_ul = removed_ml * 1000.0 - x[st.RES_V_UL]
        x[st.RES_FILL_Z] = _update(x, 0.0, 0.0, residual_ul, syringe_ul * syringe_ul, FILL_GATE_Z)
        if abs(x[st.RES_FILL_Z]) > FILL_GATE_Z:
            x[st.RES_KK] = max(x[st.RES_KK], _prior_var(x))
        else:
            x[st.RES_SURPRISE] = 0.0  # k is known by more than the level
    if math.isnan(filled_ml):
        _anchor(x, reservoir_ul, NOMINAL_SD * reservoir_ul)
    else:
        _anchor(x, filled_ml * 1000.0, syringe_ul)
    x[st.RES_DEVICE_UL] = x[st.RES_V_UL]
    x[st.RES_DEBT_UL] = 0.0
    walk_ul = OFFSET_WALK_SD * scale_ul
    x[st.RES_OO] += walk_ul * walk_ul
    if x[st.RES_BLOCKS] == 0.0:
        _free_offset(x)


@njit(cache=True, nogil=True, error_model="numpy")
def stated(x: np.ndarray, volume_ul: float) -> None:
    """A volume that the device or the clinic states (`volume_reported`, ledger reservoir): V starts anew from it.

    It says nothing of k: an implant states what its own programmed-rate arithmetic left.
    """
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    scale_ul = reservoir_ul if reservoir_ul > 0.0 else volume_ul
    _close_block(x)
    _anchor(x, volume_ul, STATED_SD * scale_ul)
    x[st.RES_DEVICE_UL] = volume_ul
    x[st.RES_DEBT_UL] = 0.0
    _free_offset(x)


@njit(cache=True, nogil=True, error_model="numpy")
def measured_flow(x: np.ndarray, flow_ul: float, counted_ul: float) -> None:
    """Flow measured beside a counter over one interval: the volume by flow and the volume by the counter, in uL.

    Their recent ratio measures k with the flow sensor's calibration as its sd; where a counter stands still with the
    flow, nothing is learned.
    """
    if not (flow_ul >= 0.0 and counted_ul >= 0.0):
        return
    memory = x[st.RESERVOIR_ML] * 1000.0 * RATIO_MEMORY
    keep = math.exp(-counted_ul / memory) if memory > 0.0 else 1.0 - 1.0 / RATIO_MEMORY_ROWS
    x[st.RES_FLOW_UL] = keep * x[st.RES_FLOW_UL] + flow_ul
    x[st.RES_FLOW_COUNTED_UL] = keep * x[st.RES_FLOW_COUNTED_UL] + counted_ul


@njit(cache=True, nogil=True, error_model="numpy")
def _block_ul(x: np.ndarray) -> float:
    """Counted volume that closes a level block."""
    return x[st.RESERVOIR_ML] * 1000.0 / BLOCKS_A_RESERVOIR * x[st.RES_BLOCK_SCALE]


@njit(cache=True, nogil=True, error_model="numpy")
def _block_noise_var(x: np.ndarray) -> float:
    """Variance of a block's mean that carries the information of the block: see the module's recurrence."""
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    d1 = x[st.RES_D1]
    rho = (
        min(max((x[st.RES_D2] / d1 - 1.0 - RHO_MARGIN) / (1.0 - RHO_MARGIN), 0.0), RHO_MAX)
        if d1 > 0.0
        else 0.0
    )
    var = d1 / 2.0 * (1.0 + rho) / ((1.0 - rho) * (1.0 - rho)) * (1.0 + 8.0 / x[st.RES_BLOCKS])
    quantum = x[st.RES_QUANTUM_UL]
    if (
        x[st.RES_SAME] > 0.3
    ):  # finer noise than the quantum: errors then are one sawtooth a quantum, not one a block
        var += quantum * quantum / 12.0 * max(1.0, quantum / _block_ul(x))
    floor_ul = NOISE_FLOOR * reservoir_ul
    return var + floor_ul * floor_ul


@njit(cache=True, nogil=True, error_model="numpy")
def _learn_noise(x: np.ndarray, at_end_ul: float) -> None:
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
def _surprised(x: np.ndarray, residual_ul: float, z: float) -> None:
    """Let go of what the level has contradicted for about five blocks.

    A jump (the last block alone is beyond the gate) may be the sensor's: offset and k start anew. A drift is k's: it
    starts anew, and V may be wrong by what has gathered.
    """
    if math.isnan(x[st.RES_SURPRISE]):
        if x[st.RES_KK] * TRUST_SHARE <= _prior_var(x):
            x[st.RES_SURPRISE] = 0.0
        return
    x[st.RES_SURPRISE] = SURPRISE_KEEP * x[st.RES_SURPRISE] + min(max(z, -3.0), 3.0)
    if abs(x[st.RES_SURPRISE]) < SURPRISE_LIMIT:
        return
    x[st.RES_SURPRISE] = 0.0
    x[st.RES_KK] += SURPRISE_SHARE * _prior_var(x)
    if abs(z) > GATE_Z:
        _free_offset(x)
    else:
        x[st.RES_VV] += residual_ul * residual_ul


@njit(cache=True, nogil=True, error_model="numpy")
def _close_block(x: np.ndarray) -> None:
    """One level update from the readings gathered, then an empty block."""
    n = x[st.RES_BLOCK_N]
    if not n > 0.0:
        return
    mean_ul = x[st.RES_BLOCK_Z_UL] / n
    since_ul = x[st.RES_BLOCK_U_UL] / n
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
    z = _update(x, since_ul, 1.0, residual_ul, _block_noise_var(x), GATE_Z)
    _surprised(x, residual_ul, z)


@njit(cache=True, nogil=True, error_model="numpy")
def level(x: np.ndarray, reservoir_ml: float) -> None:
    """A reading of the level sensor in mL (NaN = none), after `advance` to its row. Unused while the size is unknown."""
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    if not (reservoir_ml >= 0.0 and reservoir_ul > 0.0):
        return
    reading_ul = reservoir_ml * 1000.0
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
        _close_block(x)
    x[st.RES_BLOCK_N] += 1.0
    x[st.RES_BLOCK_Z_UL] += reading_ul


@njit(cache=True, nogil=True, error_model="numpy")
def volume(x: np.ndarray, out2: np.ndarray) -> None:
    """Best estimate of what is left and its sd, both uL, into `out2`; NaN while unknown."""
    v, _, vv, _, _ = _joined(x)
    out2[0] = v
    out2[1] = math.sqrt(max(vv, 0.0)) if not math.isnan(v) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _ratio_moments(x: np.ndarray) -> tuple[float, float, float, float, float]:
    """(V, r, Var V, Cov(V, r), Var r) of r = e k; e's variance is that of two roundings to a count."""
    v, k, vv, vk, kk = _joined(x)
    e = encoder_ratio(x)
    prior = x[st.RESERVOIR_ML] * 1000.0 * RATIO_PRIOR
    below = x[st.RES_E_PROGRAMMED_UL] + (prior if prior > 0.0 else 0.0)
    count_ul = x[st.ENCODER_UL_PER_COUNT]
    ee = 0.0
    if count_ul > 0.0 and below > 0.0 and x[st.RES_E_PROGRAMMED_UL] > 0.0:
        ee = count_ul * count_ul / (6.0 * below * below)
    return v, e * k, vv, e * vk, e * e * kk + k * k * ee


@njit(cache=True, nogil=True, error_model="numpy")
def ratio(x: np.ndarray, out3: np.ndarray) -> None:
    """delivered / programmed: mean, lower and upper end of the 95 % interval into `out3`."""
    _, r, _, _, rr = _ratio_moments(x)
    half = Z95 * math.sqrt(rr)
    out3[0] = r
    out3[1] = max(r - half, 0.0)
    out3[2] = r + half


@njit(cache=True, nogil=True, error_model="numpy")
def _normal_quantile(q: float) -> float:
    """Inverse of the standard normal distribution: Acklam's rational start, two Halley steps; exactly 0 at 0.5."""
    if q == 0.5:
        return 0.0
    if not 0.0 < q < 1.0:
        return np.nan
    t = math.sqrt(-2.0 * math.log(min(q, 1.0 - q)))
    z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (
        1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    )
    if q < 0.5:
        z = -z
    for _ in range(3):
        error = (0.5 * math.erfc(-z / math.sqrt(2.0)) - q) * math.sqrt(2.0 * math.pi) * math.exp(z * z / 2.0)
        z -= error / (1.0 + z * error / 2.0)
    return z


@njit(cache=True, nogil=True, error_model="numpy")
def needed_ul(x: np.ndarray, level_ul: float, quantile: float) -> float:
    """Further programmed volume (uL) by which V has come down to `level_ul` with probability `quantile`.

    0 where it has already, infinite where no volume reaches that probability, NaN where V is unknown. Solves
    r p - A = z sqrt(Var V - 2 p Cov + p^2 Var r), A = V - level (Fieller's quadratic).
    """
    v, r, vv, vr, rr = _ratio_moments(x)
    z = _normal_quantile(quantile)
    above = v - level_ul
    if math.isnan(above) or math.isnan(z):
        return np.nan
    zz = z * z
    if above + z * math.sqrt(vv) <= 0.0:
        return 0.0
    if z == 0.0:
        return above / r if r > 0.0 else np.inf
    a = r * r - zz * rr
    b = r * above - zz * vr
    c = above * above - zz * vv
    root = math.sqrt(max(b * b - a * c, 0.0))
    if z < 0.0:
        return c / (b + root) if b + root > 0.0 else np.inf
    if not (a > 0.0 and r > 0.0):
        return np.inf
    return (b + root) / a if b >= 0.0 else c / (b - root)


@njit(cache=True, nogil=True, error_model="numpy")
def probability_at_or_below(x: np.ndarray, level_ul: float, programmed_ul: float) -> float:
    """P(V - r p <= level) after a further programmed volume p; NaN where V is unknown."""
    v, r, vv, vr, rr = _ratio_moments(x)
    p = max(programmed_ul, 0.0)
    var = max(vv - 2.0 * p * vr + p * p * rr, 0.0)
    distance = r * p - (v - level_ul)
    if var == 0.0:
        return np.nan if math.isnan(distance) else (1.0 if distance >= 0.0 else 0.0)
    return 0.5 * math.erfc(-distance / math.sqrt(2.0 * var))


@njit(cache=True, nogil=True, error_model="numpy")
def probability_dry(x: np.ndarray, programmed_ul: float) -> float:
    """P(V - r p <= 0): the pump is dry once a further `programmed_ul` was programmed."""
    return probability_at_or_below(x, 0.0, programmed_ul)


@njit(cache=True, nogil=True, error_model="numpy")
def device_needed_ul(x: np.ndarray) -> float:
    """Further programmed volume at which the device's own arithmetic sounds its low alarm; negative once past."""
    return x[st.RES_DEVICE_UL] - x[st.LOW_RESERVOIR_ML] * 1000.0
