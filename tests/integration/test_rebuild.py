"""`thecaflow rebuild` on real servers: after rules that are no more, twice, beside a worker, beside a commit."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from contract.errors import StaleStateError
from processors import heads
from processors.live import PartitionFold
from storage import pool
from storage.rebuild import rebuilding
from storage.store import DatabaseStore
from storage.types import DEFAULT_TOPIC, Changes, Loaded
from tests.partition import LogRecord
from tests.pump_days import pump_days
from tests.workers import REAL, fetch, make_tables, until, workers
from thecaflow.settings import Settings

FACTS = (
    "SELECT kind, line FROM (SELECT 'd' AS kind, run_id, pump, at, ordinal, line, believed_to FROM dose"
    " UNION ALL SELECT 'f', run_id, pump, at, ordinal, line, believed_to FROM forecast"
    " UNION ALL SELECT 'a', run_id, pump, at, ordinal, line, believed_to FROM alert) f"
    " WHERE run_id = $1 AND believed_to IS NULL ORDER BY kind, pump, at, ordinal, line"
)


async def run(settings: Settings, command: str) -> tuple[int, str]:
    """(exit code, both outputs) of a command without arguments."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "thecaflow", command],
        env=os.environ | settings.to_env(),
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


async def go_on(store: DatabaseStore, loaded: Loaded, records: list[bytes]) -> bool:
    """Fold records onto what was loaded and commit, as a worker does; False if the commit is refused."""
    fold = PartitionFold(0, loaded.blobs, loaded.next_offset)
    intake = fold.read([LogRecord(loaded.next_offset + n, raw) for n, raw in enumerate(records)])
    requests = fold.plan(intake, await store.known(intake.keys))
    changes = fold.fold(intake, {one.pump: await store.history(one) for one in requests})
    return await store.commit(changes, loaded.run_id)


async def feed_on(store: DatabaseStore, records: list[bytes]) -> None:
    """Four records at a time, each time from what is stored."""
    for start in range(0, len(records), 4):
        assert await go_on(store, await store.load(0), records[start : start + 4])


async def age(settings: Settings) -> None:
    """Let every head state look as if other rules had written it, and the checkpoints be unreadable."""
    rows = await fetch(settings, "SELECT pump, blob FROM state WHERE blob IS NOT NULL")
    for pump, blob in rows:
        stale = heads.encode(replace(heads.decode(blob), version="old/0"))
        await fetch(settings, "UPDATE state SET blob = $2 WHERE pump = $1", pump, stale)
    await fetch(settings, "UPDATE checkpoint SET blob = '\\xc1'")


@pytest.fixture
async def live(settings: Settings) -> Settings:
    """Tables; the topic that the records of these tests belong to."""
    await make_tables(settings)
    return settings.with_changes(events_topic=DEFAULT_TOPIC)


async def test_states_of_other_rules_are_rebuilt_and_feeding_goes_on(live: Settings):
    """Refused before, equal after; late events rewind to rebuilt checkpoints; a second rebuild says the same, silently."""
    records = pump_days(5, days=6)
    late, half = records[5:8], len(records) // 2
    first, second = [*records[:5], *records[8:half]], records[half:]
    database = await pool.connect(live)
    store = DatabaseStore(database)
    try:
        await feed_on(store, first)
        before = await store.load(0)
        await age(live)
        with pytest.raises(StaleStateError, match="thecaflow rebuild"):
            PartitionFold(0, *(await store.load(0))[:2])
        await fetch(live, "DELETE FROM outbox")
        code, said = await run(live, "rebuild")
        assert code == 0, said
        assert "run 2 is current: 1 pumps" in said
        assert await fetch(live, "SELECT count(*) FROM outbox") == [(0,)]
        assert await fetch(live, FACTS, 2) == await fetch(live, FACTS, 1)
        assert not await go_on(store, before, second[:4]), (
            "a head of the old run is fenced, though its offset fits"
        )
        assert (await run(live, "compare"))[0] == 0
        await feed_on(store, [*second, *late])
        code, said = await run(live, "compare")
        assert code == 0, said
        code, said = await run(live, "rebuild")
        assert "run 3 is current" in said
        assert "0 facts added, 0 superseded; 0 events stand differently" in said
        assert await fetch(live, FACTS, 3) == await fetch(live, FACTS, 2)
        assert (await run(live, "compare"))[0] == 0
    finally:
        await database.close()


async def test_what_other_rules_believed_is_corrected_in_log_facts_and_outbox(live: Settings):
    """A clock offset, a lost fact and a wrong one: all as the present rules say, and only the differences go out."""
    database = await pool.connect(live)
    store = DatabaseStore(database)
    try:
        await feed_on(store, pump_days(5))
        await fetch(live, "DELETE FROM outbox")
        [(identity,)] = await fetch(
            live, "SELECT id FROM events WHERE type = 'program_set' ORDER BY at LIMIT 1"
        )
        for table in ("events", "event_ids"):
            extra = ", offset_us = 1800000000" if table == "events" else ""
            await fetch(
                live, f"UPDATE {table} SET at = at + interval '30 min'{extra} WHERE id = $1", identity
            )
        await fetch(live, "DELETE FROM dose WHERE at = (SELECT min(at) FROM dose_now)")
        await fetch(
            live,
            "UPDATE dose SET line = replace(line, '\"coverage\":', '\"coverage\":1') WHERE believed_to IS NULL"
            " AND at = (SELECT max(at) FROM dose_now)",
        )
        assert (await run(live, "compare"))[0] == 1
        code, said = await run(live, "rebuild")
        assert code == 0, said
        assert "2 facts added, 1 superseded; 1 events stand differently" in said
        changes = await fetch(live, "SELECT change, kind FROM outbox ORDER BY position")
        assert changes == [("superseded", "dose"), ("added", "dose"), ("added", "dose")]
        assert await fetch(live, "SELECT offset_us, counts FROM events WHERE id = $1", identity) == [
            (0, True)
        ]
        assert (await run(live, "compare"))[0] == 0
    finally:
        await database.close()


async def test_refused_while_a_worker_is_up(topics: Settings, tmp_path: Path):
    """An idle worker too: one line, exit 1, no new run; afterwards it goes through, also with nothing stored."""
    await make_tables(topics)
    with workers(topics, tmp_path, "one", program=REAL) as [one]:
        await until(lambda: asyncio.to_thread(lambda: one.page("/readyz")[0] == 200))
        code, said = await run(topics, "rebuild")
        assert code == 1
        assert said.startswith("thecaflow: workers are up")
        assert said.count("\n") == 1
        assert await fetch(topics, "SELECT count(*) FROM run") == [(1,)]
        assert one.end() == 0
    code, said = await run(topics, "rebuild")
    assert code == 0, said
    assert await fetch(topics, "SELECT run_id FROM run WHERE current") == [(2,)]


async def test_a_worker_with_states_of_other_rules_ends_with_exit_7(topics: Settings, tmp_path: Path):
    """One line with the command to run, and no stack trace."""
    await make_tables(topics)
    await fetch(
        topics,
        "INSERT INTO state (topic, partition, pump, blob) SELECT $1, n, 'p', '\\xc1' FROM generate_series(0, 11) n",
        topics.events_topic,
    )
    with workers(topics, tmp_path, "one", program=REAL) as [one]:
        assert await asyncio.to_thread(one.wait) == 7
        assert "thecaflow rebuild" in one.text()
        assert "Traceback" not in one.text()


async def test_a_commit_meanwhile_waits_and_a_failed_rebuild_leaves_everything_as_it_was(live: Settings):
    """What began on the old run is refused once the new one is current; a rebuild that fails never was."""
    database = await pool.connect(live)
    store = DatabaseStore(database)
    records = pump_days(5)
    try:
        await feed_on(store, records[:8])
        old = await store.load(0)
        async with pool.single(live) as connection:
            with pytest.raises(ZeroDivisionError):
                async with rebuilding(connection, DEFAULT_TOPIC, "test"):
                    raise ZeroDivisionError
            assert (await store.load(0)).run_id == old.run_id
            async with rebuilding(connection, DEFAULT_TOPIC, "test"):
                waiting = asyncio.create_task(go_on(store, old, records[8:12]))
                fresh = asyncio.create_task(store.commit(_first_of_partition_1(), old.run_id))
                await asyncio.sleep(1)
                assert not waiting.done()
                assert not fresh.done()
            assert not await waiting
            assert not await fresh, "nor does the first commit of a partition get past it"
        assert await go_on(store, await store.load(0), records[8:12])
    finally:
        await database.close()


def _first_of_partition_1() -> Changes:
    return Changes(partition=1, expected_offset=0, next_offset=1, believed_us=0)
