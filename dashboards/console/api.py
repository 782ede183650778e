"""The JSON API: pumps and alerts as they are now, an alert's history, and the answers to it."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from contract.errors import InvalidTimeError
from contract.facts import Cause
from contract.times import format_us, parse_rfc3339
from dashboards.console import visible
from dashboards.console.api_types import (
    Acknowledge,
    Alerts,
    AlertWithLines,
    LoginLink,
    Priority,
    Pumps,
    PumpWithAlerts,
    Sent,
    Shelve,
    State,
    alert_out,
    last_line_out,
    pump_out,
)
from dashboards.console.logins import TokenSessions
from dashboards.console.openapi import READING, SECURITY, problems
from dashboards.console.parts import Console
from dashboards.console.session import Viewer
from dashboards.console.snapshot import AlertNow, PumpNow, Snapshot
from dashboards.console.stream import Streams
from ingest.problems import Problem
from storage.history import AlertSearch

MAX_LIMIT: Final = 1000
_NAME: Final = r"^[A-Za-z0-9._:-]{1,64}$"

Name: TypeAlias = Annotated[str | None, QueryParameter(pattern=_NAME, description="Exactly this pump.")]
Site: TypeAlias = Annotated[
    str | None, QueryParameter(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="Exactly this site.")
]
Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="How many at most.")]
StateAsked: TypeAlias = Annotated[
    State | None,
    QueryParameter(name="state", description="`cleared`: from the history. Default: all that are open."),
]


def handlers(console: Console, streams: Streams, sessions: TokenSessions) -> list[Any]:
    """Return the routes under /v1."""
    return [
        *_pump_routes(console),
        *_alert_routes(console),
        *_answer_routes(console),
        *_session_routes(console, streams, sessions),
    ]


def _pump_routes(console: Console) -> list[Any]:
    @get("/v1/pumps", summary="Pumps by name", security=SECURITY, responses=problems(*READING))
    async def list_pumps(
        viewer: NamedDependency[Viewer],
        site: Site = None,
        after: Annotated[str | None, QueryParameter(pattern=_NAME, description="Behind this pump.")] = None,
        limit: Limit = MAX_LIMIT,
    ) -> Pumps:
        snapshot = visible.newest(console)
        pumps = [
            pump
            for pump in visible.pumps(snapshot, viewer)
            if (site is None or pump.site == site) and (after is None or pump.pump > after)
        ]
        return Pumps(
            version=snapshot.version,
            at=format_us(snapshot.at_us),
            pumps=[_pump(snapshot, pump) for pump in pumps[:limit]],
            next=pumps[limit - 1].pump if len(pumps) > limit else None,
        )

    @get("/v1/pumps/{pump:str}", summary="One pump", security=SECURITY, responses=problems(*READING, 404))
    async def get_pump(viewer: NamedDependency[Viewer], pump: FromPath[str]) -> PumpWithAlerts:
        snapshot = visible.newest(console)
        known = visible.pump(snapshot, viewer, pump)
        alerts = [alert_out(alert) for alert in snapshot.alerts_by_pump.get(pump, ())]
        return PumpWithAlerts(pump=_pump(snapshot, known), alerts=alerts)

    return [list_pumps, get_pump]


def _pump(snapshot: Snapshot, pump: PumpNow) -> Any:
    return pump_out(pump, [alert.alert_id for alert in snapshot.alerts_by_pump.get(pump.pump, ())])


def _alert_routes(console: Console) -> list[Any]:
    @get("/v1/alerts", summary="Alerts", security=SECURITY, responses=problems(*READING))
    async def list_alerts(
        viewer: NamedDependency[Viewer],
        alert_state: StateAsked = None,
        cause: FromQuery[Cause | None] = None,
        site: Site = None,
        pump: Name = None,
        priority: FromQuery[Priority | None] = None,
        limit: Limit = 200,
    ) -> Alerts:
        snapshot = visible.newest(console)
        if alert_state == "cleared":
            search = AlertSearch(pump=pump, cause=cause, site=site, priority=priority, state=alert_state)
            alerts = [alert_out(alert) for alert in await visible.found(console, viewer, search, limit)]
        else:
            wanted = {"state": alert_state, "cause": cause, "site": site, "pump": pump, "priority": priority}
            chosen = _chosen(visible.alerts(snapshot, viewer), wanted)
            alerts = [alert_out(alert) for alert in chosen[:limit]]
        return Alerts(version=snapshot.version, at=format_us(snapshot.at_us), alerts=alerts)

    @get(
        "/v1/alerts/{alert_id:str}",
        summary="One alert and all that was said of it",
        security=SECURITY,
        responses=problems(*READING, 404),
    )
    async def get_alert(viewer: NamedDependency[Viewer], alert_id: FromPath[str]) -> AlertWithLines:
        lines = await visible.lines(console, viewer, alert_id)
        site = visible.newest(console).site_of(lines[-1].pump)
        return AlertWithLines(
            alert=last_line_out(lines[-1], alert_id, site),
            lines=[msgspec.json.decode(line.line) for line in lines],
        )

    return [list_alerts, get_alert]


def _chosen(alerts: Iterable[AlertNow], wanted: dict[str, str | None]) -> list[AlertNow]:
    asked = {name: text for name, text in wanted.items() if text is not None}
    return [alert for alert in alerts if all(getattr(alert, name) == text for name, text in asked.items())]


def _answer_routes(console: Console) -> list[Any]:
    refusals = problems(*READING, 404, 409, 413, 502)

    @post(
        "/v1/alerts/{alert_id:str}/ack",
        summary="Acknowledge an open alert",
        status_code=HTTPStatus.ACCEPTED,
        security=SECURITY,
        responses=refusals,
    )
    async def acknowledge_alert(
        viewer: NamedDependency[Viewer], alert_id: FromPath[str], data: JSONBody[Acknowledge]
    ) -> Sent:
        alert = await visible.open_alert(console, viewer, alert_id)
        answered = await console.answers.acknowledge(viewer, alert, data.reason)
        return Sent(event_id=answered.event_id, received=answered.received)

    @post(
        "/v1/alerts/{alert_id:str}/shelve",
        summary="Put an open alert aside",
        status_code=HTTPStatus.ACCEPTED,
        security=SECURITY,
        responses=refusals,
    )
    async def shelve_alert(
        viewer: NamedDependency[Viewer], alert_id: FromPath[str], data: JSONBody[Shelve]
    ) -> Sent:
        try:
            until_us = parse_rfc3339(data.until)
        except InvalidTimeError as wrong:
            raise Problem(HTTPStatus.BAD_REQUEST, "until", f"{wrong}.") from None
        alert = await visible.open_alert(console, viewer, alert_id)
        answered = await console.answers.shelve(viewer, alert, data.reason, until_us)
        return Sent(event_id=answered.event_id, received=answered.received)

    return [acknowledge_alert, shelve_alert]


def _session_routes(console: Console, streams: Streams, sessions: TokenSessions) -> list[Any]:
    @post(
        "/v1/login-links",
        summary="A link that logs in once",
        status_code=HTTPStatus.CREATED,
        security=SECURITY,
        responses=problems(*READING),
    )
    async def make_login_link(viewer: NamedDependency[Viewer]) -> LoginLink:
        code, expires_us = await sessions.link(viewer)
        url = f"{console.settings.console_url.rstrip('/')}/login/{code}"
        return LoginLink(url=url, expires=format_us(expires_us))

    @get(
        "/v1/stream",
        summary="Server-sent events: `changed` with the new version at each change",
        media_type="text/event-stream",
        security=SECURITY,
        responses=problems(*READING),
    )
    async def stream_changes(request: Request[Any, Any, Any], viewer: NamedDependency[Viewer]) -> Stream:
        streams.admit()

        async def still_allowed() -> bool:
            try:
                now = await console.sessions.viewer(request)
            except Problem:
                return False
            return now is not None and now.token_id == viewer.token_id

        return Stream(
            streams.events(still_allowed),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )

    return [make_login_link, stream_changes]
