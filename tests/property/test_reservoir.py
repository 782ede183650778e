"""Reservoir filter: it knows no absolute volume, no way of cutting an interval, and never an impossible number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import reservoir
from kernels import state as columns
from tests.naive_reservoir import NAN, TruePump, Twin

volumes = st.one_of(st.just(0.0), st.floats(0.0, 500.0))
steps = st.lists(
    st.tuples(
        volumes,
        st.one_of(st.just(NAN), volumes),
        st.booleans(),
        st.one_of(st.just(NAN), st.floats(0.0, 25.0)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(power=st.integers(-24, 24), seed=st.integers(0, 2**32 - 1))
def test_scaling_every_volume_changes_no_decision(power: int, seed: int) -> None:
    """Microlitres or hundreds of litres: times and probabilities are the same to the bit for powers of two."""
    scale = 2.0**power
    answers = []
    for factor in (1.0, scale):
        rng = np.random.default_rng(seed)
        pump = TruePump(
            reservoir_ml=20.0 * factor, low_ml=2.0 * factor, seed=seed, fill_error_ml=0.0, noise_ml=0.0
        )
        for day in range(60):
            reservoir.advance(pump.x, 100.0 * factor, 101.0 * factor, True)
            reservoir.level(pump.x, (20.0 - 0.11 * day + rng.normal(0.0, 0.1)) * factor)
        answers.append((*pump.estimate, pump.dry_before_alarm, pump.empty_in_days(0.1 * factor, 0.05)))
    assert answers[0] == answers[1]


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(st.floats(1e-3, 50.0), min_size=1, max_size=30), removed_ml=st.floats(15.0, 20.0))
def test_cutting_an_interval_changes_nothing(parts: list[float], removed_ml: float) -> None:
    """One long interval equals the same volume cut finely, in mean and in every covariance."""
    whole, cut = TruePump().x, TruePump().x
    for x in (whole, cut):
        reservoir.advance(x, 3000.0, NAN, False)
        reservoir.filled(x, removed_ml, 20.0, 20.0)
    reservoir.advance(whole, math.fsum(parts), NAN, False)
    for part in parts:
        reservoir.advance(cut, part, NAN, False)
    block = slice(columns.RES_V_UL, columns.RES_OO + 1)
    np.testing.assert_allclose(cut[block], whole[block], rtol=1e-9, atol=1e-9)


@settings(max_examples=150, deadline=None)
@given(rows=steps, removed_ml=st.one_of(st.just(NAN), st.floats(0.0, 25.0)))
def test_no_input_makes_an_impossible_number(
    rows: list[tuple[float, float, bool, float]], removed_ml: float
) -> None:
    """Whatever is said: volumes delivered are >= 0, variances too, the interval holds its mean, quantiles are ordered."""
    x = TruePump().x
    for programmed_ul, sensed_ul, counted, level_ml in rows:
        assert reservoir.advance(x, programmed_ul, sensed_ul, counted) >= 0.0
        reservoir.level(x, level_ml)
    reservoir.filled(x, removed_ml, 20.0, 20.0)
    assert min(x[columns.RES_VV], x[columns.RES_KK], x[columns.RES_OO]) >= 0.0
    out3 = np.zeros(3)
    reservoir.ratio(x, out3)
    assert 0.0 <= out3[1] <= out3[0] <= out3[2] < math.inf
    needed = [reservoir.needed_ul(x, 0.0, q) for q in (0.05, 0.5, 0.95)]
    assert needed == sorted(needed)
    assert 0.0 <= reservoir.probability_dry(x, 10_000.0) <= 1.0


@settings(max_examples=100, deadline=None)
@given(
    counted_ul=st.floats(0.0, 15_000.0),
    removed_ml=st.floats(4.0, 20.0),
    level_ul=st.floats(0.0, 4_000.0),
    quantile=st.floats(0.01, 0.99),
)
def test_forecasts_equal_the_twin_by_bisection(
    counted_ul: float, removed_ml: float, level_ul: float, quantile: float
) -> None:
    """Fieller's closed form is the inverse of the probability, and both agree with full matrices."""
    x, twin = TruePump().x, Twin(20.0, 0.145)
    twin.fill(NAN, 20.0)
    reservoir.advance(x, 10_000.0, NAN, False)
    twin.advance(10_000.0, NAN, False)
    if abs(removed_ml * 1000.0 - twin.m[0]) < 2_000.0:
        reservoir.filled(x, removed_ml, 20.0, 20.0)
        twin.fill(removed_ml, 20.0)
    else:
        reservoir.filled(x, NAN, 20.0, 20.0)
        twin.fill(NAN, 20.0)
    reservoir.advance(x, counted_ul, NAN, False)
    twin.advance(counted_ul, NAN, False)
    got = reservoir.needed_ul(x, level_ul, quantile)
    assert got == pytest.approx(twin.needed_ul(level_ul, quantile), rel=1e-6, abs=1e-3)
    if got > 0.0:
        assert reservoir.probability_at_or_below(x, level_ul, got) == pytest.approx(quantile, abs=1e-9)
