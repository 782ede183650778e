"""`thecaflow replay` refuses what it cannot do with one clear line, before it sends anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.contract.samples import line
from thecaflow.cli import run


@pytest.fixture
def events(tmp_path: Path) -> str:
    """A file of one event."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(line("resumed") + b"\n")
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--token", "t", "--speed", "fast"], "not a speed"),
        (["--token", "t", "--speed", "0x"], "not a speed"),
        (["--token", "t", "--speed", "2x", "--rate", "5"], "exclude each other"),
        (["--token", "t", "--state", "s", "--resume-from", "5"], "exclude each other"),
        ([], "token add"),
        (["--token", "t", "--url", "nonsense"], "--url"),
    ],
)
def test_wrong_usage_is_told_in_a_line(
    events: str,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """Neither a trace nor silence: what is wrong and what to do."""
    monkeypatch.delenv("THECAFLOW_TOKEN", raising=False)
    assert run(["replay", events, *arguments]) in (1, 2)
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]):
    """Before the gateway is asked."""
    assert run(["replay", "no-such-file.jsonl", "--token", "t"]) == 2
    assert "no-such-file.jsonl" in capsys.readouterr().err


def test_no_gateway_is_given_up_after_the_time_allowed(events: str, capsys: pytest.CaptureFixture[str]):
    """With the last reason, and exit 1."""
    assert run(["replay", events, "--token", "t", "--url", "http://127.0.0.1:1", "--give-up", "0"]) == 1
    assert "given up" in capsys.readouterr().err
