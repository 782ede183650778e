"""Schemathesis on the OpenAPI document of a live server: what it sends, what came back, and that nothing was wrong.

`attack` runs its command in a process of its own, which loads tests/openapi_hooks.py, and reads the report.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = "THECAFLOW_TEST_ANSWERS"
"""Variable that names the file into which the attacking process writes what was answered."""


@dataclass(frozen=True)
class Attack:
    """What schemathesis did: `answers` counts by (method, path, media type, status)."""

    output: str
    report: dict[str, Any]
    answers: Counter[tuple[str, str, str, int]]

    def statuses(self, path: str, method: str = "POST", media: str | None = None) -> set[int]:
        """Return the statuses that a path answered."""
        return {
            status
            for (verb, where, form, status) in self.answers
            if (verb, where) == (method, path) and media in (None, form)
        }

    def assert_clean(self, operations: int, at_least: int) -> None:
        """Nothing failed, nothing was left out, and it was no empty run."""
        assert self.report["exit_code"] == 0, self.output
        assert self.report["failures"] == self.report["errors"] == [], self.output
        assert self.report["operations"]["tested"] == operations, self.output
        assert sum(self.answers.values()) >= at_least, self.answers
        assert not [answer for answer in self.answers if answer[3] >= 500], self.answers


def attack(
    url: str,
    token: str,
    folder: Path,
    *,
    document: str = "/schema/openapi.json",
    phases: Sequence[str] = ("examples", "coverage", "fuzzing"),
    examples: int = 30,
    without: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Attack:
    """Send what the document allows and what it does not, as the holder of a token.

    Parameters
    ----------
    folder
        Where the reports are written, new for each attack.
    without
        Checks of schemathesis that do not hold by design; say why where it is called.
    options
        More of its options, such as `--include-path`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report, answers = folder / "report.json", folder / "answers.json"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", url + document, "--url", url),
        *(
            "-H",
            f"Authorization: Bearer {token}",
            "--phases",
            ",".join(phases),
            "--max-examples",
            str(examples),
        ),
        *("--generation-database", "none", "--seed", "1", "--mode", "all", "--request-timeout", "20"),
        *("--continue-on-failure", "--no-color", "--report-json-path", str(report)),
        *(("--exclude-checks", ",".join(without)) if without else ()),
        *options,
    ]
    environ = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.openapi_hooks",
        "PYTHONPATH": str(ROOT),
        ANSWERS: str(answers),
    }
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=240
    )
    output = done.stdout + done.stderr
    assert report.exists(), output
    counted = {tuple(kind): count for kind, count in json.loads(answers.read_text())}
    return Attack(output, msgspec.json.decode(report.read_bytes()), Counter(counted))
