"""Where kernels can be mutated, and to what."""

from __future__ import annotations

import ast
import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = ("__init__.py", "state.py")
SKIPPED_FUNCTIONS = ("warm",)
COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
}
OPERATORS: dict[type[ast.operator], tuple[str, ...]] = {
    ast.Add: ("-",),
    ast.Sub: ("+",),
    ast.Mult: ("/",),
    ast.Div: ("*",),
    ast.FloorDiv: ("*",),
    ast.Mod: ("*",),
    ast.Pow: ("*",),
}
NAMES = {"min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """One change: characters `begin`..`end` of a file become `after`, in `function` (empty: a constant of the module)."""

    file: str
    function: str
    line: int
    begin: int
    end: int
    before: str
    after: str
    key: str = ""  # by function and text, not by place: it stays the same while other lines change


class Finder(ast.NodeVisitor):
    """Finds every mutant of one file."""

    def __init__(self, file: str, source: str) -> None:
        self.file, self.source = file, source
        self.starts = [0]
        for text in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(text))
        self.function = ""
        self.found: list[Mutant] = []

    def at(self, line: int, column: int) -> int:
        """Place in the file of a place that ast gives, whose columns count bytes."""
        start = self.starts[line - 1]
        text = self.source[start : self.starts[line]]
        return start + len(text.encode()[:column].decode())

    def add(self, line: int, begin: int, end: int, after: str) -> None:
        """Take note of one mutant."""
        before = self.source[begin:end]
        self.found.append(Mutant(self.file, self.function, line, begin, end, before, after))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Go into the body only: decorators and annotations are no behaviour."""
        if node.name not in SKIPPED_FUNCTIONS:
            self.function = node.name
            for statement in node.body:
                self.visit(statement)
            self.function = ""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """A constant's value counts, its annotation does not."""
        if node.value is not None:
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Docstrings are no behaviour."""
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Another number: one more, twice as much, the other sign, none."""
        number = node.value
        if isinstance(number, bool) or not isinstance(number, int | float):
            return
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin, end = self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)
        changed = (
            (number + 1, number - 1) if isinstance(number, int) else (number * 2, number / 2, number + 1.0)
        )
        for other in changed:
            if other != number:
                self.add(node.lineno, begin, end, f"({other!r})" if other < 0 else repr(other))

    def visit_Compare(self, node: ast.Compare) -> None:
        """Shift a boundary, or turn a comparison round."""
        left: ast.expr = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            self.between(left, right, COMPARISONS.get(type(operator), ()))
            left = right
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Another arithmetic operator."""
        self.between(node.left, node.right, OPERATORS.get(type(node.op), ()))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """And for or, or for and."""
        for left, right in zip(node.values[:-1], node.values[1:], strict=True):
            self.between(left, right, ("or",) if isinstance(node.op, ast.And) else ("and",))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """`+=` for `-=` and so on."""
        self.between(node.target, node.value, tuple(f"{sign}=" for sign in OPERATORS.get(type(node.op), ())))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Min for max."""
        if isinstance(node.func, ast.Name) and node.func.id in NAMES:
            begin = self.at(node.func.lineno, node.func.col_offset)
            self.add(node.func.lineno, begin, begin + len(node.func.id), NAMES[node.func.id])
        self.generic_visit(node)

    def between(self, left: ast.expr, right: ast.expr, others: tuple[str, ...]) -> None:
        """Replace the operator that stands between two expressions."""
        assert left.end_lineno is not None
        assert left.end_col_offset is not None
        begin, end = self.at(left.end_lineno, left.end_col_offset), self.at(right.lineno, right.col_offset)
        gap = self.source[begin:end]
        sign = gap.strip(" ()\\\n\t")
        if "#" in sign or not sign:
            return
        place = begin + gap.index(sign)
        for other in others:
            self.add(left.end_lineno, place, place + len(sign), other)


def mutants() -> list[Mutant]:
    """Every mutant that there is, in the order of files and places."""
    found: list[Mutant] = []
    for path in sorted((ROOT / "kernels").glob("*.py")):
        if path.name not in SKIPPED:
            source = path.read_text(encoding="utf-8")
            finder = Finder(f"kernels/{path.name}", source)
            finder.visit(ast.parse(source))
            found += named(finder.found, source)
    return found


def named(found: list[Mutant], source: str) -> list[Mutant]:
    """The mutants of a file with their keys: the line without its indent, the column in it, and which of those that are alike."""
    lines, alike, keyed = source.splitlines(keepends=True), Counter[str](), []
    starts = [0, *itertools.accumulate(map(len, lines))]
    for one in found:
        text = lines[one.line - 1]
        column = one.begin - starts[one.line - 1] - (len(text) - len(text.lstrip()))
        key = f"{one.file}:{one.function}:{text.strip()}:{column}:{one.before}->{one.after}"
        alike[key] += 1
        keyed.append(replace(one, key=f"{key}:{alike[key]}"))
    return keyed


def draw(every: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """Draw mutants that are still Python, in the order of files and places.

    Drawn by a hash of seed and key, so that a change elsewhere leaves the others drawn.
    """
    shuffled = sorted(every, key=lambda one: hashlib.sha256(f"{seed}:{one.key}".encode()).digest())
    drawn = list(itertools.islice(filter(compiles, shuffled), count))
    return sorted(drawn, key=lambda one: (one.file, one.begin, one.after))


def compiles(one: Mutant) -> bool:
    """Whether the mutant is still Python; what is not would be killed by nobody's merit."""
    try:
        compile(mutated(one), one.file, "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def mutated(one: Mutant, root: Path = ROOT) -> str:
    """The file with its change."""
    source = (root / one.file).read_text(encoding="utf-8")
    return source[: one.begin] + one.after + source[one.end :]
