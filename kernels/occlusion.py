"""A blocked catheter, told from the slope and shape of the outlet pressure, not from a pressure limit.

Physics: behind a block the flow Q fills the compliance C, so dP/dt = Q/C, a straight rise; behind a partial one with
resistance R, dP/dt = (Q - P/R)/C, a rise that settles. Posture, a swapped sensor and a new program move the pressure
too, but in jumps; the rhythm of the day moves it within bounds that repeat. A full block also takes away breathing
and posture from the pressure: it becomes smooth.

1. Healthy envelope. f = the smaller of two neighbouring readings. Healthy rows are cut into periods; the largest f of
   each of the last 6..12 periods is kept. When 12 are full, neighbours merge and periods double, until one lasts a day
   or more: bounded memory, and each period then holds a whole day's rhythm and postures. base = median of the periods'
   means, top = second largest maximum, threshold = mean + K(n) sd of the maxima (largest replaced by second largest, so
   that one bad period changes nothing), kept between top + MARGIN and, once a day is seen, top + MARGIN_MOST times
   (top - base). Maxima of a day don't care how the noise inside the day is correlated (AR(1), breathing, posture).
   K(n) is where the next of n + 1 independent Gumbel maxima exceeds with probability EXCEED.
2. Shape. From the row that leaves the envelope, a profile of 5..10 equally long entries is kept (merged and doubled
   the same way). An occlusion is on where f exceeds the threshold and, without the profile's two largest jumps and less
   all its falls, still stands half way from top to threshold. One or two jumps of any height never do.
3. A block that is over within a row or two can't show its slope. A jump counts only from FLAT_KNOWN (FLAT_YOUNG while
   periods are shorter than a day) times threshold - base; a quarter of that if the roughness or the sensed flow was lost.

Error rate: EXCEED a period, 365 periods a year or fewer, times the share of exceedances that are not jumps, is the rate
only where K(n) sets the threshold. It does in 30-60 % of periods of our generator; the floor (MARGIN, more cautious) or
the cap (MARGIN_MOST, bolder: most periods of a slow wander) does else. MARGIN, MARGIN_MOST, SHAPE and FLAT_* are chosen
on generated signals, not derived, so the rate of the whole is measured, not proven: docs and tests say what was seen.

Flow: a flow that lasts two rows or more and lies above all that the envelope has seen lifts it by (top or base)
((Q/Qseen)^2 - 1), the turbulent bound, until it is learned; afterwards by no more than it really rose. A pulse that
is over within a row needs no lift (f is the smaller of two), and a lift for it would make pulsed pumps deaf. No flow programmed: not judged, not learned. Learning stops while a condition is on; an
active one ends when the pressure is back in the lower half of the envelope's margin for HOLD_ROWS rows. An inlet
pressure above its own top is taken off (common mode). Rows that repeat exactly beyond habit are a stuck sensor.

Scale-free: only sums, ratios and roots of pressures, so that factors of two can't change a decision; no absolute
pressure, flow, compliance or row number is evidence. State: kernels.state, block OCCLUSION. Constants without another
source are parameters of ours [P].
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.borrow import borrow

HOUR_US: Final = 3.6e9
DAY_US: Final = 24 * HOUR_US
RING: Final = 12  # periods kept
PROFILE: Final = 10  # entries of an excursion's profile before neighbours merge
FIRST_ROWS: Final = 16.0  # rows of the first periods; ready after RING of them
EXCEED: Final = 0.003  # chance of a healthy period above the threshold
K_OF_N: Final = np.array(
    [12.2, 9.91, 8.69, 7.91, 7.37, 6.96, 6.68]
)  # n = 6..12, Gumbel at EXCEED (tests recompute)
MARGIN: Final = 0.5  # smallest threshold - top, as a share of top - base
MARGIN_MOST: Final = (
    1.0  # the largest, once a day is seen: maxima of short periods are of two kinds, night and day
)
QUANTA: Final = 2.5  # the same in quanta of the reading
ROUNDING: Final = 1e-6  # the same as a share of the baseline: far above rounding, far below any gauge
SHAPE: Final = 0.5  # where the pressure without its jumps must stand between top and threshold
EVEN_KNOWN: Final = 0.2  # share of the whole rise that must be no jump either
EVEN_YOUNG: Final = 0.4
FLAT_KNOWN: Final = 4.0
FLAT_YOUNG: Final = 16.0
LOST_SHARE: Final = 0.25  # of FLAT_*, and of the healthy roughness below which it counts as lost
FOLLOW: Final = 0.5  # of top - base: how far a day may lie above what is known and still be learned
YOUNG_DAYS: Final = (
    1.5  # days in the ring below which it is young: a night, a morning or a rising may be news to it
)
YOUNG_RAMP: Final = 12.0  # of a period's usual (maximum - mean): what a young ring's straight rise must pass
EVEN_RING: Final = 0.6  # of its whole rise
BEYOND_BASE: Final = 1.8  # of the pressure that it began at: the first morning's rhythm is no block
HOLD_ROWS: Final = 2.0  # rows for which a condition must stand, beside the two in f
CLEAR_SHARE: Final = 0.25  # of the peak: a fall below it ends a condition too
STUCK_ROWS: Final = 8.0  # equal readings beyond twice the habit: the sensor is stuck


def reset(x: NDArray[np.float64]) -> None:
    """Forget the pressure: nothing learned, level 0."""
    x[st.OCC_LEVEL : st.OCC_RING_MEAN + RING] = 0.0
    for slot in (
        st.OCC_ONSET_US,
        st.OCC_SLOPE_KPA_H,
        st.OCC_BASE_KPA,
        st.OCC_SCORE,
        st.OCC_LIMIT_US,
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
    x[st.OCC_PART_ROWS] = FIRST_ROWS
    x[st.OCC_PART_MAX_KPA], x[st.OCC_PART_MIN_KPA] = -np.inf, np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _median(x: NDArray[np.float64], start: int, n: int) -> float:
    """Lower median of x[start : start + n] by counting ranks: no copy, n is at most RING."""
    wanted = (n - 1) // 2
    for i in range(n):
        below, equal = 0, 0
        for j in range(n):
            if x[start + j] < x[start + i]:
                below += 1
            elif x[start + j] == x[start + i]:
                equal += 1
        if below <= wanted < below + equal:
            return float(x[start + i])
    return np.nan


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _span_us(x: NDArray[np.float64]) -> float:
    """Time that the ring covers (us)."""
    return float(x[st.OCC_RING_N] * x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US])


@njit(cache=True, nogil=True, error_model="numpy")
def _envelope(x: NDArray[np.float64]) -> None:
    """Baseline, top and threshold (kPa) from the ring of periods."""
    n = int(x[st.OCC_RING_N])
    first, second, at = -np.inf, -np.inf, 0
    for i in range(n):
        largest = x[st.OCC_RING_MAX + i]
        if largest > first:
            first, second, at = largest, first, i
        elif largest > second:
            second = largest
    total = 0.0
    for i in range(n):
        total += second if i == at else x[st.OCC_RING_MAX + i]
    mean = total / n
    squares = 0.0
    for i in range(n):
        off = (second if i == at else x[st.OCC_RING_MAX + i]) - mean
        squares += off * off
    base = _median(x, st.OCC_RING_MEAN, n)
    top = second
    threshold = mean + K_OF_N[max(n, 6) - 6] * math.sqrt(squares / (n - 1))
    span_us = _span_us(x)
    if span_us >= DAY_US:
        threshold = min(threshold, top + MARGIN_MOST * (1.0 + 0.5 * DAY_US / span_us) * (top - base))
    threshold = max(threshold, top + MARGIN * (top - base), top + ROUNDING * abs(base))
    if x[st.OCC_QUANTUM_KPA] < np.inf:
        threshold = max(threshold, top + QUANTA * x[st.OCC_QUANTUM_KPA])
    x[st.OCC_BASE_KPA], x[st.OCC_TOP_KPA], x[st.OCC_THRESHOLD_KPA] = base, top, threshold


@njit(cache=True, nogil=True, error_model="numpy")
def _drop_part(x: NDArray[np.float64]) -> None:
    """Start the open period anew."""
    x[st.OCC_PART_N] = x[st.OCC_PART_SUM_KPA] = x[st.OCC_PART_ROUGH_KPA2] = x[st.OCC_PART_FLOW_UL_H] = 0.0
    x[st.OCC_PART_MAX_KPA], x[st.OCC_PART_MIN_KPA] = -np.inf, np.inf
    x[st.OCC_PART_INLET_KPA] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _profile_add(
    x: NDArray[np.float64], t_us: float, low_kpa: float, before_kpa: float, top_kpa: float
) -> None:
    """Add one row to the excursion's profile; open it at the row that left the envelope."""
    if x[st.OCC_OUT_ROWS] == 0.0:
        x[st.OCC_OUT] = min(before_kpa, top_kpa)
        x[st.OCC_OUT_US] = x[st.OCC_ONSET_US] = t_us
        x[st.OCC_OUT_STRIDE] = 1.0
        x[st.OCC_OUT_N] = x[st.OCC_OUT_FILL] = x[st.OCC_OUT_SUM_KPA] = 0.0
    x[st.OCC_OUT_ROWS] += 1.0
    x[st.OCC_OUT_FILL] += 1.0
    x[st.OCC_OUT_SUM_KPA] += low_kpa
    if x[st.OCC_OUT_FILL] < x[st.OCC_OUT_STRIDE]:
        return
    n = int(x[st.OCC_OUT_N]) + 1
    x[st.OCC_OUT + n] = x[st.OCC_OUT_SUM_KPA] / x[st.OCC_OUT_FILL]
    x[st.OCC_OUT_FILL] = x[st.OCC_OUT_SUM_KPA] = 0.0
    if n == PROFILE:
        for i in range(1, PROFILE // 2 + 1):
            x[st.OCC_OUT + i] = 0.5 * (x[st.OCC_OUT + 2 * i - 1] + x[st.OCC_OUT + 2 * i])
        n = PROFILE // 2
        x[st.OCC_OUT_STRIDE] *= 2.0
    x[st.OCC_OUT_N] = n


@njit(cache=True, nogil=True, error_model="numpy")
def _profile_close(x: NDArray[np.float64]) -> None:
    x[st.OCC_OUT_ROWS] = x[st.OCC_OUT_BELOW] = 0.0
    x[st.OCC_ONSET_US] = x[st.OCC_SLOPE_KPA_H] = x[st.OCC_LIMIT_US] = x[st.OCC_COMPLIANCE_UL_KPA] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _jumps(x: NDArray[np.float64], low_kpa: float) -> tuple[float, float]:
    """The excursion's largest jump, and the sum of its two largest and of all its falls (kPa): what a ramp has not.

    The path is the profile and then the present pressure, which may have left the open entry's mean far behind. A jump
    inside an entry that averages rows shows in two neighbouring differences, so the first one may then take two.
    """
    n = int(x[st.OCC_OUT_N])
    double = x[st.OCC_OUT_STRIDE] > 1.0
    first, first_at, first_width = 0.0, -2, 1
    falls, before = 0.0, 0.0
    for i in range(n + 1):
        rise = (low_kpa if i == n else x[st.OCC_OUT + i + 1]) - x[st.OCC_OUT + i]
        falls -= min(rise, 0.0)
        if rise > first:
            first, first_at, first_width = rise, i, 1
        if double and i > 0 and rise + before > first:
            first, first_at, first_width = rise + before, i - 1, 2
        before = rise
    second = 0.0
    for i in range(n + 1):
        rise = (low_kpa if i == n else x[st.OCC_OUT + i + 1]) - x[st.OCC_OUT + i]
        if not first_at <= i < first_at + first_width:
            second = max(second, rise)
    return first, first + second + falls


@njit(cache=True, nogil=True, error_model="numpy")
def _swapped_kpa(x: NDArray[np.float64], mean_kpa: float) -> float:
    """Shift of the ring (kPa) after a whole day outside all it knows: a swapped sensor, or the envelope would be blind for weeks.

    Downwards the day must lie below the ring's lowest mean by the envelope's width, upwards all of it above the top, and
    most of that by one jump.
    """
    if x[st.OCC_READY] == 0.0 or x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US] < DAY_US:
        return 0.0
    lowest = x[st.OCC_RING_MEAN]
    for i in range(int(x[st.OCC_RING_N])):
        lowest = min(lowest, x[st.OCC_RING_MEAN + i])
    if x[st.OCC_PART_MAX_KPA] < lowest - (x[st.OCC_TOP_KPA] - x[st.OCC_BASE_KPA]):
        return float(mean_kpa - x[st.OCC_BASE_KPA])
    if x[st.OCC_PART_MIN_KPA] > x[st.OCC_TOP_KPA] and x[st.OCC_OUT_ROWS] >= x[st.OCC_PART_N]:
        jump_kpa, _ = _jumps(x, x[st.OCC_LAST_LOW_KPA])
        if jump_kpa > 0.5 * (mean_kpa - x[st.OCC_OUT]):
            return float(mean_kpa - x[st.OCC_BASE_KPA])
    return 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _straight(x: NDArray[np.float64]) -> bool:
    """Whether the periods' means, without their two largest rises and less all falls, rise far beyond noise and baseline."""
    n = int(x[st.OCC_RING_N])
    first, second, falls, spread = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        spread += x[st.OCC_RING_MAX + i] - x[st.OCC_RING_MEAN + i]
        if i == 0:
            continue
        rise = x[st.OCC_RING_MEAN + i] - x[st.OCC_RING_MEAN + i - 1]
        falls -= min(rise, 0.0)
        if rise > first:
            first, second = rise, first
        elif rise > second:
            second = rise
    start = x[st.OCC_RING_MEAN]
    whole = x[st.OCC_RING_MEAN + n - 1] - start
    rest = whole - first - second - falls
    return bool(rest > max(YOUNG_RAMP * spread / n, EVEN_RING * whole, BEYOND_BASE * abs(start)))


@njit(cache=True, nogil=True, error_model="numpy")
def _close_part(x: NDArray[np.float64]) -> None:
    """Move the open period into the ring; merge neighbours and double the period while it is shorter than a day."""
    rows = x[st.OCC_PART_N]
    n = int(x[st.OCC_RING_N])
    mean = x[st.OCC_PART_SUM_KPA] / rows
    largest = x[st.OCC_PART_MAX_KPA]
    shift = _swapped_kpa(x, mean)
    if shift != 0.0:
        for i in range(n):
            x[st.OCC_RING_MAX + i] += shift
            x[st.OCC_RING_MEAN + i] += shift
        _profile_close(x)
    elif x[st.OCC_READY] == 1.0 and _span_us(x) >= DAY_US:
        most = x[st.OCC_RING_MEAN]
        for i in range(n):
            most = max(most, x[st.OCC_RING_MEAN + i])
        share = min(x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US] / DAY_US, 1.0)
        follow = FOLLOW * share * (x[st.OCC_TOP_KPA] - x[st.OCC_BASE_KPA])
        mean, largest = min(mean, most + follow), min(largest, x[st.OCC_TOP_KPA] + follow)
    if n == RING:
        for i in range(RING - 1):
            x[st.OCC_RING_MAX + i] = x[st.OCC_RING_MAX + i + 1]
            x[st.OCC_RING_MEAN + i] = x[st.OCC_RING_MEAN + i + 1]
        n -= 1
    x[st.OCC_RING_MAX + n], x[st.OCC_RING_MEAN + n] = largest, mean
    n += 1
    if n == RING:
        x[st.OCC_READY] = 1.0
        if x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US] < DAY_US:
            for i in range(RING // 2):
                left, right = st.OCC_RING_MAX + 2 * i, st.OCC_RING_MEAN + 2 * i
                x[st.OCC_RING_MAX + i] = max(x[left], x[left + 1])
                x[st.OCC_RING_MEAN + i] = 0.5 * (x[right] + x[right + 1])
            n = RING // 2
            x[st.OCC_PART_ROWS] *= 2.0
    x[st.OCC_RING_N] = n

    rough = x[st.OCC_PART_ROUGH_KPA2] / rows
    reference = x[st.OCC_ROUGH_REF_KPA2]
    if reference == 0.0:
        x[st.OCC_ROUGH_REF_KPA2] = rough
    else:
        x[st.OCC_ROUGH_REF_KPA2] += 0.25 * (min(rough, 4.0 * reference) - reference)
    flow, seen = x[st.OCC_PART_FLOW_UL_H], x[st.OCC_FLOW_TOP_UL_H]
    x[st.OCC_FLOW_TOP_UL_H] = seen + 0.5 * (flow - seen) if flow > seen else max(flow, 0.9 * seen)
    inlet, inlet_top = x[st.OCC_PART_INLET_KPA], x[st.OCC_INLET_TOP_KPA]
    if not np.isnan(inlet):
        x[st.OCC_INLET_TOP_KPA] = inlet if np.isnan(inlet_top) else inlet_top + 0.125 * (inlet - inlet_top)
    _drop_part(x)
    if n >= RING // 2:
        _envelope(x)


@njit(cache=True, nogil=True, error_model="numpy")
def _evidence(x: NDArray[np.float64], t_us: float, low_kpa: float, flow_ul_h: float) -> None:
    """Slope, onset, compliance and time to the limit of the present excursion."""
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
    left_kpa = x[st.PRESSURE_LIMIT_KPA] - low_kpa
    x[st.OCC_LIMIT_US] = t_us + max(left_kpa, 0.0) / slope * HOUR_US if not np.isnan(left_kpa) else np.nan


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
def _flow(x: NDArray[np.float64], programmed_ul_h: float, sensed_ul_h: float) -> float:
    """Flow that fills a blocked line (uL/h): programmed, else sensed; 0 = the pump is not asked to pump; NaN = unknown."""
    if programmed_ul_h > 0.0:
        x[st.OCC_PROGRAMMED] = 1.0
        return programmed_ul_h
    if sensed_ul_h > 0.0:
        return sensed_ul_h
    if programmed_ul_h == 0.0 and x[st.OCC_PROGRAMMED] == 1.0:
        return 0.0
    return np.nan


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _allow(x: NDArray[np.float64], flow_ul_h: float, low_kpa: float) -> float:
    """Lift of the envelope (kPa) for a flow above all that it has seen; fades over 16 rows once that flow is gone."""
    lasting = min(flow_ul_h, x[st.OCC_FLOW_LAST_UL_H]) if flow_ul_h > 0.0 else 0.0
    x[st.OCC_PART_FLOW_UL_H] = max(x[st.OCC_PART_FLOW_UL_H], lasting)
    if flow_ul_h > 0.0:
        x[st.OCC_FLOW_LAST_UL_H] = flow_ul_h
        if x[st.OCC_FLOW_TOP_UL_H] == 0.0:
            x[st.OCC_FLOW_TOP_UL_H] = flow_ul_h
    if x[st.OCC_READY] == 0.0:
        return 0.0
    base, top = x[st.OCC_BASE_KPA], x[st.OCC_TOP_KPA]
    seen = x[st.OCC_FLOW_TOP_UL_H]
    if lasting > 1.05 * seen:
        ratio = lasting / seen
        allow = max(abs(base), abs(top)) * (ratio * ratio - 1.0)
    else:
        # The flow is gone: what is left of the lift is at most what it really raised the pressure by.
        allow = 0.9375 * min(x[st.OCC_ALLOW_KPA], max(low_kpa - top, 0.0))
        if allow < ROUNDING * (x[st.OCC_THRESHOLD_KPA] - base):
            allow = 0.0
    x[st.OCC_ALLOW_KPA] = allow
    return float(allow)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _sensed_lost(x: NDArray[np.float64], programmed_ul_h: float, sensed_ul_h: float) -> int:
    """Whether the sensed flow stands far below its own habit (a pump whose flow yields to resistance)."""
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
        off = min(max(share - mean, -4.0 * dev), 4.0 * dev)
        x[st.OCC_SENSED_MEAN] += off / 64.0
        x[st.OCC_SENSED_DEV] += (abs(off) - dev) / 64.0
    return 1 if x[st.OCC_SENSED_NOW] < mean - 6.0 * x[st.OCC_SENSED_DEV] and x[st.OCC_READY] == 1.0 else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _condition(x: NDArray[np.float64], low_kpa: float, allow_kpa: float, sensed_lost: int) -> float:
    """Rows for which this row counts towards the on-delay: a ramp has been seen for several already, a jump has not."""
    base, top, threshold = (
        x[st.OCC_BASE_KPA],
        x[st.OCC_TOP_KPA] + allow_kpa,
        x[st.OCC_THRESHOLD_KPA] + allow_kpa,
    )
    _, jumps = _jumps(x, low_kpa)
    x[st.OCC_SCORE] = (low_kpa - jumps - top) / (threshold - top)
    if low_kpa <= threshold:
        return 0.0
    known = _span_us(x) >= YOUNG_DAYS * DAY_US
    rise = low_kpa - x[st.OCC_OUT]
    if x[st.OCC_SCORE] > SHAPE and rise - jumps > (EVEN_KNOWN if known else EVEN_YOUNG) * rise:
        return HOLD_ROWS
    quantum = x[st.OCC_QUANTUM_KPA]
    reference = x[st.OCC_ROUGH_REF_KPA2]
    smooth = (
        x[st.OCC_ROUGH_KPA2] < LOST_SHARE * LOST_SHARE * reference
        and reference > 4.0 * quantum * quantum
        and x[st.OCC_OUT_ROWS] >= 16.0
    )
    lost = smooth or sensed_lost == 1
    if not known and not lost:
        return 0.0  # a first rising on a quiet sensor is a jump of any number of noises
    flat = FLAT_KNOWN if known else FLAT_YOUNG
    if lost:
        flat *= LOST_SHARE
    return 1.0 if low_kpa - base > flat * (threshold - base) else 0.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _learn(x: NDArray[np.float64], low_kpa: float, step_kpa: float, inlet_kpa: float) -> bool:
    """Enter a healthy row; True if the period that it fills ends a straight rise through a young ring."""
    x[st.OCC_PART_N] += 1.0
    x[st.OCC_PART_SUM_KPA] += low_kpa
    x[st.OCC_PART_MAX_KPA] = max(x[st.OCC_PART_MAX_KPA], low_kpa)
    x[st.OCC_PART_MIN_KPA] = min(x[st.OCC_PART_MIN_KPA], low_kpa)
    x[st.OCC_PART_ROUGH_KPA2] += step_kpa * step_kpa
    if abs(inlet_kpa) < np.inf and not x[st.OCC_PART_INLET_KPA] > inlet_kpa:
        x[st.OCC_PART_INLET_KPA] = inlet_kpa
    if x[st.OCC_PART_N] < x[st.OCC_PART_ROWS]:
        return False
    _close_part(x)
    return bool(x[st.OCC_READY] == 1.0 and _span_us(x) < YOUNG_DAYS * DAY_US and _straight(x))


@njit(cache=True, nogil=True, error_model="numpy")
def _blame_youth(x: NDArray[np.float64], t_us: float, low_kpa: float, flow_ul_h: float) -> None:
    """Take the rise out of the ring, since nothing of it was healthy, and set the evidence."""
    n = int(x[st.OCC_RING_N])
    start = x[st.OCC_RING_MEAN]
    for i in range(1, n):
        x[st.OCC_RING_MAX + i] -= x[st.OCC_RING_MEAN + i] - start
        x[st.OCC_RING_MEAN + i] = start
    _envelope(x)
    x[st.OCC_OUT], x[st.OCC_OUT_N], x[st.OCC_OUT_ROWS] = start, 1.0, 1.0
    x[st.OCC_OUT_US] = t_us - n * x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US]
    x[st.OCC_PEAK_KPA] = low_kpa - start
    _evidence(x, t_us, low_kpa, flow_ul_h)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _recovered(x: NDArray[np.float64], high_kpa: float) -> bool:
    """Whether the pressure is back: in the lower half of the margin, or fallen by most of its peak."""
    over = high_kpa - x[st.OCC_BASE_KPA]
    margin = x[st.OCC_THRESHOLD_KPA] - x[st.OCC_BASE_KPA]
    x[st.OCC_PEAK_KPA] = max(x[st.OCC_PEAK_KPA], over)
    return bool(over < 0.5 * margin or over < CLEAR_SHARE * x[st.OCC_PEAK_KPA])


@njit(cache=True, nogil=True, error_model="numpy")
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
    since the last row with boluses (NaN = unknown). sensed_ul_h: uL/h. Any of them may be NaN or infinite = not reported.
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
    x[st.OCC_ROUGH_KPA2] += (step_kpa * step_kpa - x[st.OCC_ROUGH_KPA2]) / 16.0
    sensed_lost = _sensed_lost(x, programmed_ul_h, sensed_ul_h)
    flow_ul_h = _flow(x, programmed_ul_h, sensed_ul_h)
    common_kpa = 0.0
    if inlet_kpa > x[st.OCC_INLET_TOP_KPA] and inlet_kpa < np.inf:
        common_kpa = inlet_kpa - x[st.OCC_INLET_TOP_KPA]
    if level == 2:
        x[st.OCC_HOLD] = x[st.OCC_HOLD] + 1.0 if _recovered(x, max(pressure_kpa, last_kpa)) else 0.0
        if x[st.OCC_HOLD] > HOLD_ROWS:
            x[st.OCC_LEVEL] = x[st.OCC_HOLD] = 0.0
            _profile_close(x)
            return 0
        return 2
    low_kpa = min(pressure_kpa, last_kpa) - common_kpa
    before_kpa = x[st.OCC_LAST_LOW_KPA] if not np.isnan(x[st.OCC_LAST_LOW_KPA]) else low_kpa
    x[st.OCC_LAST_LOW_KPA] = low_kpa
    if flow_ul_h == 0.0:
        return level
    allow_kpa = _allow(x, flow_ul_h, low_kpa)
    due = 0.0
    if x[st.OCC_READY] == 1.0:
        top_kpa = x[st.OCC_TOP_KPA] + allow_kpa
        if low_kpa > top_kpa:
            x[st.OCC_OUT_BELOW] = 0.0
            _profile_add(x, t_us, low_kpa, before_kpa, top_kpa)
            due = _condition(x, low_kpa, allow_kpa, sensed_lost)
        elif x[st.OCC_OUT_ROWS] > 0.0:
            x[st.OCC_OUT_BELOW] += 1.0
            if x[st.OCC_OUT_BELOW] > 3.0 + 0.25 * x[st.OCC_OUT_ROWS]:
                _profile_close(x)
            else:
                _profile_add(x, t_us, low_kpa, before_kpa, top_kpa)
    if due > 0.0:
        _evidence(x, t_us, low_kpa, flow_ul_h)
        x[st.OCC_HOLD] += due
        level = 2 if x[st.OCC_HOLD] >= HOLD_ROWS else 1
        if level == 2:
            x[st.OCC_HOLD] = 0.0
            x[st.OCC_PEAK_KPA] = low_kpa - x[st.OCC_BASE_KPA]
            _drop_part(x)
    else:
        x[st.OCC_HOLD] = 0.0
        level = 2 if _learn(x, low_kpa, step_kpa, inlet_kpa) else 0
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
