"""What a person asks first: the fleet, the open alerts, how far the partitions are, what came in lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from storage.queries import named


@dataclass(frozen=True, slots=True)
class PumpOverview:
    """A pump's newest forecast; None where there is none. Times are microseconds since 1970."""

    pump: str
    forecast_us: int | None
    flow_ratio: float | None
    empty_p05_us: int | None
    empty_p50_us: int | None
    device_alarm_us: int | None
    refill_due_us: int | None


@dataclass(frozen=True, slots=True)
class OpenAlertRow:
    """The last line of an alert that is not cleared."""

    pump: str
    at_us: int
    cause: str
    alert_id: str
    state: str
    priority: str
    since_us: int
    harm_lo_us: int | None
    harm_hi_us: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Events and telemetry rows received since some moment, and when the newest of them was."""

    events: int
    samples: int
    newest_us: int | None


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far the database is in one partition."""

    partition: int
    next_offset: int
    committed_us: int


async def fleet(connection: Any, topic: str) -> list[PumpOverview]:
    """Return every pump that has a head state, by name."""
    return [PumpOverview(*row) for row in await connection.fetch(named("status_fleet"), topic)]


async def open_alerts(connection: Any) -> list[OpenAlertRow]:
    """Return the open alerts, pending ones too, in no particular order."""
    return [OpenAlertRow(*row) for row in await connection.fetch(named("status_alerts"))]


async def arrived(connection: Any, since_us: int) -> Arrived:
    """Return what was received after `since_us`."""
    return Arrived(*await connection.fetchrow(named("status_rates"), since_us))


async def progress(connection: Any, topic: str) -> list[PartitionProgress]:
    """Return the partitions that something was committed of."""
    return [PartitionProgress(*row) for row in await connection.fetch(named("status_progress"), topic)]
