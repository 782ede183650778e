"""Channels that come, go, hang and come back: the kernel against its slow twin, row by row."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import channels, drive, step
from kernels import state as st
from tests.naive_channels import Counter, Level, NoisyChannel, time_of_rows_us

Floats = NDArray[np.float64]
SEEDS = range(200, 216)
ROWS = 1000
SIZE_ML = 20.0


def spells(
    rng: np.random.Generator, share: float, hours: tuple[float, ...], every_h: float
) -> NDArray[np.bool_]:
    """Spells of given lengths that begin at random, about `share` of the time."""
    on = np.zeros(ROWS, dtype=bool)
    while on.mean() < share:
        at = int(rng.integers(ROWS))
        on[at : at + max(1, round(float(rng.choice(hours)) / every_h))] = True
    return on


def drawn_channel(rng: np.random.Generator, rate_ul_h: Floats, every_h: float) -> Floats:
    """One of the ways in which sensors live: noise, coarse steps, what only follows the program; with spells of stillness and silence."""
    scale = float(rng.choice([1e-3, 1.0, 1e4]))
    match int(rng.integers(5)):
        case 0:
            readings = rate_ul_h.copy()
        case 1:
            readings = np.round(rng.normal(0.0, 0.4, ROWS)) + 3.0
        case _:
            readings = rng.normal(0.0, 1.0, ROWS)
    still = spells(rng, float(rng.choice([0.0, 0.15, 0.3])), (0.5, 2.0, 5.0, 14.0, 30.0, 50.0), every_h)
    for row in np.flatnonzero(still)[1:].tolist():
        readings[row] = readings[row - 1]
    silent = spells(rng, float(rng.choice([0.0, 0.1, 0.2])), (0.2, 3.0, 6.0, 9.0, 20.0), every_h)
    readings[silent & (rng.random(ROWS) < 0.98)] = np.nan
    readings[rng.random(ROWS) < 0.005] = rng.choice([np.inf, 0.0])
    if rng.random() < 0.15:
        readings[: int(rng.integers(ROWS))] = np.nan
    return readings * scale


def drawn(seed: int) -> dict[str, Floats]:
    """A recording: row times, program, named causes, and 13 columns."""
    rng = np.random.default_rng(seed)
    every_h = float(rng.choice([0.1, 0.25, 1.0]))
    gaps = rng.choice(
        [0.0, 1.0, 1.5, 3.0, 3.5, 5.0, 40.0], ROWS, p=[0.02, 0.88, 0.03, 0.02, 0.02, 0.02, 0.01]
    )
    rate = np.where(spells(rng, 0.3, (8.0, 24.0), every_h), 4.0, 6.0)
    rate[spells(rng, 0.05, (4.0, 12.0), every_h)] = 0.0
    columns = np.full((13, ROWS), np.nan)
    for column in (1, 3, 4, 5, 7, 8):
        if rng.random() < 0.85:
            columns[column] = drawn_channel(rng, rate, every_h)
    quantum_ml = float(rng.choice([1e-6, 0.02, 0.2]))
    fallen_ml = np.cumsum(gaps * every_h * np.where(np.arange(ROWS) % 3 == 0, 4.0, 5.0)) / 1000.0
    level = np.round((18.0 - fallen_ml * rng.choice([1.0, 3.0])) / quantum_ml) * quantum_ml
    columns[2] = np.where(np.isnan(drawn_channel(rng, rate, every_h)), np.nan, level)
    for row in np.flatnonzero(spells(rng, 0.3, (3.0, 10.0, 40.0), every_h))[1:].tolist():
        columns[2, row] = columns[2, row - 1]
    counter = np.floor(np.cumsum(gaps * every_h * rate))
    for row in np.flatnonzero(spells(rng, 0.3, (6.5, 20.0, 60.0), every_h))[1:].tolist():
        counter[row] = counter[row - 1]
    columns[2, rng.random(ROWS) < 0.01] = np.inf
    columns[0] = np.where(np.isnan(drawn_channel(rng, rate, every_h)), np.nan, counter)
    named = np.where(spells(rng, 0.1, (2.0, 8.0), every_h), rng.choice([1.0, 2.0], ROWS), 0.0)
    return {
        "period_us": np.array([every_h * 3.6e9]),
        "gaps": gaps,
        "rate": rate,
        "columns": columns,
        "named": named,
        "left": np.where(spells(rng, 0.05, (6.0, 12.0), every_h), 0.04999, 0.05001),
        "by": rng.choice([st.OCCLUSION_LEVEL, st.STALL_LEVEL, st.LEAK, st.STARVATION], ROWS).astype(float),
    }


class Twin:
    """All channels of a pump."""

    def __init__(self) -> None:
        self.noisy = [NoisyChannel() for _ in range(channels.NOISY)]
        self.level, self.counter = Level(), Counter()
        self.rate = math.nan

    @property
    def lost(self) -> int:
        """Bits of what is null, and above them of what is stuck."""
        every: list[NoisyChannel | Level | Counter] = [*self.noisy, self.level, self.counter]
        return sum(one.presence.lost << bit | one.stuck << bit + len(every) for bit, one in enumerate(every))

    def row(
        self, x: Floats, column: Floats, step_us: float, asked_ul: float, mean: float, rate: float
    ) -> None:
        """Take a row, what other kernels have learned from `x`."""
        alike = abs(mean - rate) <= 0.01 * rate
        steady = alike and abs(self.rate - rate) <= 0.01 * rate
        self.rate = rate if alike else math.nan
        held = not asked_ul > 0.0 or 2.0 in x[[st.OCCLUSION_LEVEL, st.STALL_LEVEL, st.LEAK, st.STARVATION]]
        both = [one for one in column[7:9].tolist() if not math.isnan(one)]
        readings = [column[1], column[3], column[4], column[5], sum(both) if both else math.nan]
        for one, reading in zip(self.noisy, readings, strict=True):
            one.row(float(reading), step_us, steady=steady, held=held)
        self.level.row(
            float(column[2]), step_us, asked_ul, held=held, left=float(x[st.RES_V_UL]) / (1000.0 * SIZE_ML),
            quantum_ul=float(x[st.RES_QUANTUM_UL]), size_ml=SIZE_ML,
        )  # fmt: skip


@cache
def both(seed: int) -> tuple[list[int], list[int], Floats, Twin]:
    """What the kernel and the twin say is lost after each row, the kernel's state and the twin in the end."""
    told, twin, x = drawn(seed), Twin(), step.fresh()
    x[st.RESERVOIR_ML] = SIZE_ML
    period_us, ours, theirs = float(told["period_us"][0]), [], []
    for row in range(ROWS):
        since_us = float(told["gaps"][row]) * period_us if row else math.nan
        mean, rate = float(told["rate"][max(row - 1, 0)]), float(told["rate"][row])
        asked_ul = mean * since_us / 3.6e9 if row else 0.0
        x[[st.OCCLUSION_LEVEL, st.STALL_LEVEL, st.LEAK, st.STARVATION]] = 0.0
        x[int(told["by"][row])] = told["named"][row]
        x[st.RES_V_UL] = told["left"][row] * 1000.0 * SIZE_ML
        column = told["columns"][:, row]
        step_us = time_of_rows_us(since_us, period_us)
        track = x[st.DRV_COUNTER : st.DRV_COUNTER + 6].copy()
        twin.row(x, column, step_us, asked_ul, mean, rate)
        known = track[drive.MOVED] >= drive.LEARNED and track[drive.HABIT_UL] > 0.0
        twin.counter.row(
            float(column[0]), step_us, standing_us=float(track[drive.READINGS]) * period_us,
            habits=float(track[drive.ASKED_UL] / track[drive.HABIT_UL]) if known else 0.0,
            stall=bool(x[st.STALL_LEVEL] == 2.0),
        )  # fmt: skip
        channels.channels_row(x, told["columns"], row, since_us, period_us, asked_ul, mean, rate)
        ours.append(int(x[st.CH_LOST]))
        theirs.append(twin.lost)
        if math.isfinite(column[2]):
            x[st.RES_LEVEL_UL] = column[2] * 1000.0
        drive.stall_row(x, float(row), column[0], np.nan, np.nan, np.nan, np.nan, asked_ul, rate)
    return ours, theirs, x, twin


@pytest.mark.parametrize("seed", SEEDS)
def test_equals_the_slow_twin(seed: int) -> None:
    """What is lost after every row, and in the end what was learned of each channel's life and runs."""
    ours, theirs, x, twin = both(seed)
    first = next(
        (row for row, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other), None
    )
    assert first is None, (first, ours[first - 1 : first + 1], theirs[first - 1 : first + 1])
    for number, one in enumerate(twin.noisy):
        at = st.CH_NOISY + number * channels.SIZE
        learned = (one.quantum, one.habit_us, one.presence.age_us)
        assert x[[at + channels.QUANTUM, at + channels.HABIT_US, at + channels.AGE_US]] == pytest.approx(
            learned
        )
    assert x[st.CH_LEVEL_HABIT_UL] == pytest.approx(twin.level.habit_ul)


def test_the_recordings_lose_every_channel_both_ways_and_have_most_back() -> None:
    """Without losses and returns the twin would show nothing."""
    gone, back = 0, 0
    for seed in SEEDS:
        ours = both(seed)[0]
        for before, after in zip([0, *ours], ours, strict=False):
            gone |= after & ~before
            back |= before & ~after
    assert gone == back == (1 << 2 * channels.CHANNELS) - 1
