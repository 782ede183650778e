"""Faust's Kafka consumer, changed so that an agent is handed one whole poll of one partition at a time.

Stock Faust spends 100-200 us on every message (two tasks and a wait each); here that is paid once a poll. Three rules
make it safe, and every one of them is about offsets:

* **The database decides where to read.** After each rebalance, and whenever the agent asks, a partition is sought to
  the offset that the agent states. What the consumer group committed is never read: it serves lag tools only.
* **A poll belongs to an epoch.** Each seek of a partition begins a new epoch, and a poll says in which one it was
  fetched, so that what was read before a seek can be told from what was read after it.
* **Faust's own book-keeping of read offsets and gaps is off.** It takes the offsets between two polls for lost messages
  (and would then freeze the group's offset), and a deliberate step back for repeated ones (and would drop them).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from contract.errors import UnreachableError

logger = logging.getLogger(__name__)

FETCH_MAX_WAIT_MS: Final = 250
"""How long a fetch may wait for records at the broker: a seek or a question of ours waits as long behind it."""
Record: TypeAlias = ConsumerRecord  # key: bytes | None, value: bytes


@dataclass(frozen=True, slots=True)
class Poll:
    """The records of one partition that one poll brought.

    Parameters
    ----------
    epoch
        Number of the partition's last seek before these records were fetched.
    records
        One or more, ascending by offset.
    end_offset
        The log's end when they were fetched: the offset that the next record written will get.
    """

    partition: int
    epoch: int
    records: Sequence[Record]
    end_offset: int


@dataclass(frozen=True, slots=True)
class LogBounds:
    """The first offset that the log still holds, and the one that its next record will get."""

    first: int
    end: int


class Owner(Protocol):
    """Who knows the offsets: called by the consumer, never blocks for long, never raises."""

    async def on_assigned(self, partitions: Collection[int]) -> Mapping[int, int]:
        """Say where to read each partition from. One that is left out is read from wherever and may be sought later."""

    def on_epoch(self, partition: int, epoch: int) -> None:
        """Learn that polls of `partition` count from this epoch on."""


class _Unread(dict[TP, int | None]):
    """Faust's table of read offsets, which forgets everything: no gap is seen and no poll is dropped."""

    def __getitem__(self, tp: TP) -> None:
        return None


@contextmanager
def _broker_errors() -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise UnreachableError(f"the broker did not answer ({error!r}); try again") from error


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to Kafka; the only place where seeks and fetches are in one order."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._epochs: dict[TopicPartition, int] = {}

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS  # noqa: SLF001 - Faust sets 1500 and has no setting for it
        return consumer

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, list[Any]]:
        """Fetch as Faust does, each partition's records packed into one Poll; what other partitions have comes along.

        `max_records` bounds a poll of one partition. One visit to this thread brings a poll of every partition that has
        something, since the visit costs as much as two hundred messages.
        """
        polls = self._pack(await super()._fetch_records(consumer, active_partitions, timeout, max_records))
        others = active_partitions - polls.keys()
        while polls and others:
            more = self._pack(await super()._fetch_records(consumer, others, 0, max_records))
            if not more:
                break
            polls |= more
            others -= more.keys()
        return polls

    def _pack(self, fetched: Mapping[TP, list[Record]]) -> dict[TP, list[Any]]:
        """Stamp what was just fetched. No await since: a seek, which runs in this thread too, comes before or after it."""
        highwater = self._ensure_consumer().highwater
        return {
            tp: [Poll(tp.partition, self._epochs.get(tp, 0), records, highwater(tp) or 0)]
            for tp, records in fetched.items()
            if records
        }

    async def seek_epoch(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Seek the partitions that are assigned, begin a new epoch for each, and return the epochs."""
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        begun = {}
        for tp, offset in offsets.items():
            if tp in assigned:
                consumer.seek(tp, offset)
                begun[tp] = self._epochs[tp] = self._epochs.get(tp, 0) + 1
        return begun

    async def bounds(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, LogBounds]:
        """Ask the broker for the first and the end offset of logs, with two requests in all.

        A broker answers one request of a connection after the other, also behind a fetch that waits for records.
        """
        consumer = self._ensure_consumer()
        first, end = await asyncio.gather(consumer.beginning_offsets(tps), consumer.end_offsets(tps))
        return {tp: LogBounds(first[tp], end[tp]) for tp in tps}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Tell the group how far we are. Lag tools read it and nobody else, so a failure ends nothing, as Faust's would."""
        consumer = self._ensure_consumer()
        given = {TopicPartition(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
        ours = {tp: offset for tp, offset in given.items() if tp in consumer.assignment()}
        if not ours:  # all went to other workers meanwhile; aiokafka takes an empty commit for a mistake
            return False
        try:
            await consumer.commit(ours)
        except (KafkaError, OSError, TimeoutError) as error:
            logger.warning("the group was not told how far this worker is: %r", error)
            return False
        return True

    async def committed(self, tp: TopicPartition) -> int | None:
        """Ask the broker for what the group committed."""
        committed: int | None = await self._ensure_consumer().committed(tp)
        return committed


class Consumer(driver.Consumer):
    """Faust's consumer with whole polls, and with seeks to the owner's offsets."""

    _thread: ConsumerThread

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._read_offset = _Unread()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def owner(self) -> Owner:
        """The one who states offsets; given to the transport before the app starts."""
        transport = self.transport
        assert isinstance(transport, Transport)
        return transport.owner

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        """Make the one message of a poll: value = the Poll, offset = that of its last record."""
        poll: Poll = record
        message = super()._to_message(tp, poll.records[-1])
        message.value = poll  # type: ignore[assignment]  # the raw codec hands on whatever is there
        return message

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every assigned partition to its owner's offset; Faust calls this after each rebalance."""
        assigned = {tp.partition: tp for tp in self.assignment()}
        offsets = await self.owner.on_assigned(assigned)
        sought = {assigned[partition]: offset for partition, offset in offsets.items()}
        await self._begin_epochs(sought)
        return sought

    async def seek_partition(self, topic: str, partition: int, offset: int) -> bool:
        """Read `partition` from `offset` on; False if it is not (or no longer) assigned to this worker."""
        return bool(await self._begin_epochs({TP(topic, partition): offset}))

    async def log_bounds(self, topic: str, partitions: Collection[int]) -> dict[int, LogBounds]:
        """Ask the broker for the first and the end offsets of logs. Raises UnreachableError."""
        logs = [TopicPartition(topic, partition) for partition in partitions]
        with _broker_errors():
            bounds: dict[TopicPartition, LogBounds] = await self._thread.call_thread(
                self._thread.bounds, logs
            )
        return {tp.partition: found for tp, found in bounds.items()}

    async def end_offsets(self) -> dict[int, int]:
        """Ask the broker for the end offset of each assigned partition. Raises UnreachableError."""
        assigned = self.assignment()
        if not assigned:
            return {}
        with _broker_errors():
            ends = await self.highwaters(*(TopicPartition(tp.topic, tp.partition) for tp in assigned))
        return {tp.partition: end for tp, end in ends.items()}

    async def group_offset(self, topic: str, partition: int) -> int:
        """Ask the broker for what the group committed, 0 if nothing: only to show some lag while the database is away."""
        with _broker_errors():
            committed: int | None = await self._thread.call_thread(
                self._thread.committed, TopicPartition(topic, partition)
            )
        return committed or 0

    async def _begin_epochs(self, offsets: Mapping[TP, int]) -> dict[TopicPartition, int]:
        sought = {TopicPartition(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
        begun: dict[TopicPartition, int] = await self._thread.call_thread(self._thread.seek_epoch, sought)
        for tp, epoch in begun.items():
            self.owner.on_epoch(tp.partition, epoch)
        return begun

    def _new_offset(self, tp: TP) -> int | None:
        """Return the group's offset after the acknowledged polls; one poll a partition is in hand, so they are in order."""
        acked = self._acked[tp]
        if not acked:
            return None
        last = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1


class Transport(driver.Transport):
    """Makes our consumer; `owner` has to be set before the app starts."""

    Consumer = Consumer
    owner: Owner


async def partitions_of(bootstrap: str, topic: str) -> int:
    """Ask the broker how many partitions `topic` has; 0 if there is no such topic. Raises UnreachableError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    with _broker_errors():
        try:
            await admin.start()
            return sum(len(found["partitions"]) for found in await admin.describe_topics([topic]))
        finally:
            await admin.close()
