"""The report of a load run: what is written to load.json, and read again to compare two runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from contract.errors import UnusableInputError
from ingest.durations import Durations
from thecaflow.load.ledger import Fate, Interval, Ledger
from thecaflow.load.machine import Machine, Versions
from thecaflow.load.plan import LoadPlan

FORMAT: Final = "thecaflow-load-1"
BOUNDED_WITHIN_S: Final = 2.0
"""A lag that grew by less than so many seconds' worth of frames over a run was bounded; 1 % short of the rate is 6 s in ten minutes."""


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds, to 1 %."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One interval, from `at_s` after the start of the schedule. After the schedule's end only commits go on."""

    at_s: float
    warm_up: bool
    due: int
    answered_frames_s: float
    committed_frames_s: float
    accept: Percentiles
    commit: Percentiles
    whole: Percentiles
    lag_max: int
    lag_end: int
    late_posts: int
    unsent: int
    refused: int
    unanswered: int
    quarantined: int
    machine_busy: float | None
    own_cores: float


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the whole schedule, warm-up too: `due` = the five others together."""

    due: int
    accepted: int
    quarantined: int
    refused: int
    unanswered: int
    unsent: int


class Posts(msgspec.Struct, frozen=True, kw_only=True):
    """How well the schedule was kept. A post that was late by itself is the sender's fault, not a slow target's."""

    sent: int
    late: int
    late_by_itself: int
    behind_max_ms: float


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """Records acknowledged and not yet in the database. `growth`: of the straight line through the measured intervals."""

    max: int
    mean: float
    growth: float
    bounded: bool
    drained_s: float | None
    """From the last answer until all were there; None: they were not, within the waiting time."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a look into the database by ids showed, introductions and the end of the fleet too."""

    acknowledged: int
    lost: int
    lost_ids: list[str]
    twice: int
    quarantined: int
    alerts: dict[str, int]


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """All of a run."""

    format: Literal["thecaflow-load-1"] = FORMAT
    run: str
    began: str
    note: str
    finished: bool
    seconds: float
    plan: LoadPlan
    url: str
    rate_frames_s: float
    """Acknowledged frames of the measured part, over its length."""
    frames: Frames
    posts: Posts
    reasons: dict[str, int]
    accept: Percentiles
    commit: Percentiles
    whole: Percentiles
    lag: Lag
    gateway_clock_ahead_s: float
    """The least that explains what the gateway stamped; 0 where nothing contradicts equal clocks."""
    found: Found | None
    """None: the run ended before the database could be asked."""
    machine_busy: float | None
    own_cores: float
    machine: Machine
    versions: Versions
    points: list[Point]

    @property
    def sound(self) -> bool:
        """Whether all that was acknowledged is in the database, once."""
        return self.found is not None and self.found.lost == 0 and self.found.twice == 0

    @classmethod
    def read(cls, path: Path) -> LoadReport:
        """Read a report; raises UnusableInputError for any other file."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as failed:
            raise UnusableInputError(f"{path}: {failed.strerror}") from failed
        except (msgspec.MsgspecError, UnicodeError) as wrong:
            raise UnusableInputError(f"{path} is no load report of this version: {wrong}") from wrong

    def encoded(self) -> bytes:
        """Return the JSON of load.json."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def percentiles(durations: Durations) -> Percentiles:
    """Return the percentiles of a histogram."""
    return Percentiles(
        count=len(durations),
        p50_ms=_ms(durations.percentile_s(0.5)),
        p90_ms=_ms(durations.percentile_s(0.9)),
        p99_ms=_ms(durations.percentile_s(0.99)),
        p999_ms=_ms(durations.percentile_s(0.999)),
        max_ms=_ms(durations.max_s),
    )


def frames_of(ledger: Ledger, due: int) -> Frames:
    """Count the fates of the `due` first frames."""
    return Frames(
        due=due,
        accepted=ledger.count(Fate.ACCEPTED),
        quarantined=ledger.count(Fate.QUARANTINED),
        refused=ledger.count(Fate.REFUSED),
        unanswered=ledger.count(Fate.UNANSWERED),
        unsent=ledger.count(Fate.UNSENT),
    )


def points_of(plan: LoadPlan, intervals: Mapping[int, Interval], end_s: float) -> list[Point]:
    """Return the curves, oldest interval first; the one in which the schedule ended is as short as that makes it."""
    points = []
    for number, interval in sorted(intervals.items()):
        at_s = number * plan.interval_s
        length_s = end_s - at_s if at_s < end_s < at_s + plan.interval_s else plan.interval_s
        points.append(_point(plan, at_s, length_s, interval))
    return points


def joined(intervals: Sequence[Interval], name: Literal["accept", "commit", "whole"]) -> Percentiles:
    """Return the percentiles over several intervals."""
    together = Durations()
    for interval in intervals:
        together.include(getattr(interval, name))
    return percentiles(together)


def measured(plan: LoadPlan, intervals: Mapping[int, Interval], last_due_s: float) -> list[Interval]:
    """Return the intervals from the end of the warm-up to the one in which the last post was due."""
    first = math.ceil(plan.warm_up_s / plan.interval_s - 1e-9)
    last = plan.interval(last_due_s)
    return [interval for number, interval in sorted(intervals.items()) if first <= number <= last]


def lag_of(plan: LoadPlan, intervals: Sequence[Interval], drained_s: float | None) -> Lag:
    """Judge the lag of the measured intervals."""
    lags = [interval.lag_end for interval in intervals]
    growth = _slope(lags) * max(len(lags) - 1, 0)
    return Lag(
        max=max((interval.lag_max for interval in intervals), default=0),
        mean=round(sum(lags) / len(lags), 1) if lags else 0.0,
        growth=round(growth, 1),
        bounded=growth < BOUNDED_WITHIN_S * plan.rate_frames_s and drained_s is not None,
        drained_s=None if drained_s is None else round(drained_s, 3),
    )


def rate_of(plan: LoadPlan, intervals: Sequence[Interval]) -> float:
    """Return how many frames a second were acknowledged in these intervals, whenever they had been due."""
    length_s = sum(sum(interval.fates.values()) for interval in intervals) / plan.rate_frames_s
    answered = sum(interval.answered for interval in intervals)
    return round(answered / length_s, 2) if length_s > 0 else 0.0


def mean_busy(intervals: Sequence[Interval]) -> tuple[float | None, float]:
    """Return the machine's busy share and the sender's cores, averaged over the intervals that know them."""
    shares = [interval.machine_busy for interval in intervals if interval.machine_busy is not None]
    own = [interval.own_cores for interval in intervals]
    return (
        round(sum(shares) / len(shares), 4) if shares else None,
        round(sum(own) / len(own), 4) if own else 0.0,
    )


def _point(plan: LoadPlan, at_s: float, length_s: float, interval: Interval) -> Point:
    fates = interval.fates
    busy = interval.machine_busy
    return Point(
        at_s=at_s,
        warm_up=at_s < plan.warm_up_s,
        due=sum(fates.values()),
        answered_frames_s=round(interval.answered / length_s, 2),
        committed_frames_s=round(interval.committed / length_s, 2),
        accept=percentiles(interval.accept),
        commit=percentiles(interval.commit),
        whole=percentiles(interval.whole),
        lag_max=interval.lag_max,
        lag_end=interval.lag_end,
        late_posts=interval.late_posts,
        unsent=fates[Fate.UNSENT],
        refused=fates[Fate.REFUSED],
        unanswered=fates[Fate.UNANSWERED],
        quarantined=fates[Fate.QUARANTINED],
        machine_busy=None if busy is None else round(busy, 4),
        own_cores=round(interval.own_cores, 4),
    )


def _slope(levels: Sequence[float]) -> float:
    """Least squares, per step."""
    count = len(levels)
    if count < 2:
        return 0.0
    middle, mean = (count - 1) / 2, sum(levels) / count
    spread = sum((number - middle) ** 2 for number in range(count))
    return sum((number - middle) * (level - mean) for number, level in enumerate(levels)) / spread


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
