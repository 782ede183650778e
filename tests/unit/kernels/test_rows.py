"""The row loop: signals that can be told apart, rates over the time since the last row, each channel to its own detector."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import dose, pulses, step
from kernels import state as st

T0_US = 1_770_000_000_000_000
PERIOD_US = 900_000_000


def fold(
    columns: np.ndarray, rate_ul_h: float = 4.0, stamps: np.ndarray | None = None
) -> tuple[np.ndarray, list]:
    """Fold rows of a steady pump; the state and (row, code, level) of every signal."""
    x = step.fresh()
    x[st.RESERVOIR_ML], x[st.MAX_RATE_UL_H], x[st.T_US] = 20.0, 1000.0, T0_US
    program, schedule = np.zeros(pulses.PROGRAM_SIZE), np.array([[0.0, rate_ul_h]])
    program[pulses.MODE], program[pulses.AT_US] = dose.CONTINUOUS, T0_US
    n = columns.shape[1]
    if stamps is None:
        stamps = T0_US + PERIOD_US * np.arange(1, n + 1)
    signals, told, row = np.empty((step.SIGNALS, step.SIGNAL_SIZE)), [], 0
    while row < n:
        sources = np.zeros(n, dtype=np.int64)
        row = step.rows(x, program, schedule, np.empty((0, 5)), stamps, sources, columns, row, n, signals)
        told += [tuple(one) for one in signals[signals[:, 0] >= 0.0]]
    return x, told


def blank(n: int) -> np.ndarray:
    return np.full((13, n), np.nan)


def test_no_two_signals_share_a_code() -> None:
    """Two detectors of one code would raise each other's alert; a code past the array's rows has no room."""
    codes = [
        step.OCCLUSION, step.STALL, step.LEAK, step.STARVATION, step.AIR, step.WEAR, step.LEVEL, step.RESTART,
        step.FILL, step.HEALTH, step.CHANNELS,
    ]  # fmt: skip
    assert sorted(codes) == list(range(step.SIGNALS))


def test_a_row_signals_once_and_names_itself() -> None:
    """The device's own word makes a stall pending at its first row, active at its second, each told at that row."""
    columns = blank(12)
    columns[12] = [0.0] * 6 + [1.0] * 6
    _, told = fold(columns)
    assert told == [(6.0, step.STALL, 1.0), (7.0, step.STALL, 2.0)]


@pytest.mark.parametrize("twice", [False, True])
def test_the_flow_that_detectors_see_is_volume_over_the_time_since_the_last_row(twice: bool) -> None:  # noqa: FBT001
    """1 uL a quarter of an hour is 4 uL/h of 4 uL/h programmed; a row at the same instant as the last adds no flow."""
    columns = blank(40)
    columns[0] = np.arange(40) * 1.0
    columns[3] = 2.0 + 0.1 * np.random.default_rng(0).standard_normal(40)
    stamps = T0_US + PERIOD_US * np.arange(1, 41)
    if twice:
        columns = np.repeat(columns, 2, axis=1)
        stamps = np.repeat(stamps, 2)
    x, told = fold(columns, stamps=stamps)
    assert not told
    assert x[st.OCC_SENSED_MEAN] == pytest.approx(1.0, rel=1e-9)
    assert x[st.SENSING_ROWS] == x[st.ROWS] == columns.shape[1]


@pytest.mark.parametrize(
    ("column", "slot"),
    [
        (3, st.OCC_LAST_KPA),
        (4, st.STARVATION + st.LOW_SUM),
        (5, st.DRV_MA_MEAN),
        (1, st.DRV_FLOW_MEAN),
        (0, st.DRV_ANCHOR_UL),
        (2, st.RES_LEVEL_UL),
    ],
)
def test_each_channel_reaches_its_own_detector(column: int, slot: int) -> None:
    """One channel alone is known to the detector that lives on it; without it the detector knows nothing."""
    for given in (True, False):
        columns = blank(2)
        if given:
            columns[column] = [7.0, 7.25]
        x, _ = fold(columns)
        assert (not np.isnan(x[slot]) and x[slot] != 0.0) == given
