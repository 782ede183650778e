"""The filter behind kernels.reservoir: state, prior, prediction by counted volume, and one scalar update.

The model, its recurrence and its sources are in kernels.reservoir.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.shift import weigh_shift

DEFAULT_TOLERANCE: Final = 0.145  # [S] programmed +/-14.5 % (ANZCA), where registration says none
Z95: Final = 1.959963984540054  # tolerance and interval are both read as 95 %
WALK_SD: Final = 0.005  # of k, a reservoir delivered; [S] +1 % cumulative over six months (PMC4218763)
FLOW_SD: Final = 0.03  # calibration of a flow sensor, relative [P]
RATIO_MEMORY: Final = 0.05  # of the reservoir: memory of e (1 mL of 20 mL: ten days at 0.1 mL/day) [P]
RATIO_PRIOR: Final = 0.001  # of the reservoir counted as e = 1 before anything was sensed [P]
FLOW_DOUBT: Final = 1e-4  # of the reservoir: counted volume by which flow beside a counter means nothing [P]
RATIO_MEMORY_ROWS: Final = 1024.0  # memory of e where the reservoir is unknown [P]
HUBER_Z: Final = 2.5  # innovations beyond pull no harder than this
FLOW_SOURCE: Final = 1.0
COUNTER_SOURCE: Final = 2.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def prior_var(x: NDArray[np.float64]) -> float:
    """Variance of k before anything is known: calibration of the flow sensor that counts, else the tolerance."""
    if x[st.RES_SOURCE] == FLOW_SOURCE:
        return FLOW_SD * FLOW_SD
    tolerance = x[st.FLOW_TOLERANCE]
    if not tolerance > 0.0:
        tolerance = DEFAULT_TOLERANCE
    sd = tolerance / Z95
    return sd * sd


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def joined_k(x: NDArray[np.float64]) -> float:
    """Return the mean of k in `joined`, for every row."""
    k, kk = x[st.RES_K], x[st.RES_KK]
    if math.isnan(x[st.RES_SURPRISE]) and x[st.RES_BLOCKS] > 0.0:
        k = 1.0
        kk = prior_var(x)
    counted_ul = x[st.RES_FLOW_COUNTED_UL]
    if counted_ul > 0.0 and x[st.RES_SOURCE] == COUNTER_SOURCE:
        doubt = x[st.RESERVOIR_ML] * 1000.0 * FLOW_DOUBT / counted_ul
        s = kk + FLOW_SD * FLOW_SD
        if doubt > 0.0:
            s += doubt * doubt
        k += kk / s * (x[st.RES_FLOW_UL] / counted_ul - k)
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def joined(x: NDArray[np.float64]) -> tuple[float, float, float, float, float]:
    """(V, k, Var V, Cov(V, k), Var k) with the flow that was measured beside a counter taken in.

    That flow is one measurement of k, however many readings it averages: its calibration does not average out. So it
    is joined whenever the state is read, and never twice into the state.
    """
    v, k = x[st.RES_V_UL], x[st.RES_K]
    vv, vk, kk = x[st.RES_VV], x[st.RES_VK], x[st.RES_KK]
    if math.isnan(x[st.RES_SURPRISE]) and x[st.RES_BLOCKS] > 0.0:
        prior = prior_var(x)  # V = ... + a k: the same line, with k as a new pump's
        a = vk / kk
        v += a * (1.0 - k)
        k = 1.0
        vv += a * (a * prior - vk)
        vk = a * prior
        kk = prior
    counted_ul = x[st.RES_FLOW_COUNTED_UL]
    if counted_ul > 0.0 and x[st.RES_SOURCE] == COUNTER_SOURCE:
        doubt = x[st.RESERVOIR_ML] * 1000.0 * FLOW_DOUBT / counted_ul  # while little was counted
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


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def encoder_ratio(x: NDArray[np.float64]) -> float:
    """E = sensed / programmed, recent and volume-weighted; 1 before anything was sensed."""
    below = x[st.RES_E_PROGRAMMED_UL]
    return x[st.RES_E_SENSED_UL] / below if below > 0.0 else 1.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def sense_ratio(x: NDArray[np.float64], sensed_ul: float, programmed_ul: float) -> None:
    """Take one pair into e; older pairs fade with the programmed volume."""
    if not x[st.RES_E_PROGRAMMED_UL] > 0.0:
        prior = x[st.RESERVOIR_ML] * 1000.0 * RATIO_PRIOR
        if prior > 0.0:
            x[st.RES_E_SENSED_UL] = x[st.RES_E_PROGRAMMED_UL] = prior
        elif not programmed_ul > 0.0:
            return  # no scale and no program: nothing to compare with
    memory = x[st.RESERVOIR_ML] * 1000.0 * RATIO_MEMORY
    keep = math.exp(-programmed_ul / memory) if memory > 0.0 else 1.0 - 1.0 / RATIO_MEMORY_ROWS
    x[st.RES_E_SENSED_UL] = keep * x[st.RES_E_SENSED_UL] + sensed_ul
    x[st.RES_E_PROGRAMMED_UL] = keep * x[st.RES_E_PROGRAMMED_UL] + programmed_ul


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def count(x: NDArray[np.float64], u_ul: float) -> None:
    """Move the filter by a counted volume (negative where more was assumed than the counter confirms)."""
    k = x[st.RES_K]
    x[st.RES_RUN_UL] += u_ul
    x[st.RES_BLOCK_U_UL] += x[st.RES_BLOCK_N] * u_ul
    if x[st.RES_BLOCK_N] > 0.0:
        x[st.RES_BLOCK_SPAN_UL] += u_ul
    x[st.RES_SAME_UL] += u_ul
    kk, vk = x[st.RES_KK], x[st.RES_VK]
    x[st.RES_V_UL] -= k * u_ul
    x[st.RES_VV] += u_ul * (u_ul * kk - 2.0 * vk)
    x[st.RES_VK] = vk - u_ul * kk
    x[st.RES_VO] -= u_ul * x[st.RES_KO]
    room = prior_var(x) - kk  # the walk never makes k less known than a new pump's
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    if room > 0.0 and u_ul > 0.0 and reservoir_ul > 0.0:
        walked = min(WALK_SD * WALK_SD * u_ul / reservoir_ul, room)
        x[st.RES_KK] += walked
        x[st.RES_VK] -= (
            walked * u_ul / 2.0
        )  # the walk integrated into V, so that cutting an interval changes nothing
        x[st.RES_VV] += walked * u_ul * u_ul / 3.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def update(
    x: NDArray[np.float64], h_k: float, h_o: float, residual: float, noise_var: float, gate_z: float
) -> float:
    """One scalar Kalman update with H = [1, h_k, h_o]; returns the innovation in sds.

    Beyond HUBER_Z it pulls no harder than there (the noise counts as larger), beyond `gate_z` not at all. The test for a
    shift of k (kernels.shift) sees the same innovation, and its signature loses what the update takes.
    """
    p_v = x[st.RES_VV] + h_k * x[st.RES_VK] + h_o * x[st.RES_VO]
    p_k = x[st.RES_VK] + h_k * x[st.RES_KK] + h_o * x[st.RES_KO]
    p_o = x[st.RES_VO] + h_k * x[st.RES_KO] + h_o * x[st.RES_OO]
    s = p_v + h_k * p_k + h_o * p_o + noise_var
    z = residual / math.sqrt(s)
    seen = x[st.RES_SHIFT_V] + h_k * x[st.RES_SHIFT_K] + h_o * x[st.RES_SHIFT_O]
    weigh_shift(x, seen / math.sqrt(s), z)
    if not abs(z) <= gate_z:
        return z
    s *= max(1.0, abs(z) / HUBER_Z)
    x[st.RES_SHIFT_V] -= p_v / s * seen
    x[st.RES_SHIFT_K] -= p_k / s * seen
    x[st.RES_SHIFT_O] -= p_o / s * seen
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
