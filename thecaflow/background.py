"""Starts and ends processes of the ``thecaflow`` command that outlive their starter, where ``make down`` finds them.

Each leaves ``<name>.pid`` and ``<name>.log`` in the settings' run folder. `dev/stack stop` ends whatever has a pid file
there whose process still is a ``thecaflow`` command.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from thecaflow.settings import Settings


def start_in_background(name: str, arguments: Sequence[str], settings: Settings) -> subprocess.Popen[bytes]:
    """Run ``thecaflow ARGUMENTS`` with these settings in a session of its own, and leave its pid file and log.

    The caller tells by the command's own port or log whether it came up, and by ``poll()`` whether it ended.
    """
    folder = Path(settings.run_folder)
    folder.mkdir(parents=True, exist_ok=True)
    with log_file(name, settings).open("wb") as log:
        started = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "thecaflow", *arguments],
            env=os.environ | settings.to_env(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (folder / f"{name}.pid").write_text(f"{started.pid}\n")
    return started


def stop_in_background(name: str, settings: Settings, limit_s: float = 20.0) -> bool:
    """End a background command in good order, or for good after `limit_s`; False if none of that name runs."""
    pid_file = Path(settings.run_folder) / f"{name}.pid"
    pid = running_pid(pid_file)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + limit_s
    while running_pid(pid_file) is not None:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)
    return True


def running_pid(pid_file: Path) -> int | None:
    """Return the process of a pid file if it lives and is a ``thecaflow`` command; the number may be another's by now."""
    try:
        pid = int(pid_file.read_text().split()[0])
        return pid if b"thecaflow" in _command_line(pid) else None
    except (OSError, ValueError, IndexError):
        return None


def _command_line(pid: int) -> bytes:
    """The command line of a process; empty once it has ended. Raises OSError if there is none of that number.

    A process that is just beginning or ending has none for a moment, although it lives and may hold its port.
    """
    while True:
        # A child of ours that has ended is a zombie until somebody asks how.
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if command_line or state in "ZX":
            return command_line
        time.sleep(0.005)


def log_file(name: str, settings: Settings) -> Path:
    """Return the path of a background command's log."""
    return Path(settings.run_folder) / f"{name}.log"
