"""What the agent does with a poll, and with everything that can go wrong around it; store and consumer are doubles."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from contract.errors import StaleStateError, UnreachableError
from processors.agent import Agent, QuarantineLimit
from processors.health import Progress
from processors.metrics import Metrics
from processors.partition_heads import Heads
from processors.ports import ExitCode
from processors.transport import LogBounds, Poll
from tests.counting import POISON, CountingFold, MemoryStore


def records(first: int, count: int, content: Callable[[int], bytes] = lambda n: f"e{n}".encode()) -> Sequence:
    return [
        SimpleNamespace(offset=n, key=b"pump-1", value=content(n), timestamp=1_700_000_000_000 + n)
        for n in range(first, first + count)
    ]


class Consumer:
    """The Reader: one partition's log with bounds, and what was sought."""

    def __init__(self) -> None:
        self.bounds = LogBounds(0, 1000)
        self.sought: list[int] = []
        self.epoch = 1
        self.assigned = True
        self.agent: Agent | None = None

    async def seek_partition(self, topic: str, partition: int, offset: int) -> bool:
        self.sought.append(offset)
        if self.assigned:
            self.epoch += 1
            self.agent.on_epoch(partition, self.epoch)
        return self.assigned

    async def log_bounds(self, topic: str, partitions: Collection[int]) -> dict[int, LogBounds]:
        return dict.fromkeys(partitions, self.bounds)

    def poll(self, first: int, count: int, **options: Callable[[int], bytes]) -> Poll:
        return Poll(0, self.epoch, records(first, count, **options), self.bounds.end)


class Bench:
    """An agent of partition 0 with its doubles."""

    def __init__(self, executor: ThreadPoolExecutor, **options: object) -> None:
        self.store = MemoryStore()
        self.consumer = Consumer()
        self.metrics = Metrics()
        self.stops: list[tuple[ExitCode, str]] = []
        self.surprises: list[BaseException] = []
        self.pauses: list[float] = []
        self.folds: list[CountingFold] = []
        progress = Progress()
        self.heads = Heads(
            topic="t",
            store=self.store,
            make_fold=self.make_fold,
            executor=executor,
            metrics=self.metrics,
            progress=progress,
        )
        self.agent = Agent(
            heads=self.heads,
            store=self.store,
            executor=executor,
            metrics=self.metrics,
            progress=progress,
            on_stop=lambda code, reason: self.stops.append((code, reason)),
            on_surprise=self.surprises.append,
            clock=lambda: 1_700_000_002.0,
            sleep=self.sleep,
            **options,
        )
        self.consumer.agent = self.agent
        self.heads.attach(self.consumer)

    def make_fold(self, partition: int, blobs: dict[str, bytes], next_offset: int) -> CountingFold:
        self.folds.append(CountingFold(partition, blobs, next_offset))
        return self.folds[-1]

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def assign(self) -> dict[int, int]:
        """What the consumer does after a rebalance."""
        offsets = await self.agent.on_assigned([0])
        for partition in offsets:
            self.consumer.epoch += 1
            self.agent.on_epoch(partition, self.consumer.epoch)
        return dict(offsets)

    def metric(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(name, {"partition": "0"}) or 0.0

    @property
    def stored(self) -> list[str]:
        return [event.id for event in self.store.events]


@pytest.fixture
def executor():
    with ThreadPoolExecutor(1) as one:
        yield one


@pytest.fixture
def bench(executor: ThreadPoolExecutor) -> Bench:
    return Bench(executor)


def ids(first: int, count: int) -> list[str]:
    return [f"e{n}" for n in range(first, first + count)]


async def test_polls_are_committed_in_order_and_acknowledged(bench: Bench):
    """The plain path: two polls, all stored, the next offset moved, the counters right."""
    assert await bench.assign() == {0: 0}
    assert await bench.agent.take(bench.consumer.poll(0, 10))
    assert await bench.agent.take(bench.consumer.poll(10, 5))
    assert bench.stored == ids(0, 15)
    assert bench.store.next_offsets == {0: 15}
    assert bench.metric("thecaflow_frames_total") == 15
    assert bench.metric("thecaflow_batches_total") == 2
    assert bench.metric("thecaflow_lag_records") == 985
    histogram = bench.metrics.registry.get_sample_value("thecaflow_end_to_end_seconds_count")
    assert histogram == 15


async def test_records_below_the_database_offset_are_dropped(bench: Bench):
    """A delivery that repeats what is committed stores only the rest, and one that is wholly old only acknowledges."""
    await bench.assign()
    await bench.agent.take(bench.consumer.poll(0, 10))
    assert await bench.agent.take(bench.consumer.poll(5, 10))
    assert await bench.agent.take(bench.consumer.poll(2, 4))
    assert bench.stored == ids(0, 15)
    assert bench.metric("thecaflow_repeated_total") == 4


async def test_a_stale_worker_commits_nothing_and_reads_anew(bench: Bench):
    """When another worker moved the offset, the commit is refused: no acknowledgement, states loaded, sought there."""
    await bench.assign()
    poll = bench.consumer.poll(0, 10)
    bench.store.next_offsets[0] = 7
    assert not await bench.agent.take(poll)
    assert bench.stored == []
    assert bench.consumer.sought == [7]
    assert bench.folds[-1].next_offset == 7
    assert not await bench.agent.take(Poll(0, poll.epoch, records(10, 5), 1000)), (
        "fetched before the seek: void"
    )
    assert await bench.agent.take(bench.consumer.poll(7, 3))
    assert bench.stored == ids(7, 3)


async def test_transient_errors_are_retried_with_growing_pauses(bench: Bench):
    """Three broken connections: the poll is not lost and not acknowledged, states are loaded anew, then it goes on."""
    await bench.assign()
    bench.store.failures = [UnreachableError("gone")] * 3
    assert not await bench.agent.take(bench.consumer.poll(0, 10))
    assert bench.pauses == [0.1, 0.2, 0.4]
    assert bench.consumer.sought == [0]
    assert await bench.agent.take(bench.consumer.poll(0, 10))
    assert bench.stored == ids(0, 10)
    assert bench.metric("thecaflow_database_retries_total") == 3
    assert not bench.surprises


async def test_a_connection_lost_after_the_commit_does_not_count_twice(bench: Bench):
    """Nobody told us that it committed: progress is read first, so nothing is stored or counted a second time."""
    await bench.assign()
    bench.store.failures_after_commit = [UnreachableError("gone")]
    assert not await bench.agent.take(bench.consumer.poll(0, 10))
    assert bench.consumer.sought == [10]
    assert await bench.agent.take(bench.consumer.poll(10, 1))
    assert bench.stored == ids(0, 11)
    assert bench.folds[-1].counts == {"pump-1": 11}


async def test_a_database_restored_to_an_older_moment_is_followed_back(bench: Bench):
    """An offset that went back refuses the commit; reading goes on from the old offset and everything is stored again."""
    await bench.assign()
    await bench.agent.take(bench.consumer.poll(0, 10))
    bench.store.next_offsets[0], bench.store.states[0], bench.store.events = 4, {}, bench.store.events[:4]
    assert not await bench.agent.take(bench.consumer.poll(10, 5))
    assert bench.consumer.sought == [4]
    assert await bench.agent.take(bench.consumer.poll(4, 11))
    assert bench.stored == ids(0, 15)


async def test_a_log_cut_above_the_database_stops_the_worker(bench: Bench):
    """At assignment: the log begins above what the database has, so records are gone for good."""
    bench.store.next_offsets[0] = 50
    bench.consumer.bounds = LogBounds(80, 1000)
    assert await bench.assign() == {}
    [(code, reason)] = bench.stops
    assert code is ExitCode.LOG_LOST_RECORDS
    assert "wants offset 50, the log goes on at 80, so 30 records" in reason
    assert not await bench.agent.take(bench.consumer.poll(80, 5))
    assert bench.stored == []


async def test_a_hole_in_the_middle_stops_the_worker_when_it_stays(bench: Bench):
    """A poll that skips records is read again once; if they are skipped again, the log lost them."""
    await bench.assign()
    await bench.agent.take(bench.consumer.poll(0, 10))
    assert not await bench.agent.take(bench.consumer.poll(20, 5))
    assert bench.stops == []
    assert bench.consumer.sought == [10]
    assert not await bench.agent.take(bench.consumer.poll(20, 5))
    assert [code for code, _ in bench.stops] == [ExitCode.LOG_LOST_RECORDS]
    assert bench.stored == ids(0, 10)


async def test_a_database_ahead_of_the_log_stops_the_worker(bench: Bench):
    """The log ends below the database's offset: new records would be taken for old ones and vanish."""
    bench.store.next_offsets[0] = 50
    bench.consumer.bounds = LogBounds(0, 20)
    assert await bench.assign() == {}
    [(code, reason)] = bench.stops
    assert code is ExitCode.DATABASE_AHEAD_OF_LOG
    assert "up to offset 50, but the log ends at 20" in reason


async def test_a_topic_made_anew_under_a_running_worker_stops_it(bench: Bench):
    """Polls that lie wholly below our offset, from a log that ends below it too, are not repeated ones but lost ones."""
    await bench.assign()
    await bench.agent.take(bench.consumer.poll(0, 100))
    bench.consumer.bounds = LogBounds(0, 3)
    assert not await bench.agent.take(bench.consumer.poll(0, 3))
    assert [code for code, _ in bench.stops] == [ExitCode.DATABASE_AHEAD_OF_LOG]


async def test_poison_is_quarantined_and_acknowledged(bench: Bench):
    """One record that cannot be used does not hold up the others."""
    await bench.assign()
    assert await bench.agent.take(
        bench.consumer.poll(0, 10, content=lambda n: POISON if n == 3 else b"e%d" % n)
    )
    assert [row.offset for row in bench.store.quarantined] == [3]
    assert len(bench.stored) == 9
    assert bench.metric("thecaflow_quarantined_total") == 1


async def test_too_much_poison_stops_the_worker_before_the_acknowledgement(executor: ThreadPoolExecutor):
    """A share above the limit is a defect of ours: stop, keep the records in the log, name the reason."""
    bench = Bench(executor, quarantine=QuarantineLimit(share=0.5, window=100))
    await bench.assign()
    assert not await bench.agent.take(bench.consumer.poll(0, 200, content=lambda n: POISON))
    [(code, reason)] = bench.stops
    assert code is ExitCode.TOO_MUCH_QUARANTINED
    assert "200 of 200 records from offset 0 on cannot be used (poison)" in reason
    assert bench.store.quarantined == []
    assert bench.store.next_offsets == {}


def test_the_quarantine_limit_looks_at_a_window_and_can_be_switched_off():
    """Few records never stop a worker, old good ones are forgotten, and a share of 1 allows everything."""
    limit = QuarantineLimit(share=0.5, window=100)
    assert not limit.exceeded_by(99, 99)
    assert limit.exceeded_by(1, 1)
    limit = QuarantineLimit(share=0.5, window=100)
    assert not any(limit.exceeded_by(100, 0) for _ in range(1000))
    assert any(limit.exceeded_by(100, 100) for _ in range(5))
    limit = QuarantineLimit(share=1.0, window=100)
    assert not any(limit.exceeded_by(100, 100) for _ in range(100))


async def test_a_surprise_is_handed_on_and_nothing_is_acknowledged(bench: Bench):
    """An exception nobody foresaw does not leave the agent, since Faust would lose the batch."""
    await bench.assign()
    bench.store.failures = [ZeroDivisionError("bug")]
    assert not await bench.agent.take(bench.consumer.poll(0, 10))
    assert [type(surprise) for surprise in bench.surprises] == [ZeroDivisionError]
    assert bench.stored == []


async def test_a_cancelled_batch_leaves_no_head_behind(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """A partition taken away in the middle of a commit: what is in memory is in doubt, so it is loaded anew."""
    await bench.assign()
    reached = asyncio.Event()

    async def hang(changes: object, run_id: int) -> bool:
        reached.set()
        await asyncio.sleep(60)
        return True

    monkeypatch.setattr(bench.store, "commit", hang)
    taking = asyncio.create_task(bench.agent.take(bench.consumer.poll(0, 10)))
    await reached.wait()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert bench.heads.missing() == [0]
    assert await bench.agent.drain(0.1), "a cancelled batch is not in hand any more"


async def test_a_rebalance_keeps_a_head_that_still_stands_and_replaces_one_that_does_not(bench: Bench):
    """States are not read again without need, and never kept where the database moved without us."""
    await bench.assign()
    await bench.agent.take(bench.consumer.poll(0, 10))
    assert await bench.assign() == {0: 10}
    assert len(bench.folds) == 1
    bench.store.next_offsets[0] = 25
    assert await bench.assign() == {0: 25}
    assert len(bench.folds) == 2


async def test_a_database_that_is_away_at_assignment_is_asked_again_by_the_first_poll(bench: Bench):
    """The rebalance is not held up; the head is loaded with the first poll, whose records are then read again."""
    bench.store.failures = [UnreachableError("away")]
    assert await bench.assign() == {}
    assert bench.heads.missing() == [0]
    assert not await bench.agent.take(bench.consumer.poll(0, 10))
    assert bench.consumer.sought == [0]
    assert await bench.agent.take(bench.consumer.poll(0, 10))


async def test_an_idle_partition_is_loaded_when_the_database_is_back(bench: Bench):
    """Without a poll nobody would load it, and it would look stuck for ever."""
    bench.store.failures = [UnreachableError("away"), UnreachableError("away")]
    await bench.assign()
    await bench.agent.revive()
    assert bench.heads.missing() == [0]
    await bench.agent.revive()
    assert bench.heads.missing() == []


async def test_a_database_restored_while_nothing_comes_is_noticed(bench: Bench):
    """No commit would fail, since there is none: the watch compares, and reading goes on from the older offset."""
    await bench.assign()
    await bench.agent.take(bench.consumer.poll(0, 10))
    await bench.agent.revive()
    assert bench.consumer.sought == []
    bench.store.next_offsets[0] = 4
    await bench.agent.revive()
    assert bench.consumer.sought == [4]
    assert await bench.agent.take(bench.consumer.poll(4, 2))


async def test_a_partition_lost_while_it_was_loaded_keeps_no_head(bench: Bench):
    """The consumer says at the seek that the partition went to somebody else."""
    await bench.assign()
    bench.store.next_offsets[0] = 5
    bench.consumer.assigned = False
    assert not await bench.agent.take(bench.consumer.poll(0, 10))
    assert bench.heads.get(0) is None


async def test_draining_waits_for_the_batch_in_hand_and_takes_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    """At SIGTERM the batch in hand is committed and acknowledged; the next poll is left to others."""
    await bench.assign()
    reached, go_on = asyncio.Event(), asyncio.Event()
    commit = bench.store.commit

    async def slow(changes: object, run_id: int) -> bool:
        reached.set()
        await go_on.wait()
        return await commit(changes, run_id)

    monkeypatch.setattr(bench.store, "commit", slow)
    taking = asyncio.create_task(bench.agent.take(bench.consumer.poll(0, 10)))
    await reached.wait()
    assert not await bench.agent.drain(0.01), "it does not end while the commit hangs"
    go_on.set()
    assert await bench.agent.drain(5)
    assert await taking
    assert not await bench.agent.take(bench.consumer.poll(10, 5))
    assert bench.stored == ids(0, 10)


async def test_states_of_other_rules_stop_the_worker_with_the_way_out(bench: Bench):
    """Not a surprise with a stack trace, at an assignment or later: an exit code of its own, and the command to run."""

    def refuse(*_: object) -> CountingFold:
        raise StaleStateError(str(StaleStateError.__doc__))

    bench.heads._make_fold = refuse
    assert await bench.assign() == {}
    assert not await bench.agent.take(bench.consumer.poll(0, 3))
    assert bench.surprises == []
    assert {code for code, _ in bench.stops} == {ExitCode.STALE_STATES}
    assert "t partition 0" in bench.stops[0][1]
    assert "thecaflow rebuild" in bench.stops[0][1]


async def test_a_rebuild_meanwhile_voids_what_is_in_memory(bench: Bench):
    """A head of an earlier run commits nothing, although the offset fits; the states of the new run are loaded instead."""
    await bench.assign()
    assert await bench.agent.take(bench.consumer.poll(0, 3))
    bench.store.run_id = 2
    assert not await bench.agent.take(bench.consumer.poll(3, 3))
    assert bench.stored == ids(0, 3)
    assert len(bench.folds) == 2
    assert await bench.agent.take(bench.consumer.poll(3, 3))
    assert bench.stored == ids(0, 6)
