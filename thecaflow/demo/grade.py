"""Grades the demonstration: which fault was named, how soon, and what was said of pumps that had none.

What counts as what is `thecaflow.evaluation.matching`'s to say; here is only what a person looks at first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contract.facts import Alert
from ingest.simulator import Label
from thecaflow.evaluation.matching import Found, Judged, Verdict, match


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """The first loud line of one cause on a pump that has no fault, or before its fault."""

    alert: Alert
    label: Label


@dataclass(frozen=True, slots=True)
class Grade:
    """`found` by onset, one a fault; `false_alarms` of healthy pumps; `early`: of faulty ones, on their healthy spans."""

    found: tuple[Found, ...]
    healthy: int
    false_alarms: tuple[FalseAlarm, ...]
    early: tuple[FalseAlarm, ...]

    @property
    def missed(self) -> tuple[Found, ...]:
        """Faults that no alert of their cause named."""
        return tuple(found for found in self.found if found.alert is None)

    @property
    def passed(self) -> bool:
        """Every fault named, no healthy pump with a medium or high alert."""
        return not self.missed and not self.false_alarms


def grade(labels: Sequence[Label], alerts: Iterable[Alert]) -> Grade:
    """Grade the alert lines of a fleet, in order of time, against the truth about it."""
    lines: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        lines[alert.pump].append(alert)
    truth: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        truth[label.pump].append(label)
    found: list[Found] = []
    false_alarms: list[FalseAlarm] = []
    early: list[FalseAlarm] = []
    healthy = 0
    for pump, told in truth.items():
        matched = match(told, lines[pump], (0, 0))
        found += matched.found
        faults = [label for label in told if label.cause is not None]
        healthy += not faults
        wrong = [FalseAlarm(alert, (faults or told)[0]) for alert in _first_of_each_cause(matched.judged)]
        if faults:
            early += wrong
        else:
            false_alarms += wrong
    found.sort(key=lambda one: (one.label.onset_us, one.label.pump))
    return Grade(tuple(found), healthy, tuple(false_alarms), tuple(early))


def _first_of_each_cause(judged: Iterable[Judged]) -> list[Alert]:
    first: dict[str, Alert] = {}
    for one in judged:
        if one.verdict is Verdict.FALSE and one.alarm.loud is not None:
            first.setdefault(one.alarm.cause, one.alarm.loud)
    return list(first.values())
