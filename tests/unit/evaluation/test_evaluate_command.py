"""`thecaflow evaluate`: files in any form and size, their pumps one by one, and plain words for what can't be used."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from contract.facts import Alert, fact_sort_key
from contract.times import format_us
from processors.analyse import analyse
from thecaflow.commands import simulate
from thecaflow.commands.evaluate import command
from thecaflow.evaluation import pump_lines
from thecaflow.evaluation.fold_pump import fold_pump, sightings
from thecaflow.evaluation.pump_lines import PumpLines

PUMPS = 5


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small fleet with two faults, and its labels."""
    folder = tmp_path_factory.mktemp("fleet")
    events, labels = folder / "events.jsonl", folder / "labels.jsonl"
    asked = [
        "--pumps",
        str(PUMPS),
        "--days",
        "5",
        "--fault",
        "program_implausible@3",
        "--fault",
        "eri@2",
        "--period",
        "30m",
    ]
    done = CliRunner().invoke(simulate.command, [*asked, "-o", str(events), "--labels", str(labels)])
    assert done.exit_code == 0, done.output
    return events, labels


def evaluated(*arguments: object) -> Result:
    """The command's answer."""
    return CliRunner().invoke(command, [str(one) for one in arguments], standalone_mode=False)


def test_a_fleet_is_graded_printed_and_written(files: tuple[Path, Path], tmp_path: Path):
    """Both faults are found, the table names them, the JSON holds the numbers, the pictures are whole SVG files."""
    done = evaluated(*files, "--json", tmp_path / "r.json", "--report", tmp_path / "pictures")
    assert done.exception is None, done.exception
    assert "program_implausible" in done.output
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["pumps"] == PUMPS
    assert told["healthy_pumps"] == PUMPS - 2
    assert told["confusion"] == {
        "program_implausible": {"program_implausible": 1},
        "battery_eri": {"battery_eri": 1},
    }
    assert told["pooled"]["recall"]["value"] == 1.0
    for name in ("reliability", "delays", "confusion"):
        root = ET.parse(tmp_path / "pictures" / f"{name}.svg").getroot()  # our own file
        assert root.tag.endswith("svg")
        assert "nan" not in (tmp_path / "pictures" / f"{name}.svg").read_text().lower()


def test_what_waits_on_disk_is_folded_like_what_does_not(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A file larger than memory is graded to the same bytes, and its temporary files are gone after it."""
    evaluated(*files, "--json", tmp_path / "small.json")
    monkeypatch.setattr(pump_lines, "_IN_MEMORY", 20_000)
    monkeypatch.setattr(pump_lines.tempfile, "tempdir", str(tmp_path / "spill"))
    (tmp_path / "spill").mkdir()
    done = evaluated(*files, "--json", tmp_path / "large.json")
    assert done.exception is None, done.exception
    assert (tmp_path / "small.json").read_bytes() == (tmp_path / "large.json").read_bytes()
    assert list((tmp_path / "spill").iterdir()) == []


def test_every_line_is_dealt_to_its_pump_once(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch):
    """Nothing is lost between memory and disk, and the order of a pump's lines is kept."""
    lines = files[0].read_bytes().splitlines()
    monkeypatch.setattr(pump_lines, "_IN_MEMORY", 20_000)
    with PumpLines() as dealt:
        dealt.read([str(files[0])], lambda *_, **__: None)
        by_pump = dict(dealt.by_pump())
    assert sorted(line for own in by_pump.values() for line in own) == sorted(lines)
    for pump, own in by_pump.items():
        assert own == [line for line in lines if json.loads(line)["pump"] == pump]
    newest = max(json.loads(line)["received"] for line in lines)
    assert dealt.horizon_us is not None
    assert format_us(dealt.horizon_us) == newest


def test_pump_by_pump_is_the_fold_of_the_whole_file(files: tuple[Path, Path]):
    """The alerts that are graded are those that `thecaflow analyse` prints."""
    seen, _ = sightings(files[0].read_bytes().splitlines())
    whole = analyse(seen)
    assert whole.horizon_us is not None
    with PumpLines() as dealt:
        dealt.read([str(files[0])], lambda *_, **__: None)
        told = [fold_pump(own, whole.horizon_us, prior=True) for _, own in dealt.by_pump()]
    alerts = sorted((alert for one in told if one is not None for alert in one.alerts), key=fact_sort_key)
    assert alerts == [fact for fact in whole.facts if isinstance(fact, Alert)]
    assert all(one is not None and one.priors for one in told)


def test_a_repeated_line_counts_once_and_a_broken_one_is_told(files: tuple[Path, Path], tmp_path: Path):
    """A relay sends twice, a file is cut: neither changes the numbers, the latter is counted."""
    lines = files[0].read_bytes().splitlines()
    worse = tmp_path / "worse.jsonl"
    worse.write_bytes(b"\n".join([*lines, lines[3], b'{"pump": "pump-0001", "type"', b"[]"]) + b"\n")
    first = evaluated(*files, "--json", tmp_path / "a.json")
    second = evaluated(worse, files[1], "--json", tmp_path / "b.json")
    assert first.exception is None
    assert second.exception is None
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert "name no pump 2" in second.output


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ('{"pump": 3}', "line 1: no label"),
        ("nonsense", "line 1: no label"),
        ('{"pump":"p","kind":"k","cause":null,"onset":"yesterday"}', "line 1: no label"),
        ("\n", "holds no label"),
        ('{"pump":"p","kind":"k","cause":null,"onset":"2026-01-01T00:00:00Z"}', "do they belong together?"),
    ],
)
def test_labels_that_are_none_are_refused_in_a_line(
    files: tuple[Path, Path], tmp_path: Path, labels: str, said: str
):
    """What is wrong and where, not a stack trace."""
    path = tmp_path / "labels.jsonl"
    path.write_text(labels + "\n")
    done = evaluated(files[0], path)
    assert said in str(done.exception)
    assert type(done.exception).__name__ in ("LabelError", "UnusableInputError")


def test_files_that_can_t_be_used_are_named(files: tuple[Path, Path], tmp_path: Path):
    """A missing file, an empty one, the two in the wrong order, a folder that can't be written."""
    assert "no.jsonl" in str(evaluated("no.jsonl", files[1]).exception)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert "holds no event" in str(evaluated(empty, files[1]).exception)
    assert "no label" in str(evaluated(files[1], files[0]).exception)
    assert "pictures" in str(evaluated(*files, "--report", files[0] / "below").exception)
