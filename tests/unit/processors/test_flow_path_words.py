"""Starvation in words: pending where no inlet speaks and something else explains the flow that is missing."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from contract.facts import Cause
from contract.times import HOUR_US
from kernels import starvation
from kernels import state as s
from processors import alerts
from processors.alerts import Condition
from processors.flow_path_words import starvation_condition
from processors.pump_state import PumpState, begin


def starved(
    limit_kpa: float, named: Cause | None = None, heard: tuple[str, ...] = (), level: int = 2
) -> PumpState:
    """A pump whose flow and level fell short; `limit_kpa`: of its inlet, NaN = it has none."""
    state = begin("p")
    state.x[starvation.AT + s.LOW_LIMIT] = limit_kpa
    if named is not None:
        book, _ = alerts.observe(state.book, Condition(cause=named, at_us=HOUR_US, level=level))
        state = replace(state, book=book)
    device = replace(state.clinic.device, heard=heard)
    return replace(state, clinic=replace(state.clinic, device=device))


@pytest.mark.parametrize("named", [Cause.SAFE_STATE, Cause.BATTERY_EOS, Cause.MOTOR_STALL, Cause.OCCLUSION])
def test_what_the_drive_or_a_shut_line_does_not_move_no_inlet_withholds(named: Cause) -> None:
    """Two days after a safe state flow and level look as those of a starved pump do."""
    assert starvation_condition(starved(np.nan, named), 2, 3 * HOUR_US).level == 1


def test_a_device_that_cannot_deliver_has_said_why() -> None:
    """Its line is at its pressure limit, where no outlet pressure is reported that would show the block."""
    assert starvation_condition(starved(np.nan, heard=("no_delivery",)), 2, 3 * HOUR_US).level == 1


@pytest.mark.parametrize(
    "state",
    [
        starved(np.nan),
        starved(np.nan, heard=("low_reservoir",)),
        starved(np.nan, Cause.AIR_IN_LINE),
        starved(np.nan, Cause.MOTOR_STALL, level=1),
        starved(-2.0, Cause.SAFE_STATE),
        starved(-2.0, heard=("no_delivery",)),
    ],
)
def test_a_vacuum_or_a_loss_that_nothing_else_explains_is_starvation(state: PumpState) -> None:
    """An inlet speaks for itself; a stall that is only suspected, a low reservoir and gas are no such reason."""
    assert starvation_condition(state, 2, 3 * HOUR_US).level == 2
