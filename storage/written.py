"""When the lines of alerts were written, superseded ones too: from here the delays of pages are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from storage.queries import named


@dataclass(frozen=True, slots=True)
class WrittenLine:
    """One line of an alert. `written_us` is wall time; `believed_*_us` is `received` time, open while believed."""

    pump: str
    cause: str
    alert_id: str
    state: str
    priority: str
    at_us: int
    written_us: int
    believed_from_us: int
    believed_to_us: int | None


async def alert_lines(connection: Any) -> list[WrittenLine]:
    """Return every line of every alert of the current run, in the order in which they were written."""
    return [WrittenLine(*row) for row in await connection.fetch(named("alert_written"))]
