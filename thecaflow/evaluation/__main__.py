"""What `make evaluate` runs: the normal and the stress fleet, their evaluations, and the bars they are held against."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console

from contract.errors import ThecaflowError
from thecaflow.evaluation import bars, fleets, pictures, tables
from thecaflow.evaluation.result import Evaluation, evaluate

_EVERY_S: Final = 30.0

EPILOG: Final = """\b
Examples:
  python -m thecaflow.evaluation --seed 7 --folder evaluation
  python -m thecaflow.evaluation --seed 7 --folder quick --share 0.02 --only normal

\b
Interrupted, it goes on where it stood if it is called with the same folder and seed. Exit codes: 0 every bar holds,
1 one does not, 2 wrong usage."""


@click.command(epilog=EPILOG)
@click.option(
    "--seed", type=click.IntRange(0, 2**62), required=True, help="Of the fleets and of the bootstrap."
)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), required=True,
    help="Where scores, numbers (JSON) and pictures go.",
)  # fmt: skip
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--share", type=click.FloatRange(0, 10, min_open=True), default=1.0, show_default=True,
    help="Size of the fleets; below 1 the bars on their size fail.",
)  # fmt: skip
@click.option("--only", type=click.Choice(["normal", "stress"]), default=None, help="One of the two fleets.")
def main(seed: int, folder: Path, processes: int, share: float, only: str | None) -> None:
    """Simulate the fleets, fold them, print how well faults were found and whether that is good enough."""
    console = tables.wide_console()
    console.print(f"seed {seed}")
    wanted = [
        (fleets.normal(seed, share), bars.NORMAL),
        (fleets.stress(seed, 0.5 * share), bars.STRESS),
    ]
    passed = True
    for fleet, asked in wanted:
        if only in (None, fleet.name):
            result = _run(fleet, folder, processes, console)
            verdicts = bars.judge(result, asked)
            console.print(f"\n{fleet.name}")
            tables.show(result, console)
            console.print(tables.bars(verdicts))
            passed = passed and all(one.passed for one in verdicts)
    console.print("evaluation passed" if passed else "evaluation FAILED")
    raise click.exceptions.Exit(0 if passed else 1)


def _run(fleet: fleets.Fleet, folder: Path, processes: int, console: Console) -> Evaluation:
    """Score a fleet, telling every half minute how far it is."""
    file = folder / f"{fleet.name}-{fleet.plan.seed}.jsonl"
    total = fleet.plan.pumps
    console.print(f"{fleet.name}: {total} pumps over {fleet.plan.days:g} days, seed {fleet.plan.seed}")
    began_s = told_s = time.monotonic()
    first = None
    for done in fleets.score_fleet(fleet, file, processes):
        first = done if first is None else first
        now_s = time.monotonic()
        if now_s - told_s >= _EVERY_S and done > first:
            left_s = (now_s - began_s) / (done - first) * (total - done)
            click.echo(f"{fleet.name}: {done} of {total} pumps, about {left_s / 60:.0f} min left", err=True)
            told_s = now_s
    console.print(f"{fleet.name}: scored in {time.monotonic() - began_s:.0f} s")
    result = evaluate(fleets.read_scores(file), fleet.plan.seed)
    written = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (folder / f"{fleet.name}.json").write_bytes(written + b"\n")
    pictures.write(result, folder / fleet.name)
    return result


if __name__ == "__main__":
    try:
        main()
    except ThecaflowError as failed:
        raise SystemExit(f"evaluate: {failed}") from None
