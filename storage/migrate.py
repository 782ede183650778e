"""Forward-only migrations: numbered SQL files, each applied once in its own transaction, never changed afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from contract.errors import SchemaVersionError
from storage import registrations
from storage.queries import named

FILLS_PUMP: Final = "0005_people"
"""Its table `pump` comes from payloads that no SQL can read."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of storage/migrations."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def shipped() -> tuple[Migration, ...]:
    """Return the migrations of this version of the code, in order.

    Raises SchemaVersionError where the numbers are not 1, 2, 3, ...
    """
    found = sorted(
        (file for file in files("storage").joinpath("migrations").iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    migrations = tuple(
        Migration(int(file.name[:4]), file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in found
    )
    if [migration.number for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise SchemaVersionError(
            "the files of storage/migrations must be numbered 0001, 0002, ... without a gap"
        )
    return migrations


async def migrate(connection: Any, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing and return the names of what was applied; again: an empty list.

    Raises SchemaVersionError where an applied migration has changed since, or the database is newer than the code.
    """
    migrations = shipped() if migrations is None else migrations
    await connection.execute(named("migrations_lock"))
    try:
        await connection.execute(named("migrations_table"))
        applied = await _applied(connection)
        _check(applied, migrations)
        pending = [migration for migration in migrations if migration.number not in applied]
        for migration in pending:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    named("migrations_record"), migration.number, migration.name, migration.checksum
                )
                if migration.name == FILLS_PUMP:
                    await registrations.refresh(connection)
        return [migration.name for migration in pending]
    finally:
        await connection.execute(named("migrations_unlock"))


async def require_current(connection: Any) -> None:
    """Raise SchemaVersionError unless the database has exactly this code's migrations; a worker asks at its start."""
    applied = await _applied(connection) if await connection.fetchval(named("migrations_exist")) else {}
    _check(applied, shipped())
    missing = [migration.name for migration in shipped() if migration.number not in applied]
    if missing:
        raise SchemaVersionError(f"the database lacks {', '.join(missing)}; run: thecaflow migrate")


async def _applied(connection: Any) -> dict[int, tuple[str, str]]:
    rows = await connection.fetch(named("migrations_read"))
    return {row["number"]: (row["name"], row["checksum"]) for row in rows}


def _check(applied: dict[int, tuple[str, str]], migrations: Sequence[Migration]) -> None:
    ours = {migration.number: migration for migration in migrations}
    for number, (name, checksum) in applied.items():
        if number not in ours:
            raise SchemaVersionError(
                f"the database has migration {name}, which this version does not know; use the version that made it"
            )
        if ours[number].checksum != checksum:
            raise SchemaVersionError(
                f"migration {ours[number].name} was changed after it was applied; restore the file and write the change "
                "as a new migration"
            )
