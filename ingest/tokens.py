"""Bearer tokens: how they are made, how they are stored, how they are read from a request."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from contract.errors import UnusableInputError
from contract.events import TYPES
from storage.types import TokenRow

PREFIX = "thecaflow_"
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a fresh token: 256 random bits behind a prefix by which a scanner of leaked secrets can know it."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def token_hash(secret: str) -> bytes:
    """Return what is stored of a token: SHA-256 of its text.

    A slow, salted hash protects what people think up, because a list of likely passwords can be tried against it. Nobody
    can try 2^256 secrets, so a fast one is enough here, and it lets the gateway find a token by its hash.
    """
    return hashlib.sha256(secret.encode()).digest()


def make_token(
    label: str,
    created_us: int,
    *,
    pumps: Sequence[str] = (),
    sites: Sequence[str] = (),
    types: Sequence[str] = (),
    replay: bool = False,
) -> tuple[str, TokenRow]:
    """Return a new token's secret, to be shown once, and the row to store. An empty scope means all.

    Raises UnusableInputError for an event type that nobody may send.
    """
    sendable = [name for name in TYPES if name != "tick"]
    if unknown := [name for name in types if name not in sendable]:
        raise UnusableInputError(
            f"{', '.join(unknown)}: no event type to send; choose from {', '.join(sendable)}"
        )
    secret = new_secret()
    row = TokenRow(
        id=secrets.token_hex(4),
        hash=token_hash(secret),
        label=label,
        pumps=tuple(pumps) or None,
        sites=tuple(sites) or None,
        types=tuple(types) or None,
        replay=replay,
        created_us=created_us,
    )
    return secret, row


def secret_of(authorization: str | None) -> str | None:
    """Return the token of an Authorization header; None where there is none of the form `Bearer TOKEN`."""
    scheme, _, secret = (authorization or "").partition(" ")
    secret = secret.strip()
    return secret if scheme.lower() == "bearer" and 0 < len(secret) <= 256 and secret.isascii() else None
