"""Everything that an explanation tells, put together: moments, the detector's numbers at them, the channels around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.events import CHANNEL_INDEX
from contract.facts import Alert, AlertState, Readiness
from dashboards.causes import CAUSES
from dashboards.console.pages.plots import channels_of
from kernels import ledger
from kernels import state as s
from processors import ready_words
from processors.pump_state import PumpState
from processors.timeline import Items
from thecaflow.explaining.course import items_of, states_at
from thecaflow.explaining.finding import Found
from thecaflow.explaining.quantities import QUANTITIES
from thecaflow.explaining.quantity import Quantity, Vector

_ROWS_AROUND: Final = 48
"""Sampling periods that are shown before the onset and after the alarm, where the time between those is shorter."""
_ONSETS: Final = ("onset_us", "low_since_us", "over_since_us")
_GONE: Final = (AlertState.LATCHED, AlertState.CLEARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Microseconds since 1970. `alarm_us`: first active line, else the first; `ended_us`: condition gone; view: what is shown.

    `before_us`: what the alarm is compared with: the onset, or the start of the view where the onset is the alarm itself.
    """

    onset_us: int
    before_us: int
    onset_stated: bool
    since_us: int
    alarm_us: int
    ended_us: int | None
    view_us: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One channel over a span; None where it reported nothing."""

    name: str
    spans: Sequence[tuple[float, float, float] | None]
    """(least, mean, greatest) before the onset, from it to the alarm, after the alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One alert explained. `before`, `at_alarm`, `trace`: vectors of kernels.state; `volumes`: uL from before to the alarm."""

    found: Found
    moments: Moments
    items: Items
    before: Vector
    at_alarm: Vector
    trace: Sequence[tuple[int, Vector]]
    readings: Sequence[Reading]
    volumes: Sequence[tuple[str, float]]
    readiness: Sequence[Readiness]
    """At the alarm, of this cause, or of those that the alert says are not watched; empty of one that needs no channel."""

    @property
    def last(self) -> Alert:
        """The newest line."""
        return self.found.lines[-1]

    @property
    def newest_evidence(self) -> Alert:
        """The newest line with evidence: one that only ends an alert may have none."""
        return next((line for line in reversed(self.found.lines) if line.evidence), self.last)

    @property
    def harm_words(self) -> str:
        """What the time to harm counts down to."""
        harm = CAUSES[self.last.cause].harm
        return "harm" if harm == "none" else harm

    @property
    def quantities(self) -> Sequence[Quantity]:
        """What the detector of this cause knows."""
        return QUANTITIES[self.last.cause]

    @property
    def channels(self) -> Sequence[str]:
        """The channels that tell of this cause, the same that its page shows."""
        return channels_of(self.last.cause, self.newest_evidence.evidence)


def account_of(found: Found, traced: int = 0) -> Account:
    """Put an alert's account together; `traced`: moments over the view at which the vector is kept, for a plot."""
    items = items_of(found.log)
    moments = _moments(found, items)
    view = moments.view_us
    traces = np.linspace(view[0], view[1], traced).astype(np.int64).tolist() if traced else []
    times = sorted({moments.before_us, moments.alarm_us, *traces})
    states = dict(zip(times, states_at(found.lines[0].pump, items, times), strict=True))
    before, at_alarm = states[moments.before_us].x, states[moments.alarm_us].x
    return Account(
        found=found,
        moments=moments,
        items=items,
        before=before,
        at_alarm=at_alarm,
        trace=[(at_us, states[at_us].x) for at_us in traces],
        readings=_readings(found.lines, items, moments),
        volumes=_volumes(before, at_alarm),
        readiness=_readiness(found.lines, states[moments.alarm_us], moments.alarm_us),
    )


def _readiness(lines: Sequence[Alert], state: PumpState, at_us: int) -> list[Readiness]:
    causes = {lines[0].cause, *(cause for line in lines for cause in line.evidence.get("causes", ()))}
    return [one for one in ready_words.said(state.pump, at_us, state.ready) if one.cause in causes]


def column(items: Items, name: str) -> NDArray[np.float64]:
    """One channel of all rows, NaN where nothing finite was reported."""
    told = items.columns[CHANNEL_INDEX[name]]
    return np.where(np.isfinite(told), told, np.nan)


def _moments(found: Found, items: Items) -> Moments:
    lines = found.lines
    since_us = lines[0].since_us
    alarm_us = next((line.at_us for line in lines if line.state is AlertState.ACTIVE), lines[0].at_us)
    stated = [line.evidence[name] for line in lines for name in _ONSETS if _is_time(line.evidence.get(name))]
    onset_us = min(round(stated[-1]), alarm_us) if stated else since_us
    ended_us = None if lines[-1].state not in _GONE else _gone_us(lines)
    steps = np.diff(items.rows_us)
    period_us = int(np.median(steps[steps > 0])) if (steps > 0).any() else 60_000_000
    around_us = max(alarm_us - onset_us, _ROWS_AROUND * period_us)
    harm = found.lines[-1].harm_at or next((line.harm_at for line in reversed(lines) if line.harm_at), None)
    to_us = alarm_us + around_us
    if harm is not None and harm.lo_us is not None:
        to_us = max(to_us, min(harm.lo_us, alarm_us + 8 * around_us) + around_us // 4)
    if ended_us is not None:
        to_us = min(to_us, ended_us + around_us)
    to_us = max(min(to_us, found.horizon_us), alarm_us + 1)
    from_us = min(onset_us, since_us) - around_us
    return Moments(
        onset_us=onset_us,
        before_us=onset_us if onset_us < alarm_us else from_us,
        onset_stated=bool(stated),
        since_us=since_us,
        alarm_us=alarm_us,
        ended_us=ended_us,
        view_us=(from_us, to_us),
    )


def _is_time(told: object) -> bool:
    return isinstance(told, int | float) and np.isfinite(told)


def _gone_us(lines: Sequence[Alert]) -> int:
    """When the condition went for the last time: the first of the closing lines that follow each other."""
    at_us = lines[-1].at_us
    for line in reversed(lines):
        if line.state not in _GONE:
            break
        at_us = line.at_us
    return at_us


def _readings(lines: Sequence[Alert], items: Items, moments: Moments) -> list[Reading]:
    """Least, mean and greatest of the channels of this cause; of a running total there is its rate in `volumes`."""
    view, onset_us, alarm_us = moments.view_us, moments.onset_us, moments.alarm_us
    cuts = np.searchsorted(items.rows_us, [view[0], onset_us, alarm_us], side="left").tolist()
    end = int(np.searchsorted(items.rows_us, view[1], side="right"))
    alarm = int(np.searchsorted(items.rows_us, alarm_us, side="right"))
    bounds = ((cuts[0], cuts[1]), (cuts[1], max(alarm, cuts[1])), (max(alarm, cuts[1]), end))
    told = []
    for name in channels_of(lines[0].cause, lines[0].evidence):
        if name == "delivered_ul":
            continue
        readings = column(items, name)
        spans = [_span(readings[start:stop]) for start, stop in bounds]
        if any(spans):
            told.append(Reading(name=name, spans=spans))
    return told


def _span(readings: NDArray[np.float64]) -> tuple[float, float, float] | None:
    known = readings[~np.isnan(readings)]
    return (float(known.min()), float(known.mean()), float(known.max())) if known.size else None


def _volumes(before: Vector, at_alarm: Vector) -> list[tuple[str, float]]:
    """What was asked and what was counted between two vectors, uL."""
    ledgers = (
        ("Programmed", s.PROGRAMMED_UL),
        ("Counted or measured", s.SENSED_UL),
        ("Delivered by the best estimate", s.DELIVERED_UL),
    )
    told = [
        (words, float(ledger.total(at_alarm, at)) - float(ledger.total(before, at))) for words, at in ledgers
    ]
    return [(words, volume_ul) for words, volume_ul in told if np.isfinite(volume_ul)]
