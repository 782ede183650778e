"""``thecaflow replay``."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from contract.errors import UnusableInputError
from ingest.producer import BoundedProducer
from ingest.replay import ReplayOptions, replay
from ingest.replay_report import Report, Tally
from ingest.replay_source import Source
from ingest.replay_targets import GatewayTarget, KafkaTarget, Target
from thecaflow.settings import Settings

EXAMPLES = """\b
Examples:
  thecaflow replay fleet.jsonl.zst --token "$TOKEN"
  thecaflow simulate --pumps 10 --end now | thecaflow replay - --token "$TOKEN" --speed 3600x
  thecaflow replay fleet.jsonl --to kafka --speed max
  thecaflow replay big.jsonl.gz --token "$TOKEN" --state big.state     run again: goes on where it was

\b
Event times are kept as they are, `received` too where the token may replay. Sending a line twice changes nothing: its
id makes one event of both. Exit 1 if a line was refused or the replay could not be finished."""


class Speed(click.ParamType):
    """A factor such as 1x or 60x, or max (None)."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Return how many times faster than recorded; None for max."""
        if value is None or value == "max":
            return None
        matched = re.fullmatch(r"([0-9]*\.?[0-9]+)x?", str(value))
        if matched is None or float(matched[1]) <= 0:
            self.fail(f"{value!r} is not a speed such as 1x, 60x or max", param, ctx)
        return float(matched[1])


@click.command(epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...|-")
@click.option("--to", "to", type=click.Choice(["gateway", "kafka"]), default="gateway", show_default=True)
@click.option(
    "--speed", type=Speed(), default="max", show_default=True, help="1x as recorded, 60x, ..., or max."
)
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Events a second, instead of the recorded times."
)
@click.option("--url", help="The gateway [default: the settings' one].")
@click.option("--token", envvar="THECAFLOW_TOKEN", help="Bearer token; better in THECAFLOW_TOKEN.")
@click.option(
    "--batch",
    type=click.IntRange(1, 5000),
    default=200,
    show_default=True,
    help="Most events in one request.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=6,
    show_default=True,
    help="Requests at once; a pump keeps to one.",
)
@click.option("--sort", is_flag=True, help="Read everything first and send it in the order of `received`.")
@click.option("--resume-from", type=click.IntRange(0), default=0, help="Leave out so many lines.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Resume file: how many lines are acknowledged.",
)
@click.option(
    "--give-up", type=click.FloatRange(0), default=300.0, show_default=True, help="Seconds of retries."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one line of JSON.")
def command(files: tuple[str, ...], to: str, *, as_json: bool, **options: Any) -> int:
    """Send recorded events to the gateway, or straight into Kafka."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(message)s", force=True
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if options["rate"] is not None and options["speed"] is not None:
        raise click.UsageError("--rate and --speed exclude each other")
    if options["resume_from"] and options["state"] is not None:
        raise click.UsageError("--resume-from and --state exclude each other")
    source = Source(files)
    chosen = ReplayOptions(
        speed=options["speed"],
        rate_events_s=options["rate"],
        batch=options["batch"],
        lanes=options["connections"],
        sort=options["sort"],
        resume_from=options["resume_from"],
        state=options["state"],
        give_up_s=options["give_up"],
    )

    async def main() -> Report:
        target = await _target(to, options["url"], options["token"], chosen)
        try:
            with _progress(source) as progress:
                return await replay(source, target, chosen, progress)
        finally:
            await target.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(main())
    click.echo(msgspec.json.encode(report).decode() if as_json else _text(report))
    return 0 if report.finished and report.refused == 0 else 1


async def _target(to: str, url: str | None, token: str | None, options: ReplayOptions) -> Target:
    settings = Settings.from_env()
    if to == "gateway":
        if not token:
            raise UnusableInputError(
                "--token or THECAFLOW_TOKEN is needed; `thecaflow token add --replay` makes one"
            )
        return GatewayTarget(
            url or f"http://{settings.bind_host}:{settings.gateway_port}", token, options.lanes
        )
    producer = BoundedProducer(
        settings.kafka, settings.events_topic, delivery_timeout_s=15.0, client_id="thecaflow-replay"
    )
    await producer.start()
    await producer.until_connected(15.0)
    return KafkaTarget(producer)


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[Tally, Source], None]]:
    """Show a bar on standard error while a person looks at it."""
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.fields[done]:,} in the log"),
        TextColumn("{task.fields[troubles]}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
    ) as bar:
        task = bar.add_task("", total=source.size or None, done=0, troubles="")

        def show(tally: Tally, read: Source) -> None:
            counts = (
                ("quarantined", tally.quarantined),
                ("refused", tally.refused),
                ("retries", tally.retries),
            )
            troubles = ", ".join(f"{count} {name}" for name, count in counts if count)
            bar.update(
                task, completed=read.position, done=tally.accepted + tally.quarantined, troubles=troubles
            )

        yield show


def _text(report: Report) -> str:
    latency = report.latency
    counts = (
        f"sent {report.sent}, acknowledged {report.acknowledged} (quarantined {report.quarantined} of them)"
    )
    rest = {"refused": report.refused, "skipped": report.skipped, "retries": report.retries}
    troubles = "".join(f", {name} {count}" for name, count in rest.items() if count or name == "refused")
    speed = f"{report.seconds:.1f} s, {report.rate_events_s:.0f} events/s"
    percentiles = f"p50 {latency.p50_ms:.1f}, p90 {latency.p90_ms:.1f}, p99 {latency.p99_ms:.1f}"
    lines = [counts + troubles, f"{speed}, latency ms: {percentiles}, max {latency.max_ms:.1f}"]
    lines += [f"{count:8d}  {reason}" for reason, count in report.reasons.items()]
    return "\n".join(lines)
