"""An event that comes again in another role (counting or not, at another time) stays one row of the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from storage.types import EventRow

StoredKey: TypeAlias = tuple[str, str, bytes]  # (pump, id, digest): one content of one id


def merge_roles(
    events: Iterable[EventRow], stored_received: Mapping[StoredKey, int | None]
) -> list[EventRow]:
    """Return each event once by (pump, id, digest): counting if any copy of it counts, with the earliest `received`.

    `stored_received` has the `received` of copies that were stored before and are replaced now; absent counts as later
    than any.
    """
    merged: dict[StoredKey, EventRow] = {}
    for event in events:
        key = (event.pump, event.id, event.digest)
        before = merged.get(key)
        times = (event.received_us, before.received_us if before else None, stored_received.get(key))
        received_us = min((time for time in times if time is not None), default=None)
        kept = before if before is not None and before.counts and not event.counts else event
        merged[key] = kept if kept.received_us == received_us else replace(kept, received_us=received_us)
    return list(merged.values())
