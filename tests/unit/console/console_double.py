"""A console in this process: the real application over a fleet, tokens, links and answers in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
from litestar.testing import AsyncTestClient

from contract.errors import UnreachableError
from contract.facts import Readiness
from contract.times import HOUR_US
from dashboards.console.app import Parts, make_app
from dashboards.console.detection import Explanation
from dashboards.console.logins import TokenSessions
from dashboards.console.metrics import ConsoleMetrics, SnapshotCollector
from dashboards.console.parts import Console, ConsoleSettings
from dashboards.console.security import Keys
from dashboards.console.session import Viewer
from dashboards.console.snapshot import AlertNow, PumpNow
from dashboards.console.snapshots import Snapshots
from dashboards.console.stream import Streams
from ingest.answering import Answered
from ingest.authority import TokenList
from ingest.tokens import make_token
from storage.console import Figures, Fleet, Watermark
from storage.queries import named
from storage.types import TokenRow

NOW_US = 1_800_000_000_000_000


def pump(name: str, site: str | None = "ward-a", **changes: Any) -> PumpNow:
    """A pump."""
    return PumpNow(pump=name, site=site, model="m", **changes)


def alert(alert_id: str, **changes: Any) -> AlertNow:
    """An active high occlusion of pump p1, three hours before harm."""
    plain = AlertNow(
        alert_id=alert_id,
        pump="p1",
        site="ward-a",
        cause="occlusion",
        state="active",
        priority="high",
        at_us=NOW_US,
        since_us=NOW_US - HOUR_US,
        harm_lo_us=NOW_US + 3 * HOUR_US,
        harm_hi_us=NOW_US + 9 * HOUR_US,
        text="blocked",
        written_us=NOW_US,
    )
    return replace(plain, **changes)


class MemoryFleet:
    """A FleetSource; `away` makes every question fail, for the reason that it says."""

    def __init__(self, pumps: Sequence[PumpNow] = (), alerts: Sequence[AlertNow] = ()) -> None:
        self.pumps = {one.pump: one for one in pumps}
        self.alerts = tuple(alerts)
        self.offsets = 0
        self.away: bool | str = False
        self.read = 0

    def commit(self, alerts: Sequence[AlertNow]) -> None:
        """Have other alerts, by a commit."""
        self.alerts = tuple(alerts)
        self.offsets += 1

    async def watermark(self) -> Watermark:
        self._check()
        return Watermark(self.offsets, 1)

    async def fleet(self) -> Fleet:
        self._check()
        self.read += 1
        return Fleet(watermark=Watermark(self.offsets, 1), pumps=dict(self.pumps), alerts=self.alerts)

    async def figures(self) -> Figures:
        self._check()
        return Figures(outbox_waiting=3, database_bytes=1000, quarantined_recent=2)

    def _check(self) -> None:
        if self.away:
            raise UnreachableError(self.away if isinstance(self.away, str) else "the database is away")


class MemoryAnswers:
    """Keeps what is answered."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str, int | None]] = []

    async def acknowledge(self, viewer: Viewer, alert: AlertNow, reason: str) -> Answered:
        self.sent.append((viewer.secret, alert.alert_id, reason, None))
        return Answered(event_id="e1", received="2027-01-15T08:00:00.000000Z")

    async def shelve(self, viewer: Viewer, alert: AlertNow, reason: str, until_us: int) -> Answered:
        self.sent.append((viewer.secret, alert.alert_id, reason, until_us))
        return Answered(event_id="e2", received="2027-01-15T08:00:00.000000Z")


class MemoryDatabase:
    """Answers the questions about login links; every other one finds nothing."""

    def __init__(self) -> None:
        self.links: dict[bytes, dict[str, Any]] = {}
        self.away = False

    async def ask(self, question: Callable[[Any], Awaitable[Any]], *, within_s: float = 5.0) -> Any:
        if self.away:
            raise UnreachableError("the database is away")
        return await question(self)

    async def execute(self, sql: str, code_hash: bytes, sealed: bytes, expires_us: int) -> None:
        assert sql == named("login_link_add")
        self.links[code_hash] = {"sealed": sealed, "expires": expires_us}

    async def fetchrow(self, sql: str, code_hash: bytes) -> dict[str, Any] | None:
        assert sql == named("login_link_take")
        return self.links.pop(code_hash, None)

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        return []


class Double:
    """A console, what it stands on, and a client of it."""

    def __init__(self, url: str = "http://console.test", answers: Any = None) -> None:
        self.now_us = NOW_US
        self.fleet = MemoryFleet(
            [pump("p1"), pump("p2", "ward-b"), pump("p3", None)],
            [alert("a1"), alert("a2", pump="p2", site="ward-b", state="acknowledged")],
        )
        self.rows: list[TokenRow] = []
        self.database = MemoryDatabase()
        self.answers = answers or MemoryAnswers()
        self.tokens = TokenList(self._load)
        self.snapshots = Snapshots(self.fleet, lambda: self.now_us)
        self.streams = Streams(self.snapshots)
        self.sessions = TokenSessions(self.tokens, self.database, lambda: self.now_us)
        self.url = url
        self.http: AsyncTestClient[Any]

    async def explanation(self, pump: str, alert_id: str) -> Explanation:
        return Explanation()

    async def readiness(self, pump: str) -> Sequence[Readiness]:
        return ()

    async def _load(self) -> Sequence[TokenRow]:
        return self.rows

    def token(self, role: str = "operator", **scope: Any) -> str:
        """Make a token that holds from now on."""
        secret, row = make_token(role, NOW_US, role=role, **scope)
        self.rows.append(row)
        return secret

    async def revoke_all(self) -> None:
        """Revoke every token, and have the console know."""
        self.rows = [replace(row, revoked_us=NOW_US) for row in self.rows]
        await self.tokens.refresh()

    async def get(self, path: str, secret: str | None = None) -> httpx.Response:
        """GET with a bearer token."""
        return await self.http.get(path, headers=bearer(secret))

    async def post(self, path: str, secret: str | None = None, **fields: Any) -> httpx.Response:
        """POST JSON with a bearer token."""
        return await self.http.post(path, headers=bearer(secret), json=fields)

    async def csrf(self) -> str:
        """Load the login page and return the CSRF token that its cookie now holds."""
        await self.http.get("/login")
        return next(text for name, text in self.http.cookies.items() if name.endswith("csrf"))

    async def log_in(self, secret: str) -> httpx.Response:
        """Send the login form."""
        form = {"token": secret, "next": "/", "_csrf_token": await self.csrf()}
        return await self.http.post("/login", data=form, follow_redirects=False)


def bearer(secret: str | None) -> dict[str, str]:
    """The header of a token; none for None."""
    return {} if secret is None else {"Authorization": f"Bearer {secret}"}


@asynccontextmanager
async def console(
    url: str = "http://console.test", *, with_snapshot: bool = True, answers: Any = None
) -> AsyncIterator[Double]:
    """Run a console for the length of the block."""
    double = Double(url, answers)
    if with_snapshot:
        await double.snapshots.look()
        await double.snapshots.read_figures()

    async def nothing() -> None:
        pass

    parts = Parts(
        console=Console(
            snapshots=double.snapshots,
            database=double.database,
            answers=double.answers,
            detection=double,
            sessions=double.sessions,
            settings=ConsoleSettings(console_url=url, gateway_url="http://gateway.test"),
            now_us=lambda: double.now_us,
        ),
        sessions=double.sessions,
        tokens=double.tokens,
        streams=double.streams,
        metrics=ConsoleMetrics(SnapshotCollector(double.snapshots, lambda: double.now_us)),
        keys=Keys.of("a key"),
    )
    async with AsyncTestClient(make_app(parts, nothing, nothing), base_url=url) as double.http:
        yield double
