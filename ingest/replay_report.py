"""What a replay has done: counts, latencies, and how far it may be resumed from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from contract.errors import UnusableInputError
from ingest.durations import Durations

MAX_REASONS: Final = 20


class Latency(msgspec.Struct, frozen=True):
    """Percentiles in milliseconds, to 1 %."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a replay.

    `sent` = `acknowledged` + `refused` + what was under way at an early end. `quarantined` is part of `acknowledged`:
    such lines are in the log as they came. Latency is from a line's due time (at full speed: from its post) to its
    acknowledgement, retries included.
    """

    sent: int
    acknowledged: int
    quarantined: int
    refused: int
    skipped: int
    retries: int
    seconds: float
    rate_events_s: float
    latency: Latency
    resume_from: int
    finished: bool
    reasons: dict[str, int]


class Tally:
    """Counts while a replay runs."""

    def __init__(self, skipped: int) -> None:
        self.sent = self.quarantined = self.accepted = self.refused = self.retries = 0
        self.skipped = skipped
        self.mark = Mark(skipped)
        self._reasons: Counter[str] = Counter()
        self._latency = Durations()

    def add_latency(self, seconds: float, events: int = 1) -> None:
        """Count acknowledged events that took so long."""
        self._latency.add(seconds, events)

    def add_reason(self, reason: str) -> None:
        """Count why an event was not accepted; a bounded number of different reasons is kept."""
        if reason in self._reasons or len(self._reasons) < MAX_REASONS:
            self._reasons[reason] += 1

    def report(self, seconds: float, *, finished: bool) -> Report:
        """Return the outcome so far."""
        acknowledged = self.accepted + self.quarantined
        return Report(
            sent=self.sent,
            acknowledged=acknowledged,
            quarantined=self.quarantined,
            refused=self.refused,
            skipped=self.skipped,
            retries=self.retries,
            seconds=round(seconds, 3),
            rate_events_s=round(acknowledged / seconds, 1) if seconds > 0 else 0.0,
            latency=Latency(
                _ms(self._latency.percentile_s(0.5)),
                _ms(self._latency.percentile_s(0.9)),
                _ms(self._latency.percentile_s(0.99)),
                _ms(self._latency.max_s),
            ),
            resume_from=self.mark.lines,
            finished=finished,
            reasons=dict(self._reasons.most_common()),
        )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


class Mark:
    """How many lines from the first are acknowledged without a gap; it stops for good before a refused one."""

    def __init__(self, lines: int) -> None:
        self.lines = lines
        self._beyond: set[int] = set()
        self._stopped = False

    def acknowledged(self, number: int) -> None:
        """Count a line that is in the log."""
        if self._stopped:
            return
        self._beyond.add(number)
        while self.lines + 1 in self._beyond:
            self.lines += 1
            self._beyond.remove(self.lines)

    def refused(self, number: int) -> None:
        """Stop before a line that is not in the log, so that a later run sends it again."""
        del number  # whichever it is, the mark is not beyond it, and what is beyond need not be remembered
        self._stopped = True
        self._beyond.clear()


class State(msgspec.Struct, frozen=True):
    """The resume file: so many lines of the file whose first line has this digest are acknowledged."""

    lines: int
    first: str

    @classmethod
    def read(cls, path: Path) -> State | None:
        """Return the stored state, None where there is no file; raises UnusableInputError for any other content."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, OSError) as wrong:
            raise UnusableInputError(
                f"{path}: no resume file of ours ({wrong}); delete it to begin anew"
            ) from wrong

    def write(self, path: Path) -> None:
        """Replace the file in one step, so that a crash leaves the old or the new."""
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(msgspec.json.encode(self) + b"\n")
        fresh.replace(path)
