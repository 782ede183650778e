"""Starts, stops, kills and shows parts, and stops what the ``thecaflow`` command left running."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nativestack.config import StackConfig, StackError
from nativestack.part import Part
from nativestack.pids import POLL_S, listening, resident_mb, running_pid, send, wait_gone, wait_reaped
from nativestack.progress import BEAT_S, say

START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0
APP_MARK = "thecaflow"


def pid_of(part: Part) -> int | None:
    """Pid of a part that runs, else None."""
    return running_pid(part.config.pid_file(part.name), str(part.config.data) + os.sep)


def start(config: StackConfig, parts: Sequence[Part]) -> None:
    """Start what does not run yet and wait until all answer.

    All are launched before the first is waited for: the slowest start is the whole start. Raises StackError where a port
    is another program's, or with the end of the log of a part that does not come up.
    """
    began = time.monotonic()
    _make_folders(config, parts)
    for part in parts:
        if pid_of(part) is None:
            taken = [port for port in part.ports if listening(port)]
            if taken:
                names = ", ".join(part.port_settings)
                raise StackError(
                    f"port {taken[0]} ({part.name}) is another program's: stop it, or set {names}"
                )
            _launch(config, part)
    for part in parts:
        _wait_ready(config, part, began)


def _make_folders(config: StackConfig, parts: Sequence[Part]) -> None:
    for name in ("conf", "log", "run", "data"):
        (config.data / name).mkdir(parents=True, exist_ok=True, mode=0o755)
    ids = config.server_ids()
    for part in parts:
        part.store.mkdir(exist_ok=True, mode=0o700)
        if ids is not None:
            os.chown(part.store, *ids)
    reach = ["test", "-x", str(config.data / "data"), "-a", "-x", str(config.postgres_bin)]
    if subprocess.run(reach, check=False, **_identity(config)).returncode != 0:
        who = config.server_user or "you"
        raise StackError(f"{who} cannot enter {config.data} or {config.home}: set STACK_HOME and STACK_DATA")


def _identity(config: StackConfig) -> dict[str, Any]:
    """How servers run: as the servers' user, with an environment that neither depends on the caller's nor leaks it."""
    ids = config.server_ids()
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(config.data / "data"), "LC_ALL": "C", "TZ": "UTC"}
    if ids is None:
        return {"env": environ}
    return {"env": environ, "user": ids[0], "group": ids[1], "extra_groups": []}


def _launch(config: StackConfig, part: Part) -> None:
    part.configure()
    ids = config.server_ids()
    if ids is not None:
        for made in part.store.iterdir():
            if made.is_dir() and made.stat().st_uid == 0:
                os.chown(made, *ids)
    prepare = part.first_time()
    if prepare is not None:
        done = subprocess.run(
            prepare,
            check=False,
            capture_output=True,
            text=True,
            cwd=config.data,
            stdin=subprocess.DEVNULL,
            **_identity(config),
        )
        if done.returncode != 0:
            raise StackError(f"{part.name} could not prepare {part.store}:\n{done.stdout}{done.stderr}")
    log = config.log(part.name)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        server = subprocess.Popen(
            part.command(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=part.folder,
            start_new_session=True,  # outlives the terminal
            **_identity(config),
        )
    config.pid_file(part.name).write_text(f"{server.pid}\n")


def _wait_ready(config: StackConfig, part: Part, began: float) -> None:
    waiting_since, told = time.monotonic(), time.monotonic()
    while not part.ready():
        if pid_of(part) is None or time.monotonic() - waiting_since > START_LIMIT_S:
            raise StackError(
                f"{part.name} did not start; from {config.log(part.name)}:\n{_telling_lines(config, part)}"
            )
        if time.monotonic() - told > BEAT_S:
            told = time.monotonic()
            say(f"  waiting for {part.name} ({told - began:.0f} s)")
        time.sleep(POLL_S)
    part.once_ready()
    say(f"{part.name} up after {time.monotonic() - began:.1f} s, pid {pid_of(part)}, port {part.ports[0]}")


def _telling_lines(config: StackConfig, part: Part) -> str:
    """Return what went wrong from a log: its errors, or where it names none, its end."""
    lines = config.log(part.name).read_text(errors="replace").splitlines()
    errors = [line for line in lines if " ERROR " in line or "FATAL:" in line]
    return "\n".join(errors[:5] or lines[-15:])


def stop(config: StackConfig, parts: Sequence[Part], *, crash: bool = False) -> None:
    """Stop parts, cleanly or (``crash``) as a power cut would. Raises StackError where a port stays open."""
    pids: dict[str, int] = {}
    for part in parts:
        pid = pid_of(part)
        if pid is not None:
            pids[part.name] = pid
            send(pid, part.crash if crash else part.clean_stop)
            send(pid, signal.SIGCONT)  # a paused one would not hear
    for part in parts:
        pid_file, mark = config.pid_file(part.name), str(config.data) + os.sep
        if not wait_gone(pid_file, mark, STOP_LIMIT_S):
            pid = running_pid(pid_file, mark)
            say(f"{part.name} did not stop in {STOP_LIMIT_S:.0f} s: killed")
            if pid is not None:
                send(pid, signal.SIGKILL)
            wait_gone(pid_file, mark, STOP_LIMIT_S)
        pid_file.unlink(missing_ok=True)
        wait_reaped(pids.get(part.name))
        still = [port for port in part.ports if part.name in pids and listening(port)]
        if still:
            raise StackError(f"{part.name} stopped, but port {still[0]} is still open")
        say(f"{part.name} down")


def app_processes(config: StackConfig) -> list[tuple[str, Path, int]]:
    """Name, pid file and pid of each process that the ``thecaflow`` command left; removes stale pid files."""
    found = []
    for pid_file in sorted(config.app_run_folder.glob("*.pid")):
        pid = running_pid(pid_file, APP_MARK)
        if pid is None:
            pid_file.unlink(missing_ok=True)
        else:
            found.append((pid_file.stem, pid_file, pid))
    return found


def stop_app(config: StackConfig) -> None:
    """Stop what ``make demo`` left running: all are told first, then waited for."""
    found = app_processes(config)
    for _, _, pid in found:
        send(pid, signal.SIGTERM)
        send(pid, signal.SIGCONT)
    for name, pid_file, pid in found:
        if not wait_gone(pid_file, APP_MARK, STOP_LIMIT_S):
            say(f"{name} did not stop in {STOP_LIMIT_S:.0f} s: killed")
            send(pid, signal.SIGKILL)
            wait_gone(pid_file, APP_MARK, STOP_LIMIT_S)
        pid_file.unlink(missing_ok=True)
        wait_reaped(pid)
        say(f"{name} down")


def status(config: StackConfig, parts: Sequence[Part]) -> bool:
    """Print one line a part and one a process of ours; True if all parts are up."""
    all_up = True
    for part in parts:
        pid = pid_of(part)
        if pid is not None and part.ready():
            print(f"{part.name:12} up    pid {pid:<8} port {part.ports[0]:<6} {resident_mb(pid)} MB")
        else:
            print(f"{part.name:12} down")
            all_up = False
    for name, _, pid in app_processes(config):
        print(f"{name:12} up    pid {pid:<8} {resident_mb(pid)} MB")
    return all_up
