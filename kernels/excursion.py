"""The way of the pressure since it left the healthy envelope: 5..10 equally long entries, merged and doubled as it grows.

A blocked line rises evenly (C dP/dt = Q), a partly blocked one rises and settles (C dP/dt = Q - P/R). Posture, a swapped
sensor and a new program move the pressure in jumps. So what tells them apart is the rise without its two largest jumps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st

PROFILE: Final = 10  # entries of an excursion's profile before neighbours merge


@njit(cache=True, nogil=True, error_model="numpy")
def profile_add(
    x: NDArray[np.float64], t_us: float, low_kpa: float, before_kpa: float, top_kpa: float
) -> None:
    """Add one row to the excursion's profile; open it at the row that left the envelope."""
    if x[st.OCC_OUT_ROWS] == 0.0:
        x[st.OCC_OUT] = min(before_kpa, top_kpa)
        x[st.OCC_OUT_US] = x[st.OCC_ONSET_US] = t_us
        x[st.OCC_OUT_STRIDE] = 1.0
        x[st.OCC_OUT_N] = x[st.OCC_OUT_FILL] = x[st.OCC_OUT_SUM_KPA] = 0.0
    x[st.OCC_OUT_ROWS] += 1.0
    x[st.OCC_OUT_FILL] += 1.0
    x[st.OCC_OUT_SUM_KPA] += low_kpa
    if x[st.OCC_OUT_FILL] < x[st.OCC_OUT_STRIDE]:
        return
    n = int(x[st.OCC_OUT_N]) + 1
    x[st.OCC_OUT + n] = x[st.OCC_OUT_SUM_KPA] / x[st.OCC_OUT_FILL]
    x[st.OCC_OUT_FILL] = x[st.OCC_OUT_SUM_KPA] = 0.0
    if n == PROFILE:
        for i in range(1, PROFILE // 2 + 1):
            x[st.OCC_OUT + i] = 0.5 * (x[st.OCC_OUT + 2 * i - 1] + x[st.OCC_OUT + 2 * i])
        n = PROFILE // 2
        x[st.OCC_OUT_STRIDE] *= 2.0
    x[st.OCC_OUT_N] = n


@njit(cache=True, nogil=True, error_model="numpy")
def profile_close(x: NDArray[np.float64]) -> None:
    """Forget the excursion and its evidence."""
    x[st.OCC_OUT_ROWS] = x[st.OCC_OUT_BELOW] = 0.0
    x[st.OCC_ONSET_US] = x[st.OCC_SLOPE_KPA_H] = x[st.OCC_COMPLIANCE_UL_KPA] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def jumps(x: NDArray[np.float64], low_kpa: float) -> tuple[float, float]:
    """The excursion's largest jump, and the sum of its two largest and of all its falls (kPa): what a ramp has not.

    The path is the profile and then the present pressure, which may have left the open entry's mean far behind. A jump
    inside an entry that averages rows shows in two neighbouring differences, so the first one may then take two.
    """
    n = int(x[st.OCC_OUT_N])
    double = x[st.OCC_OUT_STRIDE] > 1.0
    first, first_at, first_width = 0.0, -2, 1
    falls, before = 0.0, 0.0
    for i in range(n + 1):
        rise = (low_kpa if i == n else x[st.OCC_OUT + i + 1]) - x[st.OCC_OUT + i]
        falls -= min(rise, 0.0)
        if rise > first:
            first, first_at, first_width = rise, i, 1
        if double and i > 0 and rise + before > first:
            first, first_at, first_width = rise + before, i - 1, 2
        before = rise
    second = 0.0
    for i in range(n + 1):
        rise = (low_kpa if i == n else x[st.OCC_OUT + i + 1]) - x[st.OCC_OUT + i]
        if not first_at <= i < first_at + first_width:
            second = max(second, rise)
    return first, first + second + falls
