"""What is known of the stroke: its prior by source, and the quick mean against the whole joint."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernels import reservoir, stroke
from kernels import state as st

NAN = math.nan


def state(rng: np.random.Generator) -> np.ndarray:
    """A filter somewhere in its life."""
    x = np.full(st.SIZE, NAN)
    reservoir.reset(x)
    x[st.RESERVOIR_ML] = 20.0
    x[st.RES_V_UL], x[st.RES_K] = rng.uniform(0.0, 2e4), rng.uniform(0.8, 1.2)
    x[st.RES_VV], x[st.RES_KK] = rng.uniform(0.0, 1e6), rng.uniform(1e-5, 5e-3)
    x[st.RES_VK] = rng.uniform(-1.0, 1.0) * math.sqrt(x[st.RES_VV] * x[st.RES_KK])
    x[st.RES_SOURCE] = rng.choice([0.0, stroke.FLOW_SOURCE, stroke.COUNTER_SOURCE])
    x[st.RES_SURPRISE] = rng.choice([NAN, 0.0])
    x[st.RES_BLOCKS] = rng.choice([0.0, 1.0, 9.0])
    x[st.RES_FLOW_COUNTED_UL] = rng.choice([0.0, 30.0, 3_000.0])
    x[st.RES_FLOW_UL] = x[st.RES_FLOW_COUNTED_UL] * rng.uniform(0.9, 1.1)
    return x


@pytest.mark.parametrize("seed", range(60))
def test_the_quick_mean_is_that_of_the_joint(seed: int) -> None:
    """Each row counts by the same stroke as the forecast, or volume and forecast part company."""
    x = state(np.random.default_rng(seed))
    assert stroke.joined_k(x) == pytest.approx(stroke.joined(x)[1], rel=1e-12)


def test_the_prior_is_the_tolerance_or_the_flow_sensors_calibration() -> None:
    """The sd is tolerance / 1.96 by encoder or program, the sensor's own where measured flow is what counts."""
    x = state(np.random.default_rng(0))
    for source, sd in ((0.0, 0.2 / stroke.Z95), (stroke.FLOW_SOURCE, stroke.FLOW_SD)):
        x[st.FLOW_TOLERANCE], x[st.RES_SOURCE] = 0.2, source
        assert stroke.prior_var(x) == pytest.approx(sd * sd)
    x[st.RES_SOURCE], x[st.FLOW_TOLERANCE] = stroke.COUNTER_SOURCE, NAN
    assert stroke.prior_var(x) == pytest.approx((stroke.DEFAULT_TOLERANCE / stroke.Z95) ** 2)


@pytest.mark.parametrize(("blocks", "k"), [(0.0, 1.1), (1.0, 1.0)])
def test_the_levels_word_is_withheld_from_its_first_block_on(blocks: float, k: float) -> None:
    """What a fill taught counts until the level has spoken; from then on the stroke is a new pump's until it is sure."""
    x = state(np.random.default_rng(1))
    x[st.RES_SURPRISE], x[st.RES_BLOCKS], x[st.RES_K] = NAN, blocks, 1.1
    x[st.RES_FLOW_COUNTED_UL] = 0.0
    assert stroke.joined(x)[1] == stroke.joined_k(x) == k
    assert (stroke.joined(x)[4] == stroke.prior_var(x)) == (blocks > 0.0)


def test_flow_beside_a_counter_is_one_measurement_of_the_stroke() -> None:
    """Long after its first readings its weight is that of the two variances, and stays so."""
    x = state(np.random.default_rng(2))
    x[st.RES_SURPRISE], x[st.RES_K], x[st.RES_KK] = 0.0, 1.0, 4e-4
    x[st.RES_SOURCE] = stroke.COUNTER_SOURCE
    x[st.RES_FLOW_COUNTED_UL], x[st.RES_FLOW_UL] = 1e12, 1.1e12
    weight = 4e-4 / (4e-4 + stroke.FLOW_SD**2)
    assert stroke.joined_k(x) == pytest.approx(1.0 + 0.1 * weight)
    assert stroke.joined(x)[4] == pytest.approx(4e-4 * (1.0 - weight))
