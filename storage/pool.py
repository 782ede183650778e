"""Connections to TimescaleDB: times as integer microseconds, errors as the project's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Protocol

import asyncpg

from contract.errors import SchemaVersionError, ThecaflowError, UnreachableError, UnusableInputError
from storage.pgcopy import PG_EPOCH_US, clamped_us

LOCK_TIMEOUT_MS: Final = 5_000
WORKER: Final = "thecaflow worker"
"""Name of a worker's sessions, by which a rebuild sees that one is up."""
# force_custom_plan: a plan made while a table was new and empty would otherwise serve on when it has millions of rows.
_SESSION: Final = {
    "application_name": "thecaflow",
    "timezone": "UTC",
    "jit": "off",
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": "10000",
    "plan_cache_mode": "force_custom_plan",
}
_TRANSIENT: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_UNUSABLE: Final = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)


class DatabaseSettings(Protocol):
    """The one setting storage needs."""

    @property
    def database(self) -> str:
        """Return the libpq URL of the database."""


class Database:
    """A pool whose connections raise only ThecaflowError for what the database or the network can do.

    UnreachableError is transient: the transaction did not commit, or nobody can tell whether it did; try again on
    another connection after reading `progress` anew.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """Lend a connection for the length of the block."""
        with translated():
            async with self._pool.acquire() as connection:
                yield connection

    async def close(self) -> None:
        """Close every connection; those that do not end within 5 s are cut."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=5)
        except TimeoutError:
            self._pool.terminate()


async def connect(
    settings: DatabaseSettings, *, connections: int = 4, name: str = _SESSION["application_name"]
) -> Database:
    """Open a pool of at most `connections`, one of them now; `name` is what the database shows of its sessions.

    Raises UnreachableError where nothing answers, UnusableInputError where the URL, the user or the database is wrong.
    """
    with translated():
        pool = await asyncpg.create_pool(
            settings.database,
            min_size=1,
            max_size=connections,
            init=use_integer_times,
            server_settings=_SESSION | {"application_name": name},
            command_timeout=60,
            timeout=10,
        )
    return Database(pool)


@asynccontextmanager
async def single(settings: DatabaseSettings) -> AsyncIterator[Any]:
    """Lend one connection of its own, without time limits on statements: for migrations and other long work."""
    with translated():
        session = _SESSION | {"idle_in_transaction_session_timeout": "0", "lock_timeout": "0"}
        connection = await asyncpg.connect(settings.database, server_settings=session, timeout=10)
        try:
            await use_integer_times(connection)
            yield connection
        finally:
            await connection.close(timeout=5)


async def use_integer_times(connection: Any) -> None:
    """Make every timestamptz an int of microseconds since 1970: exact, and no datetime is made on the way."""
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        format="tuple",
        encoder=lambda at_us: (clamped_us(at_us) - PG_EPOCH_US,),
        decoder=lambda stored: stored[0] + PG_EPOCH_US,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Raise the project's errors in place of asyncpg's; what is neither transient nor usage is left as it is."""
    try:
        yield
    except ThecaflowError:
        raise
    except _TRANSIENT as lost:
        raise UnreachableError(f"the database did not do it ({_reason(lost)}); try again") from lost
    except asyncpg.InterfaceError as misused:
        if "closed" not in str(misused) and "terminated" not in str(misused):
            raise
        raise UnreachableError(f"the database connection was lost ({misused}); try again") from misused
    except asyncpg.UndefinedTableError as missing:
        raise SchemaVersionError(f"{missing}; run: thecaflow migrate") from missing
    except _UNUSABLE as refused:
        raise UnusableInputError(f"{refused}; check THECAFLOW_DATABASE") from refused


def _reason(lost: BaseException) -> str:
    return f"{type(lost).__name__}: {lost}".rstrip(": ")
