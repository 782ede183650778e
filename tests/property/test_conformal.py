"""Intervals of the empty time on pumps of a generator of its own: other shapes of noise, drift, strokes and fills than the simulator's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from contract.times import DAY_US
from kernels import ledger, reservoir
from kernels import state as s
from processors import conformal
from processors.conformal import Conformal
from tests.naive_reservoir import TruePump

Generator = np.random.Generator
Draw = Callable[[Generator, float], float]


@dataclass(frozen=True)
class World:
    """Where a pump lives: sds as shares of the reservoir (`stroke` of the tolerance's sd), `quantum_ml`, rows a day."""

    fill: float = 0.01
    stroke: float = 1.0
    drift: float = 0.0015
    noise: float = 0.003
    offset: float = 0.0
    quantum_ml: float = 0.0
    rows: int = 4
    days: int = 60
    level: bool = True


def laplace(rng: Generator, sd: float) -> float:
    """Heavier tails than any normal."""
    return float(rng.laplace(0.0, sd / math.sqrt(2.0)))


def uniform(rng: Generator, sd: float) -> float:
    """No tails at all."""
    return float(rng.uniform(-1.0, 1.0) * sd * math.sqrt(3.0))


class Watched:
    """A pump whose truth is known, and how its forecasts' intervals were widened or narrowed, day by day."""

    def __init__(self, world: World, seed: int, draw: Draw) -> None:
        self.world, self.draw = world, draw
        self.rng = rng = np.random.default_rng(seed)
        self.pump = TruePump(
            ratio=1.0 + draw(rng, world.stroke * 0.145 / 1.96),
            seed=seed,
            offset_ml=20.0 * draw(rng, world.offset),
            fill_error_ml=20.0 * draw(rng, world.fill),
            noise_ml=0.0,
        )
        ledger.reset(self.pump.x)
        self.ml_day = float(rng.uniform(0.1, 0.28))
        self.wander_ml = 0.0
        self.conformal = Conformal()

    def days(self) -> Iterator[int]:
        """Live on, a day at a time; the drift is a walk between two walls."""
        world, pump, x = self.world, self.pump, self.pump.x
        x[s.T_US] = 0.0
        for day in range(1, world.days + 1):
            for _ in range(world.rows):
                x[s.T_US] += DAY_US / world.rows
                pump.run(1.0 / world.rows, self.ml_day, every_h=24.0 / world.rows, sensor=False)
                ledger.add(x, s.PROGRAMMED_UL, self.ml_day * 1000.0 / world.rows)
                if world.level:
                    self._read()
            self.conformal = conformal.look(self.conformal, x, 0, day * DAY_US, stands=False)
            yield day

    def _read(self) -> None:
        wall = 20.0 * self.world.drift * math.sqrt(3.0)
        step = wall * float(self.rng.choice([-0.15, 0.15])) * math.sqrt(4.0 / self.world.rows)
        self.wander_ml = min(max(self.wander_ml + step, -wall), wall)
        read_ml = self.pump.left_ml + self.pump.offset_ml + self.wander_ml
        read_ml += self.draw(self.rng, 20.0 * self.world.noise)
        if self.world.quantum_ml:
            read_ml = round(read_ml / self.world.quantum_ml) * self.world.quantum_ml
        reservoir.level(self.pump.x, max(read_ml, 0.0))

    def model_ul(self, level: float) -> float:
        """Further programmed volume by which it is empty, as the model alone has it."""
        return float(reservoir.needed_ul(conformal.learned(self.pump.x), 0.0, level))

    def quantile_ul(self, level: float) -> float:
        """The same as it is told."""
        return self.model_ul(self.conformal.quantile(level))

    @property
    def truth_ul(self) -> float:
        """The same as it will be."""
        return 1000.0 * self.pump.left_ml / self.pump.ratio

    def held(self) -> bool:
        """Whether the truth lies between p05 and p95."""
        return self.quantile_ul(0.05) <= self.truth_ul <= self.quantile_ul(0.95)


def coverage(world: World, draw: Draw) -> tuple[float, float]:
    """(share of days on which the interval held the truth, the same for the model's own interval)."""
    ours, model = [], []
    for seed in range(60):
        watched = Watched(world, seed, draw)
        for _ in watched.days():
            ours.append(watched.held())
            low_ul, high_ul = watched.model_ul(0.05), watched.model_ul(0.95)
            model.append(low_ul <= watched.truth_ul <= high_ul)
    return float(np.mean(ours)), float(np.mean(model))


SHAPES = pytest.mark.parametrize("draw", [laplace, uniform])


@SHAPES
def test_errors_as_large_as_stated_are_covered_nine_times_in_ten(draw: Draw) -> None:
    """The model's own interval holds the truth on nearly every day; the conformal one on as many as it says."""
    ours, model = coverage(World(), draw)
    assert model > 0.97
    assert 0.86 < ours < 0.95


@SHAPES
def test_a_sensor_with_an_offset_widens_nothing(draw: Draw) -> None:
    """An offset beyond what a fill's error explains is the sensor's, and neither a miss nor a reason to narrow much."""
    ours, _ = coverage(World(offset=0.05), draw)
    assert 0.86 < ours < 0.98


@SHAPES
def test_fills_twice_as_wrong_as_stated_are_made_up_for(draw: Draw) -> None:
    """A clinic whose syringes are off by twice the stated sd: the level shows it, and the intervals grow."""
    ours, model = coverage(World(fill=0.02), draw)
    assert ours > 0.85
    assert ours > model - 0.05


@SHAPES
def test_coarse_steps_are_noise_and_no_error(draw: Draw) -> None:
    """Levels in steps of 0.5 mL, a fortieth of the reservoir: neither far too wide nor too narrow."""
    ours, _ = coverage(World(quantum_ml=0.5), draw)
    assert 0.86 < ours < 0.98


@SHAPES
def test_a_level_that_drifts_twice_as_fast_as_stated_costs_little(draw: Draw) -> None:
    """The known limit: drift that the filter takes for the stroke is no error of the volume foreseen a week ahead."""
    ours, _ = coverage(World(drift=0.003), draw)
    assert ours > 0.78


@SHAPES
def test_strokes_and_fills_better_than_stated_are_told_more_narrowly(draw: Draw) -> None:
    """Errors of half the stated size: the truth stays inside, in an interval that is a third shorter at the end."""
    world, widths = World(fill=0.004, stroke=0.5, drift=0.001), []
    for seed in range(20):
        watched = Watched(world, seed, draw)
        held = [watched.held() for _ in watched.days()]
        assert np.mean(held) > 0.5
        widths.append(watched.conformal.width)
    assert np.median(widths) < 0.67


def test_without_a_level_the_interval_stays_the_models() -> None:
    """Nothing was checked, so nothing may be narrowed: a pump that only counts its turns keeps its prior."""
    watched = Watched(World(level=False, days=30), 1, laplace)
    for _ in watched.days():
        assert watched.conformal.width == 1.0
        assert watched.quantile_ul(0.05) == watched.model_ul(0.05)


def test_the_first_days_are_told_as_the_model_says() -> None:
    """Before a forecast has met a later level there is nothing to learn from."""
    watched = Watched(World(days=1, rows=96), 2, laplace)
    for _ in watched.days():
        assert watched.conformal.width == 1.0
        assert watched.conformal.foreseen is not None


def test_a_reading_a_minute_is_checked_no_more_often_than_one_in_hours() -> None:
    """A day is one check however many readings it has, so that quick sampling is no evidence by itself."""
    for rows in (1440, 4):
        watched = Watched(World(days=6, rows=rows), 3, laplace)
        for _ in watched.days():
            pass
        changes = round((watched.conformal.miss - conformal.MISS) / (conformal.STEP * conformal.MISS))
        assert 0 <= changes <= 5
