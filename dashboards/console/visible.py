"""What one viewer sees of the fleet: whatever lies outside their scope does not exist for them."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from contract.errors import UnreachableError
from dashboards.console.parts import Console
from dashboards.console.session import Viewer
from dashboards.console.snapshot import AlertNow, PumpNow, Snapshot
from ingest.problems import Problem, unavailable
from storage import history
from storage.history import AlertFound, AlertLine, AlertSearch

MAX_ID: Final = 64


def newest(console: Console) -> Snapshot:
    """Return the newest snapshot; raises Problem 503 where there is none yet."""
    snapshot = console.snapshots.current
    if snapshot is None:
        raise unavailable(
            "snapshot", "The database has not answered since the console started; try again.", 5.0
        )
    return snapshot


def pumps(snapshot: Snapshot, viewer: Viewer) -> Sequence[PumpNow]:
    """Return the viewer's pumps, by name."""
    return [pump for pump in snapshot.pumps.values() if viewer.sees(pump.pump, pump.site)]


def pump(snapshot: Snapshot, viewer: Viewer, name: str) -> PumpNow:
    """Return one of the viewer's pumps; raises Problem 404."""
    known = snapshot.pumps.get(name)
    if known is None or not viewer.sees(known.pump, known.site):
        raise _none("pump")
    return known


def alerts(snapshot: Snapshot, viewer: Viewer) -> Sequence[AlertNow]:
    """Return the open alerts of the viewer's pumps, the most urgent first."""
    return [alert for alert in snapshot.alerts if viewer.sees(alert.pump, alert.site)]


async def lines(console: Console, viewer: Viewer, alert_id: str) -> Sequence[AlertLine]:
    """Return all that was said of an alert, oldest first; raises Problem 404, or 503 while the database is away."""
    if not (0 < len(alert_id) <= MAX_ID and alert_id.isascii() and alert_id.isprintable()):
        raise _none("alert")
    try:
        said = await console.database.ask(lambda connection: history.alert_lines(connection, alert_id))
    except UnreachableError:
        raise _away() from None
    if not said or not viewer.sees(said[-1].pump, newest(console).site_of(said[-1].pump)):
        raise _none("alert")
    return said


async def open_alert(console: Console, viewer: Viewer, alert_id: str) -> AlertNow:
    """Return an alert that can be answered; raises Problem 404, 409 where it has ended, 503."""
    known = newest(console).alerts_by_id.get(alert_id)
    if known is not None:
        if not viewer.sees(known.pump, known.site):
            raise _none("alert")
        return known
    last = (await lines(console, viewer, alert_id))[-1]
    if last.state == "cleared":
        raise Problem(HTTPStatus.CONFLICT, "alert-ended", "This alert has ended; there is nothing to answer.")
    return AlertNow(
        alert_id=alert_id,
        pump=last.pump,
        site=newest(console).site_of(last.pump),
        cause=last.cause,
        state=last.state,
        priority=last.priority,
        at_us=last.at_us,
        since_us=last.since_us,
        harm_lo_us=last.harm_lo_us,
        harm_hi_us=last.harm_hi_us,
        text=last.text,
        written_us=last.at_us,
    )


async def found(console: Console, viewer: Viewer, search: AlertSearch, limit: int) -> Sequence[AlertFound]:
    """Return the viewer's alerts of any state that a search finds, newest first; raises Problem 503."""
    try:
        return await console.database.ask(
            lambda connection: history.find_alerts(
                connection, search, limit, pumps=viewer.pumps, sites=viewer.sites
            )
        )
    except UnreachableError:
        raise _away() from None


def _none(what: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, what, f"There is no such {what}, or not for you.")


def _away() -> Problem:
    return unavailable("database", "The database does not answer; try again.", 5.0)
