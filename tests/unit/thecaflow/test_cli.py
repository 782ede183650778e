"""The command line: commands by file name, lazily; one line for what a person can mend, an exit code for scripts."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from contract.errors import ThecaflowError
from thecaflow import cli, commands
from thecaflow.cli import run


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch):
    """A command called ``broken`` that raises what the test puts into it."""
    ending = SimpleNamespace(error=ThecaflowError("pump P1 is unknown: register it first"))

    @click.command()
    def command() -> None:
        raise ending.error

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: command)
    return ending


def test_help_lists_every_command_file(capsys: pytest.CaptureFixture[str]):
    """Each module in thecaflow/commands is a command of that name with dashes, and --help shows examples."""
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    names = [file.stem.replace("_", "-") for file in Path(commands.__path__[0]).glob("[a-z]*.py")]
    assert "topics" in names
    assert [name for name in names if f"\n  {name} " not in shown] == []
    assert "Examples:" in shown


@pytest.mark.parametrize("file", sorted(file.stem for file in Path(commands.__path__[0]).glob("[a-z]*.py")))
def test_every_command_explains_itself(file: str, capsys: pytest.CaptureFixture[str]):
    """--help of each command works without servers, and says something."""
    assert run([file.replace("_", "-"), "--help"]) == 0
    assert "Usage: thecaflow" in capsys.readouterr().out


def test_a_wrong_command_is_usage(capsys: pytest.CaptureFixture[str]):
    """An unknown command exits 2 and names it."""
    assert run(["anaylse"]) == 2
    assert "anaylse" in capsys.readouterr().err


def test_an_error_of_ours_is_one_line(broken: SimpleNamespace, capsys: pytest.CaptureFixture[str]):
    """A ThecaflowError exits 1 with its message and no trace."""
    assert run(["broken"]) == 1
    assert capsys.readouterr().err == "thecaflow: pump P1 is unknown: register it first\n"


def test_interruption_is_130(broken: SimpleNamespace):
    """Ctrl-C ends as shells expect, without a trace."""
    broken.error = KeyboardInterrupt()
    assert run(["broken"]) == 130


def test_a_bug_is_not_hidden(broken: SimpleNamespace):
    """What nobody foresaw keeps its trace, or it could not be mended."""
    broken.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        run(["broken"])


def test_help_of_the_group_imports_no_heavy_library():
    """Asking for --help waits for neither numba nor Kafka nor the database's driver."""
    program = (
        "import sys; from thecaflow.cli import run; run(['--help']);"
        "sys.exit(' '.join(m for m in ('numba', 'faust', 'aiokafka', 'asyncpg', 'litestar') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
