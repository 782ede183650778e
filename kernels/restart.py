"""Flow above the tolerance after a restart: what the sensors see beyond it, summed from row to row.

Physics: a pump that was stopped, stalled or blocked for a day can deliver several times its set dose once it runs
again (Sgouros 2010: a near-lethal overdose within minutes). Two ledgers can show it soon: the counter (the drive runs
away) and the measured flow (the stroke does). Each has a one-sided CUSUM of the volume beyond the tolerance,

    S <- max(S + sensed - (1 + tolerance) h asked, 0)        level 2 once S > slack

with asked = what the program wanted meanwhile, and h = the flow sensor's own habit of sensed / counted (or
programmed), never below 1, so that a sensor which reads high is no overdose. slack = the most that was programmed in
a row so far (a reading may belong to the row beside its own) + what the program now gives in 31 minutes (the longest
window of the trumpet curve, IEC 60601-2-24: shorter ones may truly depart from the tolerance); for the counter also
its usual volume between two movements. At five times the dose that takes a quarter of an hour, as long as a row. Once
it is on, the same sum the other way round ends it. A level that is read without either shows it later: the mean of
its readings has fallen from where it stood at the restart by more than (1 + tolerance) asked, slack, and LEVEL_Z sds
of its noise and of the drift of such sensors since then, a random walk; the mean lags by MEAN_ROWS rows, to the safe
side. A reading far off moves it by CLIP sds at most (a spike), unless the one before was as far off on the same side
(a fall): then by the nearer of the two. The watch ends
WATCH_US after the restart. Only ratios decide: factors on volumes change nothing. A gap of more than GAP_PERIODS
usual periods says nothing of flow. State: kernels.state, block COMMON. [P] = parameter of ours.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow
from kernels.drive import HABIT_UL
from kernels.level_sensor import DRIFT_DAY_SD
from kernels.stroke import COUNTER_SOURCE, FLOW_DOUBT, FLOW_SD, Z95, encoder_ratio
from kernels.units import DAY_US, HOUR_US

WATCH_US: Final = 48.0 * 3.6e9  # us after the restart [P]
TRUMPET_H: Final = 31.0 / 60.0  # [S] IEC 60601-2-24, longest observation window
NOBODY, BY_COUNTER, BY_FLOW, BY_LEVEL = 0.0, 1.0, 2.0, 3.0  # who raised it
MEAN_ROWS: Final = 16.0  # level readings in the mean [P]
NOISE_ROWS: Final = 128.0  # and in its noise [P]
CLIP: Final = 4.0
LEVEL_Z: Final = 3.0  # sds; a restart that is watched is rare [P]
GAP_PERIODS: Final = 3.0  # contract, sensed_*: a reading holds for at most 3 sampling periods


def reset(x: NDArray[np.float64]) -> None:
    """No restart is watched."""
    x[st.RST_SINCE_US] = np.nan
    x[st.RST_LEVEL : st.RST_SLACK_UL + 1] = 0.0
    x[st.RST_MEAN_UL : st.RST_ASKED_UL + 1] = np.nan
    x[st.RST_ROW_UL] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def begin(x: NDArray[np.float64], t_us: float) -> None:
    """The pump runs again from `t_us` on, after a day or more: forget earlier sums, keep a level that is on."""
    x = borrow(x)
    x[st.RST_SINCE_US] = t_us
    x[st.RST_PENDING_UL] = x[st.RST_SENSED_UL] = x[st.RST_FLOW_UL] = 0.0
    x[st.RST_SLACK_UL] = x[st.RST_ASKED_UL] = x[st.RST_ROW_UL] = 0.0
    x[st.RST_REF_UL] = x[st.RST_MEAN_UL]
    counted_ul = x[st.RES_FLOW_COUNTED_UL]
    if x[st.RES_SOURCE] == COUNTER_SOURCE:
        known = counted_ul > x[st.RESERVOIR_ML] * 1000.0 * FLOW_DOUBT
        habit = x[st.RES_FLOW_UL] / counted_ul if known else 1.0 + Z95 * FLOW_SD
    else:
        habit = encoder_ratio(x)
    x[st.RST_FLOW_HABIT] = max(habit, 1.0) if habit < np.inf else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def refilled(x: NDArray[np.float64]) -> None:
    """Forget the level: the reservoir was filled."""
    x = borrow(x)
    x[st.RST_MEAN_UL] = x[st.RST_REF_UL] = np.nan


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def level_mean(x: NDArray[np.float64], reservoir_ml: float, expected_ul: float) -> None:
    """Take a level reading (mL, NaN = none) into the mean and its noise; a lone spike moves neither by more than CLIP sds.

    expected_ul: programmed since the last row, uL; the mean lags by as much of it as its memory is long, which is no noise. While a restart is watched the noise is what it was before: a mean that lags behind a fall is none.
    """
    if not 0.0 <= reservoir_ml < np.inf:
        return
    mean_ul = x[st.RST_MEAN_UL]
    if math.isnan(mean_ul):
        x[st.RST_MEAN_UL] = reservoir_ml * 1000.0
        if math.isnan(x[st.RST_NOISE_UL2]):
            x[st.RST_NOISE_UL2] = 0.0
        return
    off_ul, noise = reservoir_ml * 1000.0 - mean_ul, x[st.RST_NOISE_UL2]
    last_ul = x[st.RES_LEVEL_UL] - mean_ul
    most_ul = min(abs(off_ul), CLIP * math.sqrt(noise)) if noise > 0.0 else abs(off_ul)
    if off_ul * last_ul > 0.0:
        most_ul = max(most_ul, min(abs(off_ul), abs(last_ul)))
    x[st.RST_MEAN_UL] = mean_ul + math.copysign(most_ul, off_ul) / MEAN_ROWS
    if math.isnan(x[st.RST_SINCE_US]):
        error_ul = off_ul + (MEAN_ROWS - 1.0) * expected_ul
        square = min(error_ul * error_ul, CLIP * CLIP * noise) if noise > 0.0 else error_ul * error_ul
        x[st.RST_NOISE_UL2] = noise + (square - noise) / NOISE_ROWS


@njit(cache=True, nogil=True, error_model="numpy")
def _fallen(x: NDArray[np.float64], t_us: float, expected_ul: float) -> None:
    """Judge how far the level has fallen since the restart, or since it was judged last."""
    x = borrow(x)
    on = x[st.RST_LEVEL]
    x[st.RST_ASKED_UL] += expected_ul
    beyond_ul = x[st.RST_REF_UL] - x[st.RST_MEAN_UL] - (1.0 + x[st.FLOW_TOLERANCE]) * x[st.RST_ASKED_UL]
    drift_ul = DRIFT_DAY_SD * x[st.RESERVOIR_ML] * 1000.0
    days = (t_us - x[st.RST_SINCE_US]) / DAY_US
    doubt = 2.0 * x[st.RST_NOISE_UL2] / (2.0 * MEAN_ROWS - 1.0) + drift_ul * drift_ul * days
    margin_ul = x[st.RST_SLACK_UL] + LEVEL_Z * math.sqrt(doubt)
    if on == BY_LEVEL:
        beyond_ul = -beyond_ul
    if on in (NOBODY, BY_LEVEL) and beyond_ul > margin_ul:
        x[st.RST_LEVEL] = BY_LEVEL if on == NOBODY else NOBODY
        x[st.RST_REF_UL] = x[st.RST_MEAN_UL]
        x[st.RST_ASKED_UL] = x[st.RST_SENSED_UL] = x[st.RST_FLOW_UL] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _moved(x: NDArray[np.float64], channel: float, slot: int, beyond_ul: float, slack_ul: float) -> None:
    """Move a channel's CUSUM on: towards the alarm or, for the channel that raised it, towards its end."""
    x = borrow(x)
    on = x[st.RST_LEVEL]
    if on == channel:
        beyond_ul = -beyond_ul
    x[slot] = max(x[slot] + beyond_ul, 0.0)
    if on in (NOBODY, channel) and x[slot] > slack_ul:
        x[st.RST_LEVEL] = channel if on == NOBODY else NOBODY
        x[st.RST_SENSED_UL] = x[st.RST_FLOW_UL] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def restart_row(
    x: NDArray[np.float64],
    t_us: float,
    since_us: float,
    period_us: float,
    expected_ul: float,
    counted_ul: float,
    flow_ul_h: float,
) -> int:
    """Fold one row of a pump with a restart to watch; return 0 normal, 2 active.

    x: float64[SIZE]. t_us: us. since_us, period_us: us since the last row, and usually. expected_ul: programmed since the last
    row, priming too, uL. counted_ul: a counter's difference at this row, uL. flow_ul_h: measured, uL/h. NaN = unknown.
    """
    x = borrow(x)
    since_us = min(since_us, t_us - x[st.RST_SINCE_US])
    if not since_us > 0.0:
        return 2 if x[st.RST_LEVEL] > NOBODY else 0
    if x[st.RST_LEVEL] == NOBODY and t_us > x[st.RST_SINCE_US] + WATCH_US:
        x[st.RST_SINCE_US] = np.nan
        return 0
    most = 1.0 + x[st.FLOW_TOLERANCE]
    hours = since_us / HOUR_US
    x[st.RST_PENDING_UL] += expected_ul
    x[st.RST_ROW_UL] = max(x[st.RST_ROW_UL], expected_ul)
    slack_ul = x[st.RST_ROW_UL] + TRUMPET_H * expected_ul / hours
    x[st.RST_SLACK_UL] = slack_ul
    if not math.isnan(counted_ul):
        coarse_ul = slack_ul + x[st.DRV_COUNTER + HABIT_UL]
        _moved(x, BY_COUNTER, st.RST_SENSED_UL, counted_ul - most * x[st.RST_PENDING_UL], coarse_ul)
        x[st.RST_PENDING_UL] = 0.0
    if 0.0 <= flow_ul_h < np.inf and not since_us > GAP_PERIODS * period_us:
        beyond_ul = flow_ul_h * hours - most * x[st.RST_FLOW_HABIT] * expected_ul
        _moved(x, BY_FLOW, st.RST_FLOW_UL, beyond_ul, slack_ul)
    if not math.isnan(x[st.RST_REF_UL]):
        _fallen(x, t_us, expected_ul)
    return 2 if x[st.RST_LEVEL] > NOBODY else 0
