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

    every = mutants()
    drawn = draw(every, 20, 5)
    assert drawn == draw(every, 20, 5) != draw(every, 20, 6)
    assert len({one.key for one in drawn}) == 20
    for one in drawn:
        compile(mutated(one), one.file, "exec")


def test_a_change_elsewhere_leaves_a_mutant_its_name():
    """Verdicts are kept by name: a line added above, or a constant changed, must not throw away what is known of the rest."""
    from mutation.places import Finder, named

    def keys(source: str) -> set[str]:
        finder = Finder("kernels/made_up.py", source)
        finder.visit(ast.parse(source))
        made = named(finder.found, source)
        assert len({one.key for one in made}) == len(made)
        return {one.key for one in made}

    before = keys("A = 3\ndef f(a, b):\n    a += b\n    a += b\n    return a < b\n")
    after = keys("A = 5\nC = 0\ndef f(a, b):\n    a += b\n    a += b\n\n    return a < b\n")
    assert {key for key in before if ":f:" in key} == {key for key in after if ":f:" in key} != set()


def test_a_kernel_is_asked_of_its_own_tests_first():
    """The tests named after a file come first, then those that reach it through another kernel or a test module."""
    from mutation.tests_of import relevant

    asked = relevant("kernels/ledger.py")
    assert asked[0] == "tests/unit/kernels/test_ledger.py"
    assert "tests/property/test_dose.py" in asked


def test_a_verdict_holds_while_what_it_rests_on_is_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A kill rests on the file, its imports and the test that killed; a survivor on all its tests, those added later too."""
    from mutation import tests_of, trial

    for name, text in {
        "kernels/used.py": "A = 1",
        "kernels/pump.py": "from kernels import used",
        "kernels/other.py": "B = 1",
        "tests/unit/kernels/test_pump.py": "from kernels import pump",
        "tests/unit/kernels/test_rest.py": "from kernels import pump, other",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(tests_of, "ROOT", tmp_path)

    def verdict(how: str, tests: list[str]) -> trial.Verdict:
        rest = trial.rests_on("kernels/pump.py", tests)
        return trial.Verdict(how, "", rest, tests_of.digest(rest))

    killed = verdict("killed", ["tests/unit/kernels/test_pump.py"])
    survived = verdict("survived", tests_of.relevant("kernels/pump.py"))

    def holding() -> tuple[bool, bool]:
        return killed.holds("kernels/pump.py"), survived.holds("kernels/pump.py")

    assert holding() == (True, True)
    (tmp_path / "kernels/other.py").write_text("B = 2")
    assert holding() == (True, True)
    (tmp_path / "tests/unit/kernels/test_new.py").write_text("from kernels import pump")
    assert holding() == (True, False)
    (tmp_path / "kernels/used.py").write_text("A = 2")
    assert holding() == (False, False)
