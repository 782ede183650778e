#!/usr/bin/env python3
"""The mutation test of kernels/: small changes to the code that some test must notice.

    .venv/bin/python dev/mutate.py --count 400 --seed 1          # goes on where it stood, if it was interrupted
    .venv/bin/python dev/mutate.py --only drive.py dose.py       # those of the 400 that lie in these files
    .venv/bin/python dev/mutate.py --count 400 --seed 1 --list   # which ones, nothing is run

A mutant is one change in one place: a numeric constant, a comparison or its boundary, an arithmetic operator, and/or,
min/max. Out of all places `--count` are drawn by `--seed`, evenly over files by their places. Slots and units in state.py are layout, `warm` only
compiles: neither is mutated. Each mutant runs in a copy of the tree, without compilation (so that no compiled caller can hide it), against
the kernel tests that call its function, those named after its file and the quick ones first; the first failure, or a run past its time, kills it.
A verdict is kept in build/mutants/ and holds until the file, a kernel that it imports or the tests it rests on change.
Exit codes: 0 at least --least of them are killed, 1 fewer, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from mutation.places import ROOT, Mutant, draw, mutants
from mutation.trial import Bench, Times, Verdict


def known(results: Path) -> dict[str, tuple[Mutant, Verdict]]:
    """What earlier runs have judged, the last of each mutant, by its key."""
    if not results.is_file():
        return {}
    lines = map(json.loads, results.read_text(encoding="utf-8").splitlines())
    return {told["mutant"]["key"]: (Mutant(**told["mutant"]), Verdict(**told["verdict"])) for told in lines}


def judged(chosen: list[Mutant], results: Path, jobs: int) -> Iterator[tuple[Mutant, str]]:
    """Judge every mutant whose last verdict does not hold, writing each down at once."""
    before = {key: verdict.how for key, (one, verdict) in known(results).items() if verdict.holds(one.file)}
    results.parent.mkdir(parents=True, exist_ok=True)
    waiting = [one for one in chosen if one.key not in before]
    for one in chosen:
        if one.key in before:
            yield one, before[one.key]
    began_s, number = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder, results.open("a", encoding="utf-8") as kept:
        times = Times(results.with_name("times.json"))
        idle: queue.SimpleQueue[Bench] = queue.SimpleQueue()
        for job in range(jobs):
            idle.put(Bench(Path(folder) / str(job), times))

        def judge(one: Mutant) -> tuple[Mutant, Verdict]:
            bench = idle.get()
            try:
                return one, bench.judge(one)
            finally:
                idle.put(bench)

        with ThreadPoolExecutor(jobs) as pool:
            for done in as_completed([pool.submit(judge, one) for one in waiting]):
                one, verdict = done.result()
                number += 1
                kept.write(json.dumps({"mutant": asdict(one), "verdict": asdict(verdict)}) + "\n")
                kept.flush()
                left_s = (time.monotonic() - began_s) / number * (len(waiting) - number)
                print(
                    f"{number}/{len(waiting)} {one.file}:{one.line} {one.before} -> {one.after}: {verdict.how}"
                    f"{f' by {verdict.test}' if verdict.test else ''} (about {left_s / 60:.0f} min left)",
                    flush=True,
                )
                yield one, verdict.how


def report(verdicts: list[tuple[Mutant, str]], least: float) -> bool:
    """Print shares by file, the survivors with their lines, and whether enough were killed."""
    total, killed = (
        Counter(one.file for one, _ in verdicts),
        Counter(one.file for one, how in verdicts if how != "survived"),
    )
    print()
    for file, count in sorted(total.items()):
        print(f"{file:<28} {killed[file]:4} of {count:4} killed")
    print("\nsurvivors:")
    for one, how in verdicts:
        if how == "survived":
            line = (ROOT / one.file).read_text(encoding="utf-8").splitlines()[one.line - 1].strip()
            print(f"  {one.file}:{one.line}: {one.before} -> {one.after} in: {line[:100]}")
    share = sum(killed.values()) / max(len(verdicts), 1)
    print(
        f"\nkilled {sum(killed.values())} of {len(verdicts)} = {100 * share:.1f} %, asked {100 * least:.0f} %"
    )
    return share >= least


def main() -> int:
    """Read the arguments, judge, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=400, help="how many mutants [400]")
    parser.add_argument("--seed", type=int, default=1, help="which ones [1]")
    parser.add_argument("--only", nargs="+", help="files of kernels/, such as drive.py: only mutants there")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time [2]")
    parser.add_argument("--least", type=float, default=0.85, help="share that has to be killed [0.85]")
    parser.add_argument("--list", action="store_true", help="print the mutants, run nothing")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error("--count is at least 1")
    every = mutants()
    chosen = draw(every, arguments.count, arguments.seed)
    if arguments.only:
        chosen = [one for one in chosen if Path(one.file).name in arguments.only]
        if not chosen:
            parser.error(f"no mutant of these {arguments.count} lies in {', '.join(arguments.only)}")
    print(f"{len(chosen)} of {len(every)} mutants, seed {arguments.seed}", flush=True)
    if arguments.list:
        for one in chosen:
            print(f"{one.file}:{one.line}: {one.before} -> {one.after}")
        return 0
    results = ROOT / "build" / "mutants" / "verdicts.jsonl"
    verdicts = list(judged(chosen, results, arguments.jobs))
    return 0 if report(verdicts, arguments.least) else 1


if __name__ == "__main__":
    sys.exit(main())
