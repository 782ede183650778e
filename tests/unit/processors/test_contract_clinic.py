"""Sentences of the contract on programs, fills and registration that are easy to get wrong."""

from __future__ import annotations

import pytest

from contract.facts import Alert, Cause, Dose, Forecast
from contract.times import DAY_US, HOUR_US
from tests.pump_days import START_US
from tests.unit.processors.test_fold import DAY_H, Story, story


def forecasts(told: Story, until_h: float, window_h: float = 24.0) -> list[Forecast]:
    """The forecast facts."""
    return [fact for fact in told.outcome(until_h, window_h).facts if isinstance(fact, Forecast)]


@pytest.mark.parametrize("rate", [0.7, 0.3, 1.1, 2.3, 5.7, 1 / 3])
def test_exactly_three_times_the_dose_before_is_plausible(rate: float) -> None:
    """More than 3x, not 3x as a computer rounds it."""
    assert story().runs(0, rate).runs(1, 3 * rate).alerts(2, Cause.PROGRAM_IMPLAUSIBLE) == []
    assert story().runs(0, rate).runs(1, round(3 * rate, 3)).alerts(2, Cause.PROGRAM_IMPLAUSIBLE) == []


def test_a_saline_filling_is_no_dose_to_compare_with() -> None:
    """3x nothing says nothing, and must not break the fold."""
    told = Story().registered().filled(0, 0.0).runs(1, 5.0).filled(2, 500.0).runs(3, 5.0)
    assert told.alerts(4, Cause.PROGRAM_IMPLAUSIBLE) == []


def test_a_fill_written_down_twice_hides_no_fourfold_dose() -> None:
    """The dose before is taken before the fill, also where a second one came within the 24 h."""
    told = story().runs(0, 10.0).filled(240, 2000.0).filled(241, 2000.0).runs(242, 10.0)
    assert told.alerts(243, Cause.PROGRAM_IMPLAUSIBLE) == [(242.0, "active", "high")]


def test_tolerance_review_counts_the_program_in_force_as_the_year_began() -> None:
    """The lowest of the trailing 365 days is not only of programs set in them."""
    told = story().runs(0, 8.0).runs(DAY_H * 200, 12.0).runs(DAY_H * 400, 17.0)  # 96, 144, 204 ug a day
    assert told.alerts(DAY_H * 401, Cause.TOLERANCE_REVIEW) == [(DAY_H * 400.0, "active", "info")]


def test_tolerance_review_forgets_what_was_over_before_the_year() -> None:
    """A program replaced, or stopped, more than 365 days ago is out."""
    told = story().runs(0, 8.0).runs(DAY_H * 10, 12.0).runs(DAY_H * 400, 17.0)
    assert told.alerts(DAY_H * 401, Cause.TOLERANCE_REVIEW) == []
    told = story().runs(0, 8.0).tell("program_set", DAY_H * 10, mode="stopped", steps=[])
    told.runs(DAY_H * 390, 12.0).runs(DAY_H * 400, 17.0)
    assert told.alerts(DAY_H * 401, Cause.TOLERANCE_REVIEW) == []


def test_tolerance_review_counts_a_dose_lowered_by_a_fill() -> None:
    """The programmed daily dose is volume times concentration: a weaker drug lowers it without a program."""
    told = story().runs(0, 20.0).filled(24, 250.0).runs(240, 37.0)  # 240, 120, 222 ug a day
    assert told.alerts(241, Cause.TOLERANCE_REVIEW) == [(240.0, "active", "info")]


@pytest.mark.parametrize("low", [0.7, 1.3, 2.1, 3.3])
def test_exactly_a_hundred_micrograms_more_is_no_review(low: float) -> None:
    """More than 100 ug, not 100 ug as a computer rounds it."""
    told = Story().registered().filled(0, 1000 / 24).runs(0, low).runs(1, low + 100.0)
    assert told.alerts(2, Cause.TOLERANCE_REVIEW) == []


def test_minimum_rate_runs_at_the_limit_once_it_is_known() -> None:
    """A program may come before the registration that says what its rate is."""
    told = Story().tell("program_set", 1, mode="minimum_rate", steps=[]).registered(11, min_rate_ul_h=2.0)
    assert [d.programmed_ul for d in told.doses(21)] == pytest.approx([20.0])


def test_registration_leaves_a_program_with_steps_alone() -> None:
    """Only a minimum rate without steps follows the registered limit."""
    steps = [{"minute": 0, "rate_ul_h": 7.0}]
    told = Story().tell("program_set", 1, mode="minimum_rate", steps=steps).registered(11, min_rate_ul_h=2.0)
    assert [d.programmed_ul for d in told.doses(21)] == pytest.approx([140.0])


def test_the_nominal_volume_of_a_fill_before_registration_is_taken_when_it_is_known() -> None:
    """`filled_ml` null is the nominal volume, less what was delivered until it was known."""
    late = Story().filled(0, filled_ml=None).runs(0, 10.0).registered(10.0)
    early = Story().registered().filled(0, filled_ml=None).runs(0, 10.0)
    one, other = forecasts(late, 24)[-1], forecasts(early, 24)[-1]
    assert one.device_alarm_at_us == other.device_alarm_at_us == START_US + 1800 * HOUR_US
    for mine, its in zip(
        (one.empty_at.p05_us, one.empty_at.p50_us, one.empty_at.p95_us),
        (other.empty_at.p05_us, other.empty_at.p50_us, other.empty_at.p95_us),
        strict=True,
    ):
        assert mine == pytest.approx(its, abs=HOUR_US)


def test_the_dead_volume_holds_the_first_concentration_however_late_it_is_known() -> None:
    """A registration between two fills fills it with the first drug."""
    told = Story().filled(0, 500.0).registered(1).filled(2, 2000.0).runs(2, 10.0)
    by_window = {round((d.to_us - START_US) / HOUR_US): d.tip_ug for d in told.doses(26, window_h=4.0)}
    assert (by_window[8], by_window[26]) == (pytest.approx(20.0), pytest.approx(40.0))


def test_priming_is_never_sensed_as_dose() -> None:
    """`priming` goes to `priming_ul` only, also where the encoder counted it."""
    told = story().runs(0, 5.0)
    counter = [5.0 * hour + (300.0 if hour >= 2 else 0.0) for hour in range(6)]
    told.rows(0, 6, delivered_ul=counter).tell("bolus", 1.5, kind="priming", programmed_ul=300.0)
    (dose,) = told.doses(6)[-1:]
    assert (dose.sensed_ul, dose.priming_ul) == pytest.approx((25.0, 300.0))


def test_slow_priming_is_never_sensed_as_dose() -> None:
    """Nor where it runs over several rows and a clinical event cuts an interval."""
    told = story().runs(0, 5.0)
    counter = [5.0 * hour + min(max(hour - 1.5, 0.0) * 120.0, 300.0) for hour in range(8)]
    told.rows(0, 8, delivered_ul=counter)
    told.tell("bolus", 1.5, kind="priming", programmed_ul=300.0, duration_s=9000.0)
    told.tell("assessment", 2.25, scale="penn", score=1)
    (dose,) = told.doses(8)[-1:]
    assert (dose.sensed_ul, dose.priming_ul) == pytest.approx((35.0, 300.0))


def test_priming_before_the_counter_was_first_read_takes_nothing_off_it() -> None:
    """A counter's first reading only starts it."""
    told = story().runs(0, 5.0).tell("bolus", 0.5, kind="priming", programmed_ul=300.0)
    told.rows(1, 6, delivered_ul=[5.0 * hour for hour in range(6)])
    (dose,) = told.doses(8)[-1:]
    assert dose.sensed_ul == pytest.approx(25.0)


def test_refill_by_volume_stays_at_its_time_once_past() -> None:
    """It is when the estimated volume met the alarm level, not now."""
    told = story().runs(6, 100.0)  # the first forecast is of the fill alone
    met = START_US + 186 * HOUR_US
    assert [f.refill_due_us for f in forecasts(told, 24 * 12)[-3:]] == [pytest.approx(met, abs=2)] * 3
    assert {f.refill_due_reason for f in forecasts(told, 24 * 12)[1:]} == {"volume"}


def test_a_refill_starts_the_time_of_the_next_anew() -> None:
    """What was due is done."""
    told = story().runs(0, 100.0).filled(200)
    due = forecasts(told, 201)[-1].refill_due_us
    assert due == pytest.approx(START_US + 380 * HOUR_US, abs=2)


def test_stability_beyond_ten_years_is_null() -> None:
    """Null times beyond ten years, whatever their reason."""
    told = Story().registered(stability_days=4000.0).filled().runs(0, 0.2)
    last = forecasts(told, 24)[-1]
    assert (last.refill_due_us, last.refill_due_reason) == (None, None)


def test_windows_change_no_alert_where_the_estimate_moves() -> None:
    """Nor the time of harm of a reservoir that ran empty between two midnights."""
    told = story().runs(0, 100.0)
    counter = [115.0 * hour for hour in range(24 * 9)]
    for day in range(9):
        told.rows(24 * day, 24, delivered_ul=list(counter[24 * day : 24 * day + 24]))
    by_day, by_hour = (
        [f for f in told.outcome(24 * 9, w).facts if isinstance(f, Alert)] for w in (24.0, 1.0)
    )
    assert {f.cause for f in by_day} >= {Cause.RESERVOIR_EMPTY}
    assert by_day == by_hour


def test_rows_and_events_after_the_explant_say_nothing() -> None:
    """The pump is out: no window, no alert, no dose."""
    told = story().runs(0, 10.0).tell("pump_explanted", 30, reason="r").runs(31, 9000.0)
    told.rows(32, 4, delivered_ul=[1.0, 2.0, 3.0, 4.0], stalled=[1, 1, 1, 1])
    told.tell("device_alarm", 40, "device", code="eos", text="")
    facts = told.outcome(90).facts
    assert max(fact.at_us or 0 for fact in facts) == START_US + 30 * HOUR_US
    assert sum(f.programmed_ul for f in facts if isinstance(f, Dose)) == pytest.approx(300.0)
    assert DAY_US == DAY_H * HOUR_US
