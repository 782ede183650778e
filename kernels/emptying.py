"""When the reservoir will be empty: closed forms in further programmed volume (Fieller).

V and r = e k are jointly normal, so P(V - r p <= level) is known for every further programmed volume p, and the p of a given
probability solves a quadratic. The median is (V - level) / r, exactly. The state is that of kernels.reservoir.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.stroke import Z95, encoder_ratio, joined


@njit(cache=True, nogil=True, error_model="numpy")
def volume(x: NDArray[np.float64], out2: NDArray[np.float64]) -> None:
    """Best estimate of what is left and its sd, both uL, into `out2`; NaN while unknown."""
    v, _, vv, _, _ = joined(x)
    out2[0] = v
    out2[1] = math.sqrt(max(vv, 0.0)) if not math.isnan(v) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def ratio_moments(x: NDArray[np.float64]) -> tuple[float, float, float, float, float]:
    """(V, r, Var V, Cov(V, r), Var r) of r = e k; e's variance is that of two roundings to a count."""
    v, k, vv, vk, kk = joined(x)
    e = encoder_ratio(x)
    below = x[st.RES_E_PROGRAMMED_UL]
    count_ul = x[st.ENCODER_UL_PER_COUNT]
    ee = 0.0
    if count_ul > 0.0 and below > 0.0:
        ee = count_ul * count_ul / (6.0 * below * below)
    return v, e * k, vv, e * vk, e * e * kk + k * k * ee


@njit(cache=True, nogil=True, error_model="numpy")
def ratio(x: NDArray[np.float64], out3: NDArray[np.float64]) -> None:
    """Delivered / programmed: mean, lower and upper end of the 95 % interval into `out3`."""
    _, r, _, _, rr = ratio_moments(x)
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
def needed_ul(x: NDArray[np.float64], level_ul: float, quantile: float) -> float:
    """Further programmed volume (uL) by which V has come down to `level_ul` with probability `quantile`.

    0 where it has already, infinite where no volume reaches that probability, NaN where V is unknown. Solves
    r p - A = z sqrt(Var V - 2 p Cov + p^2 Var r), A = V - level (Fieller's quadratic).
    """
    v, r, vv, vr, rr = ratio_moments(x)
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
def probability_at_or_below(x: NDArray[np.float64], level_ul: float, programmed_ul: float) -> float:
    """P(V - r p <= level) after a further programmed volume p; NaN where V is unknown."""
    v, r, vv, vr, rr = ratio_moments(x)
    p = max(programmed_ul, 0.0)
    var = max(vv - 2.0 * p * vr + p * p * rr, 0.0)
    distance = r * p - (v - level_ul)
    if var == 0.0:
        return np.nan if math.isnan(distance) else (1.0 if distance >= 0.0 else 0.0)
    return 0.5 * math.erfc(-distance / math.sqrt(2.0 * var))


@njit(cache=True, nogil=True, error_model="numpy")
def probability_dry(x: NDArray[np.float64], programmed_ul: float) -> float:
    """P(V - r p <= 0): the pump is dry once a further `programmed_ul` was programmed."""
    return probability_at_or_below(x, 0.0, programmed_ul)


@njit(cache=True, nogil=True, error_model="numpy")
def device_needed_ul(x: NDArray[np.float64]) -> float:
    """Further programmed volume at which the device's own arithmetic sounds its low alarm; negative once past."""
    return x[st.RES_DEVICE_UL] - x[st.LOW_RESERVOIR_ML] * 1000.0
