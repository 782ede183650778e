from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numba import config

from kernels import drive, occlusion, starvation
from kernels import state as st
from tests.low_signals import Recording, fed, first_active_s, fresh, run
from tests.naive_lows import NaiveStarvation
from tests.pump_signals import DAY_S, times_s

HOUR_S = 3600.0
compiled = pytest.mark.skipif(config.DISABLE_JIT, reason="many rows: the compiled kernel only")
CHANNELS = ("inlet_kpa", "flow_ul_h", "level_ml", "motor_ma")


def hard_recording(seed: int) -> Recording:
    """Return 20 days: starvation and its end, a swapped inlet sensor, a refill, stops, missing and infinite numbers."""
    rng = np.random.default_rng(seed)
    t_s = times_s(20, 900.0)
    day = t_s / DAY_S
    made = fed(rng, t_s, 7 * DAY_S, 0.2)
    well = fed(rng, t_s)
    over = day > 11
    columns = {name: np.where(over, getattr(well, name), getattr(made, name)) for name in CHANNELS}
    columns["level_ml"][day > 13] += 20.0
    columns["motor_ma"][(day > 7) & (day < 8.5)] *= 0.6
    columns["inlet_kpa"][day > 16] -= 3.0
    for name in CHANNELS:
        columns[name][rng.random(t_s.size) < 0.05] = np.nan
        columns[name][rng.random(t_s.size) < 0.005] = -np.inf
    programmed = np.full(t_s.size, 4.0)
    programmed[rng.random(t_s.size) < 0.01] = 0.0
    programmed[500:520] = 0.0
    dropped = {
        0: (),
        1: ("flow_ul_h",),
        2: ("inlet_kpa",),
        3: ("level_ml", "motor_ma"),
        4: ("flow_ul_h", "level_ml"),
    }[seed]
    kept = {name: np.nan if name in dropped else column for name, column in columns.items()}
    return replace(made, programmed_ul_h=programmed, **kept)


def drawn_recording(seed: int) -> Recording:
    """Return eight days of any sensors: an inlet that falls by little or much, with or without delivery that falls short, for hours to days."""
    rng = np.random.default_rng(seed)
    t_s = times_s(8, float(rng.choice([450.0, 900.0])))
    day = t_s / DAY_S
    columns = {name: getattr(fed(rng, t_s), name).copy() for name in CHANNELS}
    columns["flow_ul_h"] *= 1.0 + float(rng.choice([0.0, 0.1])) * rng.standard_normal(t_s.size)
    columns["level_ml"] += float(rng.choice([0.0, 0.05])) * rng.standard_normal(t_s.size)
    programmed, begins = np.full(t_s.size, 4.0), float(rng.uniform(4.2, 5.0))
    out = (day > begins) & (day < begins + float(rng.choice([0.3, 1.5, 4.0])))
    short = out & (day > begins + float(rng.choice([0.0, 0.0, 0.2])))
    share = float(rng.choice([0.1, 0.5, 0.75, 0.85, 0.95, 1.0]))
    columns["inlet_kpa"][out] -= float(rng.choice([0.3, 1.0, 8.0]))
    columns["flow_ul_h"][short] *= share
    kept_ml = np.cumsum(np.where(short, 1.0 - share, 0.0) * programmed * (t_s[1] - t_s[0]) / 3.6e6)
    columns["level_ml"] += kept_ml * float(rng.choice([0.0, 1.0]))
    columns["motor_ma"][short] *= float(rng.choice([0.5, 1.0]))
    for name in CHANNELS:
        columns[name][rng.random(t_s.size) < 0.02] = np.nan
    kept = {name: np.nan if rng.random() < 0.25 else column for name, column in columns.items()}
    return Recording(t_s, programmed_ul_h=programmed, **kept)


def naive_levels(recording: Recording) -> tuple[list[int], NaiveStarvation]:
    """Levels by the twin, which is given the rows that are to be judged."""
    x, twin, levels, before_us = fresh(), NaiveStarvation(), [], np.nan
    for column in recording.columns().T:
        t_us, pressure, inlet, programmed, level_ml, flow, current = (float(number) for number in column)
        since_us = t_us - before_us if t_us > before_us else 0.0
        before_us, expected = t_us, programmed * since_us / 3.6e9
        occlusion.occlusion_row(x, t_us, pressure, inlet, programmed, flow)
        drive.stall_row(x, t_us, np.nan, flow, current, np.nan, np.nan, expected, programmed)
        if expected > 0.0 and x[st.OCC_LEVEL] == 0.0:
            motor = (float(x[st.DRV_MA_NOW]), float(x[st.DRV_MA_DEV]))
            twin.row(t_us, inlet, flow, level_ml, expected, since_us, motor, float(x[st.DRV_LEVEL]))
        levels.append(twin.level)
    return levels, twin


@pytest.mark.parametrize(
    ("drawn", "seed"), [(hard_recording, n) for n in range(5)] + [(drawn_recording, n) for n in range(40)]
)
def test_equals_the_slow_twin(drawn: Callable[[int], Recording], seed: int):
    """Kernel and twin agree on every level for several sets of channels, with nulls, infinities and stops."""
    recording, x = drawn(seed), fresh()
    _, levels = run(recording, x)
    expected, twin = naive_levels(recording)
    assert levels.tolist() == expected
    assert drawn is drawn_recording or levels.max() == 2
    at, lows = starvation.AT, twin.lows
    slots = [at + slot for slot in (st.LOW_ROWS, st.LOW_SPAN_US, st.LOW_BASE, st.LOW_BOTTOM, st.LOW_LIMIT)]
    slots += [st.STV_SHARE, st.STV_SHARE_DEV, st.STV_MA, st.STV_LEVEL_UL, st.STV_LEVEL_UL2]
    habits = [lows.rows, lows.span_us, lows.base, lows.bottom, lows.limit]
    habits += [twin.share, twin.dev, twin.usual_ma, twin.level_ul, twin.usual_noise]
    assert x[slots].tolist() == pytest.approx(habits, rel=1e-9, nan_ok=True)


def test_the_draws_meet_every_level_and_its_end():
    """Without them the twin would show nothing."""
    ends = [
        (int(levels.max()), int(levels[-1])) for levels in (run(drawn_recording(n))[1] for n in range(40))
    ]
    assert {(0, 0), (1, 0), (2, 0), (2, 2)} <= set(ends)


def test_gas_explains_what_falls_short_without_an_inlet():
    """Where no inlet is measured, a pump that air_in_line has named is not called starved as well; one that it has not is."""
    for air_level, most in ((0.0, 2.0), (1.0, 2.0), (2.0, 1.0)):
        x = fresh()
        x[st.AIR_LEVEL] = air_level
        assert run(hard_recording(2), x)[1].max() == most


def test_state_stays_in_its_block():
    """The kernel writes nothing outside STARVATION 288..319 and its inlet's mean."""
    x, columns = fresh(), hard_recording(0).columns()
    before = x.copy()
    asked = np.concatenate([[0.0], columns[3, 1:] * 0.25])
    levels = np.zeros(columns.shape[1])
    starvation.starvation_rows(
        x,
        columns[0].copy(),
        np.array([columns[2], columns[5], columns[4], asked, np.full(asked.size, 9e8)]),
        levels,
    )
    outside = np.r_[0 : st.STV_INLET_NOW_KPA, st.STV_INLET_NOW_KPA + 1 : 288, 320 : st.SIZE]
    assert x[outside].tobytes() == before[outside].tobytes()
    assert levels.max() == 2


@compiled
@pytest.mark.parametrize("every_s", [10.0, 60.0, 900.0])
@pytest.mark.parametrize("scale", [1.0, 1e7])
@pytest.mark.parametrize("share", [0.05, 0.4])
@pytest.mark.parametrize("also", ["flow_ul_h", "level_ml"])
def test_inlet_and_one_other_channel_find_it(every_s: float, scale: float, share: float, also: str):
    """With measured flow it is active within 3 h (or 7 rows), with the level once that has seen what is missing."""
    rng = np.random.default_rng(3)
    t_s = times_s(7, every_s)
    onset_s = 4.3 * DAY_S
    gone = {name: np.nan for name in CHANNELS if name not in ("inlet_kpa", also)}
    recording = replace(fed(rng, t_s, onset_s, share, scale=scale), **gone)
    found_s = first_active_s(recording, run(recording)[1])
    within_s = max(3 * HOUR_S, 7 * every_s) if also == "flow_ul_h" else 60 * HOUR_S
    assert onset_s < found_s < onset_s + within_s


@compiled
def test_idle_motor_confirms_the_inlet():
    """Inlet suction with a current that falls by a third is active; suction alone is pending at most."""
    rng = np.random.default_rng(4)
    t_s = times_s(7, 600.0)
    gone = {"flow_ul_h": np.nan, "level_ml": np.nan}
    alone = replace(fed(rng, t_s, 4.3 * DAY_S), **gone)
    assert run(alone)[1].max() == 1
    idle = replace(alone, motor_ma=np.where(t_s > 4.3 * DAY_S, 0.66, 1.0) * alone.motor_ma)
    assert run(idle)[1].max() == 2


@compiled
def test_without_an_inlet_half_must_be_missing_by_two_channels():
    """Flow and level that lose 80 % are starvation; a stroke that lost 40 % is not, nor is flow alone."""
    rng = np.random.default_rng(5)
    t_s = times_s(9, 600.0)
    for share, highest in ((0.2, 2), (0.6, 0)):
        assert run(replace(fed(rng, t_s, 4.3 * DAY_S, share), inlet_kpa=np.nan))[1].max() == highest
    assert run(replace(fed(rng, t_s, 4.3 * DAY_S), inlet_kpa=np.nan, level_ml=np.nan))[1].max() == 1


@compiled
@pytest.mark.parametrize("seed", range(6))
def test_lookalikes_are_silent(seed: int):
    """A swapped inlet sensor, a worn stroke, a refill, a stop, a bolus, noise, drift and a low inlet at a light load never make it active."""
    rng = np.random.default_rng(seed)
    t_s = times_s(24, 600.0)
    day = t_s / DAY_S
    well, worn = fed(rng, t_s), fed(rng, t_s, 10 * DAY_S, 0.6)
    noisy = well.inlet_kpa + np.where(day > 10, 1.0, 0.0) * rng.standard_normal(t_s.size)
    stopped = np.where((day > 10) & (day < 11), 0.0, 4.0)
    bolus = np.where((day > 10) & (day < 10.1), 40.0, 4.0)
    cases = {
        "swap": replace(well, inlet_kpa=well.inlet_kpa - np.where(day > 10, 4.0, 0.0)),
        "worn": replace(worn, inlet_kpa=well.inlet_kpa),
        "refill": replace(well, level_ml=well.level_ml + np.where(day > 10, 10.0, 0.0)),
        "noise": replace(well, inlet_kpa=noisy),
        "drift": replace(well, inlet_kpa=well.inlet_kpa - 0.05 * day),
        "stop": replace(well, programmed_ul_h=stopped, flow_ul_h=well.flow_ul_h * (stopped > 0)),
        "bolus": replace(well, programmed_ul_h=bolus, flow_ul_h=well.flow_ul_h * bolus / 4.0),
        "weather": replace(
            well,
            inlet_kpa=well.inlet_kpa - np.where(day > 10, 4.0, 0.0),
            motor_ma=well.motor_ma * np.where((day > 10) & (day < 11), 0.6, 1.0),
        ),
    }
    assert {name for name, recording in cases.items() if (run(recording)[1] == 2.0).any()} == set()


@compiled
def test_swapped_inlet_sensor_is_learned_and_a_later_starvation_found():
    """Two days after a new zero the pump is watched as before."""
    rng = np.random.default_rng(7)
    t_s = times_s(16, 600.0)
    onset_s = 13 * DAY_S
    made = fed(rng, t_s, onset_s, 0.3)
    recording = replace(made, inlet_kpa=made.inlet_kpa - np.where(t_s > 9 * DAY_S, 4.0, 0.0))
    found_s = first_active_s(recording, run(recording)[1])
    assert onset_s <= found_s < onset_s + 4 * HOUR_S


@compiled
def test_it_ends_when_the_inlet_is_open_again():
    """Active holds through the fault, ends within 3 h, and stays away."""
    rng = np.random.default_rng(8)
    t_s = times_s(14, 600.0)
    day = t_s / DAY_S
    made, well = fed(rng, t_s, 6 * DAY_S, 0.3), fed(rng, t_s)
    columns = {name: np.where(day > 8, getattr(well, name), getattr(made, name)) for name in CHANNELS}
    _, levels = run(replace(made, **columns))
    assert levels[(day > 6.2) & (day < 8)].min() == 2
    assert levels[(day > 8 + 3 / 24)].max() == 0


def test_nothing_is_judged_on_an_empty_reservoir():
    """Suction while the reservoir is known to be all but empty is no starvation."""
    rng = np.random.default_rng(9)
    recording = fed(rng, times_s(7, 3600.0), 4.3 * DAY_S)
    x = fresh()
    x[st.RESERVOIR_ML], x[st.RES_V_UL] = 20.0, 500.0
    assert not run(recording, x)[1].any()
    x = fresh()
    x[st.RESERVOIR_ML], x[st.RES_V_UL] = 20.0, 5000.0
    assert run(recording, x)[1].max() == 2
