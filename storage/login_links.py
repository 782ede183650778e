"""One-time login links: kept sealed, gone once used."""

from __future__ import annotations

from typing import Any

from storage.queries import named


async def add(connection: Any, code_hash: bytes, sealed: bytes, expires_us: int) -> None:
    """Keep a link, and forget those that expired an hour ago."""
    await connection.execute(named("login_link_add"), code_hash, sealed, expires_us)


async def take(connection: Any, code_hash: bytes, now_us: int) -> bytes | None:
    """Return what a link seals, and forget it; None where there is none, or no longer."""
    row = await connection.fetchrow(named("login_link_take"), code_hash)
    return None if row is None or row["expires"] < now_us else bytes(row["sealed"])
