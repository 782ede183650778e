"""What /schema says about the console beyond what Litestar sees: problems, the two ways to be known, our version."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Reference, SecurityScheme

from dashboards.console.api_types import ProblemDetails, Readiness
from ingest.problems import PROBLEM_JSON

SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"session": []}]
_PROBLEMS: Final = {
    400: "A parameter or the body is not as described; the detail says which.",
    401: "Nobody is logged in, or the token does not hold.",
    403: "The token's role may not do this, or a browser's request has no CSRF token.",
    404: "There is none of that name, or not for this token.",
    409: "The alert has ended; there is nothing to answer.",
    413: "The body is too large.",
    502: "What answers at the gateway's address is no gateway.",
    503: "The database or the gateway is away; see Retry-After.",
}
READING: Final = (400, 401, 403, 503)


def problems(*statuses: int) -> dict[int, Any]:
    """Return the documentation of refusals, for a route's `responses`."""
    return {
        status: ResponseSpec(
            data_container=ProblemDetails,
            generate_examples=False,
            description=_PROBLEMS[status],
            media_type=PROBLEM_JSON,
        )
        for status in statuses
    }


def not_ready() -> ResponseSpec:
    """Return the documentation of a readiness that is none."""
    return ResponseSpec(data_container=Readiness, generate_examples=False, description="Not ready.")


def openapi_config(*, cookie: str) -> OpenAPIConfig:
    """Return Litestar's configuration: JSON at /schema and /schema/openapi.json, no page that loads foreign scripts."""
    try:
        release = version("thecaflow")
    except PackageNotFoundError:
        release = "0"
    schemes: dict[str, SecurityScheme | Reference] = {
        "bearer": SecurityScheme(type="http", scheme="bearer", description="A viewer's or operator's token."),
        "session": SecurityScheme(
            type="apiKey",
            security_scheme_in="cookie",
            name=cookie,
            description="Of a browser that logged in.",
        ),
    }
    return OpenAPIConfig(
        title="Thecaflow console",
        version=release,
        description=(
            "Pumps and alerts as they are now, and the answers to alerts. A browser's POST needs its CSRF token in the "
            "header x-csrftoken; one with a bearer token needs none."
        ),
        path="/schema",
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        components=Components(security_schemes=schemes),
    )
