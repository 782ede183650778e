"""The consumer's own rules, without a broker: whole polls, epochs, and offsets that only the owner states."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from processors.transport import Consumer, ConsumerThread, Poll, _Unread
from thecaflow.worker_app import NoRestart, TransportOptions, make_app

LOG = TopicPartition("t", 0)


class Broker:
    """What the thread asks of aiokafka's consumer."""

    def __init__(self) -> None:
        self.position = 0
        self.seeks: list[tuple[TopicPartition, int]] = []

    def assignment(self) -> set[TopicPartition]:
        return {LOG}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.seeks.append((tp, offset))
        self.position = offset

    def highwater(self, tp: TopicPartition) -> int:
        return 100


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def thread(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> ConsumerThread:
    """A thread object that was never started."""
    made = ConsumerThread.__new__(ConsumerThread)
    made._consumer = broker
    made._epochs = {}

    async def fetch(self: ConsumerThread, consumer: Broker, active: object, *limits: object) -> dict:
        first = consumer.position
        consumer.position += 3
        return {
            LOG: [SimpleNamespace(offset=first + n) for n in range(3)],
            TopicPartition("t", 1): [],
        }

    monkeypatch.setattr(ConsumerThread.__base__, "_fetch_records", fetch)
    return made


async def test_a_poll_is_one_message_a_partition(thread: ConsumerThread, broker: Broker):
    """All records of a partition travel together; a partition without records brings nothing."""
    fetched = await thread._fetch_records(broker, {LOG}, 1.0, 500)
    [(tp, [poll])] = fetched.items()
    assert tp == LOG
    assert [record.offset for record in poll.records] == [0, 1, 2]
    assert (poll.partition, poll.epoch, poll.end_offset) == (0, 0, 100)


async def test_each_seek_begins_an_epoch_that_later_polls_carry(thread: ConsumerThread, broker: Broker):
    """A poll fetched before a seek can be told from one fetched after it."""
    before = (await thread._fetch_records(broker, {LOG}))[LOG][0]
    assert await thread.seek_epoch({LOG: 50}) == {LOG: 1}
    after = (await thread._fetch_records(broker, {LOG}))[LOG][0]
    assert (before.epoch, after.epoch) == (0, 1)
    assert after.records[0].offset == 50


async def test_a_partition_that_is_not_assigned_is_not_sought(thread: ConsumerThread, broker: Broker):
    """It went to another worker meanwhile; aiokafka would raise."""
    assert await thread.seek_epoch({TopicPartition("t", 9): 50}) == {}
    assert broker.seeks == []


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
