"""The processes of the demonstration: the stack, the compiler, one gateway, two workers, console and pager."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contract.errors import ThecaflowError
from thecaflow.background import log_file, start_in_background, stop_in_background
from thecaflow.page_file import forget_pages
from thecaflow.settings import Settings

GATEWAY: Final = "demo-gateway"
WORKERS: Final = ("demo-worker-1", "demo-worker-2")
CONSOLE: Final = "demo-console"
PAGER: Final = "demo-pager"
STACK: Final = Path(__file__).resolve().parents[2] / "dev" / "stack"
READY_WITHIN_S: Final = 120.0
LOG_LINES: Final = 8


class DemoError(ThecaflowError):
    """A part of the demonstration did not come up; the message shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A background process with its HTTP pages."""

    name: str
    process: subprocess.Popen[bytes]
    url: str

    def until_ready(self, settings: Settings) -> None:
        """Wait until /readyz says so; raises DemoError if the process ends or takes too long."""
        end = time.monotonic() + READY_WITHIN_S
        while self.page("/readyz") is None:
            if self.process.poll() is not None:
                raise DemoError(
                    f"{self.name} ended with exit {self.process.returncode}:\n{log_end(self.name, settings)}"
                )
            if time.monotonic() > end:
                raise DemoError(
                    f"{self.name} was not ready in {READY_WITHIN_S:.0f} s:\n{log_end(self.name, settings)}"
                )
            time.sleep(0.1)

    def page(self, path: str) -> str | None:
        """Return the text of a page, None unless it answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:  # noqa: S310 - our own http
                return str(answer.read().decode())
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return None


def log_end(name: str, settings: Settings) -> str:
    """Return the last lines of a background command's log."""
    try:
        text = log_file(name, settings).read_text(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-LOG_LINES:])


def start_stack() -> subprocess.Popen[bytes]:
    """Begin to start all parts, set up first where they are not; what they say goes to standard error.

    Prometheus and Alertmanager begin with empty data: what they remember of an earlier fleet would be told again, or not
    told because it was told already.
    """
    finish(_stack("wipe", "prom", "am"), "dev/stack wipe prom am")
    return _stack("start")


def _stack(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(STACK), *words]
    return subprocess.Popen(command, stdout=sys.stderr, stdin=subprocess.DEVNULL)  # noqa: S603 - our own script


def start_compiling() -> subprocess.Popen[bytes]:
    """Begin to compile the kernels into the cache, so that two workers don't both do it."""
    command = [sys.executable, "-m", "thecaflow.demo.warm"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=os.environ)  # noqa: S603 - our own module


def finish(process: subprocess.Popen[bytes], what: str) -> None:
    """Wait for the end of a command; raises DemoError unless it went well."""
    if process.wait() != 0:
        raise DemoError(f"{what} failed; what it says stands above")


def stop_servers(settings: Settings) -> None:
    """End what an earlier run left running."""
    for name in (CONSOLE, PAGER, GATEWAY, *WORKERS):
        stop_in_background(name, settings)


def start_gateway(settings: Settings, *, ticks: bool) -> Server:
    """Start the gateway; without ticks for a replay, whose pumps would else look silent until they have caught up."""
    arguments = ["gateway", "--rate", "0", *([] if ticks else ["--tick", "0"])]
    process = start_in_background(GATEWAY, arguments, settings)
    return Server(GATEWAY, process, f"http://{settings.bind_host}:{settings.gateway_port}")


def start_workers(settings: Settings) -> list[Server]:
    """Start two workers, each with its pages on a free port."""
    servers = []
    port = settings.worker_port
    for name in WORKERS:
        port = _free_port(settings.bind_host, port)
        process = start_in_background(name, ["worker", "--name", name, "--http-port", str(port)], settings)
        servers.append(Server(name, process, f"http://{settings.bind_host}:{port}"))
        port += 1
    return servers


def start_console(settings: Settings) -> Server:
    """Start the console."""
    process = start_in_background(CONSOLE, ["console"], settings)
    return Server(CONSOLE, process, f"http://{settings.bind_host}:{settings.console_port}")


def start_pager(settings: Settings) -> Server:
    """Start the receiver of pages; what an earlier one wrote down is deleted."""
    file = pages_file(settings)
    forget_pages(file)
    process = start_in_background(PAGER, ["pager", "--file", str(file)], settings)
    return Server(PAGER, process, f"http://{settings.bind_host}:{settings.pager_port}")


def pages_file(settings: Settings) -> Path:
    """Return where the receiver writes down what arrives."""
    return Path(settings.run_folder) / "demo-pages.jsonl"


def _free_port(host: str, first: int) -> int:
    for port in range(first, first + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise DemoError(f"no free port from {first} to {first + 49}; set THECAFLOW_WORKER_PORT")
