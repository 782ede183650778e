"""Drives one partition's live fold against a store, batch by batch, as the agent does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.live import PartitionFold
from storage.store import Store
from storage.types import FactRow


@dataclass(frozen=True)
class LogRecord:
    """A record of the log."""

    offset: int
    value: bytes


async def feed(
    store: Store, batches: Sequence[Sequence[bytes]], *, reload_each: bool = False
) -> PartitionFold:
    """Fold and commit the batches in order; with `reload_each` a worker begins anew from the store for each."""
    fold, offset = PartitionFold(0, {}, 0), 0
    for batch in batches:
        if reload_each:
            loaded = await store.load(0)
            fold = PartitionFold(0, loaded.blobs, loaded.next_offset)
        records = [LogRecord(offset + number, raw) for number, raw in enumerate(batch)]
        offset += len(records)
        intake = fold.read(records)
        known = await store.known(intake.keys)
        requests = fold.plan(intake, known)
        histories = {request.pump: await store.history(request) for request in requests}
        changes = fold.fold(intake, histories)
        assert await store.commit(changes)
        fold.accept(changes)
    return fold


async def facts_of(store: Store) -> list[FactRow]:
    """What the store believes now, in the contract's order."""
    return [row async for row in store.believed()]
