"""What a blocked line does: stores what is pumped, or lets it pass again."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from contract.facts import Cause, Priority
from contract.times import HOUR_US
from kernels import state as s
from processors import alerts, blocks
from processors.pump_state import PumpState, begin

EVEN = [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0]
SETTLING = [1.0, 5.6, 9.1, 11.8, 13.8, 15.4, 16.6]  # time constant of 3.7 h
SLIPPING = [1.0, 4.0, 7.0, 10.0, 13.0, 13.2, 13.2, 13.2, 13.2]
CLOSING = [1.0, 1.2, 1.5, 2.0, 4.0, 6.0, 8.0]
NEVER_LOST, LOST = 1.0, 0.01


def blocked(path_kpa: list[float], rough: float = NEVER_LOST, **slots: float) -> PumpState:
    """A pump at 5 uL/h whose pressure left its envelope on this way, an entry an hour."""
    state = begin("p")
    state = replace(state, program=replace(state.program, schedule=np.array([[0.0, 5.0]])))
    x = state.x
    x[s.OCC_OUT_N], x[s.OCC_OUT_STRIDE], x[s.OCC_PERIOD_US] = len(path_kpa), 1.0, float(HOUR_US)
    x[s.OCC_OUT_ROWS], x[s.OCC_OUT_US], x[s.OCC_ONSET_US] = len(path_kpa), 100.0 * HOUR_US, 99.0 * HOUR_US
    x[s.OCC_OUT], x[s.OCC_OUT + 1 : s.OCC_OUT + 1 + len(path_kpa)] = path_kpa[0], path_kpa
    x[s.OCC_BASE_KPA], x[s.OCC_THRESHOLD_KPA] = 0.0, 2.0
    x[s.OCC_ROUGH_REF_KPA2], x[s.OCC_ROUGH_KPA2], x[s.OCC_QUANTUM_KPA] = 1.0, rough, 0.01
    for name, value in slots.items():
        x[getattr(s, name)] = value
    return state


def said(state: PumpState) -> tuple[Priority | None, bool]:
    """Priority, and whether a time to harm is told."""
    told = blocks.occlusion_condition(state, 2, 107 * HOUR_US)
    return told.priority, told.harm_lo_us is not None


STOPS = (Priority.HIGH, True)
PASSES = (Priority.MEDIUM, False)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (blocked(EVEN), STOPS),
        (blocked([1.0, 9.0]), STOPS),
        (blocked([1.0, 1.7, 2.2, 2.5, 2.7, 2.8, 2.9]), STOPS),
        (blocked(SETTLING), PASSES),
        (blocked(SETTLING, LOST), PASSES),
        (blocked(SLIPPING), PASSES),
        (blocked(SLIPPING, LOST), STOPS),
        (blocked(EVEN, COMPLIANCE_UL_PER_KPA=2.5), STOPS),
        (blocked(EVEN, COMPLIANCE_UL_PER_KPA=1.0), PASSES),
        (blocked(SETTLING, PRESSURE_LIMIT_KPA=16.0), STOPS),
        (blocked(SETTLING, OCC_SENSED_MEAN=1.0, OCC_SENSED_DEV=0.01, OCC_SENSED_NOW=0.2), STOPS),
        (blocked(EVEN, DEAD_VOLUME_UL=2.0), PASSES),
        (blocked(EVEN, LOST, DEAD_VOLUME_UL=2.0), STOPS),
    ],
    ids=[
        "even",
        "too young to say",
        "settles by less than what the body itself does",
        "settles under the body's movement",
        "settles from the first hour on",
        "flat under the body's movement",
        "straight, then flat, without movement: the drive slips",
        "C dP/dt is all of the flow",
        "C dP/dt is two fifths of it",
        "past the registered limit",
        "the sensed flow is lost",
        "more than ten dead volumes, under the body's movement",
        "more than ten dead volumes, without it",
    ],
)
def test_high_while_the_drug_is_stored_and_medium_once_it_passes(
    state: PumpState, expected: tuple[Priority, bool]
) -> None:
    """C dP/dt = Q - P / R: what rises evenly by volume is stored; what settles passes, unless the drive may have slipped."""
    assert said(state) == expected


def test_a_program_that_rests_bends_the_pressure_over_time_not_over_volume() -> None:
    """A full block under a flex program that asks for a third in the second half is no block that settles."""
    state = blocked([1.0, 4.0, 7.0, 10.0, 11.0, 12.0, 13.0])
    schedule = np.array([[0.0, 6.0], [7.0 * HOUR_US, 2.0]])  # the week began at 96 h
    assert said(replace(state, program=replace(state.program, schedule=schedule))) == STOPS
    assert said(state) == PASSES


def test_a_bore_that_closes_over_hours_stops_the_flow_at_its_end() -> None:
    """While R Q creeps up the drug passes: the stop, and the time to harm, count from where the rise is at its full rate."""
    creeping = blocks.occlusion_condition(blocked(CLOSING), 2, 107 * HOUR_US)
    even = blocks.occlusion_condition(blocked(EVEN), 2, 107 * HOUR_US)
    assert even.evidence["stopped_us"] == even.evidence["onset_us"] == 99.0 * HOUR_US
    assert 102.0 * HOUR_US <= creeping.evidence["stopped_us"] <= 104.0 * HOUR_US
    assert creeping.harm_lo_us == creeping.evidence["stopped_us"] + 8 * HOUR_US


def test_a_line_that_passed_and_fills_again_stops_from_then_on() -> None:
    """What left the tip before is not missed: a second stop begins no earlier than the drug was last seen to pass."""
    state = blocked(SETTLING)
    passing = blocks.occlusion_condition(state, 2, 106 * HOUR_US)
    book, _ = alerts.observe(state.book, passing)
    again = replace(blocked(EVEN), book=book)
    told = blocks.occlusion_condition(again, 2, 107 * HOUR_US)
    assert book.alerts[Cause.OCCLUSION].priority is Priority.MEDIUM
    assert told.priority is Priority.HIGH
    assert told.evidence["stopped_us"] == 106 * HOUR_US


def test_a_line_that_cannot_hold_it_keeps_passing() -> None:
    """More than ten dead volumes under the body's movement: a rise that goes on, as a bore closes, is no second stop."""
    state = blocked(EVEN, DEAD_VOLUME_UL=2.0)
    passing = blocks.occlusion_condition(state, 2, 106 * HOUR_US)
    book, _ = alerts.observe(state.book, passing)
    assert said(replace(state, book=book)) == said(state) == PASSES
