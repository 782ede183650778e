"""Kafka -> fold, the commit stubbed: our worker's Faust app and agent beside a bare aiokafka loop with the same fold.

Frames of 240 samples x 4 columns, one sample a minute, of many pumps in 12 partitions. Each side runs in a process of its
own, in turns; the clock runs from the first poll in hand to the last fold, on the wall, since ours folds in a thread beside
its loop. Store and history are stubs: everything is new, every commit succeeds.

Run: python -m bench.bench_fold [--rounds N] [--pumps N] [--frames N]      on the stack of the settings (`make up`)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench import fleet
from bench.report import Line
from kernels import step
from processors.agent import Agent
from processors.health import Progress
from processors.live import PartitionFold
from processors.metrics import Metrics
from processors.partition_heads import Heads
from processors.ports import ExitCode
from processors.transport import Consumer, Poll
from storage.types import Changes, EventKey, History, HistoryRequest, Known, Loaded
from thecaflow.load.fleet import introduction
from thecaflow.settings import Settings
from thecaflow.topics import create_topics, delete_topics
from thecaflow.worker_app import TransportOptions, add_agent, make_app

SAMPLES, EVERY_S = 240, 60.0
T0_US = 1_750_032_000_000_000
LEAST = 0.7


class StubStore:
    """Everything is new, every commit succeeds; `done` once every partition was committed to its end."""

    def __init__(self, ends: Mapping[int, int]) -> None:
        self._ends = ends
        self._offsets: dict[int, int] = {}
        self.done = asyncio.Event()

    async def load(self, partition: int) -> Loaded:
        """Nothing is stored."""
        return Loaded({}, self._offsets.get(partition, 0), 1)

    async def next_offset(self, partition: int) -> int:
        """What was committed."""
        return self._offsets.get(partition, 0)

    async def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, Known]:
        """No event is known."""
        del keys
        return {}

    async def history(self, request: HistoryRequest) -> History:
        """In-order frames need none."""
        raise AssertionError(f"the bench's frames are in order, yet {request.pump} wants its past")

    async def commit(self, changes: Changes, run_id: int | None = None) -> bool:
        """Take it."""
        del run_id
        self._offsets[changes.partition] = changes.next_offset
        if self._offsets == self._ends:
            self.done.set()
        return True


async def fill(settings: Settings, pumps: int, frames: int) -> None:
    """Make the topic and write every pump's introduction and frames, in the order of their times."""
    await create_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks=1, linger_ms=20)
    await producer.start()
    names = [f"bench-{number:05d}" for number in range(pumps)]
    try:
        for name in names:
            for raw in introduction(name, T0_US):
                await producer.send(settings.events_topic, raw, key=name.encode())
        for seq in range(frames):
            at_us = T0_US + round(seq * SAMPLES * EVERY_S * 1e6) + 1_000_000
            for name in names:
                raw = fleet.frame(name, seq, T0_US, at_us, SAMPLES, EVERY_S)
                await producer.send(settings.events_topic, raw, key=name.encode())
    finally:
        await producer.stop()


async def _ends(settings: Settings) -> dict[int, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(settings.events_topic, number) for number in range(settings.topic_partitions)
        ]
        ends = await consumer.end_offsets(partitions)
        return {tp.partition: end for tp, end in ends.items() if end}
    finally:
        await consumer.stop()


async def ours(settings: Settings) -> float:
    """Seconds of our worker's app."""
    ends = await _ends(settings)
    store, metrics, progress = StubStore(ends), Metrics(), Progress(stuck_after_s=60)
    began: list[float] = []
    with ThreadPoolExecutor(1) as executor, tempfile.TemporaryDirectory() as folder:
        heads = Heads(
            topic=settings.events_topic,
            store=store,
            make_fold=PartitionFold,
            executor=executor,
            metrics=metrics,
            progress=progress,
        )
        agent = Agent(
            heads=heads,
            store=store,
            executor=executor,
            metrics=metrics,
            progress=progress,
            on_stop=_stopped,
            on_surprise=_surprised,
        )

        async def take(poll: Poll) -> bool:
            if not began:
                began.append(time.perf_counter())
            return await agent.take(poll)

        app = make_app(
            bootstrap=settings.kafka,
            group=f"bench-{os.getpid()}",
            client="bench",
            folder=Path(folder) / "faust",
            owner=agent,
        )
        add_agent(app, settings.events_topic, take)
        consumer = app.consumer
        assert isinstance(consumer, Consumer)
        heads.attach(consumer)
        starting = asyncio.create_task(app.start())
        await asyncio.wait_for(store.done.wait(), 300)
        spent = time.perf_counter() - began[0]
        await starting
        await app.stop()
    return spent


def _stopped(code: ExitCode, reason: str) -> None:
    raise AssertionError(f"the agent wants to stop: {code} {reason}")


def _surprised(surprise: BaseException) -> None:
    print(f"bench_fold: {surprise!r}", file=sys.stderr)
    os._exit(70)


async def bare(settings: Settings) -> float:
    """Seconds of a plain loop: getmany, fold, next."""
    ends = await _ends(settings)
    tuned = TransportOptions()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=tuned.max_partition_fetch_bytes,
    )
    await consumer.start()
    consumer.assign([TopicPartition(settings.events_topic, partition) for partition in ends])
    folds: dict[int, PartitionFold] = {partition: PartitionFold(partition, {}, 0) for partition in ends}
    left, began = sum(ends.values()), 0.0
    try:
        while left:
            polled = await consumer.getmany(timeout_ms=500, max_records=tuned.max_poll_records)
            began = began or time.perf_counter()
            for tp, records in polled.items():
                fold = folds[tp.partition]
                intake = fold.read(records)
                if fold.plan(intake, {}):
                    raise AssertionError("the bench's frames are in order, yet a pump wants its past")
                fold.accept(fold.fold(intake, {}))
                left -= len(records)
        return time.perf_counter() - began
    finally:
        await consumer.stop()


def measure(rounds: int, pumps: int, frames: int) -> Line:
    """The line of the table; each side in a process of its own, in turns."""
    settings = Settings.from_env()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic just made has no leader for a moment
    name = f"bench-fold-{os.getpid()}"
    settings = settings.with_changes(events_topic=name, facts_topic=f"{name}-facts")
    asyncio.run(fill(settings, pumps, frames))
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    try:
        for turn in range(rounds):
            for side in ("ours", "bare") if turn % 2 else ("bare", "ours"):
                command = [sys.executable, "-m", "bench.bench_fold", "--side", side]
                done = subprocess.run(
                    command, env=os.environ | settings.to_env(), capture_output=True, text=True, check=False
                )
                if done.returncode:
                    raise RuntimeError(f"{side}: {done.stderr[-2000:]}")
                taken[side].append(float(done.stdout))
    finally:
        asyncio.run(delete_topics(settings))
    rate = {side: pumps * frames / statistics.median(times) for side, times in taken.items()}
    return Line(
        f"Kafka -> fold, {SAMPLES} x 4, commit stubbed",
        f"{rate['ours']:,.0f} frames/s",
        f"bare aiokafka {rate['bare']:,.0f} frames/s",
        rate["ours"] / rate["bare"],
        least=LEAST,
    )


def main() -> None:
    """Print the line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pumps", type=int, default=200)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=("ours", "bare"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        step.warm()
        side = ours if arguments.side == "ours" else bare
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(runner.run(side(Settings.from_env())))
        return
    line = measure(arguments.rounds, arguments.pumps, arguments.frames)
    print(json.dumps([line.fields()]) if arguments.json else " | ".join(line.cells()))


if __name__ == "__main__":
    main()
