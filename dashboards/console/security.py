"""What keeps a browser safe: the sealed session cookie, CSRF tokens, and the headers of every answer."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from litestar.config.csrf import CSRFConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.middleware import DefineMiddleware
from litestar.middleware.csrf import CSRFMiddleware
from litestar.middleware.session.client_side import ClientSideSessionBackend, CookieBackendConfig
from litestar.types import Message, Receive, Scope, Send

SESSION_S: Final = 7 * 86_400
"""A session ends then, whatever happens; with its token it ends within seconds."""
CSRF_HEADER: Final = "x-csrftoken"
CSRF_FIELD: Final = "_csrf_token"
_LOADED: Final = "thecaflow_session_loaded"
# No inline script or style, nothing from elsewhere; `data:` images are the small ones within our own style sheets.
_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """What seals cookies and signs CSRF tokens, both from one text; an empty text makes new ones, for this process."""

    session: bytes
    csrf: str

    @classmethod
    def of(cls, text: str) -> Keys:
        """Derive both keys; the derivations differ, so that one tells nothing of the other."""
        seed = text.encode() or secrets.token_bytes(32)
        return cls(
            session=hashlib.blake2b(seed, digest_size=32, person=b"session").digest(),
            csrf=hashlib.blake2b(seed, digest_size=32, person=b"csrf").hexdigest(),
        )


class SealedSession(ClientSideSessionBackend):
    """Litestar's encrypted cookie, written only when a session begins or ends: it need not travel with every answer.

    A cookie that cannot be read is no session, whatever is wrong with it.
    """

    async def load_from_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
        """Return the session of the request's cookies."""
        try:
            session = await super().load_from_connection(connection)
        except Exception:  # noqa: BLE001 - anybody can send anything as a cookie
            session = {}
        connection.scope["state"][_LOADED] = dict(session)
        return session

    async def store_in_message(
        self, scope_session: Any, message: Message, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> None:
        """Set or clear the cookie where the session changed."""
        session = scope_session if isinstance(scope_session, dict) else {}
        if session != connection.scope["state"].get(_LOADED):
            await super().store_in_message(session, message, connection)


@dataclass
class SealedSessionConfig(CookieBackendConfig):
    """As Litestar's, with our backend."""

    _backend_class = SealedSession


class BrowserCsrf(CSRFMiddleware):
    """Litestar's CSRF check for whoever is known by a cookie; who shows a bearer token in a header is no browser lured here."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check or pass by."""
        if any(name == b"authorization" for name, _ in scope["headers"]):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def session_config(keys: Keys, *, https: bool) -> CookieBackendConfig:
    """Return the session cookie: HttpOnly, Lax so that a link in a page opens logged in, Secure under https."""
    return SealedSessionConfig(
        secret=keys.session,
        key="__Host-thecaflow" if https else "thecaflow",
        max_age=SESSION_S,
        secure=https,
        httponly=True,
        samesite="lax",
    )


def csrf_middleware(keys: Keys, *, https: bool) -> DefineMiddleware:
    """Return the check of POSTs: the token of cookie `csrf` again in header x-csrftoken or form field _csrf_token."""
    samesite: Literal["strict"] = "strict"
    config = CSRFConfig(
        secret=keys.csrf,
        cookie_name="__Host-thecaflow-csrf" if https else "thecaflow-csrf",
        header_name=CSRF_HEADER,
        cookie_secure=https,
        cookie_httponly=True,
        cookie_samesite=samesite,
        exclude=["^/(healthz|readyz|metrics|static/.*)$"],  # who asks these keeps no cookies
    )
    return DefineMiddleware(BrowserCsrf, config=config)


def security_headers(*, https: bool) -> Callable[[Message, Scope], Awaitable[None]]:
    """Return the hook that puts the headers on every answer; what a handler sets itself stays."""
    headers = dict(HEADERS)
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000"

    async def add(message: Message, _scope: Scope) -> None:
        if message["type"] == "http.response.start":
            answer = MutableScopeHeaders.from_message(message)
            for name, text in headers.items():
                answer.setdefault(name, text)
            answer.setdefault("Cache-Control", "no-store")

    return add
