"""What the JSON API says: structs with times in RFC 3339, made from the snapshot and from the history."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from contract.times import format_us
from dashboards.console.snapshot import AlertNow, PumpNow
from storage.history import AlertFound, AlertLine

Time = Annotated[
    str,
    msgspec.Meta(
        description="RFC 3339, UTC.",
        examples=["2026-01-31T08:00:00.000000Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
Priority = Literal["high", "medium", "low", "info"]
OpenState = Literal["pending", "active", "acknowledged", "latched", "shelved"]
State = Literal["pending", "active", "acknowledged", "latched", "shelved", "cleared"]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, description="Why, in a person's words.")]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Earliest and latest."""

    lo: Time | None
    hi: Time | None


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Of the time at which the reservoir is empty."""

    p05: Time | None
    p50: Time | None
    p95: Time | None


class FlowRatioOut(msgspec.Struct, frozen=True, kw_only=True):
    """Delivered / programmed."""

    mean: float | None
    lo: float | None
    hi: float | None


class ForecastOut(msgspec.Struct, frozen=True, kw_only=True):
    """A pump's newest forecast."""

    at: Time
    flow_ratio: FlowRatioOut
    empty_at: Quantiles
    device_alarm_at: Time | None
    dry_before_alarm: float | None
    refill_due: Time | None
    refill_due_reason: str | None


class PumpOut(msgspec.Struct, frozen=True, kw_only=True):
    """A pump: its registration, its newest forecast, when it was last heard of."""

    pump: str
    site: str | None
    model: str | None
    reservoir_ml: float | None
    low_reservoir_ml: float | None
    dead_volume_ul: float | None
    min_rate_ul_h: float | None
    max_rate_ul_h: float | None
    flow_tolerance: float | None
    pressure_limit_kpa: float | None
    stability_days: float | None
    upload_every_s: float | None
    high_risk: bool | None
    received: Time | None
    forecast: ForecastOut | None
    alerts: list[str]
    """`alert_id` of its open alerts, the most urgent first."""


class AlertOut(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of an alert."""

    alert_id: str
    pump: str
    site: str | None
    cause: str
    state: State
    priority: Priority
    at: Time
    since: Time
    harm_at: Interval | None
    text: str


class Pumps(msgspec.Struct, frozen=True, kw_only=True):
    """Pumps in the order of their names, as of `at`; `next`: ask for more with `after` = this."""

    version: int
    at: Time
    pumps: list[PumpOut]
    next: str | None


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts as of `at`: open ones the most urgent first, cleared ones the newest first."""

    version: int
    at: Time
    alerts: list[AlertOut]


class PumpWithAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """A pump and its open alerts."""

    pump: PumpOut
    alerts: list[AlertOut]


class AlertWithLines(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, open or cleared, and all that was said of it: alert facts of the contract, oldest first."""

    alert: AlertOut
    lines: list[dict[str, Any]]


class Acknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody saw the alert and acts."""

    reason: Reason


class Shelve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody puts the alert aside until a time, 24 h ahead at most."""

    reason: Reason
    until: Time


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The answer is in the log; the alert changes a moment later."""

    event_id: str
    received: Time


class LoginLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that logs in once, as whoever asked for it."""

    url: str
    expires: Time


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["up"]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether pages can be served, and what for."""

    ready: bool
    snapshot: bool
    tokens: bool
    database: bool


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


def time_or_none(at_us: int | None) -> str | None:
    """Return a time as it is written; None stays None."""
    return None if at_us is None else format_us(at_us)


def pump_out(pump: PumpNow, alerts: list[str]) -> PumpOut:
    """Return a pump as the API says it."""
    return PumpOut(
        pump=pump.pump,
        site=pump.site,
        model=pump.model,
        reservoir_ml=pump.reservoir_ml,
        low_reservoir_ml=pump.low_reservoir_ml,
        dead_volume_ul=pump.dead_volume_ul,
        min_rate_ul_h=pump.min_rate_ul_h,
        max_rate_ul_h=pump.max_rate_ul_h,
        flow_tolerance=pump.flow_tolerance,
        pressure_limit_kpa=pump.pressure_limit_kpa,
        stability_days=pump.stability_days,
        upload_every_s=pump.upload_every_s,
        high_risk=pump.high_risk,
        received=time_or_none(pump.received_us),
        forecast=None if pump.forecast_us is None else _forecast_out(pump, pump.forecast_us),
        alerts=alerts,
    )


def _forecast_out(pump: PumpNow, at_us: int) -> ForecastOut:
    return ForecastOut(
        at=format_us(at_us),
        flow_ratio=FlowRatioOut(mean=pump.flow_ratio, lo=pump.flow_ratio_lo, hi=pump.flow_ratio_hi),
        empty_at=Quantiles(
            p05=time_or_none(pump.empty_p05_us),
            p50=time_or_none(pump.empty_p50_us),
            p95=time_or_none(pump.empty_p95_us),
        ),
        device_alarm_at=time_or_none(pump.device_alarm_us),
        dry_before_alarm=pump.dry_before_alarm,
        refill_due=time_or_none(pump.refill_due_us),
        refill_due_reason=pump.refill_due_reason,
    )


def alert_out(alert: AlertNow | AlertFound) -> AlertOut:
    """Return an alert as the API says it."""
    return _alert(alert, alert.alert_id, alert.site)


def last_line_out(line: AlertLine, alert_id: str, site: str | None) -> AlertOut:
    """Return an alert by the last of its lines."""
    return _alert(line, alert_id, site)


def _alert(said: AlertNow | AlertFound | AlertLine, alert_id: str, site: str | None) -> AlertOut:
    no_harm = said.harm_lo_us is None and said.harm_hi_us is None
    harm = Interval(lo=time_or_none(said.harm_lo_us), hi=time_or_none(said.harm_hi_us))
    return AlertOut(
        alert_id=alert_id,
        pump=said.pump,
        site=site,
        cause=said.cause,
        state=said.state,  # type: ignore[arg-type]  # the fold writes no other
        priority=said.priority,  # type: ignore[arg-type]
        at=format_us(said.at_us),
        since=format_us(said.since_us),
        harm_at=None if no_harm else harm,
        text=said.text,
    )
