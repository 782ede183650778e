"""Which site a pump belongs to, by its newest registration in the log of record."""

from __future__ import annotations

from typing import Any

from contract.codec import decode_msgpack
from contract.events import PumpRegistered
from storage.queries import named


async def site_of(connection: Any, pump: str) -> str | None:
    """Return the site of a pump's newest registration; None where it has none, or states none."""
    payload = await connection.fetchval(named("pump_registration"), pump)
    event = None if payload is None else decode_msgpack(payload)
    return event.site if isinstance(event, PumpRegistered) else None
