"""Flow after a restart, and the level after a fill: the kernels against slow twins, and at factors of two."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import fill_level, restart, step
from kernels import state as s
from kernels.units import DAY_US

HOUR_US = 3.6e9


def naive_levels(rows: NDArray[np.float64], tolerance: float, habit: float, usual_ul: float) -> list[int]:
    """The recurrence of kernels.restart in plain words; rows of (t_us, period_us, expected, counted, flow)."""
    on, sums, pending, most, since, last, out = 0, {1: 0.0, 2: 0.0}, 0.0, 0.0, 0.0, 0.0, []
    watching = True
    for t_us, period_us, expected, counted, flow in rows.tolist():
        elapsed, last = t_us - last, t_us
        if watching and on == 0 and t_us > since + 48 * HOUR_US:
            watching = False
        if not watching:
            out.append(0)
            continue
        pending += expected
        most = max(most, expected)
        slack = most + 31 / 60 * expected / (elapsed / HOUR_US)
        beyond = {1: np.nan, 2: np.nan}
        if not np.isnan(counted):
            beyond[1], pending = counted - (1 + tolerance) * pending, 0.0
        if np.isfinite(flow) and elapsed <= 3 * period_us:
            beyond[2] = flow * elapsed / HOUR_US - (1 + tolerance) * habit * expected
        for channel, ul in beyond.items():
            if np.isnan(ul):
                continue
            sums[channel] = max(sums[channel] + (-ul if on == channel else ul), 0.0)
            if on in (0, channel) and sums[channel] > slack + (usual_ul if channel == 1 else 0.0):
                on, sums = (channel if on == 0 else 0), {1: 0.0, 2: 0.0}
        out.append(2 if on else 0)
    return out


def run(rows: NDArray[np.float64], usual_ul: float = 0.0, scale: float = 1.0) -> list[int]:
    """The kernel over the same rows, restarted at 0; all volumes by `scale`."""
    x = step.fresh()
    x[s.DRV_COUNTER + 3] = usual_ul * scale
    x[s.FLOW_TOLERANCE] = 0.1
    restart.begin(x, 0.0)
    x[s.RST_FLOW_HABIT] = 1.2
    out, last = [], 0.0
    for t_us, period_us, expected, counted, flow in rows.tolist():
        elapsed, last = t_us - last, t_us
        out.append(
            restart.restart_row(x, t_us, elapsed, period_us, expected * scale, counted * scale, flow * scale)
        )
    return out


def drawn(seed: int) -> NDArray[np.float64]:
    """Rows of ten minutes with gaps, missing readings, and flow that runs away for a while."""
    rng = np.random.default_rng(seed)
    n = 400
    gaps = rng.choice([1.0, 1.0, 1.0, 5.0], n) * HOUR_US / 6
    t_us = np.cumsum(gaps)
    expected = 4.0 * gaps / HOUR_US
    ratio = np.where(
        (np.arange(n) > 40) & (np.arange(n) < 40 + rng.integers(20, 200)), rng.uniform(0.5, 4), 1.0
    )
    counted = np.where(rng.random(n) < 0.3, np.nan, expected * np.where(rng.random() < 0.5, ratio, 1.0))
    flow = np.where(rng.random(n) < 0.3, rng.choice([np.nan, np.inf]), 4.0 * ratio * rng.normal(1, 0.05, n))
    return np.column_stack([t_us, np.full(n, HOUR_US / 6), expected, counted, flow])


@pytest.mark.parametrize("seed", range(12))
def test_the_kernel_does_what_its_docstring_says(seed: int) -> None:
    """Row by row the same levels as the slow twin."""
    rows = drawn(seed)
    assert run(rows, 0.5) == naive_levels(rows, 0.1, 1.2, 0.5)


def test_the_draws_meet_alarms_and_ends() -> None:
    """Without both the twin would show nothing."""
    levels = [run(drawn(seed), 0.5) for seed in range(12)]
    assert sum(2 in one for one in levels) >= 4
    assert sum(2 in one and one[-1] == 0 for one in levels) >= 2


@pytest.mark.parametrize("power", [-10, 3, 20])
def test_factors_of_two_change_no_level(power: int) -> None:
    """No volume is evidence by its size."""
    for seed in range(6):
        assert run(drawn(seed), 0.5) == run(drawn(seed), 0.5, scale=2.0**power)


def test_pulses_hide_no_runaway_between_them() -> None:
    """Three times the flow, 40 % of it in ten minutes every six hours: told in two rows, and nothing of the flow itself."""
    n, period_h = 48, 0.25
    t_us = np.arange(1, n + 1) * period_h * HOUR_US
    expected = np.full(n, 5.4 * period_h)
    expected[3::24] += 21.6
    for ratio, row in ((3.0, 1), (1.0, None)):
        flow = ratio * expected / period_h
        rows = np.column_stack([t_us, np.full(n, period_h * HOUR_US), expected, np.full(n, np.nan), flow])
        levels = run(rows)
        assert levels[:row] == [0] * len(levels[:row])
        assert (2 in levels) is (row is not None)
        assert row is None or levels[row] == 2


def test_healthy_restarts_are_silent() -> None:
    """A flow sensor with 10 % noise, two days, a thousand restarts: none is above a tolerance of 10 %."""
    rng = np.random.default_rng(0)
    n = 288
    t_us = np.arange(1, n + 1) * HOUR_US / 6
    for _ in range(1000):
        flow = 4.0 * rng.normal(1.15, 0.1, n)
        rows = np.column_stack([t_us, np.full(n, HOUR_US / 6), np.full(n, 4 / 6), np.full(n, np.nan), flow])
        assert 2 not in run(rows)


def fallen(
    ml_h: float, scale: float = 1.0, spike_ml: float = 0.0, noise_ml: float = 0.03, before_ml_h: float = 0.0
) -> list[int]:
    """Levels of a pump at 0.02 mL/h whose reservoir falls by `ml_h` after a day, mostly at a stand; every ten minutes."""
    rng = np.random.default_rng(8)
    x = step.fresh()
    x[s.RESERVOIR_ML], x[s.FLOW_TOLERANCE] = 20.0 * scale, 0.1
    out = []
    for row in range(144 + 200):
        after_h = max(row - 143, 0) / 6
        before_ml = before_ml_h * max(72 - row, 0) / 6
        reading = (
            15.0 + before_ml - ml_h * after_h + noise_ml * float(rng.normal()) + spike_ml * float(row == 200)
        )
        asked_ul = 1000.0 * before_ml_h / 6 if row <= 72 else 0.0 if row < 144 else 20.0 / 6
        restart.level_mean(x, reading * scale, asked_ul * scale)
        x[s.RES_LEVEL_UL] = reading * 1000.0 * scale
        if row == 143:
            restart.begin(x, row * HOUR_US / 6)
        elif row > 143:
            told = restart.restart_row(
                x, row * HOUR_US / 6, HOUR_US / 6, HOUR_US / 6, 20.0 / 6 * scale, np.nan, np.nan
            )
            out.append(told)
    return out


def test_a_level_that_falls_faster_than_the_tolerance_allows() -> None:
    """Three times the rate, seen within six hours; the rate itself, a spike and a level that stands still are not."""
    assert 2 in fallen(0.06)[:36]
    for still in (fallen(0.02), fallen(0.0), fallen(0.02, spike_ml=-8.0)):
        assert 2 not in still
    assert fallen(0.06) == fallen(0.06, scale=1024.0)


def naive_levels_by_level(readings_ml: list[float], begun: int, asked_ul: float, days: float) -> list[int]:
    """The level's part of the recurrence in plain words; rows `days` apart, restarted at row `begun`, 20 mL, tolerance 10 %."""
    mean = noise = reference = last = math.nan
    asked, on, out, watching = 0.0, 0, [], False
    for row, reading_ml in enumerate(readings_ml):
        if math.isfinite(reading_ml):
            off = 1000.0 * reading_ml - mean
            if math.isnan(mean):
                mean, noise = 1000.0 * reading_ml, 0.0 if math.isnan(noise) else noise
            else:
                spike = 4.0 * math.sqrt(noise) if noise > 0.0 else math.inf
                step_ul = min(abs(off), spike)
                if (last > mean) == (off > 0.0) and last != mean:
                    step_ul = max(step_ul, min(abs(off), abs(last - mean)))
                if not watching:
                    noise += (min(abs(off + 15.0 * asked_ul), spike) ** 2 - noise) / 128.0
                mean += math.copysign(step_ul, off) / 16.0
            last = 1000.0 * reading_ml
        if row == begun:
            watching, reference = True, mean
        elif watching and on == 0 and (row - begun) * days > 2.0:
            watching = False
        elif watching:
            asked += asked_ul
            slack = asked_ul + 31 / 60 * asked_ul / (24.0 * days)
            beyond = (reference - mean - 1.1 * asked) * (-1.0 if on else 1.0)
            drift = 0.001 * 20_000.0
            sd = math.sqrt(noise / 15.5 + drift**2 * (row - begun) * days)
            if beyond > slack + 3.0 * sd:
                on, reference, asked = 2 - on, mean, 0.0
        out.append(on)
    return out


def by_level(seed: int) -> tuple[list[int], list[int]]:
    """Levels of kernel and twin: falls of all speeds and their ends, spikes, missing readings, sensors of all noises."""
    rng = np.random.default_rng(seed)
    n, begun, days = 420, int(rng.integers(1, 200)), float(rng.choice([1 / 144, 1 / 48, 1 / 24]))
    after = np.clip(np.arange(n) - begun, 0, int(rng.choice([12, 30, 200]))) * days
    ml = (
        15.0
        - rng.choice([0.5, 2.0, 4.0, 20.0]) * after
        + rng.choice([0.0, 0.005, 0.05, 0.3]) * rng.standard_normal(n)
    )
    ml[rng.random(n) < 0.02] += rng.choice([-3.0, 3.0])
    ml[rng.random(n) < 0.05] = np.nan
    ml = np.maximum(ml, 0.0)
    x = step.fresh()
    x[s.RESERVOIR_ML], x[s.FLOW_TOLERANCE] = 20.0, 0.1
    asked_ul, told = float(rng.choice([0.0, 0.3, 3.0, 20.0])), []
    for row, reading in enumerate(ml.tolist()):
        restart.level_mean(x, reading, asked_ul)
        x[s.RES_LEVEL_UL] = 1000.0 * reading if np.isfinite(reading) else x[s.RES_LEVEL_UL]
        t_us = row * days * DAY_US
        if row == begun:
            restart.begin(x, t_us)
        watched = t_us > x[s.RST_SINCE_US]
        told.append(
            restart.restart_row(x, t_us, days * DAY_US, days * DAY_US, asked_ul, np.nan, np.nan)
            if watched
            else 0
        )
    return told, naive_levels_by_level(ml.tolist(), begun, asked_ul, days)


@pytest.mark.parametrize("seed", range(40))
def test_the_level_alone_tells_what_its_twin_tells(seed: int) -> None:
    """Row by row the same levels."""
    told, expected = by_level(seed)
    assert told == expected


def test_the_draws_meet_falls_and_their_ends() -> None:
    """Without both the twin would show nothing."""
    levels = [by_level(seed)[0] for seed in range(40)]
    assert sum(2 in one for one in levels) >= 6
    assert sum(2 in one and one[-1] == 0 for one in levels) >= 2


def test_a_quiet_level_is_followed_as_fast_as_it_falls() -> None:
    """Noise of a fiftieth of a row's fall: the mean is no slower than its memory, and its lag while the pump ran is no noise."""
    assert 2 in fallen(0.06, noise_ml=0.0002)[:30]
    assert 2 in fallen(0.06, noise_ml=0.0002, before_ml_h=0.02)[:30]
    assert 2 not in fallen(0.0224, noise_ml=0.0002)
    assert 2 not in fallen(0.02, noise_ml=0.0002, spike_ml=-8.0)


def errors(readings: NDArray[np.float64], minutes: float) -> tuple[list[bool], float]:
    """When the level can be judged, and the error that is kept; 20 mL are said to be in, the sensor is usually 0.2 mL off."""
    x = step.fresh()
    x[s.RES_V_UL], x[s.RES_O_UL] = 20_000.0, 200.0
    fill_level.begin(x, 0.0)
    due = [fill_level.fill_row(x, (k + 1) * minutes * 6e7, ml) for k, ml in enumerate(readings.tolist())]
    return due, float(x[s.FILL_ERROR_UL])


def test_the_reading_nearest_to_the_usual_offset_is_kept() -> None:
    """An hour and five readings, whichever comes later; NaN counts for nothing; judged once."""
    due, error_ul = errors(np.array([3.0, np.nan, 17.0, 17.1, 25.0, 17.4, 17.2]), 10.0)
    assert due == [False] * 5 + [True, False]
    assert error_ul == pytest.approx(-2600.0)
    due, error_ul = errors(np.array([3.0, 20.1, 17.0, 17.1, 17.4, 17.2]), 60.0)
    assert due == [False] * 4 + [True, False]
    assert error_ul == pytest.approx(100.0)


@pytest.mark.parametrize(("seen", "expected"), [(0, False), (4, False), (5, True)])
def test_a_reservoir_that_is_soon_drawn_down_is_judged_by_the_readings_until_then(
    seen: int, *, expected: bool
) -> None:
    """After a gap the level speaks of what was delivered, not of the fill: with fewer than five readings nothing is said."""
    x = step.fresh()
    x[s.RES_V_UL], x[s.RESERVOIR_ML] = 20_000.0, 20.0
    fill_level.begin(x, 0.0)
    assert not any(fill_level.fill_row(x, (k + 1) * 6e7, 20.0) for k in range(seen))
    x[s.RES_V_UL] = 18_900.0
    assert fill_level.fill_row(x, 1e9, 12.0) is expected
    assert not fill_level.fill_row(x, 5e9, 12.0)
