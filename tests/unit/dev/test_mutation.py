"""The mutation test's own parts: which changes it makes, and which tests it asks."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch):
    """The parts are a package of the folder dev."""
    monkeypatch.syspath_prepend(str(ROOT / "dev"))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "mutation"]:
        del sys.modules[name]


def changes(source: str) -> set[tuple[str, str]]:
    """Every (before, after) that is found in a piece of code."""
    from mutation.places import Finder

    finder = Finder("kernels/made_up.py", source)
    finder.visit(ast.parse(source))
    return {(one.before, one.after) for one in finder.found}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("a < b", {("<", "<="), ("<", ">=")}),
        ("a == b", {("==", "!=")}),
        ("(a) + (b)", {("+", "-")}),
        ("a += b", {("+=", "-=")}),
        ("a and b or c", {("and", "or"), ("or", "and")}),
        ("min(a, b)", {("min", "max")}),
        ("x = 3", {("3", "4"), ("3", "2")}),
        ("x = 0.5", {("0.5", "1.0"), ("0.5", "0.25"), ("0.5", "1.5")}),
        ("x = True", set()),
    ],
)
def test_a_place_is_changed_to_its_neighbours(source: str, wanted: set[tuple[str, str]]):
    """Constants, comparisons and their boundaries, operators, and/or, min/max: each to what a slip would make of it."""
    assert changes(source) == wanted


def test_what_is_no_behaviour_is_left_alone():
    """Docstrings, annotations, decorators and warm() decide nothing, so a mutant there would survive for nothing."""
    source = '@njit(cache=1)\ndef f(x: Final[1]) -> Array[2]:\n    """3 < 4."""\n    return x\n\ndef warm():\n    return 5\n'
    assert changes(source) == set()


def test_a_mutant_differs_in_its_place_alone():
    """Columns are bytes to the parser and characters in a file: an accent before the place must not shift it."""
    from mutation.places import Finder

    source = 's = "é"; x = a < 7\n'
    finder = Finder("kernels/made_up.py", source)
    finder.visit(ast.parse(source))
    made = {source[: one.begin] + one.after + source[one.end :] for one in finder.found}
    assert 's = "é"; x = a <= 7\n' in made
    assert 's = "é"; x = a < 8\n' in made


def test_drawn_mutants_are_python_and_the_same_again():
    """A seed stands for its mutants; one that does not compile would be killed by nobody's merit."""
    from mutation.places import draw, mutants, mutated

    every = mutants("drive.py")
    drawn = draw(every, 20, 5)
    assert drawn == draw(every, 20, 5) != draw(every, 20, 6)
    assert len({one.key for one in drawn}) == 20
    for one in drawn:
        compile(mutated(one), one.file, "exec")


def test_a_kernel_is_asked_of_its_own_tests_first():
    """The tests named after a file come first, then those that reach it through another kernel or a test module."""
    from mutation.tests_of import relevant

    asked = relevant("kernels/ledger.py")
    assert asked[0] == "tests/unit/kernels/test_ledger.py"
    assert "tests/property/test_dose.py" in asked
