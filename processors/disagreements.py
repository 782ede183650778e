"""The device says one thing, our evidence another: `device_disagrees`.

volume        a delivered total that the device states lies outside the tolerance and the resolution of our ledger
low, empty    its reservoir alarm sounds although neither its own programmed-rate arithmetic nor our estimate is near
stall         it says that its motor stands, and its counter moves on as programmed
unsaid        its counter stands, and a device that does give alarms has said nothing of it for a day
no_delivery   it says that nothing is delivered, and nothing that we watch shows why

One alert with the reasons that hold now. Ours is never corrected by the device's word, nor the other way round.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from msgspec.structs import replace

from contract.events import DeviceAlarm, VolumeReported
from contract.facts import Cause
from contract.times import DAY_US, HOUR_US
from kernels import reservoir
from kernels import state as s
from kernels.drive import HABIT_UL
from kernels.stroke import COUNTER_SOURCE
from processors import marks
from processors.alerts import Condition, is_on
from processors.clinical import EXACTLY
from processors.device_events import MRI_GRACE_US
from processors.pump_state import Clinic, PumpState
from processors.watches import DeviceWord, Mark

FAR: Final = 0.05  # of the reservoir: a reservoir alarm nearer than this to where it belongs agrees [P], as a refill's limit
FAR_Z: Final = 3.0  # standard deviations of our estimate, beside it
CLAIM_US: Final = (
    2 * HOUR_US
)  # a stall's alarm is held against the counter after this [P], as the grace of an MRI
MOVES: Final = 0.5  # of what is programmed: the counter moves on
MOVEMENTS: Final = 4.0  # of the counter's usual ones, before that can be said
UNSAID_US: Final = DAY_US  # a device may be late with its own alarm [S] MHRA: 2-24 h
COVERED = {
    True: 0.5,
    False: 0.9,
}  # share of a span with telemetry from which sensed counts: counters bridge gaps
EXPLAIN: Final = (
    Cause.OCCLUSION,
    Cause.MOTOR_STALL,
    Cause.STARVATION,
    Cause.LEAK,
    Cause.AIR_IN_LINE,
    Cause.RESERVOIR_EMPTY,
    Cause.BATTERY_EOS,
    Cause.SAFE_STATE,
)
SAID: Final = (
    Cause.BATTERY_EOS,
    Cause.SAFE_STATE,
)  # by the device: nothing, or next to nothing, moves any more
_LEVELS: Final = {"low_reservoir": "low", "empty_reservoir": "empty"}
_WORDS: Final = {
    "volume": "the delivered volume that it states is not the one that was counted",
    "low": "it sounds its low-reservoir alarm far from where its own arithmetic puts it",
    "empty": "it says that it is empty although enough should be left",
    "stall": "it says that its motor stands although its counter moves",
    "unsaid": "its motor stands although it has given no alarm",
    "no_delivery": "it says that nothing is delivered, and nothing that is watched shows why",
}


def after_alarm(state: PumpState, event: DeviceAlarm, at_us: int) -> tuple[Clinic, list[Condition]]:
    """Hold an alarm against what we know, at once or after a while."""
    device = replace(state.clinic.device, alarms=True)
    state = replace(state, clinic=replace(state.clinic, device=device))
    if event.code in _LEVELS:
        return _reservoir(state, _LEVELS[event.code], at_us)
    if event.code == "motor_stall":
        claim = marks.now(state, at_us)
        due_us = at_us + CLAIM_US
        if (window_end_us := _window_end(state, at_us)) is not None:
            due_us = max(
                due_us, window_end_us + UNSAID_US
            )  # recovery may be told only at the next interrogation
        device = replace(device, claim=claim, claim_due_us=due_us, unsaid_due_us=None)
        return _settle(state, device, at_us, off=("unsaid",))
    if event.code == "stall_recovered":
        return _settle(
            state, replace(device, claim=None, claim_due_us=None), at_us, off=("stall", "no_delivery")
        )
    if event.code == "no_delivery":
        device = replace(device, heard=tuple(dict.fromkeys((*device.heard, event.code))))
        if any(is_on(state.book, cause) for cause in EXPLAIN):
            return _settle(state, device, at_us)
        return _settle(state, replace(device, alarm_due_us=at_us + DAY_US), at_us, on=("no_delivery",))
    return state.clinic, []


def after_fill(state: PumpState, at_us: int) -> tuple[Clinic, list[Condition]]:
    """A refill ends what was said of the reservoir before it."""
    return _settle(state, replace(state.clinic.device, heard=()), at_us, off=("low", "empty"))


def after_statement(
    state: PumpState, event: VolumeReported, at_us: int, offset_us: int
) -> tuple[Clinic, list[Condition]]:
    """Compare a stated delivered volume with our ledger over the same time."""
    device = state.clinic.device
    if event.ledger != "delivered":
        return _settle(state, device, at_us, off=("low", "empty"))
    from_us, to_us = event.from_us + offset_us, min(event.to_us + offset_us, at_us)
    begins, ends = marks.past(state, from_us, at_us), marks.past(state, to_us, at_us)
    if begins is None or ends is None or to_us <= from_us:
        return state.clinic, []
    span_us = to_us - from_us
    programmed_ul = ends[0].programmed_ul - begins[0].programmed_ul
    ours_ul = ends[0].sensed_ul - begins[0].sensed_ul if _sensed(state, begins[0], ends[0]) else programmed_ul
    allowed_ul = float(state.x[s.FLOW_TOLERANCE]) * abs(ours_ul) * EXACTLY
    allowed_ul += begins[1] + ends[1] + _resolution_ul(state, programmed_ul / span_us)
    evidence = {"stated_ul": event.value_ul, "counted_ul": ours_ul, "allowed_ul": allowed_ul}
    if abs(event.value_ul - ours_ul) > allowed_ul:
        return _settle(state, device, at_us, on=("volume",), evidence=evidence)
    return _settle(state, device, at_us, off=("volume",))


def after_stall(state: PumpState, stall: Condition) -> tuple[Clinic, list[Condition]]:
    """A stall that the device says nothing of, or the end of one."""
    device, at_us = state.clinic.device, stall.at_us
    by_rows = state.x[s.STALL_LEVEL] == 2.0 and not state.x[s.DRV_STATED] > 0.0
    if stall.level < 2 or not by_rows or state.clinic.device_stall:
        return _settle(state, replace(device, unsaid_due_us=None), at_us, off=("unsaid",))
    if not device.alarms or device.unsaid_due_us is not None or "unsaid" in device.reasons:
        return state.clinic, []
    since_us = at_us if stall.quiet_until_us is None else max(at_us, stall.quiet_until_us)
    return replace(state.clinic, device=replace(device, unsaid_due_us=since_us + UNSAID_US)), []


def due_us(device: DeviceWord) -> int | None:
    """The next time at which something is judged."""
    times = (device.claim_due_us, device.unsaid_due_us, device.alarm_due_us)
    return min((t for t in times if t is not None), default=None)


def judge(state: PumpState, at_us: int) -> tuple[Clinic, list[Condition]]:
    """Judge what is due; `state` has been moved to it."""
    device, on, off = state.clinic.device, [], []
    if device.alarm_due_us == at_us:
        device, off = replace(device, alarm_due_us=None), ["no_delivery"]
    if device.unsaid_due_us == at_us:
        device = replace(device, unsaid_due_us=None)
        said = state.clinic.device_stall or any(is_on(state.book, cause) for cause in SAID)
        if state.x[s.STALL_LEVEL] == 2.0 and not said:
            on.append("unsaid")
    if device.claim_due_us == at_us:
        device, moves = _claimed(state, device, at_us)
        on += ["stall"] if moves else []
    return _settle(state, device, at_us, on=tuple(on), off=tuple(off))


def _settle(
    state: PumpState,
    device: DeviceWord,
    at_us: int,
    on: tuple[str, ...] = (),
    off: tuple[str, ...] = (),
    evidence: dict[str, float] | None = None,
) -> tuple[Clinic, list[Condition]]:
    """Take reasons in and out; say so if that changes anything."""
    reasons = tuple(sorted(({*device.reasons} | {*on}) - {*off}))
    changed = reasons != device.reasons or evidence is not None
    device = replace(device, reasons=reasons, evidence=device.evidence if evidence is None else evidence)
    clinic = replace(state.clinic, device=device)
    if not changed:
        return clinic, []
    if not reasons:
        clinic = replace(clinic, device=replace(device, evidence={}))
        return clinic, [Condition(cause=Cause.DEVICE_DISAGREES, at_us=at_us, level=0)]
    text = f"The device and the telemetry disagree: {'; '.join(_WORDS[reason] for reason in reasons)}."
    told = {f"by_{reason}": 1.0 for reason in reasons} | device.evidence
    return clinic, [Condition(cause=Cause.DEVICE_DISAGREES, at_us=at_us, level=2, text=text, evidence=told)]


def _reservoir(state: PumpState, reason: str, at_us: int) -> tuple[Clinic, list[Condition]]:
    """Judge the first such alarm since the fill: the reservoir may be near that level by either account."""
    device, x = state.clinic.device, state.x
    if reason in device.heard:
        return state.clinic, []
    device = replace(device, heard=(*device.heard, reason))
    left, full_ul = np.empty(2), float(x[s.RESERVOIR_ML]) * 1000.0
    reservoir.volume(x, left)
    level_ul = float(x[s.LOW_RESERVOIR_ML]) * 1000.0 if reason == "low" else 0.0
    by_device, by_us = float(x[s.RES_DEVICE_UL]) - level_ul, float(left[0]) - level_ul
    far_ul, far_from_us_ul = FAR * full_ul * EXACTLY, FAR * full_ul + FAR_Z * float(left[1])
    early = by_device > far_ul and by_us > far_from_us_ul
    off = early or (by_device < -far_ul and by_us < -far_from_us_ul)
    evidence = {"device_left_ul": float(x[s.RES_DEVICE_UL]), "estimated_left_ul": float(left[0])}
    return (
        _settle(state, device, at_us, on=(reason,), evidence=evidence)
        if off
        else _settle(state, device, at_us)
    )


def _window_end(state: PumpState, at_us: int) -> int | None:
    return next(
        (end for start, end in state.clinic.rotor_windows_us if start <= at_us <= end + MRI_GRACE_US), None
    )


def _sensed(state: PumpState, begins: Mark, ends: Mark) -> bool:
    """Whether enough of the time between two marks was measured for the sensed volume to count."""
    share = COVERED[bool(state.x[s.RES_SOURCE] == COUNTER_SOURCE)]
    rows, sensing = ends.rows - begins.rows, ends.sensing_rows - begins.sensing_rows
    covered_us = ends.covered_us - begins.covered_us
    return sensing > 0.0 and sensing >= share * rows and covered_us >= share * (ends.at_us - begins.at_us)


def _resolution_ul(state: PumpState, rate_ul_us: float) -> float:
    """Volume that two readings of the counter and two rows can't tell, uL."""
    x = state.x
    quantum_ul = float(x[s.ENCODER_UL_PER_COUNT])
    if not quantum_ul > 0.0:
        quantum_ul = float(x[s.DRV_QUANTUM_UL])
    period_us = float(np.nanmax(np.append(x[s.DOSE_SOURCES + s.PERIOD_US : s.PLUGS : s.SOURCE_SIZE], 0.0)))
    return 2.0 * ((quantum_ul if math.isfinite(quantum_ul) else 0.0) + rate_ul_us * period_us)


def _claimed(state: PumpState, device: DeviceWord, at_us: int) -> tuple[DeviceWord, bool]:
    """(what is waited for next, whether the counter has moved on as programmed since the device said that its motor stands)."""
    x, claim = state.x, device.claim
    device = replace(device, claim=None, claim_due_us=None)
    if claim is None or not state.clinic.device_stall:
        return device, False
    present = marks.now(state, at_us)
    asked_ul = present.programmed_ul - claim.programmed_ul
    seen_ul = present.sensed_ul - claim.sensed_ul - float(x[s.RES_PENDING_UL])
    if x[s.STALL_LEVEL] > 0.0 or not seen_ul > 0.0:
        return replace(device, claim=present, claim_due_us=at_us + DAY_US), False
    if seen_ul >= max(MOVES * asked_ul, MOVEMENTS * float(x[s.DRV_COUNTER + HABIT_UL])):
        return device, True
    return replace(device, claim=claim, claim_due_us=at_us + CLAIM_US), False
