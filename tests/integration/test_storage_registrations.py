"""Table `pump` on the real TimescaleDB: the newest registration that counts, whatever the order of arrival."""

from dataclasses import replace

from contract.codec import encode_wire
from contract.events import PumpRegistered
from storage import console, pool
from storage.commit import commit
from storage.migrate import migrate, shipped
from storage.registrations import site_of
from storage.types import DEFAULT_TOPIC, EventRow
from tests.unit.storage.rows import T0_US, batch, note
from thecaflow.settings import Settings


def registered(pump: str, identity: str, at_us: int, site: str | None) -> EventRow:
    event = PumpRegistered(
        id=identity,
        pump=pump,
        source="clinic",
        at_us=at_us,
        received_us=at_us,
        model="m",
        reservoir_ml=20.0,
        low_reservoir_ml=2.0,
        dead_volume_ul=200.0,
        min_rate_ul_h=2.0,
        max_rate_ul_h=1000.0,
        flow_tolerance=0.145,
        site=site,
    )
    row = note(pump, identity, at_us, text=str(site))
    return replace(row, type="pump_registered", payload=encode_wire(event))


def explanted(pump: str, identity: str) -> EventRow:
    return replace(note(pump, identity, T0_US + 50), type="pump_explanted")


async def test_the_newest_registration_counts_whichever_came_first(settings: Settings):
    """A registration of last year that comes late does not move a pump back to its old site."""
    async with pool.single(settings) as connection:
        await migrate(connection)
        await commit(connection, batch(0, events=[registered("p", "new", T0_US + 9, "ward-b")]))
        await commit(connection, batch(10, events=[registered("p", "old", T0_US, "ward-a")]))
        assert await site_of(connection, "p") == "ward-b"
        assert await site_of(connection, "q") is None
        row = await connection.fetchrow("SELECT * FROM pump")
        assert (row["at"], row["reservoir_ml"], row["upload_every_s"], row["high_risk"]) == (
            T0_US + 9,
            20.0,
            None,
            False,
        )


async def test_a_registration_that_counts_no_more_is_forgotten(settings: Settings):
    """A registration that loses its id to an earlier received event takes its site with it."""
    async with pool.single(settings) as connection:
        await migrate(connection)
        await commit(connection, batch(0, events=[registered("p", "a", T0_US, "ward-a")]))
        await commit(connection, batch(10, events=[registered("p", "b", T0_US + 9, "ward-b")]))
        won = note("p", "b", T0_US + 9, text="received first")
        await commit(connection, batch(20, replaced=[("p", "b")], events=[won]))
        assert await site_of(connection, "p") == "ward-a"
        await commit(
            connection, batch(30, replaced=[("p", "a")], events=[note("p", "a", text="this one, too")])
        )
        assert await connection.fetchval("SELECT count(*) FROM pump") == 0


async def test_a_pump_that_was_taken_out_is_no_part_of_its_site(settings: Settings):
    """Whichever came first, the end or the registration; until the end does not count any more."""
    async with pool.single(settings) as connection:
        await migrate(connection)

        async def in_service() -> dict[str, bool]:
            fleet = await console.fleet(connection, DEFAULT_TOPIC)
            return {name: not pump.explanted for name, pump in fleet.pumps.items()}

        events = [registered(pump, "in", T0_US, "ward-a") for pump in ("p", "q")]
        await commit(connection, batch(0, events=[*events, explanted("p", "out")]))
        await commit(connection, batch(10, events=[explanted("r", "out")]))
        await commit(connection, batch(20, events=[registered("r", "in", T0_US, "ward-a")]))
        assert await in_service() == {"p": False, "q": True, "r": False}
        await commit(connection, batch(30, events=[registered("p", "again", T0_US + 99, "ward-b")]))
        won = note("r", "out", T0_US, text="received first")
        await commit(connection, batch(40, replaced=[("r", "out")], events=[won]))
        assert await in_service() == {"p": False, "q": True, "r": True}


async def test_those_taken_out_before_are_known_by_the_migration(settings: Settings):
    """Whoever upgrades has the right size of every site at once."""
    async with pool.single(settings) as connection:
        await migrate(connection)
        events = [registered("p", "in", T0_US, "ward-a"), explanted("p", "out")]
        await commit(connection, batch(0, events=events))
        for sql in (
            "ALTER TABLE pump DROP COLUMN explanted",
            "DROP INDEX events_explanted",
            shipped()[8].sql,
        ):
            await connection.execute(sql)
        assert await connection.fetchval("SELECT explanted FROM pump")


async def test_a_database_from_before_the_table_is_filled_by_the_migration(settings: Settings):
    """Whoever upgrades has the sites of all pumps at once, not after the next registration."""
    async with pool.single(settings) as connection:
        await migrate(connection, shipped()[:4])
        row = registered("p", "a", T0_US, "ward-a")
        await connection.execute(
            "INSERT INTO events (at, last_at, raw_at, raw_last_at, offset_us, digest, counts, pump, id, type, source, payload)"
            " VALUES ($1, $1, $1, $1, 0, gen_random_uuid(), true, 'p', 'a', 'pump_registered', 'clinic', $2)",
            T0_US,
            row.payload,
        )
        await migrate(connection)
        assert await site_of(connection, "p") == "ward-a"
