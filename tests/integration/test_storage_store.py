"""The suite of all stores on the real TimescaleDB, and what only a database can do wrong."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from contract.errors import SchemaVersionError, UnreachableError, UnusableInputError
from contract.events import CHANNELS
from contract.times import DAY_US, SECOND_US
from storage import commit as commit_module
from storage import facts, pgcopy, pool, tokens
from storage.event_rows import EVENT_COLUMNS, encode_events
from storage.migrate import migrate
from storage.queries import named
from storage.store import DatabaseStore, Store
from storage.types import QuarantineRow, StateRow, TokenRow
from tests.native import NativeStack
from tests.unit.storage.rows import T0_US, alert, batch, dose, forecast, frame, note
from tests.unit.storage.store_suite import TOPIC, StoreSuite

EMPTY = "TRUNCATE events, event_ids, state, progress, checkpoint, quarantine, dose, forecast, alert, outbox, token, pump"


@dataclass(frozen=True)
class Server:
    database: str


@pytest.fixture(scope="module")
def server(stack: NativeStack) -> Iterator[Server]:
    name = f"storage_{uuid.uuid4().hex[:12]}"
    stack.start("pg")
    stack.create_database(name)
    yield Server(f"postgresql://postgres@127.0.0.1:{stack.environ['PG_PORT']}/{name}")
    stack.start("pg")
    stack.drop_database(name)


@pytest.fixture
async def database(server: Server) -> AsyncIterator[pool.Database]:
    async with pool.single(server) as connection:
        await migrate(connection)
        await connection.execute(EMPTY)
    opened = await pool.connect(server)
    yield opened
    await opened.close()


@pytest.fixture
async def store(database: pool.Database) -> Store:
    return DatabaseStore(database, TOPIC)


@pytest.fixture
async def connection(database: pool.Database) -> AsyncIterator[Any]:
    async with database.acquire() as lent:
        yield lent


class TestDatabaseStore(StoreSuite):
    """The suite of all stores on TimescaleDB."""


async def test_samples_are_the_frames_columns(connection: Any):
    """Each row and channel comes back bit by bit; NaN and an absent channel are NULL, 0 is 0."""
    random = np.random.default_rng(6)
    columns = {name: random.normal(size=50).tolist() for name in CHANNELS[:5]}
    columns["stalled"] = [0.0] * 50
    columns["flow_ul_h"][7] = float("nan")
    sent = frame("p", "a", list(np.arange(50) * 0.5), columns)
    await commit_module.commit(
        connection, batch(0, events=[sent, frame("p", "b", [99.0], {"motor_ma": [1.0]})])
    )
    rows = await connection.fetch("SELECT * FROM samples WHERE id = 'a' ORDER BY row")
    assert sent.rows_us is not None
    assert sent.columns is not None
    assert [row["at"] for row in rows] == sent.rows_us.tolist()
    for number, name in enumerate(CHANNELS):
        stored = [np.nan if row[name] is None else row[name] for row in rows]
        np.testing.assert_array_equal(stored, sent.columns[number])
    absent = await connection.fetchval(
        "SELECT count(*) FROM events WHERE id = 'b' AND num_nulls(stalled, flow_ul_h) = 2"
    )
    assert absent == 1


async def test_facts_have_their_columns(connection: Any):
    """What SQL and dashboards read is what the line says."""
    added = [dose("p", T0_US, 24.5), forecast("p", T0_US), alert("p", T0_US)]
    await commit_module.commit(connection, batch(0, added=added))
    said = await connection.fetchrow("SELECT * FROM dose_now")
    assert (said["programmed_ul"], said["sensed_ul"], said["coverage"]) == (24.5, None, 0.5)
    assert (said["from_at"], said["to_at"]) == (1_749_945_600_000_000, 1_750_032_000_000_000)
    said = await connection.fetchrow("SELECT * FROM forecast_now")
    assert (said["flow_ratio"], said["flow_ratio_hi"], said["dry_before_alarm"]) == (1.1, 1.2, 0.25)
    assert (said["empty_at_p50"], said["empty_at_p05"]) == (1_765_843_200_000_000, None)
    said = await connection.fetchrow("SELECT * FROM alert_now")
    assert (said["cause"], said["state"], said["priority"]) == ("occlusion", "active", "high")
    assert (said["since"], said["text"]) == (T0_US, "n 0")


async def test_an_alert_is_open_until_its_last_line_says_cleared(connection: Any):
    """Latched is open; cleared is not; a superseded line is not read."""
    lines = [alert("p", T0_US), alert("p", T0_US + 5, 0, "latched"), alert("q", T0_US, alert_id="a2")]
    await commit_module.commit(connection, batch(0, added=lines))
    cleared = alert("q", T0_US + 9, 0, "cleared", "a2")
    await commit_module.commit(connection, batch(10, added=[cleared]))
    query = "SELECT pump, state FROM alert_now ORDER BY pump"
    assert [tuple(row) for row in await connection.fetch(query)] == [("p", "latched")]
    await commit_module.commit(connection, batch(20, superseded=[cleared, lines[1]]))
    assert [tuple(row) for row in await connection.fetch(query)] == [("p", "active"), ("q", "active")]


async def test_a_superseded_fact_keeps_when_it_was_believed(connection: Any):
    """Both beliefs stay in the table, the first with its end."""
    await commit_module.commit(connection, batch(0, added=[dose("p", T0_US, 1.0)]))
    await commit_module.commit(
        connection, batch(10, superseded=[dose("p", T0_US)], added=[dose("p", T0_US, 2.0)])
    )
    rows = await connection.fetch(
        "SELECT programmed_ul, believed_from, believed_to FROM dose ORDER BY believed_from"
    )
    later_us = T0_US + 10 * SECOND_US
    assert [tuple(row) for row in rows] == [(1.0, T0_US, later_us), (2.0, later_us, None)]


async def test_the_outbox_has_every_change_once_with_the_same_id(connection: Any):
    """A refused commit leaves no trace, and the same change made anew gets the same id."""
    changes = batch(0, added=[dose("p", T0_US), alert("p", T0_US)])
    await commit_module.commit(connection, changes)
    assert not await commit_module.commit(connection, changes)
    waiting = await facts.outbox(connection)
    assert [(row.change, row.kind, row.line) for row in waiting] == [
        ("added", fact.kind, fact.line) for fact in changes.added
    ]
    await connection.execute("TRUNCATE progress, dose, alert, outbox")
    await commit_module.commit(connection, changes)
    again = await facts.outbox(connection)
    assert [row.id for row in again] == [row.id for row in waiting]
    await facts.published(connection, [again[0].position])
    assert [row.id for row in await facts.outbox(connection)] == [waiting[1].id]


async def test_quarantined_bytes_are_kept(connection: Any):
    """The raw bytes are kept as they came; text only loses what text cannot hold."""
    row = QuarantineRow(7, "bad \0", "t\ud800", "p", T0_US, b"\0\xff\x00", "i")
    await commit_module.commit(connection, batch(0, quarantined=[row]))
    stored = await connection.fetchrow("SELECT * FROM quarantine")
    assert (stored["topic"], stored["partition"], stored["offset"]) == (TOPIC, 3, 7)
    assert (stored["reason"], stored["text"], stored["payload"]) == ("bad \ufffd", "t?", row.payload)
    assert (stored["pump"], stored["at"], stored["id"]) == ("p", T0_US, "i")


async def test_of_two_owners_at_once_one_commits(database: pool.Database):
    """Two workers that both believe to own the partition: one transaction wins whole, the other writes nothing."""

    async def attempt(name: str) -> bool:
        async with database.acquire() as connection:
            changes = batch(0, events=[note("p", name)], states=[StateRow("p", name.encode())])
            return await commit_module.commit(connection, changes)

    outcomes = await asyncio.gather(*(attempt(name) for name in ("a", "b", "c", "d")))
    assert sorted(outcomes) == [False, False, False, True]
    winner = "abcd"[outcomes.index(True)]
    store = DatabaseStore(database, TOPIC)
    assert (await store.load(3))[0] == {"p": winner.encode()}
    assert set(await store.known([("p", name) for name in "abcd"])) == {("p", winner)}


async def test_a_worker_frozen_in_mid_commit_is_ended_by_the_next_owner(
    database: pool.Database, monkeypatch: pytest.MonkeyPatch
):
    """A stopped process in the middle of its COPY would hold the partition for ever; the next owner takes it."""
    monkeypatch.setattr(commit_module, "LOCK_TIMEOUT_MS", 300)
    holding, wake = asyncio.Event(), asyncio.Event()

    async def never_ending() -> AsyncIterator[bytes]:
        yield pgcopy._SIGNATURE + encode_events([note("p", "frozen")])[0]
        holding.set()
        await wake.wait()

    async def freeze() -> None:
        async with database.acquire() as connection, connection.transaction():
            await connection.fetchval(named("progress_begin"), TOPIC, 3, 10, None)
            await connection.copy_to_table(
                "events", columns=EVENT_COLUMNS, format="binary", source=never_ending()
            )

    store = DatabaseStore(database, TOPIC)
    assert await store.commit(batch(0))
    await store.commit(batch(10))
    async with database.acquire() as connection:
        await connection.execute("DELETE FROM progress")
    frozen = asyncio.create_task(freeze())
    await holding.wait()
    await asyncio.sleep(0.4)
    async with database.acquire() as connection:
        await connection.execute("SET lock_timeout = 300")
        with pytest.raises(UnreachableError, match="ended: try again"):
            await commit_module.commit(connection, batch(0, events=[note("p", "a")]))
        assert await commit_module.commit(connection, batch(0, events=[note("p", "a")]))
    wake.set()
    with pytest.raises(UnreachableError):
        await frozen
    assert set(await store.known([("p", "a"), ("p", "frozen")])) == {("p", "a")}


async def test_a_lost_connection_is_transient_and_leaves_nothing(database: pool.Database):
    """The caller sees UnreachableError, tries again on another connection, and the batch is there once."""
    changes = batch(0, events=[note("p", "a")])

    async def cut_before_the_end() -> None:
        async with database.acquire() as connection, connection.transaction():
            await commit_module.commit(connection, changes)
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(UnreachableError):
        await cut_before_the_end()
    store = DatabaseStore(database, TOPIC)
    assert await store.next_offset(3) == 0
    assert await store.commit(changes)


async def test_a_crash_of_the_server_keeps_what_was_committed(stack: NativeStack, database: pool.Database):
    """A commit that returned True survives a crash at once; until the server is back, callers see UnreachableError."""
    store = DatabaseStore(database, TOPIC)
    assert await store.commit(batch(0, events=[note("p", "a")], states=[StateRow("p", b"1")]))
    stack.kill("pg")
    with pytest.raises(UnreachableError):
        await store.next_offset(3)
    stack.start("pg")
    assert await store.next_offset(3) == 10
    assert (await store.load(3))[0] == {"p": b"1"}


async def test_the_log_spans_years_and_reads_stay_narrow(connection: Any):
    """A rewind opens the chunks that its pump's longest event can reach, not a year of them."""
    events = [note("p", f"n{week}", T0_US + week * 7 * DAY_US) for week in range(60)]
    await commit_module.commit(connection, batch(0, events=events))
    head_us = T0_US + 58 * 7 * DAY_US
    plan = await connection.fetch("EXPLAIN " + named("history_events"), "p", head_us, head_us)
    assert sum("_hyper_" in row[0] and "Index Scan" in row[0] for row in plan) <= 3


async def test_no_feature_of_the_community_edition_is_used(connection: Any):
    """The schema, and everything this module ran before, works under the Apache licence."""
    assert await connection.fetchval("SHOW timescaledb.license") == "apache"
    assert await connection.fetchval("SELECT count(*) FROM timescaledb_information.hypertables") == 1


async def test_tokens_are_added_listed_and_revoked(connection: Any):
    """A scope of None means all, an empty one nothing; a revoked token stays listed."""
    wide = TokenRow(id="t1", hash=b"\1" * 32, label="all", replay=True, created_us=T0_US)
    narrow = TokenRow(
        id="t2",
        hash=b"\2" * 32,
        label="one",
        pumps=("p",),
        sites=(),
        types=("telemetry",),
        role="operator",
        created_us=T0_US + 1,
    )
    await tokens.add(connection, wide)
    await tokens.add(connection, narrow)
    assert await tokens.load_all(connection) == [wide, narrow]
    with pytest.raises(UnusableInputError, match="t1"):
        await tokens.add(connection, wide)
    assert await tokens.revoke(connection, "t1", T0_US + 5)
    assert not await tokens.revoke(connection, "t1", T0_US + 6)
    assert not await tokens.revoke(connection, "nobody", T0_US + 6)
    assert [token.revoked_us for token in await tokens.load_all(connection)] == [T0_US + 5, None]


async def test_errors_say_what_to_do_next(server: Server, stack: NativeStack):
    """No tables, no database, no server: each message names the next step."""
    root = server.database.rpartition("/")[0]
    async with pool.single(server) as connection:
        await migrate(connection)
    with pytest.raises(UnusableInputError, match="THECAFLOW_DATABASE"):
        await pool.connect(Server(f"{root}/nosuch"))
    with pytest.raises(UnreachableError):
        await pool.connect(Server("postgresql://postgres@127.0.0.1:1/x"))
    empty = await pool.connect(Server(f"{root}/postgres"))
    with pytest.raises(SchemaVersionError, match="thecaflow migrate"):
        await DatabaseStore(empty).next_offset(3)
    await empty.close()
