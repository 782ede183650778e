"""Programmed dose: the corner cases by name, each with its arithmetic in sight."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import dose, pulses

HOUR_US, DAY_US, WEEK_US = 3.6e9, 8.64e10, 6.048e11
MINUTE_US = 6e7
NONE = np.empty((0, 5))
MONDAY_US = 4 * DAY_US  # 1970-01-05
DAILY_100 = 100 / 24  # 0.1 mL a day


def program(
    *,
    at_us: float = 0.0,
    offset_min: float = 0.0,
    pulse_ul: float = 0.0,
    every_us: float = 0.0,
    lasts_us: float = 0.0,
) -> np.ndarray:
    told = np.zeros(pulses.PROGRAM_SIZE)
    told[pulses.MODE] = dose.FLEX
    told[pulses.AT_US], told[pulses.UTC_OFFSET_US] = at_us, offset_min * MINUTE_US
    told[pulses.PULSE_UL], told[pulses.PULSE_EVERY_US] = pulse_ul, every_us
    told[pulses.PULSE_DURATION_US] = lasts_us
    return told


def steady(rate: float) -> np.ndarray:
    return np.array([[0.0, rate]])


def split(
    told: np.ndarray,
    schedule: np.ndarray,
    boluses: np.ndarray,
    t0_us: float,
    t1_us: float,
    suspended: float = 0.0,
) -> np.ndarray:
    out = np.full(3, np.nan)
    dose.programmed_ul(told, schedule, boluses, suspended, float(t0_us), float(t1_us), out)
    return out


def test_a_steady_day_is_exact_over_200_days() -> None:
    """0.1 mL a day for 200 days is 20 mL to 1e-12, from any start."""
    start = 1.8e15
    assert split(program(), steady(DAILY_100), NONE, start, start + 200 * DAY_US)[0] == pytest.approx(
        20_000.0, rel=1e-12
    )


@pytest.mark.parametrize("rate", [1e-3, 0.25, 4.0, 1e8])
@pytest.mark.parametrize("t0_us", [-2e15, -1.0, 0.0, 1.8e15])
def test_rates_of_eleven_decades_before_and_after_1970(rate: float, t0_us: float) -> None:
    """Volume is rate times time for an implant, for a bench pump, and for times before the epoch."""
    told = program(at_us=-3e15)
    assert split(told, steady(rate), NONE, t0_us, t0_us + 90 * MINUTE_US)[0] == pytest.approx(
        1.5 * rate, rel=1e-15
    )


@pytest.mark.parametrize(("t0", "t1"), [(5.0, 5.0), (6.0, 5.0), (np.nan, 5.0)])
def test_no_time_no_volume(t0: float, t1: float) -> None:
    """An empty, reversed or unknown interval delivers exactly nothing, a pulse at its instant included."""
    told = program(at_us=5.0, pulse_ul=1.0, every_us=HOUR_US)
    assert split(told, steady(4.0), NONE, t0, t1).tolist() == [0.0, 0.0, 0.0]


def test_nothing_before_the_program() -> None:
    """The part of an interval before the program's time has neither steps nor pulses."""
    told = program(at_us=DAY_US, pulse_ul=1.0, every_us=HOUR_US)
    assert split(told, steady(4.0), NONE, 0, DAY_US - 1).tolist() == [0.0, 0.0, 0.0]
    assert split(told, steady(4.0), NONE, 0, DAY_US + HOUR_US / 2)[0] == pytest.approx(2.0 + 1.0)


def test_weekly_steps_cross_midnight_and_the_week() -> None:
    """Monday 06:00 at 6, Saturday at 2: each holds over midnights until the next, the last over Sunday night."""
    week = np.array([[0.0, 2.0], [6 * HOUR_US, 6.0], [5 * DAY_US, 2.0]])
    told = program(at_us=-1e15)
    assert split(told, week, NONE, MONDAY_US - HOUR_US, MONDAY_US + 8 * HOUR_US)[0] == pytest.approx(
        7 * 2 + 2 * 6
    )
    a_week = (5 * 24 - 6) * 6 + (2 * 24 + 6) * 2
    year = split(told, week, NONE, MONDAY_US, MONDAY_US + 52 * WEEK_US)
    assert year[0] == pytest.approx(52 * a_week, rel=1e-14)
    assert dose.daily_ul(told, week) == pytest.approx((a_week / 7, 144.0))


@pytest.mark.parametrize(("offset_min", "utc_hours"), [(330, 18.5), (-570, 9.5), (1440, 0), (-1440, 0)])
def test_pulses_begin_at_the_local_day(offset_min: float, utc_hours: float) -> None:
    """The day's only pulse comes at local midnight: in its own microsecond, not in the one before."""
    told = program(at_us=-1e14, offset_min=offset_min, pulse_ul=3.0, every_us=DAY_US)
    midnight = 100 * DAY_US + utc_hours * HOUR_US
    assert split(told, steady(0.0), NONE, midnight - 2, midnight - 1)[0] == 0.0
    assert split(told, steady(0.0), NONE, midnight - 1, midnight).tolist() == [3.0, 3.0, 0.0]
    assert split(told, steady(0.0), NONE, midnight, midnight + DAY_US - 1)[0] == 0.0


def test_pulses_restart_each_local_day() -> None:
    """Every 7 h from midnight: 0, 7, 14 and 21 h, then midnight again three hours later."""
    told = program(pulse_ul=1.0, every_us=7 * HOUR_US)
    counts = [split(told, steady(0.0), NONE, h * HOUR_US, (h + 1) * HOUR_US)[0] for h in range(20, 31)]
    assert counts == [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]


def test_a_pulse_at_the_program_itself_counts_in_its_first_interval() -> None:
    """The jump at AT_US belongs to the interval that begins there, and to no later one."""
    told = program(at_us=DAY_US, pulse_ul=2.0, every_us=HOUR_US)
    assert split(told, steady(0.0), NONE, DAY_US, DAY_US + 1)[0] == 2.0
    assert split(told, steady(0.0), NONE, DAY_US + 1, DAY_US + 2)[0] == 0.0


def test_a_pulse_runs_over_midnight_and_over_the_next() -> None:
    """Pulses of 8 h every 6 h overlap by 2 h, the last of a day runs 2 h into the next: all add up."""
    told = program(at_us=-DAY_US, pulse_ul=8.0, every_us=6 * HOUR_US, lasts_us=8 * HOUR_US)
    hourly = [split(told, steady(0.0), NONE, h * HOUR_US, (h + 1) * HOUR_US)[0] for h in range(7)]
    assert hourly == pytest.approx([2, 2, 1, 1, 1, 1, 2])
    assert dose.rate_ul_h(told, steady(0.0), NONE, 0.0, HOUR_US) == pytest.approx(2.0)
    assert dose.rate_ul_h(told, steady(0.0), NONE, 0.0, 2 * HOUR_US) == pytest.approx(1.0)


def test_a_pulse_of_days_in_closed_form() -> None:
    """Pulses that last longer than days run side by side at a steady sum."""
    told = program(pulse_ul=24.0, every_us=DAY_US, lasts_us=10 * DAY_US)
    got = split(told, steady(0.0), NONE, 20 * DAY_US, 21 * DAY_US)[0]
    assert got == pytest.approx(24.0)


def test_a_year_of_pulses_at_once() -> None:
    """A gap of a year counts each of its pulses, without a remainder."""
    told = program(pulse_ul=0.25, every_us=6 * HOUR_US, lasts_us=60e6)
    assert split(told, steady(0.0), NONE, HOUR_US, HOUR_US + 365 * DAY_US)[0] == 365.0


def test_a_bolus_in_parts_and_never_again() -> None:
    """A bolus is even over its duration, is part of programmed, and gives exactly 0 once it is over."""
    row = np.array([[0.0, 4 * HOUR_US, 8.0, dose.PUMP_BOLUS, 0.0]])
    assert split(program(), steady(1.0), row, HOUR_US, 2 * HOUR_US) == pytest.approx([3.0, 2.0, 0.0])
    assert split(program(), steady(1.0), row, 4 * HOUR_US, 5 * HOUR_US).tolist() == [1.0, 0.0, 0.0]


def test_priming_is_apart() -> None:
    """Priming is neither programmed nor bolus, but the motor moves it."""
    row = np.array([[0.0, HOUR_US, 200.0, dose.PRIMING, 0.0]])
    assert split(program(), steady(4.0), row, 0, HOUR_US) == pytest.approx([4.0, 0.0, 200.0])
    assert dose.rate_ul_h(program(), steady(4.0), row, 0.0, 0.0) == 4.0
    assert dose.pump_rate_ul_h(program(), steady(4.0), row, 0.0, 0.0) == 204.0


def test_a_row_without_duration_counts_nothing() -> None:
    """A bolus at once was entered by the fold; its row adds nothing and bridges nothing."""
    row = np.array([[HOUR_US, HOUR_US, 5.0, dose.BRIDGE, 0.0]])
    assert split(program(), steady(4.0), row, 0, 2 * HOUR_US).tolist() == [8.0, 0.0, 0.0]


def test_a_bridge_replaces_steps_and_pulses() -> None:
    """A pulse begun before the bridge stops under it and goes on after; a bolus beside it adds."""
    told = program(pulse_ul=6.0, every_us=DAY_US, lasts_us=6 * HOUR_US)
    rows = np.array(
        [
            [2 * HOUR_US, 4 * HOUR_US, 10.0, dose.BRIDGE, 0.0],
            [3 * HOUR_US, 5 * HOUR_US, 2.0, dose.PUMP_BOLUS, 0.0],
        ]
    )
    hourly = [split(told, steady(4.0), rows, h * HOUR_US, (h + 1) * HOUR_US)[0] for h in range(7)]
    assert hourly == pytest.approx([5, 5, 5, 6, 6, 5, 4])
    assert split(told, steady(4.0), rows, 0, 7 * HOUR_US)[0] == pytest.approx(sum(hourly))
    assert dose.rate_ul_h(told, steady(4.0), rows, 0.0, 2 * HOUR_US) == pytest.approx(5.0)


def test_jumps_at_the_ends_of_a_bridge() -> None:
    """A bridge from 1 h to 2 h replaces the pulse at 1 h, not the one at 2 h, cut there or not."""
    told = program(pulse_ul=1.0, every_us=HOUR_US)
    row = np.array([[HOUR_US, 2 * HOUR_US, 0.0, dose.BRIDGE, 0.0]])
    assert split(told, steady(0.0), row, HOUR_US / 2, HOUR_US)[0] == 0.0
    assert split(told, steady(0.0), row, HOUR_US / 2, 2 * HOUR_US - 1)[0] == 0.0
    assert split(told, steady(0.0), row, HOUR_US / 2, 2 * HOUR_US)[0] == 1.0
    assert split(told, steady(0.0), row, 2 * HOUR_US, 2.5 * HOUR_US)[0] == 0.0


def test_bridges_that_touch_or_overlap_leave_no_gap() -> None:
    """Two bridges in touch and one inside another replace the program once."""
    rows = np.array(
        [
            [0.0, 2 * HOUR_US, 2.0, dose.BRIDGE, 0.0],
            [2 * HOUR_US, 4 * HOUR_US, 2.0, dose.BRIDGE, 0.0],
            [HOUR_US, 3 * HOUR_US, 2.0, dose.BRIDGE, 0.0],
        ]
    )
    assert split(program(), steady(100.0), rows, 0, 5 * HOUR_US) == pytest.approx([106.0, 6.0, 0.0])


def test_suspended_delivers_only_what_a_bolus_states() -> None:
    """Steps and pulses stop; the rows that the fold kept go on."""
    told = program(pulse_ul=1.0, every_us=HOUR_US)
    row = np.array([[0.0, 2 * HOUR_US, 3.0, dose.PUMP_BOLUS, 1.0]])
    assert split(told, steady(4.0), row, 0, 2 * HOUR_US, 1.0).tolist() == [3.0, 3.0, 0.0]
    assert split(told, steady(4.0), NONE, 0, 2 * HOUR_US, 1.0).tolist() == [0.0, 0.0, 0.0]
    assert dose.rate_ul_h(told, steady(4.0), NONE, 1.0, 0.0) == 0.0


def test_jump_is_what_a_change_at_that_instant_takes_back() -> None:
    """The pulse at an instant is known alone, so that what takes effect there can have it undone."""
    told = program(pulse_ul=2.0, every_us=HOUR_US)
    bridge = np.array([[HOUR_US, 2 * HOUR_US, 0.0, dose.BRIDGE, 0.0]])
    assert dose.jump_ul(told, NONE, 0.0, HOUR_US) == 2.0
    assert dose.jump_ul(told, NONE, 0.0, HOUR_US + 1) == 0.0
    assert dose.jump_ul(told, NONE, 1.0, HOUR_US) == 0.0
    assert dose.jump_ul(told, bridge, 0.0, HOUR_US) == 0.0
    assert dose.jump_ul(told, bridge, 0.0, 2 * HOUR_US) == 2.0
    assert dose.jump_ul(told, NONE, 0.0, 0.0) == 0.0


def test_time_of_volume_of_the_founding_pump() -> None:
    """20 mL at 0.1 mL a day last 200 days to the microsecond, and 18 mL 180."""
    for volume_ul, days in ((20_000.0, 200), (18_000.0, 180)):
        got = dose.time_of_volume_us(program(), steady(DAILY_100), NONE, 0.0, 1.7e15, volume_ul, 9e15)
        assert got == 1.7e15 + days * DAY_US


def test_time_of_volume_says_when_it_is_never() -> None:
    """NaN where the limit comes first, where nothing flows, and for an unknown volume."""
    for told, rate, suspended, volume_ul in (
        (program(), 4.0, 0.0, 97.0),
        (program(), 0.0, 0.0, 1.0),
        (program(), 4.0, 1.0, 1.0),
        (program(pulse_ul=1.0, every_us=HOUR_US), 0.0, 0.0, 26.1),
        (program(), 4.0, 0.0, np.nan),
    ):
        assert np.isnan(dose.time_of_volume_us(told, steady(rate), NONE, suspended, 0.0, volume_ul, DAY_US))


def test_time_of_volume_lands_on_a_jump() -> None:
    """A volume that a pulse completes is reached at that pulse, to the microsecond."""
    told = program(pulse_ul=10.0, every_us=6 * HOUR_US)
    assert dose.time_of_volume_us(told, steady(1.0), NONE, 0.0, 1.0, 13.0, 9e15) == 6 * HOUR_US
    assert dose.time_of_volume_us(told, steady(1.0), NONE, 0.0, 1.0, 0.0, 9e15) == 1.0


def test_time_of_volume_counts_running_boluses_and_priming() -> None:
    """Priming empties the reservoir too, so the time of a volume knows it."""
    rows = np.array([[0.0, HOUR_US, 60.0, dose.PRIMING, 0.0]])
    assert dose.time_of_volume_us(program(), steady(4.0), rows, 0.0, 0.0, 32.0, 9e15) == HOUR_US / 2
    assert dose.time_of_volume_us(program(), steady(4.0), rows, 0.0, 0.0, 68.0, 9e15) == 2 * HOUR_US


def test_daily_volume_has_its_pulses() -> None:
    """Four pulses a day come on top of the steps, of every day alike."""
    told = program(pulse_ul=2.0, every_us=6 * HOUR_US, lasts_us=60e6)
    assert dose.daily_ul(told, steady(4.0)) == (104.0, 104.0)
    assert dose.daily_ul(program(pulse_ul=2.0, every_us=7 * HOUR_US), steady(0.0)) == (8.0, 8.0)


def test_modes_and_kinds_can_be_told_apart() -> None:
    """A code that two modes share would let a stopped pump be taken for one that runs."""
    modes = {dose.NO_PROGRAM, dose.CONTINUOUS, dose.FLEX, dose.MINIMUM_RATE, dose.STOPPED}
    assert len(modes) == 5
    assert len({dose.PUMP_BOLUS, dose.BRIDGE, dose.PRIMING}) == 3


def test_steps_alone_have_neither_bolus_nor_priming() -> None:
    """Two hours at 4 uL/h are 8 uL of steps and nothing else, and nothing at all while suspended."""
    assert dose.volumes_ul(program(), steady(4.0), NONE, 0.0, 0.0, 2 * HOUR_US) == (8.0, 0.0, 0.0)
    assert dose.volumes_ul(program(), steady(4.0), NONE, 1.0, 0.0, 2 * HOUR_US) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("lasts_us", [0.0, 1.0])
def test_a_jump_is_a_pulse_of_no_duration_whatever_its_volume(lasts_us: float) -> None:
    """1 uL at once at 01:00 is a jump of 1 uL; the same over a single microsecond is none."""
    told = program(pulse_ul=1.0, every_us=HOUR_US, lasts_us=lasts_us)
    assert dose.jump_ul(told, NONE, 0.0, HOUR_US) == (0.0 if lasts_us else 1.0)


def test_the_flow_right_after_an_instant_has_what_begins_there_and_not_what_ends() -> None:
    """A bolus or priming from 1 h to 2 h flows at 1 h and no more at 2 h; only the motor knows of priming."""
    for kind, shown in ((dose.PUMP_BOLUS, 10.0), (dose.PRIMING, 0.0)):
        row = np.array([[HOUR_US, 2 * HOUR_US, 10.0, kind, 0.0]])
        for at_us, part in ((HOUR_US - 1, 0.0), (HOUR_US, 1.0), (2 * HOUR_US - 1, 1.0), (2 * HOUR_US, 0.0)):
            rates = [
                rate(program(), steady(4.0), row, 0.0, at_us)
                for rate in (dose.rate_ul_h, dose.pump_rate_ul_h)
            ]
            assert rates == pytest.approx([4.0 + part * shown, 4.0 + part * 10.0])


def test_a_pump_that_is_told_nothing_never_gives_a_volume() -> None:
    """At a rate of 0 there is no time, not an infinite one, however far one looks."""
    assert np.isnan(dose.time_of_volume_us(program(), steady(0.0), NONE, 0.0, 0.0, 1.0, np.inf))
