"""Other units, other pumps: factors of two on a recording change no decision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from kernels import drive, step
from kernels import state as st
from tests.habit_signals import (
    COUNTER,
    CURRENT,
    FLOW,
    INLET,
    PRESSURE,
    VIBRATION,
    VIBRATION2,
    Pump,
    add_air,
    add_wear,
    finished,
    healthy,
    signals,
)
from tests.low_signals import Recording, fed, leaked
from tests.low_signals import run as low_levels
from tests.pump_signals import (
    DAY_S,
    Floats,
    Line,
    blocked_kpa,
    first_active_s,
    fresh,
    healthy_kpa,
    occlusion_levels,
    times_s,
)

exponents = some.integers(min_value=-10, max_value=20)


def recording(seed: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return twelve days: flex program, a block on day 10, sensed flow and inlet pressure with gaps."""
    rng = np.random.default_rng(seed)
    t_s = times_s(12, 900.0)
    flow = rng.uniform(1.0, 9.0, 6)[((t_s % DAY_S) / 14_400).astype(int)]
    pressure = blocked_kpa(rng, t_s, healthy_kpa(rng, t_s, Line()) + 0.1 * flow, 10 * DAY_S, 1.0)
    pressure[rng.random(t_s.size) < 0.02] = np.nan
    sensed = flow * (1 + 0.05 * rng.standard_normal(t_s.size))
    inlet = 5.0 + 0.1 * rng.standard_normal(t_s.size)
    return t_s, pressure, flow, sensed, inlet


@settings(max_examples=25, deadline=None)
@given(seed=some.integers(0, 5), pressures=exponents, flows=exponents)
def test_occlusion_levels_are_the_same(seed: int, pressures: int, flows: int):
    """Pressures times 2^a and flows times 2^b: every level of every row is the same, and there is an alarm to compare."""
    t_s, pressure, flow, sensed, inlet = recording(seed)
    levels = occlusion_levels(fresh(), t_s, pressure, flow, sensed, inlet)
    p, q = 2.0**pressures, 2.0**flows
    scaled = occlusion_levels(fresh(), t_s, p * pressure, q * flow, q * sensed, p * inlet)
    assert np.array_equal(levels, scaled)
    assert (levels == 2).any()


@pytest.mark.parametrize("factor", [0.1, 3.0, 133.322, 1e5])
def test_other_factors_move_an_alarm_by_a_row_at_most(factor: float):
    """Any other unit of pressure moves the first alarm by no more than one row."""
    t_s, pressure, flow, sensed, inlet = recording(1)
    first = first_active_s(t_s, occlusion_levels(fresh(), t_s, pressure, flow, sensed, inlet))
    scaled = first_active_s(
        t_s, occlusion_levels(fresh(), t_s, factor * pressure, flow, sensed, factor * inlet)
    )
    assert first < np.inf
    assert abs(scaled - first) <= 900.0


def stall_levels(volumes: float, currents: float, seed: int) -> list[int]:
    """Levels of a recording with a stall: counter, flow and current, scaled."""
    rng = np.random.default_rng(seed)
    x = fresh()
    x[st.ENCODER_UL_PER_COUNT] = 0.125 * volumes
    levels, delivered_ul = [], 0.0
    for k in range(600):
        asked = 0.0 if k == 0 or 100 <= k < 120 else 1.0
        runs = asked and not 400 <= k < 460
        delivered_ul += float(runs)
        counter = np.floor(delivered_ul / 0.125) * 0.125 * volumes if seed % 3 != 1 else np.nan
        flow = (
            (12.0 if runs else 0.0) * (1 + 0.05 * rng.standard_normal()) * volumes
            if seed % 3 != 2
            else np.nan
        )
        current = ((20.0 if runs else 1.0) + rng.standard_normal()) * currents
        levels.append(
            drive.stall_row(
                x, k * 3e8, counter, flow, current, 3.0, np.nan, asked * volumes, 12.0 * asked * volumes
            )
        )
    return levels


@settings(max_examples=25, deadline=None)
@given(seed=some.integers(0, 5), volumes=exponents, currents=exponents)
def test_stall_levels_are_the_same(seed: int, volumes: int, currents: int):
    """Volumes and flows times 2^a, currents times 2^b: the stall is the same at every row, and there is one."""
    levels = stall_levels(1.0, 1.0, seed)
    assert stall_levels(2.0**volumes, 2.0**currents, seed) == levels
    assert 2 in levels


@settings(max_examples=15, deadline=None)
@given(seed=some.integers(0, 3), pressures=exponents, volumes=exponents, currents=exponents)
def test_leak_and_starvation_levels_are_the_same(seed: int, pressures: int, volumes: int, currents: int):
    """Pressures, volumes with flows, and currents times powers of two: both detectors say the same at every row."""
    rng = np.random.default_rng(seed)
    t_s = times_s(9, 900.0)
    made = fed(rng, t_s, 5.5 * DAY_S, 0.1)
    line = Line()
    recording = Recording(
        t_s,
        leaked(rng, t_s, 3.2 * DAY_S, line) if seed % 2 else healthy_kpa(rng, t_s, line),
        made.inlet_kpa,
        np.where(t_s > 3 * DAY_S, 3.9, 4.0),
        made.level_ml,
        made.flow_ul_h if seed < 2 else np.nan,
        made.motor_ma,
    )
    p, v, c = 2.0**pressures, 2.0**volumes, 2.0**currents
    scaled = Recording(
        t_s,
        recording.pressure_kpa * p,
        recording.inlet_kpa * p,
        recording.programmed_ul_h * v,
        recording.level_ml * v,
        recording.flow_ul_h * v,
        recording.motor_ma * c,
    )
    leaks, starves = low_levels(recording)
    assert (leaks == 2).any() == bool(seed % 2)
    assert (starves == 2).any()
    for told, again in zip((leaks, starves), low_levels(scaled), strict=True):
        assert np.array_equal(told, again)


def lost_habits(
    seed: int, volumes: float, pressures: float, currents: float, vibrations: float
) -> list[tuple[float, int, int]]:
    """Signals of air, wear and no name in forty days with gas on day 12 and wear from day 20, in other units."""
    rng = np.random.default_rng(seed)
    recording = healthy(rng, Pump(every_s=900.0, flex=bool(seed % 2)), 40.0, nuisances=False)
    add_air(rng, recording, 12 * DAY_S, 60)
    add_wear(rng, recording, 20 * DAY_S, 0.05)
    factors = {COUNTER: volumes, FLOW: volumes, PRESSURE: pressures, INLET: pressures, CURRENT: currents}
    factors |= {VIBRATION: vibrations, VIBRATION2: vibrations}
    wanted = (step.AIR, step.WEAR, step.HEALTH)
    return [said for said in signals(finished(recording), factors) if said[1] in wanted]


@settings(max_examples=12, deadline=None)
@given(
    seed=some.integers(0, 3), volumes=exponents, pressures=exponents, currents=exponents, vibrations=exponents
)
def test_lost_habits_are_the_same(seed: int, volumes: int, pressures: int, currents: int, vibrations: int):
    """Flows and volumes, pressures, currents and vibrations times powers of two: the same signals at the same rows."""
    plain = lost_habits(seed, 1.0, 1.0, 1.0, 1.0)
    scaled = lost_habits(seed, 2.0**volumes, 2.0**pressures, 2.0**currents, 2.0**vibrations)
    assert scaled == plain
    assert {code for _, code, level in plain if level == 2} >= {step.AIR, step.WEAR}
