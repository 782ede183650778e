"""What each pump is, by its newest registration that counts: table `pump`, kept by the commit that stores registrations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contract.codec import decode_msgpack
from contract.events import PumpRegistered
from storage.pgcopy import printable
from storage.queries import named


async def refresh(connection: Any, pumps: Sequence[str] | None = None) -> None:
    """Write the rows of these pumps (None: of all) anew from the log of record; call it inside a transaction."""
    newest = [
        (row["pump"], row["at"], decode_msgpack(row["payload"]))
        for row in await connection.fetch(named("registrations_newest"), pumps)
    ]
    rows = [_row(pump, at, event) for pump, at, event in newest if isinstance(event, PumpRegistered)]
    await connection.execute(named("registrations_forget"), pumps, [row[0] for row in rows])
    if rows:
        await connection.execute(named("registrations_write"), *map(list, zip(*rows, strict=True)))


async def mark_explanted(connection: Any, pumps: Sequence[str]) -> None:
    """Write whether these pumps were taken out, as far as they have rows; call it after `refresh`, in its transaction."""
    await connection.execute(named("registrations_explanted"), pumps)


async def site_of(connection: Any, pump: str) -> str | None:
    """Return the site of a pump; None where it is not registered, or states none."""
    site: str | None = await connection.fetchval(named("pump_site"), pump)
    return site


def _row(pump: str, at_us: int, event: PumpRegistered) -> tuple[Any, ...]:
    return (
        pump,
        at_us,
        None if event.site is None else printable(event.site),
        printable(event.model),
        event.reservoir_ml,
        event.low_reservoir_ml,
        event.dead_volume_ul,
        event.min_rate_ul_h,
        event.max_rate_ul_h,
        event.flow_tolerance,
        event.pressure_limit_kpa,
        event.stability_days,
        event.upload_every_s,
        event.high_risk,
    )
