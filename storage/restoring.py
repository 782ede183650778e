"""A database in the middle of a restore: it must not be read half, and a connection opened then keeps its mode for good."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from contract.errors import UnreachableError
from storage.queries import named


async def refuse_restoring(connection: Any) -> None:
    """Raise UnreachableError while a restore is under way, that is between timescaledb_pre_restore and _post_restore.

    Tables are there without their rows then: whoever read from them would begin at offset 0.
    """
    if await connection.fetchval(named("restoring")):
        raise UnreachableError("the database is being restored")


@asynccontextmanager
async def outside_restores(connection: Any) -> AsyncIterator[None]:
    """Raise UnreachableError for a connection that was opened during a restore, and close it.

    TimescaleDB sets the mode when a session begins, so such a connection of a pool would refuse to write for ever.
    """
    try:
        yield
    except asyncpg.FeatureNotSupportedError as refused:
        if "during restore" not in str(refused):
            raise
        connection.terminate()
        raise UnreachableError("the connection dates from a restore; another one is taken") from refused
