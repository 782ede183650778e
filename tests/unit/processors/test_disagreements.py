"""`device_disagrees`: an alarm without our evidence, our evidence without an alarm, volumes that differ."""

from __future__ import annotations

import pytest

from contract.facts import Cause
from contract.times import HOUR_US, format_us
from tests.pump_days import START_US
from tests.unit.processors.test_fold import Story, story
from tests.unit.processors.test_overdue import scanned

RATE = 10.0


def disagreements(told: Story, until_h: float) -> list[tuple[float, str, str]]:
    """The alerts of a story."""
    return told.alerts(until_h, Cause.DEVICE_DISAGREES)


def alarm(told: Story, at_h: float, code: str) -> Story:
    """Add a device alarm."""
    return told.tell("device_alarm", at_h, "device", code=code, text="")


def states(told: Story, value_ul: float, from_h: float, to_h: float, at_h: float | None = None) -> Story:
    """Add a delivered volume that the device states."""
    span = {name: format_us(START_US + round(h * HOUR_US)) for name, h in (("from", from_h), ("to", to_h))}
    at = to_h if at_h is None else at_h
    return told.tell("volume_reported", at, "device", ledger="delivered", value_ul=value_ul, **span)


def counted(hours: int, ratio: float = 1.0, stops_h: float = 1e9) -> Story:
    """A pump at 10 uL/h with hourly rows of a counter that gives `ratio` of it until it stops."""
    counter = [RATE * ratio * min(hour, stops_h) for hour in range(hours)]
    return (
        Story()
        .registered(encoder_ul_per_count=1.0)
        .filled()
        .runs(0, RATE)
        .rows(0, hours, delivered_ul=counter)
    )


# Two quanta of 1 uL and two rows' volume of 10 uL are the resolution: 22 uL beside 14.5 % of 240 uL.
LIMIT_UL = 0.145 * 240.0 + 22.0


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_stated_volume_is_compared_with_what_was_counted(sign: float) -> None:
    """Beyond tolerance and resolution either way; the alert comes with the statement."""
    told = states(counted(80), 240.0 + sign * (LIMIT_UL + 0.5), 48, 72)
    assert disagreements(told, 80) == [(72.0, "active", "medium")]
    assert disagreements(states(counted(80), 240.0 + sign * (LIMIT_UL - 0.5), 48, 72), 80) == []


def test_a_statement_that_fits_ends_it() -> None:
    """The device was read again."""
    told = states(states(counted(100), 400.0, 48, 72), 240.0, 72, 96)
    assert disagreements(told, 100)[-1] == (96.0, "latched", "medium")


def test_the_counter_is_believed_before_the_program() -> None:
    """A counter that shows 12 % less than programmed agrees with a device that says the same, and not with +14 %."""
    assert disagreements(states(counted(80, 0.88), 0.88 * 240.0, 48, 72), 80) == []
    assert disagreements(states(counted(80, 0.88), 1.14 * 240.0, 48, 72), 80) != []


def test_without_telemetry_the_program_is_what_there_is() -> None:
    """A pump that is only seen at visits: exactly the tolerance is inside it."""
    plain = story().runs(0, RATE)
    assert disagreements(states(plain, 1.145 * 240.0, 48, 72), 80) == []
    assert disagreements(states(story().runs(0, RATE), 1.146 * 240.0, 48, 72), 80) == [
        (72.0, "active", "medium")
    ]


def test_rows_that_measure_no_volume_are_no_evidence_against_it() -> None:
    """A level and a pressure count nothing: the program is what there is."""
    told = story().runs(0, RATE).rows(0, 80, pressure_kpa=[1.0 + 0.1 * (hour % 3) for hour in range(80)])
    assert disagreements(states(told, 240.0, 48, 72), 80) == []


def test_a_statement_of_months_ago_or_of_unknown_times_is_read_with_care() -> None:
    """Weeks before the last change of program the course of a day is a straight line; before our record nothing is known."""
    told = story().runs(0, RATE).runs(24 * 60, 1.2 * RATE)
    assert disagreements(states(told, 24 * 30 * RATE, 24 * 7.5, 24 * 37.5, at_h=24 * 90), 24 * 91) == []
    assert disagreements(states(story().runs(0, RATE), 9999.0, -48, 24), 80) == []


def test_an_alarm_of_a_low_reservoir_that_is_full() -> None:
    """Far from its own arithmetic and from our estimate: 15 mL are left."""
    assert disagreements(alarm(story().runs(0, 100.0), 50, "low_reservoir"), 60) == [
        (50.0, "active", "medium")
    ]
    assert disagreements(alarm(story().runs(0, 100.0), 50, "empty_reservoir"), 60) == [
        (50.0, "active", "medium")
    ]


@pytest.mark.parametrize(("at_h", "expected"), [(180.0, 0), (172.0, 0), (188.0, 0), (120.0, 1)])
def test_an_alarm_near_the_devices_own_arithmetic_agrees(at_h: float, expected: int) -> None:
    """18 mL at 100 uL/h are 180 h; 0.8 mL earlier or later are its rounding, 6 mL are not."""
    assert len(disagreements(alarm(story().runs(0, 100.0), at_h, "low_reservoir"), 190)) == expected


def test_an_alarm_by_a_real_level_agrees_where_the_arithmetic_does_not() -> None:
    """The device measures: a pump that over-delivers by a third is low while its arithmetic still has 6 mL."""
    counter = [133.0 * hour for hour in range(140)]
    told = Story().registered().filled().runs(0, 100.0).rows(0, 140, delivered_ul=counter)
    assert disagreements(alarm(told, 136, "low_reservoir"), 140) == []


def test_a_tone_that_repeats_is_judged_once_and_a_refill_ends_it() -> None:
    """Non-critical tones come about hourly."""
    told = story().runs(0, 100.0)
    for at_h in (180.0, 190.0, 199.0):
        alarm(told, at_h, "low_reservoir")
    assert disagreements(told, 199.5) == []
    early = alarm(story().runs(0, 100.0), 50, "low_reservoir").filled(60)
    assert disagreements(early, 70)[-1] == (60.0, "latched", "medium")


def test_a_motor_that_stands_by_its_alarm_and_moves_by_its_counter() -> None:
    """Two hours, and four movements as programmed; the device's own word that it runs again ends it."""
    told = alarm(counted(60), 20.5, "motor_stall")
    assert disagreements(told, 60) == [(26.5, "active", "medium")]
    alarm(told, 50, "stall_recovered")
    assert disagreements(told, 60)[-1][:2] == (50.0, "latched")


def test_a_motor_that_truly_stands_agrees_with_its_alarm() -> None:
    """Neither the stall nor the restart with its late message is a disagreement."""
    told = alarm(counted(60, stops_h=20), 24, "motor_stall")
    assert disagreements(told, 60) == []


def test_a_message_of_recovery_may_be_late_after_a_scan() -> None:
    """The rotor is back at once, the device says so at the next interrogation, 20 h later."""
    told = alarm(scanned(counted(60)), 10, "motor_stall")
    assert disagreements(alarm(told, 32, "stall_recovered"), 60) == []


def test_a_stall_that_a_device_with_alarms_is_silent_about_for_a_day() -> None:
    """A device that never gave an alarm, or says it in time, or a stall that is over, is none."""
    quiet, known = counted(80, stops_h=20), alarm(counted(80, stops_h=20), 5, "other")
    assert disagreements(quiet, 80) == []
    lines = disagreements(known, 80)
    assert [line[1:] for line in lines] == [("active", "medium")]
    assert 44.0 < lines[0][0] < 50.0
    assert disagreements(alarm(alarm(counted(80, stops_h=20), 5, "other"), 40, "motor_stall"), 80) == []


@pytest.mark.parametrize("code", ["eos", "safe_state"])
def test_a_device_that_told_its_end_has_said_that_it_stands(code: str) -> None:
    """Its end of service, or its safe state, is the alarm of a motor that stands afterwards."""
    assert disagreements(alarm(counted(100, stops_h=41.0), 40, code), 100) == []


def test_an_alarm_of_no_delivery_without_anything_to_show_for_it() -> None:
    """A day later it is no longer news; with a stall that explains it, it agrees."""
    told = alarm(counted(80), 30, "no_delivery")
    assert disagreements(told, 80) == [(30.0, "active", "medium"), (54.0, "latched", "medium")]
    assert disagreements(alarm(counted(80, stops_h=20), 40, "no_delivery"), 80) == []
