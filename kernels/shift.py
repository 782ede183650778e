"""Has the stroke changed at once? A likelihood-ratio test for a step of k, with the correction that the step calls for.

Willsky and Jones (1976) for one candidate time: if k had grown by 1 at the start of the test, the filter's errors would now
be (RES_SHIFT_V, _K, _O), its signature. It starts as (0, 1, 0), is predicted and updated as the filter itself, and shows in
an innovation of variance s as a mean of `seen` sds. With standardised innovations z, clipped at CLIP_Z so that no single
reading decides, score = sum(seen z) and information = sum(seen^2) give the step, score / information, and the
likelihood ratio, score^2 / information: chi-squared of one degree without a step. The time is found as in a CUSUM: the test
begins anew wherever the score changes its sign, and where it is old and says little.

False alarms: in the model a score crosses LIMIT_Z = 6 sds about once in 10^7 tests of a hundred a reservoir; what is left are
sensors that drift faster than was learned of them. bench/reservoir_fleet.py, 300
simulated pump-years each: no false alert where the sensors are the simulator's, 0.003-0.03 a year of each kind elsewhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels import state as st

CLIP_Z: Final = 3.0  # no innovation counts for more [P]
LIMIT_Z: Final = (
    6.0  # of the score, in its own sds, from which a step is believed: 5 lets drift pass for steps [P]
)
OLD_SHARE: Final = 0.125  # of the reservoir: an older test that is below OLD_Z begins anew [P]
OLD_Z: Final = 2.0
STEP_SD: Final = 0.2  # of a step of k, before anything is known of it [P]
STEP_DOUBT: Final = 0.5  # of the step found: when it began is not known so well [P]


@njit(cache=True, nogil=True, error_model="numpy")
def begin_shift(x: NDArray[np.float64]) -> None:
    """Begin the test: from now on k may differ."""
    x[st.RES_SHIFT_V] = 0.0
    x[st.RES_SHIFT_K] = 1.0
    x[st.RES_SHIFT_O] = 0.0
    x[st.RES_SHIFT_SCORE] = 0.0
    x[st.RES_SHIFT_INFO] = 0.0
    x[st.RES_SHIFT_UL] = 0.0


@njit(inline="always", cache=True, nogil=True, error_model="numpy")
def weigh_shift(x: NDArray[np.float64], seen: float, z: float) -> None:
    """Take one innovation of `z` sds in which the signature shows as `seen` sds."""
    x[st.RES_SHIFT_SCORE] += seen * min(max(z, -CLIP_Z), CLIP_Z)
    x[st.RES_SHIFT_INFO] += seen * seen


@njit(cache=True, nogil=True, error_model="numpy")
def take_step(x: NDArray[np.float64], v: float, k: float, o: float, step: float, var: float) -> None:
    """Correct for a step: `v` (uL), `k`, `o` (uL) are the errors if k has grown by 1, `step` (1) is by how much, `var` its variance."""
    x[st.RES_V_UL] += v * step
    x[st.RES_K] = max(x[st.RES_K] + k * step, 0.0)
    x[st.RES_O_UL] += o * step
    x[st.RES_TREND] -= k * step
    x[st.RES_VV] += v * v * var
    x[st.RES_VK] += v * k * var
    x[st.RES_VO] += v * o * var
    x[st.RES_KK] += k * k * var
    x[st.RES_KO] += k * o * var
    x[st.RES_OO] += o * o * var


@njit(cache=True, nogil=True, error_model="numpy")
def judge_shift(x: NDArray[np.float64], score_before: float) -> bool:
    """After an update: believe a step and correct for it (True), begin the test anew, or go on."""
    score, information = x[st.RES_SHIFT_SCORE], x[st.RES_SHIFT_INFO]
    square = score * score
    if square >= LIMIT_Z * LIMIT_Z * information and information > 0.0:
        precision = information + 1.0 / (STEP_SD * STEP_SD)
        step = score / precision
        doubt = STEP_DOUBT * step
        var = 1.0 / precision + doubt * doubt
        take_step(x, x[st.RES_SHIFT_V], x[st.RES_SHIFT_K], x[st.RES_SHIFT_O], step, var)
        begin_shift(x)
        return True
    old = x[st.RES_SHIFT_UL] > OLD_SHARE * 1000.0 * x[st.RESERVOIR_ML]
    weak = square < OLD_Z * OLD_Z * information
    if (old and weak) or score * score_before < 0.0:
        begin_shift(x)
    return False
