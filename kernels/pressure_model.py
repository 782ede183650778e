"""What the outlet pressure of a healthy pump does: an envelope over the maxima of its periods, learned from itself alone.

f = the smaller of two neighbouring readings (kernels/occlusion.py). Healthy rows are cut into periods; the largest f and
the mean of each of the last 6..12 periods are kept. When 12 are full, neighbours merge and periods double, until one
lasts a day or more: bounded memory, and each period then holds a whole day's rhythm and postures. base = median of the
means, top = second largest maximum, width = top - base, threshold = mean + K(n) sd of the maxima (largest replaced by
second largest, so that one bad period changes nothing), kept between top + MARGIN and, once a day is seen, top +
MARGIN_MOST (1 + day / 2 span) widths. Maxima of a day don't care how the noise inside the day is correlated (AR(1),
breathing, posture). K(n) is where the next of n + 1 independent Gumbel maxima exceeds with probability EXCEED.

What may be learned. A block rises by flow / compliance: at 0.1 mL/day into 21 uL/kPa still 4.8 kPa a day, twice the width
of a usual patient. A sensor drifts by some hundredths of a width a day. So once a day is known a period is entered as at
most FOLLOW widths a day above what is known: a drift is followed, a block is not, however long it lasts. A period at a flow that
the ring has not seen may lie higher by what that flow can raise the pressure by (`flow_lift_kpa`). Two cases move
the ring as a whole: a day that lies entirely below it, and one that lies entirely above it by one jump (a new sensor).
A younger ring must follow, since its first morning is news to it: it is judged by its own shape (`straight`).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st
from kernels.excursion import jumps, profile_close
from kernels.units import DAY_US

RING: Final = 12  # periods kept
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
FOLLOW: Final = 0.5  # of top - base: how far a day may lie above what is known and still be learned
YOUNG_DAYS: Final = (
    1.5  # days in the ring below which it is young: a night, a morning or a rising may be news to it
)
YOUNG_RAMP: Final = 12.0  # of a period's usual (maximum - mean): what a young ring's straight rise must pass
EVEN_RING: Final = 0.6  # of its whole rise
BEYOND_BASE: Final = 1.8  # of the pressure that it began at: the first morning's rhythm is no block


@njit(cache=True, nogil=True, error_model="numpy")
def median(x: NDArray[np.float64], start: int, n: int) -> float:
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
def span_us(x: NDArray[np.float64]) -> float:
    """Time that the ring covers (us)."""
    return float(x[st.OCC_RING_N] * x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US])


@njit(cache=True, nogil=True, error_model="numpy")
def envelope(x: NDArray[np.float64]) -> None:
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
    base = median(x, st.OCC_RING_MEAN, n)
    top = second
    threshold = mean + K_OF_N[max(n, 6) - 6] * math.sqrt(squares / (n - 1))
    ring_us = span_us(x)
    if ring_us >= DAY_US:
        threshold = min(threshold, top + MARGIN_MOST * (1.0 + 0.5 * DAY_US / ring_us) * (top - base))
    threshold = max(threshold, top + MARGIN * (top - base), top + ROUNDING * abs(base))
    if x[st.OCC_QUANTUM_KPA] < np.inf:
        threshold = max(threshold, top + QUANTA * x[st.OCC_QUANTUM_KPA])
    x[st.OCC_BASE_KPA], x[st.OCC_TOP_KPA], x[st.OCC_THRESHOLD_KPA] = base, top, threshold


@njit(cache=True, nogil=True, error_model="numpy")
def drop_part(x: NDArray[np.float64]) -> None:
    """Start the open period anew."""
    x[st.OCC_PART_N] = x[st.OCC_PART_SUM_KPA] = x[st.OCC_PART_ROUGH_KPA2] = x[st.OCC_PART_FLOW_UL_H] = 0.0
    x[st.OCC_PART_MAX_KPA], x[st.OCC_PART_MIN_KPA] = -np.inf, np.inf
    x[st.OCC_PART_INLET_KPA] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def forget(x: NDArray[np.float64]) -> None:
    """Begin the ring anew, as of a pump that was never seen: what was learned was learned at no known flow."""
    drop_part(x)
    profile_close(x)
    x[st.OCC_READY] = x[st.OCC_RING_N] = x[st.OCC_ROUGH_REF_KPA2] = x[st.OCC_HOLD] = x[st.OCC_LEVEL] = 0.0
    x[st.OCC_PART_ROWS] = FIRST_ROWS
    x[st.OCC_BASE_KPA] = x[st.OCC_TOP_KPA] = x[st.OCC_THRESHOLD_KPA] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def swapped_kpa(x: NDArray[np.float64], mean_kpa: float) -> float:
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
        jump_kpa, _ = jumps(x, x[st.OCC_LAST_LOW_KPA])
        if jump_kpa > 0.5 * (mean_kpa - x[st.OCC_OUT]):
            return float(mean_kpa - x[st.OCC_BASE_KPA])
    return 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def straight(x: NDArray[np.float64]) -> bool:
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


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def flow_lift_kpa(x: NDArray[np.float64], flow_ul_h: float) -> float:
    """What a flow (uL/h) above the one of the ring's top can raise the pressure by, kPa: resistance grows at most with Q (turbulent)."""
    seen = x[st.OCC_FLOW_TOP_UL_H]
    if not flow_ul_h > seen:
        return 0.0
    ratio = flow_ul_h / seen
    return float(max(abs(x[st.OCC_BASE_KPA]), abs(x[st.OCC_TOP_KPA])) * (ratio * ratio - 1.0))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _learn_flow(x: NDArray[np.float64], merged: bool) -> None:
    """The flow that belongs to the ring's top: known once two periods in a row had it, as the top is the second largest.

    merged: the last two have just become one.
    """
    flow, seen, before = x[st.OCC_PART_FLOW_UL_H], x[st.OCC_FLOW_TOP_UL_H], x[st.OCC_FLOW_NEXT_UL_H]
    x[st.OCC_FLOW_NEXT_UL_H] = flow
    if flow <= seen:
        x[st.OCC_FLOW_TOP_UL_H] = max(flow, 0.9 * seen)
    elif before > seen and not merged:
        x[st.OCC_FLOW_TOP_UL_H] = min(flow, before)


@njit(cache=True, nogil=True, error_model="numpy")
def close_part(x: NDArray[np.float64]) -> None:
    """Move the open period into the ring; merge neighbours and double the period while it is shorter than a day."""
    rows = x[st.OCC_PART_N]
    n = int(x[st.OCC_RING_N])
    mean = x[st.OCC_PART_SUM_KPA] / rows
    largest = x[st.OCC_PART_MAX_KPA]
    shift = swapped_kpa(x, mean)
    if shift != 0.0:
        for i in range(n):
            x[st.OCC_RING_MAX + i] += shift
            x[st.OCC_RING_MEAN + i] += shift
        profile_close(x)
    elif x[st.OCC_READY] == 1.0 and span_us(x) >= DAY_US:
        most = x[st.OCC_RING_MEAN]
        for i in range(n):
            most = max(most, x[st.OCC_RING_MEAN + i])
        share = min(x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US] / DAY_US, 1.0)
        follow = FOLLOW * share * (x[st.OCC_TOP_KPA] - x[st.OCC_BASE_KPA])
        follow += flow_lift_kpa(x, x[st.OCC_PART_FLOW_UL_H])
        mean, largest = min(mean, most + follow), min(largest, x[st.OCC_TOP_KPA] + follow)
    if n == RING:
        for i in range(RING - 1):
            x[st.OCC_RING_MAX + i] = x[st.OCC_RING_MAX + i + 1]
            x[st.OCC_RING_MEAN + i] = x[st.OCC_RING_MEAN + i + 1]
        n -= 1
    x[st.OCC_RING_MAX + n], x[st.OCC_RING_MEAN + n] = largest, mean
    n += 1
    merged = False
    if n == RING:
        x[st.OCC_READY] = 1.0
        if x[st.OCC_PART_ROWS] * x[st.OCC_PERIOD_US] < DAY_US:
            for i in range(RING // 2):
                left, right = st.OCC_RING_MAX + 2 * i, st.OCC_RING_MEAN + 2 * i
                x[st.OCC_RING_MAX + i] = max(x[left], x[left + 1])
                x[st.OCC_RING_MEAN + i] = 0.5 * (x[right] + x[right + 1])
            n = RING // 2
            x[st.OCC_PART_ROWS] *= 2.0
            merged = True
    x[st.OCC_RING_N] = n

    rough = x[st.OCC_PART_ROUGH_KPA2] / rows
    reference = x[st.OCC_ROUGH_REF_KPA2]
    if reference == 0.0:
        x[st.OCC_ROUGH_REF_KPA2] = rough
    else:
        x[st.OCC_ROUGH_REF_KPA2] += 0.25 * (min(rough, 4.0 * reference) - reference)
    _learn_flow(x, merged)
    inlet, inlet_top = x[st.OCC_PART_INLET_KPA], x[st.OCC_INLET_TOP_KPA]
    if not np.isnan(inlet):
        x[st.OCC_INLET_TOP_KPA] = inlet if np.isnan(inlet_top) else inlet_top + 0.125 * (inlet - inlet_top)
    drop_part(x)
    if n >= RING // 2:
        envelope(x)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def learn(x: NDArray[np.float64], low_kpa: float, inlet_kpa: float) -> bool:
    """Enter a healthy row; True if the period that it fills ends a straight rise through a young ring."""
    x[st.OCC_PART_N] += 1.0
    x[st.OCC_PART_SUM_KPA] += low_kpa
    x[st.OCC_PART_MAX_KPA] = max(x[st.OCC_PART_MAX_KPA], low_kpa)
    x[st.OCC_PART_MIN_KPA] = min(x[st.OCC_PART_MIN_KPA], low_kpa)
    x[st.OCC_PART_ROUGH_KPA2] += x[st.OCC_ROUGH_KPA2]
    if abs(inlet_kpa) < np.inf and not x[st.OCC_PART_INLET_KPA] > inlet_kpa:
        x[st.OCC_PART_INLET_KPA] = inlet_kpa
    if x[st.OCC_PART_N] < x[st.OCC_PART_ROWS]:
        return False
    close_part(x)
    return bool(x[st.OCC_READY] == 1.0 and span_us(x) < YOUNG_DAYS * DAY_US and straight(x))


@njit(cache=True, nogil=True, error_model="numpy")
def flatten(x: NDArray[np.float64]) -> None:
    """Take a straight rise out of the ring, since nothing of it was healthy."""
    start = x[st.OCC_RING_MEAN]
    for i in range(1, int(x[st.OCC_RING_N])):
        x[st.OCC_RING_MAX + i] -= x[st.OCC_RING_MEAN + i] - start
        x[st.OCC_RING_MEAN + i] = start
    envelope(x)
