"""``thecaflow compare``."""

import asyncio

import click

from thecaflow.commands.simulate import Moment
from thecaflow.database_needed import database_needed
from thecaflow.settings import Settings

EPILOG = """\b
Examples:
  thecaflow compare
  thecaflow compare --until 2026-01-31T00:00:00Z

\b
Exit codes: 0 equal, 1 different, 2 nothing could be compared (the message says what to do)."""


@click.command(epilog=EPILOG)
@click.option("--until", "until_us", type=Moment(), help="Only facts up to this time [default: all].")
def command(until_us: int | None) -> int:
    """Compare the facts in the database with a fold of its own log, byte for byte.

    Dose, forecast and alert facts believed now, of the current run, against the same events folded anew, pump by pump on
    one snapshot, so that workers may go on meanwhile.
    """
    from thecaflow.comparison import compare, report  # noqa: PLC0415 - compiled kernels take a second to load

    with database_needed():
        found = asyncio.run(compare(Settings.from_env(), until_us))
    click.echo(report(found))
    return 0 if found.equal else 1
