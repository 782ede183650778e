"""What the fold says of a pump: windows, ledgers, forecasts and rules of the contract, through `analyse`."""

from __future__ import annotations

import numpy as np
import pytest

from contract.facts import Alert, AlertState, Cause, Dose, Forecast, Priority
from contract.times import HOUR_US
from processors.analyse import Outcome, analyse
from tests.pump_days import START_US, PumpDays, sightings

DAY_H = 24


class Story(PumpDays):
    """A pump's events told in hours after midnight of the first day; everything is received a second later."""

    def __init__(self) -> None:
        super().__init__(np.random.default_rng(0))
        self.records: list[bytes] = []

    def tell(self, event_type: str, at_h: float, source: str = "clinic", **payload: object) -> Story:
        """Add one event."""
        at_us = START_US + round(at_h * HOUR_US)
        self.records.append(self.event(event_type, at_us, at_us + 1_000_000, source, **payload))
        return self

    def registered(self, at_h: float = 0.0, **changes: object) -> Story:
        """Add a registration: 20 mL, alarm at 2 mL, 200 uL of dead volume, 0.145."""
        told: dict[str, object] = {
            "model": "t", "reservoir_ml": 20, "low_reservoir_ml": 2, "dead_volume_ul": 200, "min_rate_ul_h": 0.2,
            "max_rate_ul_h": 1000, "flow_tolerance": 0.145,
        }  # fmt: skip
        return self.tell("pump_registered", at_h, **(told | changes))

    def filled(
        self, at_h: float = 0.0, concentration: float = 500.0, filled_ml: float | None = 20.0
    ) -> Story:
        """Add a fill."""
        return self.tell(
            "reservoir_filled",
            at_h,
            removed_ml=None,
            filled_ml=filled_ml,
            concentration_ug_ml=concentration,
            drug="b",
        )

    def runs(self, at_h: float, rate_ul_h: float, **more: object) -> Story:
        """Add a continuous program."""
        steps = [{"minute": 0, "rate_ul_h": rate_ul_h}]
        return self.tell("program_set", at_h, mode="continuous", steps=steps, **more)

    def rows(self, at_h: float, hours: float, **columns: list[float | None]) -> Story:
        """Add hourly rows."""
        t_s = [3600.0 * number for number in range(int(hours))]
        at_us = START_US + round(at_h * HOUR_US)
        received = at_us + round(hours * HOUR_US)
        self.records.append(self.event("telemetry", at_us, received, "device", t_s=t_s, **columns))
        return self

    def outcome(self, until_h: float, window_h: float = 24.0) -> Outcome:
        """All facts up to a time."""
        return analyse(
            sightings(self.records),
            until_us=START_US + round(until_h * HOUR_US),
            window_us=round(window_h * HOUR_US),
        )

    def doses(self, until_h: float, window_h: float = 24.0) -> list[Dose]:
        """The dose facts."""
        return [fact for fact in self.outcome(until_h, window_h).facts if isinstance(fact, Dose)]

    def alerts(self, until_h: float, cause: Cause) -> list[tuple[float, str, str]]:
        """(hours, state, priority) of one cause."""
        lines = [f for f in self.outcome(until_h).facts if isinstance(f, Alert) and f.cause is cause]
        return [((line.at_us - START_US) / HOUR_US, str(line.state), str(line.priority)) for line in lines]


def story() -> Story:
    """A registered pump, filled with 500 ug/mL."""
    return Story().registered().filled()


def test_windows_cover_the_time_from_the_first_program_to_the_horizon() -> None:
    """Aligned to UTC, zero delivery included, the last one unfinished with the horizon as its `to`."""
    doses = story().runs(30, 5.0).runs(60, 0.0).doses(100)
    spans = [((d.from_us - START_US) // HOUR_US, (d.to_us - START_US) // HOUR_US) for d in doses]
    assert spans == [(24, 48), (48, 72), (72, 96), (96, 100)]
    assert [d.programmed_ul for d in doses] == pytest.approx([90.0, 60.0, 0.0, 0.0])
    assert [d.programmed_ug for d in doses] == pytest.approx([45.0, 30.0, 0.0, 0.0])


def test_nothing_is_known_in_micrograms_before_the_first_fill() -> None:
    """Flows work without a fill; drug masses and forecasts do not exist."""
    outcome = Story().registered().runs(1, 5.0).outcome(20)
    (dose,) = [fact for fact in outcome.facts if isinstance(fact, Dose)]
    assert dose.programmed_ul == pytest.approx(95.0)
    assert (dose.programmed_ug, dose.tip_ug, dose.sensed_ul) == (None, None, None)
    assert not [fact for fact in outcome.facts if isinstance(fact, Forecast)]


def test_sensed_is_null_without_a_measuring_channel_and_zero_is_a_value() -> None:
    """0 is never "missing", and missing is never 0."""
    blind = story().runs(0, 5.0).rows(1, 4, pressure_kpa=[1.0, 1.1, 1.0, 1.2]).doses(24)
    assert blind[-1].sensed_ul is None
    still = story().runs(0, 5.0).rows(1, 4, delivered_ul=[7.0, 7.0, 7.0, 7.0]).doses(24)
    assert still[-1].sensed_ul == 0.0


def test_a_suspension_stops_program_and_running_bolus_until_resumed() -> None:
    """Resuming brings back the program then set, not the bolus."""
    told = story().runs(0, 10.0).tell("bolus", 1, kind="therapeutic", programmed_ul=60.0, duration_s=7200.0)
    told.tell("suspended", 2).runs(3, 20.0).tell("resumed", 4)
    hours = told.doses(6, window_h=1.0)
    assert [d.programmed_ul for d in hours[-6:]] == pytest.approx([10.0, 40.0, 0.0, 0.0, 20.0, 20.0])
    assert sum(d.bolus_ul for d in hours) == pytest.approx(30.0)


def test_a_bolus_begun_in_suspension_delivers_only_what_it_states() -> None:
    """Without a stated volume nothing was delivered."""
    told = story().runs(0, 10.0).tell("suspended", 1).tell("bolus", 2, kind="therapeutic", programmed_ul=60.0)
    told.tell("bolus", 3, kind="therapeutic", programmed_ul=60.0, delivered_ul=8.0)
    assert sum(d.bolus_ul for d in told.doses(6)) == pytest.approx(8.0)


def test_priming_is_kept_apart_but_leaves_the_reservoir() -> None:
    """It goes to `priming_ul` only; the device's own arithmetic counts it too."""
    plain, primed = (
        story().runs(0, 5.0),
        story().runs(0, 5.0).tell("bolus", 1, kind="priming", programmed_ul=300.0),
    )
    (dose,) = primed.doses(24)[-1:]
    assert (dose.priming_ul, dose.programmed_ul, dose.bolus_ul) == pytest.approx((300.0, 120.0, 0.0))
    ends = [
        next(f for f in reversed(s.outcome(24).facts) if isinstance(f, Forecast)).device_alarm_at_us
        for s in (plain, primed)
    ]
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[0] - ends[1] == pytest.approx(300.0 / 5.0 * HOUR_US, abs=2)


def test_a_lumbar_dose_never_touches_the_pumps_ledgers() -> None:
    """Test doses are lumbar by default."""
    doses = story().runs(0, 5.0).tell("bolus", 1, kind="test", programmed_ul=100.0, dose_ug=50.0).doses(24)
    assert doses[-1].bolus_ul == 0.0


def test_the_tip_gets_the_old_concentration_until_the_dead_volume_is_displaced() -> None:
    """Plug flow: 200 uL at 10 uL/h are 20 h of the old drug."""
    told = story().runs(0, 10.0).filled(24, concentration=2000.0)
    by_window = told.doses(72, window_h=4.0)
    tip = {(d.to_us - START_US) // HOUR_US: d.tip_ug for d in by_window}
    programmed = {(d.to_us - START_US) // HOUR_US: d.programmed_ug for d in by_window}
    assert (tip[24], programmed[28]) == pytest.approx((20.0, 80.0))
    assert (tip[44], tip[48]) == pytest.approx((20.0, 80.0))


def test_a_bridge_replaces_the_program_while_it_runs() -> None:
    """The old dose rate until the dead volume is displaced."""
    told = story().runs(0, 10.0).tell("bolus", 24, kind="bridge", programmed_ul=200.0, duration_s=80 * 3600.0)
    doses = told.doses(48)
    assert doses[-1].programmed_ul == pytest.approx(60.0)
    assert doses[-1].bolus_ul == pytest.approx(60.0)


def test_forecasts_come_at_fills_programs_stated_volumes_and_windows() -> None:
    """One at each, and the device's alarm stays at its time once past."""
    told = story().runs(6, 100.0).tell("volume_reported", 30, ledger="reservoir", value_ul=17000.0, **_at(30))
    forecasts = [f for f in told.outcome(24 * 9).facts if isinstance(f, Forecast)]
    hours = [(f.at_us - START_US) / HOUR_US for f in forecasts]
    assert hours[:5] == [0.0, 6.0, 24.0, 30.0, 48.0]
    alarm = START_US + 180 * HOUR_US
    assert forecasts[3].device_alarm_at_us == alarm
    assert forecasts[-1].device_alarm_at_us == alarm
    assert forecasts[-1].dry_before_alarm == 0.0


def _at(hour: float) -> dict[str, str]:
    from contract.times import format_us

    moment = format_us(START_US + round(hour * HOUR_US))
    return {"from": moment, "to": moment}


def test_refill_due_alerts_fourteen_days_ahead_at_its_own_time() -> None:
    """A deadline fires when it is due, not at the next midnight; a refill ends it."""
    told = story().runs(0, 40.0)  # 18 mL at 40 uL/h: due after 450 h, alert 336 h ahead
    assert told.alerts(200, Cause.REFILL_DUE) == [(pytest.approx(114.0, abs=1e-6), "active", "low")]
    told.filled(150)
    assert told.alerts(160, Cause.REFILL_DUE)[-1] == (150.0, "cleared", "low")


def test_reservoir_low_and_empty_come_at_the_median_crossing() -> None:
    """The estimated volume at the alarm level, then at 0, by the hour."""
    told = story().runs(0, 100.0)
    low, empty = told.alerts(250, Cause.RESERVOIR_LOW), told.alerts(250, Cause.RESERVOIR_EMPTY)
    assert low[0] == (pytest.approx(180.0, abs=1e-6), "active", "medium")
    assert empty[0] == (pytest.approx(200.0, abs=1e-6), "active", "high")


@pytest.mark.parametrize(("rate", "expected"), [(1500.0, 1), (0.1, 1), (30.0, 0), (30.1, 1)])
def test_program_implausible(rate: float, expected: int) -> None:
    """Outside the pump's limits, or more than three times the daily dose before it; exactly three times is inside."""
    lines = story().runs(0, 10.0).runs(48, rate).alerts(50, Cause.PROGRAM_IMPLAUSIBLE)
    assert ([(48.0, "active", "high")] if expected else []) == lines


def test_a_fill_with_another_concentration_is_judged_with_the_program_after_it() -> None:
    """The dose before is taken before the fill where one came within 24 h: 500 to 2000 ug/mL at the same rate is 4x."""
    told = story().runs(0, 10.0).filled(240, concentration=2000.0)
    assert told.alerts(241, Cause.PROGRAM_IMPLAUSIBLE) == []
    assert told.runs(242, 10.0).alerts(243, Cause.PROGRAM_IMPLAUSIBLE) == [(242.0, "active", "high")]


def test_tolerance_review_looks_at_the_trailing_year() -> None:
    """More than 100 ug above the lowest daily dose: information, not an alarm."""
    told = story().runs(0, 10.0).runs(24 * 40, 18.4)
    assert told.alerts(24 * 41, Cause.TOLERANCE_REVIEW) == [(960.0, "active", "info")]


def test_silence_is_high_a_day_later_and_ends_with_the_next_upload() -> None:
    """48 h until three uploads are known, then three times the usual interval; it runs on `received`."""
    told = story().runs(0, 5.0)
    for start in (0, 4, 8):
        told.rows(start, 4, delivered_ul=[5.0 * (start + hour) for hour in range(4)])
    lines = told.alerts(100, Cause.TELEMETRY_SILENT)
    assert lines == [(24.0, "active", "medium"), (48.0, "active", "high")]
    told.rows(60, 4, delivered_ul=[5.0 * (60 + hour) for hour in range(4)])
    assert told.alerts(70, Cause.TELEMETRY_SILENT)[-1] == (64.0, "latched", "high")


def test_who_sends_each_minute_is_silent_three_minutes_after_the_last_and_not_before() -> None:
    """Uploads within 10 minutes belong to a counted one, but whoever is heard of is not silent."""
    told = Story().registered(upload_every_s=60.0)
    for minute in range(60):
        at_us = START_US + minute * 60_000_000
        told.records.append(
            told.event(
                "telemetry", at_us, at_us + 1_000_000, "device", t_s=[0.0], delivered_ul=[minute / 60.0]
            )
        )
    last_h = (59 * 60 + 1) / 3600
    assert told.alerts(1.0, Cause.TELEMETRY_SILENT) == []
    assert told.alerts(2.0, Cause.TELEMETRY_SILENT)[0][0] == pytest.approx(last_h + 0.05)


def test_an_upload_that_comes_early_counts_where_uploads_are_stated_to_be_close() -> None:
    """One each 11 minutes, one of them nine minutes after the one before: silent three intervals after that last one."""
    told = Story().registered(upload_every_s=660.0)
    minutes = [11 * number for number in range(10)] + [108]
    for minute in minutes:
        at_us = START_US + minute * 60_000_000
        told.records.append(
            told.event("telemetry", at_us, at_us, "device", t_s=[0.0], delivered_ul=[minute / 60.0])
        )
    assert told.alerts(3.0, Cause.TELEMETRY_SILENT)[0][0] == pytest.approx((108 + 33) / 60.0)


def test_two_uploads_are_not_enough_to_know_the_habit() -> None:
    """Until three uploads are known the deadline is 48 h."""
    told = story().runs(0, 5.0).rows(0, 4, delivered_ul=[0.0, 5.0, 10.0, 15.0])
    assert told.alerts(51.9, Cause.TELEMETRY_SILENT) == []
    assert told.alerts(52.1, Cause.TELEMETRY_SILENT)[0][0] == 52.0


def test_device_stall_is_medium_and_rises_by_itself() -> None:
    """A stall starts medium; withdrawal is expected from 8 h after it, so it is high 6 h before that."""
    told = story().runs(0, 5.0).tell("device_alarm", 10, "device", code="motor_stall", text="stall")
    assert told.alerts(30, Cause.MOTOR_STALL) == [(10.0, "active", "medium"), (12.0, "active", "high")]
    told.tell("device_alarm", 11, "device", code="stall_recovered", text="ok")
    assert told.alerts(30, Cause.MOTOR_STALL)[-1] == (11.0, "latched", "medium")


def test_a_rotor_that_stops_in_a_declared_mri_window_is_information() -> None:
    """Nothing above info until 2 h after the window."""
    from contract.times import format_us

    window = {"from": format_us(START_US + 9 * HOUR_US), "to": format_us(START_US + 12 * HOUR_US)}
    told = story().runs(0, 5.0).tell("note", 8, kind="mri_window", text="", **window)
    told.tell("device_alarm", 10, "device", code="motor_stall", text="stall")
    assert told.alerts(13.9, Cause.MOTOR_STALL) == [(10.0, "active", "info")]
    assert told.alerts(30, Cause.MOTOR_STALL)[1][:2] == (14.0, "active")


def test_explant_ends_windows_deadlines_and_alerts() -> None:
    """The last window ends with the pump; nothing is said afterwards."""
    told = story().runs(0, 100.0).tell("pump_explanted", 190, reason="end of service")
    facts = told.outcome(400).facts
    assert max(fact.at_us or 0 for fact in facts) == START_US + 190 * HOUR_US
    last = [f for f in facts if isinstance(f, Alert) and f.cause is Cause.RESERVOIR_LOW][-1]
    assert last.state is AlertState.CLEARED
    assert told.doses(400)[-1].to_us == START_US + 190 * HOUR_US


def test_windows_never_change_alerts() -> None:
    """Alerts judge at midnights and clinical events, however dose is windowed."""
    told = story().runs(0, 100.0).rows(3, 10, delivered_ul=[100.0 * n for n in range(10)])
    by_day, by_hour = ([f for f in told.outcome(250, w).facts if isinstance(f, Alert)] for w in (24.0, 1.0))
    assert by_day == by_hour
    assert len(by_day) > 2


def test_dry_before_alarm_needs_evidence() -> None:
    """A pump of which only the program is known has no reason to be dry first: the prior alone is below one half."""
    told = story().runs(0, 5.0)
    chances = [f.dry_before_alarm for f in told.outcome(DAY_H * 100).facts if isinstance(f, Forecast)]
    assert max(chance or 0.0 for chance in chances) < 0.2
    assert told.alerts(DAY_H * 140, Cause.DRY_BEFORE_ALARM) == []


def test_a_battery_and_a_safe_state_have_the_priority_of_the_contract() -> None:
    """A battery at its end of service and a safe state page, a replacement indicator makes a ticket."""
    told = (
        story()
        .tell("device_alarm", 1, "device", code="eri", text="")
        .tell("device_alarm", 2, "device", code="eos", text="")
        .tell("device_alarm", 2.5, "device", code="safe_state", text="")
    )
    assert told.alerts(3, Cause.BATTERY_ERI) == [(1.0, "active", str(Priority.LOW))]
    assert told.alerts(3, Cause.BATTERY_EOS) == [(2.0, "active", str(Priority.HIGH))]
    assert told.alerts(3, Cause.SAFE_STATE) == [(2.5, "active", str(Priority.HIGH))]


def test_a_stall_that_is_over_stays_out_of_the_flow_ratio() -> None:
    """A motor that stood for a day has had its own alert; delivered / programmed is about the pump when it runs."""
    counter = [5.0 * hour for hour in range(100)]
    counter += [counter[-1]] * 24 + [counter[-1] + 5.0 * (hour + 1) for hour in range(60)]
    told = story().runs(0, 5.0).rows(0, len(counter), delivered_ul=list(counter))
    told.tell("device_alarm", 100.5, "device", code="motor_stall", text="")
    told.tell("device_alarm", 123.5, "device", code="stall_recovered", text="")
    means = {
        (fact.at_us - START_US) / HOUR_US: fact.flow_ratio.mean
        for fact in told.outcome(184).facts
        if isinstance(fact, Forecast)
    }
    assert means[96] == pytest.approx(1.0, abs=0.01)
    assert means[120] < 0.95
    assert means[168] == pytest.approx(1.0, abs=0.01)


def test_a_motor_that_stands_at_midnight_is_not_judged_as_delivering_too_little() -> None:
    """A stop that a scanner explains would else be a medium alert, because a judgement fell into its hours."""
    counter = [5.0 * hour for hour in range(100)] + [495.0] * 80
    told = story().runs(0, 5.0).rows(0, len(counter), delivered_ul=list(counter))
    assert told.alerts(176, Cause.MOTOR_STALL)
    assert told.alerts(176, Cause.UNDER_DELIVERY) == []


def test_a_recovery_that_the_device_states_ends_a_stall_though_its_rows_are_not_here_yet() -> None:
    """An upload may be a day late; until then the rows of the stop are the last ones, and must not page."""
    counter = [5.0 * hour for hour in range(100)] + [495.0] * 6
    told = story().runs(0, 5.0).rows(0, len(counter), delivered_ul=list(counter))
    told.tell("device_alarm", 105.5, "device", code="stall_recovered", text="")
    assert told.alerts(130, Cause.MOTOR_STALL)[-1][:2] == (105.5, "latched")


def test_a_motor_that_stands_on_after_a_stated_recovery_is_found_again() -> None:
    """The device's word is taken once; rows that contradict it count from there."""
    counter = [5.0 * hour for hour in range(100)] + [495.0] * 40
    told = story().runs(0, 5.0).rows(0, len(counter), delivered_ul=list(counter))
    told.tell("device_alarm", 110.5, "device", code="stall_recovered", text="")
    states = [(at, state) for at, state, _ in told.alerts(140, Cause.MOTOR_STALL)]
    assert (110.5, "latched") in states
    assert states[-1][1] == "active"
    assert 110.5 < states[-1][0] < 120.0


def test_a_rotor_last_seen_moving_before_the_window_may_have_stopped_inside_it() -> None:
    """Between its last movement and the first evidence lies the window: nothing above info until 2 h after it."""
    from contract.times import format_us

    window = {"from": format_us(START_US + 100 * HOUR_US), "to": format_us(START_US + 102 * HOUR_US)}
    counter = [5.0 * hour for hour in range(100)]
    counter += [counter[-1]] * 3 + [counter[-1] + 5.0 * (hour + 1) for hour in range(20)]
    told = story().runs(0, 5.0).tell("note", 98, kind="mri_window", text="", **window)
    told.rows(0, len(counter), delivered_ul=list(counter))
    lines = told.alerts(120, Cause.MOTOR_STALL)
    assert lines
    assert {priority for _, _, priority in lines} == {"info"}
