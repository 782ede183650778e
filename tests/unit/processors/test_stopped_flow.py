"""A measured flow that stops where no counter says whether the motor turns: empty, blocked, or a stall after all."""

from __future__ import annotations

from contract.facts import Cause
from tests.unit.processors.test_fold import Story
from tests.unit.processors.test_overdue import scanned

RATE = 100.0  # uL/h: 20 mL last 200 h


def sensed(hours: int, stops_h: int) -> Story:
    """A pump without a counter whose hourly flow sensor follows the program until it stops."""
    flow = [RATE if hour < stops_h else 0.0 for hour in range(hours)]
    return Story().registered().filled().runs(0, RATE).rows(0, hours, flow_ul_h=flow)


def test_far_from_empty_a_flow_that_stops_is_a_stall() -> None:
    """Nothing else explains it."""
    told = sensed(120, 100)
    assert told.alerts(120, Cause.MOTOR_STALL)[-1][1:] == ("active", "high")
    assert told.alerts(120, Cause.RESERVOIR_EMPTY) == []


def test_near_the_end_of_the_reservoir_a_flow_that_stops_is_an_empty_one() -> None:
    """A pump a few percent from empty ran dry: it is said at the stop, not days later, and no stall is raised."""
    told = sensed(215, 196)
    [(at_h, state, priority)] = told.alerts(209.0, Cause.RESERVOIR_EMPTY)
    assert 196.0 < at_h < 209.0
    assert (state, priority) == ("active", "high")
    assert {state for _, state, _ in told.alerts(215, Cause.MOTOR_STALL)} <= {"pending"}


def test_a_device_that_says_empty_far_from_it_explains_nothing() -> None:
    """A quarter should be left: whatever stopped the flow, it is not that."""
    told = sensed(170, 150).tell("device_alarm", 149, "device", code="empty_reservoir", text="")
    assert told.alerts(170, Cause.MOTOR_STALL)[-1][1:] == ("active", "high")


def test_a_device_that_can_not_deliver_and_a_flow_that_stops_are_a_block_where_no_pressure_is_reported() -> (
    None
):
    """It ends when the flow is back."""
    told = sensed(120, 100).tell("device_alarm", 99, "device", code="no_delivery", text="")
    assert told.alerts(120, Cause.OCCLUSION)[-1][1:] == ("active", "high")
    assert {state for _, state, _ in told.alerts(120, Cause.MOTOR_STALL)} <= {"pending"}
    told.rows(120, 20, flow_ul_h=[RATE] * 20)
    assert told.alerts(140, Cause.OCCLUSION)[-1][1] == "latched"


def test_a_pressure_that_shows_no_block_leaves_it_a_stall() -> None:
    """What the outlet shows counts for more than the device's word."""
    pressure = [1.0 + 0.1 * (hour % 3) for hour in range(120)]
    flow = [RATE if hour < 100 else 0.0 for hour in range(120)]
    told = Story().registered().filled().runs(0, RATE).rows(0, 120, flow_ul_h=flow, pressure_kpa=pressure)
    told.tell("device_alarm", 99, "device", code="no_delivery", text="")
    assert told.alerts(120, Cause.MOTOR_STALL)[-1][1:] == ("active", "high")


def test_a_counter_that_stands_is_a_stall_wherever_the_reservoir_is() -> None:
    """An empty pump goes on turning."""
    counter = [RATE * min(hour, 195) for hour in range(205)]
    told = Story().registered(encoder_ul_per_count=1.0).filled().runs(0, RATE)
    told.rows(0, 205, delivered_ul=counter)
    assert told.alerts(215, Cause.MOTOR_STALL)[-1][1] == "active"


def test_in_a_declared_window_a_stop_is_the_scanners() -> None:
    """Whatever is left in the reservoir, and whatever hides the start of the rotor: nothing above the stall's own words."""
    told = scanned(sensed(215, 196), 189, 212, at_h=188)
    assert told.alerts(209.0, Cause.RESERVOIR_EMPTY) == []
