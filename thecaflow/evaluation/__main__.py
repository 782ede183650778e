"""What `make evaluate` runs: the normal and the stress fleet and recordings that are thinned, and the bars they are held against."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console

from contract.errors import ThecaflowError
from thecaflow.evaluation import bars, fleets, occlusion_matrix, pictures, resampling, tables
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
@click.option(
    "--only",
    type=click.Choice(["normal", "stress", "resampled", "matrix"]),
    default=None,
    help="One of the four parts.",
)
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
    if only in (None, "resampled"):
        passed = _resample(seed, share, folder, processes, console) and passed
    if only in (None, "matrix"):
        passed = _matrix(seed, console) and passed
    console.print("evaluation passed" if passed else "evaluation FAILED")
    raise click.exceptions.Exit(0 if passed else 1)


def _run(fleet: fleets.Fleet, folder: Path, processes: int, console: Console) -> Evaluation:
    """Score a fleet, telling every half minute how far it is."""
    file = folder / f"{fleet.name}-{fleet.plan.seed}.jsonl"
    total = fleet.plan.pumps
    console.print(f"{fleet.name}: {total} pumps over {fleet.plan.days:g} days, seed {fleet.plan.seed}")
    _follow(fleet.name, fleets.score_fleet(fleet, file, processes), total, console)
    result = evaluate(fleets.read_scores(file), fleet.plan.seed)
    written = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (folder / f"{fleet.name}.json").write_bytes(written + b"\n")
    pictures.write(result, folder / fleet.name)
    return result


def _resample(seed: int, share: float, folder: Path, processes: int, console: Console) -> bool:
    """Look at thinned recordings, print what a coarser sampling costs; whether that is little enough."""
    made = resampling.plans(seed, max(round(share * resampling.EACH), 1))
    file = folder / f"resampled-{seed}.jsonl"
    total = sum(plan.pumps for plan in made)
    _follow("resampled", resampling.look_at_all(made, file, processes), total, console)
    found = resampling.recalls(resampling.read(file), seed)
    (folder / "resampled.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    verdicts = resampling.judge(found)
    console.print(resampling.table(found))
    console.print(tables.bars(verdicts))
    return all(one.passed for one in verdicts)


def _matrix(seed: int, console: Console) -> bool:
    """Block pumps of every flow and compliance, print how early that is told; whether it is early enough."""
    found = list(occlusion_matrix.cells(seed))
    verdicts = occlusion_matrix.judge(found)
    console.print(occlusion_matrix.table(found))
    console.print(tables.bars(verdicts))
    return all(one.passed for one in verdicts)


def _follow(name: str, progress: Iterable[int], total: int, console: Console) -> None:
    """Wait for the work that `progress` counts, telling every half minute how far it is."""
    began_s = told_s = time.monotonic()
    first = None
    for done in progress:
        first = done if first is None else first
        now_s = time.monotonic()
        if now_s - told_s >= _EVERY_S and done > first:
            left_s = (now_s - began_s) / (done - first) * (total - done)
            click.echo(f"{name}: {done} of {total} pumps, about {left_s / 60:.0f} min left", err=True)
            told_s = now_s
    console.print(f"{name}: scored in {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except ThecaflowError as failed:
        raise SystemExit(f"evaluate: {failed}") from None
