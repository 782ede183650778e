"""The native stack itself answers, with the versions that dev/stack.env says."""

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.native import NativeStack
from thecaflow.settings import Settings
from thecaflow.stack_env import read_stack_env


async def test_a_hypertable_takes_a_row_and_gives_it_back(settings: Settings):
    """The database has the pinned TimescaleDB with the Apache features, and a hypertable stores a row."""
    connection = await asyncpg.connect(settings.database)
    try:
        version = await connection.fetchval(
            "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
        )
        assert version == read_stack_env({})["TIMESCALEDB_VERSION"]
        assert await connection.fetchval("SHOW timescaledb.license") == "apache"
        await connection.execute("CREATE TABLE seen (at timestamptz NOT NULL, pump text NOT NULL)")
        await connection.execute("SELECT create_hypertable('seen', 'at')")
        await connection.execute("INSERT INTO seen VALUES ('2026-01-01T00:00:00Z', 'P1')")
        assert await connection.fetchval("SELECT pump FROM seen") == "P1"
        assert await connection.fetchval("SELECT count(*) FROM show_chunks('seen')") == 1
    finally:
        await connection.close()


async def test_a_record_comes_back_from_the_log(topics: Settings):
    """A record produced with acks=all is consumed with its key, in a compression that needs cramjam."""
    async with AIOKafkaProducer(
        bootstrap_servers=topics.kafka, acks="all", enable_idempotence=True, compression_type="zstd"
    ) as producer:
        sent = await producer.send_and_wait(topics.events_topic, b"frame", key=b"P1")
    async with AIOKafkaConsumer(
        topics.events_topic, bootstrap_servers=topics.kafka, auto_offset_reset="earliest"
    ) as consumer:
        record = await consumer.getone()
    assert (record.key, record.value, record.partition) == (b"P1", b"frame", sent.partition)


async def test_a_mistyped_topic_is_not_made(settings: Settings):
    """Auto-creation is off: producing to a topic that nobody made fails instead of making one partition."""
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka, request_timeout_ms=1500) as producer:
        with pytest.raises(KafkaError):
            await producer.send_and_wait("pump-evnets", b"frame")
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        assert "pump-evnets" not in await admin.list_topics()
    finally:
        await admin.close()


async def test_both_parts_come_back_from_a_crash_with_what_they_acknowledged(
    stack: NativeStack, topics: Settings
):
    """After the crash of both servers a committed row and an acknowledged record are still there."""
    database = topics.database.rpartition("/")[2]
    stack.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)", database)
    async with AIOKafkaProducer(bootstrap_servers=topics.kafka, acks="all") as producer:
        await producer.send_and_wait(topics.events_topic, b"kept", key=b"P1")
    stack.kill()
    stack.start()
    assert stack.sql("SELECT n FROM kept", database) == "7"
    async with AIOKafkaConsumer(
        topics.events_topic, bootstrap_servers=topics.kafka, auto_offset_reset="earliest"
    ) as consumer:
        assert (await consumer.getone()).value == b"kept"


def test_a_dump_is_restored_with_its_hypertable(stack: NativeStack, settings: Settings):
    """A database replaced by its older dump has the older rows only, in a hypertable that still takes new ones."""
    database = settings.database.rpartition("/")[2]
    stack.sql("CREATE TABLE seen (at timestamptz NOT NULL); SELECT create_hypertable('seen', 'at')", database)
    stack.sql("INSERT INTO seen VALUES ('2026-01-01T00:00:00Z')", database)
    older = stack.dump(database)
    stack.sql("INSERT INTO seen VALUES ('2026-03-01T00:00:00Z')", database)
    stack.restore(database, older)
    assert stack.sql("SELECT count(*) FROM seen", database) == "1"
    stack.sql("INSERT INTO seen VALUES ('2026-05-01T00:00:00Z')", database)
    assert stack.sql("SELECT count(*) FROM show_chunks('seen')", database) == "2"
