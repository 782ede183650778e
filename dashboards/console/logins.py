"""Sessions by token: who asks, how they log in by a token or a one-time link, and that they may not try for ever."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from litestar import Request
from litestar.connection import ASGIConnection

from contract.errors import ThecaflowError
from dashboards.console.database import Asking
from dashboards.console.session import READING_ROLES, Viewer
from ingest.authority import TokenList
from ingest.problems import Problem, unavailable
from storage import login_links
from storage.types import TokenRow

logger = logging.getLogger(__name__)

LINK_S: Final = 600
CODE_BYTES: Final = 24
NONCE_BYTES: Final = 12
TRIES: Final = 10
TRIES_WITHIN_S: Final = 60.0
MAX_CLIENTS: Final = 10_000
_HELD: Final = "held"
"""The session's one field: the token that it stands for."""


class Throttle:
    """How many failed logins of one address are answered one by one: ten a minute; the oldest addresses are forgotten first.

    It never keeps a right token out. Nobody guesses 256 bits, while behind a proxy all may have one address, and whoever is
    called at night must get in beside somebody who tries.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()  # address -> (failures, first at)

    def failed(self, address: str) -> None:
        """Count one more; raises Problem 429 from the eleventh on."""
        now = self._clock()
        failures, since = self._failures.pop(address, (0, now))
        failures, since = (failures + 1, since) if now - since < TRIES_WITHIN_S else (1, now)
        self._failures[address] = failures, since
        while len(self._failures) > MAX_CLIENTS:
            self._failures.popitem(last=False)
        if failures > TRIES:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "logins",
                "Too many failed logins; wait a minute, or log in with a token that holds.",
                retry_after_s=since + TRIES_WITHIN_S - now,
            )


class TokenSessions:
    """Sessions that hold a token; it is looked up in the list at each request, so that a revoked one ends them."""

    def __init__(
        self, tokens: TokenList, database: Asking, now_us: Callable[[], int], throttle: Throttle | None = None
    ) -> None:
        self._tokens = tokens
        self._database = database
        self._now_us = now_us
        self._throttle = throttle or Throttle()
        self._taking = asyncio.Lock()  # anybody may try codes: they take one of the connections, not all

    async def viewer(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Viewer | None:
        """Return who asks; a header that is there counts alone. Raises Problem 401, 403 (for a header) or 503."""
        authorization = connection.headers.get("authorization")
        if authorization is not None:
            return _viewer(await self._tokens.holder(authorization), authorization.partition(" ")[2].strip())
        secret = connection.session.get(_HELD)
        if not isinstance(secret, str):
            return None
        try:
            return _viewer(await self._tokens.holder(f"Bearer {secret}"), secret)
        except Problem as problem:
            if problem.status is HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            connection.clear_session()
            return None

    async def log_in(self, request: Request[Any, Any, Any], secret: str) -> Viewer:
        """Begin a session by a token; raises Problem 401, 403, 429 or 503."""
        address = _address(request)
        secret = secret.strip()
        try:
            viewer = _viewer(await self._tokens.holder(f"Bearer {secret}"), secret)
        except Problem as problem:
            if problem.status is not HTTPStatus.SERVICE_UNAVAILABLE:
                self._throttle.failed(address)
                logger.info("login refused (%d) for %s", problem.status, address)
            raise
        request.set_session({_HELD: secret})
        logger.info("login of token %s (%s) from %s", viewer.token_id, viewer.role, address)
        return viewer

    async def log_in_once(self, request: Request[Any, Any, Any], code: str) -> Viewer:
        """Begin a session by a link's code; raises Problem as `log_in` does."""
        address = _address(request)
        try:
            async with self._taking:
                sealed = await self._database.ask(
                    lambda connection: login_links.take(connection, _hash(code), self._now_us())
                )
            secret = None if sealed is None else _unsealed(sealed, code)
        except ThecaflowError:
            raise unavailable("links", "Login links can't be checked now; try again.", 2.0) from None
        if secret is None:
            self._throttle.failed(address)
            logger.info("login link refused for %s", address)
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "link",
                "This login link was used already, or has expired; make another.",
            )
        return await self.log_in(request, secret)

    def log_out(self, request: Request[Any, Any, Any]) -> None:
        """End the session."""
        request.clear_session()

    async def link(self, viewer: Viewer) -> tuple[str, int]:
        """Return the code of a new one-time link for this viewer and when it expires; raises Problem 503."""
        code = secrets.token_urlsafe(CODE_BYTES)
        expires_us = self._now_us() + LINK_S * 1_000_000
        sealed = _sealed(viewer.secret, code)
        try:
            await self._database.ask(
                lambda connection: login_links.add(connection, _hash(code), sealed, expires_us)
            )
        except ThecaflowError:
            raise unavailable("links", "Login links can't be made now; try again.", 2.0) from None
        logger.info("login link for token %s", viewer.token_id)
        return code, expires_us


def _viewer(row: TokenRow, secret: str) -> Viewer:
    if row.role not in READING_ROLES:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "role",
            "This token sends events and sees nothing; `thecaflow token add NAME --role viewer` makes one that does.",
        )
    return Viewer(
        token_id=row.id,
        label=row.label,
        role=row.role,
        pumps=None if row.pumps is None else frozenset(row.pumps),
        sites=None if row.sites is None else frozenset(row.sites),
        secret=secret,
    )


def _address(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""


# What the database keeps of a link opens nothing: neither the code nor the key of the seal is in it.
def _hash(code: str) -> bytes:
    return hashlib.blake2b(code.encode(errors="replace"), digest_size=32, person=b"login link").digest()


def _seal(code: str) -> AESGCM:
    return AESGCM(hashlib.blake2b(code.encode(), digest_size=32, person=b"link seal").digest())


def _sealed(secret: str, code: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _seal(code).encrypt(nonce, secret.encode(), None)


def _unsealed(sealed: bytes, code: str) -> str | None:
    try:
        return _seal(code).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None).decode()
    except InvalidTag:
        return None
