"""What became of every frame, and the curves of the run: a byte a frame, and an entry for each interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from ingest.durations import Durations
from thecaflow.load.open_loop import Due
from thecaflow.load.plan import LATE_S, LoadPlan

MAX_REASONS: Final = 20


class Fate(IntEnum):
    """What is known of a frame. Those `ACCEPTED` and `QUARANTINED` are acknowledged: the log has them."""

    NOT_DUE = 0
    UNSENT = 1
    ACCEPTED = 2
    QUARANTINED = 3
    REFUSED = 4
    UNANSWERED = 5


ACKNOWLEDGED: Final = (Fate.ACCEPTED, Fate.QUARANTINED)


@dataclass(slots=True)
class Interval:
    """One point of the curves: latencies and fates of what was due in it, rates of what happened in it.

    `accept` is due -> answer, `commit` the gateway's `received` -> seen in the database, `whole` due -> seen there.
    """

    fates: Counter[Fate] = field(default_factory=Counter)
    late_posts: int = 0
    answered: int = 0
    committed: int = 0
    accept: Durations = field(default_factory=Durations)
    commit: Durations = field(default_factory=Durations)
    whole: Durations = field(default_factory=Durations)
    lag_max: int = 0
    lag_end: int = 0
    lag_readings: int = 0
    machine_busy: float | None = None
    own_cores: float = 0.0


class Ledger:
    """Counts while a run goes on."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self.fates = bytearray(plan.frames)
        self.intervals: dict[int, Interval] = {}
        self.reasons: Counter[str] = Counter()
        self.posts = self.late_posts = self.late_by_itself = 0
        self.behind_max_s = 0.0
        self.last_due_s = 0.0

    def interval(self, after_start_s: float) -> Interval:
        """Return the entry of a moment of the run."""
        number = self._plan.interval(after_start_s)
        found = self.intervals.get(number)
        if found is None:
            found = self.intervals[number] = Interval()
        return found

    def leaves(self, due: Due, now_s: float) -> None:
        """Take note that a post goes out, `now_s` after the run's start."""
        self.posts += 1
        self.last_due_s = max(self.last_due_s, due.due_s)
        self.behind_max_s = max(self.behind_max_s, due.behind_s)
        if now_s - due.due_s > LATE_S:
            self.late_posts += 1
            self.late_by_itself += due.behind_s > LATE_S
            self.interval(due.due_s).late_posts += 1

    def unsent(self, due: Due) -> None:
        """Take note that a post was given up before it left."""
        self.last_due_s = max(self.last_due_s, due.due_s)
        self._all(due, Fate.UNSENT, "no connection was free in time")

    def failed(self, due: Due, fate: Fate, reason: str) -> None:
        """Take note that a whole post was refused or not answered."""
        self._all(due, fate, reason)

    def answered(self, due: Due, index: int, fate: Fate, reason: str | None) -> None:
        """Take note of the result of one frame of a post."""
        self.fates[due.number * self._plan.frames_a_post + index] = fate
        self.interval(due.due_s).fates[fate] += 1
        if reason is not None:
            self._because(reason, 1)

    def took(self, due: Due, now_s: float, acknowledged: int) -> None:
        """Count the time from a post's due moment to its answer, for each frame that is in the log."""
        if acknowledged:
            self.interval(due.due_s).accept.add(now_s - due.due_s, acknowledged)
            self.interval(now_s).answered += acknowledged

    def count(self, *fates: Fate) -> int:
        """How many frames have one of these fates."""
        return sum(self.fates.count(fate) for fate in fates)

    def acknowledged(self) -> Iterator[int]:
        """Numbers of the frames that the log has."""
        return (number for number, fate in enumerate(self.fates) if fate in ACKNOWLEDGED)

    def _all(self, due: Due, fate: Fate, reason: str) -> None:
        size = self._plan.frames_a_post
        self.fates[due.number * size : (due.number + 1) * size] = bytes([fate]) * size
        self.interval(due.due_s).fates[fate] += size
        self._because(reason, size)

    def _because(self, reason: str, frames: int) -> None:
        known = reason in self.reasons or len(self.reasons) < MAX_REASONS
        self.reasons[reason if known else "other"] += frames
