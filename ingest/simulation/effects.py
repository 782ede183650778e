"""What is wrong with a pump, as physics: the only way by which a fault can reach a sensor."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from contract.times import DAY_US
from ingest.simulation.programs import Floats, Times

FOREVER_US: Final = 2**62
_NARROWEST: Final = 1e-3  # the last thousandth of a bore closes at once


@dataclass(frozen=True, slots=True)
class Span:
    """An effect from from_us to to_us of some size; the unit of `size` is said where the span is used."""

    from_us: int
    to_us: int
    size: float = 0.0

    def covers(self, times_us: Times) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Which of the times lie in [from_us, to_us)."""
        return (times_us >= self.from_us) & (times_us < self.to_us)


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A catheter whose bore closes from from_us over ramp_us to resistance `kpa_h_per_ul`, and opens at to_us."""

    from_us: int
    to_us: int
    ramp_us: int
    kpa_h_per_ul: float

    def resistance(self, times_us: Times, open_kpa_h_per_ul: float) -> Floats:
        """Resistance at each time: open / (1 - x)^4 (Poiseuille: the bore shrinks evenly), at most the final one."""
        done = np.clip((times_us - self.from_us) / max(self.ramp_us, 1), 0.0, 1.0)
        narrowed = open_kpa_h_per_ul / np.maximum(1.0 - done, _NARROWEST) ** 4
        final = np.maximum(self.kpa_h_per_ul, open_kpa_h_per_ul)
        narrowed = np.where(done >= 1.0, final, np.minimum(narrowed, final))
        return np.where((times_us >= self.from_us) & (times_us < self.to_us), narrowed, open_kpa_h_per_ul)


@dataclass(frozen=True, slots=True)
class Opening:
    """A line that is open from from_us to to_us into a pocket of `pocket_kpa`, behind the share `upstream` of its resistance."""

    from_us: int
    to_us: int
    pocket_kpa: float
    upstream: float

    def covers(self, times_us: Times) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Which of the times lie in [from_us, to_us)."""
        return (times_us >= self.from_us) & (times_us < self.to_us)


@dataclass(frozen=True, slots=True)
class Effects:
    """All that departs from healthy.

    stops: the rotor stands, size = motor current as a multiple of the running one. strokes: size multiplies the stroke
    ratio. inlets: size = share of the stroke that still fills. narrowings, leaks: the catheter.
    air: size = share of the stroke lost to the gas. wear: size = growth of the load per day.
    gaps: no upload. clocks: size = how far the device's clock is ahead (s). restarts: the counter begins at 0 again.
    batteries: size = voltage. blinds: the channel named in `blind_channels` is null.
    """

    stops: tuple[Span, ...] = ()
    strokes: tuple[Span, ...] = ()
    inlets: tuple[Span, ...] = ()
    narrowings: tuple[Narrowing, ...] = ()
    leaks: tuple[Opening, ...] = ()
    air: tuple[Span, ...] = ()
    wear: tuple[Span, ...] = ()
    gaps: tuple[Span, ...] = ()
    clocks: tuple[Span, ...] = ()
    batteries: tuple[Span, ...] = ()
    blinds: tuple[Span, ...] = ()
    blind_channels: tuple[str, ...] = ()
    restarts_us: tuple[int, ...] = ()
    minimum_rates: tuple[Span, ...] = ()

    def __add__(self, other: Effects) -> Effects:
        """Both together."""
        return Effects(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


def factor(spans: tuple[Span, ...], times_us: Times) -> Floats:
    """Product of the sizes of the spans that cover each time, 1 where none does."""
    product = np.ones(times_us.shape)
    for span in spans:
        product = np.where(span.covers(times_us), product * span.size, product)
    return product


def growth(spans: tuple[Span, ...], times_us: Times) -> Floats:
    """1 + size per day since each span began."""
    total = np.ones(times_us.shape)
    for span in spans:
        total = total + span.size * np.clip((times_us - span.from_us) / DAY_US, 0.0, None)
    return total
