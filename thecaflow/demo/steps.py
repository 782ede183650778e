"""Says what the demonstration is doing and how long each step took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Steps:
    """Says what is being done and how long it took."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began_s = time.monotonic()

    def say(self, text: str) -> None:
        """One line with the seconds since the start."""
        self.console.print(f"[dim]{time.monotonic() - self.began_s:6.1f} s[/dim]  {text}", highlight=False)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """A line before, and the time it took after."""
        began_s = time.monotonic()
        self.say(f"{text} ...")
        yield
        if (took_s := time.monotonic() - began_s) >= 1.0:
            self.say(f"  done in {took_s:.1f} s")
