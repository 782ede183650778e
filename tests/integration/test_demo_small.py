"""`thecaflow demo` on real servers, small: faults named and told, equality, a second run, and the end of everything."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.native import NativeStack
from thecaflow.background import running_pid
from thecaflow.demo.place import demo_settings
from thecaflow.demo.processes import pages_file
from thecaflow.page_file import read_pages
from thecaflow.settings import Settings

SMALL = ("--pumps", "4", "--days", "4", "--fault", "stall", "--fault", "program_implausible", "--no-stack")


def command(stack: NativeStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command on this stack."""
    line = [sys.executable, "-m", "thecaflow", *arguments]
    return subprocess.run(line, check=False, env=stack.environ, capture_output=True, text=True, timeout=240)


def told_of(file: Path) -> set[tuple[str, str, str]]:
    """Pump, cause and receiver of what arrived."""
    pages = [page for page in read_pages(file) if page.status == "firing" and "pump" in page.labels]
    return {(page.labels["pump"], page.labels["cause"], page.receiver) for page in pages}


def named(printed: str) -> set[tuple[str, str]]:
    """Pump and cause of every row of the printed table of faults."""
    rows = (
        [cell.strip() for cell in line.split("│")[1:]] for line in printed.splitlines() if line[:1] == "│"
    )
    return {(row[0], row[4]) for row in rows if len(row) == 10 and row[0]}


def test_a_small_demonstration(stack: NativeStack):
    """Exit 0 with table, pages, ledger, throughput and comparison; twice, since it begins anew; `make down` ends it."""
    stack.start("pg", "kafka", "prom", "am")
    settings = demo_settings(Settings.from_env(stack.environ))
    run_folder = Path(settings.run_folder)
    for seed in ("11", "12"):
        done = command(stack, "demo", "--seed", seed, *SMALL)
        assert done.returncode == 0, done.stdout + done.stderr
        for words in (
            f"seed {seed}",
            "3 of 3 named",
            "dose ledger of",
            "pages or notifications of healthy pumps: 0",
            "gateway: ",
            "/login/",
            "make down",
            "demo passed",
        ):
            assert words in done.stdout
        assert re.search(r"5 pumps, \d+ events, up to .*\nequal\n", done.stdout)
        [(arrived, due)] = re.findall(r"paging: (\d+) of (\d+) due", done.stdout)
        assert arrived == due
        assert int(due) >= 3  # one more for each alert that rose after it was written
        told = told_of(pages_file(settings))
        # An alert of the first run that was told is told again in the second, and nothing else of the first is.
        assert {(pump, cause) for pump, cause, _ in told} >= named(done.stdout)
        assert {receiver for _, _, receiver in told} >= {"pages", "notifications"}
    live = {**stack.environ, **settings.to_env()}
    shown = subprocess.run(
        [sys.executable, "-m", "thecaflow", "status", "--json"], env=live, capture_output=True, check=True
    )
    told = json.loads(shown.stdout)
    assert told["lag"]["records"] == 0
    assert len(told["fleet"]) == 5
    assert {"motor_stall", "dry_before_alarm"} <= {alert["cause"] for alert in told["alerts"]}
    pid_files = sorted(run_folder.glob("demo-*.pid"))
    names = ["demo-console", "demo-gateway", "demo-pager", "demo-worker-1", "demo-worker-2"]
    assert [file.stem for file in pid_files] == names
    assert all(running_pid(file) for file in pid_files)
    stack.stop()
    assert not any(running_pid(file) for file in pid_files)
    stack.start()
