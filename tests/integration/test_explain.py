"""`thecaflow explain` on a real database: the pump's log of record is folded by the same code as files."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from dashboards.console.database import Asking
from tests.integration.test_compare import live_fold
from tests.workers import fetch
from thecaflow.explaining.asked import Detectors
from thecaflow.settings import Settings


async def thecaflow(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "thecaflow", *arguments],
        env=os.environ | settings.to_env(),
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


async def test_the_log_of_record_explains_what_its_export_explains(settings: Settings, tmp_path: Path):
    """By id alone: the same text but for its origin as from an exported file; all lines that the database believes in."""
    live = await live_fold(settings)
    rows = await fetch(
        live,
        "SELECT alert_id, pump, count(*) FROM alert WHERE believed_to IS NULL GROUP BY 1, 2 ORDER BY 3 DESC",
    )
    alert_id, pump, lines = rows[0]
    code, out, err = await thecaflow(live, "explain", alert_id, "--plot", str(tmp_path / "why.svg"))
    assert code == 0, err
    said = out.split("What was said\n")[1].split("\n\n")[0].splitlines()
    assert sum(" UTC  " in line for line in said) == lines
    assert (tmp_path / "why.svg").read_text().startswith("<svg")
    code, exported, err = await thecaflow(live, "export", "--pump", pump)
    assert code == 0, err
    events = tmp_path / "events.jsonl"
    events.write_text(exported)
    code, again, err = await thecaflow(live, "explain", alert_id, str(events))
    assert code == 0, err
    # The second line names the origin; the horizon of a file is its newest event, that of the database its present.
    assert out.splitlines()[3:].index("What was said") == again.splitlines()[3:].index("What was said")
    assert (
        out.split("Evidence")[1].split("The channels")[0]
        == again.split("Evidence")[1].split("The channels")[0]
    )


async def test_the_console_reads_the_same_from_the_database(settings: Settings):
    """Readiness from the head that a worker wrote, and the tables of the command line, by one connection's queries."""
    live = await live_fold(settings)
    [(alert_id, pump), *_] = await fetch(live, "SELECT alert_id, pump FROM alert WHERE believed_to IS NULL")
    database = Asking(live, connections=1)
    detectors = Detectors(database, live.events_topic)
    assert {one.pump for one in await detectors.readiness(pump)} == {pump}
    told = await detectors.explanation(pump, alert_id)
    await database.close()
    code, out, err = await thecaflow(live, "explain", alert_id)
    assert code == 0, err
    assert [part.title for part in told.sections if part.title not in out] == []
    assert len(told.sections) >= 3


async def test_what_is_unknown_is_exit_1_and_no_tables_are_exit_2(settings: Settings):
    """An id or a pump that the database has never heard of is told from a database that can't be used."""
    code, _, err = await thecaflow(settings, "explain", "0" * 16)
    assert code == 2
    assert "thecaflow migrate" in err
    live = await live_fold(settings)
    code, _, err = await thecaflow(live, "explain", "0" * 16)
    assert code == 1
    assert "believes in no alert" in err
    code, _, err = await thecaflow(live, "explain", "--pump", "nobody", "--cause", "occlusion")
    assert code == 1
    assert "there are" in err
