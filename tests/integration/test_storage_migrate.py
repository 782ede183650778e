"""Migrations on the real TimescaleDB, and the two commands that need it."""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from contract.errors import SchemaVersionError
from contract.times import DAY_US
from storage import pool
from storage.commit import commit
from storage.migrate import Migration, migrate, require_current, shipped
from tests.unit.storage.rows import T0_US, batch, frame, note
from thecaflow.settings import Settings

SCHEMA = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'public' AND table_name <> 'migration' ORDER BY 1, ordinal_position
"""


async def schema(connection: Any) -> list[tuple[Any, ...]]:
    rows = [tuple(row) for row in await connection.fetch(SCHEMA)]
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    return rows + [tuple(row) for row in await connection.fetch(indexes)]


async def test_migrating_twice_changes_nothing(settings: Settings):
    """The first run applies everything in order, the second says so and leaves the schema alone."""
    async with pool.single(settings) as connection:
        assert await migrate(connection) == [migration.name for migration in shipped()]
        before = await schema(connection)
        assert await migrate(connection) == []
        assert await schema(connection) == before
        await require_current(connection)


async def test_several_migrators_at_once_apply_each_migration_once(settings: Settings):
    """Whoever comes second waits and finds nothing to do."""

    async def one() -> list[str]:
        async with pool.single(settings) as connection:
            return await migrate(connection)

    applied = await asyncio.gather(one(), one(), one())
    assert sorted(map(len, applied)) == [0, 0, len(shipped())]


async def test_a_changed_migration_is_refused(settings: Settings):
    """History is never rewritten: the message names the file, and nothing is applied."""
    async with pool.single(settings) as connection:
        await migrate(connection)
        changed = [replace(shipped()[0], sql=shipped()[0].sql + "-- later"), *shipped()[1:]]
        with pytest.raises(SchemaVersionError, match="0001_log was changed"):
            await migrate(connection, changed)


async def test_a_database_of_a_later_version_is_refused(settings: Settings):
    """Old code must not write into tables it does not know."""
    later = Migration(len(shipped()) + 1, "0099_later", "SELECT 1")
    async with pool.single(settings) as connection:
        await migrate(connection, [*shipped(), later])
        with pytest.raises(SchemaVersionError, match="0099_later"):
            await migrate(connection)
        with pytest.raises(SchemaVersionError, match="0099_later"):
            await require_current(connection)


async def test_a_database_without_migrations_is_refused(settings: Settings):
    """A worker's start names what is missing and the command that brings it."""
    async with pool.single(settings) as connection:
        with pytest.raises(SchemaVersionError, match="thecaflow migrate"):
            await require_current(connection)


async def test_a_migration_that_fails_leaves_no_half(settings: Settings):
    """Each migration is one transaction: what it did before its error is undone, and it can be tried again."""
    first = Migration(1, "0001_first", "CREATE TABLE whole (x int)")
    broken = Migration(2, "0002_broken", "CREATE TABLE half (x int); SELECT 1/0")
    async with pool.single(settings) as connection:
        with pytest.raises(Exception, match="division by zero"):
            await migrate(connection, [first, broken])
        assert await connection.fetchval(
            "SELECT to_regclass('whole') IS NOT NULL AND to_regclass('half') IS NULL"
        )
        repaired = replace(broken, sql="CREATE TABLE half (x int)")
        assert await migrate(connection, [first, repaired]) == ["0002_broken"]


def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from thecaflow.cli import main; main()", *arguments]
    return subprocess.run(
        command, env=settings.to_env(), capture_output=True, text=True, timeout=60, check=False
    )


async def test_migrate_says_what_it_did(settings: Settings):
    """The command names each migration it applied, and the second time that there was nothing to do."""
    first, second = run(settings, "migrate"), run(settings, "migrate")
    assert first.stdout.splitlines() == [f"applied {migration.name}" for migration in shipped()]
    assert (second.returncode, second.stdout) == (0, "nothing to do: the database is up to date\n")


async def test_export_writes_the_log_as_json_lines(settings: Settings):
    """The command writes events with `received` in order, cut by --pump and --until; a bad time is wrong usage."""
    run(settings, "migrate")
    database = await pool.connect(settings)
    async with database.acquire() as connection:
        events = [
            note("q", "n", T0_US + DAY_US),
            frame("p", "t", [0.0, 1.0], {"flow_ul_h": [1.5, float("nan")]}),
            note("p", "l", T0_US + DAY_US, counts=False),
        ]
        assert await commit(connection, batch(0, events=events))
    await database.close()
    lines = [json.loads(line) for line in run(settings, "export").stdout.splitlines()]
    assert [line["id"] for line in lines] == ["t", "l", "n"]
    assert lines[0]["flow_ul_h"] == [1.5, None]
    assert lines[0]["received"] == "2025-06-16T15:06:40.000000Z"
    assert len(run(settings, "export", "--pump", "p").stdout.splitlines()) == 2
    assert len(run(settings, "export", "--until", "2025-06-15T15:06:40Z").stdout.splitlines()) == 1
    refused = run(settings, "export", "--until", "yesterday")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--until" in refused.stderr


async def test_export_without_tables_says_what_to_do(settings: Settings):
    """An unmigrated database ends in one line that names the next command."""
    outcome = run(settings, "export")
    assert outcome.returncode == 1
    assert "thecaflow migrate" in outcome.stderr
