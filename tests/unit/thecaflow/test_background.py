"""Commands that outlive their starter can be found again: a pid file, a log, the same settings."""

import subprocess
from pathlib import Path

from thecaflow.background import log_file, start_in_background, stop_in_background
from thecaflow.settings import Settings


def test_a_background_command_leaves_its_pid_and_log_and_has_our_settings(tmp_path: Path):
    """The command runs with the starter's settings; its messages are in its log, its number in its pid file."""
    settings = Settings(kafka="127.0.0.1:1", run_folder=str(tmp_path / "run"))
    started = start_in_background("topics-1", ["topics", "check"], settings)
    assert started.wait(timeout=30) == 1
    assert int((tmp_path / "run" / "topics-1.pid").read_text()) == started.pid
    assert "no Kafka answers at 127.0.0.1:1" in log_file("topics-1", settings).read_text()


def test_a_background_command_is_ended_by_its_name(tmp_path: Path):
    """The process is gone and so is its pid file; a second time there is nothing to end."""
    settings = Settings(run_folder=str(tmp_path / "run"))
    started = start_in_background("waiting", ["analyse", "/dev/zero"], settings)
    assert stop_in_background("waiting", settings)
    assert started.poll() is not None
    assert not (tmp_path / "run" / "waiting.pid").exists()
    assert not stop_in_background("waiting", settings)


def test_the_pid_of_another_program_is_left_alone(tmp_path: Path):
    """A pid file outlives its process, and the number may be anybody's by now: that one lives on."""
    settings = Settings(run_folder=str(tmp_path))
    with subprocess.Popen(["sleep", "60"]) as other:
        (tmp_path / "worker.pid").write_text(f"{other.pid}\n")
        assert not stop_in_background("worker", settings)
        assert other.poll() is None
        other.kill()
