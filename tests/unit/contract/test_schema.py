from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from contract import codec
from contract.facts import Quarantined
from contract.schema import SCHEMA_KINDS, SchemaKind, event_schema, fact_schema, schema_path, schema_text
from tests.unit.contract import test_facts, test_refusals
from tests.unit.contract.samples import PAYLOADS, fields
from thecaflow.commands.schema import command

EVENTS = Draft202012Validator(event_schema())
FACTS = Draft202012Validator(fact_schema())
# What compares one field with another is the codec's to judge.
ACROSS_FIELDS = (
    "later than",
    "same time as",
    "continuous program",
    "one step",
    "flex program",
    "ashworth scale",
    "NUL",
)


@pytest.mark.parametrize("kind", SCHEMA_KINDS)
def test_the_committed_schema_is_the_generated_one(kind: SchemaKind):
    """Whoever changes a struct must run `thecaflow schema --write`, or users read something else."""
    assert schema_path(kind).read_text(encoding="utf-8") == schema_text(kind)
    Draft202012Validator.check_schema(json.loads(schema_text(kind)))


@pytest.mark.parametrize("kind", SCHEMA_KINDS)
def test_the_command_prints_the_committed_schema(kind: SchemaKind):
    """`thecaflow schema events|facts` gives users the same text."""
    assert CliRunner().invoke(command, [kind]).output == schema_text(kind)


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_every_sample_event_fits_the_schema(event_type: str):
    """What the codec takes, the schema takes, unknown fields included."""
    EVENTS.validate(fields(event_type))
    EVENTS.validate(fields(event_type, received="2026-01-31T08:00:00Z", seq=5, later={"a": [1]}))


@pytest.mark.parametrize(("event_type", "changes", "reason"), test_refusals.WRONG)
def test_the_schema_refuses_what_the_codec_refuses(event_type: str, changes: dict[str, Any], reason: str):
    """A producer that validates before sending learns the same, as far as a schema can say it."""
    wrong = fields(event_type, **changes)
    assert isinstance(codec.decode_json(json.dumps(wrong).encode()), Quarantined)
    beyond_schema = (
        any(words in reason for words in ACROSS_FIELDS) or "Field at " in reason or "too large" in reason
    )
    if not beyond_schema and "received" not in changes and changes.get("pump") != "pump\n":
        assert not EVENTS.is_valid(wrong)


@pytest.mark.parametrize(
    "fact",
    [
        test_facts.DOSE,
        test_facts.FORECAST,
        test_facts.ALERT,
        test_facts.QUARANTINED,
        test_facts.CORRECTION,
        codec.decode_json(b"nonsense"),
    ],
)
def test_every_fact_fits_the_schema(fact: Any):
    """What we write is what the schema for readers says."""
    FACTS.validate(json.loads(codec.encode_fact(fact)))
