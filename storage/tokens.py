"""Who may send what: hashes of bearer tokens and their scopes."""

from __future__ import annotations

from typing import Any

import asyncpg

from contract.errors import UnusableInputError
from storage.queries import named
from storage.types import TokenRow


async def add(connection: Any, token: TokenRow) -> None:
    """Store a token's hash and scope; raises UnusableInputError where its id or hash exists already."""
    try:
        await connection.execute(
            named("token_add"),
            token.id,
            token.hash,
            token.label,
            token.pumps,
            token.sites,
            token.types,
            token.replay,
            token.created_us,
            token.role,
        )
    except asyncpg.UniqueViolationError as twice:
        raise UnusableInputError(f"there is a token {token.id} already; choose another id") from twice


async def revoke(connection: Any, token_id: str, revoked_us: int) -> bool:
    """Mark a token as revoked; False if there is none of that id that still holds."""
    return await connection.fetchval(named("token_revoke"), token_id, revoked_us) is not None


async def load_all(connection: Any) -> list[TokenRow]:
    """Return every token, revoked ones too, oldest first."""
    return [
        TokenRow(
            id=row["id"],
            hash=row["hash"],
            label=row["label"],
            pumps=_scope(row["pumps"]),
            sites=_scope(row["sites"]),
            types=_scope(row["types"]),
            replay=row["replay"],
            role=row["role"],
            created_us=row["created"],
            revoked_us=row["revoked"],
        )
        for row in await connection.fetch(named("tokens_read"))
    ]


def _scope(members: list[str] | None) -> tuple[str, ...] | None:
    return None if members is None else tuple(members)
