"""What the agent needs of others, and how a worker ends: the borders at which tests put doubles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol

from processors.transport import LogBounds, Record
from storage.types import Changes, EventKey, History, HistoryRequest, Known


class ExitCode(IntEnum):
    """How a worker ends. 3 to 5 need a person; after 6 and 70 a supervisor may restart it as it is."""

    DONE = 0
    LOG_LOST_RECORDS = 3
    DATABASE_AHEAD_OF_LOG = 4
    TOO_MUCH_QUARANTINED = 5
    STUCK = 6
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


class Store(Protocol):
    """The database, as the agent sees it. Every method raises UnreachableError for what may pass by itself."""

    async def load(self, partition: int) -> tuple[dict[str, bytes], int]:
        """Return states by pump and the next offset, as of one moment."""

    async def next_offset(self, partition: int) -> int:
        """Return the next offset."""

    async def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, Known]:
        """Return what is stored of these events."""

    async def history(self, request: HistoryRequest) -> History:
        """Return a pump from a checkpoint on."""

    async def commit(self, changes: Changes) -> bool:
        """Write everything in one transaction; False if the partition is not ours any more."""


class Reader(Protocol):
    """The consumer, as the agent sees it."""

    async def seek_partition(self, topic: str, partition: int, offset: int) -> bool:
        """Read from `offset` on; False if the partition is not assigned."""

    async def log_bounds(self, topic: str, partitions: Collection[int]) -> Mapping[int, LogBounds]:
        """Return the first and the end offset of each log, as of now. Raises UnreachableError."""
