"""``thecaflow status``."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from thecaflow.database_needed import database_needed
from thecaflow.overview import RATE_SPAN_US, Overview, as_json, gather
from thecaflow.settings import Settings

EPILOG = """\b
Examples:
  thecaflow status
  thecaflow status --pumps 0          every pump, not only the first 20
  thecaflow status --json | jq .lag.records

\b
Exit codes: 0 all could be asked, 1 the broker could not (lag unknown), 2 the database could not."""

NARROWEST: Final = 120  # columns, where standard output is no terminal
STYLES: Final = {"high": "bold red", "medium": "yellow", "low": "cyan", "info": "dim"}
DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000
MINUTE_US: Final = 60_000_000


@click.command(epilog=EPILOG)
@click.option("--pumps", type=click.IntRange(0), default=20, show_default=True, help="How many; 0: all.")
@click.option("--json", "json_", is_flag=True, help="Everything as one JSON object.")
def command(pumps: int, *, json_: bool) -> int:
    """Show the fleet by time to harm, open alerts, lag and rates."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own message says it once
    with database_needed():
        found = asyncio.run(gather(Settings.from_env(), time.time_ns() // 1000))
    if json_:
        click.echo(msgspec.json.encode(as_json(found)))
    else:
        show(found, pumps or len(found.fleet), terminal())
    return 0 if found.unreachable is None else 1


def terminal() -> Console:
    """Standard output, wide enough for a table where it is a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, NARROWEST))


def show(found: Overview, pumps: int, console: Console) -> None:
    """Print the tables."""
    console.print(_alerts(found) if found.alerts else "no open alerts")
    console.print(_fleet(found, pumps) if found.fleet else "no pump is known yet")
    console.print(_lag(found))
    arrived, minutes = found.arrived, RATE_SPAN_US // MINUTE_US
    rate = f"{arrived.events / minutes:.0f} events and {arrived.samples / minutes:.0f} samples a minute"
    newest = "" if arrived.newest_us is None else f", the newest {span(found.now_us - arrived.newest_us)} ago"
    console.print(f"received in the last {minutes} minutes: {rate}{newest}")
    if found.unreachable is not None:
        console.print(f"[red]{found.unreachable}[/red]")


def _alerts(found: Overview) -> Table:
    table = Table(title=f"{len(found.alerts)} open alerts", title_justify="left")
    for name in ("priority", "cause", "pump", "state", "since", "harm from"):
        table.add_column(name, no_wrap=True)
    table.add_column("what to know", ratio=1)
    for alert in found.alerts:
        table.add_row(
            f"[{STYLES[alert.priority]}]{alert.priority}[/]",
            alert.cause,
            alert.pump,
            alert.state,
            f"{span(found.now_us - alert.since_us)} ago",
            ahead(alert.harm_lo_us, found.now_us),
            alert.text,
        )
    return table


def _fleet(found: Overview, pumps: int) -> Table:
    hidden = f", {len(found.fleet) - pumps} more with --pumps 0" if len(found.fleet) > pumps else ""
    table = Table(title=f"{len(found.fleet)} pumps by time to harm{hidden}", title_justify="left")
    for name in ("pump", "harm from", "empty (5 %)", "empty (median)", "own alarm", "refill due", "ratio"):
        table.add_column(name, no_wrap=True)
    table.add_column("alerts", ratio=1)
    for one in found.fleet[:pumps]:
        pump = one.overview
        times = (one.harm_us, pump.empty_p05_us, pump.empty_p50_us, pump.device_alarm_us, pump.refill_due_us)
        table.add_row(
            pump.pump,
            *(ahead(at_us, found.now_us) for at_us in times),
            "" if pump.flow_ratio is None else f"{pump.flow_ratio:.3f}",
            ", ".join(f"[{STYLES[alert.priority]}]{alert.cause}[/]" for alert in one.alerts),
        )
    return table


def _lag(found: Overview) -> Table:
    total = "unknown" if found.lag is None else f"{found.lag} records"
    table = Table(title=f"lag: {total}", title_justify="left")
    for name in ("partition", "in the log", "in the database", "lag", "last commit"):
        table.add_column(name, justify="right")
    for lag in found.lags:
        table.add_row(
            str(lag.partition),
            "?" if lag.end is None else str(lag.end),
            str(lag.committed),
            "?" if lag.records is None else str(lag.records),
            "never" if lag.committed_us is None else f"{span(found.now_us - lag.committed_us)} ago",
        )
    return table


def ahead(at_us: int | None, now_us: int) -> str:
    """How far away a time is, in words."""
    if at_us is None:
        return ""
    return f"in {span(at_us - now_us)}" if at_us >= now_us else f"{span(now_us - at_us)} ago"


def span(length_us: int) -> str:
    """Return a length of time as a person says it, such as 12.5 d, 3.2 h, 4 min or 10 s."""
    for unit_us, name, digits in ((2 * DAY_US, "d", 1), (2 * HOUR_US, "h", 1), (2 * MINUTE_US, "min", 0)):
        if abs(length_us) >= unit_us:
            return f"{length_us / (unit_us // 2):.{digits}f} {name}"
    return f"{length_us / 1e6:.0f} s"
