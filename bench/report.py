"""The lines of `make bench`: what each of them holds, how they are printed, and how they get into docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BEGIN = "<!-- bench: begin, written by `python -m bench --write` -->"
END = "<!-- bench: end -->"
HEADER = ("line", "ours", "reference", "ratio", "target", "holds")


@dataclass(frozen=True, slots=True)
class Line:
    """One promise and what was measured of it.

    Parameters
    ----------
    ours, reference
        Both sides as a person reads them, with their units; `reference` is empty where the target is absolute.
    ratio
        The number that `least` or `most` judges; None if it could not be measured, and `why` says so.
    """

    name: str
    ours: str = ""
    reference: str = ""
    ratio: float | None = None
    least: float | None = None
    most: float | None = None
    unit: str = "x"
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether it was measured and is within its target."""
        if self.ratio is None:
            return False
        return (self.least is None or self.ratio >= self.least) and (
            self.most is None or self.ratio <= self.most
        )

    @property
    def target(self) -> str:
        """The promise in words."""
        if self.least is not None:
            return f">= {self.least:g}{self.unit}"
        return f"<= {self.most:g}{self.unit}"

    def fields(self) -> dict[str, Any]:
        """The line as JSON holds it, for the process that prints the table."""
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """The line as the table shows it."""
        if self.ratio is None:
            return (self.name, "not run", self.why, "", self.target, "NO")
        return (
            self.name,
            self.ours,
            self.reference,
            f"{self.ratio:.3g}{self.unit}",
            self.target,
            "yes" if self.holds else "NO",
        )


def table(lines: Sequence[Line]) -> str:
    """All lines as one Markdown table with aligned columns."""
    cells = [HEADER, *(line.cells() for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADER))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def write(page: Path, table_text: str, circumstances: str) -> None:
    """Put the table into `page` between its two marks. ValueError if it has none."""
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page} has no place for the table: it needs the lines {BEGIN!r} and {END!r}")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    page.write_text(f"{head}{BEGIN}\n{circumstances}\n\n{table_text}\n{END}{tail}", encoding="utf-8")
