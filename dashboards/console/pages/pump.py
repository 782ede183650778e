"""One pump: what it delivered, what is left, what it reported, what happened; and the sheet for a refill visit."""

from __future__ import annotations

from typing import Any, Final

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from contract.errors import InvalidTimeError, UnreachableError
from contract.facts import Readiness
from contract.times import DAY_US, HOUR_US, parse_rfc3339
from dashboards.console import visible
from dashboards.console.pages.plots import CHANNEL_WORDS, Mark, channel_plots, dose_plot
from dashboards.console.pages.pump_view import (
    PumpPast,
    ReservoirPast,
    pump_past,
    refill_checks,
    reservoir_past,
)
from dashboards.console.pages.reservoir import fan_of, fan_plot
from dashboards.console.pages.show import AnyRequest, ask_or, page, whole
from dashboards.console.parts import Console
from dashboards.console.session import Viewer
from dashboards.console.snapshot import PumpNow
from storage import history
from storage.history import Channels

SPANS_DAYS: Final = (1, 7, 30, 90, 365)
READY_WORDS: Final = ("blind", "warming_up", "ready")
"""In the order in which they matter."""
_USUAL_DAYS: Final = 30
_TELEMETRY_DAYS: Final = 7
_MOST_DAYS: Final = 400
_BUCKETS: Final = 300
_WINDOWS: Final = 120


def handlers(console: Console) -> list[Any]:
    """Return the routes of a pump's pages and of its plots."""

    @get("/pumps/{pump:str}", include_in_schema=False)
    async def pump_page(
        request: AnyRequest, viewer: NamedDependency[Viewer], pump: FromPath[str]
    ) -> Template:
        known = visible.pump(visible.newest(console), viewer, pump)
        days = whole(request.query_params.get("days"), _USUAL_DAYS, _MOST_DAYS)
        return page(console, viewer, "pump.html", await _pump(console, known, days))

    @get("/pumps/{pump:str}/refill", include_in_schema=False)
    async def refill(request: AnyRequest, viewer: NamedDependency[Viewer], pump: FromPath[str]) -> Template:
        known = visible.pump(visible.newest(console), viewer, pump)
        on = request.query_params.get("on", "")
        return page(console, viewer, "refill.html", await _refill(console, known, on))

    @get("/pumps/{pump:str}/channels", include_in_schema=False)
    async def channels(request: AnyRequest, viewer: NamedDependency[Viewer], pump: FromPath[str]) -> Template:
        known = visible.pump(visible.newest(console), viewer, pump)
        return page(console, viewer, "_channels.html", await _channels(console, known, request.query_params))

    return [pump_page, refill, channels]


async def _pump(console: Console, known: PumpNow, days: int) -> dict[str, Any]:
    now_us = console.now_us()
    span_s = max(1.0, days / _WINDOWS) * 86_400
    past, complete = await ask_or(
        console, lambda db: pump_past(db, known.pump, now_us, days, span_s), PumpPast()
    )
    alerts = visible.newest(console).alerts_by_pump.get(known.pump, ())
    fan = fan_of(known, past.reservoir.program)
    ours_us = next((alert.since_us for alert in alerts if alert.cause == "dry_before_alarm"), None)
    return {
        "pump": known,
        "alerts": alerts,
        "past": past,
        "complete": complete,
        "days": days,
        "spans_days": SPANS_DAYS,
        "span_s": span_s,
        "fan_plot": None if fan is None else fan_plot(known, fan, past.reservoir.levels, ours_us, now_us),
        "dose_plot": dose_plot(past.doses, past.assessments),
        "scores": past.scores(),
        "readiness": await _readiness(console, known.pump),
    }


async def _readiness(console: Console, pump: str) -> list[Readiness]:
    """Return what can be seen of each cause, the blind ones first; nothing while the database is away."""
    try:
        told = await console.detection.readiness(pump)
    except UnreachableError:
        return []
    return sorted(told, key=lambda one: READY_WORDS.index(one.state))


async def _refill(console: Console, known: PumpNow, on: str) -> dict[str, Any]:
    now_us = console.now_us()
    past, complete = await ask_or(console, lambda db: reservoir_past(db, known.pump, now_us), ReservoirPast())
    fan = fan_of(known, past.program)
    visit_us = max(_noon(on, now_us), 0 if fan is None else fan.at_us)
    alerts = visible.newest(console).alerts_by_pump.get(known.pump, ())
    return {
        "pump": known,
        "reservoir": past,
        "complete": complete,
        "visit_us": visit_us,
        "visit_day": on,
        "expected": None if fan is None else fan.at(visit_us),
        "device_ml": None if fan is None else fan.device_at(visit_us),
        "alerts": alerts,
        "checks": refill_checks(known, alerts),
    }


async def _channels(console: Console, known: PumpNow, query: Any) -> dict[str, Any]:
    """Return plots of a span of time: the last days, or from one time to another."""
    to_us = _time(query.get("to"), console.now_us())
    days = whole(query.get("days"), _TELEMETRY_DAYS, _MOST_DAYS)
    from_us = _time(query.get("from"), to_us - days * DAY_US)
    from_us = min(max(from_us, to_us - _MOST_DAYS * DAY_US), to_us - HOUR_US)
    names = [name for name in query.get("channels", "").split(",") if name in CHANNEL_WORDS]
    since = query.get("since")
    marks = [] if since is None else [Mark(_time(since, to_us), "alert since", "ours")]
    telemetry, complete = await ask_or(
        console,
        lambda db: history.channels(db, known.pump, from_us, to_us, _BUCKETS),
        Channels([], 0, []),
    )
    return {
        "plots": channel_plots(telemetry, names or None, marks),
        "rows": telemetry.rows,
        "complete": complete,
        "from_us": from_us,
        "to_us": to_us,
        "wanted": [CHANNEL_WORDS[name] for name in names],
    }


def _noon(text: str, otherwise: int) -> int:
    """Return noon UTC of a date such as 2026-05-31."""
    try:
        return parse_rfc3339(f"{text}T12:00:00Z")
    except InvalidTimeError:
        return otherwise


def _time(text: str | None, otherwise: int) -> int:
    """Return microseconds since 1970 from a query."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 16:
        return otherwise
    return int(text)
