"""`thecaflow status --watch` without servers: what fits the screen, what moved, what is said while something is away."""

from __future__ import annotations

import io

import httpx
import pytest
from rich.console import Console

from contract.errors import UnreachableError
from tests.unit.thecaflow.test_status import NOW_US, alert, assembled, pump
from thecaflow import status_watch
from thecaflow.overview import Flow, Lag, Overview, assemble, by_harm, flow
from thecaflow.settings import Settings
from thecaflow.status_screen import WatchScreen, flow_in_words


def big(pumps: int = 60, alerts: int = 40, partitions: int = 12) -> Overview:
    """A fleet with more of everything than a terminal has lines."""
    names = [f"pump-{number:04d}" for number in range(pumps)]
    return assemble(
        NOW_US,
        [pump(name, 30 + number) for number, name in enumerate(names)],
        [alert(name, "high", 1 + number) for number, name in enumerate(names[:alerts])],
        None,
        [Lag(number, 100, 100 - number, NOW_US) for number in range(partitions)],
        None,
    )


def lines(screen: WatchScreen, height: int, width: int = 100) -> list[str]:
    """What a terminal of that size would show."""
    text = io.StringIO()
    console = Console(file=text, width=width, height=height)
    console.print(screen)
    return text.getvalue().splitlines()


def screen(found: Overview | None, moved: Flow | None = None, away: str | None = None) -> WatchScreen:
    """The screen of a look."""
    return WatchScreen(found, moved, "ready", away, "10:40:02", 2.0)


@pytest.mark.parametrize("height", [1, 2, 5, 10, 14, 15, 16, 20, 24, 30, 40, 50, 80])
@pytest.mark.parametrize("away", [None, "no database answers"])
@pytest.mark.parametrize("found", [big(), big(3, 0), big(3, 2), big(60, 1), big(0, 0, 0)])
def test_it_fits_every_height(height: int, away: str | None, found: Overview):
    """Else the first lines, which say most, would scroll out of sight; only the head stays where nothing else fits."""
    assert len(lines(screen(found, away=away), height)) <= max(height, 5)


def test_alerts_come_by_time_to_harm_and_have_half_of_the_room():
    """The nearest harm is on top; what is hidden is counted."""
    told = lines(screen(big()), 30)
    named = [line for line in told if "occlusion" in line and "high" in line]
    assert "pump-0000" in named[0]
    assert len(named) == 8
    assert any("40 open alerts, 32 more" in line for line in told)
    assert any("60 pumps by time to harm" in line for line in told)


def test_alerts_without_a_time_come_after_those_with_one():
    """And the louder of them first."""
    alerts = [alert("a", "low"), alert("b", "high"), alert("c", "low", 50), alert("d", "medium", 2)]
    assert [one.pump for one in by_harm(alerts)] == ["d", "c", "b", "a"]


def test_a_tall_terminal_shows_the_partitions_as_well():
    """All of them or the total only: half a table would hide the one that stands still."""
    assert any("in the database" in line and "partition" in line for line in lines(screen(big()), 60))
    assert not any("partition" in line for line in lines(screen(big()), 30))


def test_what_moved_between_two_looks():
    """Records into log and database a second, and what the lag did."""
    later = Overview(NOW_US + 2_000_000, (), (), (Lag(0, 150, 140, NOW_US), Lag(1, 17, 7, None)), None, None)
    moved = flow(assembled(), later)
    assert moved == Flow(seconds=2.0, arriving=20.0, committed=20.0, lag_change=0)
    assert flow_in_words(later, moved) == (
        "lag 20 records (+0 in 2 s), into the log 20/s, into the database 20/s, last commit 2 s ago"
    )
    assert flow(later, later) is None


def test_without_a_broker_only_the_database_s_part_is_known():
    """Unknown is said, not shown as 0."""
    moved = flow(assembled(), assembled(unreachable="no Kafka"))
    assert moved is None
    later = Overview(NOW_US + 1_000_000, (), (), (Lag(0, None, 110, NOW_US),), None, "no Kafka")
    moved = flow(assembled(), later)
    assert moved is not None
    assert (moved.arriving, moved.lag_change) == (None, None)
    assert "lag unknown, into the log unknown" in flow_in_words(later, moved)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Switches what is away."""
    state = {"database": False}

    async def gather(*_arguments: object, **_options: object) -> Overview:
        if state["database"]:
            raise UnreachableError("no database answers")
        return big(3, 1)

    monkeypatch.setattr(status_watch, "gather", gather)
    return state


async def test_what_is_away_is_named_and_what_was_seen_stays(away: dict[str, bool]):
    """A database that goes leaves the last look on the screen, in red what is wrong; one that comes back ends that."""

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(503 if away["database"] else 200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        looks = status_watch._Looks(Settings(gateway_url="http://gateway"), client)
        away["database"] = True
        await looks.look()
        assert looks.found is None
        assert (looks.away, looks.gateway) == ("for 0 s, no database answers", "not ready")
        assert any("no database answers" in line for line in lines(screen(looks.found, away=looks.away), 20))
        away["database"] = False
        await looks.look()
        assert (looks.away, looks.gateway) == (None, "ready")
        away["database"] = True
        await looks.look()
        assert looks.found is not None
        assert looks.away is not None
        assert any("occlusion" in line for line in lines(screen(looks.found, away=looks.away), 20))
