"""What happens to a poll: read, look up, fold, commit, acknowledge; and what happens when any of it fails.

The database transaction is the commit point; see processors.partition_heads for what a worker may believe in between.

What fails, and what is done:

* transient database errors: retried here, with a backoff, on a fresh connection, after loading progress anew;
* another worker owns the partition, or it was rebuilt: head dropped, no acknowledgement, read again;
* the log lost records, or the database is ahead of the log: the worker stops and says so, since going on hides a loss;
* too many records in quarantine: the worker stops before it acknowledges them, since that is a defect of ours;
* anything else: the process exits without acknowledging; the supervisor restarts it, and progress is in the database.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from contract.errors import SchemaVersionError, UnreachableError, UnusableInputError
from processors.health import Progress
from processors.metrics import Metric, Metrics
from processors.partition_heads import Head, Heads
from processors.ports import ExitCode, MustStopError
from processors.transport import Poll
from storage.store import Store
from storage.types import Changes

logger = logging.getLogger(__name__)

T = TypeVar("T")

AWAY: Final = (UnreachableError, SchemaVersionError, UnusableInputError)
"""What may pass by itself. The worker began with a database that was right: missing now, it is being restored."""
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MOST_S: Final = 5.0
LOST_PAUSE_S: Final = 0.5


class QuarantineLimit:
    """Judges the share of records in quarantine over the newest `window` records or more.

    A share of 1.0 or above never stops the worker.
    """

    def __init__(self, share: float = 0.5, window: int = 1000) -> None:
        self._share = share
        self._window = window
        self._records = 0
        self._quarantined = 0

    def exceeded_by(self, records: int, quarantined: int) -> bool:
        """Count one batch in, and say whether it takes the share above the limit."""
        self._records += records
        self._quarantined += quarantined
        over = self._records >= self._window and self._quarantined > self._share * self._records
        if self._records >= 2 * self._window:  # forget by halves: the newest count most, in constant memory
            self._records //= 2
            self._quarantined //= 2
        return over


class Agent:
    """Takes polls of all partitions of this worker, one at a time for each; also states where to read from.

    Parameters
    ----------
    executor
        Where decoding and folding run, so that heartbeats and commits go on meanwhile.
    on_stop
        Called with exit code and reason when the worker has to stop; returns at once.
    on_surprise
        Called with an exception that nobody foresaw; ends the process.
    """

    def __init__(
        self,
        *,
        heads: Heads,
        store: Store,
        executor: Executor,
        metrics: Metrics,
        progress: Progress,
        on_stop: Callable[[ExitCode, str], None],
        on_surprise: Callable[[BaseException], None],
        quarantine: QuarantineLimit | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._heads = heads
        self._store = store
        self._executor = executor
        self._metrics = metrics
        self._progress = progress
        self._on_stop = on_stop
        self._on_surprise = on_surprise
        self._quarantine = quarantine or QuarantineLimit()
        self._clock = clock
        self._sleep = sleep
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._draining = False
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def on_assigned(self, partitions: Collection[int]) -> Mapping[int, int]:
        """Load the heads of newly assigned partitions, drop those of others, and state every partition's offset.

        Called after each rebalance. A partition that cannot be loaded now is left out: its first poll loads it.
        """
        self._heads.assign(partitions)
        try:
            return await self._heads.at_assignment(partitions)
        except AWAY as away:
            logger.warning("heads not loaded at assignment, but with their first poll: %s", away)
        except MustStopError as must:
            self._stop(must)
        except Exception as surprise:  # noqa: BLE001 - whatever it is, nothing may be read on
            self._on_surprise(surprise)
        return {}

    def on_epoch(self, partition: int, epoch: int) -> None:
        """Take polls of this epoch on as those that follow the last seek."""
        self._heads.begin_epoch(partition, epoch)

    async def take(self, poll: Poll) -> bool:
        """Fold and commit one poll; True if it may be acknowledged. Raises nothing but CancelledError."""
        if self._draining:
            return False
        try:
            async with self._locks[poll.partition]:
                return await self._take(poll)
        except asyncio.CancelledError:
            # Taken away in the middle: whether the commit went through, only the database knows.
            self._heads.drop(poll.partition)
            raise
        except MustStopError as must:
            self._stop(must)
        except Exception as surprise:  # noqa: BLE001 - nothing leaves an agent
            self._on_surprise(surprise)
        return False

    async def revive(self) -> None:
        """Load heads that could not be loaded, or whose database was restored to another moment.

        Called now and then: a partition to which nothing comes would notice neither.
        """
        try:
            for partition in [*self._heads.missing(), *await self._heads.behind_or_ahead()]:
                if (
                    not self._draining and not self._locks[partition].locked()
                ):  # else its actor is about to do it
                    async with self._locks[partition]:
                        await self._heads.reload(partition)
        except AWAY as away:
            logger.warning("heads not looked after: %s", away)
        except MustStopError as must:
            self._stop(must)

    async def drain(self, timeout_s: float) -> bool:
        """Take no more polls and wait for those in hand; False if they did not end in time."""
        self._draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    @property
    def draining(self) -> bool:
        """Whether no more polls are taken."""
        return self._draining

    async def _take(self, poll: Poll) -> bool:
        pause_s = BACKOFF_FIRST_S
        while not self._draining:
            try:
                head = self._heads.get(poll.partition)
                if head is None:
                    await self._heads.reload(poll.partition)
                    return False  # sought: the poll in hand is void, its records come again
                return await self._take_with(head, poll)
            except AWAY as away:
                self._heads.drop(poll.partition)
                self._metrics.add(Metric.RETRIES, partition=str(poll.partition))
                if pause_s < BACKOFF_MOST_S:  # afterwards the lag and /healthz go on telling
                    logger.warning("partition %d: %s; in %.1f s", poll.partition, away, pause_s)
                await self._sleep(pause_s)
                pause_s = min(2 * pause_s, BACKOFF_MOST_S)
        return False

    async def _take_with(self, head: Head, poll: Poll) -> bool:
        if poll.epoch < head.epoch:
            return False
        first, last = poll.records[0].offset, poll.records[-1].offset
        if first > head.next_offset:
            await self._heads.judge_skip(poll.partition, head.next_offset, first)
            return False
        if last < head.next_offset:
            if poll.end_offset < head.next_offset:
                await self._heads.judge_shortened_log(poll.partition, head.next_offset)
            self._metrics.add(Metric.REPEATED, len(poll.records), partition=str(poll.partition))
            return True
        with self._busy(head):
            changes = await self._fold(head, poll)
            if await self._commit(changes, head.run_id):
                await self._in_thread(head.fold.accept, changes)
                head.next_offset = changes.next_offset
                self._report(poll, changes)
                return True
        logger.warning(
            "partition %d: another worker or a rebuild came first; reading it anew", poll.partition
        )
        self._heads.drop(poll.partition)
        await self._sleep(LOST_PAUSE_S)  # the group's coordinator is about to tell us the same
        await self._heads.reload(poll.partition)
        return False

    @contextmanager
    def _busy(self, head: Head) -> Iterator[None]:
        head.busy = True
        self._in_hand += 1
        self._idle.clear()
        try:
            yield
        finally:
            head.busy = False
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    async def _fold(self, head: Head, poll: Poll) -> Changes:
        fold = head.fold
        began = time.perf_counter()
        intake = await self._in_thread(fold.read, poll.records)
        self._metrics.observe(Metric.READ_SECONDS, time.perf_counter() - began)
        known = await self._store.known(intake.keys) if intake.keys else {}
        requests = await self._in_thread(fold.plan, intake, known)
        histories = {request.pump: await self._store.history(request) for request in requests}
        began = time.perf_counter()
        changes = await self._in_thread(fold.fold, intake, histories)
        self._metrics.observe(Metric.FOLD_SECONDS, time.perf_counter() - began)
        self._metrics.add(Metric.REWINDS, len(requests), partition=str(poll.partition))
        return changes

    async def _commit(self, changes: Changes, run_id: int) -> bool:
        records = changes.next_offset - changes.expected_offset
        if self._quarantine.exceeded_by(records, len(changes.quarantined)):
            newest = changes.quarantined[-1].reason if changes.quarantined else ""
            raise MustStopError(
                ExitCode.TOO_MUCH_QUARANTINED,
                f"partition {changes.partition}: {len(changes.quarantined)} of {records} records from offset "
                f"{changes.expected_offset} on cannot be used ({newest}). They are not acknowledged. Deploy a version "
                f"that reads them, or raise --quarantine-share to put them into quarantine",
            )
        began = time.perf_counter()
        committed = await self._store.commit(changes, run_id)
        self._metrics.observe(Metric.COMMIT_SECONDS, time.perf_counter() - began)
        return committed

    def _report(self, poll: Poll, changes: Changes) -> None:
        now, partition, metrics = self._clock(), str(poll.partition), self._metrics
        if self._progress.advanced(poll.partition, changes.next_offset):
            metrics.set(Metric.PROGRESS_AT, now, partition=partition)
            metrics.set(Metric.LAG, max(0, poll.end_offset - changes.next_offset), partition=partition)
        metrics.add(Metric.BATCHES, partition=partition)
        metrics.add(Metric.FRAMES, len(changes.events), partition=partition)
        samples = sum(len(event.rows_us) for event in changes.events if event.rows_us is not None)
        metrics.add(Metric.SAMPLES, samples, partition=partition)
        metrics.add(Metric.QUARANTINED, len(changes.quarantined), partition=partition)
        metrics.add(Metric.CORRECTIONS, len(changes.superseded), partition=partition)
        for event in changes.events:
            if event.received_us is not None:
                metrics.observe(Metric.END_TO_END_SECONDS, max(0.0, now - event.received_us / 1e6))

    def _stop(self, must: MustStopError) -> None:
        self._draining = True
        self._on_stop(must.code, str(must))

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
