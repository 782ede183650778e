"""Progress on standard error: a bar for whatever takes longer than two seconds, nothing for what is quicker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PATIENCE_S: Final = 2.0


class Advance(Protocol):
    """Moves a bar."""

    def __call__(self, steps: float = 1, /, *, text: str | None = None) -> None:
        """Go on by `steps`; `text` replaces what stands beside the bar."""


@contextmanager
def bar(label: str, total: float | None = None, *, console: Console | None = None) -> Iterator[Advance]:
    """Show a bar from the third second on, if standard error is a terminal; `total` None: it only pulses."""
    console = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    shown = Progress(*columns, console=console, transient=True)
    task = shown.add_task(label, total=total, text="")
    timer = threading.Timer(PATIENCE_S, shown.start)
    timer.daemon = True

    def advance(steps: float = 1, /, *, text: str | None = None) -> None:
        fields: dict[str, Any] = {} if text is None else {"text": text}
        shown.update(task, advance=steps, **fields)

    if console.is_terminal:
        timer.start()
    try:
        yield advance
    finally:
        timer.cancel()
        if shown.live.is_started:
            shown.stop()
