"""The console's way to the database: a few connections, made when first needed and again after it was away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from contract.errors import UnreachableError
from storage.pool import Database, DatabaseSettings, connect

T = TypeVar("T")

CONNECTIONS: Final = 6
ASK_S: Final = 5.0
"""A page waits no longer; what takes longer than this is not for a page."""


class Asking:
    """Asks one question at a time of a lent connection: `await database.ask(lambda connection: query(connection))`."""

    def __init__(self, settings: DatabaseSettings, *, connections: int = CONNECTIONS) -> None:
        self._settings = settings
        self._connections = connections
        self._database: Database | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, question: Callable[[Any], Awaitable[T]], *, within_s: float = ASK_S) -> T:
        """Return what `question` returns for a connection; raises UnreachableError, after `within_s` at the latest."""
        try:
            async with asyncio.timeout(within_s):
                database = await self._connected()
                async with database.acquire() as connection:
                    return await question(connection)
        except TimeoutError as slow:
            raise UnreachableError(f"the database did not answer in {within_s:g} s; try again") from slow

    async def close(self) -> None:
        """Close the connections."""
        if self._database is not None:
            await self._database.close()

    async def _connected(self) -> Database:
        async with self._connecting:
            if self._database is None:
                self._database = await connect(
                    self._settings, connections=self._connections, name="thecaflow console"
                )
            return self._database
