"""One pytest session in a process of its own: chosen tests in a chosen order, each within a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FrameType

import pytest

# Uncompiled: a compiled caller that is cached would go on with the code from before the mutation.
QUIET = {"NUMBA_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PLUGINS = [
    "pytest_timeout",
    "pytest_asyncio.plugin",
    "_hypothesis_pytestplugin",
]  # others take seconds to load
PRELOADED = ["numpy", "numba", "pytest", "hypothesis", "hypothesis.strategies", "msgspec", *PLUGINS]


@dataclass
class Told:
    """What a session says: of each test seconds (None: failed or too slow) and the functions of kernels/ that it called."""

    code: int = -1
    seconds: dict[str, float | None] = field(default_factory=dict)
    reached: dict[str, list[str]] = field(default_factory=dict)

    @property
    def failed(self) -> str:
        """The first test that failed."""
        return next((test for test, took in self.seconds.items() if took is None), "")


class Plugin:
    """Chooses, orders, limits and times tests; with `limits` None all of them, and what they call."""

    def __init__(self, limits: dict[str, float] | None) -> None:
        self.limits, self.told = limits, Told()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep those with a limit, in the order of the limits' dict."""
        if self.limits is None:
            return
        order = {test: place for place, test in enumerate(self.limits)}
        items[:] = sorted(
            (item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid]
        )
        for item in items:
            item.add_marker(pytest.mark.timeout(self.limits[item.nodeid]))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Take note of the functions that a test calls, in the measuring session."""
        if self.limits is not None:
            return (yield)
        called: set[CodeType] = set()

        def take(frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG001 - sys.settrace's
            called.add(frame.f_code)

        sys.settrace(take)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.told.reached[item.nodeid] = sorted(
                f"kernels/{path.name}:{code.co_name}"
                for code in called
                if (path := Path(code.co_filename)).parent.name == "kernels"
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Time each test, its fixtures included."""
        before = self.told.seconds.get(report.nodeid, 0.0)
        self.told.seconds[report.nodeid] = (
            None if report.failed or before is None else before + report.duration
        )


def _session(
    folder: str, files: list[str], limits: dict[str, float] | None, most_s: float, send: Connection
) -> None:
    os.setsid()
    os.chdir(folder)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    sys.dont_write_bytecode = True
    plugin = Plugin(limits)
    stop = [] if limits is None else ["-x"]
    plugins = [part for name in PLUGINS for part in ("-p", name)]
    options = [
        *plugins,
        "-q",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "--hypothesis-seed=0",
        "-m",
        "not integration",
    ]
    plugin.told.code = int(
        pytest.main([f"--rootdir={folder}", f"--timeout={most_s}", *options, *stop, *files], [plugin])
    )
    send.send(plugin.told)
    os._exit(0)


def run(
    folder: Path, files: list[str], limits: dict[str, float] | None, most_s: float, whole_s: float
) -> Told | None:
    """Run the tests of `files` that `limits` (seconds by test) holds, in its order, until one fails; None if it takes `whole_s`.

    Without limits: all tests, `most_s` each, failures do not end it.
    """
    forks = multiprocessing.get_context("forkserver")
    os.environ.update(QUIET)
    forks.set_forkserver_preload(PRELOADED)
    receive, send = forks.Pipe(duplex=False)
    process = forks.Process(target=_session, args=(str(folder), files, limits, most_s, send))
    process.start()
    send.close()
    try:
        return receive.recv() if receive.poll(whole_s) else None
    except EOFError:
        return Told()
    finally:
        if process.is_alive() and process.pid is not None:
            _end(process.pid)
        process.join()


def _end(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)
