"""``thecaflow migrate``."""

import asyncio

import click

from storage import pool
from storage.migrate import migrate
from thecaflow.settings import Settings


@click.command(epilog="\b\nExamples:\n  thecaflow migrate")
def command() -> None:
    """Bring the database's tables up to date; safe to repeat, and by several at once."""
    applied = asyncio.run(_migrate(Settings.from_env()))
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do: the database is up to date")


async def _migrate(settings: Settings) -> list[str]:
    async with pool.single(settings) as connection:
        return await migrate(connection)
