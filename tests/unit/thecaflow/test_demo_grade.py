"""Grading alerts against the truth: what counts as found, as a false alarm, as too early."""

from __future__ import annotations

import pytest

from contract.facts import Alert, AlertState, Cause, Priority
from contract.times import HOUR_US
from ingest.simulator import Label
from thecaflow.demo.grade import grade

ONSET_US = 1_000 * HOUR_US
STALL = Label("sick", "stall", "motor_stall", ONSET_US, also=("withdrawal_risk",))
HEALTHY = Label("well", "healthy", None, 0)


def alert(
    cause: Cause,
    hours: float,
    pump: str = "sick",
    state: AlertState = AlertState.ACTIVE,
    priority: Priority = Priority.MEDIUM,
) -> Alert:
    """An alert line so many hours after the onset."""
    at_us = ONSET_US + round(hours * HOUR_US)
    return Alert(
        pump=pump,
        at_us=at_us,
        alert_id=f"{cause}-{hours}",
        cause=cause,
        state=state,
        priority=priority,
        since_us=at_us,
        text="said",
        evidence={},
    )


def test_the_first_standing_line_of_the_cause_counts():
    """A pending line does not name a fault yet; the delay runs from the onset to the line that does."""
    lines = [
        alert(Cause.MOTOR_STALL, 1, state=AlertState.PENDING),
        alert(Cause.MOTOR_STALL, 2),
        alert(Cause.MOTOR_STALL, 9, priority=Priority.HIGH),
    ]
    [found] = grade([STALL], lines).found
    assert found.alert is lines[1]
    assert found.delay_us == 2 * HOUR_US


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [alert(Cause.OCCLUSION, 1)],
        [alert(Cause.MOTOR_STALL, -1)],
        [alert(Cause.MOTOR_STALL, 1, pump="other")],
        [alert(Cause.MOTOR_STALL, 1, state=AlertState.CLEARED)],
    ],
    ids=["nothing", "another cause", "before the onset", "another pump", "cleared"],
)
def test_what_does_not_name_the_fault_is_a_miss(lines: list[Alert]):
    """Only an alert of its cause on its pump after its onset names a fault."""
    result = grade([STALL], lines)
    assert [found.label for found in result.missed] == [STALL]
    assert not result.passed


@pytest.mark.parametrize(
    ("priority", "false"),
    [(Priority.HIGH, 1), (Priority.MEDIUM, 1), (Priority.LOW, 0), (Priority.INFO, 0)],
)
def test_a_healthy_pump_may_only_have_quiet_alerts(priority: Priority, false: int):
    """High and medium are false alarms; low and info are not."""
    result = grade([HEALTHY], [alert(Cause.LEAK, 1, pump="well", priority=priority)])
    assert len(result.false_alarms) == false
    assert result.passed is (false == 0)
    assert result.healthy == 1


def test_a_cause_is_false_once_however_often_it_is_said():
    """Its lines are one alarm to a person; the first is shown."""
    lines = [alert(Cause.LEAK, 1, pump="well"), alert(Cause.LEAK, 2, pump="well", priority=Priority.HIGH)]
    [wrong] = grade([HEALTHY], lines).false_alarms
    assert wrong.alert is lines[0]


def test_what_a_nuisance_allows_is_not_false():
    """A label without a cause may say what may be raised all the same."""
    nuisance = Label("well", "mri_window", None, 0, also=("motor_stall",))
    lines = [alert(Cause.MOTOR_STALL, 1, pump="well")]
    assert grade([HEALTHY, nuisance], lines).passed
    assert not grade([HEALTHY], lines).passed


def test_alarms_of_a_faulty_pump_before_its_fault_are_shown_apart():
    """They don't fail the run, but they were no detection."""
    result = grade([STALL], [alert(Cause.OCCLUSION, -2), alert(Cause.MOTOR_STALL, 1)])
    assert [wrong.alert.cause for wrong in result.early] == [Cause.OCCLUSION]
    assert result.passed


def test_other_loud_causes_beside_the_fault_are_told():
    """What the label does not expect is shown, what it does is not."""
    lines = [alert(Cause.MOTOR_STALL, 1), alert(Cause.WITHDRAWAL_RISK, 2), alert(Cause.LEAK, 3)]
    [found] = grade([STALL], lines).found
    assert found.beside == ("leak",)
