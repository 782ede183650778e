"""A blocked catheter, told from the slope and shape of the outlet pressure, not from a pressure limit.

Physics: behind a block the flow Q fills the compliance C, so dP/dt = Q/C, a straight rise; behind a partial one with
resistance R, dP/dt = (Q - P/R)/C, a rise that settles. Posture, a swapped sensor and a new program move the pressure
too, but in jumps; the rhythm of the day moves it within bounds that repeat. A full block also takes away breathing
and posture from the pressure: it becomes smooth.

1. Level. f, the smaller of two neighbouring readings, must exceed the threshold of kernels/pressure_model.py.
2. Shape. From the row that leaves the envelope on, the way is kept (kernels/excursion.py). Without its two largest jumps
   and less all its falls, f must still stand half way from top to threshold, and that rest must be EVEN_* of the whole
   rise. One or two jumps of any height never do. In a young ring the way is judged once it is SETTLE_US long: a posture that comes
   through a line of compliance C and resistance R rises over several R C, and in its first seconds looks like a block.
3. A block that is over within a row or two can't show its slope. A jump counts only from FLAT_KNOWN times threshold -
   base, a quarter of that if the roughness or the sensed flow was lost, or the drive stands against it (what stands makes
   no R Q); in a young ring only if one of these is so.
4. Before a day is known a straight rise through all periods counts, many times their noise (`straight`), and what stands for long
   far above all that was seen (kernels/towering.py).

Error rate: EXCEED a period, 365 periods a year or fewer, times the share of exceedances that are not jumps, is the rate
only where K(n) sets the threshold. It does in 30-60 % of periods of our generator; the floor (MARGIN, more cautious) or
the cap (MARGIN_MOST, bolder: most periods of a slow wander) does else. MARGIN, MARGIN_MOST, FOLLOW, SHAPE, EVEN_* and
FLAT_* are chosen on generated signals, not derived, so the rate of the whole is measured, not proven: docs and tests say
what was seen.

Flow: P = P_body + R Q, so the pressure follows what is pumped: programmed or sensed, whichever is more. A flow that
lasts two rows or more and lies above what the envelope has seen lifts it by (top or base) ((Q/Qseen)^2 - 1), the
turbulent bound, until two periods at that flow are learned (so many make a top); afterwards by no more than it really
rose. A pulse that is over within a row needs no lift (f is the smaller of two), and a lift for it would make pulsed
pumps deaf. A restart that is seen to deliver above tolerance (kernels/restart.py) explains a jump where nothing measures
how much. No flow programmed: not judged, not learned; a first program begins all anew if no flow was known before it. Learning stops while a condition or a leak is on; an active one
ends when the pressure is back in the lower half of the envelope's margin for HOLD_ROWS rows. An inlet pressure above its
own top is taken off (common mode). Rows that repeat exactly beyond habit are a stuck sensor.

Scale-free: only sums, ratios and roots of pressures, so that factors of two can't change a decision; no absolute
pressure, flow, compliance or row number is evidence. State: kernels.state, block OCCLUSION. Constants without another
source are parameters of ours [P].
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow
from kernels.excursion import jumps, profile_add, profile_close
from kernels.pressure_model import (
    FIRST_ROWS,
    RING,
    ROUNDING,
    YOUNG_DAYS,
    drop_part,
    flatten,
    flow_lift_kpa,
    forget,
    learn,
    span_us,
)
from kernels.towering import first_towering, towering
from kernels.units import DAY_US, HOUR_US

SHAPE: Final = 0.5  # where the pressure without its jumps must stand between top and threshold
EVEN_KNOWN: Final = 0.2  # share of the whole rise that must be no jump either
EVEN_YOUNG: Final = 0.4
FLAT_KNOWN: Final = 4.0
FLAT_YOUNG: Final = 16.0
LOST_SHARE: Final = 0.25  # of FLAT_*, and of the healthy roughness below which it counts as lost
SETTLE_US: Final = (
    300e6  # young ring: several time constants R C of a line, through which a posture reaches the sensor [P]
)
HOLD_ROWS: Final = 2.0  # rows for which a condition must stand, beside the two in f
CLEAR_SHARE: Final = 0.25  # of the peak: a fall below it ends a condition too
SENSED_FINEST: Final = 1.0 / 64.0  # of the sensed flow: no habit of it is finer
MORE_FLOW: Final = 1.01  # of every flow seen before: from there on a period is begun anew
STUCK_ROWS: Final = 8.0  # equal readings beyond twice the habit: the sensor is stuck


def reset(x: NDArray[np.float64]) -> None:
    """Forget the pressure: nothing learned, level 0."""
    x[st.OCC_LEVEL : st.OCC_RING_MEAN + RING] = 0.0
    for slot in (
        st.OCC_ONSET_US,
        st.OCC_SLOPE_KPA_H,
        st.OCC_BASE_KPA,
        st.OCC_SCORE,
        st.OCC_COMPLIANCE_UL_KPA,
        st.OCC_TOP_KPA,
        st.OCC_THRESHOLD_KPA,
        st.OCC_LAST_US,
        st.OCC_LAST_KPA,
        st.OCC_LAST_LOW_KPA,
        st.OCC_PERIOD_US,
        st.OCC_INLET_TOP_KPA,
        st.OCC_SENSED_MEAN,
        st.OCC_PART_INLET_KPA,
    ):
        x[slot] = np.nan
    x[st.OCC_QUANTUM_KPA] = np.inf
    x[st.OCC_FLOW_NEXT_UL_H] = 0.0
    x[st.OCC_PART_ROWS] = FIRST_ROWS
    x[st.OCC_PART_MAX_KPA], x[st.OCC_PART_MIN_KPA] = -np.inf, np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _evidence(x: NDArray[np.float64], t_us: float, low_kpa: float, flow_ul_h: float) -> None:
    """Slope, onset and compliance of the present excursion."""
    elapsed_h = (t_us - x[st.OCC_OUT_US]) / HOUR_US
    n = int(x[st.OCC_OUT_N])
    if elapsed_h <= 0.0 or n == 0:
        return
    slope = (low_kpa - x[st.OCC_OUT]) / elapsed_h
    x[st.OCC_SLOPE_KPA_H] = slope
    if slope <= 0.0:
        return
    lag_us = (x[st.OCC_OUT] - x[st.OCC_BASE_KPA]) / slope * HOUR_US
    x[st.OCC_ONSET_US] = x[st.OCC_OUT_US] - max(lag_us, 0.0)
    x[st.OCC_COMPLIANCE_UL_KPA] = flow_ul_h / slope


@njit(cache=True, nogil=True, error_model="numpy")
def _blame_youth(x: NDArray[np.float64], t_us: float, low_kpa: float, flow_ul_h: float) -> None:
    """Turn the straight rise through a young ring into an excursion of one entry, and set the evidence."""
    start = x[st.OCC_RING_MEAN]
    flatten(x)
    x[st.OCC_OUT], x[st.OCC_OUT_N], x[st.OCC_OUT_ROWS] = start, 1.0, 1.0
    x[st.OCC_OUT + 1] = low_kpa
    x[st.OCC_OUT_STRIDE] = x[st.OCC_RING_N] * x[st.OCC_PART_ROWS]
    x[st.OCC_OUT_FILL] = x[st.OCC_OUT_SUM_KPA] = 0.0
    x[st.OCC_OUT_US] = t_us - x[st.OCC_RING_N] * x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US]
    x[st.OCC_PEAK_KPA] = low_kpa - start
    _evidence(x, t_us, low_kpa, flow_ul_h)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _stuck(x: NDArray[np.float64], step_kpa: float) -> bool:
    """Count rows that repeat exactly; True once that is beyond the habit of this sensor."""
    bound = 2.0 * x[st.OCC_SAME_HABIT] + STUCK_ROWS
    if step_kpa == 0.0:
        x[st.OCC_SAME] += 1.0
        return bool(x[st.OCC_SAME] > bound)
    x[st.OCC_QUANTUM_KPA] = min(x[st.OCC_QUANTUM_KPA], abs(step_kpa))
    if x[st.OCC_SAME] > x[st.OCC_SAME_HABIT] and x[st.OCC_LEVEL] == 0.0:
        x[st.OCC_SAME_HABIT] = min(x[st.OCC_SAME], bound)
    x[st.OCC_SAME] = 0.0
    return False


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _roughen(x: NDArray[np.float64], bend_kpa: float) -> None:
    """Follow the square of the bends over the last 8 rows; one corner, as of a posture or a drive that slips, is cut off."""
    rough = x[st.OCC_ROUGH_KPA2]
    square, most = bend_kpa * bend_kpa, max(4.0 * rough, x[st.OCC_ROUGH_REF_KPA2] / 16.0)
    x[st.OCC_ROUGH_KPA2] = rough + ((min(square, most) if most > 0.0 else square) - rough) / 8.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _flow(x: NDArray[np.float64], programmed_ul_h: float, sensed_ul_h: float) -> float:
    """Flow that fills a blocked line (uL/h): programmed, else sensed; 0 = the pump is not asked to pump; NaN = unknown."""
    if programmed_ul_h > 0.0:
        if x[st.OCC_PROGRAMMED] == 0.0 and x[st.OCC_FLOW_TOP_UL_H] == 0.0:
            forget(x)
        x[st.OCC_PROGRAMMED] = 1.0
        return programmed_ul_h
    if sensed_ul_h > 0.0:
        return sensed_ul_h
    new = sensed_ul_h == 0.0 and x[st.OCC_FLOW_TOP_UL_H] == 0.0  # it stands, and never ran
    if programmed_ul_h == 0.0 and (x[st.OCC_PROGRAMMED] == 1.0 or new):
        return 0.0
    return np.nan


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _allow(x: NDArray[np.float64], flow_ul_h: float, low_kpa: float) -> float:
    """Lift of the envelope (kPa) for a flow above all that it has seen; fades over 16 rows once that flow is known or gone.

    The period in which such a flow begins is begun anew, so that it is one at that flow.
    """
    lasting = min(flow_ul_h, x[st.OCC_FLOW_LAST_UL_H]) if flow_ul_h > 0.0 else 0.0
    seen, before = x[st.OCC_FLOW_TOP_UL_H], max(x[st.OCC_FLOW_TOP_UL_H], x[st.OCC_FLOW_NEXT_UL_H])
    if x[st.OCC_READY] == 1.0 and lasting > MORE_FLOW * max(before, x[st.OCC_PART_FLOW_UL_H]):
        drop_part(x)
    x[st.OCC_PART_FLOW_UL_H] = max(x[st.OCC_PART_FLOW_UL_H], lasting)
    if flow_ul_h > 0.0:
        x[st.OCC_FLOW_LAST_UL_H] = flow_ul_h
        if seen == 0.0:
            x[st.OCC_FLOW_TOP_UL_H] = seen = flow_ul_h
    if x[st.OCC_READY] == 0.0:
        return 0.0
    allow = flow_lift_kpa(x, lasting)
    if allow == 0.0:
        # The flow is gone: what is left of the lift is at most what it really raised the pressure by.
        allow = 0.9375 * min(x[st.OCC_ALLOW_KPA], max(low_kpa - x[st.OCC_TOP_KPA], 0.0))
        if allow < ROUNDING * (x[st.OCC_THRESHOLD_KPA] - x[st.OCC_BASE_KPA]):
            allow = 0.0
    x[st.OCC_ALLOW_KPA] = allow
    return float(allow)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def flow_is_lost(x: NDArray[np.float64]) -> bool:
    """Whether the sensed flow of the last rows stands far below its own habit."""
    mean = x[st.OCC_SENSED_MEAN]
    dev = max(x[st.OCC_SENSED_DEV], SENSED_FINEST * abs(mean))
    return bool(x[st.OCC_SENSED_NOW] < mean - 6.0 * dev)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def movement_is_lost(x: NDArray[np.float64]) -> bool:
    """Whether breathing and posture are gone from the pressure: a quarter of the usual change from row to row, ramps aside."""
    quantum, reference = x[st.OCC_QUANTUM_KPA], x[st.OCC_ROUGH_REF_KPA2]
    return bool(
        x[st.OCC_ROUGH_KPA2] < LOST_SHARE * LOST_SHARE * reference and reference > 4.0 * quantum * quantum
    )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _sensed_lost(x: NDArray[np.float64], programmed_ul_h: float, sensed_ul_h: float) -> int:
    """Whether the sensed flow stands far below its own habit (a pump whose flow yields to resistance).

    An odd first value wears off: what moves the habit is bounded by its deviation, but never by less than a share of
    what is sensed. A pump that is asked for nothing shows nothing of it. With the first program the flow becomes a share: its habit begins anew.
    """
    if programmed_ul_h > 0.0:
        if x[st.OCC_PROGRAMMED] == 0.0:
            x[st.OCC_SENSED_MEAN] = np.nan
    elif x[st.OCC_PROGRAMMED] == 1.0:
        return 0
    share = sensed_ul_h / programmed_ul_h if programmed_ul_h > 0.0 else sensed_ul_h
    if not abs(share) < np.inf:
        return 0
    mean = x[st.OCC_SENSED_MEAN]
    if np.isnan(mean):
        x[st.OCC_SENSED_MEAN] = x[st.OCC_SENSED_NOW] = share
        x[st.OCC_SENSED_DEV] = abs(share)
        return 0
    x[st.OCC_SENSED_NOW] += 0.25 * (share - x[st.OCC_SENSED_NOW])
    if x[st.OCC_LEVEL] == 0.0 and x[st.OCC_OUT_ROWS] == 0.0:
        dev = x[st.OCC_SENSED_DEV]
        most = 4.0 * max(dev, SENSED_FINEST * max(abs(mean), abs(share)))
        off = min(max(share - mean, -most), most)
        x[st.OCC_SENSED_MEAN] += off / 64.0
        x[st.OCC_SENSED_DEV] += (abs(off) - dev) / 64.0
    return 1 if flow_is_lost(x) and x[st.OCC_READY] == 1.0 else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _condition(
    x: NDArray[np.float64], t_us: float, low_kpa: float, allow_kpa: float, sensed_lost: int
) -> float:
    """Rows for which this row counts towards the on-delay: a ramp has been seen for several already, a jump has not."""
    base, top, threshold = (
        x[st.OCC_BASE_KPA],
        x[st.OCC_TOP_KPA] + allow_kpa,
        x[st.OCC_THRESHOLD_KPA] + allow_kpa,
    )
    _, jumped = jumps(x, low_kpa)
    x[st.OCC_SCORE] = (low_kpa - jumped - top) / (threshold - top)
    known = span_us(x) >= YOUNG_DAYS * DAY_US
    tower = 0.0 if known else HOLD_ROWS * towering(x, low_kpa, base, x[st.OCC_TOP_KPA], allow_kpa)
    if low_kpa <= threshold:
        return tower
    rise = low_kpa - x[st.OCC_OUT]
    settled = known or t_us - x[st.OCC_OUT_US] >= SETTLE_US
    if settled and x[st.OCC_SCORE] > SHAPE and rise - jumped > (EVEN_KNOWN if known else EVEN_YOUNG) * rise:
        return HOLD_ROWS
    lost = sensed_lost == 1 or x[st.DRV_LEVEL] == 2.0 or (movement_is_lost(x) and x[st.OCC_OUT_ROWS] >= 16.0)
    if not known and not lost:
        return tower  # a first rising on a quiet sensor is a jump of any number of noises
    if x[st.RST_LEVEL] > 0.0:
        return 0.0  # more is pumped than asked, nobody measures how much: R Q jumps
    flat = FLAT_KNOWN if known else FLAT_YOUNG
    if lost:
        flat *= LOST_SHARE
    return 1.0 if low_kpa - base > flat * (threshold - base) else tower


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _recovered(x: NDArray[np.float64], high_kpa: float) -> bool:
    """Whether the pressure is back: in the lower half of the margin, or fallen by most of its peak."""
    over = high_kpa - x[st.OCC_BASE_KPA]
    margin = x[st.OCC_THRESHOLD_KPA] - x[st.OCC_BASE_KPA]
    x[st.OCC_PEAK_KPA] = max(x[st.OCC_PEAK_KPA], over)
    return bool(over < 0.5 * margin or over < CLEAR_SHARE * x[st.OCC_PEAK_KPA])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def occlusion_row(
    x: NDArray[np.float64],
    t_us: float,
    pressure_kpa: float,
    inlet_kpa: float,
    programmed_ul_h: float,
    sensed_ul_h: float,
) -> int:
    """Fold one row; return 0 normal, 1 pending, 2 active.

    x: float64[SIZE]. t_us: us. pressure_kpa, inlet_kpa: kPa at outlet and inlet. programmed_ul_h: mean programmed flow
    since the last row with boluses (NaN = unknown). sensed_ul_h: uL/h, measured, else counted. Any of them may be NaN or infinite = not reported.
    """
    x = borrow(x)
    level = int(x[st.OCC_LEVEL])
    if not abs(pressure_kpa) < np.inf:
        return level
    last_kpa, last_us = x[st.OCC_LAST_KPA], x[st.OCC_LAST_US]
    x[st.OCC_LAST_KPA], x[st.OCC_LAST_US] = pressure_kpa, t_us
    if np.isnan(last_kpa):
        return level
    gap_us, usual_us = t_us - last_us, x[st.OCC_PERIOD_US]
    x[st.OCC_PERIOD_US] = (
        gap_us if not usual_us > 0.0 else usual_us + (min(gap_us, 4.0 * usual_us) - usual_us) / 64.0
    )
    step_kpa = pressure_kpa - last_kpa
    known = x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US] >= DAY_US
    if _stuck(x, step_kpa) and (known or level > 0):
        return level
    bend_kpa = step_kpa - x[st.OCC_STEP_KPA]  # of a ramp it shows the noise alone
    x[st.OCC_STEP_KPA] = step_kpa
    _roughen(x, bend_kpa)
    sensed_lost = _sensed_lost(x, programmed_ul_h, sensed_ul_h)
    flow_ul_h = _flow(x, programmed_ul_h, sensed_ul_h)
    level = int(x[st.OCC_LEVEL])
    common_kpa = 0.0
    if inlet_kpa > x[st.OCC_INLET_TOP_KPA] and inlet_kpa < np.inf:
        common_kpa = inlet_kpa - x[st.OCC_INLET_TOP_KPA]
    low_kpa = min(pressure_kpa, last_kpa) - common_kpa
    before_kpa = x[st.OCC_LAST_LOW_KPA] if not np.isnan(x[st.OCC_LAST_LOW_KPA]) else low_kpa
    x[st.OCC_LAST_LOW_KPA] = low_kpa
    if level == 2:
        profile_add(x, t_us, low_kpa, before_kpa, low_kpa)
        x[st.OCC_HOLD] = x[st.OCC_HOLD] + 1.0 if _recovered(x, max(pressure_kpa, last_kpa)) else 0.0
        if x[st.OCC_HOLD] > HOLD_ROWS:
            x[st.OCC_LEVEL] = x[st.OCC_HOLD] = 0.0
            profile_close(x)
            return 0
        return 2
    if flow_ul_h == 0.0:
        return level
    allow_kpa = _allow(x, max(flow_ul_h, sensed_ul_h) if sensed_ul_h < np.inf else flow_ul_h, low_kpa)
    due = 0.0
    if x[st.OCC_READY] == 1.0:
        top_kpa = x[st.OCC_TOP_KPA] + allow_kpa
        if low_kpa > top_kpa:
            x[st.OCC_OUT_BELOW] = 0.0
            profile_add(x, t_us, low_kpa, before_kpa, top_kpa)
            due = _condition(x, t_us, low_kpa, allow_kpa, sensed_lost)
        elif x[st.OCC_OUT_ROWS] > 0.0:
            x[st.OCC_OUT_BELOW] += 1.0
            if x[st.OCC_OUT_BELOW] > 3.0 + 0.25 * x[st.OCC_OUT_ROWS]:
                profile_close(x)
            else:
                profile_add(x, t_us, low_kpa, before_kpa, top_kpa)
    else:
        due = HOLD_ROWS * first_towering(x, low_kpa, flow_ul_h)
        if due > 0.0:
            profile_add(x, t_us, low_kpa, before_kpa, x[st.OCC_TOP_KPA])
        elif x[st.OCC_OUT_ROWS] > 0.0:
            profile_close(x)
    if due > 0.0:
        _evidence(x, t_us, low_kpa, flow_ul_h)
        x[st.OCC_HOLD] += due
        level = 2 if x[st.OCC_HOLD] >= HOLD_ROWS else 1
        if level == 2:
            x[st.OCC_HOLD] = 0.0
            x[st.OCC_PEAK_KPA] = low_kpa - x[st.OCC_BASE_KPA]
            drop_part(x)
    else:
        x[st.OCC_HOLD] = 0.0
        level = 2 if x[st.LEAK] != 2.0 and learn(x, low_kpa, inlet_kpa) else 0
        if level == 2:
            _blame_youth(x, t_us, low_kpa, flow_ul_h)
    x[st.OCC_LEVEL] = level
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def occlusion_rows(
    x: NDArray[np.float64],
    t_us: NDArray[np.float64],
    pressure_kpa: NDArray[np.float64],
    inlet_kpa: NDArray[np.float64],
    programmed_ul_h: NDArray[np.float64],
    sensed_ul_h: NDArray[np.float64],
    levels: NDArray[np.float64],
) -> None:
    """`occlusion_row` over columns of equal length, float64[n]; `levels` is filled. For benches and tests."""
    x, t_us, pressure_kpa, inlet_kpa = borrow(x), borrow(t_us), borrow(pressure_kpa), borrow(inlet_kpa)
    programmed_ul_h, sensed_ul_h, levels = borrow(programmed_ul_h), borrow(sensed_ul_h), borrow(levels)
    for k in range(t_us.size):
        levels[k] = occlusion_row(
            x, t_us[k], pressure_kpa[k], inlet_kpa[k], programmed_ul_h[k], sensed_ul_h[k]
        )
