"""What enters the ledgers: an interval that was measured in part, and one that nothing but the program tells."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import dose, ledger, pulses, step, volumes
from kernels import state as st

HOUR_US = 3_600_000_000
T0_US = 1_770_000_000_000_000.0


def state(hours: float) -> np.ndarray:
    """A filled pump at so many hours after T0."""
    x = step.fresh()
    x[st.RESERVOIR_ML], x[st.FLOW_TOLERANCE], x[st.DEAD_VOLUME_UL] = 20.0, 0.145, 0.0
    x[st.CONCENTRATION_UG_ML], x[st.T_US] = 500.0, T0_US + hours * HOUR_US
    return x


def totals(x: np.ndarray) -> dict[str, float]:
    """The ledgers of volume, uL."""
    slots = {
        "programmed": st.PROGRAMMED_UL,
        "sensed": st.SENSED_UL,
        "bolus": st.BOLUS_UL,
        "priming": st.PRIMING_UL,
        "delivered": st.DELIVERED_UL,
    }
    return {name: float(ledger.total(x, slot)) for name, slot in slots.items()}


@pytest.mark.parametrize("held_h", [0.0, 0.5, 1.5, 2.0, 9.0])
def test_what_nobody_measured_is_delivered_as_programmed(held_h: float) -> None:
    """Two hours of 4 uL an hour with a bolus of 2 in them; a flow reading that says the same holds for a part of the time."""
    x, sensed_ul = state(2.0), 4.0 * min(held_h, 2.0)
    x[st.RES_SOURCE] = 1.0
    volumes.account_held(x, np.array([8.0, 2.0, 0.0]), sensed_ul, T0_US, T0_US + held_h * HOUR_US, T0_US)
    told = totals(x)
    assert (told["programmed"], told["bolus"], told["sensed"]) == pytest.approx((8.0, 2.0, sensed_ul))
    assert told["delivered"] == pytest.approx(8.0)


@pytest.mark.parametrize("held_h", [0.4, 1.0, 1.5, 2.0])
def test_what_ran_before_an_event_is_not_taken_from_the_reservoir_twice(held_h: float) -> None:
    """A row after two hours of 4 uL an hour: the program has entered the half before a fill already, the flow shows both."""
    x = state(2.0)
    x[st.RES_SOURCE], x[st.RES_V_UL], x[st.RES_K] = 1.0, 20_000.0, 1.0
    x[st.RES_E_SENSED_UL] = x[st.RES_E_PROGRAMMED_UL] = 50.0
    volumes.account_held(
        x, np.array([4.0, 0.0, 0.0]), 4.0 * held_h, T0_US, T0_US + held_h * HOUR_US, T0_US + HOUR_US
    )
    assert totals(x)["sensed"] == pytest.approx(4.0 * held_h)
    assert totals(x)["delivered"] == pytest.approx(4.0)
    assert x[st.RES_V_UL] == pytest.approx(20_000.0 - 4.0)
    assert x[st.RES_E_SENSED_UL] == pytest.approx(x[st.RES_E_PROGRAMMED_UL])


def test_flow_beside_a_counter_is_taken_in_as_a_whole() -> None:
    """The counter takes all that flow showed off its next difference, so that none of it may be left out before."""
    x = state(2.0)
    x[st.RES_SOURCE], x[st.RES_V_UL] = 2.0, 20_000.0
    volumes.account_held(x, np.array([4.0, 0.0, 0.0]), 8.0, T0_US, T0_US + 2.0 * HOUR_US, T0_US + HOUR_US)
    assert x[st.RES_V_UL] == pytest.approx(20_000.0 - 8.0)


def test_an_interval_without_length_is_measured_as_a_whole() -> None:
    """Two rows of one moment."""
    x = state(0.0)
    volumes.account_held(x, np.array([3.0, 0.0, 0.0]), 3.0, T0_US, T0_US, T0_US)
    assert totals(x)["sensed"] == totals(x)["delivered"] == 3.0


def test_the_program_alone_moves_the_ledgers_and_what_a_drive_is_expected_to_turn() -> None:
    """A bridge takes the program's place; priming turns the drive as well, and is no dose."""
    x, program = state(0.0), np.zeros(pulses.PROGRAM_SIZE)
    program[pulses.MODE], program[pulses.AT_US] = dose.CONTINUOUS, T0_US
    boluses = np.array([[T0_US, T0_US + HOUR_US, 6.0, 2.0, 0.0], [T0_US, T0_US + HOUR_US, 1.0, 1.0, 0.0]])
    volumes.advance(x, program, np.array([[0.0, 4.0]]), boluses, T0_US + HOUR_US)
    told = totals(x)
    assert x[st.EXPECTED_UL] == pytest.approx(told["programmed"] + told["priming"])
    assert (told["programmed"], told["priming"]) == pytest.approx((1.0, 6.0))
    before = x.copy()
    volumes.advance(x, program, np.array([[0.0, 4.0]]), boluses, T0_US + HOUR_US)
    assert np.array_equal(before, x, equal_nan=True)


def test_a_steady_program_with_a_bolus_moves_each_ledger_by_its_own_part() -> None:
    """Two hours at 4 uL an hour, 3 uL of a bolus, 1 of priming: 11 are dose and 3 of them bolus, 12 are asked of the drive."""
    x, program = state(0.0), np.zeros(pulses.PROGRAM_SIZE)
    program[pulses.MODE], program[pulses.AT_US] = dose.CONTINUOUS, T0_US
    boluses = np.array([[T0_US, T0_US + HOUR_US, 3.0, 0.0, 0.0], [T0_US, T0_US + HOUR_US, 1.0, 2.0, 0.0]])
    volumes.advance(x, program, np.array([[0.0, 4.0]]), boluses, T0_US + 2 * HOUR_US)
    told = totals(x)
    assert [told[name] for name in ("programmed", "bolus", "priming")] == pytest.approx([11.0, 3.0, 1.0])
    assert x[st.EXPECTED_UL] == pytest.approx(12.0)
    assert ledger.total(x, st.PROGRAMMED_UG) == pytest.approx(11.0 * 0.5)
    for given_ul, priming in ((2.0, False), (0.5, True)):
        volumes.inject(x, given_ul, priming)
    told = totals(x)
    assert [told[name] for name in ("programmed", "bolus", "priming")] == pytest.approx([13.0, 5.0, 1.5])
    assert x[st.EXPECTED_UL] == pytest.approx(14.5)
