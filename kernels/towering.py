"""A pressure that towers over all that a young pump has shown: a block or a narrowing, before a day's rhythm is known.

Physics: P = P_body + R Q. At a flow that was seen before only R can multiply the pressure: posture and a new zero of the sensor
add to it. How much a first rising adds nobody can know before it was seen: the lumbar pressure of a patient who
was lying so far (0.7 to 1.8 kPa) becomes 2 to 5 kPa, three to five times as much. So over its top the pressure must stand by
BEYOND times the larger of that top and of the whole width of what was seen (the lift for a new flow included), without a break for LASTING of a
period, 1/24 to 1/12 of all that was seen whatever the sampling, and LEAST_ROWS at least; or by RIGID times its top where it is
UNMOVED times that width as well: breath and pulse are in the pressure in every posture, 0.1 kPa or more of them, so that a patient
who rises by 4 kPa has moved it by a fortieth of that before. A drive that stands makes no R Q:
its pressure should fall, and posture takes no SHORT of a flow: STANDING times is enough then, in two rows. A ring that is not ready yet has its first
periods (32 rows) for that. A narrowing to less waits for the day's rhythm.

Scale-free: only ratios of pressures. State: kernels.state, block OCCLUSION. Constants are parameters of ours [P].
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.pressure_model import MARGIN

BEYOND: Final = 5.0
RIGID: Final = 2.0
UNMOVED: Final = 60.0
STANDING: Final = 1.0
SHORT: Final = 0.85  # of the usual share of the program
DEVS: Final = 5.0  # mean absolute deviations: four sd
LASTING: Final = 0.5
LEAST_ROWS: Final = 16.0
FIRST_PERIODS: Final = 2


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _yields(x: NDArray[np.float64]) -> bool:
    """Whether the drive stands, or measured flow falls short of its habit (kernels/air.py learns it)."""
    now, usual = x[st.AIR_FLOW_NOW], x[st.AIR_FLOW_MEAN]
    short = now < SHORT * usual and now < usual - DEVS * x[st.AIR_FLOW_DEV]
    return bool(short or x[st.DRV_LEVEL] == 2.0)


@njit(cache=True, nogil=True, error_model="numpy")
def towering(
    x: NDArray[np.float64], low_kpa: float, base_kpa: float, top_kpa: float, allow_kpa: float
) -> float:
    """Share of the time for which it must last that this row stands for; 0 = it does not tower.

    base_kpa, top_kpa: of what was seen; allow_kpa: lift of the top for a flow above all that it has seen.
    """
    over, width = low_kpa - top_kpa - allow_kpa, top_kpa - base_kpa
    unit = max(abs(top_kpa) + allow_kpa, width + allow_kpa)
    if x[st.RST_LEVEL] > 0.0 or not over > STANDING * unit:
        return 0.0
    if _yields(x):
        return 0.5
    rigid = over > RIGID * (abs(top_kpa) + allow_kpa) and over > UNMOVED * width
    if not (rigid or over > BEYOND * unit):
        return 0.0
    return 1.0 / max(LEAST_ROWS, LASTING * x[st.OCC_PART_ROWS])


@njit(cache=True, nogil=True, error_model="numpy")
def first_towering(x: NDArray[np.float64], low_kpa: float, flow_ul_h: float) -> float:
    """`towering` over the few periods of a ring that is not ready, whose envelope becomes the pump's if it does. flow_ul_h: NaN = unknown."""
    n, seen = int(x[st.OCC_RING_N]), x[st.OCC_FLOW_TOP_UL_H]
    if n < FIRST_PERIODS or not seen > 0.0:
        return 0.0
    base, top = x[st.OCC_RING_MEAN], x[st.OCC_RING_MAX]
    for i in range(1, n):
        base = min(base, x[st.OCC_RING_MEAN + i])
        top = max(top, x[st.OCC_RING_MAX + i])
    ratio = max(flow_ul_h / seen, 1.0)
    due = towering(x, low_kpa, base, top, max(abs(base), abs(top)) * (ratio * ratio - 1.0))
    if due > 0.0:
        x[st.OCC_BASE_KPA], x[st.OCC_TOP_KPA] = base, top
        x[st.OCC_THRESHOLD_KPA] = top + MARGIN * (top - base)
    return float(due)
