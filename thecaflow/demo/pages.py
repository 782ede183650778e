"""Grades pages against labels: whether people were told of every fault, how soon, by the right way, and of nothing else.

A fault is told at a level (a priority) once an alert of its pump and cause of that priority or a higher one has arrived.
Its delay runs from the commit of the first line that stands at that level. Two levels are due of an alert that rose: that
of its first line and that of its last. Nothing is due at a level that it has left again: a replay of a month in a
minute leaves a priority sooner than anybody looks.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contract.facts import PRIORITY_RANK, Priority
from ingest.simulator import Label
from storage.written import WrittenLine
from thecaflow.evaluation.matching import LOUD, STANDING, Found
from thecaflow.page_file import Page

RECEIVERS: Final[Mapping[str, Priority]] = {
    "pages": Priority.HIGH,
    "notifications": Priority.MEDIUM,
    "tickets": Priority.LOW,
}
"""Which receiver of dashboards/alertmanager is for which priority; others are for other people."""
P99_LIMIT_US: Final = 20_000_000
"""Snapshot 1 s, scrape 2 s, rule 2 s, group_wait 2 s or group_interval 5 s: 12 s on an idle machine, and this one is not."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One fault at one level; `arrived_us` None: nobody was told."""

    label: Label
    priority: Priority
    committed_us: int
    arrived_us: int | None

    @property
    def delay_us(self) -> int | None:
        """From the commit to the webhook."""
        return None if self.arrived_us is None else self.arrived_us - self.committed_us


@dataclass(frozen=True, slots=True)
class PageGrade:
    """What arrived.

    `deliveries`: one or two a fault that was named. `false_pages`: the first page or notification of each cause of a
    healthy pump, or of a pump of another fleet. `astray`: at a receiver of another priority. `ended`: resolved while its alert is open.
    `others`: alerts of no pump, by name.
    """

    deliveries: tuple[Delivery, ...]
    false_pages: tuple[Page, ...]
    astray: tuple[Page, ...]
    ended: tuple[Page, ...]
    others: Mapping[str, int]
    arrived: Mapping[Priority, int]

    @property
    def untold(self) -> tuple[Delivery, ...]:
        """Pages and notifications that did not arrive; a ticket may take minutes."""
        return tuple(one for one in self.deliveries if one.arrived_us is None and one.priority in LOUD)

    def percentile_us(self, share: float) -> int | None:
        """Delay of pages and notifications that `share` of them do not exceed; None where none arrived."""
        delays = sorted(
            one.delay_us for one in self.deliveries if one.delay_us is not None and one.priority in LOUD
        )
        return delays[math.ceil(share * len(delays)) - 1] if delays else None

    @property
    def passed(self) -> bool:
        """Everything due arrived in time where it belongs and stays, and nothing else did."""
        p99_us = self.percentile_us(0.99)
        late = p99_us is None or p99_us > P99_LIMIT_US
        return not (late or self.untold or self.false_pages or self.astray or self.ended)


def grade_pages(
    labels: Sequence[Label], found: Iterable[Found], lines: Sequence[WrittenLine], pages: Sequence[Page]
) -> PageGrade:
    """Grade what arrived (`pages`, oldest first) of what was written (`lines`, in order of writing)."""
    standing: dict[tuple[str, str], list[WrittenLine]] = defaultdict(list)
    for line in lines:
        if line.state in STANDING:
            standing[line.pump, line.cause].append(line)
    ours = [page for page in pages if page.receiver in RECEIVERS and page.labels.get("pump")]
    of_pump: dict[tuple[str, str], list[Page]] = defaultdict(list)
    for page in ours:
        of_pump[page.labels["pump"], page.labels.get("cause", "")].append(page)
    deliveries: list[Delivery] = []
    for one in found:
        if one.alert is not None:
            key = one.label.pump, str(one.alert.cause)
            deliveries += _deliveries(one, standing[key], of_pump[key])
    firing = [page for page in ours if page.status == "firing"]
    first = {(page.receiver, *_series(page)): page for page in reversed(firing)}.values()
    return PageGrade(
        deliveries=tuple(deliveries),
        false_pages=tuple(_false(labels, first)),
        astray=tuple(page for page in first if page.labels.get("priority") != RECEIVERS[page.receiver]),
        ended=tuple(_ended(lines, ours)),
        others=Counter(page.labels.get("alertname", "") for page in pages if not page.labels.get("pump")),
        arrived=Counter(RECEIVERS[page.receiver] for page in first),
    )


def _deliveries(one: Found, standing: Sequence[WrittenLine], pages: Sequence[Page]) -> list[Delivery]:
    assert one.alert is not None
    own = [line for line in standing if line.alert_id == one.alert.alert_id]
    believed = sorted((line for line in own if line.believed_to_us is None), key=lambda line: line.at_us)
    if not believed:
        return []
    last = PRIORITY_RANK[Priority(believed[-1].priority)]
    due = {min(PRIORITY_RANK[Priority(own[0].priority)], last), last} - {PRIORITY_RANK[Priority.INFO]}
    deliveries: dict[int, Delivery] = {}
    for rank in sorted(due):
        arrived_us = next(
            (page.arrived_us for page in pages if page.status == "firing" and _page_rank(page) >= rank), None
        )
        committed_us = next(line.written_us for line in own if _rank(line) >= rank)
        if arrived_us is not None and arrived_us < committed_us:
            # Told before this alert was written: of an earlier one of the same cause, which is open or was replaced.
            committed_us = next((line.written_us for line in standing if _rank(line) >= rank), committed_us)
        # An alert that began at its last level counts once, not once a level.
        deliveries[committed_us] = Delivery(one.label, _of_rank(rank), committed_us, arrived_us)
    return list(deliveries.values())


def _false(labels: Sequence[Label], first: Iterable[Page]) -> list[Page]:
    truth: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        truth[label.pump].append(label)
    wrong: dict[tuple[str, str], Page] = {}
    for page in sorted(first, key=lambda page: page.arrived_us):
        told = truth.get(page.labels["pump"], [])
        faulty = any(label.cause is not None for label in told)
        allowed = {cause for label in told for cause in label.also}
        if RECEIVERS[page.receiver] in LOUD and not faulty and page.labels.get("cause") not in allowed:
            wrong.setdefault((page.labels["pump"], page.labels.get("cause", "")), page)
    return list(wrong.values())


def _ended(lines: Sequence[WrittenLine], pages: Sequence[Page]) -> list[Page]:
    """Series whose last word is that it is over, although an alert that says the same stands."""
    newest: dict[str, WrittenLine] = {}
    for line in sorted((line for line in lines if line.believed_to_us is None), key=lambda line: line.at_us):
        newest[line.alert_id] = line
    open_now = {(line.pump, line.cause, line.priority) for line in newest.values() if line.state in STANDING}
    last = {_series(page): page for page in pages}
    return [page for series, page in last.items() if page.status == "resolved" and series in open_now]


def told_and_withdrawn(labels: Sequence[Label], lines: Sequence[WrittenLine]) -> dict[tuple[str, str], int]:
    """Loud alerts of healthy pumps that were believed for a while and are no more: longest belief in us, by pump and cause.

    Belief is in `received` time: how long it would have stood had the fleet been live.
    """
    faulty = {label.pump for label in labels if label.cause is not None}
    expected = {(label.pump, cause) for label in labels for cause in label.also}
    loud = [line for line in lines if line.state in STANDING and line.priority in LOUD]
    expected |= {(line.pump, line.cause) for line in loud if line.believed_to_us is None}
    longest: dict[tuple[str, str], int] = {}
    for line in loud:
        key = line.pump, line.cause
        if line.believed_to_us is not None and line.pump not in faulty and key not in expected:
            longest[key] = max(longest.get(key, 0), line.believed_to_us - line.believed_from_us)
    return longest


def _series(page: Page) -> tuple[str, str, str]:
    labels = page.labels
    return labels["pump"], labels.get("cause", ""), labels.get("priority", "")


def _rank(line: WrittenLine) -> int:
    return PRIORITY_RANK[Priority(line.priority)]


def _page_rank(page: Page) -> int:
    return PRIORITY_RANK[RECEIVERS[page.receiver]]


def _of_rank(rank: int) -> Priority:
    return next(priority for priority, its in PRIORITY_RANK.items() if its == rank)
