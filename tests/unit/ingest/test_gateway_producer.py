"""The bounded producer over a broker that the test plays: room, time, failures and partitions."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import OutOfOrderSequenceNumber
from aiokafka.partitioner import DefaultPartitioner

from contract.errors import UnreachableError
from ingest.producer import BoundedProducer, Placed, QueueFullError, QueueLimits, partition_of
from ingest.records import Record, read_json
from tests.unit.contract.samples import line


class PlayedBroker:
    """Stands where aiokafka's producer does; acknowledges when the test says so."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[Any]] = []

    async def send(self, _topic: str, _wire: bytes, **_where: Any) -> asyncio.Future[Any]:
        """Take a record."""
        future = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        return future

    def acknowledge(self, offset: int = 7) -> None:
        """Acknowledge all that was sent."""
        for future in self.futures:
            if not future.done():
                future.set_result(SimpleNamespace(partition=3, offset=offset))


def producer(limits: QueueLimits, timeout_s: float = 0.05) -> tuple[BoundedProducer, PlayedBroker]:
    made = BoundedProducer("nowhere:1", "events", limits=limits, delivery_timeout_s=timeout_s)
    broker = PlayedBroker()
    made._producer = broker
    return made, broker


def record(text: str = "") -> Record:
    return read_json(line("note", text=text), 5, keep_received=False)


async def test_places_are_told_when_the_broker_has_all():
    """Not before; and an offset that the broker no longer knows is told as unknown."""
    made, broker = producer(QueueLimits(), 5)
    writing = asyncio.create_task(made.write([record(), record()]))
    await asyncio.sleep(0.01)
    assert not writing.done()
    assert made.events_waiting == 2
    broker.acknowledge()
    assert await writing == [Placed(3, 7), Placed(3, 7)]
    assert (made.events_waiting, made.bytes_waiting) == (0, 0)
    writing = asyncio.create_task(made.write([record()]))
    await asyncio.sleep(0.01)
    broker.acknowledge(-1)
    assert await writing == [Placed(3, None)]


@pytest.mark.parametrize("limits", [QueueLimits(events=3), QueueLimits(bytes=2500)])
async def test_a_full_queue_refuses_at_once(limits: QueueLimits):
    """By number or by bytes; nothing of the refused records is sent, and room comes back with acknowledgements."""
    made, broker = producer(limits, 5)
    text = "x" * 500
    writing = asyncio.create_task(made.write([record(text)] * 3))
    await asyncio.sleep(0.01)
    with pytest.raises(QueueFullError):
        await made.write([record(text)])
    assert len(broker.futures) == 3
    broker.acknowledge()
    await writing
    writing = asyncio.create_task(made.write([record(text)] * 30))
    await asyncio.sleep(0.01)
    assert made.events_waiting == 30  # more than the queue holds, but it was empty
    broker.acknowledge()
    await writing


async def test_silence_is_an_error_in_time_and_then_at_once_until_something_is_acknowledged():
    """The first request waits, the next ones need not find out again."""
    made, broker = producer(QueueLimits())
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(UnreachableError):
        await made.write([record()])
    assert loop.time() - began >= 0.05
    assert not made.connected
    began = loop.time()
    with pytest.raises(UnreachableError):
        await made.write([record()])
    assert loop.time() - began < 0.04
    assert len(broker.futures) == 1
    broker.acknowledge()
    await asyncio.sleep(0)
    assert made.connected
    assert made.events_waiting == 0


async def test_a_failure_that_leaves_a_hole_replaces_the_producer():
    """The request is told, and the keeper is told to make another one."""
    made, broker = producer(QueueLimits(), 5)
    writing = asyncio.create_task(made.write([record()]))
    await asyncio.sleep(0.01)
    broker.futures[0].set_exception(OutOfOrderSequenceNumber())
    with pytest.raises(UnreachableError, match="OutOfOrderSequenceNumber"):
        await writing
    assert made._broken.is_set()
    assert made.events_waiting == 0


def test_a_pump_has_the_partition_that_kafkas_own_clients_give_it():
    """Whoever else writes to the topic by its key must meet the same partition."""
    partitions = list(range(12))
    for number in range(500):
        key = f"pump-{number}".encode()
        assert partition_of(key, partitions) == DefaultPartitioner()(key, partitions, partitions)


async def test_no_broker_is_said_once_asked_for():
    """A command that needs the broker now gets one clear message."""
    made = BoundedProducer("127.0.0.1:1", "events")
    await made.start()
    with pytest.raises(UnreachableError, match="make up"):
        await made.until_connected(0.1)
    with pytest.raises(UnreachableError):
        await made.write([record()])
    assert not await made.reachable()
    assert await made.stop() == 0
