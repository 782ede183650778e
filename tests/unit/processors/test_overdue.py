"""`stall_overdue`: a rotor that stopped in a declared MRI window and does not start again."""

from __future__ import annotations

import pytest

from contract.facts import Cause
from contract.times import HOUR_US, format_us
from tests.pump_days import START_US
from tests.unit.processors.test_fold import Story, story

EXPECTED = [(14.0, "active", "medium"), (36.0, "active", "high")]


def scanned(told: Story, from_h: float = 9.0, to_h: float = 12.0, at_h: float = 8.0) -> Story:
    """Declare an MRI window."""
    window = {name: format_us(START_US + round(h * HOUR_US)) for name, h in (("from", from_h), ("to", to_h))}
    return told.tell("note", at_h, kind="mri_window", text="", **window)


def stalled(at_h: float = 10.0) -> Story:
    """A device that says in the window that its motor stands."""
    return scanned(story().runs(0, 5.0)).tell("device_alarm", at_h, "device", code="motor_stall", text="")


def test_two_hours_after_the_window_it_is_medium_a_day_after_it_high() -> None:
    """Each at its own time, without any further event."""
    assert stalled().alerts(13.999, Cause.STALL_OVERDUE) == []
    assert stalled().alerts(40, Cause.STALL_OVERDUE) == EXPECTED


@pytest.mark.parametrize(("back_h", "expected"), [(13.9, []), (14.0, []), (14.1, EXPECTED[:1])])
def test_a_rotor_that_is_back_within_two_hours_is_no_alert(back_h: float, expected: list[object]) -> None:
    """What happens at the deadline itself comes before it."""
    told = stalled().tell("device_alarm", back_h, "device", code="stall_recovered", text="")
    lines = told.alerts(40, Cause.STALL_OVERDUE)
    assert lines[:1] == expected
    assert lines[1:] == ([] if not expected else [(back_h, "latched", "medium")])


def test_a_stall_outside_any_window_is_not_overdue() -> None:
    """Without a window, before it, and after it: a motor stall, with its own priority."""
    plain = story().runs(0, 5.0).tell("device_alarm", 10, "device", code="motor_stall", text="")
    for told in (plain, stalled(8.5), stalled(12.5)):
        assert told.alerts(60, Cause.STALL_OVERDUE) == []
        assert told.alerts(60, Cause.MOTOR_STALL)[0][2] == "medium"


def test_a_window_is_at_most_a_day() -> None:
    """Declared for three days it covers one: overdue 26 h after its start."""
    told = scanned(story().runs(0, 5.0), to_h=81.0).tell(
        "device_alarm", 10, "device", code="motor_stall", text=""
    )
    assert told.alerts(60, Cause.STALL_OVERDUE) == [(35.0, "active", "medium"), (57.0, "active", "high")]


def test_a_window_declared_later_begins_when_it_is_declared() -> None:
    """The rotor had stopped before anybody knew of a scan."""
    told = scanned(story().runs(0, 5.0), at_h=10.5).tell(
        "device_alarm", 10, "device", code="motor_stall", text=""
    )
    assert told.alerts(60, Cause.STALL_OVERDUE) == []


def test_a_counter_that_stands_on_is_overdue_without_the_devices_word() -> None:
    """Seen in the rows: it moved until 10:00, in the window, and not again."""
    counter = [5.0 * min(hour, 10) for hour in range(40)]
    told = scanned(story().runs(0, 5.0)).rows(0, 40, delivered_ul=list(counter))
    lines = told.alerts(40, Cause.STALL_OVERDUE)
    assert lines == EXPECTED


def test_a_counter_that_moves_again_is_not() -> None:
    """Out of the magnet at 13:00, back at once."""
    counter = [5.0 * min(hour, 10) + 5.0 * max(hour - 12, 0) for hour in range(40)]
    told = scanned(story().runs(0, 5.0)).rows(0, 40, delivered_ul=list(counter))
    assert told.alerts(40, Cause.STALL_OVERDUE) == []
