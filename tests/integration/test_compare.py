"""`thecaflow compare` on a real database: equal after a live fold, different after tampering."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from storage import pool
from storage.store import DatabaseStore
from storage.types import DEFAULT_TOPIC
from tests.partition import feed
from tests.pump_days import pump_days
from tests.workers import fetch, make_tables
from thecaflow.settings import Settings


async def live_fold(settings: Settings) -> Settings:
    """Fold a pump's days into the database as a worker does; the settings that name its topic."""
    await make_tables(settings)
    records = pump_days(5)
    database = await pool.connect(settings)
    try:
        batches = [records[start : start + 4] for start in range(0, len(records), 4)]
        await feed(DatabaseStore(database), batches)
    finally:
        await database.close()
    return settings.with_changes(events_topic=DEFAULT_TOPIC)


async def compare(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of the command."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "thecaflow", "compare", *arguments],
        env=os.environ | settings.to_env(),
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


async def test_equal_then_tampered_with(settings: Settings):
    """Exit 0 with counts; one changed number is exit 1 with both lines, unless it lies after --until."""
    live = await live_fold(settings)
    code, out, err = await compare(live)
    assert code == 0, out + err
    [(doses,)] = await fetch(live, "SELECT count(*) FROM dose_now")
    assert f"{doses} in the database" in out
    [(line,)] = await fetch(
        live,
        "UPDATE dose SET line = replace(line, '\"coverage\":', '\"coverage\":1') WHERE at = (SELECT max(at) FROM dose_now)"
        " AND believed_to IS NULL RETURNING line",
    )
    code, out, _ = await compare(live)
    assert code == 1
    assert "1 differ" in out
    assert line in out
    [(before,)] = await fetch(
        live, "SELECT to_char(max(at) - interval '1 second', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM dose_now"
    )
    code, out, _ = await compare(live, "--until", before)
    assert code == 0, out


async def test_an_event_taken_out_of_the_log_is_found(settings: Settings):
    """Facts without the event that they follow from are different from a fold of the log."""
    live = await live_fold(settings)
    await fetch(live, "DELETE FROM events WHERE type = 'program_set'")
    code, out, _ = await compare(live)
    assert code == 1
    assert "NOT EQUAL" in out


async def test_nothing_stored_is_equal_and_no_tables_are_exit_2(settings: Settings):
    """An empty database says so; one without tables names the command that makes them."""
    code, _, err = await compare(settings)
    assert code == 2
    assert "thecaflow migrate" in err
    await make_tables(settings)
    code, out, _ = await compare(settings)
    assert code == 0
    assert "nothing is stored yet" in out
