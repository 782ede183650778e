"""A page of the real system under harm: an alert that is open stays paged, whatever part is down; its real end ends it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contract.times import HOUR_US, format_us
from kernels import step
from tests.native import NativeStack
from tests.paging import OPEN_WITHIN_S, Receiver, Webhook, receiver_behind
from tests.workers import REAL, WorkerProcess, make_tables, until, workers
from thecaflow.settings import Settings

PUMP, SITE = "pump-7", "chaos"
SETTLE_S = 8.0
"""Time for a false end to be paged: 2 s scrape, 2 s rules, 2 or 5 s in Alertmanager."""


@pytest.fixture
async def ready(topics: Settings) -> Settings:
    """Topics and tables are made, kernels compiled."""
    await make_tables(topics)
    await asyncio.to_thread(step.warm)
    return topics


@pytest.fixture
async def receiver(stack: NativeStack, ready: Settings) -> AsyncIterator[Receiver]:
    """Prometheus and Alertmanager on the stack's ports, aimed at the real console; webhooks arrive here."""
    with receiver_behind(stack) as taking:
        yield taking


async def test_a_page_outlives_worker_database_and_console(
    ready: Settings, stack: NativeStack, receiver: Receiver, tmp_path: Path
):
    """A worker killed, partitions moved twice, the database stopped and crashed, the console killed: one page, no end."""
    with workers(ready, tmp_path, "one", "two", program=REAL) as [one, two]:
        await until(lambda: _hold(ready, one, two))
        now_us = time.time_ns() // 1000
        with _console(ready, tmp_path):
            await _replay(ready, *_implausible(now_us))
            (page,) = await _pages(receiver, "firing")
            assert page["annotations"]["summary"] == f"{SITE}, pump {PUMP}: the new program is implausible"
            one.signal(signal.SIGKILL)
            one.wait()
            await until(lambda: _hold(ready, two))
            one.start()
            await until(lambda: _hold(ready, one, two))
            await asyncio.to_thread(stack.stop, "pg")
            await asyncio.sleep(SETTLE_S)
            await asyncio.to_thread(stack.start, "pg")
            await asyncio.to_thread(stack.kill, "pg")
            await asyncio.to_thread(stack.start, "pg")
        await asyncio.sleep(SETTLE_S)
        with _console(ready, tmp_path):
            await asyncio.sleep(SETTLE_S)
            assert [hook.receiver for hook in _of_ours(receiver, "resolved")] == []
            standing = await asyncio.to_thread(_standing, stack)
            assert [alert["startsAt"][:19] for alert in standing] == [page["startsAt"][:19]]
            await _replay(ready, *_over(time.time_ns() // 1000))
            await _pages(receiver, "resolved")


def _of_ours(receiver: Receiver, status: str) -> list[Webhook]:
    labels = {"pump": PUMP, "alertname": "ProgramImplausible"}
    return [
        hook
        for hook in receiver.taken("pages", **labels)
        if any(alert["status"] == status for alert in hook.of(**labels))
    ]


async def _pages(receiver: Receiver, status: str) -> list[dict[str, Any]]:
    """Wait for the page of our alert, or its end, and return it."""

    async def there() -> bool:
        return bool(_of_ours(receiver, status))

    await until(there, OPEN_WITHIN_S)
    return _of_ours(receiver, status)[0].of(pump=PUMP, alertname="ProgramImplausible")


def _standing(stack: NativeStack) -> list[dict[str, Any]]:
    """Our alert as Alertmanager holds it now."""
    address = f"http://127.0.0.1:{stack.environ['ALERTMANAGER_PORT']}/api/v2/alerts?filter=pump%3D{PUMP}"
    with urllib.request.urlopen(address, timeout=5) as answer:
        return [alert for alert in json.load(answer) if alert["labels"]["alertname"] == "ProgramImplausible"]


async def _hold(settings: Settings, *among: WorkerProcess) -> bool:
    """Whether these workers, each with a share, hold all partitions."""
    shares = [await asyncio.to_thread(worker.metric, "thecaflow_partitions") for worker in among]
    return all(shares) and sum(shares) == settings.topic_partitions


@contextmanager
def _console(settings: Settings, folder: Path) -> Iterator[None]:
    """A console on the port that Prometheus scrapes, killed at the end."""
    log = folder / "console.log"
    with (
        log.open("ab") as out,
        subprocess.Popen(
            [sys.executable, "-m", "thecaflow", "console"],
            env=os.environ | settings.to_env(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        ) as running,
    ):
        try:
            yield
        finally:
            assert running.poll() is None, log.read_text(errors="replace")
            running.kill()


def _event(kind: str, at_us: int, **payload: Any) -> bytes:
    at = format_us(at_us)
    event = {
        "type": kind,
        "v": 1,
        "id": f"{kind}-{at_us}",
        "pump": PUMP,
        "source": "clinic",
        "at": at,
        "received": at,
    }
    return json.dumps(event | payload).encode()


def _program(at_us: int, rate_ul_h: float) -> bytes:
    return _event("program_set", at_us, mode="continuous", steps=[{"minute": 0, "rate_ul_h": rate_ul_h}])


def _implausible(now_us: int) -> list[bytes]:
    """A pump whose rate was raised fifteenfold a moment ago."""
    model = {"model": "m", "reservoir_ml": 20, "low_reservoir_ml": 2, "dead_volume_ul": 200, "site": SITE}
    limits = {"min_rate_ul_h": 2, "max_rate_ul_h": 1000, "flow_tolerance": 0.145}
    filling = {"removed_ml": 0, "filled_ml": 20, "concentration_ug_ml": 500, "drug": "baclofen"}
    return [
        _event("pump_registered", now_us - 48 * HOUR_US, **model, **limits),
        _event("reservoir_filled", now_us - 48 * HOUR_US + 1, **filling),
        _program(now_us - 48 * HOUR_US + 2, 10.0),
        _program(now_us, 150.0),
    ]


def _over(now_us: int) -> list[bytes]:
    """The old rate again, and an answer to the alert, which then has nothing left to stand for."""
    answer = {"cause": "program_implausible", "actor": "nurse", "reason": "set back"}
    return [_program(now_us, 10.0), _event("alert_ack", now_us + 1_000_000, **answer)]


async def _replay(settings: Settings, *events: bytes) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "thecaflow", "replay", "-", "--to", "kafka"],
        env=os.environ | settings.to_env(),
        input=b"\n".join(events) + b"\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
