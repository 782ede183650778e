"""What the documents name exists: commands, options, make targets, files, functions in files, and metrics."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.facts import DEFAULT_PRIORITY, Cause
from thecaflow.cli import thecaflow

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md"))
)
FOLDERS = "contract|kernels|processors|storage|ingest|dashboards|thecaflow|dev|tests|bench|docs|\\.ci"
A_PATH = re.compile(rf"(?<![\w/.])((?:{FOLDERS})/[\w./*<>-]*)")
A_COMMAND = re.compile(r"(?<![\w.-])thecaflow ((?:[a-z][a-z-]*)(?: [a-z]+)?)((?: +[^|`;&#\n]*)?)")
A_TARGET = re.compile(r"(?<![\w-])make ([a-z]+)\b")
A_FUNCTION = re.compile(r"`([\w/]+\.py): ([^`]+)`")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def code_of(page: str) -> str:
    """Code blocks and inline code of a page: prose says `thecaflow` and `make` in other senses."""
    text = text_of(page)
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^    \S.*$", prose, flags=re.MULTILINE)
    code = "\n".join([*blocks, *indented, *re.findall(r"`([^`\n]+)`", prose)])
    return re.sub(r"(^|\s)#.*$", "", code, flags=re.MULTILINE)  # comments are prose too


def test_every_page_is_looked_at():
    """The list of pages would be empty if the folders moved, and every other test here would pass."""
    assert {
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/architecture.md",
        "docs/operations.md",
    } <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_named_exists(page: str):
    """A reader who follows a path that a page names finds something there; `*` and `<name>` stand for names."""
    missing = []
    for found in A_PATH.findall(text_of(page)):
        path = found.rstrip(".,:;)")
        if "NNNN" in path or "<" in path:
            path = path.rpartition("/")[0]
        if not any(True for _ in ROOT.glob(path)):
            missing.append(path)
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_every_function_named_in_a_file_is_there(page: str):
    """`file.py: name` is a name defined, assigned or imported in that file."""
    missing = []
    for path, names in A_FUNCTION.findall(text_of(page)):
        source = (ROOT / path).read_text(encoding="utf-8")
        words = re.findall(r"[A-Za-z_]\w*", names)
        missing += [f"{path}: {name}" for name in words if not re.search(rf"\b{name}\b", source)]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_named_exists(page: str):
    """`make X` in a page's code is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), flags=re.MULTILINE))
    assert set(A_TARGET.findall(code_of(page))) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_named_exists(page: str):
    """`thecaflow X --flag` in a page's code is a command with that flag."""
    context = click.Context(thecaflow)
    wrong = []
    for words, rest in A_COMMAND.findall(code_of(page)):
        name, _, second = words.partition(" ")
        command = thecaflow.get_command(context, name)
        if command is None:
            wrong.append(f"thecaflow {name}")
            continue
        if isinstance(command, click.Group) and second:
            command = command.get_command(context, second)
            if command is None:
                wrong.append(f"thecaflow {name} {second}")
                continue
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        asked = set(re.findall(r"(?<!\S)(--[a-z][a-z-]*)", rest)) - {"--help"}
        wrong += [f"thecaflow {name} {option}" for option in sorted(asked - known)]
    assert not wrong


def test_the_readme_lists_every_command_and_target():
    """A command that the map leaves out is one that nobody finds."""
    readme = text_of("README.md")
    commands = thecaflow.list_commands(click.Context(thecaflow))
    assert [name for name in commands if f"| `thecaflow {name}` |" not in readme] == []
    targets = re.findall(r"^([a-z]+):", text_of("Makefile"), flags=re.MULTILINE)
    assert [name for name in targets if f"`{name}`" not in readme] == []


def test_hazards_speak_of_every_cause_once_as_detected_or_as_not_yet():
    """A cause is in the table of detectors, or in the list of those that nothing raises, as the code has it."""
    detected, _, missing = text_of("docs/hazards.md").partition("## Not detected yet")
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "processors").glob("*.py"))
    raised = {cause.value for cause in Cause if f"Cause.{cause.name}" in source}
    assert {cause.value for cause in Cause if f"`{cause.value}`" in detected} == raised
    assert {cause.value for cause in Cause if f"`{cause.value}`" in missing} == {
        cause.value for cause in Cause
    } - raised


def hazards() -> list[list[str]]:
    """The cells of each row of the table of causes."""
    lines = text_of("docs/hazards.md").split("## Requirements of all causes")[0].splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| H-")
    ]


def test_every_cause_has_one_whole_row_of_hazards():
    """A hazard without its effect, its detector, the device's own word, a requirement or a test is one nobody thought through."""
    assert [row[2] for row in hazards()] == [f"`{cause}`" for cause in Cause]
    for number, row in enumerate(hazards(), start=1):
        assert len(row) == 10, row[0]
        assert all(row), row[0]
        assert row[0] == f"H-{number:02}"
        assert row[8].startswith(f"R-{number:02}: ")
        assert row[3].startswith(str(DEFAULT_PRIORITY[Cause(row[2].strip("`"))])), row[2]
        assert "::test_" in row[9], row[2]


def test_every_test_that_hazards_name_exists():
    """A requirement that points to a renamed or deleted test is tested by nobody."""
    named = re.findall(
        r"`((?:tests|kernels|processors)/[\w/]+\.py)(?:::(\w+)`|`|: )", text_of("docs/hazards.md")
    )
    assert len(named) > len(Cause)
    assert [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or (name and f"def {name}(" not in text_of(path))
    ] == []


def test_every_metric_named_is_exposed():
    """Whoever builds an alert on a metric of the operations page finds it on the page of a worker, a gateway or a console."""
    from ingest.gateway_metrics import Metric as GatewayMetric
    from processors.metrics import Metrics

    families = text_string_to_metric_families(Metrics().exposition().decode())
    exposed = {family.name for family in families} | {metric.value.name for metric in GatewayMetric}
    exposed |= set(re.findall(r'"(thecaflow_\w+)"', text_of("dashboards/console/metrics.py")))
    named = set(re.findall(r"`(thecaflow_\w+?)(?:_total)?`", text_of("docs/operations.md")))
    assert named
    assert named <= exposed
