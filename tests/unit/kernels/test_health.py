import numpy as np
import pytest

from kernels import air, health, wear
from kernels import state as st
from tests.naive_days import NaiveHealth
from tests.pump_signals import Floats

DAY_US = 86_400e6
USUAL = np.array([0.98, 20.0, 0.05, 0.03, 2.0, -0.5, 3.0, 2.9, 36.6, 36.4])
SPREAD = np.array([0.01, 0.1, 0.002, 0.001, 0.1, 0.05, 0.005, 0.002, 0.1, 0.1])


def fresh() -> Floats:
    x = np.full(st.SIZE, np.nan)
    for slot in (st.OCCLUSION_LEVEL, st.STALL_LEVEL):
        x[slot] = 0.0
    for kernel in (air, wear, health):
        kernel.reset(x)
    return x


def fold(
    x: Floats, days: Floats, asked: Floats, named: np.ndarray | None = None, samples: int = 8
) -> list[int]:
    """Levels after each day; every day has `samples` rows of its mean."""
    levels = []
    for number, day in enumerate(np.vstack([days, days[-1:]])):
        for sample in range(samples):
            x[st.AIR_FLOW_NOW], x[st.AIR_MA_NOW] = day[0], day[1]
            x[st.AIR_VIBRATION_NOW] = day[2]
            x[st.AIR_Q_NOW] = asked[min(number, asked.size - 1)]
            t_us = (number + sample / samples) * DAY_US
            is_named = named is not None and number < named.size and bool(named[number])
            health.health_row(
                x, t_us, day[6], day[2], day[3], day[4], day[5], day[8], day[9], day[7], is_named
            )
        levels.append(int(x[st.HLT_LEVEL]))
    return levels[1:]


def healthy_days(rng: np.random.Generator, n: int) -> Floats:
    return USUAL + SPREAD * rng.standard_normal((n, 10))


def hard_days(seed: int) -> tuple[Floats, Floats, np.ndarray]:
    rng = np.random.default_rng(seed)
    days, asked, named = healthy_days(rng, 120), np.ones(120), np.zeros(120, dtype=bool)
    for start in rng.integers(15, 110, 4):
        for channel in rng.choice(10, 3, replace=False):
            days[start : start + int(rng.integers(1, 15)), channel] += 15 * SPREAD[channel]
    asked[int(rng.integers(20, 100)) :] = 1.2
    named[int(rng.integers(20, 100)) :][:5] = True
    days[rng.random(days.shape) < 0.04] = np.nan
    return days, asked, named


@pytest.mark.parametrize("seed", range(20))
def test_equals_the_slow_twin(seed: int):
    """Kernel and twin agree on every day, through moved channels, new programs, named causes and nulls."""
    days, asked, named = hard_days(seed)
    x, twin = fresh(), NaiveHealth()
    x[st.WEAR_DAYS] = -1e6  # never old enough to name one of these days
    expected = [
        twin.day(day, flow, np.nan, named=bool(other))
        for day, flow, other in zip(days.tolist(), asked.tolist(), named, strict=True)
    ]
    assert fold(x, days, asked, named) == expected
    habits = x[st.HLT_MEAN : st.HLT_MEAN + 10], x[st.HLT_DEV : st.HLT_DEV + 10]
    assert habits[0].tolist() == pytest.approx(twin.usual, rel=1e-9, nan_ok=True)
    assert habits[1].tolist() == pytest.approx(twin.dev, rel=1e-9, nan_ok=True)
    assert (x[st.HLT_DAYS], x[st.HLT_ON_DAYS]) == (twin.days, twin.on_days)


def test_days_of_the_twin_are_not_all_silent():
    """Some of the hard recordings reach level 2, or the twin would prove nothing."""
    assert sum(2 in fold(fresh(), *hard_days(seed)) for seed in range(20)) >= 5


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        ((1, 4), True),
        ((0, 1), True),
        ((1, 2), True),
        ((1,), False),
        ((2, 3), False),
        ((4, 5), False),
        ((6, 7), False),
        ((8, 9), False),
        ((1, 4, 8), False),
        ((4, 5, 9), False),
    ],
)
def test_two_kinds_of_channels_must_move(channels: tuple[int, ...], told: bool):  # noqa: FBT001
    """Two channels of different kinds for two days are told, with their names; one kind, or what a temperature explains, is not."""
    days = healthy_days(np.random.default_rng(3), 60)
    for channel in channels:
        days[40:, channel] += 15 * SPREAD[channel]
    x = fresh()
    levels = fold(x, days[:45], np.ones(45))
    assert not any(levels[:40])
    assert (2 in levels) is told
    if told:
        assert levels[40:42] == [1, 2]
        assert int(x[st.HLT_MOVED]) % 1024 == sum(1 << channel for channel in channels)


@pytest.mark.parametrize(("later", "told"), [(0, True), (1, True), (3, False)])
def test_a_sensor_that_was_odd_before_does_not_count(later: int, told: bool):  # noqa: FBT001
    """Two channels that move together, or a day apart, are told; one that was alone for days beside a second is not."""
    days = healthy_days(np.random.default_rng(8), 60)
    days[40:, 1] += 60 * SPREAD[1]
    days[40 + later :, 4] += 60 * SPREAD[4]
    assert (2 in fold(fresh(), days, np.ones(60))) is told


def test_the_new_state_becomes_the_habit():
    """After nine days the change is the habit: the alert ends by itself, and does not come back."""
    days = healthy_days(np.random.default_rng(4), 100)
    days[40:, [1, 4]] += 15 * SPREAD[[1, 4]]
    levels = fold(fresh(), days, np.ones(100))
    assert levels[40:50] == [1, *[2] * 7, 0, 0]
    assert not any(levels[50:])


def test_what_is_over_within_a_day_is_no_matter():
    """A day of refill, scan and cold is pending at most."""
    days = healthy_days(np.random.default_rng(5), 60)
    days[40] += 15 * SPREAD
    assert 2 not in fold(fresh(), days, np.ones(60))


def test_a_named_cause_and_a_new_program_explain_it():
    """While another detector is on, or when the flow changed, nothing is told of what it moves."""
    days, named = healthy_days(np.random.default_rng(6), 60), np.zeros(60, dtype=bool)
    days[40:, 1:5] += 15 * SPREAD[1:5]
    named[40:] = True
    assert not any(fold(fresh(), days, np.ones(60), named))
    asked = np.where(np.arange(60) < 40, 1.0, 1.1)
    assert not any(fold(fresh(), days, asked))


def test_a_new_program_during_an_outage_is_no_matter():
    """Channels that were not read on the day of a new program begin their habit with the next day that they are."""
    days = healthy_days(np.random.default_rng(9), 60)
    days[40:, 1:5] += 15 * SPREAD[1:5]
    days[40:43, 1:5] = np.nan
    assert not any(fold(fresh(), days, np.where(np.arange(60) < 40, 1.0, 1.1)))


@pytest.mark.parametrize("quiet", [False, True])
def test_healthy_years_are_silent(quiet: bool):  # noqa: FBT001
    """Fifty years of independent day means with heavy tails, or of channels that never change, are silent."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        noise = np.zeros((365, 10)) if quiet else 0.7 * rng.standard_t(4, (365, 10))
        assert 2 not in fold(fresh(), USUAL + SPREAD * noise, np.ones(365), samples=2)


def test_half_a_day_does_not_count():
    """A day with less than half of the usual samples is neither judged nor learned."""
    days = healthy_days(np.random.default_rng(7), 30)
    x = fresh()
    fold(x, days, np.ones(30))
    learned = x[st.HLT_DAYS]
    start_us = 31 * DAY_US
    for sample in range(3):
        x[st.AIR_FLOW_NOW], x[st.AIR_MA_NOW], x[st.AIR_Q_NOW] = 9.0, 99.0, 1.0
        health.health_row(x, start_us + sample, *days[0][[6, 2, 3, 4, 5, 8, 9, 7]], False)
    health.health_row(x, start_us + DAY_US + 10, *days[0][[6, 2, 3, 4, 5, 8, 9, 7]], False)
    assert x[st.HLT_DAYS] == learned + 1  # day 30 itself; the short one after it not


@pytest.mark.parametrize("factor", [2.0**-10, 2.0**20])
def test_units_change_nothing(factor: float):
    """Every channel times a power of two, temperatures aside: the same level on every day."""
    days, asked, named = hard_days(1)
    scaled = days.copy()
    scaled[:, :8] *= factor
    assert fold(fresh(), scaled, asked * factor, named) == fold(fresh(), days, asked, named)


def test_a_day_needs_half_of_its_readings():
    """A channel that was read in six rows of ten has its day's mean, infinities apart; one in four has none."""
    for read, known in ((6, True), (4, False)):
        x = fresh()
        for sample in range(11):
            reading = 3.0 if sample < read else (np.inf if sample % 2 else np.nan)
            x[st.AIR_Q_NOW] = 1.0
            t_us = sample / 10 * DAY_US
            health.health_row(x, t_us, reading, *[np.nan] * 7, False)
        assert (x[st.HLT_MEAN + health.MOTOR_V] == 3.0) == known


def test_the_same_flow_is_a_share_of_the_flow():
    """At four times the first program a day's flow that differs by 1.5 % is the same program: what moved is judged."""
    rng = np.random.default_rng(3)
    days = healthy_days(rng, 40)
    asked = 4.0 * (1.0 + 0.015 * (np.arange(40) % 2))
    days[30:, 1:3] *= 3.0
    assert 2 in fold(fresh(), days, asked)[30:34]
