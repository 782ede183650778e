"""A vacuum at the inlet as its last rows show it, and a pump that starves on its first day.

Physics: what is drawn from a closed inlet leaves a vacuum, whatever the gas that cavitation makes of it looks like further on;
so an inlet that has fallen says where to look for the reason of a ragged flow (kernels/air.py asks), and a flow or a load that
falls short with it is starvation at once. Posture, weather and a new zero move the inlet, but not the flow.

    now += KEEP (inlet - now), about fifteen rows; looked at every STEP rows

On the first day nothing is known of the rhythm of a day, but of the rows: `lowest` and `highest` of all `now` that were learned,
noise, wander and all, at any sampling. Fallen: more than their distance below the lowest, after WARM looks; of Gaussian noise the
range of WARM looks is 2.8 sd, so that this is 4 sd below the mean, and a wander that goes as far again as it ever did moves no flow.
Fallen with flow or load short of their habits (kernels/air.py learns them) in HOLD looks: active, until the inlet is back. What
has fallen is not learned, unless the measured flow is as ever after PATIENCE looks: a filter that clogs does both, one
after the other. After the first day fallen means FALLEN times as far below the base as the limit (kernels/lows.py).

Scale-free: only ratios. State: STV_INLET_NOW_KPA, and the ring of days in block STARVATION while it is empty (YNG_*).
Constants are parameters of ours [P].
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.flow_line import is_seen, usual_at

AT: Final = st.STARVATION
RING: Final = AT + st.LOW_RING
KEEP: Final = 0.125
STEP: Final = 4.0  # rows a look
WARM: Final = 8.0  # looks learned before one is judged
FALLEN: Final = 2.0  # base - limit
PATIENCE: Final = 32.0  # looks
HOLD: Final = 3.0  # looks
SHORT: Final = 0.8  # of the usual share of the program
KEPT: Final = 0.9  # of it: delivery as ever
IDLE: Final = 0.85  # of the usual current
DEVS: Final = 5.0  # mean absolute deviations: four sd


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def fallen(x: NDArray[np.float64]) -> bool:
    """Whether the inlet's last rows stand far below all that is known of it."""
    now = x[st.STV_INLET_NOW_KPA]
    if x[AT + st.LOW_DAYS] > 0.0:
        base = x[AT + st.LOW_BASE]
        return bool(base - now > FALLEN * (base - x[AT + st.LOW_LIMIT]))
    width = x[RING + st.YNG_HIGHEST] - x[RING + st.YNG_LOWEST]
    known = x[RING + st.YNG_LOOKS] >= WARM and width > 0.0
    return bool(known and x[RING + st.YNG_LOWEST] - now > width)


@njit(cache=True, nogil=True, error_model="numpy")
def _less_moves(x: NDArray[np.float64]) -> int:
    """1 flow, or load where no flow is measured, falls short of its habit; -1 the measured flow is as ever; 0 neither."""
    now, usual = x[st.AIR_FLOW_NOW], x[st.AIR_FLOW_MEAN]
    if now < SHORT * usual and now < usual - DEVS * x[st.AIR_FLOW_DEV]:
        return 1
    if now >= KEPT * usual:
        return -1
    if not is_seen(x):
        return 0
    now, usual = x[st.AIR_MA_NOW], usual_at(x, st.AIR_MA)
    return 1 if now < IDLE * usual and now < usual - DEVS * x[st.AIR_MA + 2] else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _look(x: NDArray[np.float64], t_us: float) -> None:
    """Judge the inlet's last rows, or learn them."""
    now = x[st.STV_INLET_NOW_KPA]
    low, moves = fallen(x), _less_moves(x)
    out = x[RING + st.YNG_OUT]
    if low and (moves == 1 or out >= HOLD):
        if out <= 0.0:
            x[RING + st.YNG_ONSET_US] = t_us
        x[RING + st.YNG_OUT] = max(out, 0.0) + 1.0
        return
    x[RING + st.YNG_OUT] = min(out, 0.0) - 1.0 if low else 0.0
    if not low or (out <= -PATIENCE and moves == -1):
        first = x[RING + st.YNG_LOOKS] == 0.0
        x[RING + st.YNG_LOWEST] = now if first else min(x[RING + st.YNG_LOWEST], now)
        x[RING + st.YNG_HIGHEST] = now if first else max(x[RING + st.YNG_HIGHEST], now)
        x[RING + st.YNG_LOOKS] += 1.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def suction_row(x: NDArray[np.float64], t_us: float, inlet_kpa: float) -> int:
    """Fold one reading (kPa) of a pump that is asked to pump; return 0 normal, 1 pending, 2 active on its first day."""
    if abs(inlet_kpa) < np.inf:
        now = x[st.STV_INLET_NOW_KPA]
        x[st.STV_INLET_NOW_KPA] = inlet_kpa if math.isnan(now) else now + KEEP * (inlet_kpa - now)
        if x[AT + st.LOW_DAYS] == 0.0:
            x[RING + st.YNG_ROWS] += 1.0
            if x[RING + st.YNG_ROWS] >= STEP:
                x[RING + st.YNG_ROWS] = 0.0
                _look(x, t_us)
    if x[AT + st.LOW_DAYS] > 0.0 or x[RING + st.YNG_OUT] <= 0.0:
        return 0
    return 2 if x[RING + st.YNG_OUT] >= HOLD else 1
