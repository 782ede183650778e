#!/usr/bin/env python3
"""The ablation table: what the detection loses without one of its parts, on the same fleets.

    .venv/bin/python dev/ablate.py --seeds 71 72 --share 0.06      # goes on where it stood, if it was interrupted
    .venv/bin/python dev/ablate.py --only leak air                 # those whose name begins so
    .venv/bin/python dev/ablate.py --table                         # of what is scored already

Each ablation is a patch of a copy of the tree (dev/ablation/parts.py) that must fit exactly. Differences to the whole are paired, pump by
pump, with 95 % intervals of the bootstrap over pumps. Scores are kept in build/ablation/, by the code that they are of.
Exit codes: 0 the table is whole, 1 a part is not scored, 2 wrong usage or a patch that does not fit.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ablation.parts import ABLATIONS, Ablation, PatchError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from thecaflow.evaluation.fleets import read_scores  # noqa: E402 - after its place is known
from thecaflow.evaluation.matching import Verdict  # noqa: E402
from thecaflow.evaluation.result import MISTAKES, YEAR_US  # noqa: E402
from thecaflow.evaluation.scores import PumpScore  # noqa: E402

COPIED = ("contract", "kernels", "processors", "ingest", "storage", "dashboards", "thecaflow")
BUILD = ROOT / "build" / "ablation"
DRAWS = 1000
Pair = tuple[float, float]
Metric = Callable[[PumpScore, frozenset[str] | None], Pair]


def _of(cause: str, causes: frozenset[str] | None) -> bool:
    return causes is None or cause in causes


def recall(score: PumpScore, causes: frozenset[str] | None) -> Pair:
    """Faults that were named, of those that could be seen."""
    faults = [one for one in score.faults if one.observable and _of(one.cause, causes)]
    return float(sum(one.delay_s is not None for one in faults)), float(len(faults))


def before_harm(score: PumpScore, causes: frozenset[str] | None) -> Pair:
    """Faults that were told before their harm, of those that bear one."""
    told = [one.in_time for one in score.faults if one.observable and _of(one.cause, causes)]
    return float(sum(one is True for one in told)), float(sum(one is not None for one in told))


def precision(score: PumpScore, causes: frozenset[str] | None) -> Pair:
    """Alarms that named a fault, of those and the wrong and false ones."""
    verdicts = [one.verdict for one in score.alarms if _of(one.cause, causes)]
    named = sum(one == Verdict.NAMED for one in verdicts)
    return float(named), float(named + sum(one in MISTAKES for one in verdicts))


def false_a_year(score: PumpScore, causes: frozenset[str] | None) -> Pair:
    """Loud false alarms a year without a fault."""
    false = sum(one.loud and one.verdict == Verdict.FALSE for one in score.alarms if _of(one.cause, causes))
    return float(false), score.healthy_us / YEAR_US


def coverage(score: PumpScore, _: frozenset[str] | None) -> Pair:
    """Forecasts whose p05-p95 held the truth."""
    return float(score.calibration.inside), float(score.calibration.forecasts)


def pinball(score: PumpScore, _: frozenset[str] | None) -> Pair:
    """Loss of the forecasts, as a share of the time left."""
    return score.calibration.loss, float(score.calibration.forecasts)


METRICS: tuple[tuple[str, Metric, float], ...] = (
    ("recall, points", recall, 100.0),
    ("before harm, points", before_harm, 100.0),
    ("precision, points", precision, 100.0),
    ("false a year", false_a_year, 1.0),
    ("coverage, points", coverage, 100.0),
    ("pinball, points", pinball, 100.0),
)


def difference(
    metric: Metric, whole: Sequence[PumpScore], without: Sequence[PumpScore], causes: frozenset[str] | None
) -> tuple[float, float, float] | None:
    """(without - whole, its 95 % interval) of the same pumps in the same order; None where there is nothing to count."""
    a, b = (np.array([metric(one, causes) for one in scores]) for scores in (whole, without))
    if not (a[:, 1].sum() > 0.0 and b[:, 1].sum() > 0.0):
        return None
    weights = np.random.default_rng(1).multinomial(len(a), np.full(len(a), 1.0 / len(a)), DRAWS)
    drawn_a, drawn_b = weights @ a, weights @ b
    known = (drawn_a[:, 1] > 0.0) & (drawn_b[:, 1] > 0.0)
    apart = drawn_b[known, 0] / drawn_b[known, 1] - drawn_a[known, 0] / drawn_a[known, 1]
    lo, hi = np.quantile(apart, (0.025, 0.975))
    return float(np.divide(*b.sum(axis=0)) - np.divide(*a.sum(axis=0))), float(lo), float(hi)


def scored(ablation: Ablation | None, seeds: Sequence[int], share: float, *, run: bool) -> list[PumpScore]:
    """Scores of the fleets with the code as it is, or without a part; empty if they are not there and are not to be made."""
    # Always at the same place, so that kernels which no patch changes are compiled once.
    tree = BUILD / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name in COPIED:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for patch in ablation.patches if ablation else ():
        patch.apply(tree)
    digest = hashlib.sha256()
    for path in sorted(tree.rglob("*.py")):
        digest.update(path.relative_to(tree).as_posix().encode() + path.read_bytes())
    kept = BUILD / f"{digest.hexdigest()[:12]}-{share:g}"
    found: list[PumpScore] = []
    for seed in seeds:
        done = kept / f"normal-{seed}.json"
        if run and not done.is_file():
            _score(tree, kept, seed, share)
            (kept / "normal.json").replace(done)
        if not done.is_file():
            return []
        found += sorted(read_scores(kept / f"normal-{seed}.jsonl"), key=lambda one: one.pump)
    return found


def _score(tree: Path, kept: Path, seed: int, share: float) -> None:
    """Run the evaluation of a copy; that its bars fail is no matter here."""
    command = [sys.executable, "-m", "thecaflow.evaluation", "--seed", str(seed), "--share", str(share)]
    command += ["--only", "normal", "--processes", "1", "--folder", str(kept)]
    environ = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not (kept / "normal.json").is_file():
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")


def shown(found: tuple[float, float, float] | None, scale: float) -> str:
    """A difference with its interval; `=` where nothing changed."""
    if found is None:
        return "-"
    if not any(found):
        return "="
    value, lo, hi = (scale * one for one in found)
    return f"{value:+.2g} ({lo:+.2g} to {hi:+.2g})"


def row(name: str, cells: Sequence[str]) -> str:
    """A line of the table."""
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> int:
    """Score what is asked for and print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seeds", type=int, nargs="+", default=[71, 72])
    asked.add_argument("--share", type=float, default=0.06)
    asked.add_argument("--only", nargs="+", default=[""])
    asked.add_argument("--table", action="store_true")
    options = asked.parse_args()
    chosen = [one for one in ABLATIONS if one.name.startswith(tuple(options.only))]

    for ablation in chosen:
        for patch in ablation.patches:
            patch.fits(ROOT)

    def fleet(ablation: Ablation | None) -> list[PumpScore]:
        return scored(ablation, options.seeds, options.share, run=not options.table)

    whole, missing = fleet(None), 0
    print(row("without", ["instead", *(name for name, _, _ in METRICS)]))
    print("|---" * (len(METRICS) + 2) + "|")
    if whole:
        sums = [np.sum([metric(one, None) for one in whole], axis=0) for _, metric, _ in METRICS]
        values = [
            f"{scale * top / below:.3g}" for (top, below), (_, _, scale) in zip(sums, METRICS, strict=True)
        ]
        print(row("nothing", ["the whole", *values]))
    for ablation in chosen:
        without = fleet(ablation)
        if not (whole and without):
            missing += 1
            continue
        own = frozenset(ablation.causes)
        for title, instead, causes in (
            (ablation.name, ablation.instead, None),
            ("", "its causes alone", own),
        ):
            metrics = METRICS if causes is None else METRICS[:4]
            cells = [shown(difference(metric, whole, without, causes), scale) for _, metric, scale in metrics]
            print(row(title, [instead, *cells, *[""] * (len(METRICS) - len(cells))]), flush=True)
    return 1 if missing else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except PatchError as unfit:
        print(f"ablate: {unfit}", file=sys.stderr)
        raise SystemExit(2) from None
