"""``thecaflow rebuild``."""

import asyncio

import click

from thecaflow.settings import Settings

EPILOG = """\b
After an upgrade that changed the rules (a worker says so and ends with exit 7):
  SIGTERM to every worker
  thecaflow rebuild
  thecaflow compare        says "equal"
  thecaflow worker

\b
Exit codes: 0 rebuilt, 1 refused or failed (nothing has changed; the message says what to do), 2 wrong usage."""


@click.command(epilog=EPILOG)
def command() -> None:
    """Fold the whole log anew by the present rules, and make that current.

    Facts, head states and checkpoints of every pump, in one transaction: until its end everybody reads what was believed
    before, which stays in the tables under its own run. Stop the workers first; events go on being taken meanwhile. Facts
    that differ from what was believed are put into the outbox.
    """
    from thecaflow.rebuilding import rebuild_all  # noqa: PLC0415 - compiled kernels take a second to load

    click.echo(asyncio.run(rebuild_all(Settings.from_env())).in_words())
