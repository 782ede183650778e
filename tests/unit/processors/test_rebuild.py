"""The pure part of a rebuild: any live history, folded anew, is what a fold of the sorted events says."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from contract.codec import decode_msgpack, encode_wire
from contract.errors import StaleStateError, UnreadableLogError
from contract.events import Tick
from processors import heads
from processors.believed import believed
from processors.live import PartitionFold
from processors.rebuild import rebuild
from storage.memory import MemoryStore
from storage.types import FactRow, HistoryRequest, PumpLog
from tests.partition import LogRecord, facts_of, feed
from tests.pump_days import pump_days, sightings


async def log_of(store: MemoryStore) -> PumpLog:
    """What is stored of the one pump, with everything that the log holds."""
    history = await store.history(HistoryRequest(pump="p1", first_us=0, everything=True))
    (blob,) = (await store.load(0)).blobs.values()
    return PumpLog(history.events, history.facts, blob)


def order(row: FactRow) -> tuple[object, ...]:
    return (row.at_us, row.pump, row.kind, row.cause, row.alert_id, row.ordinal)


def batches_of(records: list[bytes], rng: np.random.Generator) -> list[list[bytes]]:
    """The records in any order, a few at a time."""
    mixed = [records[place] for place in rng.permutation(len(records))]
    return [mixed[start : start + 5] for start in range(0, len(mixed), 5)]


@pytest.mark.parametrize("seed", range(6))
async def test_a_rebuild_of_any_arrival_says_what_live_said(seed: int):
    """Nothing is added, superseded or moved, and the facts are those of one fold of the sorted events."""
    records = pump_days(seed)
    store = MemoryStore()
    await feed(store, batches_of(records, np.random.default_rng(seed)))
    log = await log_of(store)
    rebuilt = rebuild("p1", log)
    assert sorted(rebuilt.facts, key=order) == await facts_of(store)
    assert sorted(rebuilt.facts, key=order) == sorted(
        believed("p1", sightings(records), rebuilt.head.present_us), key=order
    )
    assert (rebuilt.added, rebuilt.superseded, rebuilt.events, rebuilt.replaced) == ([], [], [], [])
    assert len(rebuilt.checkpoints) >= 2, "one a day, also where a row is at midnight itself"


@pytest.mark.parametrize("seed", range(6))
async def test_feeding_goes_on_from_a_rebuilt_head(seed: int):
    """The head, tail and checkpoints that a rebuild leaves are as good as those of the live fold, for late events too."""
    records = pump_days(seed)
    rng = np.random.default_rng(seed)
    batches = batches_of(records, rng)
    store = MemoryStore()
    await feed(store, batches[: len(batches) // 2])
    rebuilt = rebuild("p1", await log_of(store))
    tables = store._tables
    tables.checkpoints.clear()
    tables.checkpoints.update({(row.pump, row.head_us): row for row in rebuilt.checkpoints})
    (place,) = tables.states
    tables.states[place] = heads.encode(rebuilt.head)
    for batch in batches[len(batches) // 2 :]:
        loaded = await store.load(0)
        fold = PartitionFold(0, loaded.blobs, loaded.next_offset)
        intake = fold.read([LogRecord(loaded.next_offset + n, raw) for n, raw in enumerate(batch)])
        requests = fold.plan(intake, await store.known(intake.keys))
        changes = fold.fold(intake, {one.pump: await store.history(one) for one in requests})
        assert await store.commit(changes, loaded.run_id)
    present_us = heads.decode((await store.load(0)).blobs["p1"]).present_us
    assert await facts_of(store) == sorted(believed("p1", sightings(records), present_us), key=order)


async def test_the_present_that_ticks_brought_is_kept_whatever_rules_wrote_it():
    """A stale head is refused by the fold, but says how late it is; one that can't be read leaves the newest `received`."""
    records = pump_days(1)
    newest_us = max(seen.event.received_us or 0 for seen in sightings(records))
    tick = encode_wire(Tick(at_us=newest_us + 5 * 86_400_000_000))
    assert isinstance(decode_msgpack(tick), Tick)
    store = MemoryStore()
    await feed(store, [records, [tick]])
    log = await log_of(store)
    assert log.head is not None
    stale = heads.encode(replace(heads.decode(log.head), version="0/0"))
    with pytest.raises(StaleStateError, match="thecaflow rebuild"):
        heads.decode(stale)
    assert rebuild("p1", PumpLog(log.events, log.facts, stale)).added == []
    own = rebuild("p1", PumpLog(log.events, log.facts, b"\xc1 no state"))
    assert own.head.present_us == newest_us
    assert rebuild("p1", PumpLog(log.events, log.facts, None)).head.present_us == newest_us


async def test_what_differs_is_told_and_what_only_the_version_of_the_rules_differs_in_is_not():
    """An offset and a fact that other rules would have made are corrected; a fact of another kernel version is not news."""
    store = MemoryStore()
    await feed(store, [pump_days(2)])
    log = await log_of(store)
    said = msgspec.json.decode(log.facts[0].line)
    renamed = msgspec.json.encode(said | {"kernel": "0"}, order="sorted")
    changed = msgspec.json.encode(msgspec.json.decode(log.facts[1].line) | {"kernel": "0", "at": "never"})
    facts = [
        dataclasses.replace(log.facts[0], line=renamed),
        dataclasses.replace(log.facts[1], line=changed),
        *log.facts[2:],
    ]
    first = dataclasses.replace(log.events[0], offset_us=log.events[0].offset_us + 7)
    rebuilt = rebuild("p1", PumpLog([first, *log.events[1:]], facts, log.head))
    assert rebuilt.added == [log.facts[1]]
    assert rebuilt.superseded == [facts[1]]
    assert len(rebuilt.events) == len(rebuilt.replaced) == 1
    assert rebuilt.events[0].offset_us == log.events[0].offset_us
    uncounted = dataclasses.replace(log.events[0], counts=False)
    rebuilt = rebuild("p1", PumpLog([uncounted, *log.events[1:]], log.facts, log.head))
    assert len(rebuilt.events) == 1
    assert rebuilt.replaced == []


async def test_a_log_that_holds_what_is_no_event_is_named():
    """Not an assertion: the reason, and what to do."""
    store = MemoryStore()
    await feed(store, [pump_days(3)])
    log = await log_of(store)
    with pytest.raises(UnreadableLogError, match="keep the log"):
        rebuild("p1", PumpLog([dataclasses.replace(log.events[0], payload=b"\xc1")], [], None))
