"""How wide intervals are: each check moves the width, within bounds, and some things are no check."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from contract.times import DAY_US
from kernels import ledger, reservoir
from kernels import state as s
from processors import conformal
from processors.conformal import LEAST, MISS, MOST, STEP, Conformal
from tests.naive_reservoir import TruePump


def pump() -> TruePump:
    """A pump with an exact fill whose first midnight is at 0."""
    made = TruePump(fill_error_ml=0.0)
    ledger.reset(made.x)
    made.x[s.T_US] = 0.0
    made.x[s.RES_D1] = 0.0
    return made


def a_day_later(made: TruePump, day: int, wrong_ml: float) -> None:
    """Program 0.1 mL, and let the level close a block that is `wrong_ml` beside the estimate, an hour before midnight."""
    x = made.x
    reservoir.advance(x, 100.0, 100.0, True)
    ledger.add(x, s.PROGRAMMED_UL, 100.0)
    x[s.RES_LAG1_UL] = x[s.RES_V_UL] + 1000.0 * wrong_ml
    x[s.RES_RUN_UL] = 0.0
    x[s.RES_BLOCK_US] = day * DAY_US - 3600e6


def checked(wrong_ml: list[float], **changed: float) -> list[Conformal]:
    """What each midnight left behind."""
    made, found = pump(), [conformal.look(Conformal(), pump().x, 0, 0, stands=False)]
    for day, wrong in enumerate(wrong_ml, start=1):
        a_day_later(made, day, wrong)
        for name, number in changed.items():
            made.x[getattr(s, name)] = number
        found.append(conformal.look(found[-1], made.x, 0, day * DAY_US, stands=False))
    return found


def test_a_hit_narrows_a_little_and_a_miss_widens_nine_times_as_much():
    """Otherwise the long-run share of misses would be another than a tenth."""
    hit, miss = checked([0.0])[-1], checked([2.0])[-1]
    assert hit.miss - MISS == pytest.approx(STEP * MISS)
    assert hit.width < 1.0 < miss.width
    before, after = checked([0.0] * 9 + [2.0])[-2:]
    assert after.miss - before.miss == pytest.approx(-STEP * (1.0 - MISS))


def test_the_width_has_a_floor_and_a_ceiling():
    """However long all goes well, the interval keeps an even chance by the model; however ill, it stays finite."""
    assert checked([0.0] * 60)[-1].miss == MOST
    assert checked([3.0] * 5)[-1].miss == LEAST
    narrowest, widest = Conformal(miss=MOST).width, Conformal(miss=LEAST).width
    assert (narrowest, widest) == pytest.approx((0.6745 / 1.6449, 2.5758 / 1.6449), abs=1e-3)


def test_the_share_of_misses_tends_to_a_tenth_whatever_the_noise():
    """The guarantee of the method: also where errors have no variance at all."""
    rng = np.random.default_rng(5)
    found = checked([float(0.2 * rng.standard_t(1.5)) for _ in range(190)])
    missed = sum(after.miss < before.miss for before, after in pairwise(found))
    assert missed / (len(found) - 1) == pytest.approx(MISS, abs=(1 + STEP) / (STEP * (len(found) - 1)))


def test_quantile_and_probability_are_each_others_inverse():
    """Empty before the alarm with 30 % has to mean that the alarm is at the 30 % quantile of empty; halves stay halves."""
    for miss in (LEAST, MISS, 0.3, MOST):
        told = Conformal(miss=miss)
        assert told.quantile(told.probability(0.3)) == pytest.approx(0.3)
        assert told.quantile(0.5) == told.probability(0.5) == 0.5
        assert (told.probability(0.0), told.probability(1.0)) == (0.0, 1.0)
    assert Conformal(miss=0.3).probability(0.3) < 0.3 < Conformal(miss=0.3).quantile(0.3)


@pytest.mark.parametrize(
    "changed",
    [{"RES_LAG1_UL": math.nan}, {"RES_BLOCK_US": -1.0}, {"RES_BLOCK_US": math.nan}, {"RES_V_UL": math.nan}],
)
def test_where_the_level_says_nothing_new_nothing_is_learned(changed: dict[str, float]):
    """No block, an old block, no estimate: the width stays, or silence would pass for success."""
    assert checked([0.0, 0.0, 0.0], **changed)[-1].miss == MISS


def test_a_standing_motor_is_no_bad_forecast():
    """A stall has its own alert; what was foreseen for a running pump is dropped."""
    made = pump()
    before = conformal.look(Conformal(), made.x, 0, 0, stands=False)
    a_day_later(made, 1, 2.0)
    after = conformal.look(before, made.x, 0, DAY_US, stands=True)
    assert (after.miss, after.foreseen) == (MISS, None)


def test_a_refill_ends_what_was_foreseen():
    """The volume after a fill was not foreseen before it."""
    made = pump()
    before = conformal.look(Conformal(), made.x, 0, 0, stands=False)
    a_day_later(made, 1, 2.0)
    after = conformal.look(before, made.x, 7, DAY_US, stands=False)
    assert after.miss == MISS
    assert after.foreseen is not None
    assert after.foreseen.filled_us == 7


def test_a_forecast_is_held_for_an_eighth_of_the_reservoir():
    """20 mL at 0.1 mL a day: the same forecast is checked for 25 days, then a fresh one is made."""
    made = [one.foreseen.programmed_ul for one in checked([0.0] * 27) if one.foreseen is not None]
    assert made == [0.0] * 26 + [2600.0] * 2


def test_what_alerts_do_not_hear_yet_is_told_in_the_interval():
    """While the level's word on the stroke is withheld, the forecast's state has it, and the pump's own is left alone."""
    made = TruePump(ratio=1.1, seed=1)
    made.run(12.0, 0.1, every_h=4.0)
    assert math.isnan(made.x[s.RES_SURPRISE])
    told = conformal.learned(made.x)
    assert reservoir.needed_ul(told, 0.0, 0.5) < reservoir.needed_ul(made.x, 0.0, 0.5)
    assert math.isnan(made.x[s.RES_SURPRISE])
