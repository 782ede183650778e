"""Reservoir filter: the founding case, what a level sensor may and may not teach, fills, counters, forecasts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernels import reservoir, shift, stroke
from kernels import state as st
from tests.naive_reservoir import NAN, TruePump, Twin


def test_no_two_columns_of_the_state_share_a_place() -> None:
    """Two kernels that write one column would corrupt each other in silence."""
    places = [v for k, v in vars(st).items() if k.startswith(("RES_", "DRV_", "OCC_")) and isinstance(v, int)]
    assert len(places) == len(set(places))
    assert max(places) < st.SIZE


@pytest.mark.parametrize("day", [0.0, 10.0])
def test_founding_case_at_the_start_is_bare_arithmetic(day: float) -> None:
    """20 mL at 0.1 mL a day: empty on day 200.000, device alarm on day 180, whether an encoder agrees or nothing does."""
    pump = TruePump()
    pump.run(day, 0.1, every_h=1.0, sensor=False)
    assert day + pump.empty_in_days(0.1) == pytest.approx(200.0, abs=1e-6)
    assert day + reservoir.device_needed_ul(pump.x) / 100.0 == pytest.approx(180.0, abs=1e-6)


def test_founding_case_after_the_change_on_day_28() -> None:
    """At 0.12 mL a day from day 28 the device alarm is day 154.67 and the median of empty day 171.33."""
    pump = TruePump(fill_error_ml=0.0)
    pump.run(28.0, 0.1, every_h=6.0)
    assert 28.0 + reservoir.device_needed_ul(pump.x) / 120.0 == pytest.approx(154.67, abs=0.05)
    assert 28.0 + pump.empty_in_days(0.12) == pytest.approx(171.33, abs=1.5)


@pytest.mark.parametrize(("noise_ml", "every_h"), [(0.05, 0.25), (0.1, 4.0), (0.1, 24.0), (0.2, 24.0)])
def test_an_over_delivering_pump_is_seen_well_before_its_alarm(noise_ml: float, every_h: float) -> None:
    """At +14.5 % the ratio is right by day 100 and the silent dry-out is said 14 days before day 150.2, every time."""
    for seed in range(10):
        pump = TruePump(ratio=1.145, noise_ml=noise_ml, offset_ml=0.4, seed=seed)
        pump.run(28.0, 0.1, every_h=every_h)
        pump.run(72.0, 0.12, every_h=every_h)
        assert pump.estimate[0] == pytest.approx(1.145, abs=0.02)
        pump.run(36.0, 0.12, every_h=every_h)
        assert pump.dry_before_alarm > 0.5


@pytest.mark.parametrize(("noise_ml", "every_h"), [(0.05, 0.25), (0.1, 4.0), (0.1, 24.0), (0.2, 24.0)])
def test_a_healthy_pump_never_looks_silently_dry(noise_ml: float, every_h: float) -> None:
    """The false page this prevents: chance in the first weeks of a level sensor read as over-delivery."""
    for seed in range(5):
        pump = TruePump(noise_ml=noise_ml, offset_ml=-0.3, seed=seed)
        for _ in range(140):
            pump.run(1.0, 0.12, every_h=every_h)
            assert pump.dry_before_alarm < 0.2


def test_the_interval_of_the_ratio_is_calibrated() -> None:
    """Over 200 seeds the 95 % interval covers the truth in about 95 % of them (one sided: never clearly fewer)."""
    for ratio in (1.0, 1.145):
        covered = 0
        for seed in range(200):
            pump = TruePump(ratio=ratio, noise_ml=0.1, seed=seed, offset_ml=0.2)
            pump.run(100.0, 0.12)
            _, low, high = pump.estimate
            covered += low <= ratio <= high
            assert high - low < 0.05
        assert 0.92 <= covered / 200 <= 1.0


def test_correlated_noise_does_not_make_it_overconfident() -> None:
    """Readings an hour apart that share their error for two days count as few, not as many."""
    covered = 0
    for seed in range(100):
        pump = TruePump(noise_ml=0.1, seed=seed, correlation=math.exp(-4.0 / 48.0))
        pump.run(100.0, 0.12, every_h=4.0)
        _, low, high = pump.estimate
        covered += low <= 1.0 <= high
    assert covered >= 88  # 95 expected, three binomial sds below


def test_the_empty_time_is_calibrated() -> None:
    """With the ratio drawn from the tolerance, 90 % of pumps run dry between p05 and p95, and half before p50."""
    rng = np.random.default_rng(6)
    pump = TruePump()
    p05, p50, p95 = (pump.empty_in_days(0.1, q) for q in (0.05, 0.5, 0.95))
    k = rng.normal(1.0, 0.145 / 1.96, 20_000)
    dry_days = rng.normal(20.0, 0.2, 20_000) / k / 0.1
    assert np.mean(dry_days < p05) == pytest.approx(0.05, abs=0.006)
    assert np.mean(dry_days < p50) == pytest.approx(0.5, abs=0.012)
    assert np.mean(dry_days < p95) == pytest.approx(0.95, abs=0.006)


@pytest.mark.parametrize("ratio", [0.6, 1.3, 1.5])
def test_an_abrupt_change_is_followed_within_days(ratio: float) -> None:
    """Over-infusion can grow abruptly (ECRI): half of the change shows within ten days, the interval then has it."""
    pump = TruePump(seed=3)
    pump.run(60.0, 0.1, every_h=1.0)
    pump.ratio = ratio
    pump.run(10.0, 0.1, every_h=1.0)
    assert abs(pump.estimate[0] - ratio) < abs(1.0 - ratio) / 2.0
    pump.run(20.0, 0.1, every_h=1.0)
    assert pump.estimate[0] == pytest.approx(ratio, abs=0.05)


def _by_the_clock(pump: TruePump, days: float, ml_day: float, every_h: float = 1.0) -> None:
    """Run with time stamps, as the fold does: until a sensor's drift was seen it is reckoned with by time."""
    for _ in range(round(days * 24.0 / every_h)):
        now_us = pump.x[st.T_US]
        pump.x[st.T_US] = (0.0 if math.isnan(now_us) else now_us) + every_h * 3600e6
        pump.run(every_h / 24.0, ml_day, every_h=every_h)


@pytest.mark.parametrize("seed", range(8))
def test_growth_of_the_stroke_on_a_drifting_sensor_is_told_in_days(seed: int) -> None:
    """A stroke that grows to 1.24 when a third is used (early_empty) is known in five days, a week before the pump is dry."""
    pump = TruePump(seed=seed, noise_ml=0.05, correlation=math.exp(-1.0 / 360.0))
    _by_the_clock(pump, 12.0, 0.55)
    assert pump.dry_before_alarm < 0.2
    pump.ratio = 1.24
    _by_the_clock(pump, 5.0, 0.55)
    assert pump.dry_before_alarm > 0.5
    assert pump.left_ml > 9.0
    _by_the_clock(pump, 4.0, 0.55)
    assert pump.estimate[0] == pytest.approx(1.24, abs=0.06)


@pytest.mark.parametrize("days", [1.0, 4.0, 15.0, 40.0])
def test_a_sensor_that_drifts_over_days_is_no_stroke(days: float) -> None:
    """Errors of 0.05 mL that last for days: the interval covers the truth, and no refill or week makes k jump to an alert."""
    covered = judged = 0
    for seed in range(12):
        pump = TruePump(ratio=1.05, seed=seed, noise_ml=0.05, correlation=math.exp(-1.0 / (24.0 * days)))
        for _ in range(3):
            for _ in range(25):
                _by_the_clock(pump, 1.0, 0.55)
                mean, low, high = pump.estimate
                assert mean < 20.0 / 18.0  # from there it is dry before its own alarm
                covered += low <= 1.05 <= high
                judged += 1
            removed_ml = pump.left_ml + pump.rng.normal(0.0, 0.1)
            reservoir.filled(pump.x, removed_ml, 20.0, 20.0)
            pump.left_ml = 20.0 + pump.rng.normal(0.0, 0.1)
    assert covered / judged > 0.93


def test_a_slow_pump_does_not_take_drift_by_the_clock_for_a_stroke() -> None:
    """200 days a reservoir: 0.05 mL of drift is a day's delivery; before drift was seen it is reckoned with by time."""
    for seed in range(12):
        pump = TruePump(seed=seed, noise_ml=0.05, correlation=math.exp(-4.0 / 360.0))
        for _ in range(60):
            _by_the_clock(pump, 1.0, 0.09, every_h=4.0)
            assert 0.9 < pump.estimate[0] < 1.08


def test_the_signature_of_a_step_is_what_the_filter_gets_wrong() -> None:
    """Two filters, one of which sees a step of k: their estimates differ by step x (signature - what truly changed)."""
    calm, stepped = TruePump().x, TruePump().x
    for x in (calm, stepped):
        shift.begin_shift(x)
    step, gone_ul = 0.01, 0.0
    for number in range(50):
        for x in (calm, stepped):
            stroke.count(x, 40.0)
            x[st.RES_SHIFT_V] -= 40.0 * x[st.RES_SHIFT_K]
        gone_ul += 40.0 * step
        residual = (
            math.sin(number) * 20.0 - calm[st.RES_V_UL] - calm[st.RES_O_UL] + 20_000.0 - 40.0 * (number + 1)
        )
        stroke.update(calm, 0.0, 1.0, residual, 1e4, math.inf)
        seen_ul = math.sin(number) * 20.0 + 20_000.0 - 40.0 * (number + 1) - gone_ul
        stroke.update(stepped, 0.0, 1.0, seen_ul - stepped[st.RES_V_UL] - stepped[st.RES_O_UL], 1e4, math.inf)
    wrong_v = -gone_ul - (stepped[st.RES_V_UL] - calm[st.RES_V_UL])
    wrong_k = step - (stepped[st.RES_K] - calm[st.RES_K])
    assert wrong_v == pytest.approx(step * calm[st.RES_SHIFT_V], rel=1e-9)
    assert wrong_k == pytest.approx(step * calm[st.RES_SHIFT_K], rel=1e-9)
    won = stepped[st.RES_SHIFT_SCORE] - calm[st.RES_SHIFT_SCORE]
    assert won == pytest.approx(step * calm[st.RES_SHIFT_INFO], rel=1e-9)


def test_a_stuck_sensor_is_not_believed_for_ever() -> None:
    """A level that stands still to the last digit says nothing of the stroke; the ratio stays where it was."""
    pump = TruePump(seed=1, quantum_ml=0.01)
    pump.run(60.0, 0.1, every_h=4.0)
    before = pump.estimate[0]
    stuck_ml = pump.read_ml()
    for _ in range(60):
        pump.run(1.0, 0.1, every_h=4.0, sensor=False)
        reservoir.level(pump.x, stuck_ml)
    assert pump.estimate[0] == pytest.approx(before, abs=0.02)
    assert pump.left_estimate_ml == pytest.approx(pump.left_ml, abs=0.6)


def test_a_sensor_that_never_moved_is_not_used() -> None:
    """A dead sensor's constant would otherwise read as a pump that delivers nothing."""
    pump = TruePump()
    for _ in range(100):
        pump.run(1.0, 0.1, sensor=False)
        reservoir.level(pump.x, 20.0)
    assert pump.estimate == pytest.approx((1.0, 0.855, 1.145))


def test_a_jump_of_the_sensor_is_an_offset_not_a_stroke() -> None:
    """A sensor that shifts by 2 mL between two readings does not move the ratio by a tolerance."""
    pump = TruePump(seed=2)
    pump.run(80.0, 0.1, every_h=4.0)
    pump.offset_ml = 2.0
    for _ in range(30):
        pump.run(1.0, 0.1, every_h=4.0)
        assert pump.estimate[0] == pytest.approx(1.0, abs=0.1)
    assert pump.estimate[0] == pytest.approx(1.0, abs=0.03)


def test_a_coarse_sensor_is_still_unbiased() -> None:
    """Steps of 0.1 mL with little noise of their own: errors that are one sawtooth a step do not become a slope."""
    pump = TruePump(ratio=1.1, noise_ml=0.01, quantum_ml=0.1, seed=4)
    pump.run(100.0, 0.12, every_h=4.0)
    mean, low, high = pump.estimate
    assert low <= 1.1 <= high
    assert mean == pytest.approx(1.1, abs=0.02)


def test_what_was_drawn_out_teaches_the_stroke() -> None:
    """Without any sensor a refill after 18 mL by encoder that yields 0.2 mL instead of 2 mL means k = 1.1."""
    pump = TruePump()
    pump.run(180.0, 0.1, sensor=False)
    assert abs(reservoir.filled(pump.x, 0.2, 20.0, 20.0)) < 2.0
    mean, low, high = pump.estimate
    assert mean == pytest.approx(1.1, abs=0.006)
    assert high - low < 0.08


def test_one_wrong_refill_entry_does_not_move_the_stroke() -> None:
    """18 mL drawn where 2 mL should be is refused and readable as an innovation; a second such fill is believed."""
    pump = TruePump()
    pump.run(180.0, 0.1, sensor=False)
    assert reservoir.filled(pump.x, 18.0, 20.0, 20.0) > 4.0
    assert pump.estimate == pytest.approx((1.0, 0.855, 1.145))
    assert pump.left_estimate_ml == 20.0


def test_nothing_drawn_from_a_pump_that_should_be_dry_teaches_nothing() -> None:
    """An empty syringe from a pump known to have run dry must not pull the ratio back."""
    pump = TruePump(ratio=1.145, seed=5)
    pump.run(170.0, 0.12)
    before = pump.estimate
    assert pump.left_estimate_ml < 0.0
    reservoir.filled(pump.x, 0.0, 20.0, 20.0)
    assert pump.estimate[0] == pytest.approx(before[0], abs=1e-3)


def test_a_stated_volume_anchors_both_estimates() -> None:
    """`volume_reported` starts the reservoir and the device's arithmetic anew, and leaves k alone."""
    pump = TruePump()
    pump.run(30.0, 0.1, sensor=False)
    before = pump.estimate
    reservoir.stated(pump.x, 12_000.0)
    assert pump.left_estimate_ml == 12.0
    assert reservoir.device_needed_ul(pump.x) == 10_000.0
    assert pump.estimate == before


def test_a_counter_that_is_read_late_replaces_what_was_assumed() -> None:
    """Between readings the program counts; the counter's difference then gives the rest, and never a negative volume."""
    x = TruePump().x
    assert reservoir.advance(x, 0.0, NAN, True) == 0.0
    assert reservoir.advance(x, 10.0, NAN, False) == 10.0
    assert reservoir.advance(x, 10.0, 12.0, True) == pytest.approx(2.0)
    assert reservoir.advance(x, 10.0, NAN, False) == pytest.approx(10.0 * 32.0 / 40.0, rel=1e-2)
    assert reservoir.advance(x, 0.0, 0.0, True) == 0.0
    owed = x[st.RES_DEBT_UL]
    assert owed == pytest.approx(10.0 * 32.0 / 40.0, rel=1e-2)
    assert x[st.RES_V_UL] == pytest.approx(20_000.0 - 12.0)
    assert reservoir.advance(x, 10.0, 10.0, True) == pytest.approx(10.0 - owed)


def test_an_encoder_that_differs_from_the_program_is_followed() -> None:
    """A pump that moves 5 % less than programmed by its own counts: the ratio is 0.95, with the stroke's doubt on top."""
    x = TruePump().x
    for _ in range(60):
        reservoir.advance(x, 100.0, 95.0, True)
    out3 = np.zeros(3)
    reservoir.ratio(x, out3)
    assert out3[0] == pytest.approx(0.95, abs=1e-3)
    assert out3[2] - out3[0] == pytest.approx(0.145 * 0.95, rel=1e-2)


def test_measured_flow_beside_a_counter_teaches_the_stroke_up_to_its_calibration() -> None:
    """However many readings say +10 %, the flow sensor's calibration (3 %) remains; a stall teaches nothing."""
    x = TruePump().x
    for _ in range(2000):
        reservoir.advance(x, 1.0, 1.0, True)
        reservoir.measured_flow(x, 1.1, 1.0)
        reservoir.measured_flow(x, 0.0, 0.0)
        reservoir.measured_flow(x, NAN, 1.0)
    out3 = np.zeros(3)
    reservoir.ratio(x, out3)
    prior, flow = (0.145 / 1.96) ** 2, 0.03**2
    assert out3[0] == pytest.approx(1.0 + 0.1 * prior / (prior + flow), abs=0.01)
    assert (out3[2] - out3[0]) / 1.96 == pytest.approx(math.sqrt(prior * flow / (prior + flow)), rel=0.1)


def test_noise_below_zero_between_the_strokes_of_a_pump_is_a_reading_too() -> None:
    """Else only the empty rows with noise above zero would count, and a pump that pulses would seem to give a quarter more."""
    x = TruePump().x
    for _ in range(2000):
        for flow_ul in (1.99, -0.01, 2.01, 0.01):
            reservoir.advance(x, 1.0, 1.0, True)
            reservoir.measured_flow(x, flow_ul, 1.0)
    assert x[st.RES_FLOW_UL] / x[st.RES_FLOW_COUNTED_UL] == pytest.approx(1.0, abs=1e-3)


def test_flow_without_a_counter_counts_itself() -> None:
    """Where flow is all there is, it says what was delivered: an occlusion does not empty the estimate."""
    x = TruePump().x
    assert reservoir.advance(x, 10.0, 0.0, False) == 0.0
    assert reservoir.advance(x, 10.0, 9.0, False) == 9.0
    assert x[st.RES_V_UL] == 20_000.0 - 9.0


def test_an_unknown_reservoir_says_nan_and_the_ratio_still_works() -> None:
    """Before registration and first fill nothing is forecast, nothing is raised, and counts are still compared."""
    x = np.full(st.SIZE, np.nan)
    reservoir.reset(x)
    reservoir.filled(x, NAN, NAN, NAN)
    for _ in range(50):
        reservoir.advance(x, 10.0, 9.0, True)
        reservoir.level(x, 5.0)
    assert math.isnan(reservoir.needed_ul(x, 0.0, 0.5))
    assert math.isnan(reservoir.probability_dry(x, 1.0))
    assert math.isnan(reservoir.device_needed_ul(x))
    out3 = np.zeros(3)
    reservoir.ratio(x, out3)
    assert out3[0] == pytest.approx(0.9)
    assert np.isfinite(out3).all()


@pytest.mark.parametrize("quantile", [0.001, 0.05, 0.5, 0.95, 0.999])
def test_forecasts_have_their_corner_cases(quantile: float) -> None:
    """Already empty: no volume is needed; hopelessly uncertain: no volume suffices; quantiles outside (0, 1): NaN."""
    pump = TruePump()
    reservoir.stated(pump.x, 0.0)
    assert reservoir.needed_ul(pump.x, 5_000.0, quantile) == 0.0
    wide = TruePump(tolerance=3.0)
    assert math.isinf(reservoir.needed_ul(wide.x, 0.0, quantile)) == (quantile > 0.5)
    assert math.isnan(reservoir.needed_ul(pump.x, 0.0, 1.0))


def test_the_twin_agrees_after_a_year_of_refills() -> None:
    """The three-state algebra, against full matrices, over counters, gaps and fills."""
    rng = np.random.default_rng(11)
    pump, twin = TruePump(), Twin(20.0, 0.145)
    twin.fill(NAN, 20.0)
    for _ in range(3):
        for _ in range(100):
            programmed_ul, sensed_ul = rng.uniform(50.0, 150.0), rng.uniform(40.0, 160.0)
            sensed_ul = NAN if rng.uniform() < 0.2 else sensed_ul
            counted = not math.isnan(sensed_ul)
            reservoir.advance(pump.x, programmed_ul, sensed_ul, counted)
            twin.advance(programmed_ul, sensed_ul, counted)
        removed_ml = twin.m[0] / 1000.0 + rng.normal(0.0, 0.5)
        reservoir.filled(pump.x, removed_ml, 20.0, 20.0)
        twin.fill(removed_ml, 20.0)
        assert pump.x[st.RES_K] == pytest.approx(twin.m[1], rel=1e-9)
        assert pump.x[st.RES_KK] == pytest.approx(twin.p[1, 1], rel=1e-6)
    for quantile in (0.05, 0.5, 0.95):
        want = twin.needed_ul(1000.0, quantile)
        assert reservoir.needed_ul(pump.x, 1000.0, quantile) == pytest.approx(want, rel=1e-6)
