"""All pages as one router: their handlers, and what a refusal looks like to a person."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from litestar import Response, Router
from litestar.datastructures import CacheControlHeader
from litestar.response import Redirect

from contract.errors import UnreachableError
from dashboards.console.pages import alert, fleet, login, past, pump
from dashboards.console.pages.show import AnyRequest, page, prepare, wants_part
from dashboards.console.parts import Console
from ingest.problems import Problem, unavailable


def handlers(console: Console) -> list[Router]:
    """Return the pages; nothing of them is kept by a browser or a proxy."""
    prepare(console)

    def refused(request: AnyRequest, problem: Problem) -> Response[Any]:
        return _refused(console, request, problem)

    def away(request: AnyRequest, _: UnreachableError) -> Response[Any]:
        return _refused(
            console, request, unavailable("database", "The database does not answer; try again.", 5.0)
        )

    routes = [module.handlers(console) for module in (login, fleet, alert, pump, past)]
    return [
        Router(
            path="/",
            route_handlers=[route for some in routes for route in some],
            exception_handlers={Problem: refused, UnreachableError: away},
            cache_control=CacheControlHeader(no_store=True),
        )
    ]


def _refused(console: Console, request: AnyRequest, problem: Problem) -> Response[Any]:
    if problem.status is HTTPStatus.UNAUTHORIZED:
        to = "/" if request.method != "GET" or wants_part(request) else _asked(request)
        if wants_part(request):
            return Response(None, status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/login"})
        return Redirect(f"/login?next={quote(to)}", status_code=303)
    shown = page(
        console,
        None,
        "problem.html",
        {"problem": problem.detail, "title": problem.status.phrase},
        problem.status,
    )
    shown.headers |= problem.headers()
    return shown


def _asked(request: AnyRequest) -> str:
    query = request.scope.get("query_string", b"").decode("latin-1")
    return f"{request.url.path}?{query}" if query else str(request.url.path)
