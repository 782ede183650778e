"""A rotor that stopped in a declared MRI window and does not start again: `stall_overdue`.

Contract: still standing 2 h after the window is medium, 24 h after it high. The window's end is that of
`processors.device_events.stall_condition`. The priority follows this clock; the time to withdrawal is told, and raised, by
`motor_stall` beside it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from contract.facts import Cause, Priority
from contract.times import DAY_US, HOUR_US
from kernels import state as s
from processors.alerts import Condition
from processors.device_events import MRI_GRACE_US
from processors.pump_state import Clinic, PumpState
from processors.watches import Overdue

AGAIN_US: Final = HOUR_US  # a rotor seen to move once is looked at again


def follow(state: PumpState, stall: Condition) -> tuple[Clinic, list[Condition]]:
    """What a change of the stall means for the restart that is waited for."""
    clinic, at_us = state.clinic, stall.at_us
    if stall.level == 0:
        return replace(clinic, overdue=None), [Condition(cause=Cause.STALL_OVERDUE, at_us=at_us, level=0)]
    if stall.level < 2 or stall.quiet_until_us is None:
        return clinic, []
    watch = Overdue(
        due_us=stall.quiet_until_us,
        window_end_us=stall.quiet_until_us - MRI_GRACE_US,
        onset_us=stall.evidence["onset_us"],
    )
    if at_us >= watch.due_us:
        return replace(clinic, overdue=None), [_standing(watch, at_us)]
    return replace(clinic, overdue=watch), []


def judge(state: PumpState, at_us: int) -> tuple[Clinic, list[Condition]]:
    """Say whether the rotor still stands when its time has come."""
    watch = state.clinic.overdue
    assert watch is not None
    stands = state.clinic.device_stall or state.x[s.STALL_LEVEL] == 2.0
    if not stands:
        return replace(state.clinic, overdue=None), []
    if not state.clinic.device_stall and state.x[s.DRV_MOVES] > 0.0:
        return replace(state.clinic, overdue=replace(watch, due_us=at_us + AGAIN_US)), []
    return replace(state.clinic, overdue=None), [_standing(watch, at_us)]


def _standing(watch: Overdue, at_us: int) -> Condition:
    return Condition(
        cause=Cause.STALL_OVERDUE,
        at_us=at_us,
        level=2,
        priority=Priority.MEDIUM,
        rises=((watch.window_end_us + DAY_US, Priority.HIGH),),
        text="The motor stopped for a declared MRI and has not started again: no drug is delivered. Interrogate the pump.",
        evidence={"window_end_us": watch.window_end_us, "onset_us": watch.onset_us},
    )
