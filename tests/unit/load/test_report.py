"""The report: what is counted where, the JSON's schema, the words, the pages, two reports side by side."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import msgspec
import pytest

from contract.errors import UnusableInputError
from tests.unit.load.runs import PLAN, filled, made
from thecaflow.cli import run
from thecaflow.load import report
from thecaflow.load.charts import HEIGHT, Axis, Curve, line_chart
from thecaflow.load.compare import rows
from thecaflow.load.html import comparison_page, page
from thecaflow.load.ledger import Interval
from thecaflow.load.report import LoadReport
from thecaflow.load.tables import summary


def test_the_warm_up_is_counted_but_not_in_the_percentiles():
    """The refused post and the slow answers of the first five seconds are in the counts only."""
    said = made()
    assert (said.frames.due, said.frames.accepted, said.frames.quarantined, said.frames.refused) == (
        250,
        239,
        1,
        10,
    )
    assert said.accept.count == 200
    assert said.accept.max_ms == pytest.approx(100.0)
    assert said.rate_frames_s == 10.5, (
        "210 answers in 20 s: ten are of the warm-up's last frames, and were late"
    )
    assert said.reasons == {"503 queue-full": 10}
    assert [point.warm_up for point in said.points] == [True, False, False, False, False]
    assert said.points[0].accept.max_ms == pytest.approx(1000.0)


def test_answers_count_where_they_were_due_and_rates_when_they_came():
    """The frames due at 4 s of the warm-up, answered at 5 s, are in the next interval's rate."""
    ledger = filled()
    assert [interval.answered for _, interval in sorted(ledger.intervals.items())] == [30, 60, 50, 50, 50]
    assert [sum(interval.fates.values()) for _, interval in sorted(ledger.intervals.items())] == [50] * 5


@pytest.mark.parametrize(
    ("lags", "drained_s", "bounded"),
    [
        ([5, 5, 6, 5, 5], 0.1, True),
        ([0, 15, 30, 45, 60], 9.0, False),
        ([5, 5, 6, 5, 5], None, False),
        ([], 0.1, True),
    ],
)
def test_a_lag_that_grows_or_never_ends_is_not_bounded(
    lags: list[int], drained_s: float | None, *, bounded: bool
):
    """Ten frames a second: growth by 20 records is two seconds' worth."""
    judged = report.lag_of(PLAN, [Interval(lag_end=lag, lag_max=lag) for lag in lags], drained_s)
    assert judged.bounded is bounded
    if lags:
        assert judged.growth == pytest.approx(lags[-1] - lags[0])


def test_the_json_is_of_its_schema_and_reads_back():
    """Whoever keeps reports for years has a schema to check them by."""
    said = made(note="quiet")
    encoded = said.encoded()
    jsonschema.validate(json.loads(encoded), msgspec.json.schema(LoadReport))
    assert msgspec.json.decode(encoded, type=LoadReport) == said


@pytest.mark.parametrize("text", ["", "{}", '{"format": "thecaflow-load-2"}', "\x00"])
def test_other_files_are_refused_in_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A report of another version, or none at all."""
    wrong = tmp_path / "wrong.json"
    wrong.write_text(text)
    with pytest.raises(UnusableInputError, match="no load report"):
        LoadReport.read(wrong)
    assert run(["load", "--compare", str(wrong), str(wrong)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_words_say_what_was_lost():
    """The line that everything is for."""
    assert "0 of 720 acknowledged events, by their ids" in summary(made())
    told = summary(made(lost=2))
    assert "2 of 720" in told
    assert "such as load-x, load-x" in told
    assert not made(lost=2).sound
    assert made().sound
    assert not msgspec.structs.replace(made(), found=None).sound


class _Reader(HTMLParser):
    """Notes tags that are not closed, and everything that would be fetched."""

    EMPTY = frozenset({"meta", "rect", "line", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [str(text) for name, text in attrs if name in {"src", "href", "srcset"}]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "text", [page(made(note="<script>x</script>")), comparison_page(made(), made("b"), ("a", "b"))]
)
def test_the_pages_stand_by_themselves(text: str):
    """Well-formed, nothing fetched, no script, colours for dark and light, a named chart for each quantity."""
    read = _Reader(text)
    assert read.open == []
    assert read.fetched == []
    assert "script" not in read.tags
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text
    assert len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]+"', text)) == 5
    assert not re.search(r"\bnan\b|\binf\b", text.lower())


def test_a_note_and_a_machine_are_text_in_the_page():
    """They come from a command line and a file of the system."""
    text = page(made(note="<i>"))
    assert "&lt;i&gt;" in text
    assert "any &lt;b&gt;" in text


def test_two_runs_side_by_side_with_ratios(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Twice as slow is 2.00x; what is no number has no ratio."""
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, said in zip(paths, (made("aaaaaa"), made("bbbbbb", answer_s=0.2)), strict=True):
        path.write_bytes(said.encoded())
    assert run(["load", "--compare", *map(str, paths), "--report", str(tmp_path / "both")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"accept p50 ms\s+│\s+100\s+│\s+200\s+│\s+2.00x", told)
    assert re.search(r"run\s+│\s+aaaaaa\s+│\s+bbbbbb\s+│\s+│", told)
    assert (tmp_path / "both" / "compare.html").read_text().startswith("<!doctype html>")


def test_a_ratio_to_nothing_is_none():
    """0 refused before and 5 after is no multiple."""
    assert {row.name: row.ratio for row in rows(made(), made())}["unanswered frames"] is None


def test_a_chart_has_gaps_where_nothing_was_measured():
    """A line drawn through an interval without answers would show a latency that nobody saw."""
    svg = line_chart(
        "x", Axis("ms", log=True), [Curve("p50", "c1", [(0, 10.0), (5, None), (10, 20.0), (15, 0.0)])]
    )
    [drawn] = re.findall(r'<path class="curve c1" d="([^"]*)"', svg)
    assert (drawn.count("M"), drawn.count("L")) == (2, 0)


@pytest.mark.parametrize("levels", [[], [0.0], [1e-6, 1e6], [7.0, 7.0]])
@pytest.mark.parametrize("log", [False, True])
def test_a_chart_of_anything_is_a_chart(levels: list[float], *, log: bool):
    """Empty, flat, wide: coordinates are finite and inside."""
    svg = line_chart("x", Axis("", log=log), [Curve("a", "c1", list(enumerate(levels)))])
    for y in re.findall(r' y1="([^"]+)"', svg):
        assert 0 <= float(y) <= HEIGHT
