"""`thecaflow status --watch` in a terminal of its own: it refreshes, hears a key, and gives the terminal back."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.native import NativeStack
from tests.workers import make_tables
from thecaflow.settings import Settings

pytestmark = pytest.mark.timeout(120)

LINES, COLUMNS = 30, 110
WITHIN_S = 40.0


class Terminal:
    """The other side of a terminal in which the command runs."""

    def __init__(self, side: int, process: subprocess.Popen[bytes]) -> None:
        self._side = side
        self.process = process
        self.text = ""

    def read(self, pattern: str, times: int = 1) -> None:
        """Read until a pattern was found so often."""
        end = time.monotonic() + WITHIN_S
        while len(set(re.findall(pattern, self.text))) < times:
            assert time.monotonic() < end, re.sub(r" {3,}", "  ", self.text)[-3000:]
            self._read_some()

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._side, key)

    def ended(self) -> int:
        """Read to the end and return the exit code."""
        end = time.monotonic() + WITHIN_S
        while self.process.poll() is None:
            assert time.monotonic() < end
            self._read_some()
        return self.process.returncode

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed, as a shell leaves it."""
        return bool(termios.tcgetattr(self._side)[3] & termios.ECHO)

    def _read_some(self) -> None:
        if select.select([self._side], [], [], 0.1)[0]:
            self.text += os.read(self._side, 65536).decode(errors="replace")


@contextmanager
def terminal(settings: Settings, *arguments: str) -> Iterator[Terminal]:
    """Run `thecaflow status --watch` in a terminal of 30 lines."""
    side, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environ = os.environ | settings.to_env() | {"TERM": "xterm-256color"}
    environ.pop("COLUMNS", None)
    environ.pop("LINES", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "thecaflow", "status", "--watch", "--every", "1s", *arguments],
        env=environ, stdin=inner, stdout=inner, stderr=inner,
    )  # fmt: skip
    try:
        yield Terminal(side, process)
    finally:
        process.kill()
        process.wait(10)
        os.close(inner)
        os.close(side)


async def test_two_refreshes_and_an_end_by_q(topics: Settings):
    """Each refresh has its time; q ends it with 0, and the terminal is as it was."""
    await make_tables(topics)
    with terminal(topics) as seen:
        seen.read(r"thecaflow .*?\d\d:\d\d:\d\d  every 1 s, q ends  gateway away", 3)
        assert "no pump is known yet" in seen.text
        assert not seen.echoes()
        seen.press(b"q")
        assert seen.ended() == 0
        assert seen.echoes()
        assert "\x1b[?1049l" in seen.text, "the screen from before is back"
        assert "Traceback" not in seen.text


async def test_control_c_is_quiet(topics: Settings):
    """A person who has seen enough did nothing wrong."""
    await make_tables(topics)
    with terminal(topics) as seen:
        seen.read(r"gateway away")
        seen.process.send_signal(signal.SIGINT)
        assert seen.ended() == 0
        assert "interrupted" not in seen.text
        assert seen.echoes()


async def test_a_database_that_goes_and_comes_back_is_waited_for(topics: Settings, stack: NativeStack):
    """It says what is away, keeps what it saw, and goes on."""
    await make_tables(topics)
    with terminal(topics) as seen:
        seen.read(r"lag 0 records")
        stack.kill("pg")
        seen.read(r"trying again")
        stack.start("pg")
        seen.text = ""
        seen.read(r"every 1 s, q ends[^\n]*\n[^\n]*lag 0 records")
        seen.press(b"q")
        assert seen.ended() == 0


def test_into_a_pipe_it_prints_each_time(topics: Settings):
    """No escape sequences, one JSON object a line, SIGTERM ends it with 0."""
    asyncio.run(make_tables(topics))
    process = subprocess.Popen(
        [sys.executable, "-m", "thecaflow", "status", "--watch", "--every", "200ms", "--json"],
        env=os.environ | topics.to_env(), stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert all(line.startswith(b'{"at":') and b"\x1b" not in line for line in printed)
    assert process.returncode == 0
    assert b"\x1b" not in rest
