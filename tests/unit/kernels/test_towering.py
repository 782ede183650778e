"""What stands far above all that a young pump has shown, and what a patient or a program can do."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import occlusion
from kernels import state as st
from tests.pump_signals import Floats

ONSET = 300


def levels(
    times: float,
    *,
    onset: int = ONSET,
    flows: float = 1.0,
    lasts: int = 300,
    stands: bool = False,
    noise: float = 1.0,
    scale: float = 1.0,
) -> list[int]:
    """Level at each row of a pump against 20 kPa whose pressure is multiplied from `onset` on, for `lasts` rows; its flow by `flows`."""
    rng = np.random.default_rng(3)
    x = np.full(st.SIZE, np.nan)
    for slot in (st.DRV_LEVEL, st.RST_LEVEL, st.LEAK):
        x[slot] = 0.0
    occlusion.reset(x)
    row = np.arange(onset + 600)
    on = (row >= onset) & (row < onset + lasts)
    pressure: Floats = scale * (np.where(on, 20.0 * times, 20.0) + noise * rng.standard_normal(row.size))
    said = []
    for k in row.tolist():
        x[st.DRV_LEVEL] = 2.0 if stands and k >= onset + 10 else 0.0
        asked = flows if on[k] else 1.0
        said.append(
            occlusion.occlusion_row(x, (k + 1) * 60e6, float(pressure[k]), np.nan, 100.0 * asked, np.nan)
        )
    return said


def told(said: list[int]) -> int:
    """Row of the first active level; -1 = never."""
    return said.index(2) if 2 in said else -1


@pytest.mark.parametrize("onset", [40, 100, ONSET])
def test_a_narrowing_of_the_first_hours_is_told(onset: int):
    """At the flow that was seen a pressure nine times as high as ever is resistance, told before it is learned as health."""
    assert onset + 15 <= told(levels(9.0, onset=onset)) <= onset + 40


@pytest.mark.parametrize("case", [{"times": 4.5}, {"times": 9.0, "lasts": 10}, {"times": 1.2}])
def test_what_a_body_can_do_is_none(case: dict[str, float]):
    """A first rising makes three to five times of the pressure in which a patient lay; a strain is over soon."""
    assert told(levels(case["times"], lasts=int(case.get("lasts", 300)))) == -1


@pytest.mark.parametrize("onset", [40, ONSET])
def test_a_flow_that_explains_it_is_none(onset: int):
    """Nine times the pressure at three times the flow is what a healthy line does."""
    assert told(levels(9.0, onset=onset, flows=3.0)) == -1


@pytest.mark.parametrize("onset", [34, ONSET])
def test_a_drive_that_stands_against_it_is_blocked(onset: int):
    """A stall by itself lets the pressure fall: where it stands above twice its top, the line is shut."""
    assert told(levels(2.3, onset=onset)) == -1
    assert onset + 10 <= told(levels(2.3, onset=onset, stands=True)) <= onset + 13


def test_it_ends_when_the_pressure_is_back():
    """A kink that is undone ends the alarm of a ring that was not ready when it began."""
    said = levels(9.0, onset=40, lasts=100)
    assert told(said) > 0
    assert said[-1] == 0


@pytest.mark.parametrize("scale", [2.0**-10, 2.0**20])
def test_only_ratios_decide(scale: float):
    """Pressures times a power of two change nothing."""
    assert levels(9.0, scale=scale) == levels(9.0)
