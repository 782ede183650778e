"""A pump that gets too little at its inlet, told by the suction there and by what then falls short.

Physics: a blocked inlet, a kinked feed or a clogged filter leaves a vacuum before the pump; strokes fill only partly, so
that less flows than the drive counts, the reservoir keeps what was counted out of it, and a motor that moves little fluid
draws less current. A sensor alone can't say that: its zero moves too. So two channels must agree, block by block
(kernels/lows.py, an hour or four rows):

inlet  the block mean lies below the limit of its own healthy days
flow   measured / programmed over the block lies below SHORT of its healthy mean and DEVS deviations below it
level  of the volume programmed since the onset more than MISSING is still in the reservoir, and DEVS of the level's own
       noise over a block
motor  the current lies below IDLE of its healthy mean and DEVS deviations below it, though no less than usual is asked
       (a flex step draws less, too)

Active: inlet and one of the others, from the second block on. Pending: inlet alone, from the second block on. A measured
flow that keeps its habit contradicts, whatever level and motor say, and so does a level that falls as asked, where no flow is
measured: the inlet of a healthy pump falls, too, with the reservoir's volume, its gas and the weather. Then its habit is learned
anew after a day of that, after seven without any other word. Without
an inlet sensor flow and level must both be missing more than half for GAS_US: a worn stroke (`under_delivery`) loses less,
and gas has passed by then. A pump with only an inlet, or only one of the others, never goes beyond pending.

Not this: an empty reservoir (nothing is judged below DRY of it), an occlusion (flow falls while the outlet rises: not
judged while that is on), a standing motor (it draws no vacuum: rows in which it stands by its own word or by its counter are
left out, and where only flow or current say so a vacuum is asked), a stopped program. Scale-free: only ratios, and squares of volumes. State:
kernels.state, block STARVATION. Constants are parameters of ours [P].
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow
from kernels.drive import MOVED
from kernels.lows import close_block, held, learn_block, low_row, reset_low, shift
from kernels.suction import suction_row
from kernels.units import DAY_US, HOUR_US

AT: Final = st.STARVATION
LEVEL: Final = AT + st.LOW_LEVEL
SHORT: Final = 0.8  # of the healthy share
KEPT: Final = 0.9  # of the healthy share, and of the volume asked: delivery as ever
DEVS: Final = 5.0  # mean absolute deviations: four sd
MISSING: Final = 0.3  # of the volume asked
HALF: Final = 0.55  # the same where no inlet speaks; [S] worn strokes of domain.md lose a tolerance or a few
IDLE: Final = 0.85  # of the healthy current
ASKED: Final = 0.95  # of the usual programmed flow
DRY: Final = 0.05  # of the reservoir
FORGET: Final = 1.0 / 16.0
RELEARN: Final = FORGET / 32.0  # a flow that stays short is a habit after weeks
STANDS: Final = 3.0  # base - limit: the vacuum that a pump must draw of which others say that it stands
GAS_US: Final = 2 * DAY_US  # without an inlet the same could be gas, which has passed by then
UNDECIDED_US: Final = 7 * DAY_US  # inlet alone: a new zero of the sensor, or what nobody can tell from it
JUMP: Final = 8.0  # sd of the level beyond what can be asked: a refill, or the sensor jumped


def reset(x: NDArray[np.float64]) -> None:
    """Forget inlet, share and level: nothing learned, level 0."""
    reset_low(x, AT)
    x[st.STV_SHARE_SUM : st.STV_ASKED_UL + 1] = np.nan
    x[st.STV_LEVEL_SUM_UL] = x[st.STV_LEVEL_N] = 0.0
    x[st.STV_INLET_NOW_KPA] = np.nan


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _mean(usual: float, now: float) -> float:
    return now if math.isnan(usual) else usual + FORGET * (now - usual)


@njit(cache=True, nogil=True, error_model="numpy")
def _flow_says(x: NDArray[np.float64], share: float) -> int:
    """1 flow is short, -1 it is as ever, or not short though its noise would let that be seen; 0 it says nothing."""
    usual = x[st.STV_SHARE]
    steady = DEVS * x[st.STV_SHARE_DEV] <= (1.0 - SHORT) * usual
    if share < SHORT * usual and share < usual - DEVS * x[st.STV_SHARE_DEV]:
        return 1
    return -1 if share >= (SHORT if steady else KEPT) * usual else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _level_says(x: NDArray[np.float64]) -> int:
    """1 the reservoir kept what was asked of it, -1 it did not, 0 it says nothing yet."""
    short, asked = x[st.STV_SHORT_UL], x[st.STV_ASKED_UL]
    noise_ul = math.sqrt(x[st.STV_LEVEL_UL2])
    if short > MISSING * asked and short > DEVS * noise_ul:
        return 1
    return -1 if asked > 4.0 * DEVS * noise_ul and short < (1.0 - KEPT) * asked + noise_ul else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _motor_says(x: NDArray[np.float64]) -> int:
    """1 the motor draws less than it ever does for what is asked."""
    if x[st.AIR_Q_NOW] < ASKED * x[st.AIR_Q_MEAN]:
        return 0
    usual = x[st.STV_MA]
    return 1 if x[st.DRV_MA_NOW] < min(IDLE * usual, usual - DEVS * x[st.DRV_MA_DEV]) else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _level_block(x: NDArray[np.float64], asked_ul: float) -> float:
    """Volume (uL) that was programmed since the last block with a level and is still in the reservoir; NaN = not known."""
    n = x[st.STV_LEVEL_N]
    if n == 0.0:
        return np.nan
    mean_ul = x[st.STV_LEVEL_SUM_UL] / n
    before_ul = x[st.STV_LEVEL_UL]
    x[st.STV_LEVEL_SUM_UL] = x[st.STV_LEVEL_N] = 0.0
    x[st.STV_LEVEL_UL] = mean_ul
    return float(asked_ul - (before_ul - mean_ul))


@njit(cache=True, nogil=True, error_model="numpy")
def _learn(x: NDArray[np.float64], mean_kpa: float, share: float, kept_ul: float) -> None:
    """Enter a healthy block."""
    if not math.isnan(mean_kpa):
        learn_block(x, AT, mean_kpa)
    if not math.isnan(share):
        off = abs(share - x[st.STV_SHARE])
        x[st.STV_SHARE_DEV] = _mean(x[st.STV_SHARE_DEV], abs(share) if math.isnan(off) else off)
        weight = FORGET if share >= SHORT * x[st.STV_SHARE] else RELEARN
        x[st.STV_SHARE] = share if math.isnan(off) else x[st.STV_SHARE] + weight * (share - x[st.STV_SHARE])
    if not math.isnan(kept_ul):
        usual = x[st.STV_LEVEL_UL2]
        most = usual * JUMP * JUMP
        x[st.STV_LEVEL_UL2] = _mean(
            usual, kept_ul * kept_ul if math.isnan(most) else min(kept_ul * kept_ul, most)
        )
    if not math.isnan(x[st.DRV_MA_NOW]):
        x[st.STV_MA] = _mean(x[st.STV_MA], x[st.DRV_MA_NOW])


@njit(cache=True, nogil=True, error_model="numpy")
def _out(
    x: NDArray[np.float64], mean_kpa: float, share: float, kept_ul: float, asked_ul: float, open_us: float
) -> int:
    """Take one more block out of habit; return the level."""
    n = x[AT + st.LOW_OUT_N] + 1.0
    x[AT + st.LOW_OUT_N] = n
    if n == 1.0:
        x[AT + st.LOW_ONSET_US] = open_us
        x[st.STV_SHORT_UL] = x[st.STV_ASKED_UL] = 0.0
    jumped = abs(kept_ul) > 2.0 * asked_ul + JUMP * math.sqrt(x[st.STV_LEVEL_UL2])
    if jumped:
        x[st.STV_SHORT_UL] = x[st.STV_ASKED_UL] = 0.0
    elif not math.isnan(kept_ul):
        x[st.STV_SHORT_UL] += kept_ul
        x[st.STV_ASKED_UL] += asked_ul
    flow, level, motor = _flow_says(x, share), _level_says(x), _motor_says(x)
    if x[LEVEL] == 2.0:
        return 2
    if n < 2.0:
        return 0
    if math.isnan(mean_kpa):
        gone = flow == 1 and level == 1 and x[st.STV_SHORT_UL] > HALF * x[st.STV_ASKED_UL]
        gone = gone and share < (1.0 - HALF) * x[st.STV_SHARE] and x[st.AIR_LEVEL] != 2.0
        return 2 if gone and n * x[AT + st.LOW_SPAN_US] > GAS_US else 1
    if flow == -1 or (level == -1 and flow == 0):
        return 0
    return 2 if max(flow, level, motor) == 1 else 1


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(
    x: NDArray[np.float64], mean_kpa: float, share: float, kept_ul: float, asked_ul: float, open_us: float
) -> int:
    """Judge one block; return the level."""
    level = int(x[LEVEL])
    bottom, limit = x[AT + st.LOW_BOTTOM], x[AT + st.LOW_LIMIT]
    if math.isnan(mean_kpa):
        low = _flow_says(x, share) == 1 and share < (1.0 - HALF) * x[st.STV_SHARE]
    else:
        low = mean_kpa < (0.5 * (bottom + limit) if level == 2 else limit)
    base = x[AT + st.LOW_BASE]
    if x[st.DRV_LEVEL] > 0.0 and not mean_kpa < base - STANDS * (base - limit):
        return level
    if not low:
        x[AT + st.LOW_OUT_N] = 0.0
        x[AT + st.LOW_ONSET_US] = np.nan
        _learn(x, mean_kpa, share, kept_ul)
        return 0
    level = _out(x, mean_kpa, share, kept_ul, asked_ul, open_us)
    lasted_us = x[AT + st.LOW_OUT_N] * x[AT + st.LOW_SPAN_US]
    contradicted = level == 0 and lasted_us >= DAY_US
    if contradicted or (level == 1 and lasted_us >= UNDECIDED_US and not math.isnan(mean_kpa)):
        level = 0
        shift(x, AT, mean_kpa - bottom)
        x[AT + st.LOW_OUT_N] = 0.0
        x[AT + st.LOW_ONSET_US] = np.nan
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def _close(x: NDArray[np.float64], t_us: float) -> int:
    """Close the open block; return the level."""
    asked_ul, share = x[AT + st.LOW_FLOW], x[st.STV_SHARE_SUM] / x[AT + st.LOW_N]
    x[AT + st.LOW_FLOW] = 0.0
    x[st.STV_SHARE_SUM] = np.nan
    open_us = x[AT + st.LOW_OPEN_US]
    usable, mean_kpa = close_block(x, AT, t_us)
    kept_ul = _level_block(x, asked_ul)
    level = int(x[LEVEL])
    if usable:
        level = _judge(x, mean_kpa, share, kept_ul, asked_ul, open_us)
    if not math.isnan(mean_kpa):
        x[AT + st.LOW_LAST] = mean_kpa
    return level


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _stands(x: NDArray[np.float64]) -> bool:
    """Whether the motor stands by its own word or by its counter: what it does not move no inlet withholds."""
    by_counter = x[st.DRV_LEVEL] == 2.0 and x[st.DRV_COUNTER + MOVED] > 0.0
    return bool(x[st.DRV_STATED] > 0.0 or by_counter)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def starvation_row(
    x: NDArray[np.float64],
    t_us: float,
    inlet_kpa: float,
    flow_ul_h: float,
    level_ml: float,
    expected_ul: float,
    since_us: float,
) -> int:
    """Fold one row; return 0 normal, 1 pending, 2 active.

    x: float64[SIZE], in which the row has passed kernels/occlusion.py, drive.py and reservoir.py. t_us: us. inlet_kpa: kPa
    at the inlet. flow_ul_h: measured, uL/h. level_ml: mL in the reservoir, by its sensor. expected_ul: uL programmed since
    the last row with boluses and priming, since_us before. Readings may be NaN or infinite = not reported.
    """
    x = borrow(x)
    level = int(x[LEVEL])
    if not expected_ul > 0.0 or x[st.OCC_LEVEL] > 0.0:
        return level
    if x[st.RES_V_UL] < DRY * 1000.0 * x[st.RESERVOIR_ML] or _stands(x):
        return level
    starts = suction_row(x, t_us, inlet_kpa)
    if starts == 2:
        x[LEVEL] = 2.0
        x[AT + st.LOW_ONSET_US] = x[AT + st.LOW_RING + st.YNG_ONSET_US]
        return 2
    share = flow_ul_h * since_us / (HOUR_US * expected_ul)
    x[st.STV_SHARE_SUM] = held(x[st.STV_SHARE_SUM], x[AT + st.LOW_N], share)
    if abs(level_ml) < np.inf:
        x[st.STV_LEVEL_SUM_UL] += 1000.0 * level_ml
        x[st.STV_LEVEL_N] += 1.0
    x[AT + st.LOW_FLOW] += expected_ul
    if low_row(x, AT, t_us, inlet_kpa):
        level = _close(x, t_us)
    if x[AT + st.LOW_DAYS] == 0.0 and abs(inlet_kpa) < np.inf:
        level = starts
    x[LEVEL] = level
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def starvation_rows(
    x: NDArray[np.float64],
    t_us: NDArray[np.float64],
    columns: NDArray[np.float64],
    levels: NDArray[np.float64],
) -> None:
    """`starvation_row` over rows; columns: float64[5, n], its arguments from inlet_kpa on. For benches and tests."""
    x, t_us, columns, levels = borrow(x), borrow(t_us), borrow(columns), borrow(levels)
    for k in range(t_us.size):
        levels[k] = starvation_row(
            x, t_us[k], columns[0, k], columns[1, k], columns[2, k], columns[3, k], columns[4, k]
        )
