"""Matches one pump's alerts with its labels: what named a fault, what follows from it, what nobody should have said.

An **alarm** is one alert that came on: what a person is told once. It is the same alarm until its condition was away for
a day (SETTLING_US): within that time somebody has answered it, so that the next one is news. Its verdict:

named        the right cause, from a fault's onset on (less what clocks may be off, CLOCK_US) and at most a day after its end; the first of a fault
repeat       the same once more
consequence  a cause that the label says follows from its fault (`also`), from its onset on, however late
expected     what a nuisance allows, while it lasts and a day longer
wrong        any other while a fault is there: another cause beside, or instead of, the right one
false        any other on a healthy span: a pump without faults, before an onset, or a day after an end

Only loud alarms (high or medium) are judged, and those of a labelled cause that is never loud by itself: a ticket that a
refill is due is no mistake, nor is what is only written down (a rotor that stands in an announced MRI window).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contract.facts import DEFAULT_PRIORITY, Alert, AlertState, Cause, Priority
from ingest.simulator import Label

STANDING: Final = (AlertState.ACTIVE, AlertState.ACKNOWLEDGED, AlertState.LATCHED, AlertState.SHELVED)
HOLDING: Final = (AlertState.ACTIVE, AlertState.ACKNOWLEDGED, AlertState.SHELVED)
"""States in which the condition is there."""
LOUD: Final = (Priority.HIGH, Priority.MEDIUM)
CLOCK_US: Final = (
    300_000_000  # [P] five minutes: corrected times are off by minutes after a gap (contract, Clocks)
)
SETTLING_US: Final = 86_400_000_000  # [P] a day: an alert is answered and a pump looked at the same day
UNCLEAR: Final = str(Cause.UNCLASSIFIED)


class Verdict(StrEnum):
    """What an alarm is worth; see the module."""

    NAMED = "named"
    REPEAT = "repeat"
    CONSEQUENCE = "consequence"
    EXPECTED = "expected"
    WRONG = "wrong"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alert that came on. `first`: the line with which it did; `loud`: the line that made it high or medium."""

    first: Alert
    loud: Alert | None

    @property
    def cause(self) -> str:
        """Its cause."""
        return str(self.first.cause)

    @property
    def at_us(self) -> int:
        """When it was told: as a loud one, where it became that."""
        return (self.loud or self.first).at_us


@dataclass(frozen=True, slots=True)
class Judged:
    """An alarm, its verdict and the fault that this is about."""

    alarm: Alarm
    verdict: Verdict
    fault: Label | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One labelled fault and what was said of it.

    `alert`: the first line that named it, None: missed. `heard_us`: when the fault or one of its consequences was told.
    `said`: the cause said first, consequences aside; None: nothing was. `beside`: causes that it was taken for as well.
    """

    label: Label
    alert: Alert | None
    beside: tuple[str, ...]
    heard_us: int | None = None
    said: str | None = None

    @property
    def delay_us(self) -> int | None:
        """From the onset to the alert."""
        return None if self.alert is None else max(self.alert.at_us - self.label.onset_us, 0)


@dataclass(frozen=True, slots=True)
class Match:
    """All that was said of one pump: `healthy_us` is how long it was without a fault."""

    found: tuple[Found, ...]
    judged: tuple[Judged, ...]
    healthy_us: int


def match(
    labels: Sequence[Label],
    alerts: Iterable[Alert],
    span_us: tuple[int, int],
    labelled: Collection[str] | None = None,
) -> Match:
    """Match one pump's labels with its alert lines, in order of time, over the span of its recording.

    labelled: causes that are looked for, so that those of them that are never loud are judged, too; default: these labels'.
    """
    lines = list(alerts)
    faults = sorted((one for one in labels if one.cause is not None), key=lambda one: one.onset_us)
    nuisances = [one for one in labels if one.cause is None]
    known = {str(one.cause) for one in faults} if labelled is None else labelled
    named: set[int] = set()
    alarms = sorted(alarms_of(lines), key=lambda one: one.at_us)
    judged = [
        _judge(alarm, faults, nuisances, named)
        for alarm in alarms
        if alarm.loud is not None
        or (alarm.cause in known and DEFAULT_PRIORITY[alarm.first.cause] not in LOUD)
    ]
    found = tuple(_found(fault, lines, judged, alarms) for fault in faults)
    return Match(found, tuple(judged), healthy_us(faults, span_us))


def alarms_of(lines: Iterable[Alert]) -> list[Alarm]:
    """Every time that an alert came on; again within SETTLING_US is the same time."""
    alarms: list[Alarm] = []
    current: dict[str, int] = {}
    gone_us: dict[str, int | None] = {}
    for line in lines:
        key = line.alert_id
        if line.state not in HOLDING:
            if key in current and gone_us[key] is None and line.state is not AlertState.PENDING:
                gone_us[key] = line.at_us
            continue
        since_us = gone_us.get(key)
        if key not in current or (since_us is not None and line.at_us - since_us >= SETTLING_US):
            current[key] = len(alarms)
            alarms.append(Alarm(line, None))
        gone_us[key] = None
        alarm = alarms[current[key]]
        if alarm.loud is None and line.priority in LOUD:
            alarms[current[key]] = replace(alarm, loud=line)
    return alarms


def closes_us(fault: Label) -> int | None:
    """When a fault is over for its alert; None: it lasts."""
    return None if fault.end_us is None else fault.end_us + SETTLING_US


def healthy_us(faults: Sequence[Label], span_us: tuple[int, int]) -> int:
    """How much of the span no fault covers, a day after each end included in the fault; `faults` by onset."""
    begin_us, end_us = span_us
    healthy, reached_us = 0, begin_us
    for fault in faults:
        healthy += max(min(fault.onset_us, end_us) - reached_us, 0)
        over_us = closes_us(fault)
        reached_us = max(reached_us, end_us if over_us is None else min(over_us, end_us))
    return healthy + max(end_us - reached_us, 0)


def _open(fault: Label, at_us: int) -> bool:
    over_us = closes_us(fault)
    return fault.onset_us - CLOCK_US <= at_us and (over_us is None or at_us < over_us)


def _judge(alarm: Alarm, faults: Sequence[Label], nuisances: Sequence[Label], named: set[int]) -> Judged:
    at_us, cause = alarm.at_us, alarm.cause
    for number, fault in enumerate(faults):
        if cause == fault.cause and _open(fault, at_us):
            verdict = Verdict.REPEAT if number in named else Verdict.NAMED
            named.add(number)
            return Judged(alarm, verdict, fault)
    for fault in faults:
        if cause in fault.also and fault.onset_us - CLOCK_US <= at_us:
            return Judged(alarm, Verdict.CONSEQUENCE, fault)
    for nuisance in nuisances:
        if cause in nuisance.also and _open(nuisance, at_us):
            return Judged(alarm, Verdict.EXPECTED, nuisance)
    beside = next((fault for fault in faults if _open(fault, at_us)), None)
    return Judged(alarm, Verdict.FALSE if beside is None else Verdict.WRONG, beside)


def _found(fault: Label, lines: Sequence[Alert], judged: Sequence[Judged], alarms: Sequence[Alarm]) -> Found:
    """What was said of one fault; a line of an alert that was on before the onset counts if it comes after it."""
    own = [line for line in lines if line.state in HOLDING and _open(fault, line.at_us)]
    alert = next((line for line in own if line.cause == fault.cause), None)
    heard = next((line for line in own if line.cause == fault.cause or line.cause in fault.also), None)
    wrong = [one.alarm for one in judged if one.verdict is Verdict.WRONG and one.fault is fault]
    said = next(iter(wrong), None)
    first = None if said is None else said.cause
    if alert is not None and (said is None or alert.at_us <= said.at_us):
        first = str(fault.cause)
    if first is None and any(one.cause == UNCLEAR and _open(fault, one.at_us) for one in alarms):
        first = UNCLEAR
    beside = tuple(dict.fromkeys(one.cause for one in wrong))
    return Found(fault, alert, beside, None if heard is None else heard.at_us, first)
