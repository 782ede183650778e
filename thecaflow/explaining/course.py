"""A pump's log as it was folded, and its state at any moments: what the detectors knew then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec.structs import replace

from kernels import volumes
from processors import fold as physics
from processors import pump_state, timeline
from processors.pump_state import PumpState
from processors.timeline import GENESIS, Items, Sighting


def items_of(log: Iterable[Sighting]) -> Items:
    """All items of one pump's log, in order."""
    counted, _ = timeline.unique(log)
    settled, _, skews = timeline.settle(timeline.Clock(), counted)
    return timeline.arrange(settled, skews)


def states_at(pump: str, items: Items, moments_us: Sequence[int]) -> list[PumpState]:
    """The pump's state at each of the moments (ascending): the items up to it, ledgers moved on to it."""
    state = pump_state.begin(pump)
    states: list[PumpState] = []
    done_us: int | None = None
    for moment_us in moments_us:
        state = physics.fold(state, _between(items, done_us, moment_us)).state
        done_us = moment_us
        states.append(_moved(state, moment_us))
    return states


def _between(items: Items, after_us: int | None, until_us: int) -> Items:
    """Items of (after_us, until_us]; the key of the last one is left to the fold."""
    stop = int(np.searchsorted(items.rows_us, until_us, side="right"))
    start = 0 if after_us is None else int(np.searchsorted(items.rows_us, after_us, side="right"))
    return replace(
        items,
        events=[
            item
            for item in items.events
            if item[0][0] <= until_us and (after_us is None or item[0][0] > after_us)
        ],
        rows_us=items.rows_us[start:stop],
        received_us=items.received_us[start:stop],
        sources=items.sources[start:stop],
        columns=np.ascontiguousarray(items.columns[:, start:stop]),
        last_key=GENESIS,
    )


def _moved(state: PumpState, at_us: int) -> PumpState:
    ahead = state.copy()
    if not ahead.explanted:
        program = ahead.program
        volumes.advance(ahead.x, program.head, program.schedule, program.boluses, float(at_us))
    return ahead
