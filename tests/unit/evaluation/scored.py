"""Alert lines, labels and scores for the evaluation's tests, in hours from one moment."""

from __future__ import annotations

from typing import Any

from contract.facts import DEFAULT_PRIORITY, Alert, AlertState, Cause, EmptyAt, FlowRatio, Forecast, Priority
from contract.times import DAY_US, HOUR_US
from ingest.simulator import Label

ZERO_US = 20_000 * DAY_US


def at(hours: float) -> int:
    """So many hours after the moment that everything counts from."""
    return ZERO_US + round(hours * HOUR_US)


def line(
    cause: Cause,
    hours: float,
    state: AlertState = AlertState.ACTIVE,
    priority: Priority | None = None,
    alert_id: str | None = None,
    pump: str = "p",
) -> Alert:
    """One alert line; without an id it is that of its cause's only alert."""
    return Alert(
        pump=pump,
        at_us=at(hours),
        alert_id=alert_id or str(cause),
        cause=cause,
        state=state,
        priority=priority or DEFAULT_PRIORITY[cause],
        since_us=at(hours),
        text="said",
        evidence={},
    )


def fault(cause: Cause, onset: float, end: float | None = None, **more: Any) -> Label:
    """A labelled fault from `onset` to `end`, both in hours."""
    until_us = None if end is None else at(end)
    return Label(more.pop("pump", "p"), str(cause), str(cause), at(onset), until_us, **more)


def healthy(pump: str = "p", **more: Any) -> Label:
    """The label of a pump that is well."""
    return Label(pump, "healthy", None, at(0), **more)


def forecast(
    hours: float, early: float | None, median: float | None, late: float | None, dry: float | None = None
) -> Forecast:
    """A forecast made at `hours` that says when the reservoir is empty, in hours; `dry`: probability before the alarm."""
    told = [None if one is None else at(one) for one in (early, median, late)]
    return Forecast(
        pump="p",
        at_us=at(hours),
        flow_ratio=FlowRatio(mean=1.0, lo=0.9, hi=1.1),
        empty_at=EmptyAt(p05_us=told[0], p50_us=told[1], p95_us=told[2]),
        device_alarm_at_us=at(300.0),
        dry_before_alarm=dry,
        refill_due_us=None,
        refill_due_reason=None,
    )
