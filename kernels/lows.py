"""How low the slow course of a pressure goes while all is well: block means and their daily minima.

Rows are averaged over blocks that do not overlap, of 23 to 46 minutes or three rows, whichever is longer: that is beyond the
correlation of breathing and sensor noise, and a tenth of the time in which lost drug does harm, so that a few blocks are
evidence that no row is. A sensor whose blocks last another time than they used to (an outage, a stop) gives no block.

Over each healthy day (24 h of blocks) the smallest mean is kept, six days of it. base = slow mean of the blocks; bottom =
second smallest minimum (the smallest before four days are known), width = base - bottom; limit = mean - K(6) sd of the
minima (the smallest replaced by the second smallest), K from kernels/pressure_model.py: exceeded by a healthy day with
probability 0.003 where minima are Gumbel; kept between MARGIN_LEAST and MARGIN_MOST widths below the bottom, YOUNG_MARGIN
before six days are known, and never more than HALF_WAY to zero. A day's minimum doesn't care how the noise inside the day is correlated. Only blocks above the
limit are learned, so that a slow drift is followed (up to the margin a day) and a fall is not. `shift` moves all to a new
level, after a sensor was swapped. State: offsets LOW_* of kernels.state in a block that begins at `at`.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.pressure_model import K_OF_N, ROUNDING
from kernels.units import DAY_US, HOUR_US

FIRST_ROWS: Final = 3.0  # rows of the shortest block
SHORT: Final = 0.38  # of an hour: blocks that last less become twice as long
LONG: Final = 1.0  # of an hour: blocks that last more become half as long
LATE: Final = 2.0  # usual lengths: a block that took longer has a gap inside
DAYS: Final = 6
DAYS_READY: Final = 1.0  # a whole day holds every posture and hour once
DAYS_SURE: Final = 4.0  # days from which one low day changes nothing
MARGIN_LEAST: Final = 0.25  # of width [P]
MARGIN_MOST: Final = 0.75  # of width [P]: minima of two kinds (ward, home) have too large a sd
YOUNG_MARGIN: Final = 0.5  # of width [P]
HALF_WAY: Final = 0.5  # from the bottom to the zero of the gauge: no margin hides a line that is open [P]
BASE_BLOCKS: Final = 24.0  # memory of the mean: a day


def reset_low(x: NDArray[np.float64], at: int) -> None:
    """Forget the channel: nothing learned, level 0."""
    x[at : at + st.LOW_RING + DAYS] = 0.0
    for slot in (
        st.LOW_ONSET_US,
        st.LOW_BOTTOM,
        st.LOW_LIMIT,
        st.LOW_BASE,
        st.LOW_SUM,
        st.LOW_OPEN_US,
        st.LOW_SPAN_US,
        st.LOW_LAST,
    ):
        x[at + slot] = np.nan
    x[at + st.LOW_ROWS] = FIRST_ROWS
    x[at + st.LOW_DAY_MIN] = np.inf


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def held(total: float, n: float, reading: float) -> float:
    """Sum of n + 1 readings, where a missing one counts as the mean of the others; NaN while there is none."""
    if abs(reading) < np.inf:
        return total + reading if n > 0.0 and not math.isnan(total) else reading * (n + 1.0)
    return total + total / n if n > 0.0 else np.nan


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def low_row(x: NDArray[np.float64], at: int, t_us: float, reading: float) -> bool:
    """Add a row, its reading NaN if it has none; True if it fills the open block."""
    n = x[at + st.LOW_N]
    if n == 0.0 and math.isnan(x[at + st.LOW_OPEN_US]):
        x[at + st.LOW_OPEN_US] = t_us
    x[at + st.LOW_SUM] = held(x[at + st.LOW_SUM], n, reading)
    n += 1.0
    x[at + st.LOW_N] = n
    if n >= x[at + st.LOW_ROWS]:
        return True
    return n >= FIRST_ROWS and t_us - x[at + st.LOW_OPEN_US] >= 2.0 * HOUR_US


@njit(cache=True, nogil=True, error_model="numpy")
def close_block(x: NDArray[np.float64], at: int, t_us: float) -> tuple[bool, float]:
    """(whether the block can be judged and learned, its mean); a new one begins. LOW_LAST is the caller's to set."""
    n = x[at + st.LOW_N]
    mean = x[at + st.LOW_SUM] / n
    span_us = t_us - x[at + st.LOW_OPEN_US]
    x[at + st.LOW_OPEN_US] = t_us
    x[at + st.LOW_N] = 0.0
    x[at + st.LOW_SUM] = np.nan
    usual_us = x[at + st.LOW_SPAN_US]
    if not usual_us > 0.0:
        rows = x[at + st.LOW_ROWS]
        x[at + st.LOW_SPAN_US] = usual_us = span_us * rows / (rows - 1.0)  # it has no end of a block before
    if n < x[at + st.LOW_ROWS]:  # rows have become rare
        x[at + st.LOW_ROWS] = max(FIRST_ROWS, math.floor(0.25 * n))
        x[at + st.LOW_SPAN_US] = span_us * x[at + st.LOW_ROWS] / n
        return False, mean
    usable = span_us <= LATE * usual_us
    usual_us += 0.25 * (min(span_us, LATE * usual_us) - usual_us)
    if usual_us < SHORT * HOUR_US:
        x[at + st.LOW_ROWS] *= 2.0
        usual_us *= 2.0
        usable = False
    elif usual_us > LONG * HOUR_US and x[at + st.LOW_ROWS] > FIRST_ROWS:
        x[at + st.LOW_ROWS] *= 0.5
        usual_us *= 0.5
    x[at + st.LOW_SPAN_US] = usual_us
    return usable, mean


@njit(cache=True, nogil=True, error_model="numpy")
def limits(x: NDArray[np.float64], at: int) -> None:
    """Bottom and limit from the ring of daily minima."""
    n = int(x[at + st.LOW_DAYS])
    if n < DAYS_READY:
        return
    first, second, where = np.inf, np.inf, 0
    for i in range(n):
        smallest = x[at + st.LOW_RING + i]
        if smallest < first:
            first, second, where = smallest, first, i
        elif smallest < second:
            second = smallest
    bottom = second if n >= DAYS_SURE else first
    base = x[at + st.LOW_BASE]
    width = max(base - bottom, 0.0)
    margin = YOUNG_MARGIN * width
    if n == DAYS:
        total, squares = 0.0, 0.0
        for i in range(n):
            total += second if i == where else x[at + st.LOW_RING + i]
        mean = total / n
        for i in range(n):
            off = (second if i == where else x[at + st.LOW_RING + i]) - mean
            squares += off * off
        margin = bottom - mean + K_OF_N[0] * math.sqrt(squares / (n - 1))
        margin = min(max(margin, MARGIN_LEAST * width), MARGIN_MOST * width)
    if bottom > 0.0:
        margin = min(margin, HALF_WAY * bottom)
    x[at + st.LOW_BOTTOM] = bottom
    x[at + st.LOW_LIMIT] = bottom - max(margin, ROUNDING * abs(base))


@njit(cache=True, nogil=True, error_model="numpy")
def learn_block(x: NDArray[np.float64], at: int, mean: float) -> bool:
    """Enter the mean of a healthy block; True if it ends a day."""
    base = x[at + st.LOW_BASE]
    x[at + st.LOW_BASE] = mean if math.isnan(base) else base + (mean - base) / BASE_BLOCKS
    x[at + st.LOW_DAY_MIN] = min(x[at + st.LOW_DAY_MIN], mean)
    x[at + st.LOW_DAY_N] += 1.0
    if x[at + st.LOW_DAY_N] * x[at + st.LOW_SPAN_US] < DAY_US:
        return False
    n = int(x[at + st.LOW_DAYS])
    if n == DAYS:
        for i in range(DAYS - 1):
            x[at + st.LOW_RING + i] = x[at + st.LOW_RING + i + 1]
        n -= 1
    x[at + st.LOW_RING + n] = x[at + st.LOW_DAY_MIN]
    x[at + st.LOW_DAYS] = n + 1
    x[at + st.LOW_DAY_N] = 0.0
    x[at + st.LOW_DAY_MIN] = np.inf
    limits(x, at)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def shift(x: NDArray[np.float64], at: int, by: float) -> None:
    """Move all that is known by as much: the channel has a new zero."""
    for i in range(int(x[at + st.LOW_DAYS])):
        x[at + st.LOW_RING + i] += by
    x[at + st.LOW_BASE] += by
    x[at + st.LOW_DAY_MIN] += by
    limits(x, at)
