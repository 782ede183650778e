"""``thecaflow evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import msgspec

from contract.errors import UnusableInputError
from thecaflow.commands.simulate import Moment
from thecaflow.evaluation import pictures, tables
from thecaflow.evaluation.label_file import read_labels
from thecaflow.evaluation.pump_lines import PumpLines
from thecaflow.evaluation.result import Evaluation, evaluate
from thecaflow.evaluation.scores import PumpScore
from thecaflow.event_files import STDIN, size_of
from thecaflow.progress import bar

EPILOG: Final = """\b
Examples:
  thecaflow simulate --pumps 60 --fault stall:20 --labels truth.jsonl -o fleet.jsonl.zst
  thecaflow evaluate fleet.jsonl.zst truth.jsonl
  thecaflow evaluate fleet.jsonl.zst truth.jsonl --json result.json --report pictures/

\b
What counts: a fault is named by an alert of its cause from its onset to a day after its end; a cause that its label
lists as a consequence (also) is no mistake; any other high or medium alert is, beside a fault (wrong) or on a healthy
span (false). Intervals are 95 %, by a seeded bootstrap over pumps. A pump without a label is left out, and counted.
Memory holds a part of the pumps at a time; what does not fit waits in the system's temporary folder (TMPDIR).

\b
Exit codes: 0 evaluated (whatever the result), 2 unusable arguments, or a file that can't be read."""


@click.command(epilog=EPILOG)
@click.argument("events", metavar="EVENTS.jsonl", type=str)
@click.argument("labels", metavar="LABELS.jsonl", type=str)
@click.option(
    "--until", "until_us", type=Moment(), help="The horizon [default: the newest event of any pump]."
)
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write every number here."
)
@click.option(
    "--report", "report_folder", type=click.Path(file_okay=False, path_type=Path),
    help="Write pictures here: reliability.svg, delays.svg, confusion.svg.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Of the bootstrap."
)
def command(
    events: str,
    labels: str,
    until_us: int | None,
    json_path: Path | None,
    report_folder: Path | None,
    seed: int,
) -> int:
    """Grade the alerts and forecasts of a recording against the truth about it.

    EVENTS are JSON Lines in any order, LABELS what `thecaflow simulate --labels` writes; both also .gz or .zst.
    One of them may be -, standard input.
    """
    if events == labels == STDIN:
        raise click.UsageError("only one of EVENTS and LABELS can be standard input.")
    scores = _scores(events, labels, until_us)
    result = evaluate(scores, seed)
    if json_path is not None:
        _write_json(json_path, result)
    drawn = [] if report_folder is None else pictures.write(result, report_folder)
    tables.show(result, tables.wide_console())
    if drawn:
        click.echo(f"pictures: {', '.join(map(str, drawn))}", err=True)
    return 0


def _scores(events: str, labels: str, until_us: int | None) -> list[PumpScore]:
    truth = read_labels(labels)
    labelled = {str(label.cause) for told in truth.values() for label in told if label.cause is not None}
    scores: list[PumpScore] = []
    unlabelled = 0
    with PumpLines() as lines:
        with bar("reading", size_of((events,))) as advance:
            lines.read([events], advance)
        horizon_us = lines.horizon_us if until_us is None else until_us
        if horizon_us is None:
            raise UnusableInputError(f"{events} holds no event of any pump; the order is EVENTS LABELS")
        missing = truth.keys() - lines.pumps
        if len(missing) == len(truth):
            raise UnusableInputError(f"no pump of {labels} is in {events}: do they belong together?")
        from thecaflow.evaluation.fold_pump import score_lines  # noqa: PLC0415 - compiled kernels take a second to load

        with bar("folding", len(lines.pumps)) as advance:
            for pump, own in lines.by_pump():
                told = truth.get(pump)
                score = None if told is None else score_lines(own, told, horizon_us, labelled)
                unlabelled += told is None
                if score is not None:
                    scores.append(score)
                advance(1, text=pump)
    click.echo(
        f"evaluated {lines.events} events of {len(scores)} pumps; without a label {unlabelled}, labelled but without "
        f"events {len(missing)}, lines that name no pump {lines.unreadable}",
        err=True,
    )
    return scores


def _write_json(path: Path, result: Evaluation) -> None:
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    except OSError as failed:
        raise UnusableInputError(f"can't write {path}: {failed.strerror}") from failed
