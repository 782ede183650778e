"""Valid but absurd events: nothing may raise, hang or take minutes (contract: numbers have no built-in range)."""

from __future__ import annotations

import time

import pytest

from contract.codec import encode_fact
from contract.facts import Alert, Fact
from contract.times import HOUR_US, MAX_US, MIN_US, parse_rfc3339
from processors import heads
from processors.analyse import analyse
from storage.memory import MemoryStore
from tests.partition import feed
from tests.pump_days import START_US, sightings
from tests.unit.processors.test_fold import Story, story

FLEX: dict[str, object] = {
    "mode": "flex",
    "steps": [{"minute": 10, "rate_ul_h": 4.0}, {"minute": 700, "rate_ul_h": 8.0, "days": [0, 2]}],
    "periodic_bolus": {"volume_ul": 1.0, "every_s": 7200, "duration_s": 60},
}


def hours(moment: str) -> float:
    """A moment on the story's clock."""
    return (parse_rfc3339(moment) - START_US) / HOUR_US


async def told_live(told: Story) -> None:
    """Fold the story as the workers do, one record a batch, and reload the head from its bytes each time."""
    store = MemoryStore()
    await feed(store, [[raw] for raw in told.records], reload_each=True)
    for blob in (await store.load(0))[0].values():
        heads.decode(blob)


def facts(told: Story, until_h: float) -> list[Fact]:
    """All facts, each written."""
    found = told.outcome(until_h).facts
    assert all(encode_fact(fact) for fact in found)
    return found


ABSURD: dict[str, Story] = {
    "stability": Story().registered(stability_days=1e308).filled().runs(0, 5.0),
    "uploads": Story().registered(upload_every_s=1e308).filled().rows(0, 2, delivered_ul=[0.0, 1.0]),
    "few uploads": Story().registered(upload_every_s=1e-300).filled().rows(0, 2, delivered_ul=[0.0, 1.0]),
    "bolus": story().runs(0, 5.0).tell("bolus", 1, kind="bridge", programmed_ul=1e308, duration_s=1e308),
    "short bolus": story().tell("bolus", 1, kind="therapeutic", programmed_ul=1.0, duration_s=1e-9),
    "rate": story().runs(0, 1e308).runs(1, 1e-300).rows(1, 2, delivered_ul=[1e308, 0.0]),
    "pulses": story().tell(
        "program_set",
        0,
        **(FLEX | {"periodic_bolus": {"volume_ul": 1e308, "every_s": 1e-9, "duration_s": 1e308}}),
    ),
    "slow pulses": story().tell(
        "program_set",
        0,
        **(FLEX | {"periodic_bolus": {"volume_ul": 1.0, "every_s": 1e308, "duration_s": 1e9}}),
    ),
    "nothing": Story()
    .registered(
        reservoir_ml=0,
        low_reservoir_ml=0,
        dead_volume_ul=0,
        min_rate_ul_h=0,
        max_rate_ul_h=0,
        flow_tolerance=0,
        stability_days=0,
    )
    .filled(filled_ml=0.0)
    .runs(0, 0.0)
    .runs(1, 1.0)
    .rows(1, 3, delivered_ul=[0.0, 0.0, 0.0], reservoir_ml=[0.0, 0.0, 0.0]),
    "huge": Story()
    .registered(reservoir_ml=1e300, dead_volume_ul=1e308, max_rate_ul_h=1e308)
    .filled(0, 1e308, 1e300)
    .runs(0, 1e300)
    .rows(
        1, 3, delivered_ul=[0.0, 1e308, 2.0], flow_ul_h=[1e308, -1e308, 0.0], pressure_kpa=[1e308, -1e308, 0]
    ),
    "acks": Story()
    .tell("alert_ack", 0, cause="leak")
    .tell("alert_shelved", 1, cause="leak", until="9999-12-31T23:59:59Z"),
}


@pytest.mark.parametrize("name", sorted(ABSURD))
async def test_absurd_numbers_are_folded(name: str) -> None:
    """Neither `analyse` nor a worker fails on them."""
    told = ABSURD[name]
    facts(told, 100)
    await told_live(told)


@pytest.mark.parametrize("year", ["0001", "1500", "1969", "2300", "9999"])
async def test_any_year_is_folded(year: str) -> None:
    """Programs, rows and forecasts at the ends of what RFC 3339 can say."""
    start = hours(f"{year}-01-01T00:00:00Z") if year != "9999" else hours("9999-12-28T00:00:00Z")
    told = Story().registered(start).filled(start).tell("program_set", start, **FLEX)
    told.rows(start + 1, 6, delivered_ul=[0.0, 4.0, 8.0, 12.0, 16.0, 20.0], reservoir_ml=[20.0] * 6)
    found = facts(told, start + 72)
    assert found
    assert not [f for f in found if not isinstance(f, Alert) and not MIN_US <= (f.at_us or 0) <= MAX_US]
    await told_live(told)


def test_a_pump_of_which_nothing_can_be_judged_costs_no_day_by_day() -> None:
    """Centuries between two acknowledgements are skipped, not counted."""
    told = (
        Story()
        .tell("alert_ack", hours("0001-01-02T00:00:00Z"), cause="leak")
        .tell("alert_ack", 0, cause="leak")
    )
    analyse(sightings(story().records))
    began = time.perf_counter()
    assert facts(told, hours("9999-12-31T00:00:00Z")) == []
    assert time.perf_counter() - began < 2.0
