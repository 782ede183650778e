"""Which tests a kernel has: by what they import, themselves and through our test modules."""

from __future__ import annotations

import ast
from pathlib import Path

from mutation.places import ROOT

TESTS = ("tests/unit/kernels", "tests/property", "tests/golden")


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
            if path.stem == f"test_{name}":
                named.append(test)
            elif name in own:
                others.append(test)
            elif own & reached and folder == TESTS[0]:
                further.append(test)
    return [*named, *others, *further]


def test_kernels(path: Path) -> set[str]:
    """Kernels that a test imports, by itself or through our test modules that it imports."""
    used, seen, waiting = set(), set(), [path]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        used |= kernels_in(module)
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tests":
                whole = ROOT / f"{(node.module or '').replace('.', '/')}"
                waiting += [
                    one
                    for one in (whole.with_suffix(".py"), *(whole / f"{a.name}.py" for a in node.names))
                    if one.is_file()
                ]
    return used


def kernels_in(path: Path) -> set[str]:
    """Kernels that a module imports by name."""
    used = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "kernels":
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kernels."):
            used.add(str(node.module).split(".")[1])
    return used
