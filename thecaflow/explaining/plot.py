"""An account as a plot: the channels that tell of the cause, its thresholds, its score, the onset, the alarm, the harm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.times import format_us
from dashboards.console.pages.evidence import split_unit
from dashboards.console.pages.plots import CHANNEL_WORDS
from dashboards.console.pages.words import number
from thecaflow import svg
from thecaflow.explaining.account import Account, column
from thecaflow.explaining.quantity import Quantity
from thecaflow.explaining.text import headline

WIDTH: Final = 960
LEFT: Final = 72
RIGHT: Final = 16
TOP: Final = 66
HEIGHT: Final = 120
GAP: Final = 44
BUCKETS: Final = 400
_MOST_PANELS: Final = 5
_INK: Final = svg.COLOURS[0]
_MARKS: Final = {"onset": ("#555", "6 3"), "alarm": ("#b00020", ""), "ended": ("#555", "2 3")}


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a panel: times in us, numbers, NaN where there is none; `look`: a colour, dashed or not."""

    words: str
    at_us: NDArray[np.int64]
    numbers: NDArray[np.float64]
    colour: str
    dashed: bool = True


@dataclass(frozen=True, slots=True)
class Panel:
    """What shares one vertical axis. `least`, `greatest`: band of the channel's readings in each bucket."""

    title: str
    curves: Sequence[Curve]
    band: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]] | None = None
    levels: Sequence[tuple[str, float]] = field(default=())

    def bounds(self) -> tuple[float, float]:
        """Least and greatest number drawn, a little air around."""
        columns = [curve.numbers for curve in self.curves]
        columns += list(self.band[1:]) if self.band else []
        columns.append(np.array([level for _, level in self.levels]))
        told = np.concatenate(columns)
        known = told[np.isfinite(told)]
        low, high = float(known.min()), float(known.max())
        air = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        return low - air, high + air


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where a time stands."""

    from_us: int
    to_us: int

    def x(self, at_us: float) -> float:
        share = (at_us - self.from_us) / (self.to_us - self.from_us)
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(share, 0.0), 1.0)

    def holds(self, at_us: int) -> bool:
        return self.from_us <= at_us <= self.to_us


def drawn(account: Account) -> str:
    """Return the whole picture as one SVG file."""
    panels = panels_of(account)
    axis = _Axis(*account.moments.view_us)
    bottom = TOP + max(len(panels), 1) * (HEIGHT + GAP) - GAP
    parts = [*_harm(account, axis, bottom)]
    if not panels:
        parts.append(
            f'<text x="{LEFT}" y="{TOP + 40}">No channel that tells of this cause reported here.</text>'
        )
    for place, panel in enumerate(panels):
        parts += _panel(panel, axis, TOP + place * (HEIGHT + GAP))
    parts += _marks(account, axis, bottom)
    parts += _times(axis, bottom)
    title = f"{headline(account)} (alert {account.last.alert_id})"
    return svg.picture(title, WIDTH, bottom + 50, parts)


def panels_of(account: Account) -> list[Panel]:
    """One panel a channel that reported in the view, and one for each score with a threshold."""
    told = (_channel(account, name) for name in account.channels)
    panels = [panel for panel in told if panel is not None]
    scores = [quantity for quantity in account.quantities if quantity.alarm_from is not None]
    panels = panels[: _MOST_PANELS - len(scores)]
    for quantity in scores:
        curve = _traced(account, quantity, _INK, dashed=False)
        if curve is not None and quantity.alarm_from is not None:
            panels.append(Panel(quantity.words, [curve], levels=[("alarm from", quantity.alarm_from)]))
    return panels


def _channel(account: Account, name: str) -> Panel | None:
    from_us, to_us = account.moments.view_us
    rows_us = account.items.rows_us
    start, stop = np.searchsorted(rows_us, [from_us, to_us + 1], side="left").tolist()
    at_us, readings = rows_us[start:stop], column(account.items, name)[start:stop]
    known = ~np.isnan(readings)
    if not known.any():
        return None
    at_us, least, mean, greatest = bucketed(at_us[known], readings[known], from_us, to_us)
    unit = split_unit(name)[1]
    curves = [Curve("mean", at_us, mean, _INK, dashed=False)]
    drawn_on = [quantity for quantity in account.quantities if quantity.channel == name]
    for place, quantity in enumerate(drawn_on):
        colour = svg.COLOURS[1 + place % (len(svg.COLOURS) - 1)]
        if (curve := _traced(account, quantity, colour)) is not None:
            curves.append(curve)
    title = CHANNEL_WORDS[name] + (f", {unit}" if unit else "")
    return Panel(title, curves, (at_us, least, greatest))


def bucketed(
    at_us: NDArray[np.int64], readings: NDArray[np.float64], from_us: int, to_us: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (time, least, mean, greatest) in each of BUCKETS equal parts of the span that holds a reading."""
    place = ((at_us - from_us) * BUCKETS // max(to_us - from_us, 1)).astype(np.int64)
    starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
    counts = np.diff(np.r_[starts, len(at_us)])
    middle = at_us[starts] + (at_us[starts + counts - 1] - at_us[starts]) // 2
    least, greatest = np.minimum.reduceat(readings, starts), np.maximum.reduceat(readings, starts)
    return middle, least, np.add.reduceat(readings, starts) / counts, greatest


def _traced(account: Account, quantity: Quantity, colour: str, *, dashed: bool = True) -> Curve | None:
    """Return what a quantity was over the view; None where it was never known."""
    at_us = np.array([at for at, _ in account.trace], dtype=np.int64)
    told = [quantity.of(x) for _, x in account.trace]
    numbers = np.array([np.nan if one is None else one for one in told])
    return Curve(quantity.words, at_us, numbers, colour, dashed) if np.isfinite(numbers).any() else None


# ------------------------------------------------------------------------------------------------------ drawing


def _panel(panel: Panel, axis: _Axis, top: float) -> list[str]:
    low, high = panel.bounds()

    def y(level: float) -> float:
        return top + HEIGHT * (1.0 - (level - low) / (high - low))

    parts = [f'<text class="head" x="{LEFT}" y="{top - 20}">{escape(panel.title)}</text>']
    step = svg.round_step(high - low, 4)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    parts += [_tick(float(tick), y(float(tick))) for tick in ticks]
    if panel.band is not None:
        at_us, least, greatest = panel.band
        edge = [f"{axis.x(at):.1f} {y(level):.1f}" for at, level in zip(at_us, greatest, strict=True)]
        edge += [
            f"{axis.x(at):.1f} {y(level):.1f}" for at, level in zip(at_us[::-1], least[::-1], strict=True)
        ]
        parts.append(f'<path style="fill:{_INK};fill-opacity:0.18;stroke:none" d="M{"L".join(edge)}Z"/>')
    legend_x = float(LEFT)
    for curve in panel.curves:
        parts.append(_path(curve, axis, y))
        if len(panel.curves) > 1:
            parts.append(
                f'<text x="{legend_x:.0f}" y="{top - 5}" style="fill:{curve.colour}">{escape(curve.words)}</text>'
            )
            legend_x += 7.0 * len(curve.words) + 18.0
    for words, level in panel.levels:
        parts.append(
            f'<path stroke="#b00020" stroke-dasharray="5 3" d="M{LEFT} {y(level):.1f}H{WIDTH - RIGHT}"/>'
            f'<text x="{WIDTH - RIGHT}" y="{y(level) - 4:.1f}" text-anchor="end">{escape(words)} {number(level)}</text>'
        )
    return parts


def _tick(level: float, y: float) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(number(level, 4))}</text>'
    )


def _path(curve: Curve, axis: _Axis, y: Callable[[float], float]) -> str:
    steps, drawing = [], False
    for at_us, level in zip(curve.at_us.tolist(), curve.numbers.tolist(), strict=True):
        if not np.isfinite(level):
            drawing = False
            continue
        steps.append(f"{'L' if drawing else 'M'}{axis.x(at_us):.1f} {y(level):.1f}")
        drawing = True
    dashed = ' stroke-dasharray="6 3"' if curve.dashed else ""
    return f'<path stroke="{curve.colour}"{dashed} d="{"".join(steps)}"/>'


def _harm(account: Account, axis: _Axis, bottom: float) -> list[str]:
    """The time in which harm is expected, shaded behind everything; beyond the view it is said."""
    harm = next((line.harm_at for line in reversed(account.found.lines) if line.harm_at), None)
    if harm is None or harm.lo_us is None:
        return []
    kind = account.harm_words
    if harm.lo_us > axis.to_us:
        words = f"{kind} from {_clock(harm.lo_us)}, beyond the right edge"
        return [f'<text x="{WIDTH - RIGHT}" y="40" text-anchor="end">{escape(words)}</text>']
    left = axis.x(harm.lo_us)
    right = axis.x(axis.to_us if harm.hi_us is None else harm.hi_us)
    shade = (
        f'<rect x="{left:.1f}" y="{TOP - 32}" width="{max(right - left, 1.0):.1f}" height="{bottom - TOP + 32}" '
        f'fill="#b00020" fill-opacity="0.08"><title>{escape(kind)} expected</title></rect>'
    )
    words = f"{kind} expected in the shaded time"
    return [shade, f'<text x="{WIDTH - RIGHT}" y="40" text-anchor="end">{escape(words)}</text>']


def _marks(account: Account, axis: _Axis, bottom: float) -> list[str]:
    """Upright lines at the onset, the alarm and the end; a mark that would hide the one before stands higher."""
    moments = account.moments
    marks = {"onset": moments.onset_us, "alarm": moments.alarm_us, "ended": moments.ended_us}
    parts, last_x = [], -1e9
    for name, at_us in marks.items():
        if at_us is None or not axis.holds(at_us):
            continue
        colour, dashes = _MARKS[name]
        x = axis.x(at_us)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        row = bottom + (44 if x - last_x < 40 else 32)
        parts.append(f'<path stroke="{colour}"{dashed} d="M{x:.1f} {TOP - 4}V{bottom + 20}"/>')
        parts.append(f'<text x="{x:.1f}" y="{row}" text-anchor="middle" style="fill:{colour}">{name}</text>')
        last_x = x
    return parts


def _times(axis: _Axis, bottom: float) -> list[str]:
    """Seven times along the bottom, each to the second where the view is short, to the minute else."""
    parts = []
    for at_us in np.linspace(axis.from_us, axis.to_us, 7)[:-1].astype(np.int64).tolist():
        words = _clock(at_us, seconds=axis.to_us - axis.from_us < 3_600_000_000)
        parts.append(
            f'<line class="axis" x1="{axis.x(at_us):.1f}" x2="{axis.x(at_us):.1f}" y1="{bottom}" y2="{bottom + 5}"/>'
        )
        parts.append(f'<text x="{axis.x(at_us):.1f}" y="{bottom + 18}" text-anchor="start">{words}</text>')
    return parts


def _clock(at_us: int, *, seconds: bool = False) -> str:
    text = format_us(at_us)
    return f"{text[:10]} {text[11 : 19 if seconds else 16]}"
