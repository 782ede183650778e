"""Tries a mutant against the tests of its file, in a copy of the tree."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from mutation.places import ROOT, Mutant, mutated
from mutation.tests_of import relevant

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
SLOWEST_S = 120.0  # a test file that takes longer uncompiled is left out
PATIENCE = 4.0  # times its usual time, plus START_S, until a mutant is taken for an endless loop
START_S = 15.0


class Times:
    """How long test files take unmutated, kept between runs."""

    def __init__(self, file: Path) -> None:
        self.file, self.lock = file, threading.Lock()
        self.usual_s: dict[str, float | None] = json.loads(file.read_text()) if file.is_file() else {}

    def keep(self, test: str, took_s: float | None) -> None:
        """Write one down."""
        self.usual_s[test] = took_s
        self.file.write_text(json.dumps(self.usual_s, indent=1), encoding="utf-8")


class Bench:
    """A copy of the tree in which mutants are tried."""

    def __init__(self, folder: Path, times: Times) -> None:
        self.folder, self.times = folder, times
        folder.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.nb?"))
            else:
                shutil.copy(source, folder / name)

    def run(self, tests: list[str], timeout_s: float) -> tuple[str, float]:
        """Run test files; (`passed`, `failed`, `slow`, seconds)."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-m",
            "not integration",
            *tests,
        ]
        # Uncompiled: a compiled caller that is cached would go on with the code from before the mutation.
        quiet = os.environ | {
            "NUMBA_DISABLE_JIT": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }
        began_s = time.monotonic()
        process = subprocess.Popen(
            command, cwd=self.folder, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "slow", time.monotonic() - began_s
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return ("passed" if code in (0, 5) else "failed"), time.monotonic() - began_s

    def usual(self, test: str) -> float | None:
        """How long a test file takes unmutated; None if it is too slow uncompiled, or fails as it is."""
        with self.times.lock:
            if test not in self.times.usual_s:
                how, took_s = self.run([test], SLOWEST_S)
                self.times.keep(test, took_s if how == "passed" else None)
                told = {"passed": f"{took_s:.0f} s", "slow": "too slow uncompiled, left out"}
                print(f"{test}: {told.get(how, 'FAILS without a mutation, left out')}", flush=True)
            return self.times.usual_s[test]

    def judge(self, one: Mutant) -> tuple[str, str]:
        """(`killed`, `slow` or `survived`, the test that killed it)."""
        path = self.folder / one.file
        whole = path.read_text(encoding="utf-8")
        tests = relevant(one.file)
        usual_s = {test: self.usual(test) for test in tests}
        path.write_text(mutated(one), encoding="utf-8")
        try:
            for test in tests:
                took_s = usual_s[test]
                if took_s is None:
                    continue
                how, _ = self.run([test], PATIENCE * took_s + START_S)
                if how != "passed":
                    return ("killed" if how == "failed" else "slow"), test
        finally:
            path.write_text(whole, encoding="utf-8")
        return "survived", ""
