"""Who looks: a viewer with a role and a scope, from a session or a bearer token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from litestar import Request
from litestar.connection import ASGIConnection

READING_ROLES: Final = frozenset({"viewer", "operator", "admin"})
ANSWERING_ROLES: Final = frozenset({"operator", "admin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A person by their token: the label names them, the role says what they may do, the scope what they may see."""

    token_id: str
    label: str
    role: str
    pumps: frozenset[str] | None = None
    sites: frozenset[str] | None = None
    secret: str = field(repr=False)
    """The token itself, with which the viewer's answers are posted to the gateway."""

    def sees(self, pump: str, site: str | None) -> bool:
        """Whether this pump is within the scope; for those it is not, it does not exist."""
        if self.pumps is None and self.sites is None:
            return True
        return (self.pumps is not None and pump in self.pumps) or (
            self.sites is not None and site in self.sites
        )

    @property
    def may_answer(self) -> bool:
        """Whether they may acknowledge, shelve and write notes."""
        return self.role in ANSWERING_ROLES

    @property
    def is_admin(self) -> bool:
        """Whether they may see the tokens and who did what."""
        return self.role == "admin"


class Sessions(Protocol):
    """Logs people in and out, and tells who they are."""

    async def viewer(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Viewer | None:
        """Return who asks, by bearer token or session; None where nobody is logged in. Raises Problem 503."""

    async def log_in(self, request: Request[Any, Any, Any], secret: str) -> Viewer:
        """Begin a session by a token; raises Problem 401 (unknown), 403 (a sender's), 429 (too many tries) or 503."""

    async def log_in_once(self, request: Request[Any, Any, Any], code: str) -> Viewer:
        """Begin a session by a one-time login link's code, which ends by it; raises Problem as `log_in` does."""

    def log_out(self, request: Request[Any, Any, Any]) -> None:
        """End the session."""
