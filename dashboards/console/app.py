"""The console's application: its routes, who may use them, and what every answer carries (Litestar)."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar, Request, Response
from litestar.datastructures import CacheControlHeader
from litestar.di import Provide
from litestar.exceptions import HTTPException, PermissionDeniedException, ValidationException
from litestar.middleware import DefineMiddleware
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.console import api, probes
from dashboards.console.logins import TokenSessions
from dashboards.console.metrics import ConsoleMetrics
from dashboards.console.openapi import openapi_config
from dashboards.console.pages import routes as pages
from dashboards.console.pages.show import page
from dashboards.console.parts import STATIC, Console
from dashboards.console.security import Keys, csrf_middleware, security_headers, session_config
from dashboards.console.session import Viewer
from dashboards.console.stream import Streams
from ingest.authority import TokenList
from ingest.problems import PROBLEM_JSON, Problem

logger = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 64 * 1024
ASSETS_S: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the application is made of, beside what its routes may use."""

    console: Console
    sessions: TokenSessions
    tokens: TokenList
    streams: Streams
    metrics: ConsoleMetrics
    keys: Keys


def make_app(
    parts: Parts, on_startup: Callable[[], Awaitable[None]], on_shutdown: Callable[[], Awaitable[None]]
) -> Litestar:
    """Return the ASGI application; the callbacks start and stop what the composition root brought."""
    console = parts.console
    https = console.settings.console_url.lower().startswith("https:")
    cookies = session_config(parts.keys, https=https)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        await on_startup()
        try:
            yield
        finally:
            await on_shutdown()

    async def viewer_who_asks(request: Request[Any, Any, Any]) -> Viewer:
        viewer = await console.sessions.viewer(request)
        if viewer is None:
            raise Problem(HTTPStatus.UNAUTHORIZED, "login", "Log in, or send `Authorization: Bearer TOKEN`.")
        return viewer

    def refuse(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        problem = _problem_of(error)
        if (
            request.url.path.startswith("/v1/")
            or request.accept.best_match([PROBLEM_JSON, "text/html"]) != "text/html"
        ):
            return Response(
                problem.body(),
                status_code=problem.status,
                media_type=PROBLEM_JSON,
                headers=_headers(error, problem),
            )
        context = {"problem": problem.detail, "title": problem.status.phrase}
        shown = page(console, None, "problem.html", context, problem.status)
        shown.headers |= _headers(error, problem)
        return shown

    assets = create_static_files_router(
        path="/static",
        directories=[STATIC],
        cache_control=CacheControlHeader(public=True, max_age=ASSETS_S),
        include_in_schema=False,
    )
    return Litestar(
        route_handlers=[
            *api.handlers(console, parts.streams, parts.sessions),
            *probes.handlers(console, parts.metrics, parts.tokens),
            *pages.handlers(console),
            assets,
        ],
        dependencies={"viewer": Provide(viewer_who_asks)},
        lifespan=[lifespan],
        middleware=[
            DefineMiddleware(_Stopwatch, metrics=parts.metrics),
            cookies.middleware,
            csrf_middleware(parts.keys, https=https),
        ],
        template_config=console.templates,
        openapi_config=openapi_config(cookie=cookies.key),
        exception_handlers={Exception: refuse},
        before_send=[security_headers(https=https)],
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
    )


class _Stopwatch:
    """Measures from a request's arrival to its answer's first byte, by the route's template: never by what was asked."""

    def __init__(self, app: ASGIApp, metrics: ConsoleMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        route = scope.get("path_template") or "other"

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.request_seconds.labels(route=route).observe(time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, measured)


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    theirs = error.headers if isinstance(error, HTTPException) else None
    return problem.headers() | {name: str(text) for name, text in (theirs or {}).items()}


def _problem_of(error: Exception) -> Problem:
    """Say any failure as a problem. What a client wrote must not get into our log by a message."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, PermissionDeniedException):
        detail = "The request came without its CSRF token; load the page again."
        return Problem(HTTPStatus.FORBIDDEN, "csrf", detail)
    if isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        status = HTTPStatus(error.status_code)
        return Problem(status, "http", _detail_of(error, status))
    places = traceback.extract_tb(error.__traceback__)
    where = " < ".join(
        f"{place.filename.rpartition('/')[2]}:{place.lineno}" for place in reversed(places[-4:])
    )
    logger.error("nobody foresaw %s at %s", type(error).__name__, where)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "surprise", "The console failed; its log says where.")


def _detail_of(error: HTTPException, status: HTTPStatus) -> str:
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        wrong = [str(part["key"]) for part in error.extra if isinstance(part, dict) and part.get("key")]
        if wrong:
            return f"Not as described: {', '.join(wrong)}; see /schema."
    return status.description or status.phrase
