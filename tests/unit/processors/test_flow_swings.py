"""What a measured flow's own noise may say of the delivery: swings say nothing, a change that stays says it within looks."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import ledger, step
from kernels import state as s
from processors import flow_swings
from processors.flow_swings import Looks

RESERVOIR_UL = 50_000.0


def seen(looks: Looks, ratio: float, share: float = 0.2) -> tuple[Looks, np.ndarray]:
    """The looks after one more, a share of the reservoir later, and the vector that it saw."""
    x = step.fresh()
    x[s.RESERVOIR_ML], x[s.RES_SOURCE] = RESERVOIR_UL / 1000.0, 1.0
    x[s.RES_E_SENSED_UL], x[s.RES_E_PROGRAMMED_UL] = 2500.0 * ratio, 2500.0
    ledger.add(x, s.SENSED_UL, max(looks.sensed_ul, 0.0) + share * RESERVOIR_UL)
    return flow_swings.look(looks, x), x


def after(ratios: list[float]) -> tuple[Looks, np.ndarray]:
    """The looks after so many ratios, and the last vector."""
    looks, x = Looks(), step.fresh()
    for ratio in ratios:
        looks, x = seen(looks, ratio)
    return looks, x


@pytest.mark.parametrize("noise", [0.002, 0.02, 0.05])
def test_noise_of_any_size_is_hardly_ever_a_change(noise: float) -> None:
    """Forty recordings of sixty looks at white noise: hardly one is surely beyond a tolerance of its own sd."""
    rng = np.random.default_rng(1)
    outside = 0
    for _ in range(40):
        looks = Looks()
        for ratio in 1.0 + noise * rng.standard_normal(60):
            looks, x = seen(looks, float(ratio))
            least, most = flow_swings.sure(looks, x)
            outside += least * ratio > 1.0 + noise or most * ratio < 1.0 - noise
    assert outside <= 1


def test_a_noise_that_lasts_for_several_looks_is_as_wide_as_its_longest_mean() -> None:
    """Noise that hardly changes from one look to the next is told from means of several."""
    rng = np.random.default_rng(2)
    noise, slow = [0.0], 0.03
    for _ in range(200):
        noise.append(0.7 * noise[-1] + slow * np.sqrt(1.0 - 0.49) * rng.standard_normal())
    looks = Looks()
    outside = 0
    for ratio in 1.0 + np.array(noise):
        looks, x = seen(looks, float(ratio))
        least, most = flow_swings.sure(looks, x)
        outside += least * ratio > 1.02 or most * ratio < 0.98
    assert outside == 0


@pytest.mark.parametrize(("noise", "within"), [(0.003, 1), (0.01, 1), (0.03, 12)])
def test_a_step_is_sure_within_as_many_looks_as_its_noise_calls_for(noise: float, within: int) -> None:
    """A pump that begins to give 15 % less: beyond a tolerance of 5 % at once where the flow is quiet."""
    rng = np.random.default_rng(3)
    late = 0
    for _ in range(10):
        looks, x = after([1.0 + noise * float(one) for one in rng.standard_normal(60)])
        for _ in range(within):
            ratio = 0.85 + noise * float(rng.standard_normal())
            looks, x = seen(looks, ratio)
        late += not flow_swings.sure(looks, x)[1] * ratio < 0.95
    assert late <= 1


def test_a_few_looks_have_a_flow_sensors_calibration() -> None:
    """Nothing that a sensor's calibration may do is sure in a pump's first looks."""
    looks, x = after([1.12])
    assert flow_swings.sd(looks) == 0.03
    assert flow_swings.sure(looks, x)[0] * 1.12 == pytest.approx(1.12 - 4.5 * 0.03)


def test_a_look_at_the_same_flow_again_is_none() -> None:
    """Looks that follow each other at once would make any noise small."""
    looks, x = after([1.0, 1.1, 1.0])
    assert flow_swings.look(looks, x) is looks
    assert len(seen(looks, 1.1, share=0.05)[0].ratios) == 3
    again, _ = seen(looks, 1.1, share=0.11)
    assert again.ratios == (1.0, 1.1, 1.0, 1.1)


def test_a_counter_has_no_such_noise() -> None:
    """An encoder's turns are exact: what was kept of a flow is dropped where one begins to count."""
    looks, x = after([1.0, 1.1, 1.0])
    x[s.RES_SOURCE] = 2.0
    assert flow_swings.look(looks, x) == Looks()
    assert flow_swings.sure(looks, x) == (1.0, 1.0)
