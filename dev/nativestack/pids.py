"""Pid files: who runs, who ran. A pid file may outlive its process, and the number may be another process's by now."""

import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

POLL_S = 0.05
REAP_LIMIT_S = 2.0


def running_pid(pid_file: Path, mark: str) -> int | None:
    """Pid in ``pid_file`` if that process lives and ``mark`` is in its command line, else None."""
    try:
        pid = int(pid_file.read_text().split()[0])
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError, IndexError):
        return None
    return pid if mark in command_line and state != "Z" else None


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may just have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_gone(pid_file: Path, mark: str, limit_s: float) -> bool:
    """Wait until the process of ``pid_file`` has ended; False if it still runs after ``limit_s``."""
    end = time.monotonic() + limit_s
    while running_pid(pid_file, mark) is not None:
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)
    return True


def wait_reaped(pid: int | None) -> None:
    """Wait a moment until an ended process is no longer listed; whose parent is slow to ask is left to it."""
    end = time.monotonic() + REAP_LIMIT_S
    while pid is not None and Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(POLL_S)


def listening(port: int) -> bool:
    """Whether somebody accepts connections on this port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def resident_mb(pid: int) -> int:
    """Resident memory of a process, MB; 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
    return 0
