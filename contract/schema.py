"""JSON Schema (2020-12) of events and facts for users, generated from the structs so that it cannot disagree with them.

A schema judges the shape of one JSON object; what compares fields (equal columns, ascending `t_s`, `from` before `to`)
is the codec's to judge.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from contract.events import (
    CHANNELS,
    CONTRACT_VERSION,
    PUMP_EVENT_TYPES,
    AlertAck,
    AlertShelved,
    Envelope,
    Telemetry,
)
from contract.facts import FACT_TYPES, EmptyAt, HarmAt

SchemaKind: TypeAlias = Literal["events", "facts"]
SCHEMA_KINDS: Final[tuple[SchemaKind, ...]] = ("events", "facts")
SCHEMA_FOLDER: Final = Path(__file__).parent / "schema"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TIME: Final = {"type": "string", "format": "date-time"}
_REF: Final = "#/$defs/{name}"
_NON_NEGATIVE_COLUMNS: Final = frozenset(("delivered_ul", "reservoir_ml"))


class _TelemetryShape(Envelope, frozen=True, kw_only=True, tag="telemetry"):
    """Stands for Telemetry, whose arrays msgspec cannot describe."""


def _telemetry_columns() -> dict[str, Any]:
    columns: dict[str, Any] = {
        "t_s": {
            "type": "array",
            "items": {"type": "number"},
            "minItems": 1,
            "description": "Seconds after at, ascending.",
        }
    }
    for name in CHANNELS:
        number: dict[str, Any] = {"type": ["number", "null"]}
        if name in _NON_NEGATIVE_COLUMNS:
            number["minimum"] = 0
        columns[name] = {"anyOf": [{"type": "array", "items": number}, {"type": "null"}], "default": None}
    return columns


def _ecma_patterns(node: Any) -> None:
    r"""Write Python's end of text, `\Z`, as `$`, which it is in the regular expressions of JSON Schema."""
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            node["pattern"] = node["pattern"].replace("\\Z", "$")
        for member in node.values():
            _ecma_patterns(member)
    elif isinstance(node, list):
        for member in node:
            _ecma_patterns(member)


def _wire_times(definition: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    """Write times as text, not as the integers that they are in Python; the renamed attributes are exactly the times."""
    for attribute, name in zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True):
        if attribute != name:
            nullable = "anyOf" in definition["properties"][name]
            definition["properties"][name] = {"anyOf": [_TIME, {"type": "null"}]} if nullable else dict(_TIME)


def _schema(
    title: str, structs: tuple[type[msgspec.Struct], ...], nested: tuple[type[msgspec.Struct], ...]
) -> dict[str, Any]:
    schemas, definitions = msgspec.json.schema_components(structs, ref_template=_REF)
    _ecma_patterns(definitions)
    for struct in (*structs, *nested):
        _wire_times(definitions[struct.__name__], struct)
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = " ".join(definition["description"].split())
    return {
        "$schema": _DIALECT,
        "title": title,
        "oneOf": list(schemas),
        "$defs": dict(sorted(definitions.items())),
    }


def event_schema() -> dict[str, Any]:
    """Return the schema of one line of an event file."""
    structs = tuple(_TelemetryShape if struct is Telemetry else struct for struct in PUMP_EVENT_TYPES)
    schema = _schema(f"Thecaflow event, contract version {CONTRACT_VERSION}", structs, ())
    definitions = schema["$defs"]
    shape = definitions.pop(_TelemetryShape.__name__)
    shape["title"] = Telemetry.__name__
    shape["description"] = (
        "Rows of measurements in columns of equal length, null where the device reported nothing."
    )
    shape["properties"] |= _telemetry_columns()
    shape["required"] = [*shape["required"], "t_s"]
    definitions[Telemetry.__name__] = shape
    schema["oneOf"] = [{"$ref": _REF.format(name=struct.__name__)} for struct in PUMP_EVENT_TYPES]
    for struct in PUMP_EVENT_TYPES:
        definition = definitions[struct.__name__]
        # The struct gives `v` a default for our own producers; on the wire it must be said.
        definition["properties"]["v"].pop("default", None)
        if "v" not in definition["required"]:
            definition["required"] = ["type", "v", *definition["required"][1:]]
    for struct in (AlertAck, AlertShelved):
        definitions[struct.__name__]["anyOf"] = [
            {"required": [field], "properties": {field: {"type": "string"}}}
            for field in ("alert_id", "cause")
        ]
    return schema


def fact_schema() -> dict[str, Any]:
    """Return the schema of one line of a fact file."""
    schema = _schema(f"Thecaflow fact, contract version {CONTRACT_VERSION}", FACT_TYPES, (EmptyAt, HarmAt))
    for struct in FACT_TYPES:
        definition = schema["$defs"][struct.__name__]
        # A fact is always written in full, except that quarantined input has a line or an offset.
        definition["required"] = [name for name in definition["properties"] if name not in ("line", "offset")]
        for member in definition["properties"].values():
            member.pop("default", None)
    return schema


def schema_text(kind: SchemaKind) -> str:
    """Return the committed text of a schema, with a final newline."""
    schema = event_schema() if kind == "events" else fact_schema()
    return json.dumps(schema, indent=2) + "\n"


def schema_path(kind: SchemaKind) -> Path:
    """Where the generated schema of this version lies beside the code."""
    return SCHEMA_FOLDER / f"{kind}.v{CONTRACT_VERSION}.json"
