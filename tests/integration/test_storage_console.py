"""What the console reads from TimescaleDB: which alerts are open, at what cost, and login links."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contract.times import SECOND_US
from storage import console, login_links, pool
from storage.commit import copy_facts
from storage.types import FactRow
from tests.consoles import Log, register
from tests.unit.storage.rows import T0_US, alert, dose, forecast
from tests.workers import make_tables
from thecaflow.settings import Settings

STATES = ("pending", "active", "acknowledged", "latched", "shelved", "cleared")
BY_DEFINITION = """
SELECT alert_id, at, ordinal, state FROM (
    SELECT DISTINCT ON (alert_id) * FROM alert
    WHERE believed_to IS NULL AND run_id = (SELECT run_id FROM run WHERE current)
    ORDER BY alert_id, at DESC, ordinal DESC
) latest WHERE state <> 'cleared' ORDER BY alert_id
"""
AS_KEPT = "SELECT alert_id, at, ordinal, state FROM alert_now ORDER BY alert_id"
FLEET = """
INSERT INTO pump
SELECT 'pump-' || i, now(), 'site-' || i % 25, 'm', 20, 2, 300, 2, 40, 0.145, NULL, 180, 3600, false
FROM generate_series(0, 999) i;
INSERT INTO forecast (run_id, pump, at, ordinal, believed_from, line)
SELECT 1, 'pump-' || i, now() - d * interval '1 day', 0, now(), '{}'
FROM generate_series(0, 999) i, generate_series(0, 59) d;
INSERT INTO events (at, last_at, raw_at, raw_last_at, received, offset_us, digest, counts, pump, id, type, source, payload)
SELECT t, t, t, t, t, 0, gen_random_uuid(), true, 'pump-' || i, t::text, 'telemetry', 'device', ''
FROM generate_series(0, 999) i, generate_series(now() - interval '20 days', now(), interval '12 hours') t;
INSERT INTO alert (run_id, pump, at, cause, alert_id, ordinal, believed_from, state, priority, since, text, line)
SELECT 1, 'pump-' || a % 1000, now() - interval '300 days' + a * interval '40 minutes' + l * interval '1 hour',
       'occlusion', md5(a::text), 0, now(), CASE WHEN l = 3 AND a % 25 <> 0 THEN 'cleared' ELSE 'active' END, 'high',
       now() - interval '300 days' + a * interval '40 minutes', 'blocked', '{}'
FROM generate_series(1, 10000) a, generate_series(0, 3) l;
ANALYZE;
"""
"""1,000 pumps with 60 forecasts and 40 frames each; 10,000 alerts of four lines in history, 400 of them open."""


@pytest.fixture
async def tables(settings: Settings) -> Settings:
    """Tables are made."""
    await make_tables(settings)
    return settings


@pytest.fixture
async def connection(tables: Settings) -> AsyncIterator[Any]:
    """A connection."""
    async with pool.single(tables) as lent:
        yield lent


async def test_the_kept_list_is_what_the_lines_say(tables: Settings, connection: Any):
    """After any sequence of lines that begin and end to be believed, in this run and, unseen, in another."""
    generator = random.Random(7)
    log = Log(tables)
    believed: dict[tuple[str, int, int], FactRow] = {}
    for step in range(60):
        ended = [
            believed.pop(key)
            for key in generator.sample(list(believed), min(len(believed), generator.randrange(3)))
        ]
        begun = []
        for number in range(generator.randrange(1, 4)):
            key = (
                f"a{generator.randrange(6)}",
                T0_US + generator.randrange(20) * SECOND_US,
                100 * step + number,
            )
            line = alert("p", key[1], key[2], generator.choice(STATES), key[0])
            believed[key] = line
            begun.append(line)
        await log.commit(begun, ended)
        if step % 10 == 0:  # a rebuild writes its run before that is current
            other = alert("p", T0_US, step, generator.choice(STATES), f"a{generator.randrange(6)}")
            await copy_facts(connection, [other], 2, T0_US)
        assert await connection.fetch(AS_KEPT) == await connection.fetch(BY_DEFINITION)
    await connection.execute("INSERT INTO run (run_id, reason) VALUES (2, 'rebuilt')")
    await connection.execute("UPDATE run SET current = false")
    await connection.execute("UPDATE run SET current = true WHERE run_id = 2")
    other_run = await connection.fetch(BY_DEFINITION)
    assert await connection.fetch(AS_KEPT) == other_run
    await connection.execute("DELETE FROM alert WHERE run_id = 2 AND alert_id <= 'a2'")
    assert await connection.fetch(AS_KEPT) == await connection.fetch(BY_DEFINITION) != other_run


async def test_a_pump_is_shown_with_its_newest_forecast(tables: Settings, connection: Any):
    """A pump that never registered but has a state is there, too; another topic's states are not."""
    await register(tables, {"registered": "ward-a"})
    for topic, pump in ((tables.events_topic, "unregistered"), ("another", "elsewhere")):
        await connection.execute(
            'INSERT INTO state (topic, "partition", pump) VALUES ($1, 0, $2)', topic, pump
        )
    await Log(tables).commit([forecast("registered", T0_US), forecast("registered", T0_US + SECOND_US)])
    found = await console.fleet(connection, tables.events_topic)
    assert list(found.pumps) == ["registered", "unregistered"]
    pump = found.pumps["registered"]
    assert (pump.site, pump.forecast_us, pump.flow_ratio) == ("ward-a", T0_US + SECOND_US, 1.1)
    assert found.pumps["unregistered"].model is None


async def test_the_watermark_moves_with_every_commit(tables: Settings, connection: Any):
    """And not without one."""
    log = Log(tables)
    marks = []
    for facts in ([dose("p", T0_US)], [], [alert("p", T0_US)]):
        await log.commit(facts)
        marks.append(await console.watermark(connection, tables.events_topic))
        assert await console.watermark(connection, tables.events_topic) == marks[-1]
    assert len(set(marks)) == 3


async def test_a_snapshot_costs_as_much_as_is_open(tables: Settings, connection: Any):
    """1,000 pumps, 10,000 alerts in history, 400 open: four times the history costs no more."""
    await connection.execute(FLEET)

    async def seconds() -> float:
        taken = []
        for _ in range(7):
            began = time.perf_counter()
            found = await console.fleet(connection, tables.events_topic)
            taken.append(time.perf_counter() - began)
            assert (len(found.pumps), len(found.alerts)) == (1000, 400)
        return min(taken)  # what else the machine does only adds

    before = await seconds()
    await connection.execute(
        "INSERT INTO alert SELECT run_id, pump, at - n * interval '1 year', cause, alert_id || n, ordinal, believed_from,"
        " NULL, CASE WHEN state = 'cleared' OR at - since > interval '2 h' THEN 'cleared' ELSE state END, priority, since,"
        " NULL, NULL, text, line FROM alert, generate_series(1, 3) n"
    )
    await connection.execute("ANALYZE")
    after = await seconds()
    print(f"snapshot {before * 1e3:.0f} ms, with four times the history {after * 1e3:.0f} ms")
    assert after < 2 * before


async def test_a_login_link_is_taken_once_and_in_time(tables: Settings, connection: Any):
    """What expired an hour ago goes when another comes."""
    until_us = time.time_ns() // 1000 + 60 * SECOND_US
    await login_links.add(connection, b"old", b"sealed", until_us - 3700 * SECOND_US)
    await login_links.add(connection, b"one", b"sealed", until_us)
    await login_links.add(connection, b"two", b"sealed", until_us)
    assert await login_links.take(connection, b"one", until_us) == b"sealed"
    assert await login_links.take(connection, b"one", until_us) is None
    assert await login_links.take(connection, b"two", until_us + 1) is None
    assert await connection.fetchval("SELECT count(*) FROM login_link") == 0


async def test_figures_count_what_was_quarantined_lately(connection: Any):
    """By the wall clock, whatever the events said of their time."""
    await connection.execute(
        'INSERT INTO quarantine (topic, "partition", "offset", believed_from, reason, text, payload, written_at) '
        "SELECT 't', 0, n, 'epoch', '', '', '', CASE WHEN n < 5 THEN now() - interval '11 min' ELSE now() END "
        "FROM generate_series(1, 7) n"
    )
    found = await console.figures(connection)
    assert (found.quarantined_recent, found.outbox_waiting) == (3, 0)
    assert found.database_bytes > 1_000_000
