"""Worker processes on real Kafka and TimescaleDB, with a fold that only counts."""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.native import NativeStack
from tests.workers import CountingFleet, WorkerProcess, fetch, make_tables, progress, until, workers
from thecaflow.settings import Settings

OUTAGE_S = 15.0


@pytest.fixture
async def ready(topics: Settings) -> Settings:
    """Topics and tables are made."""
    await make_tables(topics)
    return topics


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
        assert worker.metric("thecaflow_partitions") == 12
        assert worker.metric("thecaflow_end_to_end_seconds_count") == 5000
        assert worker.health()["status"] == "progressing"
        began = time.monotonic()
        assert worker.end() == 0
        assert time.monotonic() - began < 5
        assert worker.stdout() == ""
        assert "ended, exit 0 DONE" in worker.text()


async def test_interrupted_at_work_it_commits_the_batch_in_hand_and_leaves_the_group(
    ready: Settings, tmp_path: Path
):
    """SIGINT in the middle of a stream: exit 0, and the other worker goes on at once, without a session time-out."""
    fleet = CountingFleet(ready)
    stop = asyncio.Event()
    with workers(ready, tmp_path, "one", "two") as [one, two]:
        streaming = asyncio.create_task(fleet.stream(2000, stop))
        await until(lambda: _holds(two, 6))
        await until(lambda: _holds(one, 6))
        one.signal(signal.SIGINT)
        assert await asyncio.to_thread(one.wait) == 0
        left = time.monotonic()
        await until(lambda: _holds(two, 12))
        assert time.monotonic() - left < 2.5, "shorter than the session, so the group was told"
        stop.set()
        await streaming
        await until(fleet.all_committed)
        await fleet.assert_once()
        assert two.end() == 0


async def test_a_database_that_goes_and_comes_back_ends_no_worker(
    ready: Settings, stack: NativeStack, tmp_path: Path
):
    """While it is down nothing is lost or acknowledged and the lag shows; afterwards the same processes go on."""
    fleet = CountingFleet(ready)
    with workers(ready, tmp_path, "one", "two") as [one, two]:
        await fleet.send(1000)
        await until(fleet.all_committed)
        stack.kill("pg")
        await fleet.send(4000)
        await until(lambda: _lags([one, two], 4000))
        assert one.health()["status"] != "stuck", "not yet: the limit is a minute"
        stack.start("pg")
        await until(fleet.all_committed)
        await fleet.assert_once()
        assert one.running
        assert two.running
        assert one.metric("thecaflow_database_retries_total") > 0
        assert one.end() == two.end() == 0


async def test_a_frozen_database_ends_no_worker(ready: Settings, stack: NativeStack, tmp_path: Path):
    """Its connections stay open and nothing answers; heartbeats go on, so the group stays as it is."""
    fleet = CountingFleet(ready)
    with workers(ready, tmp_path, "one") as [one]:
        await fleet.send(1000)
        await until(fleet.all_committed)
        with stack.paused("pg"):
            await fleet.send(1000)
            await asyncio.sleep(5)  # longer than the session
        await until(fleet.all_committed)
        await fleet.assert_once()
        assert one.metric("thecaflow_partitions") == 12
        assert one.end() == 0


async def test_a_broker_that_goes_and_comes_back_ends_no_worker(
    ready: Settings, stack: NativeStack, tmp_path: Path
):
    """The consumer finds it again by itself and reads on where the database stands."""
    fleet = CountingFleet(ready)
    with workers(ready, tmp_path, "one") as [one]:
        await fleet.send(1000)
        await until(fleet.all_committed)
        await fleet.send(1000)  # acknowledged to the group only while the broker is away
        stack.kill("kafka")
        await asyncio.sleep(OUTAGE_S)
        stack.start("kafka")
        await fleet.send(1000)
        await until(fleet.all_committed)
        await fleet.assert_once()
        assert one.end() == 0


async def test_a_worker_waits_for_a_database_that_is_not_there_yet(
    ready: Settings, stack: NativeStack, tmp_path: Path
):
    """Started too early it waits instead of failing, and stops in good order when told to."""
    fleet = CountingFleet(ready)
    await fleet.send(100)
    stack.kill("pg")
    with workers(ready, tmp_path, "one", "two") as [one, two]:
        await until(lambda: _says(one, "waiting:"))
        await until(lambda: _says(two, "waiting:"))
        assert one.health()["status"] == "starting"
        assert one.page("/readyz")[0] == 503
        assert two.end() == 0
        stack.start("pg")
        await until(fleet.all_committed)
        assert one.end() == 0


async def test_nothing_but_poison_stops_the_worker_and_stays_in_the_log(ready: Settings, tmp_path: Path):
    """Exit 5 with the reason, and not a record of it acknowledged or moved away."""
    fleet = CountingFleet(ready, pumps=1)
    await fleet.send(1500, content="poison")
    with workers(ready, tmp_path, "one") as [one]:
        assert await asyncio.to_thread(one.wait) == 5
        assert "cannot be used (poison)" in one.text()
    quarantined = await fetch(ready, "SELECT count(*) FROM quarantine")
    assert quarantined[0][0] < 1000


async def test_a_defect_ends_the_process_without_an_acknowledgement(ready: Settings, tmp_path: Path):
    """Exit 70 with the trace; what was in hand is neither committed nor skipped, started again it meets it again."""
    fleet = CountingFleet(ready, pumps=1)
    with workers(ready, tmp_path, "one") as [one]:
        await fleet.send(50)
        await until(fleet.all_committed)
        before = await progress(ready)
        await fleet.send(1, content="bug")
        assert await asyncio.to_thread(one.wait) == 70
        assert "ZeroDivisionError" in one.text()
        one.start()
        assert await asyncio.to_thread(one.wait) == 70
        assert await progress(ready) == before


async def test_a_topic_or_table_that_is_missing_is_named_with_the_command_that_makes_it(
    settings: Settings, tmp_path: Path
):
    """No trace, no endless wait: one line that says what to run."""
    with workers(settings, tmp_path, "one") as [one]:
        assert await asyncio.to_thread(one.wait) == 1
        assert "thecaflow migrate" in one.text()
    await make_tables(settings)
    with workers(settings, tmp_path, "two") as [two]:
        assert await asyncio.to_thread(two.wait) == 1
        assert "thecaflow topics create" in two.text()


async def _holds(worker: WorkerProcess, partitions: int) -> bool:
    return await asyncio.to_thread(worker.metric, "thecaflow_partitions") == partitions


async def _lags(among: Sequence[WorkerProcess], records: int) -> bool:
    lags = [await asyncio.to_thread(worker.metric, "thecaflow_lag_records") for worker in among]
    return sum(lags) == records


async def _says(worker: WorkerProcess, text: str) -> bool:
    return text in worker.text()
