"""The views of alerting's own figures on the real TimescaleDB, against the same figures computed here, life by life."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from contract import codec
from contract.times import DAY_US, SECOND_US
from storage import pool
from storage.commit import commit
from storage.migrate import migrate
from tests.unit.contract.samples import ENVELOPE, PAYLOADS
from tests.unit.storage.rows import batch, note
from thecaflow.settings import Settings

NEW_YEAR_US = (
    1_767_225_600 * SECOND_US
)  # 2026-01-01T00:00:00Z: days and tens of minutes begin where the clock's do
SITES = {"pump-a": "north", "pump-b": "north", "pump-c": "south", "pump-d": "not stated"}
CAUSES = ("occlusion", "motor_stall", "clock_skew")
RANKS = ("info", "low", "medium", "high")
ANSWERED = ("acknowledged", "shelved")

INSERT = """
INSERT INTO alert (run_id, pump, at, cause, alert_id, ordinal, believed_from, believed_to, state, priority, since, text, line)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $3, 'text', '{}')
"""
REGISTER = """
INSERT INTO pump (pump, at, site, model, reservoir_ml, low_reservoir_ml, dead_volume_ul, min_rate_ul_h, max_rate_ul_h,
                  flow_tolerance, stability_days, high_risk)
VALUES ($1, 'epoch', nullif($2, 'not stated'), 'm', 20, 2, 200, 0.25, 1000, 0.145, 180, false)
"""


@dataclass(frozen=True)
class Line:
    """One line of an alert's life; `told_us` is when it was first believed."""

    at_us: int
    state: str
    priority: str
    told_us: int


@dataclass(frozen=True)
class Life:
    """All lines of one alert, in order."""

    pump: str
    cause: str
    alert_id: str
    lines: tuple[Line, ...]

    @property
    def site(self) -> str:
        return SITES[self.pump]

    def activations(self) -> list[tuple[Line, str | None]]:
        """Each line by which it became active, with the state before."""
        before: str | None = None
        found = []
        for line in self.lines:
            if line.state == "active" and before != "active":
                found.append((line, before))
            before = line.state
        return found

    def first_answer_us(self) -> int | None:
        """When somebody answered first: an acknowledgement, a shelving, or what cleared a latched alert."""
        before: str | None = None
        for line in self.lines:
            if line.state in ANSWERED or (before == "latched" and line.state == "cleared"):
                return line.at_us
            before = line.state
        return None

    def acknowledged(self) -> bool:
        before: str | None = None
        for line in self.lines:
            if line.state == "acknowledged" or (before == "latched" and line.state == "cleared"):
                return True
            before = line.state
        return False


NEXT = {
    None: ("pending", "active"),
    "pending": ("active", "cleared"),
    "active": ("active", "acknowledged", "shelved", "latched"),
    "acknowledged": ("active", "cleared"),
    "shelved": ("active", "acknowledged", "cleared"),
    "latched": ("active", "cleared"),
}


def drawn_lives(rng: random.Random, count: int) -> list[Life]:
    """Lives that the contract allows; in spurts, so that some chatter, and many told at noon, so that there are floods."""
    lives = []
    for number in range(count):
        at_us = NEW_YEAR_US + rng.choice((0, 1)) * DAY_US + rng.randrange(40) * 45 * SECOND_US
        upload_us = rng.choice((0, 0, 600 * SECOND_US, None, None))
        told: dict[int, int] = {}
        state: str | None = None
        lines: list[Line] = []
        while state != "cleared" and len(lines) < 8:
            state = rng.choice(NEXT[state])
            noon_us = day_of(at_us) + DAY_US // 2
            told_us = told.setdefault(at_us, max(at_us, noon_us) if upload_us is None else at_us + upload_us)
            lines.append(Line(at_us, state, rng.choice(RANKS), told_us))
            at_us += rng.choice((0, 7, 15, 59, 600, 90_000)) * SECOND_US
        pump, cause = rng.choice(list(SITES)), rng.choice(CAUSES)
        lives.append(Life(pump, cause, f"alert-{number:04d}", tuple(lines)))
    return lives


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[Any]:
    """A migrated database with the pumps of SITES."""
    async with pool.single(settings) as connected:
        await migrate(connected)
        await connected.executemany(REGISTER, list(SITES.items()))
        yield connected


async def write(connection: Any, lives: list[Life], run_id: int = 1, later_us: int = 0) -> None:
    """Write lives as lines of a run, believed `later_us` after they were told."""
    rows = [
        (
            *(run_id, life.pump, line.at_us, life.cause, life.alert_id, number),
            *(line.told_us + later_us, None, line.state, line.priority),
        )
        for life in lives
        for number, line in enumerate(life.lines)
    ]
    await connection.executemany(INSERT, rows)


async def rows(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch(sql)]


def day_of(at_us: int) -> int:
    return at_us - at_us % DAY_US


async def check_everything(connection: Any, lives: list[Life]) -> None:
    """Every view against the walk through each life."""
    active = [life for life in lives if life.activations()]
    assert len(active) > 40
    await check_alerts(connection, active)
    await check_activations(connection, active)
    await check_days(connection, active)


async def check_alerts(connection: Any, lives: list[Life]) -> None:
    wanted = set()
    for life in lives:
        told_us, answer_us = life.activations()[0][0].told_us, life.first_answer_us()
        waited = None if answer_us is None or answer_us < told_us else (answer_us - told_us) / SECOND_US
        ended_us = life.lines[-1].at_us if life.lines[-1].state == "cleared" else None
        re_raised = sum(before in ANSWERED for _, before in life.activations())
        worst = max((line.priority for line in life.lines), key=RANKS.index)
        wanted.add(
            (
                *(life.alert_id, life.pump, life.site, life.cause, worst, life.lines[-1].state),
                *(told_us, ended_us, len(life.activations()), re_raised, life.acknowledged()),
                *(any(line.state == "shelved" for line in life.lines), answer_us, waited),
            )
        )
    found = await rows(
        connection,
        "SELECT alert_id, pump, site, cause, priority, state, told_at, ended_at, activations, re_raised, acknowledged, "
        "shelved, answered_at, to_answer_s FROM kpi_alert",
    )
    assert set(found) == wanted
    assert len(found) == len(wanted)
    stale = await rows(connection, "SELECT alert_id FROM kpi_stale")
    assert {alert_id for (alert_id,) in stale} == {
        life.alert_id for life in lives if life.lines[-1].state != "cleared"
    }, "all of it lies years back"


async def check_activations(connection: Any, lives: list[Life]) -> None:
    all_of_them = [(life, line, before) for life in lives for line, before in life.activations()]
    told = await rows(connection, "SELECT alert_id, at, was, told_at, first FROM kpi_activation")
    assert Counter(told) == Counter(
        (life.alert_id, line.at_us, before, line.told_us, line is life.activations()[0][0])
        for life, line, before in all_of_them
    )
    ten_us = 600 * SECOND_US
    slots = Counter(
        (line.told_us - line.told_us % ten_us, life.site)
        for life, line, _ in all_of_them
        if line.priority != "info"
    )
    assert any(count > 10 for count in slots.values()), "the lot must hold a flood"
    assert set(await rows(connection, "SELECT start, site, activations, flood FROM kpi_ten_minutes")) == {
        (start, site, count, count > 10) for (start, site), count in slots.items()
    }
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for life, line, _ in all_of_them:
        times[life.pump, life.cause].append(line.at_us)
    chatter = Counter()
    for (pump, cause), at in times.items():
        for start in at:
            within = sum(start <= other <= start + 60 * SECOND_US for other in at)
            chatter[pump, cause, start, within] += within >= 3
    assert +chatter, "the lot must hold chattering"
    assert (
        Counter(await rows(connection, "SELECT pump, cause, at, activations FROM kpi_chattering")) == +chatter
    )


async def check_days(connection: Any, lives: list[Life]) -> None:
    wanted: dict[tuple[int, str, str, str], list[int]] = defaultdict(lambda: [0] * 5)
    for life in lives:
        worst = max((line.priority for line in life.lines), key=RANKS.index)
        shelved = any(line.state == "shelved" for line in life.lines)
        counts = wanted[day_of(life.activations()[0][0].told_us), life.site, life.cause, worst]
        for place, holds in enumerate(
            (
                True,
                life.acknowledged(),
                shelved,
                any(before in ANSWERED for _, before in life.activations()),
                life.acknowledged() or shelved,
            )
        ):
            counts[place] += holds
    found = await rows(
        connection,
        "SELECT day, site, cause, priority, alerts, acknowledged, shelved, re_raised, answered FROM kpi_daily",
    )
    assert {row[:4]: list(row[4:]) for row in found} == wanted


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_figure_is_that_of_a_walk_through_each_life(connection: Any, seed: int):
    """Activations, first times, answers, days, ten minutes, chattering and stale ones, from random lives."""
    lives = drawn_lives(random.Random(seed), 250)
    await write(connection, lives)
    await check_everything(connection, lives)


async def test_a_correction_or_a_rebuild_tells_nothing_anew(connection: Any):
    """A line believed again later, in the same run or in the next, keeps the time at which it was told first."""
    lives = drawn_lives(random.Random(4), 250)
    await write(connection, lives)
    await connection.execute("UPDATE alert SET believed_to = $1", NEW_YEAR_US + 30 * DAY_US)
    await write(connection, lives, later_us=30 * DAY_US)
    await check_everything(connection, lives)
    await connection.execute("UPDATE run SET current = false")
    await connection.execute("INSERT INTO run (run_id, reason, current) VALUES (2, 'rules', true)")
    assert await rows(connection, "SELECT 1 FROM kpi_alert") == []
    await write(connection, lives, run_id=2, later_us=60 * DAY_US)
    await check_everything(connection, lives)


async def test_what_is_not_believed_now_is_in_no_figure(connection: Any):
    """Withdrawn lines and those of another run count nowhere, nor does an alert that was never more than pending."""
    lives = drawn_lives(random.Random(5), 40)
    await write(connection, lives, run_id=7)
    await write(connection, lives)
    await connection.execute("UPDATE alert SET believed_to = $1 WHERE run_id = 1", NEW_YEAR_US)
    seen_us = NEW_YEAR_US + DAY_US
    passing = Line(seen_us, "pending", "high", seen_us), Line(seen_us + 5, "cleared", "high", seen_us)
    await write(connection, [Life("pump-a", "occlusion", "passing", passing)])
    for view in (
        "kpi_alert",
        "kpi_activation",
        "kpi_daily",
        "kpi_ten_minutes",
        "kpi_chattering",
        "kpi_stale",
    ):
        assert await rows(connection, f"SELECT 1 FROM {view}") == [], view


async def test_an_alert_is_stale_after_24_hours_and_not_before(connection: Any):
    """23 hours open is not stale, 25 hours is, and a cleared one never."""
    (now_us,) = (await rows(connection, "SELECT now()"))[0]
    hour_us = 3600 * SECOND_US
    begun = {"young": now_us - 23 * hour_us, "old": now_us - 25 * hour_us, "over": now_us - 25 * hour_us}
    lives = [
        Life("pump-a", "occlusion", name, (Line(at_us, "active", "high", at_us),))
        for name, at_us in begun.items()
    ]
    await write(connection, lives)
    await connection.execute(
        INSERT, 1, "pump-a", now_us, "occlusion", "over", 1, now_us, None, "cleared", "high"
    )
    assert await rows(connection, "SELECT alert_id, round(open_s / 3600) FROM kpi_stale") == [("old", 25.0)]


async def test_somebody_who_answered_before_it_was_told_has_no_delay(connection: Any):
    """An answer that waited for its id came first: no negative delay and no zero goes into the percentiles."""
    at_us = NEW_YEAR_US
    lines = Line(at_us, "active", "high", at_us + DAY_US), Line(at_us, "acknowledged", "high", at_us + DAY_US)
    await write(connection, [Life("pump-a", "occlusion", "early", lines)])
    assert await rows(connection, "SELECT acknowledged, to_answer_s FROM kpi_alert") == [(True, None)]


def event_fields(kind: str, pump: str, identity: str, **changed: Any) -> dict[str, Any]:
    return {**ENVELOPE, "type": kind, "id": identity, "pump": pump, **PAYLOADS[kind], **changed}


async def store(connection: Any, fields: list[dict[str, Any]], payloads: list[bytes] | None = None) -> None:
    """Store events with the records that a worker would have read."""
    payloads = payloads or [msgspec.msgpack.encode(event) for event in fields]
    stored = [
        note(event["pump"], event["id"], at_us=index * SECOND_US, type=event["type"], payload=payload)
        for index, (event, payload) in enumerate(
            zip(fields, payloads, strict=True), start=NEW_YEAR_US // SECOND_US
        )
    ]
    assert await commit(connection, batch(0, events=stored))


def whole_number(digits: str) -> float:
    """An int, or what a double of that size is once JSON has written its digits out."""
    return int(digits) if len(digits) < 20 else float(digits)


@pytest.mark.parametrize("form", ["messagepack", "json"])
async def test_every_type_of_event_is_read_from_its_record_in_sql(connection: Any, form: str):
    """`wire_json` gives the fields that the codec reads: nested steps, numbers of all sizes, signs, text of any script."""
    sent = [event_fields(kind, "pump-a", kind) for kind in PAYLOADS if kind != "telemetry"]
    sent.append(
        event_fields("note", "pump-a", "long", text="µl: größer als 31 Bytes, kürzer als 256 " + "x" * 300)
    )
    numbers = (
        0,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        2**32 - 1,
        2**32,
        2**53,
        -1,
        -32,
        -33,
        -128,
        -129,
        -32_769,
        -(2**33),
    )
    floats = (0.1, -0.1, 1e-320, 1e308, 5e-324, 0.5, 3.0, -2.5e-7, 1 / 3)
    nested = {"deep": [[], {}, [None, True, {"k": "v" * 40}]], "whole": list(numbers), "parts": list(floats)}
    sent.append(event_fields("note", "pump-a", "unknown-fields", **nested))
    write_record = msgspec.msgpack.encode if form == "messagepack" else msgspec.json.encode
    await store(connection, sent, [write_record(event) for event in sent])
    found = await rows(connection, "SELECT id, content FROM clinical_event")
    read = {identity: json.loads(content, parse_int=whole_number) for identity, content in found}
    assert read == {event["id"]: event for event in sent}


async def test_a_record_that_cannot_be_told_is_null_and_no_error(connection: Any):
    """Cut records, types that no event has, a NUL in a text and a nest too deep cost one row its words, not a board its rows."""
    whole = codec.encode_wire(codec.decode_json(json.dumps(event_fields("note", "pump-a", "n")).encode()))
    broken = [whole[:cut] for cut in range(1, len(whole) - 1)]
    broken += [
        b"\xc1",
        b"\xc7\x01\x01a",
        b"{not json",
        msgspec.msgpack.encode({"a": "\0"}),
        b"\x91" * 200_000,
    ]
    for record in broken:
        assert await connection.fetchval("SELECT wire_json($1)", record) is None, record[:40]


async def test_operators_are_those_who_answered_and_text_cannot_pass_for_one(connection: Any):
    """A day's load is its alerts on each distinct actor; an actor's name within a reason is no actor."""
    at_us = NEW_YEAR_US
    lives = [
        Life("pump-a", "occlusion", f"a{n}", (Line(at_us, "active", priority, at_us),))
        for n, priority in enumerate(["high"] * 7 + ["info"] * 2)
    ]
    await write(connection, lives)
    disguise = b"\xa5actor\xa5mallo".decode("latin-1")
    answers = [
        event_fields("alert_ack", "pump-a", "1", actor="ward desk", reason=disguise),
        event_fields("alert_ack", "pump-c", "2", actor="ward desk"),
        event_fields("alert_shelved", "pump-a", "3", actor="night", until="2026-01-31T09:00:00Z"),
        event_fields("alert_ack", "pump-d", "4", reason=disguise),
    ]
    del answers[3]["actor"]
    await store(connection, answers)
    assert set(await rows(connection, "SELECT site, type, actor FROM kpi_answer")) == {
        ("north", "alert_ack", "ward desk"),
        ("south", "alert_ack", "ward desk"),
        ("north", "alert_shelved", "night"),
        ("not stated", "alert_ack", ""),
    }
    load = await rows(connection, "SELECT day, alerts, operators, alerts_an_operator FROM kpi_operator_daily")
    assert load == [(NEW_YEAR_US, 7, 3, 7 / 3)]
