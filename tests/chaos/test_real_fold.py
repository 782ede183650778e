"""The worker as it is delivered, under the same harm: afterwards the database equals a fold of its own log, byte for byte."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from kernels import step
from tests.chaos.harm import harass
from tests.native import NativeStack
from tests.workers import REAL, WorkerProcess, fetch, make_tables, progress, until, workers
from thecaflow.settings import Settings

CHAOS_S = 30.0


@pytest.fixture
async def ready(topics: Settings) -> Settings:
    """Topics and tables are made, kernels compiled: three workers at once would take a minute for that."""
    await make_tables(topics)
    await asyncio.to_thread(step.warm)
    return topics


async def test_a_fleet_under_random_signals_equals_its_own_log(ready: Settings, tmp_path: Path):
    """Three real workers are killed, frozen and stopped while 16 pumps stream; `compare` then finds no difference."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    events = await _simulate(tmp_path, seed, pumps=16, days=20)
    rate = len(events) / CHAOS_S
    with workers(ready, tmp_path, "one", "two", "three", program=REAL) as three:
        await until(lambda: _all_ready(three))
        replaying = asyncio.create_task(_replay(ready, events, "--rate", f"{rate:.0f}"))
        done = await harass(three, random.Random(seed), CHAOS_S)
        await replaying
        print(f"{len(events)} events, {done}")
        await until(lambda: _all_committed(ready), 45)
        await _assert_equal(ready, events)
        assert [worker.end() for worker in three] == [0, 0, 0]


async def test_a_fleet_restored_to_an_older_dump_equals_its_own_log(
    ready: Settings, stack: NativeStack, tmp_path: Path
):
    """Back-up, more events, restore: two real workers fold what came since again, and `compare` finds no difference."""
    database = ready.database.rpartition("/")[2]
    events = await _simulate(tmp_path, 7, pumps=8, days=10)
    half = len(events) // 2
    with workers(ready, tmp_path, "one", "two", program=REAL) as [one, two]:
        await _replay(ready, events[:half])
        await until(lambda: _all_committed(ready))
        dump = stack.dump(database)
        await _replay(ready, events[half:])
        await until(lambda: _all_committed(ready))
        stack.restore(database, dump)
        await until(lambda: _all_committed(ready), 45)
        await _assert_equal(ready, events)
        assert one.end() == two.end() == 0


async def _assert_equal(settings: Settings, events: Sequence[bytes]) -> None:
    sent = {(event["pump"], event["id"]) for event in map(json.loads, events)}  # a fleet sends some twice
    stored = await fetch(settings, "SELECT pump, id FROM events WHERE counts")
    assert len(stored) == len(set(stored))
    assert set(stored) == sent
    compared = await _thecaflow(settings, "compare")
    print(compared.decode())


async def _all_ready(among: Sequence[WorkerProcess]) -> bool:
    return all([(await asyncio.to_thread(worker.page, "/readyz"))[0] == 200 for worker in among])


async def _all_committed(settings: Settings) -> bool:
    """Whether the database stands at the end of every partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    try:
        logs = [TopicPartition(settings.events_topic, p) for p in range(settings.topic_partitions)]
        ends = {log.partition: end for log, end in (await consumer.end_offsets(logs)).items() if end}
    finally:
        await consumer.stop()
    try:
        return await progress(settings) == ends
    except Exception as away:  # noqa: BLE001 - a database in the middle of its restore
        print(away)
        return False


async def _simulate(folder: Path, seed: int, pumps: int, days: int) -> list[bytes]:
    file = folder / "fleet.jsonl"
    arguments = ("--pumps", f"{pumps}", "--days", f"{days}", "--seed", f"{seed}", "--healthy-share", "0.5")
    await _thecaflow(None, "simulate", *arguments, "-o", str(file))
    return file.read_bytes().splitlines()


async def _replay(settings: Settings, events: Sequence[bytes], *arguments: str) -> None:
    await _thecaflow(settings, "replay", "-", "--to", "kafka", *arguments, stdin=b"\n".join(events) + b"\n")


async def _thecaflow(settings: Settings | None, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run a command of ours; its messages are in the failure."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "thecaflow", *arguments],
        env=os.environ | (settings.to_env() if settings else {}),
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments[0]}: {done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout
