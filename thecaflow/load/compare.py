"""Two load reports side by side, with ratios."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from thecaflow.load.report import LoadReport

WIDTH = 120


@dataclass(frozen=True, slots=True)
class Row:
    """One line: texts of both, and `second / first` where both are numbers and the first is not 0."""

    name: str
    first: str
    second: str
    ratio: float | None


def rows(first: LoadReport, second: LoadReport) -> list[Row]:
    """Return the lines: first what was asked for, then what came of it."""
    return [
        _row(name, one, other)
        for (name, one), (_, other) in zip(_contents(first), _contents(second), strict=True)
    ]


def comparison_table(first: LoadReport, second: LoadReport, names: tuple[str, str]) -> str:
    """Return the lines as a table for a terminal."""
    table = Table(title="load runs compared", title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("ratio", justify="right")
    for row in rows(first, second):
        table.add_row(row.name, row.first, row.second, ratio_in_words(row.ratio))
    console = Console(file=io.StringIO(), width=WIDTH)
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip("\n")


def ratio_in_words(ratio: float | None) -> str:
    """A ratio as people write it; nothing where there is none."""
    return "" if ratio is None else f"{ratio:.2f}x"


def _contents(report: LoadReport) -> Sequence[tuple[str, str | float | None]]:
    plan, frames, found = report.plan, report.frames, report.found
    latencies = {
        "accept": report.accept,
        "received to committed": report.commit,
        "due to committed": report.whole,
    }
    return [
        ("run", report.run),
        ("began", report.began[:19] + "Z"),
        ("note", report.note),
        ("finished", "yes" if report.finished else "no"),
        ("thecaflow", report.versions.thecaflow),
        ("processor", report.machine.processor),
        ("cores", report.machine.cores),
        ("planned frames/s", plan.rate_frames_s),
        ("samples a frame", plan.samples),
        ("pumps", plan.pumps),
        ("frames a post", plan.frames_a_post),
        ("seconds", report.seconds),
        ("acknowledged frames/s", report.rate_frames_s),
        *(
            (f"{name} {share} ms", getattr(times, f"{share}_ms"))
            for name, times in latencies.items()
            for share in ("p50", "p90", "p99", "max")
        ),
        ("lag, mean records", report.lag.mean),
        ("lag, most records", report.lag.max),
        ("lag bounded", "yes" if report.lag.bounded else "no"),
        ("seconds to drain", report.lag.drained_s),
        ("late posts", report.posts.late),
        ("refused frames", frames.refused),
        ("unanswered frames", frames.unanswered),
        ("frames not sent", frames.unsent),
        ("quarantined", frames.quarantined),
        ("lost", None if found is None else found.lost),
        ("machine busy", report.machine_busy),
        ("sender's cores", report.own_cores),
    ]


def _row(name: str, first: str | float | None, second: str | float | None) -> Row:
    ratio = None
    if isinstance(first, int | float) and isinstance(second, int | float) and first:
        ratio = second / first
    return Row(name, _text(first), _text(second), ratio)


def _text(content: str | float | None) -> str:
    if content is None:
        return "unknown"
    if isinstance(content, str):
        return content
    if isinstance(content, int) or abs(content) >= 100:
        return f"{content:,.0f}"
    return f"{content:.3g}"
