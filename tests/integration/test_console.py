"""`thecaflow console` as a process on real Kafka and TimescaleDB: pages stay, facts go out, and who may do what."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from contract.codec import decode_msgpack
from contract.events import AlertAck
from contract.times import SECOND_US
from dashboards.console.database import CONNECTIONS
from storage.pool import single
from tests.consoles import ConsoleProcess, Log, add_token, console_process, register
from tests.integration.test_gateway import gateway_process, read_log
from tests.native import NativeStack
from tests.unit.storage.rows import T0_US, alert, dose
from tests.workers import fetch, make_tables, until
from thecaflow.settings import Settings

BATCHES = 60


@pytest.fixture
async def ready(topics: Settings) -> Settings:
    """Topics and tables are made, two pumps registered."""
    await make_tables(topics)
    await register(topics, {"p1": "ward-a", "p2": "ward-b"})
    return topics


async def read_facts(settings: Settings) -> list[ConsumerRecord]:
    """Return every record of the facts topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        parts = [TopicPartition(settings.facts_topic, number) for number in range(settings.topic_partitions)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found
    finally:
        await consumer.stop()


async def outbox_is_empty(settings: Settings) -> bool:
    """Whether everything was published."""
    return await fetch(settings, "SELECT count(*) FROM outbox") == [(0,)]


async def page_of(console: ConsoleProcess, pump: str) -> dict[str, float]:
    """Return the open alert of a pump as its metric."""
    series = await console.metric("thecaflow_alert_active")
    return {labels: number for labels, number in series.items() if f'pump="{pump}"' in labels}


async def test_facts_go_out_once_in_order_though_a_publisher_is_killed(ready: Settings, tmp_path: Path):
    """Two consoles: one publishes, is killed in the middle, the other takes over; by their ids nothing is lost or new."""
    log = Log(ready)
    expected: list[tuple[str, bytes]] = []

    async def feed(batches: int) -> None:
        for _ in range(batches):
            at_us = T0_US + log.offset * SECOND_US
            facts = [dose("p1", at_us, log.offset), alert("p2", at_us, log.offset)]
            changes = await log.commit(facts)
            expected.extend((fact.pump, fact.line) for fact in changes.added)

    with (
        console_process(ready, tmp_path, "one") as one,
        console_process(ready, tmp_path, "two") as two,
    ):
        consoles = (one, two)

        async def published() -> list[float]:
            return [
                sum((await each.metric("thecaflow_outbox_published_total")).values()) for each in consoles
            ]

        await until(one.ready)
        await until(two.ready)
        await feed(BATCHES)
        await until(lambda: outbox_is_empty(ready))
        counts = await published()
        assert sorted(counts) == [0, 2 * BATCHES]
        holder, other = (one, two) if counts[0] else (two, one)
        feeding = asyncio.create_task(feed(BATCHES))
        await asyncio.sleep(0.3)
        holder.started.kill()
        await feeding
        await until(lambda: outbox_is_empty(ready))
        assert "this console publishes" in other.text()
        records = await read_facts(ready)
    by_id = {dict(record.headers)["id"]: record for record in records}
    assert len(by_id) == len(expected) == 4 * BATCHES
    for pump in ("p1", "p2"):
        seen = list(dict.fromkeys(record.value for record in records if record.key == pump.encode()))
        assert seen == [line for name, line in expected if name == pump]
    headers = dict(records[0].headers)
    assert (headers["change"], set(headers)) == (b"added", {"id", "change", "believed"})


async def test_a_superseded_fact_is_said_to_be_so(ready: Settings, tmp_path: Path):
    """The line that ends goes out with `change` superseded, before the one in its place."""
    log = Log(ready)
    with console_process(ready, tmp_path) as console:
        await until(console.ready)
        old, new = dose("p1", T0_US, 1.0), dose("p1", T0_US, 2.0)
        await log.commit([old])
        await log.commit([new], [old])
        await until(lambda: outbox_is_empty(ready))
    said = [(dict(record.headers)["change"], record.value) for record in await read_facts(ready)]
    assert said == [(b"added", old.line), (b"superseded", old.line), (b"added", new.line)]


async def test_a_page_stays_while_the_database_restarts(ready: Settings, stack: NativeStack, tmp_path: Path):
    """No scrape in between misses the alert; afterwards new alerts appear and facts go out again, all by itself."""
    log = Log(ready)
    await log.commit([alert("p1", T0_US)])
    with console_process(ready, tmp_path) as console:
        await until(console.ready)
        await until(lambda: outbox_is_empty(ready))
        scrapes, restarted = [], asyncio.Event()

        async def scrape() -> None:
            while not restarted.is_set():
                scrapes.append(await page_of(console, "p1"))
                await asyncio.sleep(0.1)

        scraping = asyncio.create_task(scrape())
        await asyncio.to_thread(stack.kill, "pg")
        await until(lambda: is_up(console, up=False))
        await asyncio.sleep(1)
        await asyncio.to_thread(stack.start, "pg")
        await until(lambda: is_up(console, up=True))
        restarted.set()
        await scraping
        assert len(scrapes) > 15
        assert all(list(page.values()) == [1.0] for page in scrapes)
        await log.commit([alert("p2", T0_US, alert_id="a2")])
        await until(lambda: has_page(console, "p2"), seconds=10)
        await until(lambda: outbox_is_empty(ready))
        assert "Traceback" not in console.text()


async def is_up(console: ConsoleProcess, *, up: bool) -> bool:
    """Whether the console says that of the database."""
    return (await console.metric("thecaflow_console_database_up")).get("") == float(up)


async def has_page(console: ConsoleProcess, pump: str) -> bool:
    """Whether a pump has an open alert."""
    return bool(await page_of(console, pump))


async def test_a_page_ends_with_its_alert(ready: Settings, tmp_path: Path):
    """Within two seconds of the commit that cleared it, and it came as quickly."""
    log = Log(ready)
    with console_process(ready, tmp_path) as console:
        await until(console.ready)
        await log.commit([alert("p1", T0_US)])
        await until(lambda: has_page(console, "p1"), seconds=2)
        [(labels, _)] = (await page_of(console, "p1")).items()
        assert labels == '{cause="occlusion",priority="high",pump="p1",site="ward-a"}'
        await log.commit([alert("p1", T0_US + SECOND_US, state="cleared")])

        async def gone() -> bool:
            return not await has_page(console, "p1")

        await until(gone, seconds=2)


async def test_no_page_waits_for_what_people_ask(ready: Settings, tmp_path: Path):
    """More questions than there are connections wait in the database; an alert is paged as quickly as ever."""
    log = Log(ready)
    secret = await add_token(ready, "viewer")
    with console_process(ready, tmp_path) as console:
        await until(console.ready)
        async with single(ready) as connection, connection.transaction():
            await connection.execute("LOCK TABLE login_link IN ACCESS EXCLUSIVE MODE")
            asked = [
                asyncio.create_task(console.ask(secret, "/v1/login-links", any=""))
                for _ in range(2 * CONNECTIONS)
            ]
            await asyncio.sleep(0.5)
            await log.commit([alert("p1", T0_US)])
            await until(lambda: has_page(console, "p1"), seconds=2)
            assert not any(task.done() for task in asked)
        assert {answer.status_code for answer in await asyncio.gather(*asked)} <= {201, 503}


async def test_a_console_that_never_saw_the_database_claims_nothing(
    ready: Settings, stack: NativeStack, tmp_path: Path
):
    """It starts, answers 503 to a scrape rather than no series, and catches up when the database comes."""
    log = Log(ready)
    await log.commit([alert("p1", T0_US)])
    await asyncio.to_thread(stack.stop, "pg")
    try:
        with console_process(ready, tmp_path) as console:

            async def answers() -> bool:
                return await console.status("/healthz") == 200

            await until(answers)
            assert await console.status("/metrics") == 503
            assert await console.status("/readyz") == 503
            await asyncio.to_thread(stack.start, "pg")
            await until(lambda: has_page(console, "p1"))
    finally:
        await asyncio.to_thread(stack.start, "pg")


async def test_only_an_operators_answer_reaches_the_log(
    ready: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Signed with the token's label; a viewer's and a relay's are refused, and another site's alert is not there.

    The machine's proxy, for going out to the internet, is not shown the operator's token.
    """
    log = Log(ready)
    await log.commit([alert("p1", T0_US), alert("p2", T0_US, alert_id="a2")])
    viewer, operator = await add_token(ready, "viewer"), await add_token(ready, "operator")
    abroad, relay = await add_token(ready, "operator", "ward-b"), await add_token(ready, "sender")
    with gateway_process(ready, tmp_path, "--tick", "0") as gateway:
        await gateway.ready()
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        with console_process(ready.with_changes(gateway_url=gateway.url), tmp_path) as console:
            monkeypatch.delenv("HTTP_PROXY")
            await until(console.ready)
            path = "/v1/alerts/a1/ack"
            for token, status in ((viewer, 403), (relay, 403), (abroad, 404), ("nobody", 401)):
                assert (await console.ask(token, path, reason="seen")).status_code == status
            assert [one["pump"] for one in (await console.ask(abroad, "/v1/alerts")).json()["alerts"]] == [
                "p2"
            ]
            assert (await console.ask(abroad, "/v1/pumps/p1")).status_code == 404
            assert (await console.ask(abroad, "/v1/alerts/a1")).status_code == 404
            assert len((await console.ask(operator, "/v1/alerts/a1")).json()["lines"]) == 1
            taken = await console.ask(operator, path, reason="on my way")
            assert taken.status_code == 202, taken.text
        events = [decode_msgpack(record.value) for record in await read_log(ready)]
    [event] = events
    assert isinstance(event, AlertAck)
    assert (event.id, event.alert_id, event.actor, event.reason) == (
        taken.json()["event_id"],
        "a1",
        "a operator",
        "on my way",
    )


async def test_a_revoked_token_is_logged_out_within_seconds(ready: Settings, tmp_path: Path):
    """A session and an open stream end with their token; a one-time link of the table opened the session."""
    secret = await add_token(ready, "viewer")
    with console_process(ready, tmp_path) as console:
        await until(console.ready)
        link = (await console.ask(secret, "/v1/login-links", any="")).json()["url"]
        async with httpx.AsyncClient(base_url=console.url, timeout=20) as browser:
            await browser.get(link)
            form = {"code": link.rpartition("/")[2], "_csrf_token": browser.cookies["thecaflow-csrf"]}
            assert (await browser.post("/login", data=form)).status_code == 303
            assert (await browser.get("/v1/pumps")).status_code == 200
            await fetch(ready, "UPDATE token SET revoked = now()")

            async def logged_out() -> bool:
                return (await browser.get("/v1/pumps")).status_code == 401

            await until(logged_out, seconds=10)


async def test_it_ends_in_good_order_with_streams_open(ready: Settings, tmp_path: Path):
    """A stream hears of a change, and SIGTERM ends it and the process at once, not after a timeout."""
    log = Log(ready)
    secret = await add_token(ready, "viewer")
    with console_process(ready, tmp_path) as console:
        await until(console.ready)
        heard: list[str] = []
        changed = asyncio.Event()

        async def listen() -> None:
            headers = {"Authorization": f"Bearer {secret}"}
            async with (
                httpx.AsyncClient(headers=headers, timeout=30) as client,
                client.stream("GET", f"{console.url}/v1/stream") as stream,
            ):
                async for line in stream.aiter_lines():
                    heard.extend([line] if line.startswith("data:") else [])
                    if len(heard) > 1:
                        changed.set()

        listening = asyncio.create_task(listen())
        await until(lambda: _first(heard))
        await log.commit([alert("p1", T0_US)])
        async with asyncio.timeout(5):
            await changed.wait()
        assert int(heard[1].split()[1]) > int(heard[0].split()[1])
        console.started.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(console.started.wait, 4) == 0
        async with asyncio.timeout(2):
            await listening
        assert "console: ended" in console.text()


async def _first(heard: list[str]) -> bool:
    return bool(heard)
