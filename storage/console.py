"""What a console reads again and again: every pump, every open alert, and a few figures of the store itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from contract.errors import UnreachableError
from storage.queries import named
from storage.restoring import refuse_restoring

HANDLED: Final = frozenset({"acknowledged", "shelved"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpNow:
    """A pump's newest registration and forecast, and when it was last heard of. None: not stated, or not known."""

    pump: str
    site: str | None = None
    model: str | None = None
    reservoir_ml: float | None = None
    low_reservoir_ml: float | None = None
    dead_volume_ul: float | None = None
    min_rate_ul_h: float | None = None
    max_rate_ul_h: float | None = None
    flow_tolerance: float | None = None
    pressure_limit_kpa: float | None = None
    stability_days: float | None = None
    upload_every_s: float | None = None
    high_risk: bool | None = None
    explanted: bool = False
    """Taken out for good; its history stays."""
    received_us: int | None = field(default=None, compare=False)
    """When its last event was received; no change of the pump by itself."""
    forecast_us: int | None = None
    flow_ratio: float | None = None
    flow_ratio_lo: float | None = None
    flow_ratio_hi: float | None = None
    empty_p05_us: int | None = None
    empty_p50_us: int | None = None
    empty_p95_us: int | None = None
    device_alarm_us: int | None = None
    dry_before_alarm: float | None = None
    refill_due_us: int | None = None
    refill_due_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNow:
    """The last line of an alert that is open: pending, active, acknowledged, latched or shelved."""

    alert_id: str
    pump: str
    site: str | None
    cause: str
    state: str
    priority: str
    at_us: int
    since_us: int
    harm_lo_us: int | None
    harm_hi_us: int | None
    text: str
    written_us: int
    """When this line was committed, by the database's clock."""

    @property
    def handled(self) -> bool:
        """Whether somebody answered it."""
        return self.state in HANDLED

    @property
    def condition_on(self) -> bool:
        """Whether what it says still holds."""
        return self.state != "latched"


class Watermark(NamedTuple):
    """Another one means that something was committed since."""

    offsets: int
    run_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All pumps by name, and the open alerts, the most urgent first: of one moment."""

    watermark: Watermark
    pumps: Mapping[str, PumpNow]
    alerts: tuple[AlertNow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the store says of itself; `quarantined_recent` in the last ten minutes."""

    outbox_waiting: int
    database_bytes: int
    quarantined_recent: int


async def watermark(connection: Any, topic: str) -> Watermark:
    """Return where the commits are: cheap enough to ask several times a second."""
    return Watermark(*await connection.fetchrow(named("console_watermark"), topic))


async def fleet(connection: Any, topic: str) -> Fleet:
    """Return every pump and every open alert, of one moment.

    Raises UnreachableError while a database is being restored: tables without their rows look as if every alert had ended.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await refuse_restoring(connection)
        mark = await watermark(connection, topic)
        if mark.run_id is None:
            raise UnreachableError("the database has no current run: it is not restored, or not whole")
        pumps = await connection.fetch(named("console_pumps"), topic)
        alerts = await connection.fetch(named("console_alerts"))
    return Fleet(
        watermark=mark,
        pumps={row["pump"]: PumpNow(**row) for row in pumps},
        alerts=tuple(AlertNow(**row) for row in alerts),
    )


async def figures(connection: Any) -> Figures:
    """Return the store's figures; the size of the database costs a look at each of its files."""
    return Figures(**await connection.fetchrow(named("console_figures")))
