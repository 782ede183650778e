"""Drug level in the spinal fluid: the kernel against exact sums, the table of what is left after a stop, habits and their look-alikes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import dose, fluid, fluid_habit, pulses, step, volumes
from kernels import state as st
from tests.naive_fluid import HALF_LIVES_H, NaiveFluid, level_ug_h

HOUR_US = 3.6e9
T0_US = 1.77e15
NONE = np.empty((0, 5))
Floats = NDArray[np.float64]


def fresh() -> Floats:
    x = step.fresh()
    x[st.T_US] = T0_US
    x[st.SUSPENDED] = 0.0
    fluid.close(x, T0_US)
    return x


def give(x: Floats, t_h: float, drug_ug: float) -> None:
    """A block that ends at t_h."""
    x[st.FLU_OPEN_UG] = drug_ug
    x[st.T_US] = T0_US + t_h * HOUR_US
    fluid.close(x, x[st.T_US])


def hours(x: Floats, slot: int) -> float:
    return float((x[slot] - T0_US) / HOUR_US)


def levels(x: Floats) -> Floats:
    out = np.full(4, np.nan)
    fluid.levels(x, x[st.T_US], out)
    return out


def settled(rate: float = 2.0, days: int = 4, every_h: float = 1.0, *, high_risk: bool = False) -> Floats:
    """A pump that has given `rate` ug/h for some days."""
    x = fresh()
    x[st.FLU_HIGH_RISK] = float(high_risk)
    for number in range(1, round(24 * days / every_h) + 1):
        give(x, number * every_h, rate * every_h)
    return x


@pytest.mark.parametrize(
    ("half_life", "left"),
    [(1, {4: 0.158, 8: 0.025, 12: 0.004, 24: 0.0}), (3, {4: 0.63, 8: 0.40, 12: 0.25, 24: 0.063})],
)
def test_what_is_left_after_a_stop_is_the_table_of_domain_md(half_life: int, left: dict[int, float]) -> None:
    """4, 8, 12 and 24 h after a stop, for half-lives of 1.5 and 6 h, to the table's last digit."""
    x = settled(days=10)
    for after_h, share in left.items():
        give(x, 240 + after_h, 0.0)
        assert levels(x)[half_life] / 2.0 == pytest.approx(share, abs=0.0051 if half_life == 3 else 0.0006)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("high_risk", [False, True])
def test_kernel_and_twin_agree(seed: int, *, high_risk: bool) -> None:
    """Levels, crossings, habit and status of 12 wild days, stops and overdoses among them, are those of exact sums."""
    rng = np.random.default_rng(seed)
    x, twin = fresh(), NaiveFluid(high_risk=high_risk)
    x[st.FLU_HIGH_RISK] = float(high_risk)
    t_h, rate = 0.0, float(rng.uniform(0.5, 5.0))
    seen = set()
    while t_h < 24 * 12:
        length_h = float(rng.uniform(0.25, 3.0))
        if rng.random() < 0.06:
            rate = (
                float(rng.choice([0.0, 0.1, 1.0, 1.5, 2.0, 8.0]))
                if t_h > 60
                else float(rng.uniform(0.5, 5.0))
            )
        twin.give(t_h, t_h + length_h, rate * length_h)
        t_h += length_h
        give(x, t_h, rate * length_h)
        expected = [level_ug_h(twin.doses, t_h, half_life_h) for half_life_h in HALF_LIVES_H]
        np.testing.assert_allclose(levels(x), expected, rtol=1e-9, atol=1e-12)
        told = (
            3.0 if twin.both else 2.0 if twin.over_h is not None else 1.0 if twin.low_h is not None else 0.0
        )
        assert fluid_habit.status(x) == told
        seen.add(told)
        for slot, met_h in ((st.FLU_LOW_US, twin.low_h), (st.FLU_OVER_US, twin.over_h)):
            if met_h is None:
                assert math.isnan(x[slot])
            else:
                assert hours(x, slot) == pytest.approx(met_h, abs=1e-6)
        np.testing.assert_allclose(x[st.FLU_TROUGH_UG_H : st.FLU_TROUGH_UG_H + 2], twin.trough, rtol=1e-9)
        np.testing.assert_allclose(x[st.FLU_PEAK_UG_H : st.FLU_PEAK_UG_H + 2], twin.peak, rtol=1e-9)
        assert x[st.FLU_HABIT_UG_H] == pytest.approx(twin.habit, rel=1e-9)
    assert len(seen) > 1  # the days met more than health


@pytest.mark.parametrize("seed", range(10))
def test_cutting_an_interval_changes_nothing(seed: int) -> None:
    """A day at one rate in one block is the same day in some hundred blocks of any length."""
    rng = np.random.default_rng(seed)
    whole, cut = settled(), settled()
    give(whole, 96 + 24, 24 * 3.0)
    at_h = 96.0
    for end_h in [*np.sort(rng.uniform(96, 120, 200)).tolist(), 120.0]:
        give(cut, end_h, 3.0 * (end_h - at_h))
        at_h = end_h
    # A time of these years has a resolution of 0.25 us: 200 cuts of doses worked out from hours miss by 1e-11 of the level.
    np.testing.assert_allclose(levels(cut), levels(whole), rtol=1e-11)


def test_reading_between_two_blocks_is_no_block() -> None:
    """The level is read with the open block counted, and reading it changes no bit."""
    x, closed = settled(), settled()
    x[st.FLU_OPEN_UG] = 5.0
    x[st.T_US] += HOUR_US
    before = x.copy()
    read = levels(x)
    assert np.array_equal(before, x, equal_nan=True)
    give(closed, 97.0, 5.0)
    np.testing.assert_allclose(read, levels(closed), rtol=1e-15)


@pytest.mark.parametrize("factor", [2.0**-10, 2.0**20])
def test_the_unit_of_the_dose_does_not_matter(factor: float) -> None:
    """All doses times a power of two: the same status at the same time, levels times that power, to the bit."""
    rng = np.random.default_rng(3)
    one, other = fresh(), fresh()
    for number in range(1, 24 * 9):
        drug_ug = float(rng.uniform(1.0, 2.0)) if not 130 < number < 150 else 0.0
        drug_ug *= 6.0 if 180 < number < 190 else 1.0
        give(one, number, drug_ug)
        give(other, number, drug_ug * factor)
        assert fluid_habit.status(one) == fluid_habit.status(other)
        assert np.array_equal(
            one[[st.FLU_LOW_US, st.FLU_OVER_US]], other[[st.FLU_LOW_US, st.FLU_OVER_US]], equal_nan=True
        )
    np.testing.assert_array_equal(levels(one) * factor, levels(other))


def test_a_full_stop_is_low_after_two_of_the_shortest_half_lives() -> None:
    """1.8 h after the stop, to the microsecond, however coarse the blocks; 0.9 h for a high-risk patient."""
    for every_h in (0.25, 5.0):
        x = settled()
        for number in range(1, 20):
            give(x, 96 + number * every_h, 0.0)
        assert hours(x, st.FLU_LOW_US) - 96 == pytest.approx(1.8, abs=1e-6)
        assert fluid_habit.status(x) == fluid_habit.LOW
    x = settled(high_risk=True)
    give(x, 97, 0.0)
    assert hours(x, st.FLU_LOW_US) - 96 == pytest.approx(0.9, abs=1e-6)


@pytest.mark.parametrize(
    ("rate", "status"),
    [
        (0.55, fluid_habit.NORMAL),
        (0.4, fluid_habit.LOW),
        (4.8, fluid_habit.NORMAL),
        (5.2, fluid_habit.OVER_SLOW),
    ],
)
def test_only_a_large_change_of_the_dose_is_low_or_over(rate: float, status: float) -> None:
    """From 2 ug/h: to 28 % or 2.4 times nothing is said within two days, to 20 % or 2.6 times it is."""
    x = settled()
    for number in range(1, 49):
        give(x, 96 + number, rate)
    assert fluid_habit.status(x) == status


def test_a_daily_rhythm_is_a_habit() -> None:
    """A flex program with ten hours at an eighth of the day's rate: never low, never over, and a stop by night is seen."""
    x = fresh()
    for number in range(1, 24 * 8 + 1):
        give(x, number, 0.5 if number % 24 < 10 else 4.0)
        assert fluid_habit.status(x) == fluid_habit.NORMAL
    for number in range(24 * 8 + 1, 24 * 8 + 9):
        give(x, number, 0.0)
    assert fluid_habit.status(x) == fluid_habit.LOW


def test_pulses_are_a_habit() -> None:
    """The whole dose in six pulses a day, the fastest level falling to a twentieth between them: neither low nor over."""
    x = fresh()
    for number in range(1, 4 * 24 * 8 + 1):
        give(x, number / 4, 12.0 if number % 16 == 0 else 0.0)
        assert fluid_habit.status(x) == fluid_habit.NORMAL


def test_a_titration_upwards_by_the_largest_steps_is_never_over() -> None:
    """+30 % every day for ten days: fourteen times the dose in the end, and each step within reach of the habit."""
    x = settled()
    for number in range(1, 241):
        give(x, 96 + number, 2.0 * 1.3 ** (1 + (number - 1) // 24))
        assert fluid_habit.status(x) == fluid_habit.NORMAL


def test_a_long_stop_is_not_forgotten_and_teaches_nothing() -> None:
    """Two weeks without a dose: still low; the old dose again afterwards is not over, as the habit is the old one."""
    x = settled()
    habit = x[st.FLU_TROUGH_UG_H : st.FLU_HABIT_UG_H + 1].copy()
    for number in range(1, 24 * 14 + 1):
        give(x, 96 + number, 0.0)
    assert fluid_habit.status(x) == fluid_habit.LOW
    for number in range(24 * 14 + 1, 24 * 15):
        give(x, 96 + number, 2.0)
        assert fluid_habit.status(x) in (fluid_habit.LOW, fluid_habit.NORMAL)
    assert fluid_habit.status(x) == fluid_habit.NORMAL
    np.testing.assert_array_equal(x[st.FLU_TROUGH_UG_H : st.FLU_HABIT_UG_H + 1], habit)


def test_a_small_dose_that_stays_becomes_the_habit() -> None:
    """An eighth of the dose is low for some days, and is the habit afterwards; the old dose is then an overdose."""
    x = settled()
    for number in range(1, 24 * 30):
        give(x, 96 + number, 0.25)
        if number == 48:
            assert fluid_habit.status(x) == fluid_habit.LOW
    assert fluid_habit.status(x) == fluid_habit.NORMAL
    for number in range(24 * 30, 24 * 30 + 6):
        give(x, 96 + number, 2.0)
    assert fluid_habit.status(x) >= fluid_habit.OVER_FAST


def test_nothing_is_known_before_two_days_with_a_dose() -> None:
    """Neither a stop nor ten times the dose of a pump that has just begun can be judged; a dose and nothing else is no therapy."""
    x = fresh()
    for number in range(1, 48):
        give(x, number, 0.0 if 20 < number < 30 else 20.0 if number > 40 else 2.0)
        assert fluid_habit.status(x) == fluid_habit.NORMAL
        assert not fluid_habit.known(x)
    x = fresh()
    give(x, 1, 50.0)
    for number in range(2, 24 * 6):
        give(x, number, 0.0)
    assert not fluid_habit.known(x)


def test_a_dose_at_once_counts_from_its_moment() -> None:
    """The dose times ln 2 / T is added where it was given, whatever the open block holds."""
    x = settled()
    before = levels(x)
    x[st.FLU_OPEN_UG] = 5.0
    fluid.given_at_once(x, x[st.T_US], 0.0)
    np.testing.assert_allclose(levels(x) - before, math.log(2) / np.array(HALF_LIVES_H) * 5.0, rtol=1e-12)


def test_a_shut_catheter_lets_the_level_fall_since_its_onset() -> None:
    """The ledgers went on for six hours; once that is known, the level is what a stop then would have left."""
    x, stopped = settled(), settled()
    for number in range(1, 7):
        give(x, 96 + number, 2.0)
        give(stopped, 96 + number, 0.0)
    fluid.block(x, T0_US + 96 * HOUR_US)
    np.testing.assert_allclose(levels(x), levels(stopped), rtol=1e-3)
    assert hours(x, st.FLU_LOW_US) == pytest.approx(hours(stopped, st.FLU_LOW_US), abs=1e-3)
    for number in range(7, 10):
        give(x, 96 + number, 2.0)
        give(stopped, 96 + number, 0.0)
    np.testing.assert_allclose(levels(x), levels(stopped), rtol=1e-3)
    fluid.unblock(x)
    give(x, 106, 2.0)
    give(stopped, 106, 2.0)
    np.testing.assert_allclose(levels(x), levels(stopped), rtol=1e-3)


def test_a_standing_motor_gives_what_its_sensors_count_and_no_more() -> None:
    """The program's word is not taken while the motor stands; what the ledgers later take off what is counted is no less given."""
    x = settled()
    fluid.stand(x)
    fluid.gather(x, 5.0, False, 0.0)
    assert x[st.FLU_OPEN_UG] == 0.0
    fluid.gather(x, 1.0, True, 0.0)
    assert x[st.FLU_OPEN_UG] == 1.0
    x[st.RES_PENDING_UL], x[st.RES_DEBT_UL], x[st.CONCENTRATION_UG_ML] = 6.0, 2.0, 500.0
    fluid.unblock(x)  # 4 ug of the 5 are still to be taken off
    fluid.gather(x, 0.0, True, 3.0)
    assert x[st.FLU_OPEN_UG] == 4.0
    fluid.gather(x, 2.0, True, 3.0)
    assert x[st.FLU_OPEN_UG] == 7.0
    fluid.gather(x, 2.0, True, 3.0)
    assert x[st.FLU_OPEN_UG] == 9.0


def _flex(at_us: float) -> tuple[Floats, Floats]:
    program = np.zeros(pulses.PROGRAM_SIZE)
    program[pulses.MODE], program[pulses.AT_US] = dose.FLEX, at_us
    rates = np.array([[day * 24 + hour, rate] for day in range(7) for hour, rate in ((0, 0.5), (8, 4.0))])
    rates[:, 0] *= HOUR_US
    return program, rates


def test_a_long_gap_is_spread_as_it_was_programmed() -> None:
    """No item for 30 h or 20 days of a flex program: the level at the end is that of a pump that reported every hour."""
    for gap_h in (30, 480):
        program, schedule = _flex(T0_US)
        both = []
        for every in (1, gap_h):
            x = step.fresh()
            x[st.T_US], x[st.CONCENTRATION_UG_ML] = T0_US, 500.0
            for number in range(every, gap_h + 1, every):
                volumes.advance(x, program, schedule, NONE, T0_US + number * HOUR_US)
            both.append(levels(x))
        np.testing.assert_allclose(both[1], both[0], rtol=2e-3)


def test_a_gap_teaches_no_mean_as_a_trough() -> None:
    """Weeks without an item of a pump with a deep night: the nights after it are still no news."""
    program, schedule = _flex(T0_US)
    x = step.fresh()
    x[st.T_US], x[st.CONCENTRATION_UG_ML] = T0_US, 500.0
    times = [*range(1, 120), 120 + 500, *range(621, 800)]
    for t_h in times:
        volumes.advance(x, program, schedule, NONE, T0_US + t_h * HOUR_US)
        assert fluid_habit.status(x) == fluid_habit.NORMAL


def test_the_crossing_is_where_the_level_meets_the_limit() -> None:
    """Ahead, past, never: by the closed form against the recurrence."""
    assert fluid_habit.crossing_h(1.0, 0.0, 0.25, 6.0) == pytest.approx(12.0)
    assert fluid_habit.crossing_h(0.125, 0.0, 0.25, 6.0) == pytest.approx(-6.0)
    assert fluid_habit.crossing_h(1.0, 4.0, 2.5, 0.9) == pytest.approx(0.9)
    for level, rate, limit in (
        (1.0, 0.3, 0.25),
        (1.0, 2.0, 2.5),
        (0.0, 0.0, 0.25),
        (1.0, 0.25, 0.25),
        (np.nan, 0, 1),
    ):
        assert math.isnan(fluid_habit.crossing_h(level, rate, limit, 1.5))
