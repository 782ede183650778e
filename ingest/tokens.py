"""Bearer tokens: how they are made, how they are stored, how they are read from a request, what their roles may send."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

from contract.errors import UnusableInputError
from contract.events import TYPES
from storage.types import Role, TokenRow

PREFIX: Final = "thecaflow_"
SECRET_BYTES: Final = 32
MAX_LABEL: Final = 100
ANSWERS: Final = frozenset({"alert_ack", "alert_shelved"})
"""What only a person's token may send, and a program's that was made for it."""
OPERATORS_TYPES: Final = ANSWERS | {"note", "assessment"}
PEOPLES_ROLES: Final[frozenset[Role]] = frozenset({"operator", "admin"})
"""Roles under whose label an event is written."""
_SENDABLE: Final = frozenset(TYPES) - {"tick"}


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
    role: Role = "sender",
) -> tuple[str, TokenRow]:
    """Return a new token's secret, to be shown once, and the row to store. An empty scope means all.

    Raises UnusableInputError for an event type that the role may not send, a replay that is not a sender's, and a label
    that could not stand in a line of the audit.
    """
    if not (0 < len(label) <= MAX_LABEL and label.isprintable() and label == label.strip()):
        raise UnusableInputError(f"a label is a line of 1 to {MAX_LABEL} characters")
    if role != "sender" and replay:
        raise UnusableInputError(
            "only a sender's token may replay: a person's answers are received when they are"
        )
    if unknown := [name for name in types if name not in _of_role(role)]:
        choice = [name for name in TYPES if name in _of_role(role)]
        raise UnusableInputError(
            f"{', '.join(unknown)}: no event type that this role sends; choose from {', '.join(choice) or 'none'}"
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
        role=role,
        created_us=created_us,
    )
    return secret, row


def _of_role(role: Role) -> frozenset[str]:
    if role == "sender":
        return _SENDABLE
    return OPERATORS_TYPES if role in PEOPLES_ROLES else frozenset()


def sendable_types(token: TokenRow) -> frozenset[str]:
    """Return the event types that a token may send.

    A sender answers no alert unless it was made for that, by type or to replay a log that holds answers: so a device's
    relay can't silence what it caused.
    """
    allowed = _of_role(token.role)
    if token.types is not None:
        return allowed & frozenset(token.types)
    if token.role == "sender" and not token.replay:
        return allowed - ANSWERS
    return allowed


def secret_of(authorization: str | None) -> str | None:
    """Return the token of an Authorization header; None where there is none of the form `Bearer TOKEN`."""
    scheme, _, secret = (authorization or "").partition(" ")
    secret = secret.strip()
    return secret if scheme.lower() == "bearer" and 0 < len(secret) <= 256 and secret.isascii() else None
