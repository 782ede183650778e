"""`thecaflow simulate`: a seeded fleet of pumps, or the founding case, as contract events with a labels file."""

from __future__ import annotations

import gzip
import math
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import click
import zstandard

from contract.errors import InvalidTimeError
from contract.events import CHANNELS
from contract.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US, format_us, parse_rfc3339
from ingest import simulator
from ingest.simulation.designs import MAKERS
from ingest.simulation.founding import DEFAULT_DAYS, SENSORS

DEFAULT_START: Final = "2026-01-01T00:00:00Z"
_UNITS_US: Final = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US}


class Duration(click.ParamType):
    """A length such as 30s, 10m, 4h or 1d, as microseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Microseconds of the text."""
        if isinstance(value, int):
            return value
        matched = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(s|m|min|h|d)", str(value))
        if matched is None or float(matched[1]) <= 0:
            self.fail(f"{value!r} is not a length such as 30s, 10m, 4h or 1d", param, ctx)
        return round(float(matched[1]) * _UNITS_US[matched[2][0]])


class Moment(click.ParamType):
    """An RFC 3339 time or `now`, as microseconds since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Microseconds of the text; `now` is cut to the whole second."""
        if isinstance(value, int):
            return value
        if value == "now":
            return int(time.time()) * SECOND_US
        try:
            return parse_rfc3339(str(value))
        except InvalidTimeError as refused:
            self.fail(f"{value!r} {refused}", param, ctx)


class Names(click.ParamType):
    """Comma-separated names out of a known list."""

    name = "names"

    def __init__(self, known: tuple[str, ...]) -> None:
        self._known = known

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split the text into names, in their order."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        unknown = [name for name in names if name not in self._known]
        if unknown or not names:
            self.fail(
                f"unknown {', '.join(unknown) or 'empty list'}; choose from {', '.join(self._known)}",
                param,
                ctx,
            )
        return names


EXAMPLES: Final = """\b
Examples:
  thecaflow simulate --pumps 50 --days 30 --seed 7 -o fleet.jsonl.zst --labels truth.jsonl
  thecaflow simulate --fault occlusion:2@12 --fault stall:pump-0003@20 --fault early_empty | thecaflow analyse -
  thecaflow simulate --pumps 10 --end now --healthy-share 0.5 | thecaflow replay - --to gateway --speed max
  thecaflow simulate --case founding --flow-ratio 1.145 | thecaflow analyse -
  thecaflow simulate --case founding --rate 30 --days 200
  thecaflow simulate --stress --pumps 40 --fault leak:10 --labels truth.jsonl -o strained.jsonl.zst

\b
A fault is KIND[:PUMP|COUNT][@DAY][+DAYS]: on a pump by name or on so many, from a day of the run, for so many days
(default: one pump, a day by lot, for good). Kinds:
  """ + "\n  ".join(
    ", ".join(sorted(simulator.KINDS)[start : start + 6]) for start in range(0, len(simulator.KINDS), 6)
)


@click.command(epilog=EXAMPLES)
@click.option(
    "--pumps", type=click.IntRange(1, 100_000), default=None, help="Size of the fleet [default: 10]."
)
@click.option(
    "--days",
    type=click.FloatRange(0, 36_500, min_open=True),
    default=None,
    help="Length of the run [default: 30].",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Same seed, same bytes."
)
@click.option("--start", type=Moment(), default=None, help=f"First moment [default: {DEFAULT_START}].")
@click.option(
    "--end", type=Moment(), default=None, help="Last moment, instead of --start; `now` is understood."
)
@click.option("--period", type=Duration(), default=None, help="Sampling period [default: 10m; founding 1h].")
@click.option(
    "--upload", type=Duration(), default=None, help="Time between uploads [default: 4h; founding 1d]."
)
@click.option(
    "--fault", "faults", multiple=True, metavar="KIND[:PUMP|COUNT][@DAY][+DAYS]", help="May be repeated."
)
@click.option(
    "--healthy-share",
    type=click.FloatRange(0, 1),
    default=None,
    help="Share of pumps without a fault; the others get one by lot [default: 0.7, or all if --fault is given].",
)
@click.option(
    "--makers", type=Names(MAKERS), default=None, help=f"Out of {', '.join(MAKERS)}; repeat one to weigh it."
)
@click.option(
    "--channels",
    type=Names(CHANNELS),
    default=None,
    help="Telemetry columns of all pumps [default: by maker].",
)
@click.option(
    "--stress",
    is_flag=True,
    help="Draw makers, flow, sampling (1 s to 15 min), uploads, channels, noise and length of each recording far outside"
    " the defaults, with sensors that drift, stick and vanish.",
)
@click.option("--prefix", default="pump", show_default=True, help="Pumps are named PREFIX-0001 and so on.")
@click.option(
    "--labels", "labels_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the truth here."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, allow_dash=True, path_type=str), default="-",
    help="File (.gz and .zst are compressed) or - for standard output [default: -].",
)  # fmt: skip
@click.option(
    "--case", type=click.Choice(["founding"]), default=None, help="A built-in scenario instead of a fleet."
)
@click.option(
    "--flow-ratio", type=click.FloatRange(0.01, 10), default=None, help="Founding: true / programmed flow."
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=None,
    help="Founding: ug/day from day 0 on.",
)
@click.option(
    "--sensors", type=Names(CHANNELS), default=None, help=f"Founding: columns [default: {','.join(SENSORS)}]."
)
@click.option("--pump", default=None, help="Founding: name of the pump [default: founding].")
def command(**options: Any) -> None:
    """Write the events of simulated pumps as JSON Lines, in the order in which a gateway received them."""
    plan = _founding(options) if options["case"] else _fleet(options)
    try:
        if isinstance(plan, simulator.FoundingPlan):
            cases = [simulator.founding_case(plan)]
        else:
            cases = simulator.draw_fleet(plan)
    except simulator.FaultRequestError as refused:
        raise click.UsageError(str(refused)) from None
    if options["labels_path"] is not None:
        lines = b"".join(simulator.encode_label(label) + b"\n" for label in simulator.labels(cases))
        with _refusal():
            options["labels_path"].write_bytes(lines)
    with _refusal(), _opened(options["output"]) as sink:
        written = _write(sink, simulator.events(cases), cases[0].start_us, cases[0].end_us)
    click.echo(
        f"simulated {len(cases)} pump{'s' * (len(cases) > 1)} from {format_us(cases[0].start_us)} to "
        f"{format_us(cases[0].end_us)}: {written} events, seed {options['seed']}",
        err=True,
    )


def _span(options: dict[str, Any], days: float) -> tuple[int, int]:
    if options["start"] is not None and options["end"] is not None:
        raise click.UsageError("--start and --end exclude each other: the length is --days.")
    length_us = round(days * DAY_US)
    if options["end"] is not None:
        return options["end"] - length_us, options["end"]
    start_us = parse_rfc3339(DEFAULT_START) if options["start"] is None else options["start"]
    return start_us, start_us + length_us


def _refuse(options: dict[str, Any], names: Iterable[str], why: str) -> None:
    given = [f"--{name.replace('_', '-').rstrip('s') if name == 'faults' else name.replace('_', '-')}"
             for name in names if options[name] not in (None, ())]  # fmt: skip
    if given:
        raise click.UsageError(f"{', '.join(given)}: {why}")


def _fleet(options: dict[str, Any]) -> simulator.FleetPlan:
    _refuse(options, ("flow_ratio", "rate", "sensors", "pump"), "only with --case founding")
    if options["stress"]:
        _refuse(options, ("makers", "period", "upload"), "not with --stress, which draws its own")
    try:
        requests = tuple(simulator.parse_fault(text) for text in options["faults"])
    except simulator.FaultRequestError as refused:
        raise click.UsageError(str(refused)) from None
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,50}", options["prefix"]):
        raise click.UsageError("--prefix: 1 to 50 of A-Z a-z 0-9 . _ -")
    start_us, end_us = _span(options, options["days"] or 30.0)
    plan = simulator.FleetPlan(
        seed=options["seed"],
        pumps=options["pumps"] or 10,
        start_us=start_us,
        end_us=end_us,
        uplink=_uplink(options, 10 * MINUTE_US, 4 * HOUR_US),
        prefix=options["prefix"],
        faults=requests,
        healthy_share=options["healthy_share"],
        channels=options["channels"],
        stress=options["stress"],
    )
    if options["makers"]:
        plan = replace(plan, makers=options["makers"])
    return plan


def _founding(options: dict[str, Any]) -> simulator.FoundingPlan:
    _refuse(options, ("pumps", "faults", "healthy_share", "makers", "channels"), "not with --case founding")
    if options["stress"]:
        raise click.UsageError("--stress: not with --case founding")
    days = options["days"] or DEFAULT_DAYS
    start_us, _ = _span(options, days)
    uplink = _uplink(options, HOUR_US, DAY_US)
    quiet = simulator.Uplink(uplink.period_us, uplink.upload_us, 0.0, 0.0, 0.0, latency_s=0.0, in_step=True)
    return simulator.FoundingPlan(
        seed=options["seed"],
        fill_us=start_us,
        days=days,
        uplink=quiet,
        pump=options["pump"] or "founding",
        flow_ratio=options["flow_ratio"] or 1.0,
        rate_ug_day=options["rate"],
        sensors=options["sensors"] or SENSORS,
    )


def _uplink(options: dict[str, Any], period_us: int, upload_us: int) -> simulator.Uplink:
    period_us, upload_us = options["period"] or period_us, options["upload"] or upload_us
    if upload_us < period_us:
        raise click.UsageError("--upload: can't be shorter than --period, there would be nothing to send.")
    return simulator.Uplink(period_us, upload_us)


@contextmanager
def _refusal() -> Iterator[None]:
    """Report a file that can't be written: it is a wrong argument; a closed pipe is the reader's choice."""
    try:
        yield
    except BrokenPipeError:
        # Python would complain again when it flushes at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(0) from None
    except OSError as failed:
        raise click.UsageError(f"can't write {failed.filename or 'the output'}: {failed.strerror}") from None


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Open the output, compressed by its suffix, without a timestamp inside so that equal runs give equal files."""
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif path.endswith(".gz"):
        with Path(path).open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
            yield cast(BinaryIO, packed)
    elif path.endswith(".zst"):
        with Path(path).open("wb") as raw, zstandard.ZstdCompressor(level=6).stream_writer(raw) as stream:
            yield stream
    else:
        with Path(path).open("wb") as plain:
            yield plain


def _write(sink: BinaryIO, lines: Iterable[simulator.Line], start_us: int, end_us: int) -> int:
    """Write all lines, moving a bar over simulated time; the number written."""
    hours = max(math.ceil((end_us - start_us) / HOUR_US), 1)
    written, shown = 0, 0
    with click.progressbar(
        length=hours, label="simulating", file=sys.stderr, update_min_steps=6, hidden=not sys.stderr.isatty()
    ) as bar:
        for line in lines:
            sink.write(line.json + b"\n")
            written += 1
            hour = min((line.received_us - start_us) // HOUR_US, hours)
            if hour > shown:
                bar.update(hour - shown)
                shown = hour
    return written
