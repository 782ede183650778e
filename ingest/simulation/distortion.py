"""What sensors and links do to a recording, whatever the pump does.

Correlated noise, drift, quanta, spikes, frozen and missing readings, ripple, duty-cycled sampling: independent of makes of
pumps and of anything that reads the recording.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.times import SECOND_US
from ingest.simulation.clock import stream
from ingest.simulation.effects import Span
from ingest.simulation.programs import Floats, Times

_VOLUMES: Final = ("delivered_ul", "reservoir_ml")  # never negative by contract


@dataclass(frozen=True, slots=True)
class Bent:
    """What is done to one channel, in this order. A size of 0 leaves it alone.

    gain: factor. ripple, ripple_s: a sine of that share of the reading's scale and that period. noise_sd: of the sum of
    AR(1) processes whose memories are `memories` rows (none: white; several a factor 4 apart: close to 1/f). drift: added
    over the whole run. spike_share, spike: share of rows with an outlier, and its size. quantum: rounding.
    """

    gain: float = 1.0
    ripple: float = 0.0
    ripple_s: float = 60.0
    noise_sd: float = 0.0
    memories: tuple[float, ...] = ()
    drift: float = 0.0
    spike_share: float = 0.0
    spike: float = 0.0
    quantum: float = 0.0


@dataclass(frozen=True, slots=True)
class Distortion:
    """All channels of one pump; frozen, blank: (channel, span). Rows are taken only in the first `on_us` of `every_us`."""

    bent: tuple[tuple[str, Bent], ...] = ()
    frozen: tuple[tuple[str, Span], ...] = ()
    blank: tuple[tuple[str, Span], ...] = ()
    every_us: int = 0
    on_us: int = 0

    def kept(self, rows_us: Times) -> NDArray[np.bool_]:
        """Which rows are taken at all."""
        if not self.every_us:
            return np.ones(rows_us.shape, np.bool_)
        return rows_us % self.every_us < self.on_us


class Distorter:
    """Distorts the columns of one pump as they are read, in order; noise and frozen readings carry over from call to call."""

    def __init__(
        self,
        distortion: Distortion,
        read: Callable[[Times], dict[str, Floats]],
        seed: int,
        pump_index: int,
        span: tuple[int, int],
    ) -> None:
        """`read` gives the true columns; `span`: first and last time of the run, us."""
        self._distortion, self._read, self._span = distortion, read, span
        self._rng = {name: stream(seed, pump_index, f"distort {name}") for name, _ in distortion.bent}
        self._carried: dict[tuple[str, int], float] = {}
        self._last: dict[str, float] = {}

    def read(self, rows_us: Times) -> dict[str, Floats]:
        """Columns float64[n] as reported, at the ascending row times."""
        columns = self._read(rows_us)
        for name, bent in self._distortion.bent:
            if name in columns:
                columns[name] = self._bend(name, bent, rows_us, columns[name])
        for name, span in self._distortion.frozen:
            if name in columns:
                columns[name] = self._freeze(name, span, rows_us, columns[name])
        for name, span in self._distortion.blank:
            if name in columns:
                columns[name] = np.where(span.covers(rows_us), np.nan, columns[name])
        for name, column in columns.items():
            self._last[name] = float(column[-1])
        return columns

    def _bend(self, name: str, bent: Bent, rows_us: Times, column: Floats) -> Floats:
        rng = self._rng[name]
        column = column * bent.gain
        if bent.ripple:
            phase = (rows_us - self._span[0]) / (bent.ripple_s * SECOND_US)
            column = column + bent.ripple * np.sin(2.0 * math.pi * phase)
        if bent.noise_sd:
            column = column + self._noise(name, bent, rng, rows_us.size)
        if bent.drift:
            column = column + bent.drift * (rows_us - self._span[0]) / (self._span[1] - self._span[0])
        if bent.spike_share:
            struck = rng.random(rows_us.size) < bent.spike_share
            column = column + struck * bent.spike * rng.standard_normal(rows_us.size)
        if bent.quantum:
            column = np.round(column / bent.quantum) * bent.quantum
        return np.maximum(column, 0.0) if name in _VOLUMES else column

    def _noise(self, name: str, bent: Bent, rng: np.random.Generator, count: int) -> Floats:
        if not bent.memories:
            return bent.noise_sd * rng.standard_normal(count)
        total = np.zeros(count)
        for place, memory in enumerate(bent.memories):
            keep = math.exp(-1.0 / memory)
            share = bent.noise_sd / math.sqrt(len(bent.memories)) * math.sqrt(1.0 - keep**2)
            begun = self._carried.get((name, place), 0.0)
            steps = (share * rng.standard_normal(count)).tolist()
            series = list(accumulate(steps, _keeping(keep), initial=begun))
            self._carried[name, place] = series[-1]
            total += series[1:]
        return total

    def _freeze(self, name: str, span: Span, rows_us: Times, column: Floats) -> Floats:
        covered = span.covers(rows_us)
        if not covered.any():
            return column
        first = int(np.argmax(covered))
        held = float(column[first - 1]) if first else self._last.get(name, float(column[0]))
        return np.where(covered, held, column)


def _keeping(keep: float) -> Callable[[float, float], float]:
    """One step of an AR(1) process."""
    return lambda last, new: last * keep + new
