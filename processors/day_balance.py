"""A stroke that has changed, told from days: how far the level fell each day for what was believed to be delivered.

The filter of the reservoir (kernels.level_sensor) takes the level block by block and is careful of sensors that drift; a pump of
0.1 mL a day moves less in weeks than it lets a sensor drift. But a drift is seen: by how much one day's fall differs from the next. So at a
midnight each day is a ratio r = fall of the level / volume counted, 1 if all is well, and the mean of the last n days is a change of
the stroke if

1. it is LIMIT_Z of its own sds from 1. A sensor that walks errs by sd = s / sqrt(volume of the n days), however the days are cut. s
   is the median difference of neighbouring spans of 1, 2 or 4 days, each by its own volume; the largest of the three up to 8 days, of the
   longer two up to 16, that of 4 days beyond: white noise of the level cancels in long spans, what wanders smoothly grows in them.
   Of all n the clearest tells (the likeliest day of the change), once it is LEAST_DAYS old; its older half must show it, too.
2. it is FARTHER times as far from 1 as the mean of any n days in a row was before, since this fill: a level that wanders as far and back
   is a habit of the sensor.
3. the delivery that follows from it lies outside the tolerance by its 95 % interval, and what is believed does not: smaller
   changes are the filter's.

A day counts for no more than CLIP_Z beside its neighbours' median: a swapped sensor or a jump is one day. The estimate then takes the
change as a step of the stroke n days ago (kernels.shift). Not where a measured flow tells the stroke. At most MOST_DAYS days are kept,
and none across a fill.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from kernels import emptying, ledger, shift, stroke
from kernels import state as s

LIMIT_Z: Final = (
    4.8  # 0.01 false a pump-year of the worst walk that was tried (docs/adr/0028), none of other noises
)
FARTHER: Final = 2.0  # [P]
LEAST_DAYS: Final = 5  # the median of fewer is that of one or two [P]
MOST_DAYS: Final = 42
LEAST_SD: Final = 0.005  # of a ratio: a level is not truer to scale than that over days [P]
SPANS: Final = (1, 2, 4)
SHORT: Final = (8, 16)  # days told from, up to which differences of one, of two days count as well
CLIP_Z: Final = 2.5  # a day counts for no more beside its neighbours
_HALF: Final = 0.6744897501960817  # median of |normal of sd 1|

Floats = NDArray[np.float64]


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """Since which fill, when a block of the level was last taken, and (volume counted, level) at each, uL.

    `delivered_ul`: the ledger of what was believed to be delivered as it stood at the last of them.
    """

    filled_us: int | None = None
    block_us: float = 0.0
    delivered_ul: float = 0.0
    seen: tuple[tuple[float, float], ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Delivered / counted over the last days, its sd, and what was counted over them, uL."""

    ratio: float
    sd: float
    volume_ul: float


def look(days: Days, x: NDArray[np.float64], filled_us: int | None) -> tuple[Days, Change | None]:
    """Take a midnight's ledgers and level in; a change is told once, and the days begin anew."""
    if filled_us != days.filled_us:
        days = Days(filled_us=filled_us)
    by_flow = x[s.RES_FLOW_COUNTED_UL] > 0.0 or x[s.RES_SOURCE] == stroke.FLOW_SOURCE
    k = float(stroke.joined_k(x))
    if by_flow or not (k > 0.0 and x[s.RES_BLOCK_US] > days.block_us) or math.isnan(x[s.RES_LAG1_UL]):
        return days, None
    total_ul = float(ledger.total(x, s.DELIVERED_UL)) + float(ledger.total(x, s.PRIMING_UL))
    then_ul = total_ul - k * float(x[s.RES_RUN_UL])
    counted_ul = (then_ul - days.delivered_ul) / k
    if days.seen and not counted_ul > 0.0:
        return days, None
    counted_ul = days.seen[-1][0] + counted_ul if days.seen else 0.0
    seen = (*days.seen, (counted_ul, float(x[s.RES_LAG1_UL])))[-MOST_DAYS:]
    days = Days(filled_us=filled_us, block_us=float(x[s.RES_BLOCK_US]), delivered_ul=then_ul, seen=seen)
    found = change(seen, float(x[s.RES_QUANTUM_UL]))
    if found is None or not _outside(x, found):
        return days, None
    return Days(filled_us=filled_us, block_us=days.block_us), found


def change(seen: tuple[tuple[float, float], ...], quantum_ul: float) -> Change | None:
    """The clearest change over the last days, by rules 1 and 2. `seen`: (volume counted, level) at midnights, uL."""
    volumes_ul, levels_ul = np.array(seen).T
    given = np.diff(volumes_ul)
    count = len(given)
    if count < 2 * LEAST_DAYS:
        return None
    off = -np.diff(levels_ul) / given - 1.0
    spreads = [_spread(off, given, every, quantum_ul) for every in SPANS]
    spreads = [max(spreads[first:]) for first in range(len(SPANS))]
    beside = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(off, 2, mode="reflect"), 5), axis=1)
    most = CLIP_Z * spreads[0] / np.sqrt(given)
    missing = np.concatenate(([0.0], np.cumsum(np.clip(off, beside - most, beside + most) * given)))
    volumes_ul = volumes_ul - volumes_ul[0]
    best: tuple[float, Change | None] | None = None
    for n in range(2, count // 2 + 1):
        means = (missing[n:] - missing[:-n]) / (volumes_ul[n:] - volumes_ul[:-n])
        mean, volume_ul = float(means[-1]), float(volumes_ul[-1] - volumes_ul[-1 - n])
        sd = max(spreads[sum(n > days for days in SHORT)] / math.sqrt(volume_ul), LEAST_SD)
        clear = abs(mean) / sd
        if best is not None and clear <= best[0]:
            continue
        half = count - n // 2
        older = (missing[half] - missing[count - n]) / (volumes_ul[half] - volumes_ul[count - n])
        newer = (missing[count] - missing[half]) / (volumes_ul[count] - volumes_ul[half])
        if older * mean < mean * mean / 2.0 or 1.0 + newer < LIMIT_Z * sd:
            continue  # most of it came later, or hardly anything leaves: no matter of the stroke
        before = float(np.abs(means[: count - 2 * n + 1]).max())
        if abs(mean) >= max(LIMIT_Z * sd, FARTHER * before):
            found = Change(ratio=1.0 + mean, sd=sd, volume_ul=volume_ul)
            best = clear, found if n >= LEAST_DAYS else None
    return None if best is None else best[1]


def _spread(off: Floats, given: Floats, every: int, quantum_ul: float) -> float:
    """Sd of a day's shortfall at a microlitre counted, uL^(1/2), by how neighbouring spans of `every` days differ."""
    volumes_ul = np.lib.stride_tricks.sliding_window_view(given, every).sum(axis=1)
    means = np.lib.stride_tricks.sliding_window_view(off * given, every).sum(axis=1) / volumes_ul
    between = np.abs(means[every:] - means[:-every])
    scale = np.sqrt(1.0 / volumes_ul[every:] + 1.0 / volumes_ul[:-every])
    seen = float(np.median(between / scale)) / _HALF
    if not math.isfinite(quantum_ul):
        return seen
    return math.hypot(seen, quantum_ul / math.sqrt(6.0 * every * float(np.median(given))))


def _outside(x: NDArray[np.float64], found: Change) -> bool:
    """Whether the change is outside the tolerance by its 95 % interval, and what is believed is not."""
    told = np.empty(3)
    emptying.ratio(x, told)
    tolerance, per_counted = float(x[s.FLOW_TOLERANCE]), float(told[0] / stroke.joined_k(x))
    off = abs(per_counted * found.ratio - 1.0) - stroke.Z95 * per_counted * found.sd
    known = told[2] < 1.0 - tolerance if found.ratio < 1.0 else told[1] > 1.0 + tolerance
    return bool(off > tolerance and not known)


def take(x: NDArray[np.float64], found: Change) -> None:
    """Write the change into the estimate: the stroke stepped when those days began, and has the days' own error."""
    k = float(stroke.joined_k(x))
    x[s.RES_K], x[s.RES_KK], x[s.RES_VK], x[s.RES_KO], x[s.RES_SURPRISE] = k, 0.0, 0.0, 0.0, 0.0
    shift.take_step(x, -found.volume_ul, 1.0, 0.0, found.ratio - k, found.sd * found.sd)
    shift.begin_shift(x)
