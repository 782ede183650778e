"""One partition's pumps in memory (a `Head`), and the rule that ties them to an offset of the database.

A head is worth something only while the database's offset is where the head thinks it is: each commit compares and sets
that offset. Whenever this is in doubt the head is thrown away and loaded again, and the partition is sought to the
database's offset. Nothing is ever repaired in place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from contract.errors import StaleStateError
from processors.health import Progress
from processors.metrics import Metric, Metrics
from processors.ports import ExitCode, MustStopError, PartitionFold, Reader
from processors.transport import LogBounds
from storage.store import Store
from storage.types import Loaded

logger = logging.getLogger(__name__)

NOT_SOUGHT: Final = 2**62
"""Epoch of a head that the consumer was not sought for yet: every poll in hand is older."""
SKIPS_TOLERATED: Final = 1


@dataclass(slots=True)
class Head:
    """One partition's pumps in memory, the database's offset and run that they stand for, and the epoch of their polls."""

    fold: PartitionFold
    next_offset: int
    run_id: int
    epoch: int = NOT_SOUGHT
    busy: bool = False


class Heads:
    """The heads of the partitions that this worker holds.

    Every method that reads the database raises UnreachableError; every one that compares offsets raises MustStopError.

    Parameters
    ----------
    make_fold
        Called in a thread with partition, state blobs by pump, next offset.
    """

    def __init__(
        self,
        *,
        topic: str,
        store: Store,
        make_fold: Callable[[int, dict[str, bytes], int], PartitionFold],
        executor: Executor,
        metrics: Metrics,
        progress: Progress,
    ) -> None:
        self._topic = topic
        self._store = store
        self._make_fold = make_fold
        self._executor = executor
        self._metrics = metrics
        self._progress = progress
        self._reader: Reader | None = None
        self._heads: dict[int, Head] = {}
        self._skips: dict[int, tuple[int, int]] = {}
        self._assigned: frozenset[int] = frozenset()

    def attach(self, reader: Reader) -> None:
        """Learn the consumer; before the first assignment."""
        self._reader = reader

    def get(self, partition: int) -> Head | None:
        """Return the partition's head, if there is one."""
        return self._heads.get(partition)

    def drop(self, partition: int) -> None:
        """Throw a head away that is in doubt."""
        self._heads.pop(partition, None)

    def missing(self) -> list[int]:
        """Return the assigned partitions that have no head."""
        return sorted(self._assigned - set(self._heads))

    async def behind_or_ahead(self) -> list[int]:
        """Return partitions where the database stands elsewhere than the head: it was restored while nothing came."""
        idle = [(partition, head) for partition, head in self._heads.items() if not head.busy]
        elsewhere = []
        for partition, head in idle:
            expected = head.next_offset
            stands_at = await self._store.next_offset(partition)
            if stands_at != expected and head.next_offset == expected and not head.busy:
                elsewhere.append(partition)
        return elsewhere

    def assign(self, partitions: Collection[int]) -> None:
        """Hold exactly these partitions; the heads of others are dropped."""
        for gone in self._assigned - set(partitions):
            self._heads.pop(gone, None)
            self._metrics.forget_partition(gone)
        self._assigned = frozenset(partitions)
        self._progress.hold(partitions)
        self._metrics.set(Metric.PARTITIONS, len(partitions))

    async def at_assignment(self, partitions: Collection[int]) -> dict[int, int]:
        """Have a head for each partition after a rebalance, and return the offsets that they stand for.

        An old head stays where the database still stands there; one in the middle of its commit is judged by that commit.
        """
        kept, wanted = {}, []
        for partition in sorted(partitions):
            head = self._heads.get(partition)
            if head is not None and (
                head.busy or await self._store.next_offset(partition) == head.next_offset
            ):
                kept[partition] = head.next_offset
            else:
                wanted.append(partition)
        loaded = await self._load(wanted)
        return kept | {partition: head.next_offset for partition, head in loaded.items()}

    def begin_epoch(self, partition: int, epoch: int) -> None:
        """Take the polls of this epoch on as those that follow the last seek."""
        head = self._heads.get(partition)
        if head is not None:
            head.epoch = epoch

    async def reload(self, partition: int) -> None:
        """Load the head and read from its offset; nothing is kept if the partition is not assigned any more."""
        assert self._reader is not None
        head = (await self._load([partition]))[partition]
        self._metrics.add(Metric.REREADS, partition=str(partition))
        if not await self._reader.seek_partition(self._topic, partition, head.next_offset):
            self._heads.pop(partition, None)

    async def judge_skip(self, partition: int, next_offset: int, first: int) -> None:
        """Read again what a poll left out; stop if the log does not have it, or leaves it out again."""
        bounds = (await self._log_bounds([partition]))[partition]
        at, times = self._skips.get(partition, (next_offset, 0))
        times = times + 1 if at == next_offset else 1
        self._skips[partition] = (next_offset, times)
        if next_offset < bounds.first or times > SKIPS_TOLERATED:
            self._refuse_lost(partition, next_offset, max(first, bounds.first))
        logger.warning(
            "partition %d: expected offset %d, got %d; reading it anew", partition, next_offset, first
        )
        await self.reload(partition)

    async def judge_shortened_log(self, partition: int, next_offset: int) -> None:
        """Stop if the broker confirms that the log ends below the database's offset."""
        self._refuse_database_ahead(
            partition, next_offset, (await self._log_bounds([partition]))[partition].end
        )

    async def _load(self, partitions: Collection[int]) -> dict[int, Head]:
        for partition in partitions:
            self._heads.pop(partition, None)
        stored = {partition: await self._store.load(partition) for partition in partitions}
        bounds = await self._log_bounds(
            partitions
        )  # after the database: what that has seen is in the log by now
        return {
            partition: await self._begin(partition, loaded, bounds[partition])
            for partition, loaded in stored.items()
        }

    async def _begin(self, partition: int, loaded: Loaded, bounds: LogBounds) -> Head:
        next_offset = loaded.next_offset
        if next_offset < bounds.first:
            self._refuse_lost(partition, next_offset, bounds.first)
        self._refuse_database_ahead(partition, next_offset, bounds.end)
        fold = await self._make(partition, loaded.blobs, next_offset)
        head = Head(fold, next_offset, loaded.run_id)
        self._heads[partition] = head
        if self._progress.loaded(partition, next_offset):
            self._metrics.set(Metric.LAG, bounds.end - next_offset, partition=str(partition))
        return head

    async def _make(self, partition: int, blobs: dict[str, bytes], next_offset: int) -> PartitionFold:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, self._make_fold, partition, blobs, next_offset)
        except StaleStateError as stale:
            reason = f"{self._topic} partition {partition}: {stale}"
            raise MustStopError(ExitCode.STALE_STATES, reason) from stale

    async def _log_bounds(self, partitions: Collection[int]) -> Mapping[int, LogBounds]:
        assert self._reader is not None
        return await self._reader.log_bounds(self._topic, partitions) if partitions else {}

    def _refuse_lost(self, partition: int, next_offset: int, first: int) -> None:
        raise MustStopError(
            ExitCode.LOG_LOST_RECORDS,
            f"{self._topic} partition {partition} lost records: the database wants offset {next_offset}, the log goes on "
            f"at {first}, so {first - next_offset} records were never folded. Restore the topic, or send them again from "
            f"their source; to go on without them, set next_offset of this partition in table progress to {first}",
        )

    def _refuse_database_ahead(self, partition: int, next_offset: int, end: int) -> None:
        if next_offset > end:
            raise MustStopError(
                ExitCode.DATABASE_AHEAD_OF_LOG,
                f"the database has {self._topic} partition {partition} up to offset {next_offset}, but the log ends at "
                f"{end}: it was made anew or restored to an older moment, and new records would be taken for old ones. "
                f"Restore the topic, or set next_offset of this partition in table progress to {end}",
            )
