"""``thecaflow load``."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import uvloop

from contract.times import format_us
from thecaflow.cli import EXIT_INTERRUPTED
from thecaflow.lengths import Length
from thecaflow.load.compare import comparison_table
from thecaflow.load.html import comparison_page, page
from thecaflow.load.plan import LoadPlan, pumps_needed
from thecaflow.load.report import LoadReport
from thecaflow.load.run import LoadOptions, run_load
from thecaflow.load.tables import summary
from thecaflow.progress import Advance, bar
from thecaflow.settings import Settings

EXAMPLES: Final = """\b
Examples:
  thecaflow load --rate 200 --duration 30s
  thecaflow load --rate 1000 --samples 12 --duration 10m --report load-1000 --note "2 workers"
  thecaflow load --rate 1000 --frames-per-post 1 --token "$TOKEN" --url https://gateway.example
  thecaflow load --compare before/load.json after/load.json

\b
The schedule is an open loop: posts leave at their due times whatever was answered before, and latencies count from there,
so that a slow system makes a queue and not a slower test. Percentiles over time: due to answer, the gateway's `received`
to the row in the database (progress is read every 50 ms), due to the row. At the end every acknowledged id is looked up
in the database. A run has pumps of its own, named after it, and takes them out of watch at its end; what it stored stays.
Ctrl-C ends the schedule, and reports what was done; a second one ends at once.

\b
Exit codes: 0 all that was acknowledged is in the database, 1 something of it is not, or the run could not begin, 2 wrong
usage, 130 ended by Ctrl-C."""


@click.command(epilog=EXAMPLES)
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 1_000_000),
    default=100.0,
    show_default=True,
    help="Frames a second.",
)
@click.option(
    "--samples", type=click.IntRange(1, 5_000), default=12, show_default=True, help="Rows of a frame."
)
@click.option(
    "--duration", type=Length(1.0), default="1m", show_default=True, help="Measured part: 30s, 10m, 2h."
)
@click.option(
    "--warm-up",
    type=Length(),
    default="10s",
    show_default=True,
    help="Sent before it, not in the percentiles; 0s: none.",
)
@click.option(
    "--pumps",
    type=click.IntRange(1, 1_000_000),
    help="Size of the fleet [default: as many as the rate takes].",
)
@click.option(
    "--period", type=Length(0.001), default="1s", show_default=True, help="Between two samples of a pump."
)
@click.option(
    "--frames-per-post",
    type=click.IntRange(1, 1_000),
    default=10,
    show_default=True,
    help="Of as many pumps, as a relay sends them.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 1_000),
    default=32,
    show_default=True,
    help="Posts under way at once, at most.",
)
@click.option(
    "--patience",
    type=Length(),
    default="10s",
    show_default=True,
    help="What waits longer for a connection is not sent.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Of the sensors' noise."
)
@click.option("--url", help="The gateway [default: THECAFLOW_GATEWAY_URL, else its port on this machine].")
@click.option(
    "--token", envvar="THECAFLOW_TOKEN", help="Bearer token [default: one is made for the run, and revoked]."
)
@click.option("--note", default="", help="Said in the report: what this run was about.")
@click.option(
    "--report",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for load.json and load.html [default: load-TIME].",
)
@click.option(
    "--compare",
    nargs=2,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="A.json B.json",
    help="Print two reports side by side; with --report DIR also DIR/compare.html.",
)
def command(*, folder: Path | None, compare: tuple[Path, Path] | None, **options: Any) -> int:
    """Send a simulated fleet's telemetry at a stated rate, and report what became of it."""
    if compare is not None:
        return _compare(compare, folder)
    plan = _plan(options)
    settings = Settings.from_env()
    target = LoadOptions(
        url=options["url"] or settings.gateway_url, token=options["token"] or None, note=options["note"]
    )
    folder = folder or Path(f"load-{format_us(time.time_ns() // 1000)[:19].replace(':', '')}Z")
    _make(folder)
    report = _run(settings, plan, target)
    (folder / "load.json").write_bytes(report.encoded())
    (folder / "load.html").write_text(page(report))
    click.echo(summary(report))
    click.echo(f"report      {folder / 'load.html'}, {folder / 'load.json'}")
    if not report.sound:
        return 1
    return 0 if report.finished else EXIT_INTERRUPTED


def _plan(options: dict[str, Any]) -> LoadPlan:
    period_s, duration_s = options["period"], options["duration"]
    needed = pumps_needed(options["rate"], options["samples"], period_s)
    return LoadPlan(
        rate_frames_s=options["rate"],
        samples=options["samples"],
        duration_s=duration_s,
        warm_up_s=options["warm_up"],
        pumps=options["pumps"] or max(needed, options["frames_per_post"]),
        period_s=period_s,
        frames_a_post=options["frames_per_post"],
        connections=options["connections"],
        patience_s=options["patience"],
        interval_s=10.0 if duration_s >= 300 else 5.0 if duration_s >= 60 else 1.0,
        seed=options["seed"],
    )


def _run(settings: Settings, plan: LoadPlan, options: LoadOptions) -> LoadReport:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")

    async def main() -> LoadReport:
        stop = asyncio.Event()
        loop, run = asyncio.get_running_loop(), asyncio.current_task()

        def interrupted() -> None:
            if stop.is_set() and run is not None:
                run.cancel()
            stop.set()
            click.echo("ending the schedule; once more to end without a report", err=True)

        loop.add_signal_handler(signal.SIGINT, interrupted)
        try:
            return await run_load(settings, plan, options, stop, _phase)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


@contextmanager
def _phase(name: str, total: float | None) -> Iterator[Advance]:
    """Show a phase as a bar, or as a line where nobody watches a terminal."""
    if not sys.stderr.isatty():
        click.echo(name, err=True)
    with bar(name, total) as advance:
        yield advance


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failed:
        raise click.UsageError(f"--report {folder}: {failed.strerror}") from None


def _compare(paths: tuple[Path, Path], folder: Path | None) -> int:
    first, second = (LoadReport.read(path) for path in paths)
    names = (str(paths[0]), str(paths[1]))
    click.echo(comparison_table(first, second, names))
    if folder is not None:
        _make(folder)
        target = folder / "compare.html"
        target.write_text(comparison_page(first, second, names))
        click.echo(f"\n{target}")
    return 0
