"""``thecaflow explain``."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from contract.facts import Cause
from thecaflow import svg
from thecaflow.commands.simulate import Moment
from thecaflow.database_needed import database_needed
from thecaflow.settings import Settings

if TYPE_CHECKING:
    from thecaflow.explaining.finding import Found, Wanted

_ID: Final = re.compile(r"[0-9a-f]{16}")
_TRACED: Final = 160
EPILOG: Final = """\b
Examples:
  thecaflow explain 3f0c9a54d1b2e687 january.jsonl.zst
  thecaflow explain --pump p-007 --cause occlusion fleet.jsonl --plot why.svg
  thecaflow explain 3f0c9a54d1b2e687 --plot why.svg       from the database, no files needed
  thecaflow simulate --pumps 1 --fault stall@20 | thecaflow explain --cause motor_stall -

\b
Exit codes: 0 explained, 1 no such alert (those that there are are listed), 2 unusable arguments, files or database."""


@click.command(epilog=EPILOG)
@click.argument("arguments", nargs=-1, metavar="[ALERT_ID] [EVENTS.jsonl...]")
@click.option(
    "--pump", metavar="P", help="The pump whose alert it is; needed beside --cause for more than one pump."
)
@click.option("--cause", type=click.Choice([cause.value for cause in Cause]), metavar="CAUSE",
              help="The last alert of this cause, instead of an ALERT_ID.")  # fmt: skip
@click.option("--until", "until_us", type=Moment(), help="The horizon [default: the newest event].")
@click.option("--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.svg",
              help="Draw the channels, the thresholds and the score around the alarm, too.")  # fmt: skip
def command(
    arguments: tuple[str, ...],
    pump: str | None,
    cause: str | None,
    until_us: int | None,
    picture: Path | None,
) -> int:
    """Explain an alert: what was said and when, on what evidence, what its detector knew, what would end it.

    EVENTS are files as `thecaflow analyse` reads them (also .gz, .zst, or - for standard input); they are folded anew.
    Without files the pump's log of record is read from the database, and folded by the same code.
    """
    alert_id, files = _split(arguments, cause)
    if len(set(files)) < len(files):
        raise click.UsageError("a file is named twice; name each one once.")
    if not files and cause is not None and pump is None:
        raise click.UsageError("say whose alert with --pump, or name files of events.")
    from thecaflow.explaining import finding, plot, text  # noqa: PLC0415 - kernels take a second to load
    from thecaflow.explaining.account import account_of  # noqa: PLC0415

    wanted = finding.Wanted(alert_id=alert_id, cause=cause, pump=pump)
    found = finding.from_files(files, wanted, until_us) if files else _from_database(wanted, until_us)
    account = account_of(found, traced=_TRACED if picture else 0)
    click.echo(text.told(account))
    if picture is not None:
        svg.write(picture, plot.drawn(account))
        click.echo(f"drawn: {picture}", err=True)
    return 0


def _split(arguments: tuple[str, ...], cause: str | None) -> tuple[str | None, tuple[str, ...]]:
    """(the id, the files): an id comes first unless a cause is given."""
    if cause is not None:
        if arguments and _ID.fullmatch(arguments[0]) and not Path(arguments[0]).exists():
            raise click.UsageError("name an ALERT_ID or a --cause, not both.")
        return None, arguments
    if not arguments:
        raise click.UsageError("say which alert: its id, or --pump and --cause.")
    if not _ID.fullmatch(arguments[0]):
        raise click.UsageError(
            f"{arguments[0]!r} is no alert id (16 hexadecimal characters, as in the facts): name one first, or --cause."
        )
    return arguments[0], arguments[1:]


def _from_database(wanted: Wanted, until_us: int | None) -> Found:
    from thecaflow.explaining import finding  # noqa: PLC0415

    with database_needed():
        found = asyncio.run(finding.from_database(Settings.from_env(), wanted, until_us))
    if isinstance(found, finding.NoSuchAlertError):
        raise found
    return found
