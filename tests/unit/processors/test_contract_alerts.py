"""Sentences of the contract on the life of alerts that are easy to get wrong."""

from __future__ import annotations

from contract.facts import Alert, Cause
from contract.times import HOUR_US, format_us
from processors import alerts
from tests.pump_days import START_US
from tests.unit.processors.test_alerts import HOUR, ack, run, said, seen
from tests.unit.processors.test_fold import story


def test_everything_that_waits_for_an_id_is_applied_in_order() -> None:
    """An acknowledgement and a shelving may both be older than the alert that they name."""
    name = alerts.alert_id_of("p", Cause.MOTOR_STALL, 5)
    lines = run(
        ack(1, alert_id=name, cause=None), ack(2, alert_id=name, cause=None, until_us=9 * HOUR), seen(5, 2)
    )
    assert [state for _, state, _ in said(lines)] == ["active", "acknowledged", "shelved"]


def test_a_shelf_over_a_running_on_delay_ends_in_it() -> None:
    """The end of a shelf shows the condition as it stands: still pending."""
    lines = run(seen(0, 1), ack(1, until_us=HOUR), 2 * HOUR, seen(3 * HOUR, 2))
    assert [state for _, state, _ in said(lines)] == ["pending", "shelved", "pending", "active"]


def test_shelving_again_is_no_change_of_state() -> None:
    """One line per change of state: a longer shelf is silent, but holds."""
    lines = run(seen(0, 2), ack(1, until_us=HOUR), ack(2, until_us=5 * HOUR), 6 * HOUR)
    assert said(lines)[1:] == [(1, "shelved", "medium"), (5 * HOUR, "active", "medium")]


def test_harm_that_is_past_leaves_no_tenth() -> None:
    """No time was left when it was written: any move is one."""
    lines = run(seen(20 * HOUR, 2, harm_lo_us=8 * HOUR), seen(21 * HOUR, 2, harm_lo_us=8 * HOUR + 1))
    assert [line.at_us for line in lines] == [20 * HOUR, 21 * HOUR]


def test_a_priority_falls_when_harm_moves_away() -> None:
    """One line when `priority` changes, in either direction."""
    lines = run(seen(0, 2, harm_lo_us=5 * HOUR), ack(1), seen(2, 2, harm_lo_us=90 * HOUR))
    assert said(lines) == [(0, "active", "high"), (1, "acknowledged", "high"), (2, "acknowledged", "medium")]


def _late_fill(received_h: float) -> list[str]:
    """States of `reservoir_low` by a fill of 1 mL at 10 h, acknowledged at 11 h with an ack received at 15 h."""
    told = story().runs(0, 5.0)
    told.records.append(
        told.event(
            "reservoir_filled",
            START_US + 10 * HOUR_US,
            START_US + round(received_h * HOUR_US),
            removed_ml=None,
            filled_ml=1.0,
            concentration_ug_ml=500.0,
            drug="b",
        )
    )
    told.records.append(
        told.event("alert_ack", START_US + 11 * HOUR_US, START_US + 15 * HOUR_US, cause="reservoir_low")
    )
    return [state for _, state, _ in told.alerts(14, Cause.RESERVOIR_LOW)]


def test_an_ack_by_cause_needs_the_data_of_the_event_that_began_the_alert() -> None:
    """A fill that was received after the ack can't have been acknowledged."""
    assert _late_fill(14.9) == ["active", "acknowledged"]
    assert _late_fill(15.1) == ["active"]


def test_an_ack_is_no_data_that_an_alert_began_with() -> None:
    """A late acknowledgement of something else does not keep later ones from binding."""
    told = story().runs(0, 40.0)  # refill_due from hour 114 on
    told.records.append(
        told.event("alert_ack", START_US + 5 * HOUR_US, START_US + 300 * HOUR_US, cause="leak")
    )
    told.records.append(
        told.event("alert_ack", START_US + 120 * HOUR_US, START_US + 120 * HOUR_US, cause="refill_due")
    )
    assert [state for _, state, _ in told.alerts(130, Cause.REFILL_DUE)] == ["active", "acknowledged"]


def test_a_declared_rotor_stop_is_worth_its_harm_once_the_grace_is_over() -> None:
    """Information until 2 h after the window; then harm within 6 h makes it high, with the harm written all along."""
    window = {"from": format_us(START_US + 9 * HOUR_US), "to": format_us(START_US + 12 * HOUR_US)}
    told = story().runs(0, 5.0).tell("note", 8, kind="mri_window", text="", **window)
    told.tell("device_alarm", 10, "device", code="motor_stall", text="stall")
    assert told.alerts(30, Cause.MOTOR_STALL) == [(10.0, "active", "info"), (14.0, "active", "high")]
    lines = [f for f in told.outcome(30).facts if isinstance(f, Alert) and f.cause is Cause.MOTOR_STALL]
    assert all(line.harm_at is not None and line.harm_at.lo_us == START_US + 18 * HOUR_US for line in lines)


def test_a_window_declared_after_it_was_over_covers_nothing() -> None:
    """A rotor window runs from the later of its `from` and the note's `at`."""
    window = {"from": format_us(START_US + 5 * HOUR_US), "to": format_us(START_US + 7 * HOUR_US)}
    told = story().runs(0, 5.0).tell("note", 9, kind="mri_window", text="", **window)
    told.tell("device_alarm", 9, "device", code="motor_stall", text="stall")
    assert told.alerts(9.5, Cause.MOTOR_STALL) == [(9.0, "active", "medium")]
