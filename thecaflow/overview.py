"""Gathers what `thecaflow status` shows: fleet by time to harm, open alerts, lag, rates."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contract.errors import ThecaflowError
from contract.facts import PRIORITY_RANK, Priority
from contract.times import format_us
from storage import overview, pool
from storage.migrate import require_current
from storage.overview import Arrived, OpenAlertRow, PartitionProgress, PumpOverview
from thecaflow.settings import Settings
from thecaflow.topics import end_offsets

RATE_SPAN_US: Final = 5 * 60 * 1_000_000
BROKER_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Lag:
    """One partition: records in the log, records in the database. `end` None: the broker did not say."""

    partition: int
    end: int | None
    committed: int
    committed_us: int | None

    @property
    def records(self) -> int | None:
        """How many are not in the database yet."""
        return None if self.end is None else max(self.end - self.committed, 0)


@dataclass(frozen=True, slots=True)
class FleetPump:
    """A pump with its open alerts, the gravest first. `harm_us`: the earliest time that harm is expected of any."""

    overview: PumpOverview
    alerts: tuple[OpenAlertRow, ...]
    harm_us: int | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that is shown. `unreachable`: why the broker could not be asked. `arrived` None: nobody asked."""

    now_us: int
    fleet: tuple[FleetPump, ...]
    alerts: tuple[OpenAlertRow, ...]
    lags: tuple[Lag, ...]
    arrived: Arrived | None
    unreachable: str | None

    @property
    def lag(self) -> int | None:
        """Records in all that are not in the database yet; None while a partition's end is not known."""
        lags = [lag.records for lag in self.lags]
        return None if self.unreachable else sum(records or 0 for records in lags)


async def gather(settings: Settings, now_us: int, *, arrived: bool = True) -> Overview:
    """Ask database and broker. Raises ThecaflowError where the database can't be read; without a broker lag is unknown.

    `arrived` False leaves out what came in lately, which is counted event by event: too dear to ask again and again.
    """
    async with pool.single(settings) as connection:
        await require_current(connection)
        pumps = await overview.fleet(connection, settings.events_topic)
        alerts = await overview.open_alerts(connection)
        lately = await overview.arrived(connection, now_us - RATE_SPAN_US) if arrived else None
        found, unreachable = await _lags(connection, settings)
    return assemble(now_us, pumps, alerts, lately, found, unreachable)


def assemble(
    now_us: int,
    pumps: Iterable[PumpOverview],
    alerts: Iterable[OpenAlertRow],
    arrived: Arrived | None,
    lags: Iterable[Lag],
    unreachable: str | None,
) -> Overview:
    """Put everything in its order: alerts by gravity, pumps by time to harm."""
    ordered = tuple(sorted(alerts, key=_gravity))
    by_pump: dict[str, list[OpenAlertRow]] = defaultdict(list)
    for alert in ordered:
        by_pump[alert.pump].append(alert)
    return Overview(
        now_us=now_us,
        fleet=tuple(sorted((_fleet_pump(pump, by_pump[pump.pump]) for pump in pumps), key=_nearness)),
        alerts=ordered,
        lags=tuple(lags),
        arrived=arrived,
        unreachable=unreachable,
    )


async def lags(settings: Settings) -> list[Lag]:
    """How far database and log are apart. Raises ThecaflowError where either can't be asked."""
    async with pool.single(settings) as connection:
        committed = await overview.progress(connection, settings.events_topic)
    return lags_of(await end_offsets(settings), committed)


def lags_of(ends: Mapping[int, int | None], committed: Iterable[PartitionProgress]) -> list[Lag]:
    """Return each partition of the log with how far the database is in it."""
    rows = {row.partition: row for row in committed}
    return [
        Lag(number, end, rows[number].next_offset, rows[number].committed_us)
        if number in rows
        else Lag(number, end, 0, None)
        for number, end in sorted(ends.items())
    ]


async def _lags(connection: Any, settings: Settings) -> tuple[list[Lag], str | None]:
    committed = await overview.progress(connection, settings.events_topic)
    try:
        async with asyncio.timeout(BROKER_WITHIN_S):
            return lags_of(await end_offsets(settings), committed), None
    except TimeoutError:
        silent = f"no Kafka answers at {settings.kafka} within {BROKER_WITHIN_S:g} s"
        return lags_of(dict.fromkeys(row.partition for row in committed), committed), silent
    except ThecaflowError as failed:
        return lags_of(dict.fromkeys(row.partition for row in committed), committed), str(failed)


def by_harm(alerts: Iterable[OpenAlertRow]) -> list[OpenAlertRow]:
    """Return alerts by time to harm: the nearest first, those without one after them, the louder of equals first."""
    return sorted(
        alerts,
        key=lambda alert: (math.inf if alert.harm_lo_us is None else alert.harm_lo_us, _gravity(alert)),
    )


@dataclass(frozen=True, slots=True)
class Flow:
    """What moved between two looks: records into the log and into the database, a second, and the lag's change."""

    seconds: float
    arriving: float | None
    committed: float
    lag_change: int | None


def flow(before: Overview, after: Overview) -> Flow | None:
    """Return what moved; None for looks that are not apart. What the broker did not say is None."""
    seconds = (after.now_us - before.now_us) / 1e6
    if seconds <= 0:
        return None
    committed = sum(lag.committed for lag in after.lags) - sum(lag.committed for lag in before.lags)
    known = before.lag is not None and after.lag is not None
    ends = [sum(lag.end or 0 for lag in look.lags) for look in (before, after)]
    return Flow(
        seconds=seconds,
        arriving=(ends[1] - ends[0]) / seconds if known else None,
        committed=committed / seconds,
        lag_change=after.lag - before.lag if after.lag is not None and before.lag is not None else None,
    )


def _fleet_pump(pump: PumpOverview, alerts: list[OpenAlertRow]) -> FleetPump:
    harms = [alert.harm_lo_us for alert in alerts if alert.harm_lo_us is not None]
    return FleetPump(pump, tuple(alerts), min(harms, default=None))


def _gravity(alert: OpenAlertRow) -> tuple[int, float, int, str]:
    """Loudest first, then nearest harm, then oldest."""
    rank = PRIORITY_RANK[Priority(alert.priority)]
    return (-rank, math.inf if alert.harm_lo_us is None else alert.harm_lo_us, alert.since_us, alert.alert_id)


def _nearness(pump: FleetPump) -> tuple[float, float, int, str]:
    """Nearest expected harm first, then nearest early empty time, then loudest."""
    loudest = max((PRIORITY_RANK[Priority(alert.priority)] for alert in pump.alerts), default=-1)
    early = pump.overview.empty_p05_us
    return (
        math.inf if pump.harm_us is None else pump.harm_us,
        math.inf if early is None else early,
        -loudest,
        pump.overview.pump,
    )


def as_json(found: Overview) -> dict[str, Any]:
    """Everything as plain JSON, times as RFC 3339."""
    return {
        "at": format_us(found.now_us),
        "fleet": [
            {
                "pump": one.overview.pump,
                "harm_at": _time(one.harm_us),
                "empty_at_p05": _time(one.overview.empty_p05_us),
                "empty_at_p50": _time(one.overview.empty_p50_us),
                "device_alarm_at": _time(one.overview.device_alarm_us),
                "refill_due": _time(one.overview.refill_due_us),
                "flow_ratio": one.overview.flow_ratio,
                "alerts": [alert.alert_id for alert in one.alerts],
            }
            for one in found.fleet
        ],
        "alerts": [
            {
                "pump": alert.pump,
                "alert_id": alert.alert_id,
                "cause": alert.cause,
                "state": alert.state,
                "priority": alert.priority,
                "since": format_us(alert.since_us),
                "harm_at": {"lo": _time(alert.harm_lo_us), "hi": _time(alert.harm_hi_us)},
                "text": alert.text,
            }
            for alert in found.alerts
        ],
        "lag": {"records": found.lag, "unreachable": found.unreachable},
        "partitions": [
            {
                "partition": lag.partition,
                "end": lag.end,
                "committed": lag.committed,
                "lag": lag.records,
                "committed_at": _time(lag.committed_us),
            }
            for lag in found.lags
        ],
        "last_5_minutes": None
        if found.arrived is None
        else {
            "events": found.arrived.events,
            "samples": found.arrived.samples,
            "newest_received": _time(found.arrived.newest_us),
        },
    }


def _time(at_us: int | None) -> str | None:
    return None if at_us is None else format_us(at_us)
