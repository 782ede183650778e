"""Rules that look at more than one event: what an event, a signal or a passed deadline sets going, asks for or ends.

`processors.clinical` says what an event changes and shows by itself; here is what follows from it later. Deadlines are part
of the state (`processors.watches`); the fold fires them (`due_us`, `judge`).
"""

from __future__ import annotations

from msgspec.structs import replace

from contract.events import (
    Bolus,
    DeviceAlarm,
    ProgramSet,
    PumpEvent,
    ReservoirFilled,
    Resumed,
    Suspended,
    VolumeReported,
)
from kernels import state as s
from kernels import step
from processors import bridges, disagreements, marks, overdue, refills, restarts
from processors.alerts import Condition
from processors.clinical import delivers
from processors.device_events import stall_condition
from processors.pump_state import Clinic, PumpState
from processors.timeline import Settled


class Glance:
    """What must be known of a pump before an event changes it."""

    def __init__(self, state: PumpState) -> None:
        self.ran = restarts.runs(state)
        self.concentration_ug_ml = float(state.x[s.CONCENTRATION_UG_ML])
        self.reservoir = refills.Before(state)


def after_event(state: PumpState, before: Glance, settled: Settled) -> tuple[PumpState, list[Condition]]:
    """What follows from an event that `clinical.apply` has just taken in."""
    event, at_us = settled.event, settled.at_us
    told: list[Condition] = []

    def take(outcome: tuple[Clinic, list[Condition]]) -> None:
        nonlocal state
        state = replace(state, clinic=outcome[0])
        told.extend(outcome[1])

    match event:
        case ReservoirFilled():
            take(bridges.after_fill(state, before.concentration_ug_ml, event.concentration_ug_ml, at_us))
            clinic, shown = refills.after_fill(state, before.reservoir, event, at_us)
            take(restarts.after_fill(state, clinic, shown, at_us))
            take(disagreements.after_fill(state, at_us))
        case Bolus():
            take(bridges.after_bolus(state, event, at_us))
        case Suspended():
            take((bridges.after_suspension(state, at_us), []))
        case VolumeReported():
            told.extend(refills.after_statement(state, before.reservoir, event, at_us))
            take((refills.anchored(state), []))
            take(disagreements.after_statement(state, event, at_us, settled.offset_us))
        case DeviceAlarm():
            take(disagreements.after_alarm(state, event, at_us))
            if event.code in ("motor_stall", "stall_recovered"):
                state, follows = _after_stall(state, at_us)
                told.extend(follows)
        case _:
            pass
    take((restarts.after_event(state, event, at_us, ran=before.ran), []))
    return _marked(state, event, at_us), told


def _marked(state: PumpState, event: PumpEvent, at_us: int) -> PumpState:
    """Set a mark where what is programmed changes."""
    if not (delivers(event) or isinstance(event, ProgramSet | Suspended | Resumed)):
        return state
    clinic = marks.add(state, at_us)
    if isinstance(event, ProgramSet | Suspended | Resumed):
        clinic = replace(clinic, device=replace(clinic.device, steady_us=at_us))
    return replace(state, clinic=clinic)


def _after_stall(state: PumpState, at_us: int) -> tuple[PumpState, list[Condition]]:
    """What the stall means for those who wait for its end, or for the device's word; not yet observed itself."""
    stall = stall_condition(state, at_us)
    clinic, told = overdue.follow(state, stall)
    state = replace(state, clinic=clinic)
    state = replace(state, clinic=restarts.after_stall(state, stall))
    clinic, more = disagreements.after_stall(state, stall)
    return replace(state, clinic=clinic), [*told, *more]


def after_signal(
    state: PumpState, code: int, level: int, at_us: int, received_us: int
) -> tuple[PumpState, list[Condition]]:
    """What follows from a signal of the row kernels, which is itself not observed yet."""
    told: list[Condition] = []
    if code == step.STALL:
        state, told = _after_stall(state, at_us)
    elif code == step.OCCLUSION:
        clinic, told = restarts.after_occlusion(state, level, at_us)
        state = replace(state, clinic=clinic)
    elif code == step.FILL:
        clinic, told = refills.after_level(state, at_us)
        state = replace(state, clinic=clinic)
    elif code == step.RESTART and (condition := restarts.condition(state, level, at_us)) is not None:
        told = [condition]
    return state, [replace(condition, received_us=received_us) for condition in told]


def due_us(state: PumpState) -> int | None:
    """The next deadline of a rule; None if nothing is waited for."""
    clinic = state.clinic
    times = (
        None if clinic.bridge is None else clinic.bridge.due_us,
        None if clinic.overdue is None else clinic.overdue.due_us,
        clinic.restart.release_due_us,
        disagreements.due_us(clinic.device),
    )
    return None if state.explanted else min((t for t in times if t is not None), default=None)


def judge(state: PumpState, at_us: int) -> tuple[Clinic, list[Condition]]:
    """Judge what is due at `at_us`; `state` is a copy that was moved to that time."""
    clinic, told = state.clinic, []
    if clinic.bridge is not None and clinic.bridge.due_us == at_us:
        clinic, more = bridges.judge(state, at_us)
        told += more
    state = replace(state, clinic=clinic)
    if clinic.overdue is not None and clinic.overdue.due_us == at_us:
        clinic, more = overdue.judge(state, at_us)
        told += more
    state = replace(state, clinic=clinic)
    if clinic.restart.release_due_us == at_us:
        clinic, more = restarts.judge(state, at_us)
        told += more
    state = replace(state, clinic=clinic)
    if disagreements.due_us(clinic.device) == at_us:
        clinic, more = disagreements.judge(state, at_us)
        told += more
    return clinic, [replace(condition, received_us=state.received_us) for condition in told]
