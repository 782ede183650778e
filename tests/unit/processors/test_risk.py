"""Withdrawal and overdose as stories: when a risk is said, with which time to harm, and what must stay silent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contract.facts import Alert, Cause
from contract.times import HOUR_US, format_us
from tests.pump_days import START_US
from tests.unit.processors.test_fold import Story, story

RISKS = (Cause.WITHDRAWAL_RISK, Cause.OVERDOSE_RISK)
DAYS = 120  # hours of therapy before anything happens


def therapy(rate_ul_h: float = 5.0, **registered: object) -> Story:
    """A pump with 500 ug/mL: 60 ug a day at 5 uL/h."""
    told = Story().registered(**registered).filled()
    return told.runs(0, rate_ul_h)


def lines(told: Story, until_h: float, cause: Cause) -> list[Alert]:
    return [f for f in told.outcome(until_h).facts if isinstance(f, Alert) and f.cause is cause]


def harm_h(line: Alert) -> tuple[float | None, float | None]:
    """Hours of `harm_at`."""
    assert line.harm_at is not None
    lo_us, hi_us = line.harm_at.lo_us, line.harm_at.hi_us
    return tuple(None if t is None else round((t - START_US) / HOUR_US, 3) for t in (lo_us, hi_us))  # type: ignore[return-value]


def silent(told: Story, until_h: float) -> bool:
    return not any(lines(told, until_h, cause) for cause in RISKS)


def test_a_suspension_that_nobody_ends_is_a_withdrawal_risk_after_four_hours() -> None:
    """Without a single telemetry row: said by its own deadline, high, harm from 8 h to 72 h after the stop."""
    told = therapy().tell("suspended", DAYS)
    assert told.alerts(DAYS + 3.9, Cause.WITHDRAWAL_RISK) == []
    assert told.alerts(DAYS + 40, Cause.WITHDRAWAL_RISK) == [
        (pytest.approx(DAYS + 4.0, abs=1e-3), "active", "high")
    ]
    (line,) = lines(told, DAYS + 40, Cause.WITHDRAWAL_RISK)
    assert harm_h(line) == (pytest.approx(DAYS + 8, abs=0.01), pytest.approx(DAYS + 72, abs=0.3))
    assert "suspended" in line.text


def test_a_high_risk_patient_is_told_of_earlier_and_harmed_earlier() -> None:
    """3.1 h after the stop, with harm from 4 h on."""
    told = therapy(high_risk=True).tell("suspended", DAYS)
    (line,) = lines(told, DAYS + 40, Cause.WITHDRAWAL_RISK)
    assert (line.at_us - START_US) / HOUR_US == pytest.approx(DAYS + 3.1, abs=1e-3)
    assert harm_h(line)[0] == pytest.approx(DAYS + 4, abs=0.01)


@pytest.mark.parametrize("hours", [0.5, 2.0, 3.0, 3.5])
@pytest.mark.parametrize("high_risk", [False, True])
def test_an_interruption_of_up_to_three_hours_is_none(hours: float, *, high_risk: bool) -> None:
    """A procedure, a scan, a refill: over before anything is said, or the level on its way back by then."""
    if high_risk and hours > 3.0:
        hours = 3.0
    told = therapy(high_risk=high_risk).tell("suspended", DAYS).tell("resumed", DAYS + hours)
    assert silent(told, DAYS + 100)


def test_a_resumed_program_ends_the_risk_by_itself() -> None:
    """No further event, no row: latched when the level is back at half of its habit, an hour after the restart."""
    told = therapy().tell("suspended", DAYS).tell("resumed", DAYS + 12)
    said = told.alerts(DAYS + 60, Cause.WITHDRAWAL_RISK)
    assert [state for _, state, _ in said] == ["active", "latched"]
    assert DAYS + 12.5 < said[1][0] < DAYS + 14
    assert told.alerts(DAYS + 60, Cause.OVERDOSE_RISK) == []


@pytest.mark.parametrize(("rate", "said"), [(4.0, 0), (2.5, 0), (1.5, 0), (0.5, 1), (0.0, 1)])
def test_a_lower_program_is_a_risk_only_where_little_is_left(rate: float, said: int) -> None:
    """A titration down, even to 30 %, is the clinic's business; a tenth of an established dose is a risk, announced or not."""
    told = therapy().runs(DAYS, rate)
    assert len(lines(told, DAYS + 40, Cause.WITHDRAWAL_RISK)) == said


def test_a_stopped_program_is_a_risk_and_a_taper_is_none() -> None:
    """From 60 ug a day to nothing at once, against halving it every third day for four weeks."""
    told = therapy().tell("program_set", DAYS, mode="stopped", steps=[])
    assert len(lines(told, DAYS + 40, Cause.WITHDRAWAL_RISK)) == 1
    told = therapy()
    for number in range(1, 9):
        told.runs(DAYS + 72 * number, 5.0 * 0.5**number)
    assert silent(told, DAYS + 72 * 10)


def test_a_pump_that_never_ran_or_just_began_has_no_habit_to_lose() -> None:
    """No program; a program of a day; a fill without a program: nobody is used to anything."""
    assert silent(Story().registered().filled(), 300)
    assert silent(Story().registered().filled().tell("suspended", 5), 300)
    assert silent(Story().registered().filled().runs(0, 5.0).tell("suspended", 40), 300)
    assert silent(Story().registered().runs(0, 5.0).tell("suspended", DAYS), 300)  # no concentration


def test_an_explanted_pump_has_no_risk() -> None:
    """Taken out before the on-delay is over, or with the risk said: nothing more comes, and what was said is cleared."""
    told = therapy().tell("suspended", DAYS).tell("pump_explanted", DAYS + 2, reason="infection")
    assert silent(told, DAYS + 100)
    told = therapy().tell("suspended", DAYS).tell("pump_explanted", DAYS + 9, reason="infection")
    assert [state for _, state, _ in told.alerts(DAYS + 100, Cause.WITHDRAWAL_RISK)] == ["active", "cleared"]


def test_boluses_tests_priming_and_titration_are_no_overdose() -> None:
    """A fifth of a day's dose at once, a lumbar test dose of 50 ug, a dead volume primed, +30 % a day."""
    told = therapy()
    told.tell("bolus", DAYS, kind="therapeutic", programmed_ul=24.0)
    told.tell("bolus", DAYS + 30, kind="therapeutic", programmed_ul=24.0, duration_s=600.0)
    told.tell("bolus", DAYS + 60, kind="test", programmed_ul=100.0, duration_s=60.0)
    told.tell("bolus", DAYS + 62, kind="priming", programmed_ul=200.0, duration_s=900.0)
    for number in range(5):
        told.runs(DAYS + 72 + 24 * number, 5.0 * 1.3 ** (number + 1))
    assert silent(told, DAYS + 240)


def test_a_refill_of_another_concentration_with_its_bridge_is_no_risk() -> None:
    """500 to 2000 ug/mL, a quarter of the rate, the bridge in time: the dose at the tip stays what it was."""
    told = therapy().filled(DAYS, 2000.0).runs(DAYS + 0.05, 1.25)
    told.tell("bolus", DAYS + 0.1, kind="bridge", programmed_ul=200.0, duration_s=40 * 3600.0)
    assert silent(told, DAYS + 200)


def test_a_bridge_that_misses_for_a_dilution_is_an_overdose() -> None:
    """2000 to 500 ug/mL at four times the rate: the old drug in the line comes at four times the dose."""
    told = Story().registered().filled(0, 2000.0).runs(0, 1.25).filled(DAYS, 500.0).runs(DAYS + 0.05, 5.0)
    (line, *_) = lines(told, DAYS + 30, Cause.OVERDOSE_RISK)
    assert (str(line.state), str(line.priority)) == ("active", "high")
    assert DAYS + 2.2 < (line.at_us - START_US) / HOUR_US < DAYS + 4
    lo_h, hi_h = harm_h(line)
    assert lo_h == pytest.approx(
        DAYS + 0.95, abs=0.02
    )  # 0.9 h, one of the shortest half-lives, after 4 times the dose began
    assert hi_h is not None
    assert hi_h > lo_h + 4


def test_a_slipped_decimal_point_is_an_overdose_within_hours_and_over_when_it_is_corrected() -> None:
    """Ten times the rate for six hours: said once the slowest compartment is over too, latched by itself later."""
    told = therapy().runs(DAYS, 50.0).runs(DAYS + 6, 5.0)
    said = told.alerts(DAYS + 100, Cause.OVERDOSE_RISK)
    assert [state for _, state, _ in said] == ["active", "latched"]
    assert DAYS + 1.5 < said[0][0] < DAYS + 2.5
    assert said[1][0] < DAYS + 24


def test_a_stall_starts_medium_and_rises_by_itself() -> None:
    """Harm 8 to 72 h after the stop: medium at once, high within 6 h of it; the withdrawal risk stands beside it from 4 h on."""
    told = therapy().tell("device_alarm", DAYS, "device", code="motor_stall", text="stall")
    assert told.alerts(DAYS + 30, Cause.MOTOR_STALL) == [
        (DAYS, "active", "medium"),
        (pytest.approx(DAYS + 2, abs=1e-3), "active", "high"),
    ]
    (first, *_) = lines(told, DAYS + 30, Cause.MOTOR_STALL)
    assert harm_h(first) == (pytest.approx(DAYS + 8, abs=0.01), pytest.approx(DAYS + 72, abs=0.3))
    (risk,) = lines(told, DAYS + 30, Cause.WITHDRAWAL_RISK)
    assert (risk.at_us - START_US) / HOUR_US == pytest.approx(DAYS + 4, abs=0.01)
    assert "motor_stall" in risk.text


def test_a_stall_of_a_high_risk_patient_is_high_at_once() -> None:
    """Harm from 4 h on is within 6 h from the first moment."""
    told = therapy(high_risk=True).tell("device_alarm", DAYS, "device", code="motor_stall", text="stall")
    assert told.alerts(DAYS + 30, Cause.MOTOR_STALL) == [(DAYS, "active", "high")]


def test_a_stall_that_recovers_in_time_leaves_no_risk() -> None:
    """Two hours of standing are no withdrawal."""
    told = therapy().tell("device_alarm", DAYS, "device", code="motor_stall", text="stall")
    told.tell("device_alarm", DAYS + 2, "device", code="stall_recovered", text="ok")
    assert silent(told, DAYS + 60)


def test_a_scan_in_its_window_is_no_risk() -> None:
    """The rotor stands for two hours in a declared window, by the device's word."""
    window = {"from": format_us(START_US + DAYS * HOUR_US), "to": format_us(START_US + (DAYS + 1) * HOUR_US)}
    told = therapy(high_risk=True).tell("note", DAYS - 1, kind="mri_window", text="", **window)
    told.tell("device_alarm", DAYS + 0.2, "device", code="motor_stall", text="stall")
    told.tell("device_alarm", DAYS + 2.2, "device", code="stall_recovered", text="ok")
    assert silent(told, DAYS + 60)


def test_a_counter_that_stands_is_a_risk_four_hours_after_its_last_movement() -> None:
    """Hourly rows; the counter stops at hour 130 while the program goes on, and no alarm of the device says so."""
    told = therapy(encoder_ul_per_count=0.5)
    counter = [5.0 * min(hour, 130) for hour in range(170)]
    told.rows(0, 170, delivered_ul=counter)
    (risk,) = lines(told, 171, Cause.WITHDRAWAL_RISK)
    assert (risk.at_us - START_US) / HOUR_US == pytest.approx(134, abs=0.1)
    assert harm_h(risk)[0] == pytest.approx(138, abs=0.1)
    (stall, *_) = lines(told, 171, Cause.MOTOR_STALL)
    assert harm_h(stall)[0] == pytest.approx(138, abs=0.1)


def test_rows_that_show_delivery_take_back_what_a_suspension_foretold() -> None:
    """The clinic writes `suspended`, the counter goes on: the drug comes, and nothing is said."""
    told = therapy(encoder_ul_per_count=0.5).tell("suspended", DAYS)
    told.rows(0, 170, delivered_ul=[5.0 * hour for hour in range(170)])
    assert silent(told, 171)


def test_an_empty_reservoir_is_a_withdrawal_ahead() -> None:
    """`reservoir_empty` says when harm comes, and four hours after the median dry date the risk itself is said."""
    told = Story().registered().filled(0, 500.0, 1.0).runs(0, 5.0)  # dry at 200 h
    (empty, *_) = lines(told, 260, Cause.RESERVOIR_EMPTY)
    lo_h, _ = harm_h(empty)
    assert lo_h is not None
    assert 120 < lo_h < 208  # 8 h after the early dry date: a millilitre was filled with the syringe of 20
    (risk, *_) = lines(told, 260, Cause.WITHDRAWAL_RISK)
    assert (risk.at_us - START_US) / HOUR_US == pytest.approx(204, abs=0.1)
    assert "reservoir_empty" in risk.text


def test_a_night_of_little_dose_is_no_risk() -> None:
    """A flex program with eight hours at a twentieth of the day's rate, for three weeks."""
    steps = [{"minute": 0, "rate_ul_h": 0.3}, {"minute": 480, "rate_ul_h": 6.0}]
    told = Story().registered().filled().tell("program_set", 0, mode="flex", steps=steps, utc_offset_min=60)
    assert silent(told, 24 * 21)


def test_a_new_flex_program_is_learned_within_days() -> None:
    """From an even rate to one with a deep night: said for at most three nights, then a habit."""
    steps = [{"minute": 0, "rate_ul_h": 0.0}, {"minute": 600, "rate_ul_h": 8.0}]
    told = therapy().tell("program_set", DAYS, mode="flex", steps=steps, utc_offset_min=0)
    late = [
        at_h for at_h, state, _ in told.alerts(DAYS + 24 * 14, Cause.WITHDRAWAL_RISK) if state == "active"
    ]
    assert all(at_h < DAYS + 24 * 6 for at_h in late)


def test_where_nothing_is_known_the_sources_range_stands() -> None:
    """A stall ten hours after the first program: 8 to 72 h, whatever the level is by then."""
    told = story().runs(0, 5.0).tell("device_alarm", 10, "device", code="motor_stall", text="stall")
    (first, *_) = lines(told, 30, Cause.MOTOR_STALL)
    assert harm_h(first) == (18.0, 82.0)


def test_a_pulse_that_a_scan_swallowed_is_not_missed_twice() -> None:
    """Pulses of four hours' dose; one falls into a scan that events tell of between two rows: the dose goes on after it."""
    pulse = {"volume_ul": 20.0, "every_s": 14_400, "duration_s": 600}
    steps = [{"minute": 0, "rate_ul_h": 5.0}]
    told = Story().registered(encoder_ul_per_count=0.1).filled()
    told.tell("program_set", 0, mode="continuous", steps=steps, utc_offset_min=0, periodic_bolus=pulse)
    window = {
        "from": format_us(START_US + round(123.4 * HOUR_US)),
        "to": format_us(START_US + round(124.4 * HOUR_US)),
    }
    told.tell("note", 123, kind="mri_window", text="", **window)
    told.tell("device_alarm", 123.8, "device", code="motor_stall", text="stall")
    told.tell("device_alarm", 124.7, "device", code="stall_recovered", text="ok")
    counter = [5.0 * hour + 20.0 * (hour // 4 + (hour % 4 > 0)) for hour in range(150)]
    for hour in range(124, 150):
        counter[hour] -= 3.0 if hour == 124 else 26.0
    told.rows(0, 150, delivered_ul=counter)
    assert silent(told, 151)


def narrowed(time_constant_h: float) -> Story:
    """Rows every ten minutes of a line that is narrowed on day 20, over which the pressure rises by 2.5 kPa/h at first."""
    rng = np.random.default_rng(1)
    hours = np.arange(0, 21.5 * 24, 1 / 6)
    since_h = np.clip(hours - 20 * 24.0, 0, None)
    rise = 2.5 * time_constant_h * (1.0 - np.exp(-since_h / time_constant_h))
    pressure = 1.5 + 0.3 * np.sin(hours / 24 * 2 * np.pi) + 0.1 * rng.normal(size=hours.size) + rise
    columns = {"delivered_ul": (5.0 * hours).tolist(), "pressure_kpa": np.round(pressure, 3).tolist()}
    told, until_us = therapy(), START_US + round(21.5 * 24 * HOUR_US)
    rows: dict[str, Any] = {"t_s": (3600.0 * hours).tolist(), **columns}
    told.records.append(told.event("telemetry", START_US, until_us, "device", **rows))
    return told


def test_beside_a_block_a_risk_is_said_when_nothing_is_left_to_wait_for() -> None:
    """An hour before the earliest harm that the block itself tells; where its course bends before that, never."""
    shut, open_again = narrowed(1000.0), narrowed(1.5)
    block = lines(shut, 21.5 * 24, Cause.OCCLUSION)
    (risk, *_) = lines(shut, 21.5 * 24, Cause.WITHDRAWAL_RISK)
    told = [line for line in block if line.at_us <= risk.at_us][-1]
    assert told.harm_at is not None
    assert told.harm_at.lo_us is not None
    assert told.harm_at.lo_us - HOUR_US <= risk.at_us <= told.harm_at.lo_us
    assert "occlusion" in risk.text
    assert [str(line.priority) for line in lines(open_again, 21.5 * 24, Cause.OCCLUSION)][-1] == "medium"
    assert lines(open_again, 21.5 * 24, Cause.WITHDRAWAL_RISK) == []
