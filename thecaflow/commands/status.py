"""``thecaflow status``."""

from __future__ import annotations

import asyncio
import logging
import time

import click
import msgspec

from thecaflow.database_needed import database_needed
from thecaflow.lengths import Length
from thecaflow.overview import Overview, as_json, gather
from thecaflow.settings import Settings
from thecaflow.status_screen import show, terminal
from thecaflow.status_watch import repeat, watch

EPILOG = """\b
Examples:
  thecaflow status
  thecaflow status --pumps 0          every pump, not only the first 20
  thecaflow status --json | jq .lag.records
  thecaflow status --watch            refreshed every 2 s, until q or Ctrl-C
  thecaflow status --watch --every 10s --json >> status.jsonl

\b
--watch shows alerts by time to harm, and rates since the last refresh; it waits for a database or gateway that is away.
Where standard output is no terminal it prints everything each time.
Exit codes: 0 all could be asked, 1 the broker could not (lag unknown), 2 the database could not."""


@click.command(epilog=EPILOG)
@click.option("--pumps", type=click.IntRange(0), default=20, show_default=True, help="How many; 0: all.")
@click.option("--json", "json_", is_flag=True, help="Everything as one JSON object.")
@click.option("--watch", "watching", is_flag=True, help="Again and again, until q or Ctrl-C.")
@click.option(
    "--every", type=Length(0.2), default="2s", show_default=True, help="With --watch: between refreshes."
)
def command(pumps: int, *, json_: bool, watching: bool, every: float) -> int:
    """Show the fleet by time to harm, open alerts, lag and rates."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own message says it once
    settings = Settings.from_env()
    if watching:
        console = terminal()
        if console.is_terminal and not json_:
            return asyncio.run(watch(settings, console, every))
        return asyncio.run(repeat(settings, every, lambda found: _print(found, pumps, json_=json_)))
    with database_needed():
        found = asyncio.run(gather(settings, time.time_ns() // 1000))
    _print(found, pumps, json_=json_)
    return 0 if found.unreachable is None else 1


def _print(found: Overview, pumps: int, *, json_: bool) -> None:
    if json_:
        click.echo(msgspec.json.encode(as_json(found)))
    else:
        show(found, pumps or len(found.fleet), terminal())
