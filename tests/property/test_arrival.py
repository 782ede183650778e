"""The result depends on the set of events: not on the order of arrival, the cut into batches, or repeats."""

from __future__ import annotations

import numpy as np
import pytest

from contract.codec import encode_fact
from processors import heads
from processors.analyse import analyse
from processors.believed import believed
from storage.memory import MemoryStore
from storage.types import FactRow
from tests.partition import facts_of, feed
from tests.pump_days import pump_days, sightings


def order(row: FactRow) -> tuple[object, ...]:
    """The contract's order of facts."""
    return (row.at_us, row.pump, row.kind, row.cause, row.alert_id, row.ordinal)


def shuffled(records: list[bytes], rng: np.random.Generator, reach: int) -> list[bytes]:
    """The records with each moved by up to `reach` places, and some of them repeated."""
    repeated = [raw for raw in records for _ in range(1 + int(rng.random() < 0.2))]
    places = np.arange(len(repeated)) + rng.uniform(0, reach, len(repeated))
    return [repeated[place] for place in np.argsort(places, kind="stable")]


def cut(records: list[bytes], rng: np.random.Generator) -> list[list[bytes]]:
    """The records in batches of random size."""
    batches, start = [], 0
    while start < len(records):
        size = int(rng.integers(1, 7))
        batches.append(records[start : start + size])
        start += size
    return batches


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("reach", [0, 3, 1000])
async def test_any_arrival_gives_the_facts_of_the_sorted_events(seed: int, reach: int) -> None:
    """Live facts after any order, cut and repetition are, byte for byte, those of one fold of the whole set."""
    rng = np.random.default_rng([seed, reach])
    records = pump_days(seed)
    store = MemoryStore()
    await feed(store, cut(shuffled(records, rng, reach), rng), reload_each=bool(seed % 2))
    (blob,) = (await store.load(0))[0].values()
    present_us = heads.decode(blob).present_us
    expected = sorted(believed("p1", sightings(records), present_us), key=order)
    assert len(expected) > 10
    assert await facts_of(store) == expected


@pytest.mark.parametrize("seed", range(6))
def test_analyse_does_not_depend_on_the_order_of_lines(seed: int) -> None:
    """Any order of the events in the files gives the same bytes."""
    records = pump_days(seed)
    rng = np.random.default_rng(seed)
    first = [encode_fact(fact) for fact in analyse(sightings(records)).facts]
    again = [encode_fact(fact) for fact in analyse(sightings(shuffled(records, rng, 1000))).facts]
    assert first == again


@pytest.mark.parametrize("seed", range(4))
def test_cutting_the_log_leaves_earlier_facts_as_they_were(seed: int) -> None:
    """No fact uses anything later than its own time: an earlier horizon gives a prefix of the settled facts."""
    seen = sightings(pump_days(seed))
    whole = analyse(seen)
    assert whole.horizon_us is not None
    middle_us = whole.horizon_us - 2 * 86_400_000_000
    partial = analyse(seen, until_us=middle_us)
    earlier = [encode_fact(fact) for fact in whole.facts if fact.at_us is not None and fact.at_us < middle_us]
    told = [encode_fact(fact) for fact in partial.facts if fact.at_us is not None and fact.at_us < middle_us]
    assert len(earlier) > 5
    assert told == earlier
