"""What /schema says about the gateway beyond what Litestar sees: bodies as bytes, problems, the bearer token."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)

from ingest.bodies import Media
from ingest.problems import PROBLEM_JSON

_EVENT: Final = "One event of the contract; `thecaflow schema events` prints its JSON Schema."
_BODIES: Final = {
    Media.JSON: f"{_EVENT} Or an array of them.",
    Media.NDJSON: f"{_EVENT} One a line; a broken line costs no other.",
    Media.MSGPACK: f"{_EVENT} Or an array, or one after another. Telemetry columns: bin of little-endian float64.",
}
_PROBLEMS: Final = {
    400: "The body cannot be split into events, or has none.",
    401: "No token, or one that does not hold.",
    403: "All events are outside the token's scope; `results` says why for each.",
    408: "The body did not come in time.",
    413: "The body, before or after decompression, or every event of it is too large.",
    415: "Another media type or content coding.",
    429: "More events a second than a token may send; see Retry-After.",
    503: "The log does not acknowledge, or too much waits; see Retry-After. Send the same events again.",
}


def _text() -> Schema:
    return Schema(type=OpenAPIType.STRING)


def _number() -> Schema:
    return Schema(type=OpenAPIType.INTEGER)


def _result_schema() -> Schema:
    status = Schema(type=OpenAPIType.STRING, enum=["accepted", "quarantined", "refused"])
    return Schema(
        type=OpenAPIType.OBJECT,
        required=["id", "status"],
        properties={
            "id": Schema(one_of=[_text(), Schema(type=OpenAPIType.NULL)]),
            "status": status,
            "reason": _text(),
            "partition": _number(),
            "offset": _number(),
        },
    )


def _results_schema() -> Schema:
    return Schema(type=OpenAPIType.ARRAY, items=_result_schema())


def _accepted() -> OpenAPIResponse:
    counts = {name: _number() for name in ("accepted", "quarantined", "refused")}
    schema = Schema(
        type=OpenAPIType.OBJECT,
        required=["received", "results", *counts],
        properties={"received": _text(), **counts, "results": _results_schema()},
    )
    return OpenAPIResponse(
        description="The log has every event that is not `refused`; results are in the order of the body.",
        content={"application/json": OpenAPIMediaType(schema=schema)},
    )


def _problem(status: int, description: str) -> OpenAPIResponse:
    properties: dict[str, Reference | Schema] = {
        "type": _text(),
        "title": _text(),
        "status": _number(),
        "detail": _text(),
    }
    if status in (403, 413):
        properties["results"] = _results_schema()
    schema = Schema(type=OpenAPIType.OBJECT, required=["type", "title", "status"], properties=properties)
    retry = {"Retry-After": OpenAPIHeader(schema=_number(), description="Seconds to wait.")}
    return OpenAPIResponse(
        description=description,
        content={PROBLEM_JSON: OpenAPIMediaType(schema=schema)},
        headers=retry if status in (429, 503) else None,  # type: ignore[arg-type]
    )


def _request_body() -> RequestBody:
    content = {
        media.value: OpenAPIMediaType(schema=Schema(description=text)) for media, text in _BODIES.items()
    }
    return RequestBody(required=True, content=content)


def _responses() -> dict[str, Any]:
    return {"202": _accepted(), **{str(status): _problem(status, text) for status, text in _PROBLEMS.items()}}


@dataclass
class EventsOperation(Operation):
    """POST /v1/events, described by hand since its body is read as bytes."""

    request_body: Any = field(default_factory=_request_body)
    responses: Any = field(default_factory=_responses)
    security: Any = field(default_factory=lambda: [{"bearer": []}])

    def __post_init__(self) -> None:
        """Litestar passes what it found out by itself; ours says more."""
        self.request_body, self.responses = _request_body(), _responses()
        self.security = [{"bearer": []}]


def openapi_config() -> OpenAPIConfig:
    """Return Litestar's configuration: JSON at /schema and /schema/openapi.json, no page that loads foreign scripts."""
    try:
        release = version("thecaflow")
    except PackageNotFoundError:
        release = "0"
    return OpenAPIConfig(
        title="Thecaflow gateway",
        version=release,
        description="Takes events of intrathecal pumps and answers once the log has them.",
        path="/schema",
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        components=Components(security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")}),
    )
