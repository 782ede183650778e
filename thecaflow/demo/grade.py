"""Grades alerts against labels: which fault was named, how soon, and what was said of pumps that had none.

A fault is found by the first line with its cause that stands (is neither pending nor cleared) at or after its onset. A
healthy pump may have anything low, and a medium or high alert only of a cause that its labels allow (`also`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contract.facts import Alert, AlertState, Priority
from ingest.simulator import Label

STANDING = (AlertState.ACTIVE, AlertState.ACKNOWLEDGED, AlertState.LATCHED, AlertState.SHELVED)
LOUD = (Priority.HIGH, Priority.MEDIUM)


@dataclass(frozen=True, slots=True)
class Found:
    """One labelled fault and the first alert that named it; `alert` None: missed. `beside`: other loud causes."""

    label: Label
    alert: Alert | None
    beside: tuple[str, ...]

    @property
    def delay_us(self) -> int | None:
        """From the onset to the alert."""
        return None if self.alert is None else self.alert.at_us - self.label.onset_us


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """The first loud line of one cause on a pump that has no fault, or before its fault."""

    alert: Alert
    label: Label


@dataclass(frozen=True, slots=True)
class Grade:
    """`found` by onset, one a fault; `false_alarms` of healthy pumps; `early`: of faulty ones, before their onset."""

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
        if alert.state in STANDING:
            lines[alert.pump].append(alert)
    truth: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        truth[label.pump].append(label)
    found, false_alarms, early, healthy = [], [], [], 0
    for pump, told in truth.items():
        faults = [label for label in told if label.cause is not None]
        allowed = {cause for label in told for cause in (*label.also, label.cause)}
        loud = _first_of_each_cause(line for line in lines[pump] if line.priority in LOUD)
        if not faults:
            healthy += 1
            false_alarms += [FalseAlarm(line, told[0]) for line in loud if line.cause not in allowed]
            continue
        found += [_found(label, lines[pump], loud, allowed) for label in faults]
        first_us = min(label.onset_us for label in faults)
        early += [FalseAlarm(line, faults[0]) for line in loud if line.at_us < first_us]
    found.sort(key=lambda one: (one.label.onset_us, one.label.pump))
    return Grade(tuple(found), healthy, tuple(false_alarms), tuple(early))


def _found(label: Label, lines: list[Alert], loud: list[Alert], allowed: set[str | None]) -> Found:
    named = [line for line in lines if line.cause == label.cause and line.at_us >= label.onset_us]
    beside = tuple(
        str(line.cause) for line in loud if line.cause not in allowed and line.at_us >= label.onset_us
    )
    return Found(label, named[0] if named else None, beside)


def _first_of_each_cause(lines: Iterable[Alert]) -> list[Alert]:
    first: dict[str, Alert] = {}
    for line in lines:
        first.setdefault(line.cause, line)
    return list(first.values())
