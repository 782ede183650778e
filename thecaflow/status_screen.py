"""The screen of `thecaflow status`: alerts, fleet, lag and rates as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from contract.times import DAY_US, HOUR_US, MINUTE_US
from storage.overview import OpenAlertRow
from thecaflow.overview import RATE_SPAN_US, Flow, Overview, by_harm

NARROWEST: Final = 120  # columns, where standard output is no terminal
STYLES: Final = {"high": "bold red", "medium": "yellow", "low": "cyan", "info": "dim"}
NO_ALERTS: Final = "no open alerts"
NO_PUMPS: Final = "no pump is known yet"
TABLE_FRAME: Final = 5
"""Lines of a table that are none of its rows: title, head and rules."""


def terminal() -> Console:
    """Standard output, wide enough for a table where it is a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, NARROWEST))


def show(found: Overview, pumps: int, console: Console) -> None:
    """Print the tables."""
    console.print(alert_table(found, found.alerts) if found.alerts else NO_ALERTS)
    console.print(fleet_table(found, pumps) if found.fleet else NO_PUMPS)
    console.print(lag_table(found))
    if (arrived := found.arrived) is not None:
        minutes = RATE_SPAN_US // MINUTE_US
        rate = f"{arrived.events / minutes:.0f} events and {arrived.samples / minutes:.0f} samples a minute"
        newest = (
            "" if arrived.newest_us is None else f", the newest {span(found.now_us - arrived.newest_us)} ago"
        )
        console.print(f"received in the last {minutes} minutes: {rate}{newest}")
    if found.unreachable is not None:
        console.print(f"[red]{found.unreachable}[/red]")


def alert_table(found: Overview, shown: Sequence[OpenAlertRow], *, one_line: bool = False) -> Table:
    """Return some of the open alerts; `one_line` cuts long texts off instead of folding them."""
    hidden = len(found.alerts) - len(shown)
    more = f", {hidden} more" if hidden else ""
    table = Table(title=f"{len(found.alerts)} open alerts{more}", title_justify="left")
    for name in ("priority", "cause", "pump", "state", "since", "harm from"):
        table.add_column(name, no_wrap=True)
    table.add_column("what to know", ratio=1, no_wrap=one_line)
    for alert in shown:
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


def fleet_table(found: Overview, pumps: int, *, one_line: bool = False) -> Table:
    """Return the first `pumps` of the fleet; `one_line` cuts long lists of causes off instead of folding them."""
    more = len(found.fleet) - pumps
    hidden = f", {more} more{'' if one_line else ' with --pumps 0'}" if more > 0 else ""
    table = Table(title=f"{len(found.fleet)} pumps by time to harm{hidden}", title_justify="left")
    for name in ("pump", "harm from", "empty (5 %)", "empty (median)", "own alarm", "refill due", "ratio"):
        table.add_column(name, no_wrap=True)
    table.add_column("alerts", ratio=1, no_wrap=one_line)
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


def lag_table(found: Overview) -> Table:
    """Return how far log and database are apart in each partition."""
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


class WatchScreen:
    """As much of everything as a terminal has lines for: what moves, alerts by time to harm, pumps, partitions.

    Parameters
    ----------
    found
        The newest look that succeeded; None before the first.
    moved
        What moved since the look before it.
    gateway
        What the gateway says, in a word or two.
    away
        Why the newest look failed; then `found` is an old one.
    every_s
        Shown, so that a person knows how old it may be.
    """

    def __init__(
        self,
        found: Overview | None,
        moved: Flow | None,
        gateway: str,
        away: str | None,
        now: str,
        every_s: float,
    ) -> None:
        self._found = found
        self._moved = moved
        self._gateway = gateway
        self._away = away
        self._now = now
        self._every_s = every_s

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield lines and tables that fit the height."""
        yield Text.assemble(
            ("thecaflow ", "bold"), self._now, f"  every {self._every_s:g} s, q ends  gateway {self._gateway}",
            no_wrap=True, overflow="ellipsis",
        )  # fmt: skip
        if self._away is not None:
            yield Text(f"trying again: {self._away}", style="red", no_wrap=True, overflow="ellipsis")
        if self._found is None:
            return
        yield Text(flow_in_words(self._found, self._moved), no_wrap=True, overflow="ellipsis")
        lines = (options.height or console.height) - 3
        yield from self._tables(self._found, lines)

    def _tables(self, found: Overview, lines: int) -> list[RenderableType]:
        partitions = TABLE_FRAME + len(found.lags)
        least = 2 * (TABLE_FRAME + 5)
        tables: list[RenderableType] = []
        if lines >= least + partitions:
            lines -= partitions
            tables.append(lag_table(found))
        alerts = min(
            len(found.alerts), max((lines - 2 * TABLE_FRAME) // 2, lines - 2 * TABLE_FRAME - len(found.fleet))
        )
        above: RenderableType = Text(NO_ALERTS)
        if found.alerts and alerts > 0:
            above = alert_table(found, by_harm(found.alerts)[:alerts], one_line=True)
        elif found.alerts:
            above = Text(f"{len(found.alerts)} open alerts")
        lines -= TABLE_FRAME + alerts if found.alerts and alerts > 0 else 1
        below: RenderableType = Text(NO_PUMPS)
        pumps = min(len(found.fleet), lines - TABLE_FRAME)
        if found.fleet and pumps > 0:
            below = fleet_table(found, pumps, one_line=True)
        elif found.fleet:
            below = Text(f"{len(found.fleet)} pumps")
        return [above, below, *tables]


def flow_in_words(found: Overview, moved: Flow | None) -> str:
    """Lag and rates in one line."""
    lag = "lag unknown" if found.lag is None else f"lag {found.lag:,} records"
    newest = max((lag.committed_us for lag in found.lags if lag.committed_us is not None), default=None)
    commit = "no commit yet" if newest is None else f"last commit {span(found.now_us - newest)} ago"
    if moved is None:
        return f"{lag}, {commit}"
    change = "" if moved.lag_change is None else f" ({moved.lag_change:+,} in {moved.seconds:.0f} s)"
    arriving = "unknown" if moved.arriving is None else f"{moved.arriving:,.0f}/s"
    return f"{lag}{change}, into the log {arriving}, into the database {moved.committed:,.0f}/s, {commit}"
