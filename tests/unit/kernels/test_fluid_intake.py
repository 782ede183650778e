"""Drug level in the spinal fluid: what is taken in before the first block, at once, and while nothing leaves the tip."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import dose, fluid, pulses, step
from kernels import state as st

HOUR_US = 3.6e9
T0_US = 1.77e15
HALF_LIVES_H = np.array([0.9, 1.5, 3.0, 6.0])
LEVELS = slice(st.FLU_LEVEL_UG_H, st.FLU_LEVEL_UG_H + 4)


def running(hours: int = 48, rate_ug_h: float = 2.0) -> np.ndarray:
    """A pump that has given the same dose each hour."""
    x = step.fresh()
    x[st.T_US] = T0_US
    fluid.close(x, T0_US)
    for hour in range(1, hours + 1):
        x[st.FLU_OPEN_UG], x[st.T_US] = rate_ug_h, T0_US + hour * HOUR_US
        fluid.close(x, x[st.T_US])
    return x


def test_what_left_the_tip_before_the_first_block_counts_at_once() -> None:
    """A dose of which no beginning is known is in the fluid by its rate constant, and no longer waits in the block."""
    x = step.fresh()
    fluid.gather(x, 50.0, True, 0.0)
    fluid.close(x, T0_US)
    np.testing.assert_allclose(x[LEVELS], np.log(2.0) / HALF_LIVES_H * 50.0, rtol=1e-12)
    assert (x[st.FLU_OPEN_UG], x[st.FLU_OPEN_US]) == (0.0, T0_US)


def test_a_dose_at_once_leaves_the_open_block_its_own_drug() -> None:
    """Half an hour at 2 ug/h holds 1 ug: a dose of 40 ug on top adds 40 ug at once, not 39 and not 41."""
    x = running()
    before = x[LEVELS].copy()
    x[st.FLU_OPEN_UG] = 1.0 + 40.0
    x[st.T_US] += 0.5 * HOUR_US
    fluid.given_at_once(x, x[st.T_US], 1.0)
    share = 0.5 ** (0.5 / HALF_LIVES_H)
    expected = 2.0 + (before - 2.0) * share + np.log(2.0) / HALF_LIVES_H * 40.0
    np.testing.assert_allclose(x[LEVELS], expected, rtol=1e-9)
    assert x[st.FLU_OPEN_UG] == 0.0


@pytest.mark.parametrize("ago_h", [0.0, 0.5, 3.0])
def test_a_block_that_began_earlier_takes_its_time_off_the_level(ago_h: float) -> None:
    """A catheter blocked half an hour ago has left the level to fall for half an hour, and to go on falling from now."""
    x = running()
    before, now_us = x[LEVELS].copy(), x[st.T_US]
    fluid.block(x, now_us - ago_h * HOUR_US)
    np.testing.assert_allclose(x[LEVELS], before * 0.5 ** (ago_h / HALF_LIVES_H), rtol=1e-12)
    x[st.FLU_OPEN_UG], x[st.T_US] = 2.0, now_us + HOUR_US
    fluid.close(x, x[st.T_US])
    np.testing.assert_allclose(x[LEVELS], before * 0.5 ** ((ago_h + 1.0) / HALF_LIVES_H), rtol=1e-12)


def test_what_is_blocked_is_not_blocked_again() -> None:
    """A second detector that says the same an hour later takes nothing off a second time."""
    x = running()
    fluid.block(x, x[st.T_US])
    once = x.copy()
    fluid.block(x, x[st.T_US] - HOUR_US)
    assert x.tobytes() == once.tobytes()


@pytest.mark.parametrize("gap_h", [2.0, 2.6, 40.5])
def test_a_gap_ends_at_its_end(gap_h: float) -> None:
    """A gap of no whole number of hours is closed to its last microsecond, and all its drug is in."""
    program = np.zeros(pulses.PROGRAM_SIZE)
    program[pulses.MODE], program[pulses.AT_US] = dose.FLEX, T0_US
    schedule = np.array([[0.0, 4.0], [0.5 * pulses.DAY_US, 8.0]])
    x = running(24)
    from_us = x[st.T_US]
    to_us = from_us + gap_h * HOUR_US
    x[st.T_US], x[st.FLU_OPEN_UG], day_ug = to_us, 2.0 * gap_h, x[st.FLU_DAY_UG]
    days = x[st.FLU_DAYS]
    fluid.passed(x, program, schedule, np.empty((0, 5)), from_us, to_us, 0.0)
    assert (x[st.FLU_OPEN_US], x[st.FLU_OPEN_UG]) == (to_us, 0.0)
    if x[st.FLU_DAYS] == days:
        assert x[st.FLU_DAY_UG] - day_ug == pytest.approx(2.0 * gap_h)


def test_a_gap_at_a_steady_program_is_whole_days() -> None:
    """Three days at 2 ug/h without a row: the habit is of the ends of days, where the slowest level is all but steady."""
    program = np.zeros(pulses.PROGRAM_SIZE)
    program[pulses.MODE], program[pulses.AT_US] = dose.CONTINUOUS, T0_US
    x = step.fresh()
    x[st.T_US] = T0_US
    fluid.close(x, T0_US)
    x[st.T_US], x[st.FLU_OPEN_UG] = T0_US + 72 * HOUR_US, 144.0
    fluid.passed(x, program, np.array([[0.0, 4.0]]), np.empty((0, 5)), T0_US, x[st.T_US], 0.0)
    ends = 2.0 * (1.0 - 0.5 ** (48.0 / 6.0)), 2.0 * (1.0 - 0.5 ** (72.0 / 6.0))
    usual = ends[0] + 0.25 * (ends[1] - ends[0])
    assert x[st.FLU_TROUGH_UG_H + 1] == pytest.approx(usual, rel=1e-12)
    assert (x[st.FLU_DAYS], x[st.FLU_OPEN_US], x[st.FLU_DAY_US]) == (2.0, x[st.T_US], x[st.T_US])


@pytest.mark.parametrize("after_h", [0.0, 0.25, 0.5, 1.0, 4.0])
def test_levels_read_around_a_block_fall_from_the_block_on(after_h: float) -> None:
    """Half an hour at 2 ug/h, then a block: until it the level stays as it was, from there on it halves by its half-life."""
    x = running(24 * 10)
    x[st.FLU_BLOCKED_US] = x[st.T_US] + 0.5 * HOUR_US
    x[st.FLU_OPEN_UG] = 2.0 * min(after_h, 0.5)
    out = np.zeros(4)
    fluid.levels(x, x[st.T_US] + after_h * HOUR_US, out)
    idle_h = max(after_h - 0.5, 0.0)
    if after_h <= 0.5:
        np.testing.assert_allclose(out, 2.0, rtol=1e-9)
    else:
        rate = x[st.FLU_OPEN_UG] / after_h
        share = 0.5 ** ((after_h - idle_h) / HALF_LIVES_H)
        np.testing.assert_allclose(
            out, (rate + (2.0 - rate) * share) * 0.5 ** (idle_h / HALF_LIVES_H), rtol=1e-9
        )
