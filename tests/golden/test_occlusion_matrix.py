"""Full blocks from 0.1 to 24 mL a day and 1 to 21 uL/kPa, through the whole fold, and controls that are never blocked."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from thecaflow.evaluation import occlusion_matrix

LATE: Final = 1.5  # times the bar: what one pump a corner may be late by chance


@pytest.fixture(scope="module")
def corners() -> list[occlusion_matrix.Cell]:
    """One pump and its control at every corner."""
    return list(occlusion_matrix.cells(20_260_101, seeds=1))


def test_no_control_is_said_to_be_blocked(corners: list[occlusion_matrix.Cell]) -> None:
    """The same body, sensor and program without a block raise nothing, nor does a pump before its block."""
    assert sum(corner.false for corner in corners) == 0


def test_a_block_is_told_near_the_bar_where_physics_allows_it(corners: list[occlusion_matrix.Cell]) -> None:
    """A tenth of the time to the limit, or the earliest withdrawal: where enough rows and a rise above the body's own fit in."""
    owed = [corner for corner in corners if corner.reason() is None]
    assert len(owed) >= 15
    late = [corner for corner in owed if corner.delays_h[0] >= LATE * corner.bar_h]
    assert not late
    assert np.mean([corner.in_time for corner in owed]) > 0.8


def test_every_block_is_told_and_the_rest_say_how_far(corners: list[occlusion_matrix.Cell]) -> None:
    """No corner is silent, and one that is late has its reason in the table."""
    assert all(np.isfinite(corner.delays_h[0]) for corner in corners)
    hard = next(one for one in corners if one.flow_ml_day == 24.0 and one.period_min == 15)
    assert "rows away" in str(hard.reason())
    assert occlusion_matrix.table(corners).row_count == len(corners)
