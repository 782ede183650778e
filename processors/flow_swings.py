"""How much of sensed / programmed is the flow sensor's own noise, told from how it swung between looks.

Where flow alone counts, e = sensed / programmed (kernels.stroke) is an average over a few hours of a fast pump, and its readings'
noise may last as long. So e is kept at each look, a look at a new average every time: what it swings by from one to the next, apart
from a change that stays, is noise. A mean of the last n = 1, 2, 4 or 8 looks has the sd

    s_n = max(s_1 / sqrt(n), median difference of neighbouring means of n / 0.954),

an Allan deviation, robust so that a step is one difference among many and no noise. s_1 is made larger by 1 + 8 / differences, for
chance; few looks have at least the sd of a flow sensor's calibration. e is surely above b if a mean is so by LIMIT_Z of its sds. A counter has no such noise, and is not asked.
"""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from kernels import ledger, reservoir, stroke
from kernels import state as s

LIMIT_Z: Final = 4.5  # 3.4e-6: eight looks a day at the tolerance itself cross it once in a hundred years
MOST_LOOKS: Final = 64  # eight means of eight
LEAST_DIFFERENCES: Final = 6  # a median of fewer may be far too small by chance [P]
CHANCE: Final = 8.0  # differences' worth of doubt: from six on a look beyond LIMIT_Z is one in 2,000, from 20 on one in 10,000
SPANS: Final = (1, 2, 4, 8)
INDEPENDENT: Final = (
    2.0 * stroke.RATIO_MEMORY
)  # of the reservoir sensed since: what is left of the look before is exp(-2)
_PAIR: Final = 0.6744897501960817 * math.sqrt(2.0)  # median |difference| of two normals of sd 1


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """Sensed / programmed at the last looks, oldest first, and the ledger of what was sensed (uL) at the last of them."""

    ratios: tuple[float, ...] = ()
    sensed_ul: float = -math.inf


def _is_new(looks: Looks, x: NDArray[np.float64]) -> bool:
    since_ul = float(ledger.total(x, s.SENSED_UL)) - looks.sensed_ul
    return bool(since_ul >= INDEPENDENT * x[s.RESERVOIR_ML] * 1000.0)


def look(looks: Looks, x: NDArray[np.float64]) -> Looks:
    """Take the present ratio in, if little of it was in the last one taken."""
    if x[s.RES_SOURCE] != stroke.FLOW_SOURCE:
        return looks if not looks.ratios else Looks()
    if not _is_new(looks, x):
        return looks
    ratios = (*looks.ratios, float(reservoir.encoder_ratio(x)))[-MOST_LOOKS:]
    return Looks(ratios=ratios, sensed_ul=float(ledger.total(x, s.SENSED_UL)))


def spread(ratios: tuple[float, ...], every: int) -> float:
    """Sd of the mean of `every` looks by how neighbouring ones differ, the newest first; 0 without two."""
    count = len(ratios) // every
    if count < 2:
        return 0.0
    means = np.array(ratios[len(ratios) - count * every :]).reshape(count, every).mean(axis=1)
    return float(median(np.abs(np.diff(means)).tolist())) / _PAIR


def sd(looks: Looks) -> float:
    """Sd of one look."""
    differences = len(looks.ratios) - 1
    if differences < 1:
        return stroke.FLOW_SD
    one = spread(looks.ratios, 1) * (1.0 + CHANCE / differences)
    return max(one, stroke.FLOW_SD) if differences < LEAST_DIFFERENCES else one


def sure(looks: Looks, x: NDArray[np.float64]) -> tuple[float, float]:
    """(what e is surely at least, at most), as factors of the present e, the first at most 1 and the second at least."""
    now = float(reservoir.encoder_ratio(x))
    if x[s.RES_SOURCE] != stroke.FLOW_SOURCE or not now > 0.0:
        return 1.0, 1.0
    before = looks.ratios if _is_new(looks, x) else looks.ratios[:-1]
    ratios = (*before, now)
    one = sd(looks)
    least, most = -math.inf, math.inf
    for n in SPANS:
        if n > len(ratios):
            break
        doubt = LIMIT_Z * max(one / math.sqrt(n), spread(ratios, n))
        mean = fmean(ratios[-n:])
        least, most = max(least, mean - doubt), min(most, mean + doubt)
    return min(max(least / now, 0.0), 1.0), max(most / now, 1.0)
