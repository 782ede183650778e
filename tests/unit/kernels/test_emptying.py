"""Forecasts of the reservoir in closed form: the edges of the algebra, each against its own inverse."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from kernels import emptying, reservoir
from kernels import state as st
from kernels.stroke import Z95

NAN = math.nan


def state(v_ul: float, k: float, vv: float, vk: float, kk: float) -> np.ndarray:
    """A pump of 20 mL whose volume and stroke are known so."""
    x = np.full(st.SIZE, NAN)
    reservoir.reset(x)
    x[st.RESERVOIR_ML] = 20.0
    x[st.RES_SURPRISE] = 0.0
    slots = [st.RES_V_UL, st.RES_K, st.RES_VV, st.RES_VK, st.RES_KK]
    x[slots] = v_ul, k, vv, vk, kk
    return x


@pytest.mark.parametrize("q", [1e-9, 0.003, 0.05, 0.31, 0.5, 0.77, 0.95, 1 - 1e-9])
def test_quantiles_are_those_of_the_normal_law(q: float) -> None:
    """To nine digits from one in a thousand million to its mirror, with no table in between."""
    assert emptying._normal_quantile(q) == pytest.approx(NormalDist().inv_cdf(q), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("q", [0.0, 1.0, -0.1, 1.1, NAN])
def test_what_is_no_probability_has_no_time(q: float) -> None:
    """Certainty is reached nowhere: it gives no volume, rather than one."""
    assert math.isnan(reservoir.needed_ul(state(10_000.0, 1.0, 1e4, 0.0, 1e-3), 0.0, q))


def test_the_median_is_the_bare_quotient() -> None:
    """(V - level) / k to the bit: the founding arithmetic, whatever the uncertainty."""
    x = state(9_700.0, 1.03, 3e4, -5.0, 4e-3)
    assert reservoir.needed_ul(x, 200.0, 0.5) == (9_700.0 - 200.0) / 1.03


@pytest.mark.parametrize("seed", range(40))
def test_the_needed_volume_is_the_inverse_of_the_probability(seed: int) -> None:
    """For any joint normal of volume and stroke: at the volume the chance is the one asked for, and less before it."""
    rng = np.random.default_rng(seed)
    sd_v, sd_k, rho = rng.uniform(10.0, 3_000.0), rng.uniform(0.005, 0.4), rng.uniform(-0.99, 0.99)
    x = state(rng.uniform(500.0, 20_000.0), rng.uniform(0.7, 1.4), sd_v**2, rho * sd_v * sd_k, sd_k**2)
    level_ul, q = rng.uniform(0.0, 400.0), rng.uniform(0.01, 0.99)
    needed_ul = reservoir.needed_ul(x, level_ul, q)
    if 0.0 < needed_ul < math.inf:
        chances = [reservoir.probability_at_or_below(x, level_ul, part * needed_ul) for part in (0.999, 1.0)]
        assert chances[1] == pytest.approx(q, abs=1e-9)
        assert chances[0] < q
    else:
        reached = reservoir.probability_at_or_below(x, level_ul, 0.0 if needed_ul == 0.0 else 1e9)
        assert (reached >= q) == (needed_ul == 0.0)


def test_a_known_pump_is_dry_exactly_when_it_is() -> None:
    """Without any uncertainty the chance is 0 before the last microlitre and 1 with it."""
    x = state(1_000.0, 1.0, 0.0, 0.0, 0.0)
    assert [reservoir.probability_dry(x, volume) for volume in (999.0, 1_000.0, 1_001.0)] == [0.0, 1.0, 1.0]
    assert math.isnan(reservoir.probability_dry(state(NAN, 1.0, 0.0, 0.0, 0.0), 1.0))


def test_an_encoders_count_widens_the_ratio() -> None:
    """Two roundings to a count over what was programmed: variance count^2 / 6 of that; none while nothing was."""
    x = state(10_000.0, 1.1, 0.0, 0.0, 0.01)
    out3 = np.zeros(3)
    x[st.ENCODER_UL_PER_COUNT] = 3.0
    reservoir.ratio(x, out3)
    assert out3[2] - out3[0] == pytest.approx(Z95 * 0.1)
    x[st.RES_E_PROGRAMMED_UL], x[st.RES_E_SENSED_UL] = 10.0, 9.0
    reservoir.ratio(x, out3)
    assert out3[0] == pytest.approx(0.9 * 1.1)
    assert out3[2] - out3[0] == pytest.approx(Z95 * math.sqrt(0.81 * 0.01 + 1.21 * 9.0 / 600.0))
    x[st.ENCODER_UL_PER_COUNT] = 0.0
    reservoir.ratio(x, out3)
    assert out3[2] - out3[0] == pytest.approx(Z95 * 0.09)
