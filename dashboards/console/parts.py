"""What the console's routes are given: one frozen value made by the composition root.

`pages.routes.handlers(console)` returns the route handlers of the HTML pages. Every handler, HTML or JSON, may ask for
``viewer: NamedDependency[Viewer]``: the application provides it, and raises Problem 401 where nobody is logged in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template.config import TemplateConfig

from dashboards.console.detection import Detection
from dashboards.console.session import Sessions, Viewer
from dashboards.console.snapshot import AlertNow, Snapshot
from ingest.answering import Answered

T = TypeVar("T")

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"


class SnapshotSource(Protocol):
    """Keeps the newest snapshot."""

    @property
    def current(self) -> Snapshot | None:
        """The newest; None while the database has not answered since the console's start."""

    @property
    def confirmed_us(self) -> int:
        """When the database last said that the newest snapshot still holds; 0 before the first."""

    @property
    def database_up(self) -> bool:
        """Whether the last attempt to read it succeeded."""

    async def changed(self, after_version: int) -> Snapshot:
        """Return the first snapshot whose version is above `after_version`, at once or when it comes."""


class DatabaseSource(Protocol):
    """Answers questions from the database."""

    async def ask(self, question: Callable[[Any], Awaitable[T]], *, within_s: float = 5.0) -> T:
        """Return what `question(connection)` returns; raises UnreachableError."""


class Answers(Protocol):
    """Sends what a person decided to the gateway, with that person's own token."""

    async def acknowledge(self, viewer: Viewer, alert: AlertNow, reason: str) -> Answered:
        """Send an `alert_ack`; raises Problem 400 (no reason), 401, 403 (may not), 502 or 503 (the gateway did not take it)."""

    async def shelve(self, viewer: Viewer, alert: AlertNow, reason: str, until_us: int) -> Answered:
        """Send an `alert_shelved` until a time, 24 h ahead at most; raises Problem as `acknowledge` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """What the console knows of the world around it."""

    console_url: str
    """Where people reach it; https makes its cookies Secure."""
    gateway_url: str
    events_topic: str = "pump-events"
    facts_topic: str = "pump-facts"
    database_limit_bytes: int = 0
    """0: unknown."""


def template_config() -> TemplateConfig[JinjaTemplateEngine]:
    """Templates of the pages; Jinja escapes whatever is put into them."""
    return TemplateConfig(directory=TEMPLATES, engine=JinjaTemplateEngine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Everything a route may use."""

    snapshots: SnapshotSource
    database: DatabaseSource
    answers: Answers
    detection: Detection
    sessions: Sessions
    settings: ConsoleSettings
    now_us: Callable[[], int]
    templates: TemplateConfig[JinjaTemplateEngine] = field(default_factory=template_config)
