"""`python -m bench --quick`: every line of the table can be run; nothing is judged."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.parts import PARTS

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def test_every_line_of_the_bench_runs():
    """A promise whose measurement broke unnoticed is no promise; what a machine lacks (gcc, Quix Streams) is left out."""
    lacking = set()
    if shutil.which("gcc") is None:
        lacking.add("kernels")
    if importlib.util.find_spec("quixstreams") is None:
        lacking.add("transport")
    chosen = [argument for part in PARTS if part.name not in lacking for argument in ("--only", part.name)]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--fields", *chosen],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = json.loads(done.stdout)
    assert [f"{line['name']}: {line['why']}" for line in lines if line["ratio"] is None] == [], done.stderr
    assert done.returncode == 0
    assert len(lines) >= sum(len(part.promises) for part in PARTS if part.name not in lacking)
