"""The console's metrics: series that live as long as their alert, and what they say of sites and of the console."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from contract.times import HOUR_US
from dashboards.console.metrics import ConsoleMetrics, SnapshotCollector
from dashboards.console.snapshots import Snapshots
from tests.unit.console.console_double import NOW_US, MemoryFleet, alert, pump


def scraped(snapshots: Snapshots, limit_bytes: int = 0) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the samples of a scrape by name and label values, read as Prometheus reads them."""
    metrics = ConsoleMetrics(SnapshotCollector(snapshots, lambda: NOW_US, limit_bytes))
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


async def scrape(fleet: MemoryFleet, limit_bytes: int = 0) -> dict[str, dict[tuple[str, ...], float]]:
    """Take a first snapshot and scrape it."""
    snapshots = Snapshots(fleet, lambda: NOW_US)
    await snapshots.look()
    return scraped(snapshots, limit_bytes)


async def test_a_series_lives_as_long_as_its_alert_is_open():
    """Active, acknowledged, latched and shelved page on; pending does not yet, cleared is gone with the next read."""
    states = ("pending", "active", "acknowledged", "latched", "shelved")
    clock = [0.0]
    fleet = MemoryFleet([pump("p1")], [alert(state, pump=state, state=state) for state in states])
    snapshots = Snapshots(fleet, lambda: NOW_US, clock=lambda: clock[0])
    await snapshots.look()
    found = scraped(snapshots)
    assert {series["pump"] for series in map(named_labels, found["thecaflow_alert_active"])} == {*states[1:]}
    assert {series["pump"] for series in map(named_labels, found["thecaflow_alert_handled"])} == {
        "acknowledged",
        "shelved",
    }
    fleet.commit([])
    clock[0] += 2
    await snapshots.look()
    found = scraped(snapshots)
    assert not any(name.startswith("thecaflow_alert_") for name in found)
    assert set(found["thecaflow_alerts"].values()) == {0.0}


def named_labels(series: tuple[str, ...]) -> dict[str, str]:
    """Label values of an alert's series by name; the exposition sorts its names."""
    return dict(zip(("cause", "priority", "pump", "site"), series, strict=True))


async def test_time_to_harm_is_counted_from_now_and_goes_below_zero():
    """Where no harm is defined there is no series."""
    fleet = MemoryFleet(
        [],
        [
            alert("a", pump="ahead", harm_lo_us=NOW_US + 2 * HOUR_US),
            alert("b", pump="past", harm_lo_us=NOW_US - HOUR_US),
            alert("c", pump="undefined", harm_lo_us=None, harm_hi_us=None),
        ],
    )
    harm = (await scrape(fleet))["thecaflow_alert_harm_seconds"]
    assert {named_labels(series)["pump"]: seconds for series, seconds in harm.items()} == {
        "ahead": 7200.0,
        "past": -3600.0,
    }


async def test_what_a_site_is_called_cannot_break_the_format():
    """Quotes, backslashes and line ends come out as they went in; an unknown site is the empty one."""
    site = 'a"b\\c\nd'
    fleet = MemoryFleet([pump("p1", site)], [alert("a", site=site), alert("b", pump="p2", site=None)])
    found = await scrape(fleet)
    assert {named_labels(series)["site"] for series in found["thecaflow_alert_active"]} == {site, ""}
    assert found["thecaflow_site_pumps"] == {(site,): 1.0}


async def test_of_two_alerts_of_one_series_the_unanswered_one_speaks():
    """Else an acknowledged one could silence the other's page."""
    fleet = MemoryFleet([], [alert("a", state="acknowledged"), alert("b", state="active")])
    found = await scrape(fleet)
    assert list(found["thecaflow_alert_active"].values()) == [1.0]
    assert "thecaflow_alert_handled" not in found


async def test_silent_pumps_are_counted_by_site_while_they_are_silent():
    """A latched silence is over, a pending one has not begun, an acknowledged one lasts."""
    states = {"p1": "active", "p2": "latched", "p3": "acknowledged", "p4": "pending"}
    fleet = MemoryFleet(
        [pump(name) for name in (*states, "p5")] + [pump("far", "ward-b")],
        [alert(name, pump=name, cause="telemetry_silent", state=state) for name, state in states.items()],
    )
    found = await scrape(fleet)
    assert found["thecaflow_site_pumps"] == {("ward-a",): 5.0, ("ward-b",): 1.0}
    assert found["thecaflow_site_silent_pumps"] == {("ward-a",): 2.0, ("ward-b",): 0.0}


async def test_a_site_is_the_pumps_that_are_in_service():
    """Else a site with a long past could not fall silent any more: half of it was taken out years ago."""
    fleet = MemoryFleet([pump("p1"), *(pump(f"old{number}", explanted=True) for number in range(3))], [])
    assert (await scrape(fleet))["thecaflow_site_pumps"] == {("ward-a",): 1.0}


async def test_the_console_says_how_old_its_word_is():
    """While the database is away the last snapshot is served, its age grows, and `up` is 0."""
    taken_us, clock = [NOW_US - 90_000_000], [0.0]
    fleet = MemoryFleet([pump("p1")], [alert("a")])
    snapshots = Snapshots(fleet, lambda: taken_us[0], clock=lambda: clock[0])
    await snapshots.look()
    await snapshots.read_figures()
    assert scraped(snapshots)["thecaflow_console_database_up"] == {(): 1.0}
    fleet.away = True
    taken_us[0], clock[0] = NOW_US, 2.0
    await snapshots.look()
    found = scraped(snapshots)
    assert len(found["thecaflow_alert_active"]) == 1
    assert found["thecaflow_console_database_up"] == {(): 0.0}
    assert found["thecaflow_console_snapshot_age_seconds"] == {(): 90.0}
    assert found["thecaflow_outbox_waiting"] == {(): 3.0}
    assert found["thecaflow_quarantined_recent"] == {(): 2.0}


async def test_a_limit_of_the_database_is_stated_only_where_it_is_known():
    """An alert on its share must not divide by a made-up number."""
    fleet = MemoryFleet()
    assert "thecaflow_database_limit_bytes" not in await scrape(fleet)
    assert (await scrape(fleet, 5))["thecaflow_database_limit_bytes"] == {(): 5.0}
