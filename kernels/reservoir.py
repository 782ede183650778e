"""How much is left in the reservoir, and how much a counted microlitre really is.

States: V (uL left), k (truly delivered / counted; counted = encoder, measured flow where there is none, else program) and o
(uL, offset of the level sensor), a Kalman filter of three states in the shared vector `x` (`kernels.state`, block
RESERVOIR). The encoder can't see the stroke, so k is learned only from the level sensor (kernels.level_sensor), from flow
measured beside a counter, and from what was drawn out at a fill. e = sensed / programmed has bounded memory and turns
programmed volume into counted volume; delivered / programmed = e k. Forecasts are in kernels.emptying.

Recurrence for a counted volume u: V -= k u; Var V += u^2 Var k - 2 u Cov(V, k); Cov(V, k) -= u Var k; k walks by WALK_SD a
reservoir, never beyond its prior; a step of k is found by kernels.shift. o walks as the sensor drifts. Measurements with H = [1, h_k, h_o] are scalar Kalman updates, softened beyond HUBER_Z
and refused beyond a gate.

Scale-free: every sd is a share of the reservoir or learned, so that microlitres and hundreds of litres behave alike.
Unknown V gives NaN; the ratio works without it. Sources: [S] and [P] as in design/domain.md, [P] = our parameter.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow
from kernels.emptying import (
    device_needed_ul,
    needed_ul,
    probability_at_or_below,
    probability_dry,
    ratio,
    volume,
)
from kernels.level_sensor import close_block, close_level_run, free_offset, level
from kernels.stroke import (
    COUNTER_SOURCE,
    DEFAULT_TOLERANCE,
    FLOW_SOURCE,
    RATIO_MEMORY,
    RATIO_MEMORY_ROWS,
    count,
    encoder_ratio,
    joined_k,
    prior_var,
    sense_ratio,
    update,
)

__all__ = [
    "DEFAULT_TOLERANCE",
    "advance",
    "device_needed_ul",
    "encoder_ratio",
    "filled",
    "level",
    "measured_flow",
    "needed_ul",
    "probability_at_or_below",
    "probability_dry",
    "ratio",
    "register",
    "reset",
    "stated",
    "taken",
    "volume",
]

SYRINGE_SD: Final = 0.01  # of the reservoir, filling and drawing out [P]; 1/5 of a misfill (Maino 2017)
NOMINAL_SD: Final = 0.025  # of the reservoir, where the filled volume was not said [P]
STATED_SD: Final = 0.01  # of the reservoir, a volume that the device or clinic states [P]
OFFSET_WALK_SD: Final = 0.005  # of the reservoir, its change from fill to fill [P]
FILL_GATE_Z: Final = 4.0  # drawn-out volumes beyond are refused
NO_SOURCE: Final = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def reset(x: NDArray[np.float64]) -> None:
    """Prepare the RESERVOIR block of `x` (float64[SIZE]): nothing known but the default tolerance."""
    for i in range(st.RES_V_UL, st.RES_FLOW_COUNTED_UL + 1):
        x[i] = 0.0
    x[st.RES_V_UL] = np.nan
    x[st.RES_DEVICE_UL] = np.nan
    x[st.RES_K] = 1.0
    x[st.RES_KK] = prior_var(x)
    x[st.RES_LEVEL_UL] = np.nan
    x[st.RES_QUANTUM_UL] = np.nan
    x[st.RES_SURPRISE] = np.nan
    x[st.RES_BLOCK_SCALE] = 1.0
    x[st.RES_WIDES] = 0.0
    x[st.RES_WANDER] = 0.0
    x[st.RES_TREND] = 0.0
    close_level_run(x)


@njit(cache=True, nogil=True, error_model="numpy")
def _set_prior(x: NDArray[np.float64]) -> None:
    """Give k its prior variance for the present source and tolerance, and V what that means for it.

    Only while nothing was learned of k, which shows in its mean of exactly 1. V's error then is fill + a k, so that
    Cov = a Var k: both are scaled to the new variance.
    """
    old = x[st.RES_KK]
    if x[st.RES_K] != 1.0 or not old > 0.0:
        return
    new = prior_var(x)
    a = x[st.RES_VK] / old
    x[st.RES_VV] += a * a * (new - old)
    x[st.RES_VK] = a * new
    x[st.RES_KK] = new


@njit(cache=True, nogil=True, error_model="numpy")
def register(x: NDArray[np.float64]) -> None:
    """After COMMON holds a registration: k's prior sd is tolerance / 1.96 (what was learned is kept)."""
    _set_prior(x)
    if x[st.RES_BLOCKS] == 0.0:
        free_offset(x)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def advance(x: NDArray[np.float64], programmed_ul: float, sensed_ul: float, counted: bool) -> float:
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
    x = borrow(x)
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
        sense_ratio(x, sensed_ul, pending + programmed_ul)
        x[st.RES_PENDING_UL] = 0.0
    else:
        if x[st.RES_SOURCE] == NO_SOURCE:
            x[st.RES_SOURCE] = FLOW_SOURCE
            _set_prior(x)
        if x[st.RES_SOURCE] == FLOW_SOURCE:
            sense_ratio(x, sensed_ul, programmed_ul)
        u = sensed_ul
    delivered_ul = joined_k(x) * u
    count(x, u)
    owed = x[st.RES_DEBT_UL] - delivered_ul
    x[st.RES_DEBT_UL] = max(owed, 0.0)
    return max(-owed, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def anchor(x: NDArray[np.float64], volume_ul: float, sd_ul: float) -> None:
    """V is known anew, apart from all that was before."""
    x[st.RES_V_UL] = volume_ul
    x[st.RES_VV] = sd_ul * sd_ul if sd_ul > 0.0 else 0.0
    x[st.RES_VK] = 0.0
    x[st.RES_VO] = 0.0
    close_level_run(x)


@njit(cache=True, nogil=True, error_model="numpy")
def filled(x: NDArray[np.float64], removed_ml: float, filled_ml: float, reservoir_ml: float) -> float:
    """Take a fill: what was drawn out measures the volume before it (and so k), what was filled is the one after.

    NaN `removed_ml` = unknown; NaN `filled_ml` = the nominal volume, with that uncertainty; both unknown with
    `reservoir_ml` leave V unknown. A drawn-out volume that contradicts the filter by FILL_GATE_Z is refused, and k's
    variance then goes back to that of a new pump, so that a second fill that says the same is believed. Returns the
    innovation in sds, NaN = unknown. Nothing drawn from a pump that should be dry says no more than that.
    """
    reservoir_ul = reservoir_ml * 1000.0
    scale_ul = reservoir_ul if reservoir_ul > 0.0 else filled_ml * 1000.0
    syringe_ul = SYRINGE_SD * scale_ul
    z = np.nan
    close_block(x)
    if not math.isnan(removed_ml + x[st.RES_V_UL]):
        residual_ul = removed_ml * 1000.0 - x[st.RES_V_UL]
        dry = x[st.RES_V_UL] <= 0.0 and removed_ml * 1000.0 <= 2.0 * syringe_ul
        z = 0.0 if dry else update(x, 0.0, 0.0, residual_ul, syringe_ul * syringe_ul, FILL_GATE_Z)
        if abs(z) > FILL_GATE_Z:
            x[st.RES_KK] = max(x[st.RES_KK], prior_var(x))
        elif not dry:
            x[st.RES_SURPRISE] = 0.0  # k is known by more than the level
    if math.isnan(filled_ml):
        anchor(x, reservoir_ul, NOMINAL_SD * reservoir_ul)
    else:
        anchor(x, filled_ml * 1000.0, syringe_ul)
    x[st.RES_DEVICE_UL] = x[st.RES_V_UL]
    x[st.RES_DEBT_UL] = 0.0
    walk_ul = OFFSET_WALK_SD * scale_ul
    if walk_ul > 0.0:
        x[st.RES_OO] += walk_ul * walk_ul
    if x[st.RES_BLOCKS] == 0.0:
        free_offset(x)
    return z


@njit(cache=True, nogil=True, error_model="numpy")
def taken(x: NDArray[np.float64], delivered_ul: float, programmed_ul: float) -> None:
    """Take what was delivered and programmed since a fill off it, both uL, where that fill is known only afterwards."""
    k = x[st.RES_K]
    count(x, delivered_ul / k if k > 0.0 else 0.0)
    x[st.RES_DEVICE_UL] -= programmed_ul


@njit(cache=True, nogil=True, error_model="numpy")
def stated(x: NDArray[np.float64], volume_ul: float) -> None:
    """Start V anew from a volume that device or clinic states (`volume_reported`, ledger reservoir).

    It says nothing of k: an implant states what its own programmed-rate arithmetic left.
    """
    reservoir_ul = x[st.RESERVOIR_ML] * 1000.0
    scale_ul = reservoir_ul if reservoir_ul > 0.0 else volume_ul
    close_block(x)
    anchor(x, volume_ul, STATED_SD * scale_ul)
    x[st.RES_DEVICE_UL] = volume_ul
    x[st.RES_DEBT_UL] = 0.0
    free_offset(x)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def measured_flow(x: NDArray[np.float64], flow_ul: float, counted_ul: float) -> None:
    """Flow measured beside a counter over one interval: the volume by flow and the volume by the counter, in uL.

    Their recent ratio measures k with the flow sensor's calibration as its sd; where a counter stands still with the
    flow, nothing is learned. A reading below zero is the noise of a pump that pulses, and counts as the one above zero does.
    """
    if not (abs(flow_ul) < np.inf and counted_ul >= 0.0):
        return
    memory = x[st.RESERVOIR_ML] * 1000.0 * RATIO_MEMORY
    keep = math.exp(-counted_ul / memory) if memory > 0.0 else 1.0 - 1.0 / RATIO_MEMORY_ROWS
    x[st.RES_FLOW_UL] = keep * x[st.RES_FLOW_UL] + flow_ul
    x[st.RES_FLOW_COUNTED_UL] = keep * x[st.RES_FLOW_COUNTED_UL] + counted_ul
