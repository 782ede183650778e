"""Signals of the row kernels in words: which condition of which cause, since when, on what evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from kernels import step
from processors import readiness, stopped_flow
from processors.alerts import Condition
from processors.blocks import occlusion_condition
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


_ELSEWHERE: Final = (step.RESTART, step.FILL, step.LEVEL)
"""Judged by processors.incidents, and the level by the fold, with the deadlines of the on-delay (processors.risk)."""
_WORDS: Final[dict[int, Callable[[PumpState, int, int], Condition]]] = {
    step.OCCLUSION: occlusion_condition,
    step.LEAK: leak_condition,
    step.STARVATION: starvation_condition,
    step.AIR: air_condition,
    step.WEAR: wear_condition,
    step.HEALTH: unclassified_condition,
}
