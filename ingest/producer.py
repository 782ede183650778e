"""The bounded way into the log: an idempotent producer whose queue, waiting time and failures all have an end.

aiokafka retries an idempotent batch until the broker has it, for ever if need be, since a batch given up would leave a
hole in the sequence numbers. So what is bounded here is not the retrying but what may wait: records and bytes in hand,
and how long a request waits for its acknowledgement. Records whose request was told 503 stay in hand and are written
when the broker is back; the client sends them again, and their ids make one event of both.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from contract.errors import UnreachableError
from ingest.records import Record

logger = logging.getLogger(__name__)

RECONNECT_S: Final = 0.5
REPLACE_WAIT_S: Final = 5.0
PROBE_S: Final = 2.0
PROBE_HOLDS_S: Final = 1.0
REQUEST_TIMEOUT_MS: Final = 10_000
BATCH_BYTES: Final = 256 * 1024
MAX_RECORD_BYTES: Final = 1_000_000
"""A little below the broker's message.max.bytes, which counts a batch's header too."""
NO_OFFSET: Final = -1


class QueueFullError(UnreachableError):
    """As many records as may wait for the broker do; try again in a moment."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much may wait for the broker's acknowledgement."""

    events: int = 20_000
    bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the log has a record. `offset` None: it is there, but after a retry the broker no longer knows where."""

    partition: int
    offset: int | None


@lru_cache(maxsize=100_000)
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


def partition_of(key: bytes, partitions: Sequence[int], _available: Sequence[int] = ()) -> int:
    """Return the partition that Kafka's own clients give a key: murmur2 modulo their number, remembered."""
    return partitions[_hash(key) % len(partitions)]


class BoundedProducer:
    """Writes records to one topic and tells where they are once the broker has them.

    Parameters
    ----------
    delivery_timeout_s
        How long `write` waits for the broker.
    observe_ack
        Told the seconds from `write` to the acknowledgement, for each call that got one.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        *,
        limits: QueueLimits | None = None,
        delivery_timeout_s: float = 5.0,
        client_id: str = "thecaflow-gateway",
        observe_ack: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._limits = limits or QueueLimits()
        self._delivery_timeout_s = delivery_timeout_s
        self._client_id = client_id
        self._observe_ack = observe_ack
        self._producer: AIOKafkaProducer | None = None
        self._broken = asyncio.Event()
        self._changed = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._probed: tuple[float, bool] = (float("-inf"), False)
        self._stalled = False
        self.events_waiting = 0
        self.bytes_waiting = 0

    @property
    def connected(self) -> bool:
        """Whether there is a producer, and no record has waited for longer than it may."""
        return self._producer is not None and not self._stalled

    async def start(self) -> None:
        """Begin to connect; returns at once, since a gateway without a broker still has something to answer."""
        self._keeping = asyncio.create_task(self._keep())

    async def until_connected(self, timeout_s: float) -> None:
        """Wait for a first connection; raises UnreachableError."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._producer is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise UnreachableError(
                f"no Kafka answers at {self._bootstrap}; `make up`, or set THECAFLOW_KAFKA"
            ) from None

    async def stop(self, drain_s: float = 10.0) -> int:
        """Wait for what is in hand, at most `drain_s`, and close; returns how many records nobody acknowledged."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_producer(producer, drain_s)
        return self.events_waiting

    async def write(self, records: Sequence[Record]) -> list[Placed]:
        """Write records in their order and return their places, once the broker has all of them.

        Raises QueueFullError where they find no room, UnreachableError where the broker did not answer in time: then
        some of them may be, or come to be, in the log.
        """
        began = time.monotonic()
        placed = await self._deliver([(record.wire, record.key, None) for record in records])
        self._observe_ack(time.monotonic() - began)
        return placed

    async def write_to_all(self, wire: bytes) -> int:
        """Write one keyless record into every partition; returns their number. Raises as `write` does."""
        cluster = self._ready_producer().client.cluster
        partitions = sorted(cluster.partitions_for_topic(self._topic) or await self._partitions())
        return len(await self._deliver([(wire, None, partition) for partition in partitions]))

    async def _partitions(self) -> set[int]:
        with self._translated():
            async with asyncio.timeout(self._delivery_timeout_s):
                found: set[int] = await self._ready_producer().partitions_for(self._topic)
        return found

    async def _deliver(self, records: Sequence[tuple[bytes, bytes | None, int | None]]) -> list[Placed]:
        """Send values, each by its key or into its partition, and wait for all of them."""
        producer = self._ready_producer()
        self._check_room(len(records), sum(len(wire) for wire, _, _ in records))
        waiting = []
        with self._translated():
            async with asyncio.timeout(self._delivery_timeout_s):
                for wire, key, partition in records:
                    future = await producer.send(self._topic, wire, key=key, partition=partition)
                    self._hold(future, len(wire))
                    waiting.append(future)
                await asyncio.wait(waiting)
            return [_placed(future) for future in waiting]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise UnreachableError for what the broker does or does not do, and take note of it."""
        try:
            yield
        except TimeoutError:
            self._stalled = True
            raise UnreachableError(
                f"the broker did not answer within {self._delivery_timeout_s:g} s"
            ) from None
        except (KafkaError, AssertionError) as failed:  # aiokafka asserts what a topic that went away breaks
            self._replace(failed)
            raise UnreachableError(f"the broker did not take it ({type(failed).__name__})") from failed

    async def reachable(self) -> bool:
        """Ask the broker, at most once a second, whether it is there and has the topic."""
        asked_at, answer = self._probed
        if time.monotonic() - asked_at >= PROBE_HOLDS_S:
            answer = await self._probe()
            self._probed = (time.monotonic(), answer)
        if answer and self.events_waiting == 0:
            self._stalled = False  # else a gateway that gets no more requests for being unready would stay so
        return answer and self.connected

    async def _probe(self) -> bool:
        producer = self._producer
        if producer is None:
            return False
        try:
            async with asyncio.timeout(PROBE_S):
                cluster = await producer.client.fetch_all_metadata()
        except (KafkaError, TimeoutError, OSError):
            return False
        return bool(cluster.partitions_for_topic(self._topic))

    def _ready_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise UnreachableError("there is no connection to the broker")
        if self._stalled and self.events_waiting > 0:
            raise UnreachableError("records wait for the broker already, and it does not answer")
        return self._producer

    def _check_room(self, events: int, size: int) -> None:
        # A request larger than the whole queue gets in when nothing else waits: else it could never.
        if self.events_waiting == 0:
            return
        if (
            self.events_waiting + events > self._limits.events
            or self.bytes_waiting + size > self._limits.bytes
        ):
            raise QueueFullError(f"{self.events_waiting} records wait for the broker already")

    def _hold(self, future: asyncio.Future[Any], size: int) -> None:
        self.events_waiting += 1
        self.bytes_waiting += size

        def release(done: asyncio.Future[Any]) -> None:
            self.events_waiting -= 1
            self.bytes_waiting -= size
            if not done.cancelled() and done.exception() is None:
                self._stalled = False

        future.add_done_callback(release)

    def _replace(self, failed: BaseException) -> None:
        # What aiokafka gave up on leaves a hole in the sequence numbers: this producer can write no more.
        if not self._broken.is_set():
            logger.warning("producer: %s; connecting anew", type(failed).__name__)
            self._broken.set()

    async def _keep(self) -> None:
        """Have a producer, and another one whenever it breaks."""
        while True:
            self._broken.clear()
            producer = await self._connect()
            self._producer = producer
            self._stalled = False
            self._changed.set()
            logger.info("producer: connected to %s", self._bootstrap)
            await self._broken.wait()
            self._producer = None
            await close_producer(producer, REPLACE_WAIT_S)
            await asyncio.sleep(RECONNECT_S)

    async def _connect(self) -> AIOKafkaProducer:
        said = False
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap.split(","),
                client_id=self._client_id,
                acks="all",
                enable_idempotence=True,
                partitioner=partition_of,
                max_batch_size=BATCH_BYTES,
                max_request_size=MAX_RECORD_BYTES + 1000,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
            )
            try:
                await producer.start()
            except asyncio.CancelledError:
                await close_producer(producer, 0)
                raise
            except Exception as away:  # noqa: BLE001 - whatever it is, a gateway that stops trying is worse
                await close_producer(producer, 0)
                if not said:
                    logger.warning(
                        "producer: no broker at %s (%s); trying on", self._bootstrap, type(away).__name__
                    )
                    said = True
                await asyncio.sleep(RECONNECT_S)
            else:
                return producer


def _placed(future: asyncio.Future[Any]) -> Placed:
    metadata = future.result()
    return Placed(metadata.partition, None if metadata.offset == NO_OFFSET else metadata.offset)


async def close_producer(producer: AIOKafkaProducer, drain_s: float) -> None:
    """Close a producer that may be broken or cut off; what it has not delivered within `drain_s` is given up."""
    try:
        async with asyncio.timeout(drain_s):
            await producer.stop()
    except (TimeoutError, KafkaError):
        # Its own stop would wait for the broker for ever: fail what is left, so that nobody waits for it.
        producer._message_accumulator.fail_all(KafkaError("closed"))  # noqa: SLF001 - there is no public way
        sender = producer._sender.sender_task  # noqa: SLF001
        if sender is not None:
            sender.cancel()
        await producer.client.close()
