"""When a snapshot is read, when it counts as another one, and what is kept while the database is away."""

from __future__ import annotations

import asyncio
import logging

import pytest

from contract.errors import UnreachableError
from dashboards.console.snapshots import READ_ANYWAY_S, Snapshots
from storage.console import Figures
from tests.unit.console.console_double import NOW_US, MemoryFleet, alert, pump


class Watched:
    """Snapshots of a fleet under a clock that stands still until told."""

    def __init__(self) -> None:
        self.fleet = MemoryFleet([pump("p1", received_us=1)], [alert("a1")])
        self.seconds = 0.0
        self.snapshots = Snapshots(
            self.fleet, lambda: NOW_US + round(self.seconds * 1e6), clock=lambda: self.seconds
        )

    async def look_after(self, seconds: float) -> int:
        """Let time pass, look, and return the version then."""
        self.seconds += seconds
        await self.snapshots.look()
        assert self.snapshots.current is not None
        return self.snapshots.current.version


async def test_reads_only_what_was_committed_and_at_most_once_a_second():
    """Looks without a commit cost no read; a commit is read at the next full second."""
    watched = Watched()
    await watched.look_after(0)
    for _ in range(8):
        await watched.look_after(0.25)
    assert watched.fleet.read == 1
    watched.fleet.commit([])
    assert watched.fleet.read == 1
    await watched.look_after(0.25)
    assert watched.fleet.read == 2
    watched.fleet.commit([alert("a2")])
    await watched.look_after(0.25)
    assert watched.fleet.read == 2
    await watched.look_after(0.75)
    assert watched.fleet.read == 3


async def test_the_version_grows_with_what_people_see():
    """A commit of telemetry alone is no other version for 15 s; an alert is one at once."""
    watched = Watched()
    first = await watched.look_after(0)
    watched.fleet.pumps["p1"] = pump("p1", received_us=2)
    watched.fleet.commit(watched.fleet.alerts)
    assert await watched.look_after(1) == first
    assert watched.snapshots.current.pumps["p1"].received_us == 2
    watched.fleet.pumps["p1"] = pump("p1", received_us=3)
    telemetry = await watched.look_after(READ_ANYWAY_S)
    assert telemetry > first
    watched.fleet.commit([alert("a1", state="acknowledged")])
    assert await watched.look_after(1) > telemetry


async def test_the_last_snapshot_stays_while_the_database_is_away(caplog: pytest.LogCaptureFixture):
    """It says so once, and reads everything as soon as there is an answer."""
    watched = Watched()
    version = await watched.look_after(0)
    watched.fleet.away = True
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert await watched.look_after(1) == version
    assert len(caplog.records) == 1
    assert not watched.snapshots.database_up
    assert watched.snapshots.confirmed_us == NOW_US
    watched.fleet.away = False
    watched.fleet.commit([])
    assert await watched.look_after(0.25) > version
    assert watched.snapshots.database_up
    assert watched.snapshots.current.alerts == ()


class WithoutFigures(MemoryFleet):
    """A fleet whose store takes too long to count."""

    async def figures(self) -> Figures:
        raise UnreachableError("the database did not answer in 5 s")


async def test_no_page_is_missed_because_the_store_cannot_be_counted(caplog: pytest.LogCaptureFixture):
    """Alerts come and go as ever; why there are no figures is said once."""
    fleet = WithoutFigures([], [alert("a1")])
    snapshots = Snapshots(fleet, lambda: NOW_US)
    with caplog.at_level(logging.WARNING):
        await snapshots.start()
        assert snapshots.current is not None
        fleet.commit([alert("a2")])
        await snapshots.changed(snapshots.current.version)
        await snapshots.read_figures()
        await snapshots.stop()
    assert [one.alert_id for one in snapshots.current.alerts] == ["a2"]
    assert snapshots.database_up
    assert [record.getMessage() for record in caplog.records] == [
        "console: the store's last figures stay: the database did not answer in 5 s"
    ]


async def test_figures_outlive_the_store_and_the_next_snapshot():
    """What was counted last stays while it cannot be counted, whatever is read meanwhile."""
    watched = Watched()
    await watched.look_after(0)
    await watched.snapshots.read_figures()
    watched.fleet.away = True
    await watched.snapshots.read_figures()
    watched.fleet.away = False
    watched.fleet.commit([])
    await watched.look_after(1)
    assert watched.snapshots.current.figures.database_bytes == 1000


async def test_another_reason_why_nothing_is_read_is_said_too(caplog: pytest.LogCaptureFixture):
    """Who looks into the log at night sees what is wrong now, not only what was wrong first."""
    watched = Watched()
    with caplog.at_level(logging.WARNING):
        for reason in ("it is away", "it is away", "the schema is older"):
            watched.fleet.away = reason
            await watched.snapshots.look()
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "it is away",
        "the schema is older",
    ]


async def test_whoever_waits_for_a_change_gets_it():
    """Those that come late get it at once; a version in hand is waited out."""
    watched = Watched()
    version = await watched.look_after(0)
    assert (await watched.snapshots.changed(version - 1)).version == version
    waiting = [asyncio.create_task(watched.snapshots.changed(version)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    watched.fleet.commit([])
    newer = await watched.look_after(1)
    assert [snapshot.version for snapshot in await asyncio.gather(*waiting)] == [newer] * 3
