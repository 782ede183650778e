"""The installed wheel works without the checkout, as the image's user on a read-only root, with what compose sets only."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.composition import composition, services
from tests.image import UID, Image, built_image
from tests.native import NativeStack
from thecaflow.settings import Settings

WITHIN_S = 40.0
THECAFLOW = [sys.executable, "-m", "thecaflow"]
MEBIBYTE = 1024 * 1024
SIZES = {"m": MEBIBYTE, "g": 1024 * MEBIBYTE}


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The Dockerfile's build stage, carried out."""
    with built_image() as built:
        yield built


def test_the_command_runs_from_anywhere_with_nothing_set(image: Image):
    """Help and version need no settings, no home, no checkout, and say nothing on standard error."""
    done = image.run(["thecaflow", "--help"])
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"worker" in done.stdout
    where = image.run(["python", "-c", "import thecaflow, os; print(thecaflow.__file__, os.getuid())"])
    path, uid = where.stdout.decode().split()
    assert path.startswith(str(image.folder))
    assert not image.shut_in or int(uid) == UID


@pytest.mark.skipif(
    "not __import__('tests.image').image.can_shut_in()", reason="needs root and a mount namespace"
)
def test_a_process_of_the_image_can_write_to_tmp_and_nowhere_else(image: Image):
    """What the other tests here show holds for a read-only root, without capabilities: the seal itself is checked."""
    script = (
        "id -u; grep CapBnd /proc/self/status; touch /tmp/x && echo tmp; touch {0}/x || echo sealed; ls {1}"
    )
    repository = Path(__file__).resolve().parents[2]
    done = image.run(["sh", "-c", script.format(image.folder, repository)])
    assert done.stdout.decode().split() == [str(UID), "CapBnd:", "0" * 16, "tmp", "sealed"]


def test_a_simulated_pump_is_analysed_to_the_same_bytes_as_in_the_checkout(image: Image):
    """Kernels compiled for a generic processor give the facts that this machine's own give, and none is compiled anew."""
    events = image.run(["thecaflow", "simulate", "--case", "founding"]).stdout
    script = 'thecaflow analyse - && diff -r "$COMPILED_KERNELS" "$NUMBA_CACHE_DIR"'
    facts = image.run(["sh", "-ec", script], stdin=events)
    own = subprocess.run([*THECAFLOW, "analyse", "-"], input=events, capture_output=True, check=True).stdout
    assert facts.returncode == 0, facts.stdout.decode()[-500:] + facts.stderr.decode()
    assert facts.stdout == own
    assert b'"cause":"reservoir_empty"' in own


class Containers:
    """Services of the composition as processes on this machine: their variables, but the hosts and ports of a test's stack."""

    def __init__(self, image: Image, settings: Settings, stack: NativeStack, folder: Path) -> None:
        self.image = image
        self.settings = settings
        self.services = services(composition())
        self.secrets = image.folder.parent / "secrets"
        self.secrets.mkdir(exist_ok=True)
        self.folder = folder
        for name in ("database_password", "console_key"):
            (self.secrets / name).write_text(f"a long secret for {name}\n")
        self.ports = {
            "gateway": int(stack.environ["GATEWAY_PORT"]),
            "console": int(stack.environ["CONSOLE_PORT"]),
            "worker": int(stack.environ["WORKER_PORT"]),
        }

    def variables(self, name: str) -> dict[str, str]:
        """What compose gives a service, aimed at the test's stack."""
        own = self.settings.to_env()
        given = dict(self.services[name]["environment"])
        moved = {
            variable: own[variable]
            for variable in given
            if variable in own and variable != "THECAFLOW_BIND_HOST"
        }
        here = {
            **{f"THECAFLOW_{part.upper()}_PORT": str(port) for part, port in self.ports.items()},
            "THECAFLOW_GATEWAY_URL": f"http://127.0.0.1:{self.ports['gateway']}",
            "THECAFLOW_CONSOLE_URL": f"http://127.0.0.1:{self.ports['console']}",
            "THECAFLOW_BIND_HOST": "127.0.0.1",
            "THECAFLOW_CONSUMER_GROUP": self.settings.consumer_group,
        }
        files = {
            variable: text.replace("/run/secrets", str(self.secrets))
            for variable, text in given.items()
            if variable.endswith("_FILE")
        }
        return given | moved | here | files

    def command(self, name: str) -> list[str]:
        """The command line of a service, with the image's entry point where the service has none of its own."""
        service = self.services[name]
        return [*service.get("entrypoint", ["thecaflow"]), *service["command"]]

    @contextmanager
    def up(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """One long-running service; it must still run at the end, and end with 0 when told to."""
        with (self.folder / f"{name}.log").open("wb") as log:
            started = self.image.popen(
                self.command(name), self.variables(name), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
            try:
                yield started
                assert started.poll() is None, self.log(name)
                started.send_signal(signal.SIGTERM)
                assert started.wait(40) == 0, self.log(name)
            finally:
                started.kill()
                started.wait()

    def well(self, name: str) -> bool:
        """Whether the service's own health check says so."""
        asked = self.services[name]["healthcheck"]["test"][1:]
        alone = {f"THECAFLOW_{part.upper()}_PORT": "1" for part in (*self.ports, "pager") if part != name}
        return self.image.run(asked, self.variables(name) | alone).returncode == 0

    def log(self, name: str) -> str:
        """What a service said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def limits(self, name: str) -> dict[str, Any]:
        """The service's limits: bytes and processes."""
        limits = self.services[name]["deploy"]["resources"]["limits"]
        return {"memory": int(limits["memory"][:-1]) * SIZES[limits["memory"][-1]], "pids": limits["pids"]}


def until(condition: Callable[[], bool], containers: Containers, *names: str) -> None:
    """Wait for something; shows the logs where it does not come."""
    end = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < end, "\n".join(containers.log(name) for name in names)
        time.sleep(0.3)


def test_the_services_of_the_composition_work_with_its_variables_alone(
    image: Image, stack: NativeStack, settings: Settings, tmp_path: Path
):
    """Set up, three services well by their own checks, a token, events in, facts out, within limits, a clean end."""
    containers = Containers(image, settings, stack, tmp_path)
    done = image.run(containers.command("setup"), containers.variables("setup"))
    assert done.returncode == 0, done.stderr.decode()
    assert b"applied 0001" in done.stdout
    names = ("gateway", "worker", "console")
    with ExitStack() as running:
        started = {name: running.enter_context(containers.up(name)) for name in names}
        for name in names:
            until(lambda name=name: containers.well(name), containers, name)
        added = image.run(["thecaflow", "token", "add", "relay", "--replay"], containers.variables("gateway"))
        assert added.returncode == 0, added.stderr.decode()
        events = image.run(["thecaflow", "simulate", "--case", "founding"]).stdout
        token = ["--token", added.stdout.decode().strip()]
        sent = image.run(["thecaflow", "replay", "-", *token], containers.variables("gateway"), stdin=events)
        assert sent.returncode == 0, sent.stderr.decode()
        database = settings.database.rpartition("/")[2]
        until(lambda: int(stack.sql("SELECT count(*) FROM alert_history", database)) > 0, containers, *names)
        for name, process in started.items():
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
            threads = int(re.search(r"Threads:\s+(\d+)", status)[1])  # type: ignore[index]
            assert peak < containers.limits(name)["memory"] / 2, f"{name} took {peak / MEBIBYTE:.0f} MB"
            assert threads < containers.limits(name)["pids"] / 2, f"{name} has {threads} threads"
