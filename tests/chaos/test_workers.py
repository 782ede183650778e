"""Workers that are killed, frozen and stopped, logs that are cut and databases that go back: nothing missing, nothing twice."""

import asyncio
import random
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import OffsetAndMetadata

from tests.chaos.harm import harass
from tests.native import NativeStack
from tests.workers import CountingFleet, fetch, make_tables, progress, until, workers
from thecaflow.settings import Settings

CHAOS_S = 40.0


@pytest.fixture
async def ready(topics: Settings) -> Settings:
    """Topics and tables are made."""
    await make_tables(topics)
    return topics


async def test_three_workers_under_random_signals_lose_and_repeat_nothing(ready: Settings, tmp_path: Path):
    """SIGKILL, SIGSTOP beyond the session's end and SIGTERM at random while a fleet streams; the seed is printed."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    fleet, stop = CountingFleet(ready), asyncio.Event()
    with workers(ready, tmp_path, "one", "two", "three") as three:
        streaming = asyncio.create_task(fleet.stream(1500, stop))
        done = await harass(three, random.Random(seed), CHAOS_S)
        stop.set()
        await streaming
        print(f"{fleet.sent} events, {done}")
        await until(fleet.all_committed, 45)
        await fleet.assert_once()
        assert min(done.values()) >= 1, f"each kind of harm should have been done: {done}"
        assert [worker.end() for worker in three] == [0, 0, 0]


async def test_group_offsets_reset_to_0_change_nothing(ready: Settings, tmp_path: Path):
    """Whatever the group's offsets say, the database's count: nothing is folded again, and new records are."""
    fleet = CountingFleet(ready)
    with workers(ready, tmp_path, "one") as [worker]:
        await fleet.send(3000)
        await until(fleet.all_committed)
        assert worker.end() == 0
        await _reset_group(ready, fleet.ends)
        await fleet.send(500)
        worker.start()
        await until(fleet.all_committed)
        await fleet.assert_once()
        assert worker.metric("thecaflow_frames_total") == 500
        assert worker.end() == 0


async def test_a_database_restored_to_an_older_dump_is_brought_up_to_date(
    ready: Settings, stack: NativeStack, tmp_path: Path
):
    """The records since the dump are still in the log: a worker that runs on meanwhile reads them again by itself."""
    database = ready.database.rpartition("/")[2]
    fleet = CountingFleet(ready)
    with workers(ready, tmp_path, "one", "two") as [one, two]:
        await fleet.send(2000)
        await until(fleet.all_committed)
        dump = stack.dump(database)
        await fleet.send(2000)
        await until(fleet.all_committed)
        assert two.end() == 0
        stack.restore(database, dump)
        assert sum((await progress(ready)).values()) == 2000
        await fleet.send(1000)
        two.start()
        await until(fleet.all_committed)
        await fleet.assert_once()
        assert one.running, "it followed the database back without a restart"
        assert one.end() == two.end() == 0


async def test_a_log_cut_above_the_database_stops_the_worker_with_the_reason(ready: Settings, tmp_path: Path):
    """Retention or a person deleted what was never folded: exit 3, the partition and the offsets in one line."""
    fleet = CountingFleet(ready)
    with workers(ready, tmp_path, "one") as [worker]:
        await fleet.send(1200)
        await until(fleet.all_committed)
        assert worker.end() == 0
        before = await progress(ready)
        await fleet.send(1200)
        partition = max(fleet.ends, key=lambda p: fleet.ends[p] - before[p])
        cut_at = before[partition] + 5
        await _cut_log(ready, partition, cut_at)
        worker.start()
        assert await asyncio.to_thread(worker.wait) == 3
        wanted = f"partition {partition} lost records: the database wants offset {before[partition]}, the log goes on at {cut_at}"
        assert wanted in worker.text()
        assert (await progress(ready))[partition] == before[partition]


async def test_a_log_cut_under_a_running_worker_stops_it_too(ready: Settings, tmp_path: Path):
    """It was frozen while the log was cut: the consumer jumps over the hole by itself, the worker does not."""
    fleet = CountingFleet(ready)
    with workers(ready, tmp_path, "one") as [worker]:
        await fleet.send(1200)
        await until(fleet.all_committed)
        worker.signal(signal.SIGSTOP)
        await fleet.send(
            1200
        )  # this answers the fetch under way: it is in the frozen worker's socket, so not lost
        reached = dict(fleet.ends)
        await fleet.send(1200)
        for partition, end in fleet.ends.items():
            await _cut_log(ready, partition, end)
        await fleet.send(1200)
        worker.signal(signal.SIGCONT)
        assert await asyncio.to_thread(worker.wait) == 3
        assert "lost records" in worker.text()
        assert all(offset <= reached[partition] for partition, offset in (await progress(ready)).items())


async def test_a_database_ahead_of_the_log_stops_the_worker_with_the_reason(ready: Settings, tmp_path: Path):
    """As after a topic was made anew: going on would take its first records for old ones and drop them."""
    fleet = CountingFleet(ready)
    with workers(ready, tmp_path, "one") as [worker]:
        await fleet.send(1200)
        await until(fleet.all_committed)
        assert worker.end() == 0
        await fetch(ready, "UPDATE progress SET next_offset = next_offset + 1000 RETURNING 1")
        worker.start()
        assert await asyncio.to_thread(worker.wait) == 4
        assert "but the log ends at" in worker.text()


async def _reset_group(settings: Settings, partitions: Sequence[int]) -> None:
    """Do what kafka-consumer-groups --reset-offsets --to-offset 0 does."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, group_id=settings.consumer_group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        logs = [TopicPartition(settings.events_topic, partition) for partition in partitions]
        consumer.assign(logs)
        committed = [await consumer.committed(log) for log in logs]
        assert min(committed) > 0, "the worker told the group how far it was"
        await consumer.commit({log: OffsetAndMetadata(0, "") for log in logs})
    finally:
        await consumer.stop()


async def _cut_log(settings: Settings, partition: int, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(settings.events_topic, partition): RecordsToDelete(before_offset=offset)}
        )
    finally:
        await admin.close()
