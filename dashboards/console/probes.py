"""What machines ask of the console: whether it lives, whether it is ready, and its metrics."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST

from dashboards.console import visible
from dashboards.console.api_types import Health, Readiness
from dashboards.console.metrics import ConsoleMetrics
from dashboards.console.openapi import not_ready, problems
from dashboards.console.parts import Console
from ingest.authority import TokenList


def handlers(console: Console, metrics: ConsoleMetrics, tokens: TokenList) -> list[Any]:
    """Return /healthz, /readyz and /metrics; none of them needs a token."""

    @get("/healthz", summary="Whether the process answers")
    async def healthz() -> Health:
        return Health(status="up")

    @get(
        "/readyz",
        summary="Whether there is a snapshot to show and a list of tokens to log in with",
        responses={503: not_ready()},
    )
    async def readyz() -> Response[Readiness]:
        snapshot = console.snapshots.current is not None
        ready = snapshot and tokens.loaded
        return Response(
            Readiness(
                ready=ready, snapshot=snapshot, tokens=tokens.loaded, database=console.snapshots.database_up
            ),
            status_code=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    @get("/metrics", summary="Prometheus", media_type="text/plain", responses=problems(503))
    async def read_metrics() -> Response[bytes]:
        visible.newest(console)  # without a snapshot no series is better than none open
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    return [healthz, readyz, read_metrics]
