"""The life of alerts on the real path: events and people's answers through the gateway, folded by a worker, by the clock.

Every pump's motor stands since almost two hours: harm is expected 8 h after that, so its alert rises from medium to high
at two hours, some seconds into the test.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from contract.times import HOUR_US, MINUTE_US, format_us
from tests.integration.test_gateway import GatewayProcess, gateway_process
from tests.native import NativeStack
from tests.workers import REAL, WorkerProcess, fetch, free_port, make_tables, until, workers
from thecaflow.settings import Settings
from thecaflow.topics import create_topics

pytestmark = pytest.mark.asyncio(loop_scope="module")

S_US = 1_000_000
RISES_IN_US = 30 * S_US
"""How long after a pump's first event its alert becomes high: enough for a dozen commands before."""
ROWS = 31
"""One a minute before the motor stops."""
CAUSE = "motor_stall"
BEGUN = ("pending medium", "active medium")
LINES = "SELECT line FROM alert WHERE pump = $1 AND cause = $2 AND believed_to IS NULL ORDER BY at, ordinal"


@dataclass
class Live:
    """A gateway that ticks every half second, a worker, and who may say what."""

    gateway: GatewayProcess
    client: httpx.AsyncClient
    device: str
    nurse: str
    events: int = field(default=0)

    async def send(self, *events: dict[str, Any], token: str | None = None) -> httpx.Response:
        """Post events as the device, or with another token."""
        lines = []
        for event in events:
            self.events += 1
            lines.append(json.dumps({"v": 1, "id": f"id-{self.events}", **event}).encode())
        answer = await self.gateway.post(self.client, token or self.device, *lines)
        assert answer.status_code in (202, 403), answer.text
        return answer

    async def stand(self, pump: str, site: str = "ward-b", *, rows: int = 2) -> int:
        """Register and fill a pump whose motor stopped almost two hours ago; return when it last moved."""
        moved_us = time.time_ns() // 1000 - 2 * HOUR_US + RISES_IN_US
        begin_us = moved_us - (ROWS - 1) * MINUTE_US
        await self.send(*_clinic(pump, site, begin_us))
        times = [begin_us + minute * MINUTE_US for minute in range(ROWS + rows)]
        await self.send(_frame(pump, times, [0] * ROWS + [1] * rows))
        return moved_us

    async def lines(self, pump: str) -> list[dict[str, Any]]:
        """All that is believed of a pump's alert."""
        return [json.loads(line) for (line,) in await fetch(self.gateway.settings, LINES, pump, CAUSE)]

    async def states(self, pump: str) -> list[str]:
        """Its states and priorities, in order."""
        return [f"{line['state']} {line['priority']}" for line in await self.lines(pump)]

    async def reaches(self, pump: str, *states: str, seconds: float = 20.0) -> None:
        """Wait until these are all its states, and name what was seen instead."""

        async def there() -> bool:
            return await self.states(pump) == list(states)

        try:
            await until(there, seconds)
        except AssertionError:
            assert await self.states(pump) == list(states)

    async def answers(
        self, pump: str, *command: str, token: str | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Answer the pump's alert by its cause, without a console."""
        return await self.say(
            *command, "--pump", pump, "--cause", CAUSE, "--reason", "on my way", token=token
        )

    async def say(self, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run a command as the nurse, or with another token."""
        whole = [sys.executable, "-m", "thecaflow", *arguments]
        environ = os.environ | self.gateway.settings.to_env() | {"THECAFLOW_TOKEN": token or self.nurse}
        return await asyncio.to_thread(subprocess.run, whole, env=environ, capture_output=True, check=False)


def _clinic(pump: str, site: str, at_us: int) -> list[dict[str, Any]]:
    said = {"pump": pump, "source": "clinic", "at": format_us(at_us)}
    registered = {
        "model": "m",
        "reservoir_ml": 20,
        "low_reservoir_ml": 2,
        "dead_volume_ul": 200,
        "site": site,
        "min_rate_ul_h": 2,
        "max_rate_ul_h": 1000,
        "flow_tolerance": 0.145,
    }
    filled = {"removed_ml": 0, "filled_ml": 20, "concentration_ug_ml": 500, "drug": "baclofen"}
    program = {"mode": "continuous", "steps": [{"minute": 0, "rate_ul_h": 60}]}
    return [
        {"type": "pump_registered", **said, **registered},
        {"type": "reservoir_filled", **said, **filled},
        {"type": "program_set", **said, **program},
    ]


def _frame(pump: str, times_us: list[int], stalled: list[int], *, from_ul: float = 0.0) -> dict[str, Any]:
    """Rows; the encoder counts on from `from_ul` by a microlitre at each row that moves."""
    return {
        "type": "telemetry",
        "pump": pump,
        "source": "device",
        "at": format_us(times_us[0]),
        "t_s": [(at_us - times_us[0]) / S_US for at_us in times_us],
        "stalled": stalled,
        "delivered_ul": [
            from_ul + sum(not stands for stands in stalled[: row + 1]) for row in range(len(stalled))
        ],
    }


async def _reads(worker: WorkerProcess) -> bool:
    """Whether it holds the partitions, its kernels compiled before."""
    return await asyncio.to_thread(worker.metric, "thecaflow_partitions") > 0


@asynccontextmanager
async def running(settings: Settings, folder: Path) -> AsyncIterator[Live]:
    """Run gateway and worker for the length of the block."""
    with (
        gateway_process(settings, folder, "--tick", "0.5") as gateway,
        workers(settings, folder, "one", program=REAL) as [worker],
    ):
        await gateway.ready()
        await until(lambda: _reads(worker), 60)
        async with httpx.AsyncClient() as client:
            yield Live(
                gateway, client, gateway.token(), gateway.token("--role", "operator", "--site", "ward-b")
            )
        assert worker.running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(stack: NativeStack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """The path of an event, once for all tests of this module: each has pumps of its own."""
    folder = tmp_path_factory.mktemp("life")
    with stack.fresh(folder / "run") as fresh:
        port = free_port()
        settings = fresh.with_changes(console_port=port, console_url=f"http://127.0.0.1:{port}")
        await create_topics(settings)
        await make_tables(settings)
        async with running(settings, folder) as live:
            yield live


async def test_what_was_answered_comes_back_when_it_gets_worse(live: Live):
    """Pending, active, then acknowledged or put aside for an hour; active again as harm comes nearer."""
    moved_us = await live.stand("acknowledged", rows=1)
    await live.stand("shelved")
    await live.reaches("acknowledged", "pending medium")
    await live.send(_frame("acknowledged", [moved_us + 2 * MINUTE_US], [1], from_ul=ROWS))
    await live.reaches("acknowledged", *BEGUN)
    said = await live.answers("acknowledged", "ack")
    assert (said.returncode, said.stderr) == (0, b"")
    said = await live.answers("shelved", "shelve", "--for", "1h")
    assert (said.returncode, said.stderr) == (0, b"")
    for pump in ("acknowledged", "shelved"):
        await live.reaches(pump, *BEGUN, f"{pump} medium")
    for pump in ("acknowledged", "shelved"):
        await live.reaches(pump, *BEGUN, f"{pump} medium", "active high", seconds=RISES_IN_US / S_US + 15)
    last = (await live.lines("acknowledged"))[-1]
    assert last["at"] == format_us(moved_us + 2 * HOUR_US), "by its own time, not when somebody looked"


async def test_a_shelf_ends_by_itself(live: Live):
    """Put aside for three seconds by its id, an alert is active again at its `until`; the person's label is kept."""
    await live.stand("short")
    await live.reaches("short", *BEGUN)
    alert_id = (await live.lines("short"))[0]["alert_id"]
    said = await live.say("shelve", alert_id, "--pump", "short", "--for", "3s", "--reason", "MRI")
    assert (said.returncode, said.stderr) == (0, b"")
    await live.reaches("short", *BEGUN, "shelved medium", "active medium")
    [(payload,)] = await fetch(
        live.gateway.settings, "SELECT payload FROM events WHERE type = 'alert_shelved' AND pump = 'short'"
    )
    event = msgspec.msgpack.decode(payload)
    assert (event["actor"], event["alert_id"], event["reason"]) == ("test", alert_id, "MRI")
    assert (await live.lines("short"))[-1]["at"] == event["until"]


async def test_what_is_over_ends_with_its_acknowledgement(live: Live):
    """An alert that nobody acknowledged is latched when the motor moves again, and an ack clears it."""
    moved_us = await live.stand("over")
    await live.reaches("over", *BEGUN)
    again = [moved_us + minute * MINUTE_US for minute in range(3, 40)]
    await live.send(_frame("over", again, [0] * len(again), from_ul=ROWS))
    await live.reaches("over", *BEGUN, "latched medium")
    assert (await live.answers("over", "ack")).returncode == 0
    await live.reaches("over", *BEGUN, "latched medium", "cleared medium")


async def test_only_an_operator_of_the_site_answers(live: Live):
    """Device, viewer, another site's nurse: each is told why, and the alert stays active."""
    await live.stand("kept")
    await live.reaches("kept", *BEGUN)
    others = {
        live.device: b"--role operator",
        live.gateway.token("--pump", "kept", "--type", "telemetry"): b"--role operator",
        live.gateway.token("--role", "viewer"): b"viewer",
        live.gateway.token("--role", "operator", "--site", "ward-a"): b"site",
        live.gateway.token("--role", "admin", "--pump", "another"): b"pump",
        "nobody": b"not known",
    }
    for token, why in others.items():
        for command in (["ack"], ["shelve", "--for", "1h"]):
            said = await live.answers("kept", *command, token=token)
            assert said.returncode == 1, said
            assert why in said.stderr
            assert b"Traceback" not in said.stderr
    assert (await live.states("kept"))[:3] in (list(BEGUN), [*BEGUN, "active high"])
    answered = "SELECT id FROM events WHERE type LIKE 'alert%' AND pump = 'kept'"
    assert await fetch(live.gateway.settings, answered) == []


@contextmanager
def console_process(settings: Settings, log: Path) -> Iterator[None]:
    """Run a console for the length of the block."""
    command = [sys.executable, "-m", "thecaflow", "console"]
    with log.open("ab") as out:
        console = subprocess.Popen(command, env=os.environ | settings.to_env(), stdout=out, stderr=out)
    try:
        yield
    finally:
        console.terminate()
        console.wait(20)
        print(log.read_text())


async def shown(live: Live, *arguments: str, token: str | None = None) -> list[dict[str, Any]]:
    """What `thecaflow alerts` lists, as soon as a console answers."""
    said = await live.say("alerts", "--json", *arguments, token=token)
    return [json.loads(line) for line in said.stdout.splitlines()] if said.returncode == 0 else []


async def test_a_person_finds_answers_and_sees_the_effect_by_commands_alone(live: Live, tmp_path: Path):
    """List, acknowledge by the id alone, wait for the console to say so; who may not see a pump has nothing to answer."""
    await live.stand("found", site="ward-b")
    elsewhere = live.gateway.token("--role", "operator", "--site", "ward-a")
    with console_process(live.gateway.settings, tmp_path / "console.log"):

        async def there() -> bool:
            return [one["state"] for one in await shown(live, "--pump", "found", "--cause", CAUSE)] == [
                "active"
            ]

        await until(there, 60)
        [alert] = await shown(live, "--pump", "found", "--cause", CAUSE)
        assert (alert["pump"], alert["site"], alert["alert_id"]) == (
            "found",
            "ward-b",
            (await live.lines("found"))[0]["alert_id"],
        )
        table = (await live.say("alerts", "--pump", "found")).stdout.decode()
        assert alert["alert_id"] in table
        assert await shown(live, token=elsewhere) == []
        refused = await live.say("ack", alert["alert_id"], "--reason", "mine", token=elsewhere)
        assert refused.returncode == 1
        assert b"no such alert" in refused.stderr
        device = await live.say("alerts", token=live.device)
        assert (device.returncode, device.stdout) == (1, b"")
        done = await live.say("ack", alert["alert_id"], "--reason", "on my way", "--wait")
        assert done.returncode == 0, done
        assert done.stdout.decode().splitlines()[-1] == f"found {CAUSE}: acknowledged"
        assert [one["state"] for one in await shown(live, "--state", "acknowledged", "--pump", "found")] == [
            "acknowledged"
        ]
        unknown = await live.say("shelve", "0123456789abcdef", "--for", "2h", "--reason", "x", "--wait")
        assert (unknown.returncode, unknown.stdout) == (1, b"")
