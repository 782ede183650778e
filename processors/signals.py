"""Signals of the row kernels in words: which condition of which cause, since when, on what evidence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

from contract.facts import Cause, Priority
from kernels import state as s
from kernels import step
from processors import readiness, risk, stopped_flow
from processors.alerts import Condition
from processors.device_events import stall_condition
from processors.flow_path_words import leak_condition, starvation_condition
from processors.habit_words import air_condition, unclassified_condition, wear_condition
from processors.pump_state import PumpState


def conditions(state: PumpState, code: int, level: int, at_us: int, received_us: int) -> list[Condition]:
    """What the signal `code` (kernels.step) with `level` 0, 1 or 2 at a row says."""
    if code in _ELSEWHERE:
        return []
    if code == step.STALL:
        stall = stall_condition(state, at_us)
        said = [one for one in (stopped_flow.condition(state, stall), stall) if one is not None]
    elif code == step.CHANNELS:
        said = [readiness.lost_condition(state, at_us)]
    else:
        said = [_WORDS[code](state, level, at_us)]
    return [msgspec.structs.replace(one, received_us=received_us) for one in said]


def _onset(raw_us: float, at_us: int) -> int:
    return at_us if math.isnan(raw_us) else min(round(raw_us), at_us)


def _evidence(state: PumpState, **slots: int) -> dict[str, float]:
    told = {name: float(state.x[slot]) for name, slot in slots.items()}
    return {name: number for name, number in told.items() if math.isfinite(number)}


def _occlusion(state: PumpState, level: int, at_us: int) -> Condition:
    """High: flow is stopping and a bolus is being stored; pending while the test still runs."""
    if level == 0:
        return Condition(cause=Cause.OCCLUSION, at_us=at_us, level=0)
    onset_us = _onset(float(state.x[s.OCC_ONSET_US]), at_us)
    harm_lo_us, harm_hi_us = risk.harm_of_stop(state, onset_us)
    evidence = _evidence(
        state,
        slope_kpa_h=s.OCC_SLOPE_KPA_H,
        baseline_kpa=s.OCC_BASE_KPA,
        score=s.OCC_SCORE,
    )
    return Condition(
        cause=Cause.OCCLUSION,
        at_us=at_us,
        level=level,
        priority=Priority.HIGH,
        text="The outlet pressure climbs as in a blocked catheter: the drug is stored, not delivered. Image the catheter;"
        " clearing it releases the stored volume as a bolus.",
        evidence={**evidence, "onset_us": onset_us},
        harm_lo_us=harm_lo_us,
        harm_hi_us=harm_hi_us,
    )


_ELSEWHERE: Final = (step.RESTART, step.FILL, step.LEVEL)
"""Judged by processors.incidents, and the level by the fold, with the deadlines of the on-delay (processors.risk)."""
_WORDS: Final[dict[int, Callable[[PumpState, int, int], Condition]]] = {
    step.OCCLUSION: _occlusion,
    step.LEAK: leak_condition,
    step.STARVATION: starvation_condition,
    step.AIR: air_condition,
    step.WEAR: wear_condition,
    step.HEALTH: unclassified_condition,
}
