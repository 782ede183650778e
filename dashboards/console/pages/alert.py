"""One alert: what, since when, why, how long, what to look at first; and the answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template

from contract.errors import UnreachableError
from contract.times import MINUTE_US
from dashboards.console.detection import Explanation
from dashboards.console.pages.alert_view import AlertView, alert_for
from dashboards.console.pages.show import AnyRequest, page, wants_part
from dashboards.console.parts import Console
from dashboards.console.session import Viewer
from ingest.problems import Problem

SHELVES_MIN: Final = (30, 60, 120, 240, 480, 720, 1440)


class AnswerForm(msgspec.Struct):
    """What a person writes under an alert."""

    reason: str = ""
    minutes: str = "60"


def handlers(console: Console) -> list[Any]:
    """Return the routes of an alert's page, of its explanation and of its two answers."""

    @get("/alerts/{alert_id:str}", include_in_schema=False)
    async def alert(
        request: AnyRequest, viewer: NamedDependency[Viewer], alert_id: FromPath[str]
    ) -> Response[Any] | Template:
        shown = await alert_for(console, viewer, alert_id)
        query = request.query_params
        if not wants_part(request):
            return page(console, viewer, "alert.html", _context(shown, sent=query.get("sent", "")))
        if query.get("part") != "answer":
            part = "_alert_past.html" if query.get("part") == "past" else "_alert_now.html"
            return page(console, viewer, part, {**_context(shown), "is_part": True})
        if query.get("standing") == shown.standing:  # whoever writes a reason keeps it
            return Response(content=None, status_code=HTTPStatus.NO_CONTENT)
        return page(console, viewer, "_alert_answer.html", _context(shown))

    @get("/alerts/{alert_id:str}/explanation", include_in_schema=False)
    async def explanation(
        request: AnyRequest, viewer: NamedDependency[Viewer], alert_id: FromPath[str]
    ) -> Template:
        shown = await alert_for(console, viewer, alert_id)
        try:
            told = await console.detection.explanation(shown.now.pump, alert_id)
        except UnreachableError:
            told = Explanation(
                refused="The database does not answer; the numbers of the detector are missing here."
            )
        template = "_explanation.html" if wants_part(request) else "explanation.html"
        return page(console, viewer, template, {"alert": shown, "told": told})

    @post("/alerts/{alert_id:str}/acknowledge", include_in_schema=False, status_code=200)
    async def acknowledge(
        request: AnyRequest,
        viewer: NamedDependency[Viewer],
        alert_id: FromPath[str],
        data: URLEncodedBody[AnswerForm],
    ) -> Response[Any] | Template:
        return await _answer(console, request, viewer, alert_id, data, "acknowledge")

    @post("/alerts/{alert_id:str}/shelve", include_in_schema=False, status_code=200)
    async def shelve(
        request: AnyRequest,
        viewer: NamedDependency[Viewer],
        alert_id: FromPath[str],
        data: URLEncodedBody[AnswerForm],
    ) -> Response[Any] | Template:
        return await _answer(console, request, viewer, alert_id, data, "shelve")

    return [alert, explanation, acknowledge, shelve]


async def _answer(
    console: Console, request: AnyRequest, viewer: Viewer, alert_id: str, data: AnswerForm, kind: str
) -> Response[Any] | Template:
    """Send an answer; htmx gets the part that says so, a browser without scripts the page."""
    shown = await alert_for(console, viewer, alert_id)
    try:
        await _send(console, viewer, shown, data, kind)
    except Problem as refused:
        context = _context(shown, problem=refused.detail, reason=data.reason)
        if wants_part(request):
            return page(console, viewer, "_alert_answer.html", context)
        return page(console, viewer, "alert.html", context, refused.status)
    if wants_part(request):
        return page(console, viewer, "_alert_answer.html", _context(shown, sent=kind))
    return Redirect(f"/alerts/{alert_id}?sent={kind}", status_code=303)


async def _send(console: Console, viewer: Viewer, shown: AlertView, data: AnswerForm, kind: str) -> None:
    if not shown.is_open:
        raise Problem(HTTPStatus.CONFLICT, "alert-ended", "This alert has ended; there is nothing to answer.")
    reason = data.reason.strip()
    if not reason:
        raise Problem(HTTPStatus.BAD_REQUEST, "no-reason", "Say why, in a few words.")
    if kind == "acknowledge":
        await console.answers.acknowledge(viewer, shown.now, reason)
        return
    if data.minutes not in {str(minutes) for minutes in SHELVES_MIN}:
        raise Problem(HTTPStatus.BAD_REQUEST, "until", "Choose for how long, 24 hours at most.")
    await console.answers.shelve(viewer, shown.now, reason, console.now_us() + int(data.minutes) * MINUTE_US)


def _context(
    shown: AlertView, *, sent: str = "", problem: str = "", reason: str | None = None
) -> dict[str, Any]:
    return {
        "alert": shown,
        "sent": sent if sent in ("acknowledge", "shelve") else "",
        "problem": problem,
        "reason": reason,
        "shelves_min": SHELVES_MIN,
    }
