"""What the pages show beside the present: an alert's lines, a pump's ledgers, forecasts, channels and events, and search."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from contract.codec import decode_msgpack, with_received
from contract.events import CHANNELS, Event
from contract.facts import Quarantined
from contract.times import SECOND_US
from storage.queries import named


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One line of an alert; `line` is the fact itself, which holds the evidence."""

    pump: str
    at_us: int
    cause: str
    state: str
    priority: str
    since_us: int
    harm_lo_us: int | None
    harm_hi_us: int | None
    text: str
    line: str


@dataclass(frozen=True, slots=True)
class AlertFound:
    """An alert by its last line, open or cleared."""

    pump: str
    site: str | None
    cause: str
    alert_id: str
    state: str
    priority: str
    since_us: int
    at_us: int
    harm_lo_us: int | None
    harm_hi_us: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSearch:
    """What is searched for; None asks for everything. `after` continues behind an alert's `since_us` and id."""

    pump: str | None = None
    pump_part: str | None = None
    cause: str | None = None
    site: str | None = None
    priority: str | None = None
    state: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    after: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class DoseSpan:
    """Dose windows added up; None where nothing is known."""

    from_us: int
    to_us: int
    programmed_ul: float | None
    programmed_ug: float | None
    sensed_ul: float | None
    sensed_ug: float | None
    tip_ug: float | None
    bolus_ul: float | None
    priming_ul: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """A forecast; None where it says nothing."""

    at_us: int
    flow_ratio: float | None
    flow_ratio_lo: float | None
    flow_ratio_hi: float | None
    empty_p05_us: int | None
    empty_p50_us: int | None
    empty_p95_us: int | None
    device_alarm_us: int | None
    dry_before_alarm: float | None
    refill_due_us: int | None
    refill_due_reason: str | None


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel in buckets: lists as long as `Channels.at_us`, None where the device reported nothing."""

    name: str
    mean: list[float | None]
    least: list[float | None]
    greatest: list[float | None]


@dataclass(frozen=True, slots=True)
class Channels:
    """Telemetry in time buckets; only channels that reported something."""

    at_us: list[int]
    rows: int
    channels: list[Channel]


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event that is no telemetry, at its corrected time."""

    at_us: int
    received_us: int | None
    event: Event


async def head(connection: Any, topic: str, pump: str) -> bytes | None:
    """Return a pump's head state as the worker wrote it; None where nobody has folded it."""
    return cast("bytes | None", await connection.fetchval(named("page_head"), topic, pump))


async def log_and_head(connection: Any, topic: str, pump: str) -> tuple[list[bytes], bytes | None]:
    """Return the wire bytes of a pump's whole log, `received` set, and its head state, of one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        events = await connection.fetch(named("snapshot_events"), pump)
        blob = await head(connection, topic, pump)
    return [with_received(raw, us) if us is not None else raw for raw, us in events], blob


async def alert_lines(connection: Any, alert_id: str) -> list[AlertLine]:
    """Return what was said of an alert and is believed now, oldest first; empty where nobody knows the id."""
    return [AlertLine(*row) for row in await connection.fetch(named("page_alert_lines"), alert_id)]


async def find_alerts(
    connection: Any,
    search: AlertSearch,
    limit: int,
    *,
    pumps: Collection[str] | None = None,
    sites: Collection[str] | None = None,
) -> list[AlertFound]:
    """Return alerts that began last first, only of `pumps` or `sites` where either is given (the viewer's scope)."""
    after_us, after_id = search.after or (None, None)
    rows = await connection.fetch(
        named("page_alerts"),
        search.pump_part,
        search.cause,
        search.site,
        search.priority,
        search.from_us,
        search.to_us,
        None if pumps is None else sorted(pumps),
        None if sites is None else sorted(sites),
        search.state,
        after_us,
        after_id,
        limit,
        search.pump,
    )
    return [AlertFound(*row) for row in rows]


async def doses(connection: Any, pump: str, from_us: int, to_us: int, span_s: float) -> list[DoseSpan]:
    """Return the dose windows that end in (`from_us`, `to_us`], added up over spans of `span_s`."""
    rows = await connection.fetch(named("page_dose"), pump, from_us, to_us, span_s)
    return [DoseSpan(*row) for row in rows]


async def forecasts(
    connection: Any, pump: str, from_us: int, to_us: int, span_s: float
) -> list[ForecastPoint]:
    """Return the last forecast in each span of `span_s`, oldest first."""
    rows = await connection.fetch(named("page_forecasts"), pump, from_us, to_us, span_s)
    return [ForecastPoint(*row) for row in rows]


async def channels(connection: Any, pump: str, from_us: int, to_us: int, buckets: int) -> Channels:
    """Return telemetry from `from_us` to `to_us` in about `buckets` buckets, averaged by the database."""
    rows = await connection.fetch(
        named("page_channels"), pump, from_us, to_us, _width_s(from_us, to_us, buckets)
    )
    found = []
    for number, name in enumerate(CHANNELS):
        mean, least, greatest = ([row[2 + 3 * number + part] for row in rows] for part in range(3))
        if any(reading is not None for reading in mean):
            found.append(Channel(name, mean, least, greatest))
    return Channels([row[0] for row in rows], sum(row[1] for row in rows), found)


async def levels(
    connection: Any, pump: str, from_us: int, to_us: int, buckets: int
) -> list[tuple[int, float]]:
    """Return the reservoir's own readings, time and mL, in about `buckets` buckets; empty where it reports none."""
    rows = await connection.fetch(
        named("page_level"), pump, from_us, to_us, _width_s(from_us, to_us, buckets)
    )
    return [(row[0], row[1]) for row in rows]


def _width_s(from_us: int, to_us: int, buckets: int) -> float:
    return max(1.0, math.ceil((to_us - from_us) / SECOND_US / buckets))


async def events(
    connection: Any, pump: str, before_us: int, limit: int, types: Sequence[str] | None = None
) -> list[PastEvent]:
    """Return the newest events that are no telemetry, newest first; `types` None: of any type."""
    rows = await connection.fetch(named("page_events"), pump, before_us, types, limit)
    decoded = ((row["at"], row["received"], decode_msgpack(row["payload"])) for row in rows)
    return [
        PastEvent(at, received, event)
        for at, received, event in decoded
        if not isinstance(event, Quarantined)
    ]
