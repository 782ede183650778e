"""A stroke that changed, from what the level fell each day: what is one, what is a sensor's doing, and what is then believed."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import ledger, reservoir
from kernels import state as s
from processors import day_balance
from processors.day_balance import Days, change
from tests.naive_reservoir import TruePump
from tests.pump_signals import Floats

DAY_UL = 80.0  # programmed a day


def days(ratios: Floats, noise_ul: Floats | None = None) -> tuple[tuple[float, float], ...]:
    """(delivered as believed, level) at the end of each day of a pump that gives `ratios` of it."""
    given = DAY_UL * np.arange(len(ratios) + 1)
    level = 20_000.0 - DAY_UL * np.concatenate([[0.0], np.cumsum(ratios)])
    level += np.zeros(len(level)) if noise_ul is None else noise_ul
    return tuple(zip(given.tolist(), level.tolist(), strict=True))


def walk(seed: int, n: int, day_ul: float) -> Floats:
    """A sensor that drifts as a walk."""
    return np.random.default_rng(seed).normal(0.0, day_ul, n + 1).cumsum()


@pytest.mark.parametrize("seed", range(20))
def test_a_third_less_is_told_within_three_weeks_of_a_sensor_that_drifts(seed: int) -> None:
    """An eighth of a day's volume is the drift from day to day; the ratio lies within four of the sd that is told."""
    ratios = np.concatenate([np.ones(22), np.full(21, 0.65)])
    seen = days(ratios, walk(seed, 43, DAY_UL / 8.0))
    told = [change(seen[:midnight], 10.0) for midnight in range(1, 45)]
    assert not any(told[:23])
    found = next(one for one in told if one is not None)
    assert abs(found.ratio - 0.65) < 4.0 * found.sd


def first_told(ratios: Floats, noise_ul: Floats, every: Floats) -> int | None:
    """At which look a change is first told, of a pump that is looked at after each of the volumes `every`, in days."""
    given = DAY_UL * np.concatenate([[0.0], np.cumsum(every)])
    level = 20_000.0 - np.concatenate([[0.0], np.cumsum(DAY_UL * every * ratios)]) + noise_ul
    seen = tuple(zip(given.tolist(), level.tolist(), strict=True))
    return next((n for n in range(1, len(seen) + 1) if change(seen[:n], 10.0) is not None), None)


def test_days_of_unlike_length_weigh_as_much_as_was_counted_in_them() -> None:
    """Blocks of the level grow: two days a look after two weeks of one, at a drift of a fifth of a day's volume from day to day."""
    every = np.concatenate([np.ones(14), np.full(16, 2.0)])
    ratios = np.concatenate([np.ones(18), np.full(12, 0.6)])
    late = 0
    for seed in range(20):
        step = np.random.default_rng(seed).normal(0.0, DAY_UL / 5.0, 31) * np.sqrt(
            np.concatenate([[0.0], every])
        )
        told = first_told(ratios, step.cumsum(), every)
        assert told is None or told > 18
        late += told is None
    assert late <= 2


def test_white_noise_of_the_level_cancels_in_long_spans() -> None:
    """A third of a day's volume at each look: differences of days alone would see nothing of a third less."""
    ratios = np.concatenate([np.ones(21), np.full(21, 0.6)])
    missed = 0
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0.0, 0.3 * DAY_UL, 43)
        told = first_told(ratios, noise, np.ones(42))
        assert told is None or told > 21
        missed += told is None
    assert missed <= 2


def test_sensors_that_drift_and_come_back_are_no_change() -> None:
    """Two hundred walks, and slow waves of any phase that move as far as a fifth of what is delivered."""
    for seed in range(200):
        assert change(days(np.ones(42), walk(seed, 42, DAY_UL / 4.0)), 1.0) is None
    waves = np.arange(43)
    for phase in np.linspace(0.0, 2.0 * np.pi, 24):
        wave = 0.2 * DAY_UL * 16.0 / (2.0 * np.pi) * np.sin(2.0 * np.pi * waves / 16.0 + phase)
        assert change(days(np.ones(42), wave), 1.0) is None


def test_a_swapped_sensor_is_one_day() -> None:
    """However far its zero lies from that of the one before."""
    jump = np.where(np.arange(43) > 30, -500.0, 0.0) + walk(3, 42, 2.0)
    assert change(days(np.ones(42), jump), 1.0) is None


def test_a_level_too_coarse_for_a_day_tells_nothing() -> None:
    """Half a millilitre a step, a twelfth of it a day."""
    seen = days(np.concatenate([np.ones(22), np.full(20, 0.8)]))
    coarse = tuple((given, 500.0 * round(level / 500.0)) for given, level in seen)
    assert change(coarse, 500.0) is None


def test_a_level_that_stands_is_no_stroke() -> None:
    """What stopped the flow has causes of its own."""
    ratios = np.concatenate([np.ones(22), np.zeros(20)])
    assert change(days(ratios, walk(5, 42, 4.0)), 1.0) is None


def state(ratio_days: int, ratio: float) -> tuple[Days, day_balance.Change | None, Floats]:
    """A pump of 20 mL looked at each midnight, whose stroke changes after three weeks."""
    made = TruePump(fill_error_ml=0.0)
    x = made.x
    ledger.reset(x)
    x[s.FLOW_TOLERANCE], x[s.RES_QUANTUM_UL], x[s.RES_KK] = 0.145, 1.0, 0.074**2
    level, told, found = 20_000.0, Days(filled_us=0), None
    noise = np.random.default_rng(1).normal(0.0, 4.0, 100)
    for day in range(22 + ratio_days):
        delivered = reservoir.advance(x, DAY_UL, DAY_UL, True)
        ledger.add(x, s.DELIVERED_UL, delivered)
        level -= DAY_UL * (ratio if day >= 22 else 1.0)
        x[s.RES_LAG1_UL], x[s.RES_RUN_UL], x[s.RES_BLOCK_US] = level + noise[day], 0.0, float(day + 1)
        told, found = day_balance.look(told, x, 0)
        if found is not None:
            break
    return told, found, x


def test_what_is_found_becomes_the_stroke_with_its_own_error() -> None:
    """The delivery follows it at once, and the volume that was believed gone is still there."""
    told, found, x = state(20, 0.6)
    assert found is not None
    assert told.seen == ()
    before_ul = float(x[s.RES_V_UL])
    day_balance.take(x, found)
    ratio, left = np.empty(3), np.empty(2)
    reservoir.ratio(x, ratio)
    reservoir.volume(x, left)
    assert ratio[0] == pytest.approx(0.6, abs=0.06)
    assert ratio[2] < 0.855
    assert left[0] - before_ul == pytest.approx((1.0 - found.ratio) * found.volume_ul)


def test_a_change_inside_the_tolerance_is_left_to_the_filter() -> None:
    """It pages nobody, and small changes are where drift is."""
    assert state(20, 0.9)[1] is None


def test_a_fill_begins_the_days_anew_and_no_block_is_no_day() -> None:
    """What the level does across a fill says nothing of the stroke."""
    told, _, x = state(5, 1.0)
    assert len(told.seen) == 27
    assert day_balance.look(told, x, 0)[0] is told
    x[s.RES_BLOCK_US] += 1.0
    assert len(day_balance.look(told, x, 99)[0].seen) == 1
