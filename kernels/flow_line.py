"""What a channel usually shows at the present programmed flow: its regression on that flow, which kernels/air.py learns.

Where the flow lies outside what the line has seen (LEVERAGE) it says nothing. State: kernels.state, block AIR; a habit is three
slots: mean, covariance with the flow, mean absolute deviation from the line. Constants are parameters of ours [P].
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st

LEVERAGE: Final = 9.0  # squared distance of a flow from the usual, in its variance
SAME_FLOW: Final = 0.02  # of the usual flow


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def usual_at(x: NDArray[np.float64], habit: int) -> float:
    """Usual current (mA) or vibration (g), of the habit that begins at this slot, at the present programmed flow."""
    spread = SAME_FLOW * x[st.AIR_Q_MEAN]
    usual = x[habit]
    if x[st.AIR_Q_VAR] > spread * spread:
        usual += x[habit + 1] / x[st.AIR_Q_VAR] * (x[st.AIR_Q_NOW] - x[st.AIR_Q_MEAN])
    return float(usual)


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def is_seen(x: NDArray[np.float64]) -> bool:
    """Whether the line has seen flows like the present one."""
    gap = x[st.AIR_Q_NOW] - x[st.AIR_Q_MEAN]
    return bool(gap * gap <= LEVERAGE * x[st.AIR_Q_VAR] or abs(gap) <= SAME_FLOW * x[st.AIR_Q_MEAN])
