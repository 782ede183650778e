"""``thecaflow export``."""

import asyncio
import sys

import click

from contract.codec import wire_to_json
from contract.errors import InvalidTimeError
from contract.times import parse_rfc3339
from storage import log, pool
from storage.migrate import require_current
from thecaflow.settings import Settings


@click.command(
    epilog="\b\nExamples:\n  thecaflow export > EVENTS.jsonl\n  thecaflow export --pump p-007 | thecaflow analyse -"
)
@click.option("--pump", metavar="P", help="Only this pump's events.")
@click.option("--until", metavar="TIME", help="Only events that begin at or before this time (RFC 3339).")
def command(pump: str | None, until: str | None) -> None:
    """Write the log of record to standard output: JSON Lines with `received`, always in the same order.

    All events, also those that lost a conflict of ids, so that folding the export gives the facts of the database.
    Records that could not be decoded are no events: they are left out, and stand in the table quarantine with their bytes.
    """
    asyncio.run(_export(Settings.from_env(), pump, _until_us(until)))


def _until_us(until: str | None) -> int | None:
    if until is None:
        return None
    try:
        return parse_rfc3339(until)
    except InvalidTimeError as refused:
        raise click.BadParameter(f"{until!r} {refused}", param_hint="--until") from refused


async def _export(settings: Settings, pump: str | None, until_us: int | None) -> None:
    write = sys.stdout.buffer.write
    async with pool.single(settings) as connection:
        await require_current(connection)
        async for wire in log.export(connection, pump, until_us):
            write(wire_to_json(wire) + b"\n")
    sys.stdout.buffer.flush()
