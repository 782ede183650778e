"""Commands that outlive their starter can be found again: a pid file, a log, the same settings."""

from pathlib import Path

from thecaflow.background import log_file, start_in_background
from thecaflow.settings import Settings


def test_a_background_command_leaves_its_pid_and_log_and_has_our_settings(tmp_path: Path):
    """The command runs with the starter's settings; its messages are in its log, its number in its pid file."""
    settings = Settings(kafka="127.0.0.1:1", run_folder=str(tmp_path / "run"))
    started = start_in_background("topics-1", ["topics", "check"], settings)
    assert started.wait(timeout=30) == 1
    assert int((tmp_path / "run" / "topics-1.pid").read_text()) == started.pid
    assert "no Kafka answers at 127.0.0.1:1" in log_file("topics-1", settings).read_text()
