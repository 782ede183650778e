"""`thecaflow gateway` as a process on real Kafka and TimescaleDB: what it answers is what the log has."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from contract import codec
from contract.events import Tick
from contract.facts import Quarantined
from storage import tokens
from storage.pool import single
from tests.native import NativeStack
from tests.unit.contract.samples import line
from tests.workers import free_port, make_tables, until
from thecaflow.settings import Settings

MAX_GROWTH_KB = 160 * 1024
FRAME = line(
    "telemetry",
    id="@id",
    pump="@pump",
    t_s=[60.0 * row for row in range(240)],
    stalled=[0] * 240,
    **{name: [row * 0.12345 for row in range(240)] for name in ("delivered_ul", "pressure_kpa", "motor_ma")},
)
"""240 samples of 4 columns: what a pump that reports once a minute sends every four hours."""
OUTAGE_S = float(os.environ.get("THECAFLOW_OUTAGE_S", "30"))


class GatewayProcess:
    """A running gateway, its log, and a client of it."""

    def __init__(self, settings: Settings, folder: Path, *arguments: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.settings = settings.with_changes(gateway_port=port, gateway_url=self.url)
        self.log = folder / "gateway.log"
        with self.log.open("ab") as log:
            self.started = subprocess.Popen(
                [sys.executable, "-m", "thecaflow", "gateway", *arguments],
                env=os.environ | self.settings.to_env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def ready(self, seconds: float = 20.0) -> None:
        """Wait until /readyz says so."""
        end = time.monotonic() + seconds
        async with httpx.AsyncClient() as client:
            while time.monotonic() < end:
                try:
                    if (await client.get(f"{self.url}/readyz", timeout=3)).status_code == 200:
                        return
                except httpx.TransportError:
                    assert self.started.poll() is None, self.log.read_text()
                await asyncio.sleep(0.1)
        raise AssertionError(f"not ready: {self.log.read_text()}")

    def memory_kb(self) -> int:
        """Resident memory now."""
        status = Path(f"/proc/{self.started.pid}/status").read_text()
        return next(int(entry.split()[1]) for entry in status.splitlines() if entry.startswith("VmRSS"))

    def thecaflow(self, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run another command with the same settings."""
        command = [sys.executable, "-m", "thecaflow", *arguments]
        environ = os.environ | self.settings.to_env()
        return subprocess.run(command, env=environ, input=stdin, capture_output=True, check=False)

    def token(self, *scope: str) -> str:
        """Make a token with the command line."""
        made = self.thecaflow("token", "add", "test", *scope)
        assert made.returncode == 0, made.stderr
        return made.stdout.decode().strip()

    async def post(self, client: httpx.AsyncClient, token: str, *lines: bytes) -> httpx.Response:
        """Post lines as NDJSON."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        return await client.post(
            f"{self.url}/v1/events", content=b"\n".join(lines), headers=headers, timeout=30
        )

    async def answers(self, client: httpx.AsyncClient, token: str, status: int) -> bool:
        """Whether an event is answered with a status."""
        return (await self.post(client, token, line("telemetry", id="asked"))).status_code == status


@contextmanager
def gateway_process(settings: Settings, folder: Path, *arguments: str) -> Iterator[GatewayProcess]:
    """Run a gateway for the length of the block; its log goes to standard output for pytest to show."""
    gateway = GatewayProcess(settings, folder, *arguments)
    try:
        yield gateway
    finally:
        if gateway.started.poll() is None:
            gateway.started.kill()
            gateway.started.wait(10)
        print(gateway.log.read_text())


@pytest.fixture
async def ready(topics: Settings) -> Settings:
    """Topics and tables are made."""
    await make_tables(topics)
    return topics


async def read_log(settings: Settings) -> list[ConsumerRecord]:
    """Return every record of the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        parts = [TopicPartition(settings.events_topic, number) for number in range(settings.topic_partitions)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found
    finally:
        await consumer.stop()


async def test_what_was_answered_is_where_it_says(ready: Settings, tmp_path: Path):
    """Partition and offset of each result hold that event under its pump's key, and the end is graceful."""
    with gateway_process(ready, tmp_path, "--tick", "0") as gateway:
        await gateway.ready()
        token = gateway.token()
        lines = [line("resumed", id=f"id-{number}", pump=f"pump-{number % 9}") for number in range(200)]
        async with httpx.AsyncClient() as client:
            answer = await gateway.post(client, token, *lines, b"broken")
        assert answer.status_code == 202, answer.text
        results = answer.json()["results"]
        records = {(record.partition, record.offset): record for record in await read_log(ready)}
        assert len(records) == len(results) == 201
        for result, sent in zip(results, lines, strict=False):
            record = records[result["partition"], result["offset"]]
            event = codec.decode_msgpack(record.value)
            assert (event.id, event.pump.encode()) == (result["id"], record.key)
            assert codec.digest(event, record.value) == codec.digest(codec.decode_json(sent), sent)
        assert results[-1]["status"] == "quarantined"
        assert records[results[-1]["partition"], results[-1]["offset"]].value == b"broken"
        gateway.started.send_signal(signal.SIGTERM)
        assert gateway.started.wait(15) == 0
        assert "gateway: ended" in gateway.log.read_text()


async def test_tokens_live_and_end_by_the_command_line(ready: Settings, tmp_path: Path):
    """A token holds at once, is listed without its secret, is scoped, and ends some seconds after its revocation."""
    with gateway_process(ready, tmp_path, "--tick", "0") as gateway:
        await gateway.ready()
        async with httpx.AsyncClient() as client:
            assert (await gateway.post(client, "nobody", line("resumed"))).status_code == 401
            relay = gateway.token("--pump", "pump-0001", "--type", "telemetry", "--type", "device_alarm")
            assert (await gateway.post(client, relay, line("telemetry"))).status_code == 202
            assert (await gateway.post(client, relay, line("program_set"))).status_code == 403
            assert (await gateway.post(client, relay, line("telemetry", pump="other"))).status_code == 403
            listed = gateway.thecaflow("token", "list").stdout.decode()
            assert "pumps pump-0001" in listed
            assert relay not in listed
            async with single(ready) as connection:
                [row] = await tokens.load_all(connection)
            assert relay.encode() not in row.hash
            assert gateway.thecaflow("token", "revoke", row.id).returncode == 0
            assert gateway.thecaflow("token", "revoke", row.id).returncode == 2
            await until(lambda: gateway.answers(client, relay, 401), 10)
        assert gateway.thecaflow("token", "add", "x", "--type", "tick").returncode == 2


async def test_every_partition_gets_ticks_that_never_go_back(ready: Settings, tmp_path: Path):
    """So deadlines come due in each of them without an event."""
    with gateway_process(ready, tmp_path, "--tick", "0.3") as gateway:
        await gateway.ready()
        await asyncio.sleep(1.5)
    by_partition: dict[int, list[int]] = {}
    for record in await read_log(ready):
        tick = codec.decode_msgpack(record.value)
        assert isinstance(tick, Tick)
        by_partition.setdefault(record.partition, []).append(tick.at_us)
    assert set(by_partition) == set(range(ready.topic_partitions))
    assert all(len(times) >= 3 and times == sorted(times) for times in by_partition.values())
    assert abs(max(by_partition[0]) / 1e6 - time.time()) < 60


async def test_replay_by_gateway_and_by_kafka_write_the_same(ready: Settings, tmp_path: Path):
    """Both ways keep `received`, report every line, and exit 1 when one was refused."""
    lines = [
        line("resumed", id=f"id-{number}", pump=f"pump-{number % 5}", received="2026-01-31T09:00:00.000000Z")
        for number in range(400)
    ]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([*lines, b"broken"]) + b"\n")
    with gateway_process(ready, tmp_path, "--tick", "0") as gateway:
        await gateway.ready()
        token = gateway.token("--replay")
        for target in ("gateway", "kafka"):
            done = gateway.thecaflow("replay", str(path), "--to", target, "--token", token, "--json")
            assert done.returncode == 0, done.stderr
            report = json.loads(done.stdout)
            assert (report["sent"], report["acknowledged"], report["quarantined"]) == (401, 401, 1)
        scoped = gateway.token("--pump", "pump-1")
        done = gateway.thecaflow("replay", "-", "--token", scoped, stdin=path.read_bytes())
        assert done.returncode == 1
        assert b"refused 320" in done.stdout
    found = Counter(record.value for record in await read_log(ready))
    twice = [value for value, count in found.items() if count == 2]
    assert len(twice) == 400
    assert found[b"broken"] == 3
    assert all(isinstance(codec.decode_msgpack(value).received_us, int) for value in twice)


async def test_clients_that_hang_up_leave_nothing_behind(ready: Settings, tmp_path: Path):
    """Half a body and a closed connection give their room back and are no failure of the gateway."""
    with gateway_process(ready, tmp_path, "--tick", "0") as gateway:
        await gateway.ready()
        token = gateway.token()
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n"
        )
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.gateway_port)
            writer.write(head.encode() + b"x" * 50_000)
            await writer.drain()
            writer.close()
        async with httpx.AsyncClient() as client:
            assert (await gateway.post(client, token, line("resumed"))).status_code == 202
            await until(lambda: nothing_held(client, gateway), 10)
    assert "nobody foresaw" not in gateway.log.read_text()


async def nothing_held(client: httpx.AsyncClient, gateway: GatewayProcess) -> bool:
    """Whether no byte of any body is in hand."""
    return "thecaflow_gateway_body_bytes 0.0" in (await client.get(f"{gateway.url}/metrics")).text


class Load:
    """Clients that post without pause and remember what was acknowledged."""

    def __init__(self, gateway: GatewayProcess, token: str) -> None:
        self.gateway = gateway
        self.token = token
        self.acknowledged: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self.slowest_s = 0.0
        self.stop = asyncio.Event()

    async def beyond(self, events: int) -> bool:
        """Whether more events than that are acknowledged."""
        return len(self.acknowledged) > events

    async def client(self, number: int) -> None:
        """Post bodies of 50 frames; a body that was put off is given up, the next one is new."""
        async with httpx.AsyncClient() as client:
            body = 0
            while not self.stop.is_set():
                body += 1
                ids = [f"{number}-{body}-{event}" for event in range(50)]
                lines = [
                    FRAME.replace(b"@id", name.encode()).replace(b"@pump", b"pump-%d" % number)
                    for name in ids
                ]
                began = time.monotonic()
                answer = await self.gateway.post(client, self.token, *lines)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                self.statuses[answer.status_code] += 1
                if answer.status_code == 202:
                    self.acknowledged |= {result["id"] for result in answer.json()["results"]}
                else:
                    assert "retry-after" in answer.headers
                    await asyncio.sleep(0.05)


async def test_a_broker_that_stops_under_load_loses_nothing_acknowledged(
    ready: Settings, stack: NativeStack, tmp_path: Path
):
    """For 30 s there are 503s with Retry-After, memory stays bounded, and all that was acknowledged is in the log."""
    with gateway_process(ready, tmp_path, "--tick", "0") as gateway:
        await gateway.ready()
        load = Load(gateway, gateway.token())
        clients = [asyncio.create_task(load.client(number)) for number in range(12)]
        await asyncio.sleep(3)
        before_kb, before = gateway.memory_kb(), len(load.acknowledged)
        assert before > 0
        await asyncio.to_thread(stack.kill, "kafka")
        peak_kb = await highest_memory(gateway, OUTAGE_S)
        during = load.statuses[503]
        assert during > 0
        assert await readiness(gateway) == 503
        await asyncio.to_thread(stack.start, "kafka")
        again = len(load.acknowledged)
        await until(lambda: load.beyond(again + 1000), 60)
        load.stop.set()
        await asyncio.gather(*clients)
        await gateway.ready()
        in_log = [codec.decode_msgpack(record.value) for record in await read_log(ready)]
        assert not any(isinstance(event, Quarantined) for event in in_log)
        assert load.acknowledged <= {event.id for event in in_log}
        assert set(load.statuses) == {202, 503}
        print(
            f"outage {OUTAGE_S:g} s: {dict(load.statuses)} answers, {len(load.acknowledged)} events acknowledged, "
            f"{len(in_log)} in the log, slowest answer {load.slowest_s:.1f} s, memory {before_kb // 1024} MB before, "
            f"{peak_kb // 1024} MB at most"
        )
        assert load.slowest_s < 10
        assert peak_kb - before_kb < MAX_GROWTH_KB


async def highest_memory(gateway: GatewayProcess, seconds: float) -> int:
    """Return the most memory seen over some seconds."""
    end = time.monotonic() + seconds
    highest = 0
    while time.monotonic() < end:
        highest = max(highest, gateway.memory_kb())
        await asyncio.sleep(0.2)
    return highest


async def readiness(gateway: GatewayProcess) -> int:
    """Return the status of /readyz."""
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{gateway.url}/readyz", timeout=5)).status_code


async def test_a_gateway_without_broker_or_database_waits_for_them(stack: NativeStack, tmp_path: Path):
    """It comes up, says that it is not ready, answers 503, and takes events as soon as both are there."""
    with stack.fresh(tmp_path / "run") as settings:
        stack.stop("kafka", "pg")
        with gateway_process(settings, tmp_path, "--tick", "0") as gateway:
            await asyncio.sleep(2)
            assert await readiness(gateway) == 503
            async with httpx.AsyncClient() as client:
                assert (await gateway.post(client, "any", line("resumed"))).status_code == 503
            await asyncio.to_thread(stack.start)
            from thecaflow.topics import create_topics

            await create_topics(settings)
            await make_tables(settings)
            await gateway.ready(40)
            async with httpx.AsyncClient() as client:
                assert (await gateway.post(client, gateway.token(), line("resumed"))).status_code == 202


async def test_a_paused_broker_is_503_within_the_delivery_timeout(
    ready: Settings, stack: NativeStack, tmp_path: Path
):
    """A broker that keeps its connections and says nothing is noticed by time, and what waited is written after."""
    with gateway_process(ready, tmp_path, "--tick", "0", "--delivery-timeout", "1") as gateway:
        await gateway.ready()
        token = gateway.token()
        async with httpx.AsyncClient() as client:
            assert (await gateway.post(client, token, line("resumed", id="before"))).status_code == 202
            with stack.paused("kafka"):
                began = time.monotonic()
                assert (await gateway.post(client, token, line("resumed", id="waits"))).status_code == 503
                assert time.monotonic() - began < 3
                began = time.monotonic()
                assert (await gateway.post(client, token, line("resumed", id="put off"))).status_code == 503
                assert time.monotonic() - began < 0.5
            await until(lambda: gateway.answers(client, token, 202), 30)
    ids = {codec.decode_msgpack(record.value).id for record in await read_log(ready)}
    assert ids == {"before", "waits", "asked"}
