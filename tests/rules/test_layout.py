"""What no tracked file may contain, and what every test must have."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split("\0")
FILES = [ROOT / name for name in TRACKED if name and (ROOT / name).is_file()]
PACKAGES = ("contract", "ingest", "kernels", "processors", "storage", "dashboards", "thecaflow")
# The patterns are put together here, so that this file does not contain what it forbids.
MACHINE_PATH = re.compile(
    r"(?<![\w.$}/-])/(?:" + "|".join(("ro" + "ot", "ho" + "me", "Us" + "ers", "wo" + "rk")) + r")/\w"
)
REGISTRY = re.compile(
    "|".join(
        (
            r"--" + r"index-url",
            r"https?://[\w.-]*(?:pypi|mirror|registry|artifactory)[\w.-]*",
            '"res' + 'olved":',
        )
    )
)
TASK_MARK = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def _offences(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for file in FILES:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return found


def test_no_file_names_a_path_of_somebodys_machine():
    """A clone works in any folder of any user, so no file may know one."""
    assert _offences(MACHINE_PATH) == []


def test_no_file_records_a_registry():
    """Whoever clones uses the registries of his own configuration."""
    assert _offences(REGISTRY) == []


def test_no_task_is_left_in_the_code():
    """What is left to do is an issue, not a comment."""
    assert _offences(TASK_MARK) == []


def test_every_pin_has_a_hash():
    """Nothing is installed that the requirements files do not know by its hash."""
    for file in ROOT.glob("requirements*.txt"):
        entries = re.split(r"\n(?=\S)", file.read_text(encoding="utf-8").strip())
        assert entries, file.name
        assert [entry.split("\n")[0] for entry in entries if "--hash=sha256:" not in entry] == [], file.name


def test_smaller_requirements_are_part_of_the_larger():
    """The runtime, development and benchmark sets agree on every pin."""
    pin = re.compile(r"^([\w.-]+==[^\s\\]+)", re.MULTILINE)
    runtime, dev, bench = (
        set(pin.findall((ROOT / f"requirements{name}.txt").read_text(encoding="utf-8")))
        for name in ("", "-dev", "-bench")
    )
    assert runtime <= dev <= bench


def test_every_module_says_what_it_is_for():
    """Each module of a package opens with a docstring."""
    modules = [file for file in FILES if file.suffix == ".py" and file.relative_to(ROOT).parts[0] in PACKAGES]
    assert modules
    mute = [
        file for file in modules if ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) is None
    ]
    assert [str(file.relative_to(ROOT)) for file in mute] == []


def test_every_test_says_what_it_shows():
    """Each test function has a docstring whose first line is a sentence."""
    mute = []
    for file in FILES:
        if file.relative_to(ROOT).parts[0] != "tests" or not file.name.startswith("test_"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                said = (ast.get_docstring(node) or "").split("\n")[0]
                if not said.endswith((".", "!", "?")):
                    mute.append(f"{file.relative_to(ROOT)}: {node.name}")
    assert mute == []


@pytest.mark.parametrize(
    "script", ["dev/setup.sh", "dev/lock.sh", "dev/test.sh", "dev/check.sh", "dev/stack", ".ci/run"]
)
def test_scripts_can_be_run(script: str):
    """A clone keeps the executable bit of each script."""
    assert (ROOT / script).stat().st_mode & 0o111
