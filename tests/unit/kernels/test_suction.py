"""A pump that starves on its first day, and what only looks like it."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import air, drive, occlusion, starvation, suction
from kernels import state as st
from tests.naive_suction import NaiveSuction
from tests.pump_signals import Floats

ROWS = 140
ONSET = 60


def recording(seed: int, *, inlet_kpa: float = -20.0, share: float = 0.5, load: float = 0.7) -> Floats:
    """Rows (inlet, flow share, current) of a few hours: from ONSET on the inlet falls and flow and load with it, over 20 rows."""
    rng = np.random.default_rng(seed)
    ramp = np.clip((np.arange(ROWS) - ONSET) / 20.0, 0.0, 1.0)
    inlet = 2.0 + inlet_kpa * ramp + 0.2 * rng.standard_normal(ROWS)
    flow = (1.0 - (1.0 - share) * ramp * (1.0 + 0.1 * rng.standard_normal(ROWS))) * (
        1.0 + 0.02 * rng.standard_normal(ROWS)
    )
    current = 20.0 * (1.0 - (1.0 - load) * ramp) * (1.0 + 0.02 * rng.standard_normal(ROWS))
    return np.column_stack([inlet, flow, current])


def fresh() -> Floats:
    x = np.full(st.SIZE, np.nan)
    for kernel in (occlusion, drive, starvation, air):
        kernel.reset(x)
    x[st.STALL_LEVEL] = 0.0
    return x


def levels(rows: Floats, every_s: float, scale: float = 1.0) -> list[tuple[int, int]]:
    """(starvation, air) at each row."""
    x, said = fresh(), []
    for k, (inlet, share, current) in enumerate(rows.tolist()):
        t_us, asked_ul = (k + 1) * every_s * 1e6, 4.0 * every_s / 3600.0
        flow = 4.0 * share
        starved = starvation.starvation_row(
            x, t_us, inlet * scale, flow, np.nan, asked_ul, every_s * 1e6 if k else 0.0
        )
        aired = air.air_row(x, t_us, flow, current, np.nan, np.nan, 4.0, 4.0)
        said.append((starved, aired))
    return said


def first(said: list[tuple[int, int]], cause: int) -> int:
    """Row of the first active one; -1 = never."""
    return next((k for k, row in enumerate(said) if row[cause] == 2), -1)


@pytest.mark.parametrize("every_s", [1.0, 60.0, 900.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_first_day_has_enough_rows_at_any_sampling(seed: int, every_s: float):
    """The warm-up is some rows, not days: an inlet that closes in the first hour is told within forty rows, not as air."""
    said = levels(recording(seed), every_s)
    assert ONSET < first(said, 0) < ONSET + 40
    assert first(said, 1) == -1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_a_measured_flow_the_load_tells(seed: int):
    """The motor that moves little fluid draws less: that and the inlet are enough."""
    rows = recording(seed)
    rows[:, 1] = np.nan
    assert ONSET < first(levels(rows, 60.0), 0) < ONSET + 40


@pytest.mark.parametrize(
    "kept",
    [
        {"share": 1.0, "load": 0.7},
        {"share": 0.5, "inlet_kpa": 0.0},
        {"share": 1.0, "load": 1.0},
        {"share": 0.9, "load": 0.95},
    ],
)
def test_one_channel_alone_is_no_starvation(kept: dict[str, float]):
    """A new zero of the inlet's sensor keeps the flow, another reason for less flow keeps the inlet: neither is starvation."""
    assert first(levels(recording(4, **kept), 60.0), 0) == -1


def test_it_ends_when_the_inlet_is_back():
    """A feed line that is opened again ends it, and what was low was not learned."""
    rows = recording(5)
    said = levels(np.vstack([rows, rows[:ONSET], rows[ONSET - 1 :]]), 60.0)
    back = [k for k, row in enumerate(said) if row[0] == 0 and k > ONSET + 60]
    assert back
    assert back[0] < ROWS + 40
    assert any(row[0] == 2 for row in said[ROWS + ONSET :])


@pytest.mark.parametrize("scale", [2.0**-10, 2.0**20])
def test_only_ratios_decide(scale: float):
    """Pressures times a power of two change nothing."""
    rows = recording(6)
    assert levels(rows, 60.0, scale) == levels(rows, 60.0)


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_slow_twin(seed: int):
    """Row by row the same level, with wander, falls of every depth, missing and infinite readings."""
    rng = np.random.default_rng(seed)
    x, twin, n = fresh(), NaiveSuction(), 2000
    inlet = np.cumsum(0.02 * rng.standard_normal(n)) + 0.2 * rng.standard_normal(n)
    inlet -= np.repeat(rng.choice([0.0, 1.0, 10.0], n // 50, p=[0.7, 0.1, 0.2]), 50)
    inlet[rng.random(n) < 0.1] = np.nan
    inlet[rng.random(n) < 0.01] = np.inf
    moves = np.repeat(rng.choice([-1, 0, 1], n // 25), 25)
    x[st.AIR_FLOW_MEAN], x[st.AIR_FLOW_DEV] = 1.0, 0.01
    for k in range(n):
        x[st.AIR_FLOW_NOW] = {-1: 1.0, 0: 0.85, 1: 0.5}[int(moves[k])]
        level = suction.suction_row(x, float(k), float(inlet[k]))
        assert level == twin.row(float(k), float(inlet[k]), int(moves[k]))
        assert suction.fallen(x) == twin.fallen()
