"""A report as one page of HTML: no script, nothing from elsewhere, readable in the dark and in the light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import jinja2
from markupsafe import Markup

from thecaflow.load.charts import Axis, Curve, line_chart
from thecaflow.load.compare import ratio_in_words, rows
from thecaflow.load.plan import LATE_S
from thecaflow.load.report import BOUNDED_WITHIN_S, LoadReport, Point
from thecaflow.load.tables import busy_in_words, in_words
from thecaflow.load.watch import READ_EVERY_S

_templates: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("thecaflow.load", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """How one quantity is drawn: its name, its colour class, how it is read off a point."""

    name: str
    style: str
    of: Callable[[Point], float | None]


@dataclass(frozen=True, slots=True)
class _Chart:
    title: str
    axis: Axis
    quantities: Sequence[_Drawn]


@dataclass(frozen=True, slots=True)
class _Figure:
    """A chart as the template takes it."""

    title: str
    legend: Sequence[tuple[str, str]]
    svg: Markup


_MS: Final = Axis("ms", log=True)
_CHARTS: Final = (
    _Chart("Accept latency: from a frame's due time to the gateway's answer", _MS, [
        _Drawn("p50", "c1", lambda point: point.accept.p50_ms),
        _Drawn("p90", "c2", lambda point: point.accept.p90_ms),
        _Drawn("p99", "c3", lambda point: point.accept.p99_ms),
        _Drawn("max", "c4", lambda point: point.accept.max_ms),
    ]),
    _Chart("Commit latency: from the gateway's received to the frame's row in the database", _MS, [
        _Drawn("p50", "c1", lambda point: point.commit.p50_ms),
        _Drawn("p90", "c2", lambda point: point.commit.p90_ms),
        _Drawn("p99", "c3", lambda point: point.commit.p99_ms),
        _Drawn("max", "c4", lambda point: point.commit.max_ms),
    ]),
    _Chart("Lag: records acknowledged and not yet in the database", Axis("records"), [
        _Drawn("most in the interval", "c4", lambda point: point.lag_max),
        _Drawn("at its end", "c1", lambda point: point.lag_end),
    ]),
    _Chart("Rates", Axis("frames/s"), [
        _Drawn("acknowledged", "c1", lambda point: point.answered_frames_s),
        _Drawn("committed", "c3", lambda point: point.committed_frames_s),
    ]),
    _Chart("Busy processor time", Axis("%"), [
        _Drawn("machine", "c1", lambda point: None if point.machine_busy is None else 100 * point.machine_busy),
        _Drawn("sender, of one core", "c3", lambda point: 100 * point.own_cores),
    ]),
)  # fmt: skip


def page(report: LoadReport) -> str:
    """Return load.html."""
    return _templates.get_template("load.html.j2").render(
        report=report,
        figures=[_figure(chart, [(report, False)]) for chart in _CHARTS],
        in_words=in_words,
        busy=busy_in_words(report.machine_busy),
        late_ms=LATE_S * 1000,
        read_ms=READ_EVERY_S * 1000,
        bounded_s=BOUNDED_WITHIN_S,
    )


def comparison_page(first: LoadReport, second: LoadReport, names: tuple[str, str]) -> str:
    """Return compare.html: the first run's curves whole, the second's dashed."""
    return _templates.get_template("compare.html.j2").render(
        names=names,
        rows=rows(first, second),
        ratio=ratio_in_words,
        figures=[_figure(chart, [(first, False), (second, True)]) for chart in _CHARTS],
    )


def _figure(chart: _Chart, runs: Sequence[tuple[LoadReport, bool]]) -> _Figure:
    curves = [
        Curve(
            quantity.name,
            quantity.style,
            [(point.at_s + report.plan.interval_s / 2, quantity.of(point)) for point in report.points],
            dashed,
        )
        for report, dashed in runs
        for quantity in chart.quantities
    ]
    warm_up_s = min(report.plan.warm_up_s for report, _ in runs)
    legend = [(quantity.name, quantity.style) for quantity in chart.quantities]
    svg = line_chart(chart.title, chart.axis, curves, warm_up_s)
    return _Figure(chart.title, legend, Markup(svg))  # noqa: S704 - numbers and our own words, escaped where they are put in
