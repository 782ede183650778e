"""Messages a second through an empty agent of ours, beside stock Faust, a bare aiokafka loop and Quix Streams.

Messages of 180 bytes in all partitions, written beforehand. Each side runs in a process of its own, in turns, and counts
up to as many messages as it can take in some seconds; the clock runs on the wall from the first message in hand to the last.
No side does anything with a message.

Run: python -m bench.bench_transport [--rounds N] [--quick]      on the stack of the settings (`make up`)
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import faust
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bench.report import Line
from processors.transport import Poll
from thecaflow.settings import Settings
from thecaflow.topics import create_topics
from thecaflow.worker_app import TransportOptions, add_agent, make_app, quiet_collector

MESSAGE = bytes(180)
BATCH_MESSAGES = 1000
COUNTS = {"ours": 1_500_000, "bare": 1_500_000, "quix": 500_000, "stock": 60_000}
QUICK_COUNTS = dict.fromkeys(COUNTS, 20_000)
LEAST = {"stock": 30.0, "bare": 0.7, "quix": 2.5}
NAMES = {"stock": "stock Faust", "bare": "bare aiokafka", "quix": "Quix Streams"}


class Count:
    """Counts up to a number and says how long it took from the first one on."""

    def __init__(self, until: int) -> None:
        self._until = until
        self._seen = 0
        self._first = 0
        self._began = 0.0
        self.seconds = 0.0
        self.rate = 0.0

    def add(self, messages: int) -> bool:
        """Count; True when all are there. What the first call brings started the clock and takes no part."""
        if not self._began:
            self._began, self._first = time.perf_counter(), messages
        self._seen += messages
        if self._seen >= self._until and not self.rate:
            self.seconds = time.perf_counter() - self._began
            self.rate = (self._seen - self._first) / self.seconds
        return bool(self.rate)


class FromStart:
    """The offsets of an agent without a database."""

    async def on_assigned(self, partitions: Collection[int]) -> Mapping[int, int]:
        """Everything from the beginning."""
        return dict.fromkeys(partitions, 0)

    def on_epoch(self, partition: int, epoch: int) -> None:
        """No matter."""


async def ours(settings: Settings, count: Count) -> None:
    """Our transport, as the worker sets it up, under an agent that acknowledges each poll."""
    quiet_collector()
    done = asyncio.Event()

    async def take(poll: Poll) -> bool:
        if count.add(len(poll.records)):
            done.set()
        return True

    with tempfile.TemporaryDirectory() as folder:
        app = make_app(
            bootstrap=settings.kafka,
            group=f"bench-ours-{os.getpid()}",
            client="bench",
            folder=Path(folder) / "faust",
            owner=FromStart(),
        )
        add_agent(app, settings.events_topic, take)
        await _run(app, done)


async def stock(settings: Settings, count: Count) -> None:
    """Faust as it comes, with the same settings of the app where they mean the same."""
    done = asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        app = faust.App(
            f"bench-stock-{os.getpid()}",
            broker=f"kafka://{settings.kafka}",
            datadir=Path(folder) / "faust",
            store="memory://",
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            consumer_auto_offset_reset="earliest",
            stream_wait_empty=False,
        )
        topic = app.topic(
            settings.events_topic,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )

        @app.agent(topic)
        async def empty(stream: Any) -> None:
            async for _ in stream:
                if count.add(1):
                    done.set()

        await _run(app, done)


async def _run(app: faust.App, done: asyncio.Event) -> None:
    starting = asyncio.create_task(app.start())
    await asyncio.wait_for(done.wait(), 300)
    await starting
    await app.stop()


async def bare(settings: Settings, count: Count) -> None:
    """A plain loop over getmany."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=TransportOptions().max_partition_fetch_bytes,
    )
    await consumer.start()
    try:
        consumer.assign(
            [
                TopicPartition(settings.events_topic, partition)
                for partition in range(settings.topic_partitions)
            ]
        )
        while True:
            polled = await consumer.getmany(timeout_ms=500, max_records=TransportOptions().max_poll_records)
            if polled and count.add(sum(map(len, polled.values()))):
                return
    finally:
        await consumer.stop()


async def quix(settings: Settings, count: Count) -> None:
    """Quix Streams with a function that does nothing; it runs its own loop."""
    from quixstreams import Application  # noqa: PLC0415 - only `make bench` installs it

    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=settings.kafka,
            consumer_group=f"bench-quix-{os.getpid()}",
            auto_offset_reset="earliest",
            state_dir=folder,
            loglevel="ERROR",
        )
        topic = app.topic(settings.events_topic, value_deserializer="bytes", key_deserializer="bytes")

        def empty(message: bytes) -> None:
            del message
            if count.add(1):
                app.stop()

        app.dataframe(topic).update(empty)
        app.run()


SIDES: Mapping[str, Callable[[Settings, Count], Awaitable[None]]] = {
    "ours": ours,
    "bare": bare,
    "quix": quix,
    "stock": stock,
}


async def fill(settings: Settings, messages: int) -> None:
    """Make the topic and write the messages, evenly over the partitions, in whole batches."""
    await create_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks=1, max_batch_size=1 << 20)
    await producer.start()
    try:
        for number in range(0, messages, BATCH_MESSAGES):
            batch = producer.create_batch()
            for _ in range(BATCH_MESSAGES):
                batch.append(key=b"pump", value=MESSAGE, timestamp=None)
            partition = number // BATCH_MESSAGES % settings.topic_partitions
            await producer.send_batch(batch, settings.events_topic, partition=partition)
    finally:
        await producer.stop()


async def delete(settings: Settings) -> None:
    """Delete the topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_topics([settings.events_topic, settings.facts_topic])
    finally:
        await admin.close()


def measure(rounds: int, counts: Mapping[str, int]) -> list[Line]:
    """The lines of the table: medians of rounds in which every side has its turn."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic just made has no leader for a moment
    name = f"bench-transport-{os.getpid()}"
    settings = Settings.from_env().with_changes(events_topic=name, facts_topic=f"{name}-facts")
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    try:
        asyncio.run(fill(settings, max(counts.values())))
        for turn in range(rounds):
            for side in list(SIDES) if turn % 2 == 0 else reversed(list(SIDES)):
                rates[side].append(_side(side, counts[side], settings))
    finally:
        with contextlib.suppress(Exception):
            asyncio.run(delete(settings))
    rate = {side: statistics.median(measured) for side, measured in rates.items()}
    return [
        Line(
            f"messages/s, empty agent, beside {NAMES[other]}",
            f"{rate['ours']:,.0f}/s",
            f"{NAMES[other]} {rate[other]:,.0f}/s",
            rate["ours"] / rate[other],
            least=least,
        )
        for other, least in LEAST.items()
    ]


def _side(side: str, until: int, settings: Settings) -> float:
    command = [sys.executable, "-m", "bench.bench_transport", "--side", side, "--count", f"{until}"]
    done = subprocess.run(
        command, env=os.environ | settings.to_env(), capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        raise RuntimeError(f"{side}: {done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of few messages: a smoke run")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=tuple(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        count = Count(asked.count)
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # of the consumer's thread too
        logging.basicConfig(level=logging.ERROR)
        asyncio.run(SIDES[asked.side](Settings.from_env(), count))
        print(count.rate)
        return
    lines = measure(1, QUICK_COUNTS) if asked.quick else measure(asked.rounds, COUNTS)
    if asked.json:
        print(json.dumps([line.fields() for line in lines]))
    else:
        print("\n".join(" | ".join(line.cells()) for line in lines))


if __name__ == "__main__":
    main()
