"""A catheter that leaks or has come off, told from what its outlet pressure no longer does.

Physics: the outlet sees tip pressure + R Q. When the line opens, the flow's resistive share and the spinal fluid vanish:
the pressure falls to that of the tissue around the leak, near the zero of the gauge, and no longer follows posture,
breathing and the rhythm of the day, while the drive goes on. A swapped or drifting sensor moves the pressure as well, but
what moves in it stays. So a fall is only a reason to look (pending); active needs one of

stiller from row to row it moves less, over WINDOW blocks since the first of the fall, than it ever did in health
       (kernels/movement.py): a block has a few rows and a night a dozen blocks, so that this decides in three to eight hours
quiet  the block means do not move as they do at this time of day. d = change from block to block, v = its healthy mean square
       (kernels/movement.py); the score adds the log likelihood ratio of a variance LOST v against v,
       ln(1 / LOST) / 2 - (1 / LOST - 1) d^2 / 2 v, from the third block below the limit on. A swapped sensor reaches SURE
       with probability exp(-SURE) at most (Ville), if its changes are Gaussian. SURE_ZONE (10 %) is enough where the pressure
       is that of tissue, between -ZONE and +ZONE of the healthy bottom, where few errors of a zero end; elsewhere SURE (1 %)
both   of these at their weaker ends: stiller than the least itself (once in 9 by chance after a day, in 17 after two), with a score of SURE_ZONE
still  a whole day in which the largest rise of the block means is less than HALF the smallest of healthy days: every day
       has a rising, at least
far    in ZONE and FAR widths below the base for FAR_US: no zero error of a sensor does that to a line whose pressure is
       many times its variation (a process pump at litres a minute; a patient's posture is too wide for this test). Before
       two days are known, base and width are those of the envelope of kernels/occlusion.py, the base at the present flow by the
       turbulent bound

A rise of LIVELY of that smallest one, below the limit or out of a fall of LASTING blocks that was never active, says that
the pressure still follows the patient: the sensor has moved, and what is known moves with it, as it does after UNDECIDED_US without a verdict. Active ends when the pressure is back, half way from
limit to bottom, or lively again.

Not judged and not learned: rows without programmed flow, while the motor stands, while the line is occluded or the pump
starves, while measured flow falls short of its share of the program (what no longer arrives makes no pressure), while the
sensor is stuck (kernels/occlusion.py counts that). A flow, programmed or sensed, below LOWER of all that the bottom has
seen lowers the resistive share: what is known moves with it. A leak on the reservoir's side is not seen here: the level falls faster than
counted, which is `over_delivery` of kernels/reservoir.py. A leak whose pressure stays in habit can't be seen by anything
here. Scale-free: sums, ratios and squares of pressures; the zero of the gauge is the only fixed point. State:
kernels.state, block LEAK. Constants are parameters of ours [P].
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow
from kernels.lows import close_block, learn_block, low_row, reset_low, shift
from kernels.movement import (
    STILLER,
    learn_movement,
    movement_anew,
    movement_row,
    reset_movement,
    stiller,
    usual_change_kpa,
)
from kernels.occlusion import STUCK_ROWS
from kernels.starvation import SHORT
from kernels.units import DAY_US, HOUR_US

AT: Final = st.LEAK
LEVEL: Final = AT + st.LOW_LEVEL
ZONE: Final = 0.5  # of the healthy bottom, either way from 0
LOST: Final = 0.3  # of the healthy mean square change
SURE_ZONE: Final = 2.3  # log likelihood ratio
SURE: Final = 4.6
AGAINST: Final = -3.0  # the least score: the blocks of the fall itself must not silence it for good
HALF: Final = 0.5
LIVELY: Final = 0.75
LASTING: Final = 3.0  # blocks below the limit that a later rise can show to have been health
CLIPPED: Final = 0.75  # mean of |z| so clipped, z standard normal
SPIKE: Final = 2.0  # times the outlet's healthy margin: what is beyond is no rise of the patient
FAR: Final = 8.0  # base - bottom
FAR_ROWS: Final = 8.0
FAR_US: Final = HOUR_US / 4
UNDECIDED_US: Final = 3 * DAY_US
LOWER: Final = (
    0.95  # of the lowest flow seen: a resistive share of the square still leaves 0.9 of the pressure
)
FORGET: Final = 0.25  # a day's weight in what is usual
RISE: Final = 1.0 / 512.0


def reset(x: NDArray[np.float64]) -> None:
    """Forget the outlet's bottom: nothing learned, level 0."""
    reset_low(x, AT)
    x[st.LEAK_DAY_UP_KPA : st.LEAK_FAR_ROWS + 1] = 0.0
    x[st.LEAK_UP_KPA] = x[st.LEAK_FLOW_LOW_UL_H] = np.nan
    x[st.LEAK_OUT_MIN_KPA] = np.inf
    reset_movement(x)


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _flow(x: NDArray[np.float64], programmed_ul_h: float, sensed_ul_h: float) -> float:
    """Flow that makes the resistive pressure (uL/h): programmed, times the smallest share of it that is sensed."""
    if x[st.OCC_PROGRAMMED] != 1.0:
        return sensed_ul_h
    share, measured = x[st.OCC_SENSED_NOW], x[st.DRV_FLOW_NOW]
    if math.isnan(x[st.OCC_SENSED_MEAN]) or measured < share:
        share = measured
    return programmed_ul_h if math.isnan(share) else programmed_ul_h * share


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _lower_flow(x: NDArray[np.float64], flow_ul_h: float) -> bool:
    """Whether the block's flow lies below all that the bottom has seen; learns it."""
    lowest = x[st.LEAK_FLOW_LOW_UL_H]
    if not abs(flow_ul_h) < np.inf:
        return False
    if math.isnan(lowest):
        x[st.LEAK_FLOW_LOW_UL_H] = flow_ul_h
        return False
    if flow_ul_h >= LOWER * lowest:
        x[st.LEAK_FLOW_LOW_UL_H] = min(flow_ul_h, lowest + RISE * (flow_ul_h - lowest))
        return False
    x[st.LEAK_FLOW_LOW_UL_H] = flow_ul_h
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _learn(x: NDArray[np.float64], mean_kpa: float) -> None:
    """Enter a healthy block: its minimum, how far the day's means rise, and how much it moves."""
    learn_movement(x, AT, mean_kpa)
    if x[AT + st.LOW_DAY_N] > 0.0:
        x[st.LEAK_DAY_UP_KPA] = max(x[st.LEAK_DAY_UP_KPA], mean_kpa - x[AT + st.LOW_DAY_MIN])
    if learn_block(x, AT, mean_kpa):
        up, usual = x[st.LEAK_DAY_UP_KPA], x[st.LEAK_UP_KPA]
        x[st.LEAK_UP_KPA] = usual + FORGET * (up - usual) if up > usual else up
        x[st.LEAK_DAY_UP_KPA] = 0.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _in_zone(x: NDArray[np.float64], kpa: float) -> bool:
    """Whether a pressure is that of tissue, as far as a gauge can say."""
    return bool(abs(kpa) <= ZONE * x[AT + st.LOW_BOTTOM])


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _far(x: NDArray[np.float64], kpa: float) -> bool:
    """Whether a pressure is in ZONE and FAR widths, or quanta, below the base."""
    base = x[AT + st.LOW_BASE]
    width = base - x[AT + st.LOW_BOTTOM]
    if math.isnan(width) and x[st.OCC_READY] == 1.0:
        ratio = min(x[st.OCC_FLOW_LAST_UL_H] / x[st.OCC_FLOW_TOP_UL_H], 1.0)
        base = x[st.OCC_BASE_KPA]
        width = x[st.OCC_TOP_KPA] - base
        base *= ratio * ratio
    zone = abs(kpa) <= ZONE * (base - width)
    if x[st.OCC_QUANTUM_KPA] < np.inf:
        width = max(width, x[st.OCC_QUANTUM_KPA])
    return zone and base - kpa >= FAR * width


@njit(cache=True, nogil=True, error_model="numpy")
def _fall(x: NDArray[np.float64], mean_kpa: float, open_us: float) -> int:
    """Take one more block below the limit into the excursion; return the level."""
    n = x[AT + st.LOW_OUT_N] + 1.0
    x[AT + st.LOW_OUT_N] = n
    if n == 1.0:
        x[AT + st.LOW_ONSET_US] = open_us
        x[st.LEAK_OUT_MIN_KPA] = mean_kpa
        x[st.LEAK_OUT_UP_KPA] = x[st.LEAK_OUT_SCORE] = 0.0
    x[st.LEAK_OUT_UP_KPA] = max(x[st.LEAK_OUT_UP_KPA], mean_kpa - x[st.LEAK_OUT_MIN_KPA])
    x[st.LEAK_OUT_MIN_KPA] = min(x[st.LEAK_OUT_MIN_KPA], mean_kpa)
    usual_kpa = usual_change_kpa(x, x[AT + st.LOW_OPEN_US])
    if n > 2.0 and 0.0 < usual_kpa < np.inf:
        ratio = (CLIPPED * (mean_kpa - x[AT + st.LOW_LAST]) / usual_kpa) ** 2
        gain = -0.5 * math.log(LOST) - 0.5 * (1.0 / LOST - 1.0) * ratio
        x[st.LEAK_OUT_SCORE] = max(x[st.LEAK_OUT_SCORE] + gain, AGAINST)
    if x[LEVEL] == 2.0:
        return 2
    lasted_us = n * x[AT + st.LOW_SPAN_US]
    still = lasted_us >= DAY_US and x[st.LEAK_OUT_UP_KPA] < HALF * x[st.LEAK_UP_KPA]
    score = x[st.LEAK_OUT_SCORE]
    still = still or stiller(x, AT, STILLER if score < SURE_ZONE else 1.0)
    if still or score >= (SURE_ZONE if _in_zone(x, mean_kpa) else SURE):
        return 2
    return 1 if n > 1.0 else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _end(x: NDArray[np.float64]) -> None:
    """Forget the excursion."""
    if x[AT + st.LOW_OUT_N] > 0.0:
        movement_anew(x)
    x[AT + st.LOW_OUT_N] = 0.0
    x[AT + st.LOW_ONSET_US] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(x: NDArray[np.float64], mean_kpa: float, open_us: float) -> int:
    """Judge one block mean; return the level."""
    level = int(x[LEVEL])
    bottom, limit = x[AT + st.LOW_BOTTOM], x[AT + st.LOW_LIMIT]
    if math.isnan(limit) and (x[st.LEAK_FAR_ROWS] > 0.0 or (level == 2 and _far(x, mean_kpa))):
        return level  # a first day doesn't learn what it may be about to say
    back = mean_kpa >= (0.5 * (bottom + limit) if level == 2 else limit)
    if back or math.isnan(limit):
        if x[AT + st.LOW_OUT_N] > 0.0:
            if level < 2:  # health after all, a day's lowest
                x[AT + st.LOW_DAY_MIN] = min(x[AT + st.LOW_DAY_MIN], x[st.LEAK_OUT_MIN_KPA])
            if level == 2 or x[AT + st.LOW_OUT_N] < LASTING:
                x[st.LEAK_OUT_MIN_KPA] = np.inf
        _end(x)
        if mean_kpa - x[st.LEAK_OUT_MIN_KPA] >= LIVELY * x[st.LEAK_UP_KPA]:
            shift(x, AT, x[st.LEAK_OUT_MIN_KPA] - bottom)
            x[st.LEAK_OUT_MIN_KPA] = np.inf
        _learn(x, mean_kpa)
        return 0
    level = _fall(x, mean_kpa, open_us)
    lively = x[st.LEAK_OUT_UP_KPA] >= LIVELY * x[st.LEAK_UP_KPA] and not _far(x, mean_kpa)
    undecided = level < 2 and x[AT + st.LOW_OUT_N] * x[AT + st.LOW_SPAN_US] > UNDECIDED_US
    if (lively and x[st.LEAK_OUT_UP_KPA] > 0.0) or undecided:
        shift(x, AT, x[st.LEAK_OUT_MIN_KPA] - bottom)
        x[st.LEAK_OUT_MIN_KPA] = np.inf
        _end(x)
        return 0
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def _close(x: NDArray[np.float64], t_us: float) -> int:
    """Close the open block; return the level."""
    level = int(x[LEVEL])
    flow_ul_h = x[AT + st.LOW_FLOW] / x[AT + st.LOW_N]
    x[AT + st.LOW_FLOW] = 0.0
    open_us = x[AT + st.LOW_OPEN_US]
    usable, mean_kpa = close_block(x, AT, t_us)
    if usable:
        if not _lower_flow(x, flow_ul_h):
            level = _judge(x, mean_kpa, open_us)
        elif level < 2:
            _end(x)
            if mean_kpa < x[AT + st.LOW_LIMIT]:
                shift(x, AT, mean_kpa - x[AT + st.LOW_BOTTOM])
            _learn(x, mean_kpa)
            level = 0
    x[AT + st.LOW_LAST] = mean_kpa
    return level


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def leak_row(
    x: NDArray[np.float64], t_us: float, pressure_kpa: float, programmed_ul_h: float, sensed_ul_h: float
) -> int:
    """Fold one row; return 0 normal, 1 pending, 2 active.

    x: float64[SIZE], in which the row has passed kernels/occlusion.py, drive.py and starvation.py. t_us: us. pressure_kpa:
    kPa at the outlet. programmed_ul_h: mean programmed flow since the last row with boluses (NaN = unknown). sensed_ul_h:
    uL/h, asked where nothing was ever programmed. Any of them may be NaN or infinite = not reported.
    """
    x = borrow(x)
    level = int(x[LEVEL])
    flow_ul_h = _flow(x, programmed_ul_h, sensed_ul_h)
    if not abs(pressure_kpa) < np.inf or (programmed_ul_h == 0.0 and x[st.OCC_PROGRAMMED] == 1.0):
        return level
    if x[st.OCC_LEVEL] + x[st.DRV_LEVEL] + x[st.STARVATION + st.LOW_LEVEL] > 0.0:
        return level
    if x[st.OCC_SAME] > 2.0 * x[st.OCC_SAME_HABIT] + STUCK_ROWS:
        return level
    if x[st.DRV_FLOW_NOW] < SHORT * x[st.STV_SHARE]:
        return level
    most_kpa = SPIKE * x[st.OCC_THRESHOLD_KPA] - (SPIKE - 1.0) * x[st.OCC_BASE_KPA]
    kpa = min(pressure_kpa, most_kpa)
    movement_row(x, AT, kpa, flow_ul_h)
    x[AT + st.LOW_FLOW] += flow_ul_h
    if low_row(x, AT, t_us, kpa):
        level = _close(x, t_us)
    if level < 2 and _far(x, pressure_kpa) and not flow_ul_h < LOWER * x[st.LEAK_FLOW_LOW_UL_H]:
        x[st.LEAK_FAR_ROWS] += 1.0
        hours = x[st.LEAK_FAR_ROWS] / x[AT + st.LOW_ROWS] * x[AT + st.LOW_SPAN_US]
        if x[st.LEAK_FAR_ROWS] >= FAR_ROWS and hours >= FAR_US:
            level = 2
            if x[AT + st.LOW_OUT_N] == 0.0:
                x[AT + st.LOW_ONSET_US] = t_us - hours
    else:
        x[st.LEAK_FAR_ROWS] = 0.0
    x[LEVEL] = level
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def leak_rows(
    x: NDArray[np.float64],
    t_us: NDArray[np.float64],
    pressure_kpa: NDArray[np.float64],
    programmed_ul_h: NDArray[np.float64],
    sensed_ul_h: NDArray[np.float64],
    levels: NDArray[np.float64],
) -> None:
    """`leak_row` over columns of equal length, float64[n]; `levels` is filled. For benches and tests."""
    x, t_us, pressure_kpa = borrow(x), borrow(t_us), borrow(pressure_kpa)
    programmed_ul_h, sensed_ul_h, levels = borrow(programmed_ul_h), borrow(sensed_ul_h), borrow(levels)
    for k in range(t_us.size):
        levels[k] = leak_row(x, t_us[k], pressure_kpa[k], programmed_ul_h[k], sensed_ul_h[k])
