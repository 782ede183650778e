"""How much a healthy outlet pressure moves: from row to row at its stillest, from block to block by the time of day.

Physics: an open catheter carries breathing, heartbeat and small movements of the body to the outlet at all hours, posture by
day. A line that is open elsewhere no longer does; behind a swapped sensor it still does.

Rows. Rows that are minutes apart each meet another phase of breathing, so that a change from row to row is a new draw.
    now += (|p - last p| - now) / rows, at most MEMORY blocks of them
least is the smallest `now` at the end of a healthy block, rising by RISE a day, so that it forgets in weeks. During a fall
`now` is the mean since its first block. Where the flow changes (R dQ) and where nothing moved at all (a stuck or coarse
sensor) nothing is said. A healthy `now` of two to three hours is below the least of N such by chance once in N + 1, whatever the
distribution and the rhythm of the day, if one is like the other: N >= 8 after a day, 112 after two weeks. Below STILLER of it
the chance is smaller by STILLER^nu, since a mean of nu squares has the lower tail w^(nu / 2): with the nu = 8 that twelve
Gaussian changes are worth (neighbours share a row), six times. So it is 2 % after a day, SURE's 1 % after two.

Blocks. The mean |change| of the block means (kernels/lows.py), by fifths of the day; one change counts RARE usual ones at
most. Usual is the smallest of three neighbouring fifths, since nights do not begin at the same minute.

Scale-free: only ratios of pressures decide. State: kernels.state, LEAK_STILL_* and LEAK_MOVES_KPA. Constants: ours [P].
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.units import DAY_US

MEMORY: Final = 2.0  # blocks: as good as four of them, two to three hours
WINDOW: Final = 4.0  # blocks of a fall before it is judged
RISE: Final = 1.0 / 64.0
STILLER: Final = 0.8
SAME_FLOW: Final = 0.02
ANEW: Final = 8.0  # times the least: where `now` begins after a fall, so that what comes of it is no record
FIFTHS: Final = 5
MOVES_BLOCKS: Final = 16.0  # memory of a usual change: some days
RARE: Final = 2.0  # evening's last rising does not make the night lively


def reset_movement(x: NDArray[np.float64]) -> None:
    """Forget how much the pressure moves."""
    x[st.LEAK_STILL_KPA] = x[st.LEAK_STILL_NOW_KPA] = x[st.LEAK_STILL_LEAST_KPA] = np.nan
    x[st.LEAK_MOVES_KPA : st.LEAK_MOVES_KPA + FIFTHS] = np.nan


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def movement_row(x: NDArray[np.float64], at: int, kpa: float, flow_ul_h: float) -> None:
    """Add the change (kPa) from the last row; the row is not yet in the block at `at`."""
    step_kpa = abs(kpa - x[st.LEAK_STILL_KPA])
    x[st.LEAK_STILL_KPA] = kpa
    n = x[at + st.LOW_N]
    usual_ul_h = x[at + st.LOW_FLOW] / n
    if not step_kpa < np.inf or abs(flow_ul_h - usual_ul_h) > SAME_FLOW * usual_ul_h:
        return
    now, blocks = x[st.LEAK_STILL_NOW_KPA], MEMORY
    if x[at + st.LOW_OUT_N] > 0.0:
        blocks = max(x[at + st.LOW_OUT_N] - 1.0 + (n + 1.0) / x[at + st.LOW_ROWS], 0.0)
        blocks = min(blocks, 2.0 * WINDOW)
    rows = max(blocks * x[at + st.LOW_ROWS], 1.0)
    x[st.LEAK_STILL_NOW_KPA] = step_kpa if math.isnan(now) else now + (step_kpa - now) / rows


@njit(cache=True, nogil=True, error_model="numpy")
def movement_anew(x: NDArray[np.float64]) -> None:
    """A fall is over: what moved in it says nothing of health."""
    x[st.LEAK_STILL_NOW_KPA] = ANEW * x[st.LEAK_STILL_LEAST_KPA]


@njit(cache=True, nogil=True, error_model="numpy")
def stiller(x: NDArray[np.float64], at: int, share: float) -> bool:
    """Whether the pressure moves less, since the first block of the fall, than `share` of its least in health."""
    now_kpa = x[st.LEAK_STILL_NOW_KPA]
    return x[at + st.LOW_OUT_N] > WINDOW and 0.0 < now_kpa < share * x[st.LEAK_STILL_LEAST_KPA]


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def _fifth(end_us: float) -> int:
    """In which fifth of the day a block ends."""
    of_day_us = end_us - np.floor(end_us / DAY_US) * DAY_US  # exact, since times are whole microseconds
    return int(of_day_us / DAY_US * FIFTHS)


@njit(cache=True, nogil=True, error_model="numpy")
def usual_change_kpa(x: NDArray[np.float64], end_us: float) -> float:
    """Usual |change| between blocks at this time of day, the smallest of three fifths; inf = not known."""
    at, least_kpa = _fifth(end_us), np.inf
    for step in range(-1, 2):
        least_kpa = min(least_kpa, x[st.LEAK_MOVES_KPA + (at + step) % FIFTHS])
    return least_kpa


@njit(cache=True, nogil=True, error_model="numpy")
def learn_movement(x: NDArray[np.float64], at: int, mean_kpa: float) -> None:
    """Enter a healthy block: its change from the last, and `now` into the least once two blocks are behind it."""
    change_kpa = abs(mean_kpa - x[at + st.LOW_LAST])
    if not math.isnan(change_kpa):
        slot = st.LEAK_MOVES_KPA + _fifth(x[at + st.LOW_OPEN_US])
        usual = x[slot]
        most = change_kpa if math.isnan(usual) else min(change_kpa, RARE * usual)
        x[slot] = most if math.isnan(usual) else usual + (most - usual) / MOVES_BLOCKS
    now_kpa, least_kpa = x[st.LEAK_STILL_NOW_KPA], x[st.LEAK_STILL_LEAST_KPA]
    if not now_kpa > 0.0 or (x[at + st.LOW_DAYS] == 0.0 and x[at + st.LOW_DAY_N] < WINDOW):
        return
    share = min(x[at + st.LOW_SPAN_US] / DAY_US, 1.0)
    x[st.LEAK_STILL_LEAST_KPA] = least_kpa * (1.0 + RISE * share) if now_kpa > least_kpa else now_kpa
