"""An evaluation as pictures: reliability, delays, confusion, each one SVG file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from contract.errors import UnusableInputError
from thecaflow.evaluation.calibration import QUANTILES
from thecaflow.evaluation.result import Evaluation
from thecaflow.evaluation.tables import columns_of, seconds
from thecaflow.svg import COLOURS, HEAD_X, picture

SIDE: Final = 420
LEFT: Final = HEAD_X
TOP: Final = 40


def write(result: Evaluation, folder: Path) -> list[Path]:
    """Write every picture into the folder; UnusableInputError where that can't be done."""
    drawn = {
        "reliability.svg": reliability(result),
        "delays.svg": delays(result),
        "confusion.svg": confusion(result),
    }
    paths = [folder / name for name in drawn]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, drawn.values(), strict=True):
            path.write_text(content, encoding="utf-8")
    except OSError as failed:
        raise UnusableInputError(f"can't write pictures into {folder}: {failed.strerror}") from failed
    return paths


def reliability(result: Evaluation) -> str:
    """How often the truth came by each quantile, and how often a pump was dry before its alarm, against what was said."""
    parts = [_square(said="said", came="came true")]
    for level, found in zip(QUANTILES, result.forecasts.quantiles, strict=True):
        if found.value is None:
            continue
        x, y = _place(level, found.value)
        if found.lo is not None and found.hi is not None:
            low, high = _place(level, found.lo)[1], _place(level, found.hi)[1]
            parts.append(f'<line class="ours" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        parts.append(f'<circle class="ours" cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
    most = max((count for count, _, _ in result.forecasts.bins), default=0)
    for count, chance, came in result.forecasts.bins:
        if count:
            x, y = _place(chance, came)
            size = 3.0 + 6.0 * math.sqrt(count / most)
            parts.append(
                f'<rect class="other" fill-opacity="0.6" x="{x - size / 2:.1f}" y="{y - size / 2:.1f}" '
                f'width="{size:.1f}" height="{size:.1f}"><title>{count} forecasts</title></rect>'
            )
    parts.append(_legend((("ours", "empty time: p05, p50, p95"), ("other", "dry before the device's alarm"))))
    return picture("Reliability of forecasts", SIDE + LEFT + 30, SIDE + TOP + 76, parts)


def delays(result: Evaluation) -> str:
    """Share of a cause's faults named by a time after the onset; a line that ends below 1 has missed the rest."""
    curves = [(one, result.delays_s[one.cause]) for one in result.causes if one.faults]
    positive = [max(delay, 1.0) for _, found in curves for delay in found]
    low = 10.0 ** math.floor(math.log10(min(positive, default=1.0)))
    high = max(*positive, 10.0 * low) if positive else 10.0 * low
    parts = []
    for share in range(0, 11, 2):
        y = TOP + SIDE * (1.0 - share / 10)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + SIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share / 10:g}</text>')
    span = math.log(high / low)
    for at_s in (1.0, 60.0, 3600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0):
        if low <= at_s <= high:
            x = LEFT + SIDE * math.log(at_s / low) / span
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + SIDE}"/>')
            parts.append(
                f'<text x="{x:.1f}" y="{TOP + SIDE + 18}" text-anchor="middle">{seconds(at_s)}</text>'
            )
    for number, (one, found) in enumerate(curves):
        colour, dashes = COLOURS[number % len(COLOURS)], number // len(COLOURS)
        dashed = f' stroke-dasharray="{4 * dashes} 3"' if dashes else ""
        steps = [f"M{LEFT} {TOP + SIDE}"]
        for place, delay in enumerate(found, start=1):
            x = LEFT + SIDE * max(math.log(max(delay, low) / low), 0.0) / span
            steps.append(f"H{x:.1f}V{TOP + SIDE * (1.0 - place / one.faults):.1f}")
        steps.append(f"H{LEFT + SIDE}")
        parts.append(f'<path stroke="{colour}"{dashed} d="{"".join(steps)}"/>')
        y = TOP + 14 + 17 * number
        parts.append(f'<path stroke="{colour}"{dashed} d="M{LEFT + SIDE + 14} {y - 4}h24"/>')
        parts.append(
            f'<text x="{LEFT + SIDE + 44}" y="{y}">{escape(one.cause)} ({len(found)} of {one.faults})</text>'
        )
    height = max(SIDE + TOP + 40, TOP + 30 + 17 * len(curves))
    return picture("Named within", SIDE + LEFT + 290, height, parts)


def confusion(result: Evaluation) -> str:
    """Labelled cause (rows) against what was said first (columns), as shares of the row."""
    rows = list(result.confusion)
    columns = columns_of(result)
    cell, margin, head = 34, 150, 150
    parts = []
    for place, name in enumerate(columns):
        x = margin + place * cell + cell / 2
        parts.append(f'<text transform="translate({x + 4:.0f} {head - 8}) rotate(-60)">{escape(name)}</text>')
    for line, cause in enumerate(rows):
        y = head + line * cell
        total = sum(result.confusion[cause].values())
        parts.append(f'<text x="{margin - 8}" y="{y + 21}" text-anchor="end">{escape(cause)}</text>')
        for place, name in enumerate(columns):
            count = result.confusion[cause].get(name, 0)
            fill = "#0072b2" if name == cause else "#d55e00"
            share = count / max(total, 1)
            parts.append(
                f'<rect x="{margin + place * cell}" y="{y}" width="{cell - 2}" height="{cell - 2}" fill="{fill}" '
                f'fill-opacity="{0.03 + 0.9 * share:.2f}"/>'
            )
            if count:
                ink = ' style="fill:#fff"' if share > 0.5 else ""
                parts.append(
                    f'<text x="{margin + place * cell + cell / 2 - 1:.0f}" y="{y + 21}" text-anchor="middle"{ink}>'
                    f"{count}</text>"
                )
    width, height = margin + len(columns) * cell + 90, head + len(rows) * cell + 16
    return picture("What was said first", width, height, parts)


def _place(said: float, came: float) -> tuple[float, float]:
    return LEFT + SIDE * said, TOP + SIDE * (1.0 - came)


def _square(*, said: str, came: str) -> str:
    parts = []
    for tenth in range(0, 11, 2):
        x, y = _place(tenth / 10, tenth / 10)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + SIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tenth / 10:g}</text>')
        parts.append(f'<text x="{x:.1f}" y="{TOP + SIDE + 16}" text-anchor="middle">{tenth / 10:g}</text>')
    parts.append(f'<line class="ideal" x1="{LEFT}" y1="{TOP + SIDE}" x2="{LEFT + SIDE}" y2="{TOP}"/>')
    parts.append(f'<text x="{LEFT + SIDE / 2}" y="{TOP + SIDE + 34}" text-anchor="middle">{said}</text>')
    parts.append(
        f'<text transform="translate(14 {TOP + SIDE / 2}) rotate(-90)" text-anchor="middle">{came}</text>'
    )
    return "".join(parts)


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    y = TOP + SIDE + 60
    drawn = []
    for number, (style, words) in enumerate(entries):
        x = LEFT + number * 200
        drawn.append(f'<circle class="{style}" cx="{x}" cy="{y - 4}" r="5"/>')
        drawn.append(f'<text x="{x + 12}" y="{y}">{escape(words)}</text>')
    return "".join(drawn)
