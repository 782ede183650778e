"""`thecaflow analyse`: files in any form, quarantined lines with their places, exit codes."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from thecaflow.cli import run

REGISTERED = (
    b'{"type":"pump_registered","v":1,"id":"r","pump":"P","source":"clinic","at":"2026-01-01T00:00:00Z","model":"m",'
    b'"reservoir_ml":20,"low_reservoir_ml":2,"dead_volume_ul":200,"min_rate_ul_h":1,"max_rate_ul_h":1000,'
    b'"flow_tolerance":0.145}'
)
FILLED = (
    b'{"type":"reservoir_filled","v":1,"id":"f","pump":"P","source":"clinic","at":"2026-01-01T00:00:00Z",'
    b'"removed_ml":null,"filled_ml":20,"concentration_ug_ml":500,"drug":"baclofen"}'
)
PROGRAM = (
    b'{"type":"program_set","v":1,"id":"p","pump":"P","source":"clinic","at":"2026-01-01T06:00:00Z",'
    b'"mode":"continuous","steps":[{"minute":0,"rate_ul_h":10}]}'
)
NOTE = (
    b'{"type":"note","v":1,"id":"n","pump":"P","source":"clinic","at":"2026-01-02T12:00:00Z","kind":"other",'
    b'"from":"2026-01-02T12:00:00Z","to":"2026-01-02T12:00:00Z","text":"seen"}'
)
EVENTS = b"\n".join((REGISTERED, FILLED, PROGRAM, NOTE)) + b"\n"


def analyse(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> tuple[int, list[dict], str]:
    """(exit code, facts, what was told on standard error)."""
    code = run(["analyse", *arguments])
    captured = capfdbinary.readouterr()
    return code, [json.loads(line) for line in captured.out.splitlines()], captured.err.decode()


def written(path: Path, content: bytes) -> str:
    """Write a file and return its name."""
    path.write_bytes(content)
    return str(path)


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Put bytes into standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))


@pytest.mark.parametrize("form", ["plain", "gz", "zst", "stdin", "packed stdin"])
def test_every_form_of_a_file_gives_the_same_facts(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
):
    """Plain, gzip, zstd and standard input; compressed files may be several runs, one after the other."""
    half, rest = EVENTS[: len(REGISTERED) + 1], EVENTS[len(REGISTERED) + 1 :]
    content = {
        "plain": EVENTS,
        "gz": gzip.compress(half) + gzip.compress(rest),
        "zst": zstandard.compress(half) + zstandard.compress(rest),
        "stdin": EVENTS,
        "packed stdin": zstandard.compress(EVENTS),
    }[form]
    if form.endswith("stdin"):
        feed(monkeypatch, content)
        name = "-"
    else:
        name = written(tmp_path / f"events.jsonl{'' if form == 'plain' else '.' + form}", content)
    code, facts, told = analyse(capfdbinary, name)
    assert code == 0
    assert [fact["programmed_ul"] for fact in facts if fact["fact"] == "dose"] == [180.0, 120.0]
    assert "analysed 4 events, 1 pump" in told
    assert "0 lines quarantined" in told


def test_windows_are_aligned_and_the_last_one_ends_at_the_horizon(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
):
    """--window 8h cuts at 00:00, 08:00, 16:00 UTC; --until ends the last one early, zero delivery included."""
    name = written(tmp_path / "events.jsonl", EVENTS)
    _, facts, _ = analyse(
        capfdbinary, name, "--window", "8h", "--until", "2026-01-01T17:00:00Z", "--kinds", "dose"
    )
    spans = [(fact["from"][11:16], fact["to"][11:16], fact["programmed_ul"]) for fact in facts]
    assert spans == [("00:00", "08:00", 20.0), ("08:00", "16:00", 80.0), ("16:00", "17:00", 10.0)]


def test_kinds_are_only_those(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    """--kinds leaves out every other fact; what was quarantined is still counted on standard error."""
    name = written(tmp_path / "events.jsonl", EVENTS + b"{}\n")
    _, facts, told = analyse(capfdbinary, name, "--kinds", "forecast")
    assert {fact["fact"] for fact in facts} == {"forecast"}
    assert "1 line quarantined" in told


def test_bad_lines_come_first_with_their_place(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    """Lines count from 1, blank ones too; exit 0, for they are facts."""
    name = written(tmp_path / "events.jsonl", b"\n  \nnot json\n" + EVENTS + b'{"type":"nonsense"}')
    code, facts, told = analyse(capfdbinary, name)
    assert code == 0
    assert [(fact["fact"], fact.get("line")) for fact in facts[:3]] == [
        ("quarantined", 3),
        ("quarantined", 8),
        ("forecast", None),
    ]
    assert "2 lines quarantined" in told


def test_with_several_files_the_text_names_the_file(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
):
    """Each file's lines count from 1, so that the text has to say which file is meant."""
    one = written(tmp_path / "one.jsonl", EVENTS + b"nonsense\n")
    two = written(tmp_path / "two.jsonl", b"nonsense\n")
    _, facts, _ = analyse(capfdbinary, one, two, "--kinds", "quarantined")
    assert [(fact["line"], fact["text"]) for fact in facts] == [
        (5, f"{one}: nonsense"),
        (1, f"{two}: nonsense"),
    ]


def test_an_id_used_for_two_contents_is_quarantined_with_its_line(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
):
    """The one received first counts, wherever it stands; the same content again is silent."""
    late = PROGRAM.replace(b'"rate_ul_h":10', b'"rate_ul_h":99')[:-1] + b',"received":"2026-01-01T09:00:00Z"}'
    early = PROGRAM[:-1] + b',"received":"2026-01-01T07:00:00Z"}'
    lines = (REGISTERED, FILLED, late, early, early, NOTE)
    name = written(tmp_path / "events.jsonl", b"\n".join(lines))
    _, facts, told = analyse(capfdbinary, name, "--until", "2026-01-02T12:00:00Z")
    assert [
        (fact["line"], fact["pump"], fact["text"]) for fact in facts if fact["fact"] == "quarantined"
    ] == [(3, "P", "p")]
    assert "conflicting_id" in facts[0]["reason"]
    assert [fact["programmed_ul"] for fact in facts if fact["fact"] == "dose"] == [180.0, 120.0]
    assert "conflicting_id" in told


def test_any_order_of_lines_gives_equal_bytes(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    """Facts are a fold of the sorted set."""
    run(["analyse", written(tmp_path / "one.jsonl", EVENTS)])
    one = capfdbinary.readouterr().out
    run(["analyse", written(tmp_path / "two.jsonl", b"\n".join(reversed(EVENTS.splitlines())))])
    assert capfdbinary.readouterr().out == one


def test_nothing_gives_nothing(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    """An empty file is no error."""
    code, facts, told = analyse(capfdbinary, written(tmp_path / "empty.jsonl", b""))
    assert (code, facts) == (0, [])
    assert "analysed 0 events, 0 pumps" in told


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.jsonl", None, "No such file"),
        ("folder", None, "directory"),
        ("cut.jsonl.gz", gzip.compress(EVENTS)[:-20], "damaged"),
        ("cut.jsonl.zst", zstandard.compress(EVENTS)[:-20], "damaged"),
        ("plain.jsonl.gz", EVENTS, "not what its name says"),
        ("plain.jsonl.zst", EVENTS, "not what its name says"),
    ],
)
def test_an_unreadable_file_is_exit_2_and_no_facts(
    name: str, content: bytes | None, words: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
):
    """Missing, a folder, cut or not compressed at all: one line that names it, and no half result."""
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    code, facts, told = analyse(capfdbinary, written(tmp_path / "good.jsonl", EVENTS), str(path))
    assert (code, facts) == (2, [])
    assert words in told
    assert name in told


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--window", "0d"],
        ["--window", "soon"],
        ["--until", "2026-01-01T00:00:00"],
        ["--kinds", "dose,alarms"],
    ],
)
def test_unusable_arguments_are_exit_2(arguments: list[str], tmp_path: Path):
    """No file, a window that is no length, a bare local time, an unknown kind."""
    files = [written(tmp_path / "events.jsonl", EVENTS)] if arguments else []
    assert run(["analyse", *files, *arguments]) == 2


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path):
    """`thecaflow analyse FILE | head -1` ends without a trace."""
    hours = ["analyse", written(tmp_path / "events.jsonl", EVENTS), "--window", "10s"]
    command = [sys.executable, "-m", "thecaflow", *hours]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.readline()
        started.stdout.close()
        told = started.stderr.read().decode()
    assert started.returncode == 0
    assert "Traceback" not in told
    assert "BrokenPipe" not in told
