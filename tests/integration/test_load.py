"""`thecaflow load` against a real gateway, Kafka, worker and database: counts agree with the database's, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.pool import single
from tests.integration.test_gateway import GatewayProcess, gateway_process
from tests.workers import REAL, fetch, make_tables, workers
from thecaflow.load.fleet import Fleet
from thecaflow.load.ledger import Fate, Ledger
from thecaflow.load.lookup import look_up
from thecaflow.load.report import LoadReport
from thecaflow.settings import Settings

pytestmark = pytest.mark.timeout(300)

RATE = 40
SAMPLES = 12
PUMPS = RATE * SAMPLES


@pytest.fixture
async def path(topics: Settings, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    """A gateway and a worker at work."""
    await make_tables(topics)
    with (
        gateway_process(topics, tmp_path, "--rate", "0") as gateway,
        workers(gateway.settings, tmp_path, "one", program=REAL),
    ):
        await gateway.ready()
        yield gateway


def load(gateway: GatewayProcess, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a load of 40 frames/s, without a warm-up, by the settings of the gateway."""
    environ = os.environ | gateway.settings.with_changes(gateway_url=gateway.url).to_env()
    command = [sys.executable, "-m", "thecaflow", "load", "--rate", str(RATE), "--samples", str(SAMPLES)]
    command += ["--warm-up", "0s", "--report", str(folder), *arguments]
    return subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end: exit code, standard output, standard error."""
    told, errors = await asyncio.to_thread(process.communicate, timeout=240)
    return process.returncode, told, errors


async def said(process: subprocess.Popen[str], words: str) -> None:
    """Wait until a line of standard error begins with these words."""
    assert process.stderr is not None
    while True:
        line = await asyncio.to_thread(process.stderr.readline)
        assert line, "ended before it said so"
        if line.startswith(words):
            return


async def stored(gateway: GatewayProcess) -> dict[str, int]:
    """How many events of each type the database has."""
    return dict(await fetch(gateway.settings, "SELECT type, count(*) FROM events GROUP BY type"))


async def test_ten_seconds_of_load_are_in_the_database_and_in_the_report(
    path: GatewayProcess, tmp_path: Path
):
    """Every frame that was due is stored once, every pump introduced and taken out of watch, and none raised an alert."""
    code, told, errors = await ended(load(path, tmp_path / "out", "--duration", "10s", "--note", "ten"))
    assert code == 0, errors
    report = LoadReport.read(tmp_path / "out" / "load.json")
    frames = report.frames
    assert (frames.due, frames.accepted + frames.unsent) == (10 * RATE, 10 * RATE)
    assert await stored(path) == {
        "pump_registered": PUMPS, "reservoir_filled": PUMPS, "program_set": PUMPS, "pump_explanted": PUMPS,
        "telemetry": frames.accepted,
    }  # fmt: skip
    assert report.found is not None
    assert (report.found.acknowledged, report.found.lost, report.found.twice) == (
        4 * PUMPS + frames.accepted,
        0,
        0,
    )
    assert report.found.alerts == {}
    assert report.commit.count == report.whole.count == report.accept.count == frames.accepted
    assert 0 < report.commit.p50_ms <= report.commit.p99_ms <= report.commit.max_ms
    assert report.whole.max_ms >= report.accept.p50_ms
    assert report.lag.drained_s is not None
    assert report.finished
    assert f"0 of {report.found.acknowledged:,} acknowledged events" in told
    page = (tmp_path / "out" / "load.html").read_text()
    assert report.run in page
    assert page.rstrip().endswith("</html>")
    assert (await fetch(path.settings, "SELECT count(*) FROM token WHERE revoked IS NULL"))[0] == (0,)


async def test_what_is_missing_in_the_database_is_found(path: GatewayProcess, tmp_path: Path):
    """An acknowledged frame that somebody deleted is lost, by name; one stored twice is seen as well."""
    code, _, errors = await ended(load(path, tmp_path / "out", "--duration", "3s"))
    assert code == 0, errors
    report = LoadReport.read(tmp_path / "out" / "load.json")
    fleet = Fleet(report.run, PUMPS, SAMPLES, 1.0, 0, 1)
    ledger = Ledger(report.plan)
    ledger.fates[:] = bytes([Fate.ACCEPTED]) * len(ledger.fates)
    gone, doubled = fleet.identity(17), fleet.identity(33)
    async with single(path.settings) as connection:
        await connection.execute("DELETE FROM events WHERE pump = $1 AND id = $2", *gone)
        await connection.execute(
            "INSERT INTO events SELECT * FROM events WHERE pump = $1 AND id = $2", *doubled
        )
        found = await look_up(connection, fleet, ledger, set(fleet.clinical_ids(17)), lambda _steps: None)
    assert (found.lost, found.lost_ids, found.twice) == (1, [gone[1]], 1)
    assert found.acknowledged == len(ledger.fates) + len(fleet.clinical_ids(17))


async def test_an_interrupted_load_reports_what_it_did(path: GatewayProcess, tmp_path: Path):
    """Ctrl-C ends the schedule; what was sent is looked up, the fleet is taken out of watch, the exit code says so."""
    process = load(path, tmp_path / "out", "--duration", "10m")
    await said(process, "sending")
    await asyncio.sleep(3)
    process.send_signal(signal.SIGINT)
    code, told, errors = await ended(process)
    assert code == 130, errors
    report = LoadReport.read(tmp_path / "out" / "load.json")
    assert not report.finished
    assert 0 < report.frames.accepted <= report.frames.due < 20 * RATE
    assert report.found is not None
    assert report.found.lost == 0
    assert (await stored(path))["pump_explanted"] == PUMPS
    assert "ended early" in told


async def test_a_gateway_that_is_frozen_for_a_while_shows_in_the_latencies(
    path: GatewayProcess, tmp_path: Path
):
    """The open loop on the real path: frames due while nobody answered waited, and each of them is counted with its wait."""
    process = load(path, tmp_path / "out", "--duration", "8s", "--connections", "4")
    await said(process, "sending")
    await asyncio.sleep(2)
    path.started.send_signal(signal.SIGSTOP)
    await asyncio.sleep(3)
    path.started.send_signal(signal.SIGCONT)
    code, _, errors = await ended(process)
    assert code == 0, errors
    report = LoadReport.read(tmp_path / "out" / "load.json")
    assert report.frames.accepted + report.frames.unanswered + report.frames.unsent == 8 * RATE
    waited = sum(point.due for point in report.points if point.accept.p50_ms >= 500)
    assert waited >= 2 * RATE - 20, (
        "of the 3 s in which nobody answered all but the last half are due 0.5 s before its end"
    )
    assert report.accept.max_ms >= 2500
    assert report.posts.late > 0


async def test_without_a_gateway_a_load_says_so_in_a_line(topics: Settings, tmp_path: Path):
    """Nothing is sent, no report is written, and the token that was made is revoked."""
    await make_tables(topics)
    away = topics.with_changes(gateway_url="http://127.0.0.1:1")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "thecaflow", "load", "--report", str(tmp_path / "out")],
        env=os.environ | away.to_env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no gateway answers at http://127.0.0.1:1" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out" / "load.json").exists()
    assert await fetch(topics, "SELECT count(*) FROM token WHERE revoked IS NULL") == [(0,)]
