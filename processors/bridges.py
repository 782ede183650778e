"""A fill with another concentration needs a bridge: the old dose rate until the old drug has left tubing and catheter.

Contract: a valid bridge starts within an hour of such a fill and covers the dead volume to within 10 %; else
`bridge_missing`, from the end of that hour until the old drug has left the dead volume, or a late bridge covers what is left.
The drug that matters is that in the dead volume: back to the old drug at once, or primed through, there is nothing to bridge.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from msgspec.structs import replace

from contract.events import Bolus
from contract.facts import Cause
from contract.times import DAY_US, HOUR_US
from kernels import dose, reservoir
from kernels import state as s
from processors import risk
from processors.alerts import Condition
from processors.pump_state import Clinic, PumpState, whole_us
from processors.watches import Bridge

WITHIN_US: Final = HOUR_US  # contract: starts within an hour of the fill
COVERS: Final = 0.10 * (1.0 + 1e-12)  # contract: of the dead volume; exactly the limit is inside it
GONE: Final = 1e-6  # of the dead volume: what rounding leaves of the old drug
SOON_US: Final = HOUR_US // 4  # a look at what is left comes no sooner than this after the last


def after_fill(
    state: PumpState, before_ug_ml: float, after_ug_ml: float, at_us: int
) -> tuple[Clinic, list[Condition]]:
    """Wait for a bridge if the fill holds another concentration than the dead volume; a wait before it is over."""
    clinic, watch = state.clinic, None
    if before_ug_ml == after_ug_ml:
        unsized = clinic.bridge is not None and clinic.bridge.missing and math.isnan(_dead_ul(state))
        return (replace(clinic, bridge=None), [_gone(at_us)]) if unsized else (clinic, [])
    if math.isnan(before_ug_ml):
        return clinic, []
    if _needed(state, after_ug_ml):
        watch = Bridge(
            filled_us=at_us, due_us=at_us + WITHIN_US, before_ug_ml=before_ug_ml, after_ug_ml=after_ug_ml
        )
        watch = _running(state, watch, at_us)
    return replace(clinic, bridge=watch), [_gone(at_us)]


def after_bolus(state: PumpState, event: Bolus, at_us: int) -> tuple[Clinic, list[Condition]]:
    """Take a bridge, or priming, that the wait is for."""
    clinic, watch = state.clinic, state.clinic.bridge
    stated = event.delivered_ul is not None
    if watch is None or event.route == "lumbar" or (state.x[s.SUSPENDED] and not stated):
        return clinic, []
    volume_ul = event.programmed_ul if event.delivered_ul is None else event.delivered_ul
    if event.kind == "priming":
        return replace(clinic, bridge=replace(watch, primed_ul=watch.primed_ul + volume_ul)), []
    if event.kind != "bridge":
        return clinic, []
    if not watch.missing:
        if at_us <= watch.due_us and _covers(state, volume_ul, _dead_ul(state)):
            until_us = at_us + whole_us(event.duration_s or 0.0)
            watch = replace(watch, until_us=until_us, stated=stated)
        return replace(clinic, bridge=watch), []
    left_ul = foreign_ul(state, watch.after_ug_ml)
    if _covers(state, volume_ul, left_ul):
        return replace(clinic, bridge=None), [_gone(at_us)]
    return clinic, []


def after_suspension(state: PumpState, at_us: int) -> Clinic:
    """Forget a bridge that is cut within the hour: it no longer covers the dead volume."""
    clinic, watch = state.clinic, state.clinic.bridge
    if watch is None or watch.missing or watch.until_us is None or watch.stated or watch.until_us <= at_us:
        return clinic
    return replace(clinic, bridge=replace(watch, until_us=None))


def judge(state: PumpState, at_us: int) -> tuple[Clinic, list[Condition]]:
    """Judge the wait whose time has come; `state` has been moved to it."""
    watch = state.clinic.bridge
    assert watch is not None
    dead_ul = _dead_ul(state)
    if not watch.missing:
        primed = not math.isnan(dead_ul) and watch.primed_ul >= (1.0 - COVERS) * dead_ul
        if primed or watch.until_us is not None:
            return replace(state.clinic, bridge=None), []
        lo_us, hi_us = risk.harm_of_rate(state, risk.going_ug_h(state))
        missing = replace(_missing(watch, dead_ul, at_us), harm_lo_us=lo_us, harm_hi_us=hi_us)
        return _wait_for_the_rest(state, replace(watch, missing=True), at_us), [missing]
    if not foreign_ul(state, watch.after_ug_ml) <= GONE * dead_ul:  # never, where the dead volume is unknown
        return _wait_for_the_rest(state, watch, at_us), []
    return replace(state.clinic, bridge=None), [_gone(at_us)]


def foreign_ul(state: PumpState, concentration_ug_ml: float) -> float:
    """Volume in tubing and catheter with another concentration than that, uL."""
    plugs = state.x[s.PLUGS : s.PLUGS + 2 * s.MAX_PLUGS].reshape(-1, 2)
    other = plugs[:, 1] != concentration_ug_ml
    return float(np.sum(plugs[other, 0]))


def _dead_ul(state: PumpState) -> float:
    return float(state.x[s.DEAD_VOLUME_UL])


def _needed(state: PumpState, after_ug_ml: float) -> bool:
    dead_ul = _dead_ul(state)
    return math.isnan(dead_ul) or foreign_ul(state, after_ug_ml) > COVERS * dead_ul


def _covers(state: PumpState, volume_ul: float, wanted_ul: float) -> bool:
    dead_ul = _dead_ul(state)
    return volume_ul > 0.0 if math.isnan(dead_ul) else abs(volume_ul - wanted_ul) <= COVERS * dead_ul


def _running(state: PumpState, watch: Bridge, at_us: int) -> Bridge:
    """A bridge that was begun in the hour before the fill counts by what it still has to deliver."""
    for start, end, volume_ul, kind, stated in state.program.boluses.tolist():
        if kind != dose.BRIDGE or not at_us - WITHIN_US <= start <= at_us < end:
            continue
        if _covers(state, volume_ul * (end - at_us) / (end - start), _dead_ul(state)):
            return replace(watch, until_us=round(end), stated=stated > 0.0)
    return watch


def _wait_for_the_rest(state: PumpState, watch: Bridge, at_us: int) -> Clinic:
    """Look again when the program will have pushed out what is left of the old drug, a day later at most."""
    ratio, program = np.empty(3), state.program
    reservoir.ratio(state.x, ratio)
    left_ul = foreign_ul(state, watch.after_ug_ml) / max(float(ratio[0]), 1e-3)
    out_us = dose.time_of_volume_us(
        program.head,
        program.schedule,
        program.boluses,
        state.x[s.SUSPENDED],
        at_us,
        left_ul,
        at_us + DAY_US,
    )
    unknown = math.isnan(out_us) or math.isnan(_dead_ul(state))
    due_us = at_us + DAY_US if unknown else max(round(out_us), at_us + SOON_US)
    return replace(state.clinic, bridge=replace(watch, due_us=due_us))


def _gone(at_us: int) -> Condition:
    return Condition(cause=Cause.BRIDGE_MISSING, at_us=at_us, level=0)


def _missing(watch: Bridge, dead_ul: float, at_us: int) -> Condition:
    ratio = watch.before_ug_ml / watch.after_ug_ml if watch.after_ug_ml > 0.0 else math.inf
    evidence = {
        "filled_us": watch.filled_us,
        "before_ug_ml": watch.before_ug_ml,
        "after_ug_ml": watch.after_ug_ml,
        "dead_volume_ul": dead_ul,
        "dose_ratio": ratio,
    }
    return Condition(
        cause=Cause.BRIDGE_MISSING,
        at_us=at_us,
        level=2,
        text=(
            f"The reservoir went from {watch.before_ug_ml:.6g} to {watch.after_ug_ml:.6g} ug/mL and no bridge that covers the"
            " dead volume began within an hour: until the old drug has left the catheter the dose is"
            f" {ratio:.3g} times the programmed one."
        ),
        evidence={name: number for name, number in evidence.items() if math.isfinite(number)},
    )
