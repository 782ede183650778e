"""Tries a mutant against the tests of its file, in a copy of the tree."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from mutation.places import ROOT, Mutant, mutated
from mutation.session import run
from mutation.tests_of import digest, kernel_files, relevant, test_files

COPIED = (
    "contract",
    "kernels",
    "processors",
    "ingest",
    "storage",
    "dashboards",
    "thecaflow",
    "tests",
    "bench",
    "pyproject.toml",
)
SLOWEST_S = 20.0  # a test that takes longer uncompiled is left out
WHOLE_S = 40.0  # a mutant is asked no more tests than usually take so long together
FAR = 4.0  # a test named after another kernel comes as if it took this many times as long
PATIENCE = 4.0  # times its usual time, plus START_S, until a mutant is taken for an endless loop
START_S = 10.0
MEASURE_S = 1200.0


class Times:
    """How long tests take unmutated and which functions they reach, kept between runs by the content of the test files."""

    def __init__(self, file: Path) -> None:
        self.file, self.lock = file, threading.Lock()
        self.kept: dict[str, dict[str, tuple[float | None, list[str]]]] = (
            json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        )

    def of(self, test: str, folder: Path) -> dict[str, tuple[float | None, list[str]]]:
        """Of each test of a file: seconds (None: fails as it is, or too slow) and functions; measured in `folder` if not known."""
        with self.lock:
            key = f"{test}:{digest(test_files(test), folder)}"
            if key not in self.kept:
                told = run(folder, [test], None, SLOWEST_S, MEASURE_S)
                seconds = told.seconds if told else {}
                self.kept = {old: kept for old, kept in self.kept.items() if not old.startswith(f"{test}:")}
                self.kept[key] = {
                    name: (
                        None if took is None else round(took, 2),
                        told.reached.get(name, []) if told else [],
                    )
                    for name, took in seconds.items()
                }
                self.file.write_text(json.dumps(self.kept, indent=1), encoding="utf-8")
                used = [took for took in seconds.values() if took is not None]
                print(f"{test}: {len(used)} of {len(seconds)} tests, {sum(used):.0f} s", flush=True)
            return self.kept[key]


@dataclass(frozen=True)
class Verdict:
    """`killed`, `slow` or `survived`, by which test, and the files that it rests on."""

    how: str
    test: str
    files: list[str]
    digest: str

    def holds(self, file: str) -> bool:
        """Whether it would be the same again: nothing that it rests on changed, no test was added that might kill a survivor."""
        if self.how == "survived" and self.files != rests_on(file, relevant(file)):
            return False
        return self.digest == digest(self.files)


def rests_on(file: str, tests: list[str]) -> list[str]:
    """The mutated file, the kernels that it imports, the tests and their modules."""
    return sorted(kernel_files(file).union(*map(test_files, tests)))


class Bench:
    """A copy of the tree in which mutants are tried; what happens to the tree meanwhile does not touch it."""

    def __init__(self, folder: Path, times: Times) -> None:
        self.folder, self.times = folder, times
        folder.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.nb?"))
            else:
                shutil.copy(source, folder / name)

    def asked(self, one: Mutant, tests: list[str]) -> dict[str, float]:
        """Usual seconds of the tests that reach the mutant's function, likely and quick ones first, WHOLE_S in all."""
        place = f"{one.file}:{one.function}"
        known = {
            name: (took, calls, test)
            for test in tests
            for name, (took, calls) in self.times.of(test, self.folder).items()
        }
        usable = {
            name: (took, calls, test) for name, (took, calls, test) in known.items() if took is not None
        }
        reaching = {name: told for name, told in usable.items() if place in told[1]} or usable
        own = f"test_{Path(one.file).stem}"
        rank = {
            name: took * (1.0 if Path(test).stem.startswith(own) else FAR)
            for name, (took, _, test) in reaching.items()
        }
        chosen, whole_s = {}, 0.0
        for name in sorted(rank, key=rank.__getitem__):
            if whole_s + reaching[name][0] <= WHOLE_S:
                chosen[name] = reaching[name][0]
                whole_s += reaching[name][0]
        return chosen

    def judge(self, one: Mutant) -> Verdict:
        """Put the mutant in place and ask its tests."""
        tests = relevant(one.file)
        usual_s = self.asked(one, tests)
        limits = {test: PATIENCE * took_s + START_S for test, took_s in usual_s.items()}
        files = [test for test in tests if any(name.startswith(f"{test}::") for name in limits)]
        path = self.folder / one.file
        whole = path.read_text(encoding="utf-8")
        path.write_text(mutated(one, self.folder), encoding="utf-8")
        try:
            told = run(self.folder, files, limits, SLOWEST_S, PATIENCE * sum(usual_s.values()) + 6 * START_S)
        finally:
            path.write_text(whole, encoding="utf-8")
        how = "slow" if told is None else "survived" if told.code in (0, 5) else "killed"
        killer = told.failed if told else ""
        rest = rests_on(one.file, [killer.split("::")[0]] if killer else tests)
        return Verdict(how, killer, rest, digest(rest, self.folder))
