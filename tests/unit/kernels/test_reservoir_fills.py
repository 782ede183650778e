"""How sure the reservoir filter is after a fill, a statement or a new source, in parts of the reservoir."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernels import reservoir, step
from kernels import state as st
from kernels.stroke import COUNTER_SOURCE, FLOW_SOURCE


def pump(size_ml: float = 20.0) -> np.ndarray:
    """A registered pump that was never filled."""
    x = step.fresh()
    x[st.RESERVOIR_ML], x[st.T_US] = size_ml, 1.7e15
    reservoir.register(x)
    return x


@pytest.mark.parametrize("size_ml", [0.02, 20.0, 5e6])
def test_each_way_to_know_the_volume_has_its_own_doubt(size_ml: float) -> None:
    """A syringe and a statement are good to 1 % of the reservoir, a fill to the nominal volume to 2.5 %; no way knows the stroke."""
    size_ul = 1000.0 * size_ml
    for told, part, volume in (
        (lambda x: reservoir.filled(x, math.nan, 0.9 * size_ml, size_ml), 0.01, 0.9),
        (lambda x: reservoir.filled(x, math.nan, math.nan, size_ml), 0.025, 1.0),
        (lambda x: reservoir.stated(x, 0.4 * size_ul), 0.01, 0.4),
    ):
        x = pump(size_ml)
        x[[st.RES_VK, st.RES_VO, st.RES_DEBT_UL]] = 7.0
        told(x)
        assert x[st.RES_V_UL] == x[st.RES_DEVICE_UL] == pytest.approx(volume * size_ul)
        assert math.sqrt(x[st.RES_VV]) == pytest.approx(part * size_ul)
        assert (x[st.RES_VK], x[st.RES_VO], x[st.RES_DEBT_UL]) == (0.0, 0.0, 0.0)


def test_a_level_sensor_that_is_known_moves_a_little_at_a_fill() -> None:
    """0.5 % of the reservoir on top of what was known of its offset; of one that is not known, 5 % whatever was there."""
    for blocks, sd_ul in ((0.0, 1000.0), (30.0, math.hypot(100.0, 40.0))):
        x = pump()
        x[st.RES_BLOCKS], x[st.RES_OO] = blocks, 1600.0
        reservoir.filled(x, math.nan, 20.0, 20.0)
        assert math.sqrt(x[st.RES_OO]) == pytest.approx(sd_ul)


@pytest.mark.parametrize("blocks", [0.0, 1.0, 30.0])
def test_a_registration_keeps_what_a_level_sensor_has_shown(blocks: float) -> None:
    """A second registration of the same pump does not throw its offset away; before anything was seen it sets the prior."""
    x = pump()
    x[st.RES_BLOCKS], x[st.RES_OO] = blocks, 1600.0
    reservoir.register(x)
    assert math.sqrt(x[st.RES_OO]) == pytest.approx(1000.0 if blocks == 0.0 else 40.0)


def test_what_was_learned_of_a_flow_sensor_says_nothing_of_a_counter() -> None:
    """The first reading of a counter begins with a stroke of 1 and an empty ratio."""
    x = pump()
    reservoir.filled(x, math.nan, 20.0, 20.0)
    for _ in range(10):
        reservoir.advance(x, 100.0, 90.0, False)
    assert x[st.RES_SOURCE] == FLOW_SOURCE
    x[[st.RES_K, st.RES_VK, st.RES_KO]] = 1.1, 3.0, 2.0
    reservoir.advance(x, 0.0, math.nan, True)
    assert x[st.RES_SOURCE] == COUNTER_SOURCE
    known = [st.RES_K, st.RES_VK, st.RES_KO, st.RES_E_SENSED_UL, st.RES_E_PROGRAMMED_UL]
    assert x[known].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_little_drawn_from_a_pump_that_should_be_dry_is_no_surprise() -> None:
    """Two syringe doubts (0.4 mL of 20) are no contradiction at all; half a millilitre is one to weigh."""
    for removed_ml, surprise in ((0.0, False), (0.4, False), (0.5, True)):
        x = pump()
        reservoir.filled(x, math.nan, 20.0, 20.0)
        x[st.RES_V_UL] = -100.0
        z = reservoir.filled(x, removed_ml, 20.0, 20.0)
        assert bool(z != 0.0) is surprise
