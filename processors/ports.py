"""What the agent needs of others, and how a worker ends: the borders at which tests put doubles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol

from processors.transport import LogBounds, Record
from storage.types import Changes, EventKey, History, HistoryRequest, Known


class ExitCode(IntEnum):
    """How a worker ends. 3 to 5 and 7 need a person; after 6 and 70 a supervisor may restart it as it is."""

    DONE = 0
    LOG_LOST_RECORDS = 3
    DATABASE_AHEAD_OF_LOG = 4
    TOO_MUCH_QUARANTINED = 5
    STUCK = 6
    STALE_STATES = 7
    SURPRISE = 70


class MustStopError(Exception):
    """The worker has to stop: going on would lose something. Carries the exit code and the reason in one line."""

    def __init__(self, code: ExitCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Intake(Protocol):
    """Decoded records of one batch."""

    @property
    def keys(self) -> Sequence[EventKey]:
        """(pump, id) of each event, to be looked up."""


class PartitionFold(Protocol):
    """One partition's pumps; pure and synchronous, see processors.live. Everything but `accept` leaves it as it is."""

    def read(self, records: Sequence[Record]) -> Any:
        """Decode; records below the next offset are dropped."""

    def plan(self, intake: Any, known: Mapping[EventKey, Known]) -> Sequence[HistoryRequest]:
        """Say which pumps have to be folded again from a checkpoint."""

    def fold(self, intake: Any, histories: Mapping[str, History]) -> Changes:
        """Fold the batch; `histories` answer what `plan` asked for, by pump."""

    def accept(self, changes: Changes) -> None:
        """Take over what was committed."""


class Reader(Protocol):
    """The consumer, as the agent sees it."""

    async def seek_partition(self, topic: str, partition: int, offset: int) -> bool:
        """Read from `offset` on; False if the partition is not assigned."""

    async def log_bounds(self, topic: str, partitions: Collection[int]) -> Mapping[int, LogBounds]:
        """Return the first and the end offset of each log, as of now. Raises UnreachableError."""
