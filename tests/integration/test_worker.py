"""One or two worker processes on real Kafka and TimescaleDB, with a fold that only counts."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.workers import CountingFleet, fetch, make_tables, progress, until, workers
from thecaflow.settings import Settings


@pytest.fixture
async def ready(topics: Settings) -> AsyncIterator[Settings]:
    """Topics and tables are made."""
    await make_tables(topics)
    yield topics


async def test_a_worker_commits_what_was_sent_before_and_after_it_came_up(ready: Settings, tmp_path: Path):
    """Every record is stored once, the pages say so, and SIGTERM ends the worker with 0 and nothing on stdout."""
    fleet = CountingFleet(ready)
    await fleet.send(3000)
    with workers(ready, tmp_path, "one") as [worker]:
        await until(fleet.all_committed)
        await fleet.send(2000)
        await until(fleet.all_committed)
        await fleet.assert_once()
        assert worker.page("/readyz")[0] == 200
        assert worker.metric("thecaflow_frames_total") == 5000
        assert worker.health()["status"] == "progressing"
        assert worker.end() == 0
    assert "nobody foresaw" not in worker.text()
