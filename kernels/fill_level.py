"""What the level sensor shows right after a fill, against the volume that is said to be in the reservoir.

Quantity: e = reading - V (uL), V the estimate after the fill, o the sensor's offset before it. Of the readings of the first
JUDGE_US, READINGS at least, or those until SOON is delivered, the one nearest to o is kept:

    error <- e if |e - o| < |error - o|

so that a fill is only doubted if every one of them lies far off; a spike, a reading from while the syringe was still at
work, noise, or a pump that empties it too fast can't make it so. How far is far is decided by `processors.refills`. Scale-free: differences of volumes only.
State: kernels.state, block COMMON. Constants are parameters of ours [P].
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow

JUDGE_US: Final = 3.6e9  # a fill's recorded time may be off by some minutes, never by an hour [P]
READINGS: Final = 5.0
SOON: Final = 0.05  # of the reservoir delivered since the fill: until then a level speaks of the fill [P]


def reset(x: NDArray[np.float64]) -> None:
    """No fill is looked at."""
    x[st.FILL_US] = x[st.FILL_ERROR_UL] = x[st.FILL_V_UL] = np.nan
    x[st.FILL_ROWS] = x[st.FILL_OFFSET_UL] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def begin(x: NDArray[np.float64], t_us: float) -> None:
    """A fill at `t_us`: look at the readings from there on."""
    x = borrow(x)
    x[st.FILL_US] = t_us
    x[st.FILL_ROWS] = 0.0
    x[st.FILL_ERROR_UL] = np.nan
    x[st.FILL_OFFSET_UL] = x[st.RES_O_UL]
    x[st.FILL_V_UL] = x[st.RES_V_UL]


@njit(cache=True, nogil=True, error_model="numpy")
def fill_row(x: NDArray[np.float64], t_us: float, reservoir_ml: float) -> bool:
    """Take a reading (mL, NaN = none) of a fill that is looked at; True when it can be judged, once."""
    x = borrow(x)
    if not reservoir_ml >= 0.0 or not t_us > x[st.FILL_US]:
        return False
    if x[st.FILL_V_UL] - x[st.RES_V_UL] > SOON * x[st.RESERVOIR_ML] * 1000.0:
        x[st.FILL_US] = np.nan
        return bool(x[st.FILL_ROWS] >= READINGS)
    error_ul = reservoir_ml * 1000.0 - x[st.RES_V_UL]
    offset_ul = x[st.FILL_OFFSET_UL]
    if not abs(error_ul - offset_ul) >= abs(x[st.FILL_ERROR_UL] - offset_ul):
        x[st.FILL_ERROR_UL] = error_ul
    x[st.FILL_ROWS] += 1.0
    if x[st.FILL_ROWS] < READINGS or t_us - x[st.FILL_US] < JUDGE_US:
        return False
    x[st.FILL_US] = np.nan
    return True
