"""What the detectors know, as pages show it: the numbers behind an alert, and what can be seen of each cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contract.facts import Readiness


@dataclass(frozen=True, slots=True)
class Section:
    """A part of an explanation: rows of cells, with heads where it is a table of several columns."""

    title: str
    rows: Sequence[Sequence[str]]
    heads: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The same that `thecaflow explain` tells: sections, and a plot as one SVG file. `refused`: why there is none."""

    sections: Sequence[Section] = ()
    picture: str = ""
    refused: str = ""


class Detection(Protocol):
    """Asks the detectors by what is stored; the composition root knows how."""

    async def explanation(self, pump: str, alert_id: str) -> Explanation:
        """Return the numbers that made an alert; raises UnreachableError."""

    async def readiness(self, pump: str) -> Sequence[Readiness]:
        """Return what can be seen of each cause that needs a channel, as last judged; raises UnreachableError."""
