"""The gateway: takes events over HTTP and answers 202 once the broker has them (Litestar application).

The order of the checks is that of their cost: token, rate, media type, room, size; only then is a body read. Everything
that can wait is bounded: posts at once, bytes of bodies, records before the broker.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import HTTPException, InternalServerException
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CONTENT_TYPE_LATEST

from contract.errors import UnreachableError
from ingest.authority import READS_ONLY, Sites, TokenList
from ingest.bodies import is_gzip, media_of, read_body, split
from ingest.gateway_metrics import Metric, Metrics
from ingest.gateway_openapi import EventsOperation, openapi_config
from ingest.intake import Answer, Intake, Log
from ingest.problems import PROBLEM_JSON, Problem, too_large, unavailable
from ingest.producer import QueueFullError
from ingest.rates import RateLimit
from ingest.room import Place, Room

logger = logging.getLogger(__name__)

_encode: Final = msgspec.json.Encoder().encode
MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """What one request, and all of them together, may take up."""

    body_bytes: int = 8 * MEBIBYTE
    body_events: int = 10_000
    bodies_bytes: int = 32 * MEBIBYTE
    """Of all bodies in hand."""
    posts: int = 256
    """At once."""
    read_s: float = 30.0
    """How long a client may take to send its body."""


class WatchedLog(Log, Protocol):
    """A log that can tell how it is."""

    events_waiting: int
    bytes_waiting: int

    @property
    def connected(self) -> bool:
        """Whether the broker acknowledges."""

    async def reachable(self) -> bool:
        """Whether the broker is there and has the topic."""


@dataclass
class Gateway:
    """Everything the routes need; `app` makes the application of it."""

    log: WatchedLog
    tokens: TokenList
    sites: Sites
    metrics: Metrics
    rates: RateLimit
    limits: GatewayLimits = field(default_factory=GatewayLimits)
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000

    def __post_init__(self) -> None:
        """Begin with nothing in hand."""
        self._intake = Intake(self.log, self.sites)
        self._room = Room(self.limits.posts, max(self.limits.bodies_bytes, self.limits.body_bytes))

    def app(
        self, on_startup: Callable[[], Awaitable[None]], on_shutdown: Callable[[], Awaitable[None]]
    ) -> Litestar:
        """Return the ASGI application; the callbacks start and stop what the composition root brought."""

        @asynccontextmanager
        async def lifespan(_app: Litestar) -> AsyncIterator[None]:
            await on_startup()
            try:
                yield
            finally:
                await on_shutdown()

        return Litestar(
            route_handlers=[self._events_route(), *self._pages()],
            lifespan=[lifespan],
            openapi_config=openapi_config(),
            exception_handlers={Exception: _answer_exception},
            request_max_body_size=None,  # ours counts what is decompressed, too
            logging_config=None,
        )

    # ---------------------------------------------------------------------------------------------- posting
    def _events_route(self) -> Any:
        @post(
            "/v1/events",
            status_code=HTTPStatus.ACCEPTED,
            operation_class=EventsOperation,
            operation_id="postEvents",
            summary="Take events",
        )
        async def take_events(request: Request[Any, Any, Any]) -> Response[bytes]:
            return await self._answer_post(request)

        return take_events

    async def _answer_post(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        began = time.monotonic()
        try:
            with self._room.place() as place:
                answer = await self._take(request, place)
        except Problem as problem:
            self.metrics.add(Metric.REFUSED, kind=problem.kind)
            self._count_results(problem.extra.get("results", ()))
            response = _problem_response(problem)
        except QueueFullError:
            response = self._unavailable("queue-full", "The queue before the log is full; try again.", 1.0)
        except UnreachableError as away:
            logger.debug("post not written: %s", away)
            response = self._unavailable(
                "broker",
                "The log did not acknowledge in time. Send the events again: those that are in it already count once.",
                2.0,
            )
        else:
            self._count_results(answer.results)
            response = Response(
                _encode(answer), status_code=HTTPStatus.ACCEPTED, media_type="application/json"
            )
        self.metrics.add(Metric.REQUESTS, status=str(response.status_code))
        self.metrics.observe(Metric.POST_SECONDS, time.monotonic() - began)
        return response

    async def _take(self, request: Request[Any, Any, Any], place: Place) -> Answer:
        headers = request.headers
        token = await self.tokens.holder(headers.get("authorization"))
        self.rates.admit(token.id)
        if token.role == "viewer":
            raise Problem(HTTPStatus.FORBIDDEN, "scope", READS_ONLY)
        media = media_of(headers.get("content-type"))
        gzip = is_gzip(headers.get("content-encoding"))
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > self.limits.body_bytes:
            raise too_large(f"A body may have {self.limits.body_bytes} bytes; send it in parts.")
        if not self.log.connected and self.log.events_waiting:
            raise UnreachableError("the broker does not acknowledge")  # before a body is read for nothing
        try:
            async with asyncio.timeout(self.limits.read_s):
                body = await read_body(
                    _chunks(request), gzip=gzip, limit_bytes=self.limits.body_bytes, hold=place.hold
                )
        except TimeoutError:
            raise Problem(
                HTTPStatus.REQUEST_TIMEOUT, "slow", "The body did not come in time; send it again."
            ) from None
        received_us = self.now_us()
        events = split(body, media, self.limits.body_events)
        del body
        self.rates.charge(token.id, len(events) - 1)
        return await self._intake.take(token, events, media, received_us)

    def _unavailable(self, kind: str, detail: str, retry_after_s: float) -> Response[bytes]:
        self.metrics.add(Metric.REFUSED, kind=kind)
        return _problem_response(unavailable(kind, detail, retry_after_s))

    def _count_results(self, results: Any) -> None:
        counts: dict[str, int] = {}
        for result in results:
            counts[result.status] = counts.get(result.status, 0) + 1
        for status, count in counts.items():
            self.metrics.add(Metric.EVENTS, count, result=status)

    # ------------------------------------------------------------------------------------------------ pages
    def _pages(self) -> list[Any]:
        @get("/healthz", summary="Whether the process answers")
        async def healthz() -> dict[str, str]:
            return {"status": "up"}

        not_ready = ResponseSpec(dict[str, bool], description="Not now.", generate_examples=False)

        @get("/readyz", summary="Whether events can be taken", responses={503: not_ready})
        async def readyz() -> Response[dict[str, bool]]:
            state = {"broker": await self.log.reachable(), "tokens": self.tokens.loaded}
            ready = all(state.values())
            code = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            return Response({"ready": ready, **state}, status_code=code)

        @get("/metrics", summary="Prometheus", media_type="text/plain")
        async def metrics() -> Response[bytes]:
            return Response(self._exposition(), media_type=CONTENT_TYPE_LATEST)

        return [healthz, readyz, metrics]

    def _exposition(self) -> bytes:
        self.metrics.set(Metric.QUEUE_EVENTS, self.log.events_waiting)
        self.metrics.set(Metric.QUEUE_BYTES, self.log.bytes_waiting)
        self.metrics.set(Metric.BODY_BYTES, self._room.bytes_held)
        self.metrics.set(Metric.CONNECTED, float(self.log.connected))
        self.metrics.set(Metric.CLOCK, self.now_us() / 1e6)
        return self.metrics.exposition()


async def _chunks(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except (
        InternalServerException
    ):  # Litestar's word for a client that hung up: no failure of ours, nobody reads this
        raise Problem(HTTPStatus.BAD_REQUEST, "hung-up", "The body ended too early.") from None


def _problem_response(problem: Problem) -> Response[bytes]:
    return Response(
        problem.body(), status_code=problem.status, media_type=PROBLEM_JSON, headers=problem.headers()
    )


def _answer_exception(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer whatever else goes wrong as a problem too. What a client wrote must not get into our log by a message."""
    if isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        status = HTTPStatus(error.status_code)
        response = _problem_response(Problem(status, "http", status.description or status.phrase))
        response.headers.update({name: str(text) for name, text in (error.headers or {}).items()})
        return response
    places = traceback.extract_tb(error.__traceback__)
    where = " < ".join(
        f"{place.filename.rpartition('/')[2]}:{place.lineno}" for place in reversed(places[-4:])
    )
    logger.error("nobody foresaw %s at %s", type(error).__name__, where)
    return _problem_response(
        Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "surprise", "The gateway failed; its log says where.")
    )
