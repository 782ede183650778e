"""The consumer's own rules, without a broker: whole polls, epochs, and offsets that only the owner states."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError
from faust.types import TP

from processors.transport import Consumer, ConsumerThread, Poll, _Unread
from thecaflow.worker_app import NoRestart, TransportOptions, make_app

LOG, OTHER, EMPTY = (TopicPartition("t", number) for number in range(3))


class Broker:
    """What the thread asks of aiokafka's consumer: a log of ten records and one of four, the third is empty."""

    def __init__(self) -> None:
        self.positions = {LOG: 0, OTHER: 0, EMPTY: 0}
        self.ends = {LOG: 10, OTHER: 4, EMPTY: 0}
        self.visits = 0

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    def highwater(self, tp: TopicPartition) -> int:
        return self.ends[tp]

    def fetch(self, active: set[TopicPartition], most: int) -> dict[TopicPartition, list]:
        """As aiokafka does: one partition after the other until `most` records are together."""
        self.visits += 1
        fetched = {}
        for tp in sorted(active):
            first = self.positions[tp]
            last = min(self.ends[tp], first + most)
            if last > first and most:
                fetched[tp] = [SimpleNamespace(offset=offset) for offset in range(first, last)]
                self.positions[tp], most = last, most - (last - first)
        return fetched


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def thread(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> ConsumerThread:
    """A thread object that was never started."""
    made = ConsumerThread.__new__(ConsumerThread)
    made._consumer = broker
    made._epochs = {}

    async def fetch(
        self: ConsumerThread, consumer: Broker, active: set[TopicPartition], wait_s: float, most: int
    ) -> dict:
        return consumer.fetch(active, most)

    monkeypatch.setattr(ConsumerThread.__base__, "_fetch_records", fetch)
    return made


async def poll_once(
    thread: ConsumerThread, broker: Broker, most: int = 500
) -> dict[TopicPartition, list[Poll]]:
    return await thread._fetch_records(broker, {LOG, OTHER, EMPTY}, 1.0, most)


async def test_a_poll_is_one_message_a_partition(thread: ConsumerThread, broker: Broker):
    """All records of a partition travel together; a partition without records brings nothing."""
    fetched = await poll_once(thread, broker)
    assert {tp: len(polls) for tp, polls in fetched.items()} == {LOG: 1, OTHER: 1}
    [poll] = fetched[LOG]
    assert [record.offset for record in poll.records] == list(range(10))
    assert (poll.partition, poll.epoch, poll.end_offset) == (0, 0, 10)


async def test_the_bound_of_records_is_each_partitions_and_one_visit_brings_all(
    thread: ConsumerThread, broker: Broker
):
    """A full partition does not keep the others waiting for the next visit, and no poll grows beyond the bound."""
    fetched = await poll_once(thread, broker, most=4)
    assert {tp: [r.offset for r in poll.records] for tp, [poll] in fetched.items()} == {
        LOG: [0, 1, 2, 3],
        OTHER: [0, 1, 2, 3],
    }
    assert {
        tp: [r.offset for r in poll.records] for tp, [poll] in (await poll_once(thread, broker, 4)).items()
    } == {LOG: [4, 5, 6, 7]}
    assert len((await poll_once(thread, broker, 4))[LOG][0].records) == 2
    before = broker.visits
    assert await poll_once(thread, broker, 4) == {}
    assert broker.visits == before + 1, "nothing there: asked once, not once a partition"


async def test_each_seek_begins_an_epoch_that_later_polls_carry(thread: ConsumerThread, broker: Broker):
    """A poll fetched before a seek can be told from one fetched after it."""
    before = (await poll_once(thread, broker, 3))[LOG][0]
    assert await thread.seek_epoch({LOG: 5}) == {LOG: 1}
    after = (await poll_once(thread, broker, 3))[LOG][0]
    assert (before.epoch, after.epoch) == (0, 1)
    assert after.records[0].offset == 5


async def test_a_partition_that_is_not_assigned_is_not_sought(thread: ConsumerThread, broker: Broker):
    """It went to another worker meanwhile; aiokafka would raise."""
    assert await thread.seek_epoch({TopicPartition("t", 9): 50}) == {}
    assert broker.positions == {LOG: 0, OTHER: 0, EMPTY: 0}


async def test_a_group_that_cannot_be_told_ends_nothing(thread: ConsumerThread, broker: Broker):
    """Its offsets serve lag tools; Faust would end the worker. Partitions that went away are left out."""
    told = []

    async def commit(offsets: dict[TopicPartition, int]) -> None:
        if not offsets:
            raise ValueError(offsets)  # as aiokafka does
        told.append(offsets)
        if len(told) > 1:
            raise CommitFailedError("rebalanced")

    broker.commit = commit
    assert await thread._commit({TP("t", 0): 5, TP("t", 9): 7})
    assert not await thread._commit({TP("t", 9): 7})
    assert told == [{LOG: 5}]
    assert not await thread._commit({TP("t", 0): 6})


def test_faust_sees_no_gap_and_no_repetition_between_polls():
    """Whatever Faust notes down as read, it finds nothing, so that a step back is not dropped as a repetition."""
    read = _Unread()
    read[TP("t", 0)] = 17
    read.update({TP("t", 0): 18})
    assert read[TP("t", 0)] is None


def test_the_group_offset_follows_the_newest_acknowledged_poll():
    """Faust's own rule waits for the offsets between two polls, which nobody acknowledges, and freezes."""
    consumer = Consumer.__new__(Consumer)
    tp = TP("t", 0)
    consumer._acked, consumer._acked_index = {tp: [499, 999]}, {tp: {499, 999}}
    assert consumer._new_offset(tp) == 1000
    assert consumer._new_offset(tp) is None
    assert consumer._acked_index == {tp: set()}


def test_a_message_carries_its_poll_and_the_last_offset():
    """The agent gets the poll as it is; the acknowledgement is for its last record."""
    consumer = Consumer.__new__(Consumer)
    consumer.transport = SimpleNamespace()
    consumer.app = SimpleNamespace(consumer_generation_id=4)
    record = SimpleNamespace(
        topic="t",
        partition=0,
        offset=41,
        timestamp=1000,
        timestamp_type=0,
        headers=(),
        key=b"k",
        value=b"v",
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=1,
    )
    poll = Poll(0, 1, [record], 100)
    message = consumer._to_message(TP("t", 0), poll)
    assert message.value is poll
    assert message.offset == 41


async def test_the_app_takes_nothing_of_faust_that_is_not_wanted(tmp_path: Path):
    """No topic is declared, no table page, no leader, no wait at a rebalance, standard output left alone."""
    app = make_app(
        bootstrap="one:1,two:2",
        group="g",
        client="c",
        folder=tmp_path / "faust",
        owner=SimpleNamespace(),
        options=TransportOptions(max_poll_records=7),
    )
    conf = app.conf
    assert [(url.host, url.port) for url in conf.broker] == [("one", 1), ("two", 2)]
    assert (conf.id, conf.broker_client_id, conf.broker_max_poll_records) == ("g", "c", 7)
    assert not conf.topic_allow_declare
    assert not conf.web_enabled
    assert conf.topic_disable_leader
    assert not conf.stream_wait_empty
    assert isinstance(app.consumer, Consumer)
    await asyncio.sleep(0)


async def test_an_actor_whose_partition_went_away_is_not_started_again():
    """Faust takes the cancelled actor for a crashed one, and would end the process after a hundred restarts."""
    starts = []
    gone, stopped, well = (
        SimpleNamespace(crashed=True, should_stop=False, started=True, supervisor=None),
        SimpleNamespace(crashed=False, should_stop=True, started=True, supervisor=None),
        SimpleNamespace(crashed=False, should_stop=False, started=True, supervisor=None),
    )

    class Actor(SimpleNamespace):
        __hash__ = object.__hash__

    async def replace(service: object, index: int) -> object:
        starts.append(service)
        return service

    supervisor = NoRestart(max_restarts=1.0, over=1.0, replacement=replace)
    actors = [Actor(**vars(kind)) for kind in (gone, stopped, well)]
    supervisor.add(*actors)
    ended = [actor for actor in actors if not supervisor.service_operational(actor)]
    assert ended == actors[:2]
    await supervisor.restart_services(ended)
    assert starts == []
    assert supervisor._services == actors[2:]
