"""What a person sees while something takes long: one line at the start, one every few seconds, one at the end."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from nativestack.config import StackError

BEAT_S = 5.0
ATTEMPTS = 4

Result = TypeVar("Result")


def say(text: str) -> None:
    """Print one line of progress at once."""
    print(f"stack: {text}", file=sys.stderr, flush=True)


def run(
    command: Sequence[str | Path],
    doing: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    measure: Callable[[], str] | None = None,
) -> str:
    """Run ``command`` and return its standard output; says every few seconds that ``doing`` goes on.

    ``measure`` adds how far it is to those lines. Raises StackError with the end of the program's own messages.
    """
    with subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        began = time.monotonic()
        while True:
            try:
                out, err = running.communicate(timeout=BEAT_S)
                break
            except subprocess.TimeoutExpired:
                far = f", {measure()}" if measure else ""
                say(f"  {doing} ({time.monotonic() - began:.0f} s{far})")
    if running.returncode != 0:
        messages = "\n".join((err.strip() or out.strip()).splitlines()[-12:])
        raise StackError(f"{doing} failed (exit {running.returncode}):\n{messages}")
    return out


def with_retries(action: Callable[[], Result], pause_s: float = 3.0) -> Result:
    """Do ``action``, again after a growing pause where it failed: mirrors and networks fail for moments."""
    for attempt in range(1, ATTEMPTS):
        try:
            return action()
        except StackError as error:
            say(f"{error}\nstack: attempt {attempt} of {ATTEMPTS}; again in {pause_s:.0f} s")
            time.sleep(pause_s)
            pause_s *= 2
    return action()


def megabytes(folder: Path, pattern: str = "**/*") -> str:
    """Size of the files under ``folder`` as text; files may come and go meanwhile."""
    total = 0
    for file in folder.glob(pattern):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:
            continue
    return f"{total / 1e6:.0f} MB"
