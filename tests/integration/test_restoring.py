"""The store while and after a database is restored."""

import pytest

from contract.errors import UnreachableError
from storage import console
from storage.pool import connect, single
from storage.store import DatabaseStore
from storage.types import Changes, EventRow
from tests.native import NativeStack
from tests.workers import make_tables
from thecaflow.settings import Settings


async def test_a_restore_is_waited_for_and_its_connections_are_not_used_afterwards(
    settings: Settings, stack: NativeStack
):
    """During the restore nothing is loaded; a connection opened then refuses one commit, and the next one goes through."""
    await make_tables(settings)
    name = settings.database.rpartition("/")[2]
    stack.sql("SELECT timescaledb_pre_restore()", name)
    database = await connect(settings, connections=1)
    store = DatabaseStore(database, settings.events_topic)
    changes = Changes(partition=0, expected_offset=0, next_offset=1, believed_us=1, events=[_event()])
    try:
        with pytest.raises(UnreachableError, match="is being restored"):
            await store.load(0)
        stack.sql("SELECT timescaledb_post_restore()", name)
        assert await store.load(0) == ({}, 0, 1)
        with pytest.raises(UnreachableError, match="dates from a restore"):
            await store.commit(changes)
        assert await store.commit(changes)
        assert await store.next_offset(0) == 1
    finally:
        await database.close()


async def test_no_alert_ends_by_a_restore(settings: Settings, stack: NativeStack):
    """Tables whose rows are not back yet are no fleet in which nothing is open; nor are those without a current run."""
    await make_tables(settings)
    name = settings.database.rpartition("/")[2]
    async with single(settings) as connection:
        assert (await console.fleet(connection, settings.events_topic)).alerts == ()
        stack.sql("SELECT timescaledb_pre_restore()", name)
        with pytest.raises(UnreachableError, match="is being restored"):
            await console.fleet(connection, settings.events_topic)
        stack.sql("SELECT timescaledb_post_restore()", name)
        await connection.execute("DELETE FROM run")
        with pytest.raises(UnreachableError, match="no current run"):
            await console.fleet(connection, settings.events_topic)


def _event() -> EventRow:
    return EventRow(
        pump="p",
        id="e",
        type="note",
        source="clinic",
        seq=None,
        received_us=1,
        first_us=1,
        last_us=1,
        first_raw_us=1,
        last_raw_us=1,
        offset_us=0,
        digest=bytes(16),
        payload=b"x",
    )
