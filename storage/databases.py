"""Making and dropping whole databases: for those that belong to one run, such as the demonstration's."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from storage.pool import DatabaseSettings, single


class Beside:
    """Settings of another database on the same server."""

    def __init__(self, database: str) -> None:
        self.database = database


def beside(url: str, name: str) -> str:
    """Return the URL of the database `name` on the server of `url`."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def make_anew(settings: DatabaseSettings) -> None:
    """Drop the database of these settings, whoever is connected to it, and make it again, empty.

    Raises UnreachableError where the server does not answer.
    """
    name = urlsplit(settings.database).path.removeprefix("/")
    async with single(Beside(beside(settings.database, "postgres"))) as connection:
        quoted = await _quoted(connection, name)
        await connection.execute(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {quoted}")


async def _quoted(connection: Any, name: str) -> str:
    quoted: str = await connection.fetchval("SELECT quote_ident($1)", name)
    return quoted
