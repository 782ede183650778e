"""The gateway keeps its OpenAPI document, on real Kafka and TimescaleDB: no failure, no answer that is not in it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.integration.test_gateway import gateway_process, read_log
from tests.openapi import attack
from tests.unit.contract.samples import PAYLOADS
from tests.workers import make_tables
from thecaflow.settings import Settings

QUARANTINES = ("negative_data_rejection",)
"""What is no event is kept for people to look at instead of being refused, so a 202 may say `quarantined`."""


@pytest.fixture
async def ready(topics: Settings) -> Settings:
    """Topics and tables are made."""
    await make_tables(topics)
    return topics


async def test_whatever_is_sent_the_answer_is_in_the_document(ready: Settings, tmp_path: Path):
    """Thousands of good and bad requests of a program, a person and nobody: documented statuses and bodies, no 5xx."""
    every_type = [option for name in sorted(PAYLOADS) for option in ("--type", name)]
    with gateway_process(ready, tmp_path, "--tick", "0", "--rate", "0") as gateway:
        await gateway.ready()
        program = attack(gateway.url, gateway.token(*every_type), tmp_path / "program", without=QUARANTINES)
        person = attack(
            gateway.url,
            gateway.token("--role", "operator"),
            tmp_path / "person",
            without=("positive_data_acceptance",),  # telemetry is valid, and no person's to send
            phases=("fuzzing",),
            options=("--include-path", "/v1/events"),
        )
        nobody = attack(
            gateway.url,
            "nobody",
            tmp_path / "nobody",
            without=("positive_data_acceptance",),
            phases=("fuzzing",),
            examples=5,
            options=("--include-path", "/v1/events"),
        )
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{gateway.url}/readyz")).status_code == 200
        assert "nobody foresaw" not in gateway.log.read_text()
    program.assert_clean(operations=4, at_least=1000)
    assert program.statuses("/v1/events") >= {202, 400, 401, 415}
    for media in ("application/json", "application/x-ndjson", "application/msgpack"):
        assert 202 in program.statuses("/v1/events", media=media)
    person.assert_clean(operations=1, at_least=20)
    assert 403 in person.statuses("/v1/events")
    nobody.assert_clean(operations=1, at_least=5)
    assert nobody.statuses("/v1/events") == {401}
    assert len(await read_log(ready)) > 1000
