"""Reading facts: what is believed now, in the contract's order, and what waits for the facts topic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from storage.log import fact_of
from storage.queries import named
from storage.types import FactKind, FactRow

_PREFETCH: Final = 1000


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A fact that began or ended to be believed, on its way to the facts topic; `id` is the same at every attempt."""

    position: int
    id: str
    change: Literal["added", "superseded"]
    kind: FactKind
    pump: str
    believed_us: int
    line: bytes


async def believed(connection: Any, until_us: int | None = None) -> AsyncIterator[FactRow]:
    """Yield the current run's facts that are believed now with `at` <= `until_us`, in the contract's order of facts."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in connection.cursor(named("facts_believed"), until_us, prefetch=_PREFETCH):
            yield fact_of(row)


async def hold_outbox(connection: Any) -> bool:
    """Become the one publisher for as long as this session lives; False while another one is. Again: still True."""
    row = await connection.fetchrow(named("publisher_hold"))
    return bool(row["held"])


async def outbox(connection: Any, limit: int = 1000) -> list[OutboxRow]:
    """Return the oldest changes that are not published yet."""
    rows = await connection.fetch(named("outbox_read"), limit)
    return [
        OutboxRow(
            row["position"],
            row["id"],
            row["change"],
            row["kind"],
            row["pump"],
            row["believed"],
            row["line"].encode(),
        )
        for row in rows
    ]


async def published(connection: Any, positions: Sequence[int]) -> None:
    """Forget changes that the broker has acknowledged."""
    await connection.execute(named("outbox_delete"), positions)
