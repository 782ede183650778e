"""The console keeps its OpenAPI document, on real Kafka and TimescaleDB: no failure, no answer that is not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consoles import Log, add_token, console_process, register
from tests.integration.test_gateway import gateway_process
from tests.openapi import attack
from tests.unit.storage.rows import T0_US, alert
from tests.workers import make_tables, until
from thecaflow.settings import Settings

NO_STREAM = ("--exclude-path", "/v1/stream")
"""Its answer has no end; the tests of the stream are elsewhere."""
GUESSES = ("positive_data_acceptance",)
"""A well-formed name of a pump or alert that nobody has is 404, and a time in the past no time to shelve until."""


@pytest.fixture
async def ready(topics: Settings) -> Settings:
    """Topics and tables are made, with pumps and an open alert."""
    await make_tables(topics)
    await register(topics, {"p1": "ward-a", "p2": None})
    await Log(topics).commit([alert("p1", T0_US)])
    return topics


async def test_whatever_is_asked_the_answer_is_in_the_document(ready: Settings, tmp_path: Path):
    """Good and bad requests of an operator, a viewer and nobody: documented statuses and bodies, no 5xx."""
    operator, viewer = await add_token(ready, "operator"), await add_token(ready, "viewer")
    with gateway_process(ready, tmp_path, "--tick", "0", "--rate", "0") as gateway:
        await gateway.ready()
        with console_process(ready.with_changes(gateway_url=gateway.url), tmp_path) as console:
            await until(console.ready)
            persons = attack(
                console.url, operator, tmp_path / "operator", without=GUESSES, options=NO_STREAM, examples=10
            )
            reader = attack(
                console.url,
                viewer,
                tmp_path / "viewer",
                without=GUESSES,
                phases=("fuzzing",),
                examples=10,
                options=("--include-path-regex", "^/v1/alerts"),
            )
            nobody = attack(
                console.url,
                "nobody",
                tmp_path / "nobody",
                without=GUESSES,
                phases=("fuzzing",),
                examples=5,
                options=("--include-path-regex", "^/v1/(pumps|alerts|login)"),
            )
            assert await console.status("/readyz") == 200
            log = console.text()
    assert "nobody foresaw" not in log
    assert "Traceback" not in log
    persons.assert_clean(operations=10, at_least=300)
    assert persons.statuses("/v1/alerts", "GET") >= {200, 400}
    acked = persons.statuses("/v1/alerts/{alert_id}/ack")
    assert 400 in acked
    assert acked & {202, 404}  # of the alert that is open, or of one made up
    assert persons.statuses("/v1/login-links") >= {201}
    reader.assert_clean(operations=4, at_least=20)
    nobody.assert_clean(operations=7, at_least=20)
    assert nobody.statuses("/v1/pumps", "GET") == {401}
