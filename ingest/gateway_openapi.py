"""What /schema says about the gateway beyond what Litestar sees: bodies as bytes, problems, the bearer token."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from litestar import Request
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

from contract.schema import event_schema
from ingest.bodies import Media
from ingest.problems import PROBLEM_JSON

_EVENT: Final = "One event of the contract."
_BODIES: Final = {
    Media.JSON: f"{_EVENT} Or an array of them.",
    Media.NDJSON: f"{_EVENT} One a line; a broken line costs no other.",
    Media.MSGPACK: f"{_EVENT} Or an array, or one after another. Telemetry columns: bin of little-endian float64.",
}
_COMPONENTS: Final = "#/components/schemas/"
_PROBLEMS: Final = {
    400: "The body cannot be split into events, or has none.",
    401: "No token, or one that does not hold.",
    403: "The token may send none of the events; `results` says why for each.",
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


def _event_schemas() -> dict[str, Any]:
    """Return the contract's JSON Schema of events as components: `Event` and what it is made of."""
    schema = _relocated(event_schema())
    return {**schema["$defs"], "Event": {"title": schema["title"], "oneOf": schema["oneOf"]}}


def _relocated(node: Any) -> Any:
    if isinstance(node, list):
        return [_relocated(member) for member in node]
    if not isinstance(node, dict):
        return node
    return {
        name: member.replace("#/$defs/", _COMPONENTS)
        if name == "$ref" and isinstance(member, str)
        else _relocated(member)
        for name, member in node.items()
    }


def _request_body() -> RequestBody:
    event = Reference(ref=_COMPONENTS + "Event")
    schemas = {
        Media.JSON: Schema(any_of=[event, Schema(type=OpenAPIType.ARRAY, items=event, min_items=1)]),
        # Neither lines nor MessagePack are JSON, so that no JSON Schema can say what they hold.
        Media.NDJSON: Schema(description=_BODIES[Media.NDJSON]),
        Media.MSGPACK: Schema(description=_BODIES[Media.MSGPACK]),
    }
    content = {media.value: OpenAPIMediaType(schema=schema) for media, schema in schemas.items()}
    return RequestBody(required=True, content=content, description=_BODIES[Media.JSON])


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


class _Document(JsonRenderPlugin):
    """The document as Litestar makes it, with the events of the contract, which it has no way to take in."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        components = openapi_schema["components"]
        whole = components | {"schemas": components.get("schemas", {}) | _event_schemas()}
        return super().render(request, openapi_schema | {"components": whole})


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
        render_plugins=[_Document(path=["/", "/openapi.json"])],
        components=Components(
            security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")},
        ),
    )
