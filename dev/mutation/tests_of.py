"""Which tests a kernel has, which files a verdict rests on: by what they import, themselves and through our test modules."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from mutation.places import ROOT

TESTS = ("tests/unit/kernels", "tests/property", "tests/golden")
FOLD = "tests/unit/processors"  # asked for what joins the kernels and has no tests of its own name


def relevant(file: str) -> list[str]:
    """Test files of a kernel: those named after it, then those of the kernels that reach it, the quickest to tell first."""
    name = Path(file).stem
    reached = {name}
    imports = {path.stem: kernels_in(path) for path in (ROOT / "kernels").glob("*.py")}
    while more := {user for user, used in imports.items() if used & reached} - reached:
        reached |= more
    named, others, further = [], [], []
    for folder in TESTS:
        for path in sorted((ROOT / folder).glob("test_*.py")):
            test = path.relative_to(ROOT).as_posix()
            own = test_kernels(path)
            if path.stem.startswith(f"test_{name}"):
                named.append(test)
            elif name in own:
                others.append(test)
            elif own & reached and folder == TESTS[0]:
                further.append(test)
    if not named:
        further += [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / FOLD).glob("test_*.py"))]
    return [*named, *others, *further]


def kernel_files(file: str) -> set[str]:
    """A kernel and the kernels that it imports, directly or not."""
    found, waiting = set(), [Path(file).stem]
    while waiting:
        name = waiting.pop()
        path = ROOT / "kernels" / f"{name}.py"
        if name not in found and path.is_file():
            found.add(name)
            waiting += kernels_in(path)
    return {f"kernels/{name}.py" for name in found}


def test_files(test: str) -> set[str]:
    """A test file and our test modules that it imports, directly or not."""
    return {path.relative_to(ROOT).as_posix() for path in test_modules(ROOT / test)}


def test_kernels(path: Path) -> set[str]:
    """Kernels that a test imports, by itself or through our test modules that it imports."""
    return set().union(*(kernels_in(module) for module in test_modules(path)))


@cache
def test_modules(path: Path) -> frozenset[Path]:
    """A test file and our test modules that it imports, directly or not."""
    seen, waiting = set(), [path]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tests":
                whole = ROOT / f"{(node.module or '').replace('.', '/')}"
                waiting += [
                    one
                    for one in (whole.with_suffix(".py"), *(whole / f"{a.name}.py" for a in node.names))
                    if one.is_file()
                ]
    return frozenset(seen)


@cache
def kernels_in(path: Path) -> frozenset[str]:
    """Kernels that a module imports by name."""
    used = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "kernels":
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kernels."):
            used.add(str(node.module).split(".")[1])
    return frozenset(used)


def digest(files: Iterable[str], root: Path | None = None) -> str:
    """Of names and contents, in our tree or in a copy of it; a file that is gone counts as another content."""
    total = hashlib.sha256()
    for file in sorted(files):
        path = (root or ROOT) / file
        total.update(file.encode() + b"\0" + (path.read_bytes() if path.is_file() else b"gone") + b"\0")
    return total.hexdigest()[:16]
