"""Restarts after a day or more without flow: more than the tolerance, or the release of what was stored behind a block.

Contract, `restart_overdose`: flow above tolerance, or the release of stored volume, after a stop, stall or occlusion of 24 h
or more. A stop is what the events say (a suspension, a program that asks for nothing); stall and occlusion last from their
estimated onset to the end of their alert. Flow is watched by kernels/restart.py; a level that falls faster shows in the
reservoir filter, whose interval above the tolerance counts here while the restart is watched.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from msgspec.structs import replace

from contract.events import Bolus, PumpEvent
from contract.facts import Cause
from contract.times import DAY_US, HOUR_US
from kernels import dose, reservoir, restart
from kernels import state as s
from kernels.drive import MOVED
from processors import risk
from processors.alerts import Condition, is_on
from processors.pump_state import Clinic, PumpState, whole_us

LONG_US: Final = DAY_US  # contract: a stop, stall or occlusion of 24 h or more
_WITNESSES: Final = {restart.BY_COUNTER: "counter", restart.BY_FLOW: "flow", restart.BY_LEVEL: "level"}
RELEASED_US: Final = DAY_US  # how long what a release did counts as there: four half-lives of 6 h [P]


def runs(state: PumpState) -> bool:
    """Whether the events ask for any flow."""
    program = state.program
    return not state.x[s.SUSPENDED] and float(dose.daily_ul(program.head, program.schedule)[0]) > 0.0


def after_event(state: PumpState, event: PumpEvent, at_us: int, *, ran: bool) -> Clinic:
    """Note a stop, or begin to watch the restart after a long one; `ran`: whether the pump ran before the event."""
    clinic, now = state.clinic, runs(state)
    stopped_us = clinic.restart.stopped_us
    if ran and not now:
        return replace(clinic, restart=replace(clinic.restart, stopped_us=at_us))
    if stopped_us is None:
        return clinic
    if now:
        clinic = replace(clinic, restart=replace(clinic.restart, stopped_us=None))
        return _watched(state, clinic, at_us - stopped_us, at_us)
    if isinstance(event, Bolus) and event.route == "pump" and event.delivered_ul:
        resting_us = at_us + whole_us(event.duration_s or 0.0)
        return replace(clinic, restart=replace(clinic.restart, stopped_us=max(stopped_us, resting_us)))
    return clinic


def after_stall(state: PumpState, stall: Condition) -> Clinic:
    """Begin to watch when a motor that stood for long moves again; `stall`: as it is now, not yet observed."""
    known = state.book.alerts.get(Cause.MOTOR_STALL)
    if stall.level > 0 or known is None or not known.on:
        return state.clinic
    onset_us = known.said.evidence.get("onset_us", known.since_us)
    return _watched(state, state.clinic, stall.at_us - onset_us, stall.at_us)


def after_occlusion(state: PumpState, level: int, at_us: int) -> tuple[Clinic, list[Condition]]:
    """The end of a block of a day or more lets go at once what the line had stored: compliance x pressure."""
    clinic, known = state.clinic, state.book.alerts.get(Cause.OCCLUSION)
    if level > 0 or known is None or not known.on or known.said.level < 2:
        return clinic, []
    blocked_us = at_us - known.said.evidence.get("onset_us", known.since_us)
    if blocked_us < LONG_US:
        return clinic, []
    clinic = _watched(state, clinic, blocked_us, at_us)
    clinic = replace(clinic, restart=replace(clinic.restart, release_due_us=at_us + RELEASED_US))
    return clinic, [_released(state, blocked_us, at_us)]


def after_fill(
    state: PumpState, clinic: Clinic, told: list[Condition], at_us: int
) -> tuple[Clinic, list[Condition]]:
    """Volume that is missing at a refill while a restart is watched is what the pump gave too much since then.

    `told`: what the refill itself shows (processors.refills). Only where the pump could have moved it in that time, and no flow
    sensor has seen that it did not.
    """
    x, since_us = state.x, float(state.x[s.RST_SINCE_US])
    if not at_us <= since_us + restart.WATCH_US or (x[s.DRV_FLOW + MOVED] > 0.0 and x[s.RST_LEVEL] == 0.0):
        return clinic, told
    hours = (at_us - since_us) / HOUR_US
    for number, mismatch in enumerate(told):
        missing_ul = mismatch.evidence.get("expected_ul", 0.0) - mismatch.evidence.get("removed_ul", math.inf)
        if mismatch.level < 2 or not missing_ul > 0.0 or missing_ul > float(x[s.MAX_RATE_UL_H]) * hours:
            continue
        more_ug_h = missing_ul / hours * float(x[s.CONCENTRATION_UG_ML]) / 1000.0
        overdose = _above(
            state, at_us, {**mismatch.evidence, "by_refill": 1.0}, risk.going_ug_h(state) + more_ug_h
        )
        clinic = replace(clinic, restart=replace(clinic.restart, release_due_us=at_us + RELEASED_US))
        return clinic, [*told[:number], replace(mismatch, level=0), *told[number + 1 :], overdose]
    return clinic, told


def condition(state: PumpState, level: int, at_us: int) -> Condition | None:
    """What the kernel's level says; None where a release still counts."""
    if level == 0:
        if state.clinic.restart.release_due_us is not None:
            return None
        return Condition(cause=Cause.RESTART_OVERDOSE, at_us=at_us, level=0)
    witness = _WITNESSES[float(state.x[s.RST_LEVEL])]
    return _above(state, at_us, {f"by_{witness}": 1.0, "slack_ul": float(state.x[s.RST_SLACK_UL])})


def after_forecast(state: PumpState, at_us: int) -> list[Condition]:
    """Judge the filter: its interval lies above the tolerance while a restart is watched, and did not before it."""
    since_us, over = float(state.x[s.RST_SINCE_US]), state.book.alerts.get(Cause.OVER_DELIVERY)
    ratio = np.empty(3)
    reservoir.ratio(state.x, ratio)
    above = ratio[1] > 1.0 + float(state.x[s.FLOW_TOLERANCE])
    if is_on(state.book, Cause.RESTART_OVERDOSE):
        held = state.x[s.RST_LEVEL] > restart.NOBODY or state.clinic.restart.release_due_us is not None
        gone = Condition(cause=Cause.RESTART_OVERDOSE, at_us=at_us, level=0)
        return [] if above or held else [gone]
    before = over is not None and over.since_us <= since_us
    told = state.book.alerts.get(
        Cause.RESTART_OVERDOSE
    )  # and over: the filter remembers longer than the flow goes on
    ended = told is not None and told.since_us >= since_us
    if not above or before or ended or not at_us <= since_us + restart.WATCH_US:
        return []
    return [_above(state, at_us, {"flow_ratio": float(ratio[0]), "flow_ratio_lo": float(ratio[1])})]


def judge(state: PumpState, at_us: int) -> tuple[Clinic, list[Condition]]:
    """A release is over; the alert stays on while flow is above tolerance."""
    clinic = replace(state.clinic, restart=replace(state.clinic.restart, release_due_us=None))
    if state.x[s.RST_LEVEL] > restart.NOBODY:
        return clinic, []
    return clinic, [Condition(cause=Cause.RESTART_OVERDOSE, at_us=at_us, level=0)]


def _watched(state: PumpState, clinic: Clinic, stood_us: int, at_us: int) -> Clinic:
    if stood_us < LONG_US:
        return clinic
    restart.begin(state.x, float(at_us))
    return replace(clinic, restart=replace(clinic.restart, stood_us=stood_us))


def _above(
    state: PumpState, at_us: int, evidence: dict[str, float], rate_ug_h: float = math.nan
) -> Condition:
    stood_us = state.clinic.restart.stood_us
    if math.isnan(rate_ug_h):
        ratio = evidence.get("flow_ratio", float(state.x[s.DRV_FLOW_NOW]))
        rate_ug_h = ratio * risk.going_ug_h(state)  # only a counter saw it: what it counted last
    rate_ug_h = float(state.x[s.FLU_RATE_UG_H]) if math.isnan(rate_ug_h) else rate_ug_h
    harm_lo_us, harm_hi_us = risk.harm_of_rate(state, rate_ug_h)
    return Condition(
        cause=Cause.RESTART_OVERDOSE,
        at_us=at_us,
        level=2,
        harm_lo_us=harm_lo_us,
        harm_hi_us=harm_hi_us,
        text=(
            f"After {stood_us / DAY_US:.1f} days without flow the pump delivers more than its tolerance allows: stop it, and"
            " watch for drowsiness and shallow breathing."
        ),
        evidence={"restarted_us": float(state.x[s.RST_SINCE_US]), "stood_s": stood_us / 1e6, **evidence},
    )


def _released(state: PumpState, blocked_us: int, at_us: int) -> Condition:
    x = state.x
    registered = float(x[s.COMPLIANCE_UL_PER_KPA])
    compliance = float(x[s.OCC_COMPLIANCE_UL_KPA]) if math.isnan(registered) else registered
    stored_ul = compliance * float(x[s.OCC_PEAK_KPA])
    evidence = {
        "blocked_s": blocked_us / 1e6,
        "peak_kpa": float(x[s.OCC_PEAK_KPA]),
        "stored_ul": stored_ul,
        "stored_ug": stored_ul * float(x[s.CONCENTRATION_UG_ML]) / 1000.0,
    }
    known = {name: number for name, number in evidence.items() if math.isfinite(number)}
    drug = f", about {known['stored_ug']:.3g} ug," if "stored_ug" in known else ""
    return Condition(
        cause=Cause.RESTART_OVERDOSE,
        at_us=at_us,
        level=2,
        text=(
            f"A catheter that was blocked for {blocked_us / DAY_US:.1f} days is open again: what was stored{drug} reaches the"
            " patient as a bolus. Watch for drowsiness and shallow breathing."
        ),
        evidence=known,
    )
