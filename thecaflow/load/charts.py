"""Line charts as SVG: drawn here, with classes for colours, so that a page needs nothing from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from thecaflow.svg import round_step

WIDTH: Final = 860
HEIGHT: Final = 276
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 28, 34


@dataclass(frozen=True, slots=True)
class Curve:
    """A named line; None leaves a gap. `style` is one of the page's colour classes, `dashed` a second run's."""

    name: str
    style: str
    points: Sequence[tuple[float, float | None]]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """The vertical axis: linear from 0, or logarithmic (then what is not above 0 is a gap)."""

    unit: str
    log: bool = False


def line_chart(title: str, axis: Axis, curves: Sequence[Curve], shaded_until_s: float = 0.0) -> str:
    """Return a chart over seconds; the part up to `shaded_until_s` (a warm-up) is shaded."""
    longest_s = max((at_s for curve in curves for at_s, _ in curve.points), default=1.0) or 1.0
    levels = [
        level
        for curve in curves
        for _, level in curve.points
        if level is not None and (level > 0 or not axis.log)
    ]
    ticks = _log_ticks(levels) if axis.log else _linear_ticks(max(levels, default=1.0))
    scale = _Scale(longest_s, ticks[0], ticks[-1], axis.log)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" class="chart">',
        f"<title>{escape(title)}</title>",
    ]
    if shaded_until_s > 0:
        parts.append(
            f'<rect class="warm" x="{LEFT}" y="{TOP}" width="{scale.x(shaded_until_s) - LEFT:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"/>'
        )
    for tick in ticks:
        y = scale.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,g}</text>')
    for at_s in _linear_ticks(longest_s, most=8):
        if at_s <= longest_s:
            x = scale.x(at_s)
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{at_s:g} s</text>'
            )
    parts.append(f'<text class="tick" x="{LEFT - 6}" y="12" text-anchor="end">{escape(axis.unit)}</text>')
    parts += [_path(curve, scale) for curve in curves]
    parts.append("</svg>")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Scale:
    longest_s: float
    low: float
    high: float
    log: bool

    def x(self, at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at_s / self.longest_s

    def y(self, level: float) -> float:
        if self.log:
            share = math.log(level / self.low) / math.log(self.high / self.low)
        else:
            share = (level - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _path(curve: Curve, scale: _Scale) -> str:
    steps, drawing = [], False
    for at_s, level in curve.points:
        if level is None or (scale.log and level <= 0):
            drawing = False
            continue
        steps.append(f"{'L' if drawing else 'M'}{scale.x(at_s):.1f} {scale.y(level):.1f}")
        drawing = True
    dashed = " dashed" if curve.dashed else ""
    return f'<path class="curve {curve.style}{dashed}" d="{"".join(steps)}"/>'


def _linear_ticks(most_level: float, most: int = 6) -> list[float]:
    """Round steps from 0 to the first that is not below the level."""
    if most_level <= 0:
        return [0.0, 1.0]
    step = round_step(most_level, most)
    return [number * step for number in range(math.ceil(most_level / step * 0.999) + 1)]


def _log_ticks(levels: Sequence[float]) -> list[float]:
    """Powers of ten around the levels."""
    if not levels:
        return [1.0, 10.0]
    first = math.floor(math.log10(min(levels)))
    last = max(math.ceil(math.log10(max(levels))), first + 1)
    return [10.0**power for power in range(first, last + 1)]
