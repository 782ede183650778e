"""`python -m bench`: every promised ratio in one table; exit 1 if one does not hold or could not be measured.

Each part runs in a process of its own on a Kafka and a TimescaleDB of the bench's own, one part after another. What else the
machine does meanwhile is in the numbers: the table says how busy it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.own_stack import own_stack
from bench.parts import PARTS, Part
from bench.report import Line, table, write
from thecaflow.settings import Settings, use_numba_cache

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def run(part: Part, settings: Settings, *, quick: bool) -> list[Line]:
    """The part's lines; where it fails, its promises as lines that were not run."""
    arguments = part.quick if quick else part.full
    command = [sys.executable, "-m", part.module, "--json", *arguments]
    print(f"bench: {part.module.removeprefix('bench.')} {' '.join(arguments)}", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            command,
            env=os.environ | settings.to_env(),
            capture_output=True,
            text=True,
            timeout=part.timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return part.not_run(f"not ready after {part.timeout_s:g} s")
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
        said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        return part.not_run(said[-1][:120])
    return [Line(**fields) for fields in json.loads(done.stdout)]


def circumstances(load_before: tuple[float, float, float]) -> str:
    """Machine, versions and how busy it was, in one sentence."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    model = f" of {names[0]}" if names else ""
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores{model}, {platform.system()}, Python "
        f"{platform.python_version()}; load average before {load_before[0]:.1f}, after {os.getloadavg()[0]:.1f}."
    )


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run of every line; judges nothing")
    parser.add_argument(
        "--only", action="append", metavar="PART", help=", ".join(part.name for part in PARTS)
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--fields", action="store_true", help="print the lines as JSON instead of the table")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.only or ()) - {part.name for part in PARTS}:
        parser.error(f"no part {', '.join(sorted(unknown))}")
    use_numba_cache()
    load = os.getloadavg()
    lines: list[Line] = []
    with own_stack() as settings:
        for part in PARTS:
            if not asked.only or part.name in asked.only:
                lines += run(part, settings, quick=asked.quick)
    said = circumstances(load)
    if asked.fields:
        print(json.dumps([line.fields() for line in lines], indent=1))
    else:
        print(f"{said}\n\n{table(lines)}")
    if asked.write:
        write(PAGE, table(lines), said)
    if asked.quick:
        return 0 if all(line.ratio is not None for line in lines) else 1
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
