"""One row through the detectors that judge once in some rows (air) or once a day (wear, health)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import air, health, leak, starvation
from kernels import state as st
from kernels.borrow import borrow

VIBRATION_COUNT = st.HLT_COUNT + health.VIBRATION
VIBRATION_MEAN = st.HLT_MEAN + health.VIBRATION


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def slow_row(
    x: NDArray[np.float64],
    t_us: float,
    columns: NDArray[np.float64],
    row: int,
    programmed_ul_h: float,
    sensed_ul_h: float,
    rate_ul_h: float,
) -> None:
    """Fold a row; levels are in x[AIR_LEVEL], x[WEAR_LEVEL] and x[HLT_LEVEL].

    x: float64[SIZE]. t_us: us. columns: float64[13, n] (contract, telemetry). programmed_ul_h: mean since the last row with
    boluses, uL/h. sensed_ul_h: the same by counter; it counts only while no program was ever known. rate_ul_h: programmed flow
    right after the row.
    """
    x, columns = borrow(x), borrow(columns)
    vibration_g = columns[7, row]
    if np.isnan(vibration_g) and np.isnan(x[VIBRATION_MEAN]) and x[VIBRATION_COUNT] == 0.0:
        vibration_g = columns[8, row]  # this pump has only the other sensor
    asked_ul_h = programmed_ul_h
    if not programmed_ul_h > 0.0 and x[st.PROGRAMMED_UL] == 0.0:
        asked_ul_h = sensed_ul_h
    air.air_row(
        x, t_us, columns[1, row], columns[5, row], vibration_g, columns[3, row], asked_ul_h, rate_ul_h
    )
    if x[st.AIR_JUDGED_US] != t_us:
        return
    named = max(x[st.OCCLUSION_LEVEL], x[st.STALL_LEVEL], x[leak.LEVEL], x[starvation.LEVEL], x[st.AIR_LEVEL])
    health.health_row(
        x,
        t_us,
        columns[6, row],
        columns[7, row],
        columns[8, row],
        columns[3, row],
        columns[4, row],
        columns[9, row],
        columns[10, row],
        columns[11, row],
        named > 1.0,
    )
