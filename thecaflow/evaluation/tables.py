"""An evaluation as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from contract.times import format_us
from thecaflow.evaluation.bars import Verdict, shown
from thecaflow.evaluation.bootstrap import Estimate
from thecaflow.evaluation.result import NOTHING, CauseResult, Evaluation

WIDTH = 190
_MOST_LAPSES = 12
_HEADS = (
    "cause",
    "faults",
    "recall %",
    "precision %",
    "before harm %",
    "right cause %",
    "delay p50 / p90 / p95",
    "false a year",
)


def causes(result: Evaluation) -> Table:
    """One line a cause, the pooled one last; every share with its 95 % interval."""
    title = (
        f"{result.pumps} pumps, {result.healthy_pumps} of them healthy; {result.years:.1f} pump-years, "
        f"{result.healthy_years:.1f} without a fault"
    )
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in _HEADS:
        table.add_column(name, no_wrap=name == "cause", justify="left" if name == "cause" else "right")
    for one in result.causes:
        table.add_row(*_row(one))
    table.add_section()
    table.add_row(*_row(result.pooled))
    return table


def _row(one: CauseResult) -> tuple[str, ...]:
    faults = f"{one.faults} + {one.unobservable} unseen" if one.unobservable else str(one.faults)
    if not one.faults and not one.unobservable:
        faults = f"none, said {one.wrong + one.false} x"
    delays = " / ".join(length(estimate) for estimate in one.delays_s)
    return (
        one.cause,
        faults,
        *(shown(share).replace(" %", "") for share in (one.recall, one.precision, one.in_time, one.right)),
        delays if one.recall.value else "-",
        shown(one.false_per_year, percent=False),
    )


def confusion(result: Evaluation) -> Table:
    """Labelled cause against what was said first, consequences aside."""
    columns = columns_of(result)
    table = Table(title="what was said first", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("labelled", no_wrap=True)
    for number, name in enumerate(columns):
        head = str(number) if name in result.confusion else name
        table.add_column(head, justify="right", no_wrap=True)
    for number, (cause, row) in enumerate(result.confusion.items()):
        table.add_row(f"{number} {cause}", *(_count(row.get(name, 0), own=name == cause) for name in columns))
    return table


def columns_of(result: Evaluation) -> list[str]:
    """What the confusion's columns stand for: the causes that were labelled, then others that were said."""
    others = {name for row in result.confusion.values() for name in row}
    return [*result.confusion, *sorted(others - {*result.confusion, NOTHING}), NOTHING]


def _count(number: int, *, own: bool) -> str:
    if not number:
        return "."
    return f"[bold]{number}[/]" if own else f"[red]{number}[/]"


def lapses(result: Evaluation) -> str:
    """What went wrong most often, each with an example to look at."""
    told = [
        f"  {one.count} x {one.cause} {one.how}, {one.kind}: {one.pump}"
        + ("" if one.at_us is None else f" at {format_us(one.at_us)[:16]}")
        for one in result.lapses[:_MOST_LAPSES]
    ]
    more = len(result.lapses) - len(told)
    tail = [f"  and {more} other ways, in the JSON"] if more else []
    return "\n".join(
        ["missed, wrong and false, with an example each:", *told, *tail] if told else ["nothing went wrong"]
    )


def forecasts(result: Evaluation) -> str:
    """Coverage and loss of the forecasts in three lines."""
    told = result.forecasts
    if not told.forecasts:
        return "forecasts: no label tells when a reservoir would run dry"
    came = " / ".join(shown(estimate) for estimate in told.quantiles)
    return (
        f"forecasts of the empty time: {told.forecasts} of {told.pumps} pumps; truth by p05 / p50 / p95: {came}\n"
        f"coverage of p05-p95: {shown(told.coverage)}, 90 % is calibrated\n"
        f"pinball loss, share of the time left: {shown(told.loss)}, by the prior alone {shown(told.prior_loss)}: "
        f"{shown(told.gain)} less"
    )


def show(result: Evaluation, console: Console) -> None:
    """Print everything."""
    console.print(causes(result))
    console.print(confusion(result))
    console.print(lapses(result), markup=False, soft_wrap=True)
    console.print(forecasts(result), markup=False, soft_wrap=True)


def wide_console() -> Console:
    """A console whose tables keep their width where standard output is a file."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def bars(verdicts: Sequence[Verdict]) -> Table:
    """Each bar, what was found, and whether it holds."""
    passed = sum(one.passed for one in verdicts)
    title = f"bars: {passed} of {len(verdicts)} hold"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "asked", "found", ""):
        table.add_column(name, no_wrap=True)
    for one in verdicts:
        table.add_row(one.what, one.asked, one.found, "holds" if one.passed else "[bold red]FAILS[/]")
    return table


def length(estimate: Estimate) -> str:
    """A delay in the unit that fits it."""
    return "-" if estimate.value is None else seconds(estimate.value)


def seconds(number: float) -> str:
    """Seconds in the unit that fits them."""
    if math.isinf(number):
        return "never"
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if abs(number) >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g} s"
