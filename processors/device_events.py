"""What devices say of themselves, and the scans that they stop in: alarms, a standing motor, MRI windows."""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec.structs import replace

from contract.events import DeviceAlarm, Note
from contract.facts import Cause
from contract.times import DAY_US, HOUR_US
from kernels import drive, volumes
from kernels import state as s
from processors import risk, stopped_flow
from processors.alerts import Condition
from processors.pump_state import PumpState
from processors.timeline import Settled

MRI_GRACE_US: Final = 2 * HOUR_US  # contract, stall_overdue: still standing 2 h after the window
_ALARM_CAUSES: Final = {
    "eri": Cause.BATTERY_ERI,
    "eos": Cause.BATTERY_EOS,
    "safe_state": Cause.SAFE_STATE,
}
_ALARM_TEXTS: Final = {
    "eri": "The device asks for its replacement (ERI): 90 days are left to the end of service.",
    "eos": "The device's battery is at its end of service: it delivers no more.",
    "safe_state": "The device fell into its safe state: flow is at a very low level.",
}


def alarmed(state: PumpState, event: DeviceAlarm, at_us: int) -> tuple[PumpState, list[Condition]]:
    """Take an alarm of the device: what it says of its motor, its battery, its safe state."""
    if event.code in ("motor_stall", "stall_recovered"):
        stands = event.code == "motor_stall"
        if not stands:
            if state.clinic.device_stall or state.x[s.STALL_LEVEL]:
                volumes.recovered(state.x)
            drive.runs_again(
                state.x
            )  # a row from before it can't say otherwise, and later rows may take a day to come
        state = replace(state, clinic=replace(state.clinic, device_stall=stands))
        return state, [stall_condition(state, at_us)]
    cause = _ALARM_CAUSES.get(event.code)
    if cause is None:
        return state, []
    stops = event.code in ("eos", "safe_state")
    lo_us, hi_us = risk.harm_of_stop(state, at_us) if stops else (None, None)
    text = _ALARM_TEXTS[event.code]
    return state, [
        Condition(cause=cause, at_us=at_us, level=2, text=text, harm_lo_us=lo_us, harm_hi_us=hi_us)
    ]


def stall_condition(state: PumpState, at_us: int) -> Condition:
    """A standing motor, by the kernel's evidence or the device's word, with the time to withdrawal (processors.risk).

    The onset is the last movement seen, or an alert's earlier one. A rotor that can have stopped inside a declared MRI
    window, between its last movement and the first evidence that it stands, raises nothing above info until 2 h after it.
    A stop that only the flow shows, and that something else explains, stays pending (processors.stopped_flow).
    """
    x, clinic = state.x, state.clinic
    level = 2 if clinic.device_stall else int(x[s.STALL_LEVEL])
    moved_us = float(x[s.DRV_ONSET_US])
    onset_us = at_us if np.isnan(moved_us) or not x[s.STALL_LEVEL] else min(round(moved_us), at_us)
    stands_us = at_us
    known = state.book.alerts.get(Cause.MOTOR_STALL)
    if known is not None and known.on:
        onset_us = min(onset_us, known.said.evidence.get("onset_us", onset_us))
        stands_us = known.since_us
    window_end = next(
        (end for start, end in clinic.rotor_windows_us if start <= stands_us and onset_us <= end), None
    )
    if window_end is None and stopped_flow.explanation(state) is not None:
        level = min(level, 1)
    harm_lo_us, harm_hi_us = risk.harm_of_stop(state, onset_us, counted=risk.counts(state, Cause.MOTOR_STALL))
    text = (
        "The motor stands still while flow is programmed: no drug is delivered. Interrogate the pump."
        if level
        else ""
    )
    return Condition(
        cause=Cause.MOTOR_STALL,
        at_us=at_us,
        level=level,
        text=text,
        evidence={"onset_us": onset_us},
        harm_lo_us=harm_lo_us,
        harm_hi_us=harm_hi_us,
        quiet_until_us=None if window_end is None else window_end + MRI_GRACE_US,
    )


def mri_window(state: PumpState, settled: Settled) -> PumpState:
    """Keep the time in which a rotor may stop: from the declaration on, a day at most."""
    note = settled.event
    assert isinstance(note, Note)
    start = max(note.from_us + settled.offset_us, settled.at_us)
    end = min(note.to_us + settled.offset_us, start + DAY_US)
    if end < start:
        return state  # declared when it was over
    recent = tuple(w for w in state.clinic.rotor_windows_us if w[1] > settled.at_us - DAY_US)
    return replace(state, clinic=replace(state.clinic, rotor_windows_us=(*recent, (start, end))))
