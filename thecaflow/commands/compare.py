"""``thecaflow compare``."""

import asyncio

import click

from contract.errors import ThecaflowError, UnreachableError
from thecaflow.commands.simulate import Moment
from thecaflow.settings import Settings

EPILOG = """\b
Examples:
  thecaflow compare
  thecaflow compare --until 2026-01-31T00:00:00Z

\b
Exit codes: 0 equal, 1 different, 2 nothing could be compared (the message says what to do)."""


class UncomparableError(click.ClickException):
    """The database can't be read, or its states were written by other rules."""

    exit_code = 2

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        """Write the reason to standard error."""
        click.echo(f"thecaflow: {self.format_message()}", err=True)


@click.command(epilog=EPILOG)
@click.option("--until", "until_us", type=Moment(), help="Only facts up to this time [default: all].")
def command(until_us: int | None) -> int:
    """Compare the facts in the database with a fold of its own log, byte for byte.

    Dose, forecast and alert facts believed now, of the current run, against the same events folded anew, pump by pump on
    one snapshot, so that workers may go on meanwhile.
    """
    from thecaflow.comparison import compare, report  # noqa: PLC0415 - compiled kernels take a second to load

    try:
        found = asyncio.run(compare(Settings.from_env(), until_us))
    except UnreachableError as failed:
        raise UncomparableError(
            f"{failed}. `make up` starts it; THECAFLOW_DATABASE says where it is."
        ) from failed
    except ThecaflowError as failed:
        raise UncomparableError(str(failed)) from failed
    click.echo(report(found))
    return 0 if found.equal else 1
