"""A stroke that has changed, told from days: how far the level fell each day for what was believed to be delivered.

The filter of the reservoir (kernels.level_sensor) takes the level block by block and is careful of sensors that drift; a pump of
0.1 mL a day moves less in weeks than it lets a sensor drift. But a drift is seen: by how much one day's fall differs from the next. So at a
midnight each day is a ratio r = fall of the level / volume believed delivered, 1 if all is well, and the median of the last n
days is a change of the stroke if

1. it is LIMIT_Z of its own sd from 1; sd = 1.2533 s / sqrt(n). s is the median difference of neighbouring means of 1, 2 or 4 days,
   times the root of their number, / 0.954 (that of two normals of sd 1), the largest of the three: days of a level that walks are
   independent, those of a noisy one less, those of one that wanders smoothly more than that. Both halves of the n days must show it.
2. it is FARTHER times as far from 1 as the median of any n days in a row was before, since this fill: a level that wanders as far and back
   is a habit of the sensor.
3. the delivery that follows from it lies outside the tolerance by its 95 % interval: smaller changes are the filter's.

A median is not moved by a swapped sensor or a jump: that is one day. The estimate then takes the change as a step of the stroke n days
ago (kernels.shift). Not where a measured flow tells the stroke. At most MOST_DAYS days are kept, and none across a fill.
"""

from __future__ import annotations

import math
from statistics import median
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from kernels import emptying, ledger, shift, stroke
from kernels import state as s

LIMIT_Z: Final = 5.0  # once in 5,000 years of daily looks at independent days, at the tolerance itself
FARTHER: Final = 2.0  # [P]
LEAST_DAYS: Final = 5  # the median of fewer is that of one or two [P]
MOST_DAYS: Final = 42
LEAST_SD: Final = 0.005  # of a ratio: a level is not truer to scale than that over days [P]
_MEDIAN_SD: Final = math.sqrt(math.pi / 2.0)
_PAIR: Final = 0.6744897501960817 * math.sqrt(2.0)  # median |difference| of two normals of sd 1


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """Since which fill, when a block of the level was last taken, and (volume believed delivered, level) at each, uL."""

    filled_us: int | None = None
    block_us: float = 0.0
    seen: tuple[tuple[float, float], ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Delivered / believed to be delivered (1) over the last days, its sd, and what was believed over them, uL."""

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
    if days.seen and not then_ul > days.seen[-1][0]:
        return days, None
    seen = (*days.seen, (then_ul, float(x[s.RES_LAG1_UL])))[-MOST_DAYS:]
    days = Days(filled_us=filled_us, block_us=float(x[s.RES_BLOCK_US]), seen=seen)
    found = change(seen, float(x[s.RES_QUANTUM_UL]))
    if found is None or not _outside(x, found):
        return days, None
    return Days(filled_us=filled_us, block_us=days.block_us), found


def change(seen: tuple[tuple[float, float], ...], quantum_ul: float) -> Change | None:
    """The clearest change over the last days, by rules 1 and 2."""
    given = np.diff([volume_ul for volume_ul, _ in seen])
    ratios = -np.diff([level_ul for _, level_ul in seen]) / given
    if len(ratios) < 2 * LEAST_DAYS:
        return None
    spread = max(_spread(ratios, every) for every in (1, 2, 4))
    if math.isfinite(quantum_ul):
        spread = math.hypot(spread, quantum_ul / math.sqrt(6.0) / median(given.tolist()))
    best: tuple[float, Change] | None = None
    for n in range(LEAST_DAYS, len(ratios) // 2 + 1):
        off = median(ratios[-n:].tolist()) - 1.0
        sd = max(_MEDIAN_SD * spread / math.sqrt(n), LEAST_SD)
        before = max(abs(median(ratios[at : at + n].tolist()) - 1.0) for at in range(len(ratios) - 2 * n + 1))
        older = median(ratios[-n : -(n // 2)].tolist()) - 1.0
        if older * off < off * off / 2.0 or 1.0 + off < LIMIT_Z * sd:
            continue  # most of it came later, or hardly anything leaves: no matter of the stroke
        if abs(off) >= max(LIMIT_Z * sd, FARTHER * before) and (best is None or abs(off) / sd > best[0]):
            volume_ul = float(given[-n:].sum())
            best = abs(off) / sd, Change(ratio=1.0 + off, sd=sd, volume_ul=volume_ul)
    return None if best is None else best[1]


def _spread(ratios: NDArray[np.float64], every: int) -> float:
    """Standard deviation of a day by how neighbouring means of `every` days differ, the newest days first."""
    count = len(ratios) // every
    means = ratios[len(ratios) - count * every :].reshape(count, every).mean(axis=1)
    return float(median(np.abs(np.diff(means)).tolist()) * math.sqrt(every) / _PAIR)


def _outside(x: NDArray[np.float64], found: Change) -> bool:
    told = np.empty(3)
    emptying.ratio(x, told)
    off = abs(told[0] * found.ratio - 1.0) - stroke.Z95 * told[0] * found.sd
    return bool(off > x[s.FLOW_TOLERANCE])


def take(x: NDArray[np.float64], found: Change) -> None:
    """Write the change into the estimate: the stroke stepped when those days began, and has the days' own error."""
    k = float(stroke.joined_k(x))
    x[s.RES_K], x[s.RES_KK], x[s.RES_VK], x[s.RES_KO], x[s.RES_SURPRISE] = k, 0.0, 0.0, 0.0, 0.0
    sd = k * found.sd
    shift.take_step(x, -found.volume_ul / k, 1.0, 0.0, k * (found.ratio - 1.0), sd * sd)
    shift.begin_shift(x)
