from collections.abc import Callable

import numpy as np
import pytest
from numba import config

from kernels import drive, leak, lows, occlusion, starvation
from kernels import state as st
from tests.low_signals import Recording, first_active_s, fresh, leaked, run
from tests.naive_lows import NaiveLeak
from tests.pump_signals import BENCH, DAY_S, Floats, Line, healthy_kpa, times_s

HOUR_S = 3600.0
compiled = pytest.mark.skipif(config.DISABLE_JIT, reason="many rows: the compiled kernel only")


def hard_recording(seed: int) -> Recording:
    """Return 24 days: a leak, its repair, a swapped sensor, stops, a lower program, missing and infinite numbers, a stuck spell."""
    rng = np.random.default_rng(seed)
    t_s = times_s(24, 900.0)
    pressure = leaked(rng, t_s, (9 + seed) * DAY_S, Line())
    repaired = t_s > (11 + seed) * DAY_S
    pressure[repaired] = healthy_kpa(rng, t_s, Line())[repaired]
    pressure[t_s > 18 * DAY_S] -= 1.5 + seed
    programmed = np.full(t_s.size, 4.0)
    programmed[300:310] = 0.0
    programmed[1900:2000] = 1.0
    programmed[rng.random(t_s.size) < 0.02] = np.nan
    pressure[rng.random(t_s.size) < 0.03] = np.nan
    pressure[rng.random(t_s.size) < 0.01] = np.inf
    pressure[600:640] = pressure[599]
    pressure[700] += 50.0
    if seed == 2:
        pressure = np.round(pressure / 0.2) * 0.2
    if seed == 3:
        keep = ~((t_s > 4 * DAY_S) & (t_s < 4.4 * DAY_S))
        t_s, pressure, programmed = t_s[keep], pressure[keep], programmed[keep]
    flow = programmed * (1.0 + 0.05 * rng.standard_normal(t_s.size)) if seed else np.nan
    return Recording(t_s, pressure, programmed_ul_h=programmed, flow_ul_h=flow)


def far_recording(seed: int) -> Recording:
    """Return two days of a process line that loses its pressure for hours, in its first hours or later, and once more at a lower flow."""
    rng = np.random.default_rng(seed)
    every_s = float(rng.choice([120.0, 300.0, 900.0]))
    t_s = times_s(2, every_s)
    first_h = float(rng.uniform(8.0, 20.0) if seed % 3 else rng.uniform(26.0, 32.0))
    programmed = np.where(t_s > (first_h + rng.uniform(-4.0, 6.0)) * HOUR_S, rng.uniform(0.5, 1.0), 1.0)
    pressure = healthy_kpa(rng, t_s, BENCH) * programmed**2
    for start_h, lasts_h in ((first_h, rng.uniform(0.4, 10.0)), (first_h + 12.0, 3.0)):
        gone = (t_s >= start_h * HOUR_S) & (t_s < (start_h + lasts_h) * HOUR_S)
        pressure[gone] -= rng.uniform(0.5, 1.1) * 400.0 * programmed[gone] ** 2
    if seed % 2:
        pressure = np.round(pressure / 15.0) * 15.0
    kept = t_s < (first_h + float(rng.choice([0.4, 1.5, 13.0, 48.0]))) * HOUR_S
    return Recording(t_s[kept], pressure[kept], programmed_ul_h=6e7 * programmed[kept])


def naive_levels(recording: Recording) -> tuple[list[int], NaiveLeak]:
    """Levels by the twin, which is given the rows that are to be judged."""
    x, twin, levels, before_us = fresh(), NaiveLeak(), [], np.nan
    for column in recording.columns().T:
        t_us, pressure, inlet, programmed, level_ml, flow, current = (float(number) for number in column)
        since_us = t_us - before_us if t_us > before_us else 0.0
        before_us, expected = t_us, programmed * since_us / 3.6e9
        occlusion.occlusion_row(x, t_us, pressure, inlet, programmed, flow)
        drive.stall_row(x, t_us, np.nan, flow, current, np.nan, np.nan, expected, programmed)
        starvation.starvation_row(x, t_us, inlet, flow, level_ml, expected, since_us)
        sensed = np.nan if np.isnan(x[st.OCC_SENSED_MEAN]) else x[st.OCC_SENSED_NOW]
        shares = [float(s) for s in (sensed, x[st.DRV_FLOW_NOW]) if not np.isnan(s)]
        programs = x[st.OCC_PROGRAMMED] == 1.0
        flows = programmed * min(shares, default=1.0) if programs else flow
        stuck = x[st.OCC_SAME] > 2 * x[st.OCC_SAME_HABIT] + 8
        busy = x[st.OCC_LEVEL] + x[st.DRV_LEVEL] + x[starvation.LEVEL] > 0
        short = x[st.DRV_FLOW_NOW] < 0.8 * x[st.STV_SHARE]
        idle = programs and programmed == 0.0
        if not np.isfinite(pressure) or idle or busy or stuck or short:
            levels.append(twin.level)
        else:
            most = float(2.0 * x[st.OCC_THRESHOLD_KPA] - x[st.OCC_BASE_KPA])
            young = (np.nan, np.nan)
            if x[st.OCC_READY] == 1.0:
                ratio = min(float(x[st.OCC_FLOW_LAST_UL_H] / x[st.OCC_FLOW_TOP_UL_H]), 1.0)
                base = float(x[st.OCC_BASE_KPA])
                young = (base * ratio**2, float(x[st.OCC_TOP_KPA]) - base)
            levels.append(twin.row(t_us, pressure, flows, float(x[st.OCC_QUANTUM_KPA]), most, young))
        x[leak.LEVEL] = levels[-1]  # kernels/occlusion.py asks it
    return levels, twin


@pytest.mark.parametrize(
    ("drawn", "seed"), [(hard_recording, n) for n in range(4)] + [(far_recording, n) for n in range(24)]
)
def test_equals_the_slow_twin(drawn: Callable[[int], Recording], seed: int):
    """Kernel and twin agree on every level and on the bottom, to the bit, on a hard recording."""
    recording, x = drawn(seed), fresh()
    levels, _ = run(recording, x)
    expected, twin = naive_levels(recording)
    assert levels.tolist() == expected
    at = leak.AT
    assert x[at + st.LOW_ONSET_US] == pytest.approx(twin.onset_us, abs=1.0, nan_ok=True)
    assert x[[at + st.LOW_BASE, at + st.LOW_BOTTOM, at + st.LOW_LIMIT]].tolist() == pytest.approx(
        [twin.lows.base, twin.lows.bottom, twin.lows.limit], rel=0.0, abs=0.0, nan_ok=True
    )
    assert drawn is far_recording or set(levels) == {0.0, 1.0, 2.0}
    slots = [at + st.LOW_ROWS, at + st.LOW_SPAN_US, at + st.LOW_LAST, st.LEAK_DAY_UP_KPA, st.LEAK_UP_KPA]
    slots += [st.LEAK_FLOW_LOW_UL_H, st.LEAK_FAR_ROWS, *range(st.LEAK_MOVES_KPA, st.LEAK_STILL_LEAST_KPA + 1)]
    lows, moved = twin.lows, twin.movement
    expected = [lows.rows, lows.span_us, lows.last, twin.day_up, twin.up, twin.lowest_flow, twin.far_rows]
    assert x[slots].tolist() == pytest.approx(
        [*expected, *moved.moves, moved.last, moved.now, moved.least], rel=1e-9, nan_ok=True
    )


def test_some_far_falls_are_active_in_the_first_hours_and_some_later():
    """Without both the twin would show nothing of them."""
    active = [2.0 in run(far_recording(seed))[0] for seed in range(24)]
    assert any(active[::3])
    assert any(active[1::3])
    assert not all(active)


@pytest.mark.parametrize("cut", [1, 700, 1441])
def test_cut_anywhere_changes_no_bit(cut: int):
    """Two pieces through one state give the levels of the whole; nothing outside the block is written."""
    recording = hard_recording(1)
    x, pieces = fresh(), fresh()
    whole, _ = run(recording, x)
    columns = recording.columns()
    told = []
    for part in (columns[:, :cut], columns[:, cut:]):
        levels = np.zeros(part.shape[1])
        leak.leak_rows(pieces, part[0].copy(), part[1].copy(), part[3].copy(), part[5].copy(), levels)
        told.append(levels)
    alone, levels = fresh(), np.zeros(columns.shape[1])
    before = alone.copy()
    leak.leak_rows(alone, columns[0].copy(), columns[1].copy(), columns[3].copy(), columns[5].copy(), levels)
    assert np.array_equal(np.concatenate(told), levels)
    assert alone.tobytes() == pieces.tobytes()
    mine = np.r_[leak.AT : st.LEAK_FAR_ROWS + 1, st.LEAK_MOVES_KPA : st.LEAK_STILL_LEAST_KPA + 1]
    outside = np.setdiff1d(np.arange(st.SIZE), mine)
    assert alone[outside].tobytes() == before[outside].tobytes()
    assert whole.size == levels.size


@compiled
@pytest.mark.parametrize("every_s", [5.0, 60.0, 300.0, 900.0])
@pytest.mark.parametrize("ramp_h", [0.0, 4.0])
@pytest.mark.parametrize("factor", [1.0, 0.01, 60.0])
def test_leak_is_found_before_harm(every_s: float, ramp_h: float, factor: float):
    """A leak, sudden or over four hours, is active within 5 h of being open, never before, at every hour, sampling and scale."""
    line = Line(
        *(factor * number for number in (1.5, 0.1, 0.2)),
        600.0,
        0.4 * factor,
        (0.0, 1.2 * factor, 2.0 * factor),
    )
    delays_h = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        t_s = times_s(6.5, every_s)
        onset_s = (4.0 + rng.random()) * DAY_S
        recording = Recording(t_s, leaked(rng, t_s, onset_s, line, ramp_h * HOUR_S))
        found_s = first_active_s(recording, run(recording)[0])
        assert onset_s < found_s
        delays_h.append((found_s - onset_s) / HOUR_S - ramp_h)
    assert max(delays_h) < 5.0


@compiled
@pytest.mark.parametrize("every_s", [1.0, 60.0])
def test_process_pump_that_lost_its_line_is_found_within_the_hour(every_s: float):
    """A bench line whose pressure falls to a fifth, its turbulence as ever, is active within 20 minutes or eight rows."""
    rng = np.random.default_rng(1)
    t_s = times_s(4, every_s)
    onset_s = 3.6 * DAY_S
    pressure = healthy_kpa(rng, t_s, BENCH) - np.where(t_s >= onset_s, 320.0, 0.0)
    recording = Recording(t_s, pressure, programmed_ul_h=6e7)
    found_s = first_active_s(recording, run(recording)[0])
    assert onset_s < found_s <= onset_s + max(1200.0, 9 * every_s)


@compiled
def test_active_ends_after_repair_and_a_second_leak_is_found():
    """Level 0 within 3 h of the pressure's return, silence then, and the next leak active again."""
    rng = np.random.default_rng(5)
    t_s = times_s(20, 300.0)
    pressure = leaked(rng, t_s, 6 * DAY_S, Line())
    again = leaked(rng, t_s, 15 * DAY_S, Line())
    pressure[t_s >= 8 * DAY_S] = again[t_s >= 8 * DAY_S]
    levels, _ = run(Recording(t_s, pressure))
    day = t_s / DAY_S
    assert levels[(day > 6.6) & (day < 8)].min() == 2
    assert levels[(day > 8 + 3 / 24) & (day < 15)].max() == 0
    assert levels[(day > 15.6)].min() == 2


def silent(recording: Recording) -> bool:
    return not (run(recording)[0] == 2.0).any()


@compiled
@pytest.mark.parametrize("seed", range(8))
def test_lookalikes_are_silent(seed: int):
    """A sensor that drifts or stands still, more noise, less flow, a stop, fever and an outage never make it active."""
    rng = np.random.default_rng(seed)
    t_s = times_s(24, 600.0)
    day = t_s / DAY_S
    healthy = healthy_kpa(rng, t_s, Line())
    noisy = np.where(day > 10, 4.0, 1.0)
    assert silent(Recording(t_s, healthy - 0.05 * day))
    assert silent(Recording(t_s, healthy + 0.1 * (noisy - 1.0) * rng.standard_normal(t_s.size)))
    assert silent(Recording(t_s, healthy + np.where((day > 10) & (day < 14), 0.8, 0.0)))
    halved = np.where(day > 10, 0.4, 1.0)
    assert silent(Recording(t_s, healthy_kpa(rng, t_s, BENCH) * halved**2, programmed_ul_h=6e7 * halved))
    stopped = np.where((day > 10) & (day < 12), 0.0, 4.0)
    assert silent(Recording(t_s, np.where(stopped > 0, healthy, 0.0), programmed_ul_h=stopped))
    kept = (day < 10) | (day > 11.3)
    assert silent(Recording(t_s[kept], healthy[kept]))
    assert silent(Recording(t_s, np.where(day > 10, 0.02, healthy)))


@compiled
def test_leak_at_night_is_found_the_same_night():
    """Asleep, without a posture, breathing alone that is lost makes it active within 6 h, at a quarter of an hour a row."""
    line = Line(postures_kpa=(0.0, 0.0, 0.0), rhythm_kpa=0.1, wander_kpa=0.05)
    for seed in range(8):
        rng = np.random.default_rng(60 + seed)
        t_s = times_s(8.0, 900.0)
        onset_s = (6.0 + rng.random()) * DAY_S
        recording = Recording(t_s, leaked(rng, t_s, onset_s, line))
        assert onset_s < first_active_s(recording, run(recording)[0]) < onset_s + 6.0 * HOUR_S


@compiled
def test_coarse_or_pulsing_rows_are_no_stillness():
    """Readings in quanta that rarely change, and flow that pulses within every block, say nothing of a body that is still."""
    rng = np.random.default_rng(9)
    t_s = times_s(20, 900.0)
    fallen = np.where(t_s > 10.3 * DAY_S, -1.2, 0.0)
    coarse = np.round((healthy_kpa(rng, t_s, Line(noise_kpa=0.01, wander_kpa=0.02)) + fallen) / 0.5) * 0.5
    assert silent(Recording(t_s, coarse))
    pulses = np.where(np.arange(t_s.size) % 2 == 0, 4.0, 8.0)
    x = fresh()
    run(Recording(t_s, np.full(t_s.size, 1.5) + 0.5 * pulses, programmed_ul_h=pulses), x)
    assert np.isnan(x[st.LEAK_STILL_NOW_KPA]) or x[st.LEAK_STILL_NOW_KPA] >= 2.0


@compiled
def test_swapped_sensors_are_rarely_taken_for_leaks():
    """Of 200 zeros that fell by a half-normal 1.5 kPa, at any hour, at most 7 % become active (SURE_ZONE says 10 % of nights)."""
    wrong = 0
    for seed in range(200):
        rng = np.random.default_rng(100 + seed)
        t_s = times_s(12, 600.0)
        swap_s = rng.uniform(5, 9) * DAY_S
        fallen = np.where(t_s > swap_s, -abs(rng.normal(0.0, 1.5)), 0.0)
        wrong += not silent(Recording(t_s, healthy_kpa(rng, t_s, Line()) + fallen))
    assert wrong <= 14


@compiled
def test_healthy_years_are_silent():
    """Ten pump-years with wander of several speeds and a drifting zero: never active."""
    for seed in range(60):
        rng = np.random.default_rng(500 + seed)
        t_s = times_s(61, 900.0)
        line = Line(wander_kpa=rng.uniform(0.05, 0.4), wander_s=float(rng.choice([60.0, 600.0, 6000.0])))
        drift = np.cumsum(rng.standard_normal(t_s.size)) * 0.002 - rng.choice([0.0, 0.01, 0.03]) * t_s / DAY_S
        assert silent(Recording(t_s, healthy_kpa(rng, t_s, line) + drift))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_hold_the_level(number: float):
    """A channel that never says a number leaves level 0 and an empty habit."""
    x = fresh()
    t_s = times_s(6, 3600.0)
    assert not run(Recording(t_s, np.full(t_s.size, number)), x)[0].any()
    assert np.isnan(x[leak.AT + st.LOW_BASE])


@pytest.mark.parametrize("every_s", [1.0, 20.0, 60.0, 120.0, 300.0, 600.0])
def test_blocks_last_about_half_an_hour(every_s: float):
    """Whatever the sampling, a block comes to last 20 to 60 minutes, and three rows where rows are rarer."""
    x = fresh()
    t_us = 0.0
    for _ in range(min(int(4 * DAY_S / every_s), 60_000)):
        t_us += every_s * 1e6
        if lows.low_row(x, leak.AT, t_us, 1.0):
            lows.close_block(x, leak.AT, t_us)
    assert 1200.0 <= x[leak.AT + st.LOW_ROWS] * every_s <= 3600.0


def test_a_changed_sampling_is_followed():
    """Blocks of 2048 one-second rows don't wait for 2048 rows of 15 minutes."""
    x: Floats = fresh()
    x[leak.AT + st.LOW_ROWS], x[leak.AT + st.LOW_SPAN_US], x[leak.AT + st.LOW_OPEN_US] = 2048.0, 2.048e9, 0.0
    for k in range(1, 60):
        if lows.low_row(x, leak.AT, k * 9e8, 1.0):
            lows.close_block(x, leak.AT, k * 9e8)
    assert x[leak.AT + st.LOW_ROWS] <= 4.0
