"""dev/stack stops what it started and nothing else: pid files may be stale and numbers reused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ENDLESS = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def other():
    """A process of somebody else, which must survive."""
    with subprocess.Popen([sys.executable, "-c", ENDLESS]) as process:
        yield process
        process.kill()


@pytest.fixture
def ours():
    """A process that looks like a thecaflow command."""
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, "thecaflow", "worker"], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.stdout.close()
    process.wait()


def _stack(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"STACK_HOME": str(home / "home"), "STACK_DATA": str(home / "data")}
    command = [sys.executable, str(ROOT / "dev" / "stack"), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def _leave_pid(home: Path, name: str, pid: int) -> Path:
    folder = home / "data" / "run" / "app"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.pid"
    file.write_text(f"{pid}\n")
    return file


def test_stop_ends_what_the_demo_left(tmp_path: Path, ours: subprocess.Popen[bytes]):
    """A process with a pid file that is a thecaflow command is stopped, and its pid file goes."""
    file = _leave_pid(tmp_path, "worker-1", ours.pid)
    assert "worker-1" in _stack(tmp_path, "status").stdout
    done = _stack(tmp_path, "stop")
    assert done.returncode == 0, done.stderr
    assert "worker-1 down" in done.stderr
    assert ours.wait(timeout=5) != 0
    assert not file.exists()


def test_a_stale_pid_file_harms_nobody(tmp_path: Path, other: subprocess.Popen[bytes]):
    """Where the number is another program's by now, the file goes and the program stays."""
    files = [_leave_pid(tmp_path, "gateway", other.pid), tmp_path / "data" / "run" / "kafka.pid"]
    files[1].write_text(f"{other.pid}\n")
    assert _stack(tmp_path, "stop").returncode == 0
    assert other.poll() is None
    assert [file for file in files if file.exists()] == []


def test_status_says_what_is_down(tmp_path: Path):
    """With nothing running, status lists each part as down and exits 1."""
    done = _stack(tmp_path, "status")
    assert done.returncode == 1
    assert [line.split() for line in done.stdout.splitlines()] == [
        [part, "down"] for part in ("pg", "kafka", "prom", "am")
    ]


@pytest.mark.parametrize("words", [[], ["begin"], ["start", "oracle"]])
def test_wrong_usage_shows_usage(tmp_path: Path, words: list[str]):
    """An unknown command or part exits 2 with the usage and does nothing."""
    done = _stack(tmp_path, *words)
    assert done.returncode == 2
    assert "usage: dev/stack" in done.stderr


def test_a_folder_with_a_space_is_refused(tmp_path: Path):
    """Kafka's and PostgreSQL's configuration cannot quote every path, so a bad one is refused at once."""
    done = _stack(tmp_path / "a b", "start")
    assert done.returncode == 1
    assert "without spaces" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    """A cache folder that cannot be made is said in one line, with the variable to set."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = _stack(blocked, "start")
    assert done.returncode == 1
    assert "set STACK_HOME" in done.stderr
    assert "Traceback" not in done.stderr
