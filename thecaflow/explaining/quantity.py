"""One number of a detector, in words: where it stands in a pump's vector, its unit, what it is to the decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float64]
"""float64[512] of kernels.state."""
Role: TypeAlias = Literal["measured", "habit", "threshold", "score"]
TIME = "time"
"""The unit of a time, microseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """`alarm_from`: the score from which it is an alarm; `channel`: whose plot it is drawn on, in the channel's unit.

    `field`: where the alert's own evidence states it, since no vector holds it (an upload, a clock, a program of last year).
    """

    words: str
    unit: str
    role: Role
    read: Callable[[Vector], float]
    alarm_from: float | None = None
    channel: str | None = None
    field: str | None = None

    def of(self, x: Vector) -> float | None:
        """The number in this vector; None where it is not known."""
        with np.errstate(all="ignore"):
            told = float(self.read(x))
        return told if np.isfinite(told) else None

    def stated(self, evidence: Mapping[str, Any]) -> float | None:
        """The number in an alert's evidence; None where it does not say it."""
        told = evidence.get(self.field or "")
        return float(told) if isinstance(told, int | float) and np.isfinite(told) else None


def slot(number: int, factor: float = 1.0) -> Callable[[Vector], float]:
    """Read one slot, times a factor."""
    return lambda x: factor * float(x[number])


def ratio(over: int, under: int) -> Callable[[Vector], float]:
    """Read one slot as a share of another."""
    return lambda x: float(np.divide(x[over], x[under]))


def root(number: int) -> Callable[[Vector], float]:
    """Read the root of a slot: a standard deviation from a variance."""
    return lambda x: float(np.sqrt(x[number]))


def measured(
    words: str, unit: str, read: int | Callable[[Vector], float], *, channel: str | None = None
) -> Quantity:
    """What the pump shows now."""
    return _quantity(words, unit, "measured", read, channel=channel)


def habit(
    words: str, unit: str, read: int | Callable[[Vector], float], *, channel: str | None = None
) -> Quantity:
    """What it usually shows."""
    return _quantity(words, unit, "habit", read, channel=channel)


def threshold(
    words: str, unit: str, read: int | Callable[[Vector], float], *, channel: str | None = None
) -> Quantity:
    """What is beyond its habit."""
    return _quantity(words, unit, "threshold", read, channel=channel)


def stated(words: str, unit: str, field: str) -> Quantity:
    """What the alert itself states in its evidence."""
    return Quantity(words=words, unit=unit, role="measured", read=lambda _: np.nan, field=field)


def score(
    words: str, read: int | Callable[[Vector], float], alarm_from: float | None = None, unit: str = ""
) -> Quantity:
    """The residual that decides."""
    return _quantity(words, unit, "score", read, alarm_from=alarm_from)


def _quantity(
    words: str,
    unit: str,
    role: Role,
    read: int | Callable[[Vector], float],
    *,
    alarm_from: float | None = None,
    channel: str | None = None,
) -> Quantity:
    reader = slot(read) if isinstance(read, int) else read
    return Quantity(words=words, unit=unit, role=role, read=reader, alarm_from=alarm_from, channel=channel)
