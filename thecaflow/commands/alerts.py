"""``thecaflow alerts``."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import click
import httpx
from rich.markup import escape
from rich.table import Table

from contract.facts import PRIORITY_RANK, AlertState, Cause, Priority
from thecaflow.console_client import LIMIT, ConsoleClient, ShownAlert
from thecaflow.settings import Settings
from thecaflow.status_screen import STYLES, ahead, span, terminal
from thecaflow.token_option import token_option

EPILOG: Final = """\b
Examples:
  thecaflow alerts                                  what is open, the nearest harm first
  thecaflow alerts --priority high --site ward-b
  thecaflow alerts --state cleared --pump pump-0007
  thecaflow alerts --json | jq -r .alert_id

\b
It asks the console (THECAFLOW_CONSOLE_URL) with the token of a viewer, operator or admin, and shows the pumps of that
token. `thecaflow ack` and `thecaflow shelve` answer. Exit codes: 0 asked, 1 the console is away or refuses."""
NEVER_US: Final = 2**63


@click.command(epilog=EPILOG)
@click.option(
    "--state",
    type=click.Choice([state.value for state in AlertState]),
    help="Only these; cleared: from the history.",
)
@click.option(
    "--cause", type=click.Choice([cause.value for cause in Cause]), metavar="CAUSE", help="Only this one."
)
@click.option("--site", help="Only this one.")
@click.option("--pump", help="Only this one.")
@click.option(
    "--priority", type=click.Choice([priority.value for priority in Priority]), help="Only this one."
)
@click.option("--all", "all_", is_flag=True, help="Pending ones too, whose on-delay still runs.")
@click.option("--json", "json_", is_flag=True, help="JSON Lines, an alert each.")
@token_option
def command(token: str, *, all_: bool, json_: bool, **wanted: str | None) -> int:
    """List the open alerts, the nearest harm first."""
    found = asyncio.run(_asked(token, wanted))
    complete = len(found) < LIMIT
    if not all_ and wanted["state"] is None:
        found = [(alert, raw) for alert, raw in found if alert.state != AlertState.PENDING]
    found.sort(key=lambda pair: _urgency(pair[0]))
    if json_:
        for _, raw in found:
            click.echo(raw)
    else:
        _show([alert for alert, _ in found], time.time_ns() // 1000)
    if not complete:
        click.echo(
            f"thecaflow: only the first {LIMIT} were asked for; narrow it by --site or --priority", err=True
        )
    return 0


async def _asked(token: str, wanted: dict[str, str | None]) -> list[tuple[ShownAlert, bytes]]:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await ConsoleClient(client, Settings.from_env().console_url, token).alerts(wanted)


def _urgency(alert: ShownAlert) -> tuple[int, int, int]:
    harm_us = NEVER_US if alert.harm_us is None else alert.harm_us
    return harm_us, -PRIORITY_RANK.get(Priority(alert.priority), 0), alert.since_us


def _show(alerts: list[ShownAlert], now_us: int) -> None:
    console = terminal()
    if not alerts:
        console.print("no such alerts")
        return
    table = Table(title=f"{len(alerts)} alerts", title_justify="left")
    for name in ("harm from", "priority", "cause", "pump", "site", "state", "since", "alert"):
        table.add_column(name, no_wrap=True)
    table.add_column("what to know", ratio=1)
    for alert in alerts:
        style = STYLES.get(alert.priority, "none")
        table.add_row(
            ahead(alert.harm_us, now_us),
            f"[{style}]{plain(alert.priority)}[/]",
            plain(alert.cause),
            plain(alert.pump),
            plain(alert.site or ""),
            plain(alert.state),
            f"{span(now_us - alert.since_us)} ago",
            plain(alert.alert_id),
            plain(alert.text),
        )
    console.print(table)


def plain(text: str) -> str:
    """Return text that comes from elsewhere as a terminal may show it: no control characters, no markup."""
    return escape("".join(mark if mark.isprintable() else " " for mark in text))
