"""Starts processes of the ``thecaflow`` command that outlive their starter, where ``make down`` finds them.

Each leaves ``<name>.pid`` and ``<name>.log`` in the settings' run folder. `dev/stack stop` ends whatever has a pid file
there whose process still is a ``thecaflow`` command.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
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


def log_file(name: str, settings: Settings) -> Path:
    """Return the path of a background command's log."""
    return Path(settings.run_folder) / f"{name}.log"
