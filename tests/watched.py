"""A small fleet on real parts, for boards to look at: gateway, worker, console and Prometheus, with something of everything.

Most of it is simulated and replayed through the gateway. What a simulator does not draw on purpose is added: a pump with
every channel and every kind of clinical event, input for the quarantine, answers of a person, and lines of an alert that
chatters.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from contract.events import CHANNELS
from ingest.answering import acknowledge, shelve
from storage.migrate import migrate
from storage.pool import single
from tests.native import NativeStack
from thecaflow.settings import Settings
from thecaflow.topics import create_topics

PARTS = (("gateway", "gateway_port"), ("worker", "worker_port"), ("console", "console_port"))
FAULTS = (
    "stall",
    "occlusion",
    "dry_before_alarm",
    "silence",
    "program_implausible",
    "leak",
    "device_disagrees",
)
DAYS = 10
READY_WITHIN_S = 90.0
COMMITTED_WITHIN_S = 120.0
CRAFTED = "crafted-1"
CHATTER_LINES = 24
"""12 activations within 48 s: chattering, and a flood."""


@dataclass(frozen=True)
class Watched:
    """What runs: settings whose ports are those that Prometheus scrapes."""

    settings: Settings
    prometheus_url: str
    pumps: tuple[str, ...]


@contextmanager
def watched_fleet(stack: NativeStack, folder: Path) -> Iterator[Watched]:
    """Start everything, send the fleet through it, and end what was started."""
    with stack.fresh(folder / "run") as settings, ExitStack() as running:
        stack.start("prom", "am")
        running.callback(stack.stop, "prom", "am")
        asyncio.run(_prepare(settings))
        for part, port in PARTS:
            running.enter_context(_process(settings, folder, part, getattr(settings, port)))
        address = f"http://127.0.0.1:{stack.environ['PROMETHEUS_PORT']}"
        _until_scraped(address)
        asyncio.run(_fill(settings, folder))
        pumps = [row[0] for row in asyncio.run(_fetch(settings, "SELECT pump FROM pump_site ORDER BY 1"))]
        yield Watched(settings, address, tuple(pumps))


async def _prepare(settings: Settings) -> None:
    await create_topics(settings)
    async with single(settings) as connection:
        await migrate(connection)


@contextmanager
def _process(settings: Settings, folder: Path, part: str, port: int) -> Iterator[None]:
    option = "--http-port" if part == "worker" else "--port"
    log = folder / f"{part}.log"
    with log.open("wb") as sink:
        started = subprocess.Popen(
            [sys.executable, "-m", "thecaflow", part, option, str(port)],
            env=os.environ | settings.to_env(),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + READY_WITHIN_S
        while not _ready(port):
            assert started.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < end, log.read_text(errors="replace")
            time.sleep(0.2)
        yield
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(10)
        print(f"---- {part}\n{log.read_text(errors='replace')[-4000:]}")


def _until_scraped(address: str) -> None:
    """Wait until Prometheus has seen each process once: a rate needs a reading from before what it counts."""
    end = time.monotonic() + READY_WITHIN_S
    while True:
        asked = {"query": f'count(up{{job=~"{"|".join(part for part, _ in PARTS)}"}} == 1)'}
        found = httpx.get(f"{address}/api/v1/query", params=asked, timeout=5).json()["data"]["result"]
        if found and int(found[0]["value"][1]) >= len(PARTS):
            return
        assert time.monotonic() < end, f"Prometheus has not scraped every one of {PARTS}"
        time.sleep(0.5)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=3).status_code == 200
    except httpx.TransportError:
        return False


def _thecaflow(settings: Settings, *arguments: str, stdin: bytes | None = None) -> str:
    command = [sys.executable, "-m", "thecaflow", *arguments]
    done = subprocess.run(
        command,
        env=os.environ | settings.to_env(),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode()


async def _fill(settings: Settings, folder: Path) -> None:
    fleet = folder / "fleet.jsonl"
    faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
    size = ("--pumps", "9", "--days", str(DAYS), "--end", "now", "--seed", "5")
    _thecaflow(settings, "simulate", *size, *faults, "-o", str(fleet))
    secret = _thecaflow(settings, "token", "add", "replay", "--replay").split()[-1]
    crafted = b"".join(json.dumps(event).encode() + b"\n" for event in crafted_events(datetime.now(UTC)))
    fleet.write_bytes(crafted + fleet.read_bytes())
    _thecaflow(settings, "replay", str(fleet), "--token", secret, "--sort")
    await _send_unusable(settings, secret)
    await _until_committed(settings)
    await _chatter(settings)
    await _answer(
        settings, _thecaflow(settings, "token", "add", "ward desk", "--role", "operator").split()[-1]
    )


def crafted_events(now: datetime) -> list[dict[str, Any]]:
    """A pump that reports every channel, with every kind of clinical event, over two days up to now."""

    def event(hours_ago: float, type_name: str, source: str = "clinic", /, **payload: Any) -> dict[str, Any]:
        at = now - timedelta(hours=hours_ago)
        stamp = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        common = {
            "type": type_name,
            "v": 1,
            "id": f"{type_name}-{hours_ago}",
            "pump": CRAFTED,
            "source": source,
        }
        return common | {"at": stamp, "received": stamp} | payload

    registration = {
        "model": "bench",
        "reservoir_ml": 20,
        "low_reservoir_ml": 2,
        "dead_volume_ul": 200,
        "site": "bench",
        "min_rate_ul_h": 1,
        "max_rate_ul_h": 1000,
        "flow_tolerance": 0.145,
        "upload_every_s": 3600,
    }
    window = {"from": event(20, "note")["at"], "to": event(19, "note")["at"]}
    program = {"mode": "continuous", "steps": [{"minute": 0, "rate_ul_h": 12}]}
    clinical = [
        event(48, "pump_registered", **registration),
        event(48, "reservoir_filled", removed_ml=1, filled_ml=12, concentration_ug_ml=500, drug="baclofen"),
        event(47.9, "bolus", kind="priming", programmed_ul=200, duration_s=600),
        event(47.5, "program_set", **program),
        event(30, "bolus", kind="therapeutic", programmed_ul=10, duration_s=60),
        event(25, "assessment", scale="ashworth", score=2),
        event(20, "note", kind="other", text="", **window),
        event(
            15,
            "volume_reported",
            "device",
            ledger="reservoir",
            value_ul=11_500,
            **_at_once(event(15, "note")["at"]),
        ),
        event(10, "device_alarm", "device", code="other", text=""),
    ]
    return clinical + [_frame(event, hours_ago) for hours_ago in range(47, 0, -1)]


def _at_once(stamp: str) -> dict[str, str]:
    return {"from": stamp, "to": stamp}


def _frame(event: Any, hours_ago: int) -> dict[str, Any]:
    """An hour of 12 rows in each channel, received at its end."""
    begun_ul = 12.0 * (47 - hours_ago)
    levels = dict.fromkeys(CHANNELS, 1.0) | {"stalled": 0.0, "flow_ul_h": 12.0, "pressure_kpa": 3.0}
    columns = {name: [level + 0.01 * (row % 3) for row in range(12)] for name, level in levels.items()}
    columns |= {"delivered_ul": [begun_ul + row for row in range(12)], "stalled": [0] * 12}
    columns["reservoir_ml"] = [12 - (begun_ul + row) / 1000 for row in range(12)]
    frame = event(hours_ago, "telemetry", "device", t_s=[300.0 * row for row in range(12)], **columns)
    return frame | {"seq": 47 - hours_ago, "received": event(hours_ago - 0.95, "note")["at"]}


async def _send_unusable(settings: Settings, secret: str) -> None:
    """Records that no gateway lets through, straight into the log, and posts that it refuses."""
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    try:
        for number in range(3):
            await producer.send_and_wait(
                settings.events_topic, b"\xc1 unusable %d" % number, key=b"crafted-1"
            )
    finally:
        await producer.stop()
    async with httpx.AsyncClient() as client:
        await client.post(f"http://127.0.0.1:{settings.gateway_port}/v1/events", content=b"{}")


async def _until_committed(settings: Settings) -> None:
    from thecaflow.overview import lags

    end = time.monotonic() + COMMITTED_WITHIN_S
    while True:
        found = await lags(settings)
        if found and sum(lag.records or 0 for lag in found) == 0:
            return
        assert time.monotonic() < end, found
        await asyncio.sleep(0.5)


async def _chatter(settings: Settings) -> None:
    """Lines of an alert that comes and goes every four seconds, a day and a half ago."""
    statement = """
        INSERT INTO alert (run_id, pump, at, cause, alert_id, ordinal, believed_from, state, priority, since, text, line)
        SELECT (SELECT run_id FROM run WHERE current), $1, step.at, 'air_in_line', 'chatter', 0, step.at,
               (ARRAY['active', 'latched'])[1 + n % 2], 'medium', now() - interval '36 hours', 'air in the line', '{}'
        FROM generate_series(0, $2::int - 1) n
        CROSS JOIN LATERAL (SELECT now() - interval '36 hours' + n * interval '2 seconds' AS at) step
    """
    async with single(settings) as connection:
        await connection.execute(statement, CRAFTED, CHATTER_LINES)


async def _answer(settings: Settings, secret: str) -> None:
    """Acknowledge two open alerts of people's priorities and shelve a third, as a person does."""
    rows = await _fetch(
        settings,
        "SELECT pump, alert_id FROM alert_now WHERE state IN ('active', 'latched') AND priority IN ('high', 'medium') "
        "AND alert_id <> 'chatter' ORDER BY state, alert_id LIMIT 3",
    )
    assert len(rows) == 3, "the faults must leave three alerts open"
    now_us = time.time_ns() // 1000
    url = f"http://127.0.0.1:{settings.gateway_port}"
    async with httpx.AsyncClient() as client:
        (pump, alert_id), *others = rows
        until_us = now_us + 3_600_000_000
        common = {"cause": None, "reason": "looked at", "now_us": now_us}
        await shelve(client, url, secret, pump=pump, alert_id=alert_id, until_us=until_us, **common)
        for pump, alert_id in others:
            await acknowledge(client, url, secret, pump=pump, alert_id=alert_id, **common)
    await _until_committed(settings)


async def _fetch(settings: Settings, sql: str) -> Sequence[tuple[Any, ...]]:
    async with single(settings) as connection:
        return [tuple(row) for row in await connection.fetch(sql)]
