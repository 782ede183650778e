"""The bench's own arithmetic: medians in turns, judging and writing the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.interleave import medians
from bench.report import BEGIN, END, Line, table, write


def test_ways_are_run_in_turns_and_their_medians_taken():
    """A way that is always measured second would carry what the first left behind: every other round is backwards."""
    ran: list[str] = []
    now = [0.0]

    def way(name: str, seconds: list[float]) -> None:
        ran.append(name)
        now[0] += seconds.pop(0)

    first, second = [3.0, 1.0, 2.0], [10.0, 30.0, 50.0]
    taken = medians(
        {"a": lambda: way("a", first), "b": lambda: way("b", second)}, rounds=3, clock=lambda: now[0]
    )
    assert taken == {"a": 2.0, "b": 30.0}
    assert ran == ["a", "b", "b", "a", "a", "b"]


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        (Line("x", ratio=0.7, least=0.7), True),
        (Line("x", ratio=0.69, least=0.7), False),
        (Line("x", ratio=1.3, most=1.3), True),
        (Line("x", ratio=1.31, most=1.3), False),
        (Line("x", ratio=float("inf"), most=1.0), False),
        (Line("x", ratio=float("nan"), most=1.0), False),
        (Line("x", least=0.7, why="no gcc"), False),
    ],
)
def test_a_line_holds_only_if_measured_and_within_its_target(line: Line, *, holds: bool):
    """A line that was not run, or is no number, must not pass for one that holds."""
    assert line.holds is holds
    assert ("yes" if holds else "NO") in table([line])


def test_a_line_that_was_not_run_says_why():
    """The reader of the table learns what to install or repair."""
    assert "no gcc here" in table([Line("kernels", most=1.3, why="no gcc here")])


def test_the_table_replaces_the_old_one_and_nothing_else(tmp_path: Path):
    """Writing twice leaves one table, and the page around it as it was."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(page, "| new |", "here")
    write(page, "| newer |", "there")
    assert page.read_text() == f"before\n{BEGIN}\nthere\n\n| newer |\n{END}\nafter\n"


def test_a_page_without_a_place_for_the_table_is_refused(tmp_path: Path):
    """A table that silently went nowhere would leave old numbers standing."""
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="no place"):
        write(page, "| new |", "here")
