"""A database in the middle of a restore has tables without their rows: whoever read from it would begin at offset 0."""

from __future__ import annotations

from typing import Any

from contract.errors import UnreachableError
from storage.queries import named


async def refuse_restoring(connection: Any) -> None:
    """Raise UnreachableError while a restore is under way, that is between timescaledb_pre_restore and _post_restore."""
    if await connection.fetchval(named("restoring")):
        raise UnreachableError("the database is being restored")
