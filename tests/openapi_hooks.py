"""Loaded by the attacking process of tests/openapi.py: media types, a check of our own, and a count of answers."""

from __future__ import annotations

import atexit
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import schemathesis

from contract.schema import event_schema
from tests.openapi import ANSWERS

answers: Counter[tuple[str, str, str, int]] = Counter()
event = jsonschema.Draft202012Validator(event_schema())


@schemathesis.serializer("application/x-ndjson")
def as_lines(context: Any, body: Any) -> bytes:
    """A list is a body of several lines."""
    return b"\n".join(
        msgspec.json.encode(one) for one in (body if isinstance(body, list) and body else [body])
    )


@schemathesis.serializer("application/msgpack")
def as_messagepack(context: Any, body: Any) -> bytes:
    """An array of one, so that an empty body is never meant."""
    return msgspec.msgpack.encode([body])


@schemathesis.check
def count_the_answer(context: Any, response: Any, case: Any) -> None:
    """No check: it remembers what was answered."""
    answers[case.method, case.path, case.media_type or "", response.status_code] += 1


@schemathesis.check
def only_events_are_accepted(context: Any, response: Any, case: Any) -> None:
    """What violates the contract's schema may be quarantined or refused, but is never taken for an event."""
    if case.path != "/v1/events" or response.status_code != 202 or case.media_type != "application/json":
        return
    results = response.json()["results"]
    try:
        body = json.loads(response.request.body)
    except ValueError:
        body = [None] * len(results)
    sent = body if isinstance(body, list) else [body]
    assert len(sent) == len(results), "a result for each event"
    for one, result in zip(sent, results, strict=True):
        assert result["status"] != "accepted" or event.is_valid(one), f"accepted: {one}"


@atexit.register
def write_answers() -> None:
    """Hand the count to the test."""
    Path(os.environ[ANSWERS]).write_text(json.dumps([[list(kind), count] for kind, count in answers.items()]))
