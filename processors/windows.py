"""Dose windows: the ledgers as they stood when a window opened, and what they grew by until it ends."""

from __future__ import annotations

from typing import Final

import numpy as np

from contract.facts import Dose
from kernels import ledger
from kernels import state as s
from processors.pump_state import PumpState, Window

_LEDGERS: Final = (
    s.PROGRAMMED_UL,
    s.PROGRAMMED_UG,
    s.SENSED_UL,
    s.SENSED_UG,
    s.TIP_UG,
    s.BOLUS_UL,
    s.PRIMING_UL,
)
_SUMS: Final = np.array(_LEDGERS)


def opened(state: PumpState, from_us: int) -> Window:
    """A window that begins with the ledgers of `state`."""
    return Window(from_us=from_us, opened=tuple(_totals(state)), rows=float(state.x[s.SENSING_ROWS]))


def _totals(state: PumpState) -> list[float]:
    """Every ledger, and the time covered: `kernels.ledger.total` of each, at once."""
    totals: list[float] = (state.x[_SUMS] + state.x[_SUMS + 1]).tolist()
    return [*totals, float(state.x[s.COVERED_US])]


def dose(state: PumpState, window: Window, to_us: int) -> Dose:
    """The ledgers' growth since the window opened; `state` is a copy that was moved to `to_us`.

    *_ug are null before the first fill, sensed where nothing measured.
    """
    ledger.cover(state.x, float(to_us))
    moved = {
        slot: grown - opened + 0.0
        for slot, grown, opened in zip((*_LEDGERS, s.COVERED_US), _totals(state), window.opened, strict=True)
    }
    # A ledger that only grows can fall by a rounding of its sum; sensed may truly fall (a flow taken off a counter).
    tip_ug = max(moved[s.TIP_UG], 0.0)
    filled = not np.isnan(state.x[s.CONCENTRATION_UG_ML])
    sensed = float(state.x[s.SENSING_ROWS]) > window.rows
    return Dose(
        pump=state.pump,
        at_us=to_us,
        from_us=window.from_us,
        to_us=to_us,
        programmed_ul=moved[s.PROGRAMMED_UL],
        programmed_ug=moved[s.PROGRAMMED_UG] if filled else None,
        sensed_ul=moved[s.SENSED_UL] if sensed else None,
        sensed_ug=moved[s.SENSED_UG] if sensed and filled else None,
        tip_ug=tip_ug if filled else None,
        bolus_ul=moved[s.BOLUS_UL],
        priming_ul=moved[s.PRIMING_UL],
        coverage=min(max(moved[s.COVERED_US] / (to_us - window.from_us), 0.0), 1.0),
    )
