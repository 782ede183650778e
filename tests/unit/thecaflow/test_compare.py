"""`thecaflow compare` without a database: what is equal, what is not, and how that is said."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from contract.times import format_us
from storage.memory import MemoryStore
from storage.snapshot import PumpSnapshot
from tests.partition import facts_of, feed
from tests.pump_days import pump_days
from thecaflow.cli import run
from thecaflow.comparison import Comparison, report


@pytest.fixture(scope="module")
def stored() -> PumpSnapshot:
    """One pump as the live fold left it in the store."""
    return asyncio.run(folded_live())


async def folded_live() -> PumpSnapshot:
    """Fold a pump's days into a store batch by batch."""
    store = MemoryStore()
    records = pump_days(3)
    await feed(store, [records[start : start + 3] for start in range(0, len(records), 3)])
    blob = (await store.load(0))[0]["p1"]
    return PumpSnapshot("p1", [raw async for raw in store.export()], await facts_of(store), blob)


def compared(*pumps: PumpSnapshot, until_us: int | None = None) -> Comparison:
    """The comparison of these pumps."""
    found = Comparison(until_us=until_us)
    for pump in pumps:
        found.add(pump)
    return found


def test_what_the_live_fold_left_is_equal(stored: PumpSnapshot):
    """Every fact of the store is a fact of the fold of its log, in equal bytes."""
    found = compared(stored)
    assert found.equal, report(found)
    assert found.database == found.fold
    assert sum(found.database.values()) == len(stored.facts) > 0
    assert report(found).endswith("\nequal")


def test_one_changed_byte_is_told_with_both_lines(stored: PumpSnapshot):
    """The first difference in the contract's order, in words, with what either side says."""
    place = len(stored.facts) // 2
    wrong = replace(stored.facts[place], line=stored.facts[place].line.replace(b"0", b"1"))
    last = replace(stored.facts[-1], line=b"{}")
    found = compared(
        replace(stored, facts=[*stored.facts[:place], wrong, *stored.facts[place + 1 : -1], last])
    )
    assert sum(found.differing.values()) == 2
    assert found.first is not None
    assert found.first.database == wrong.line
    told = report(found)
    assert f"pump p1, {format_us(wrong.at_us)}: {wrong.kind}" in told
    assert wrong.line.decode() in told
    assert stored.facts[place].line.decode() in told
    assert told.endswith("NOT EQUAL")


def test_a_fact_on_one_side_only_is_a_difference(stored: PumpSnapshot):
    """A lost fact is missing in the database; an invented one is only there."""
    lost = compared(replace(stored, facts=stored.facts[1:]))
    assert lost.first is not None
    assert "is missing in the database" in lost.first.in_words()
    invented = replace(stored.facts[0], ordinal=7)
    more = compared(replace(stored, facts=[*stored.facts, invented]))
    assert more.first is not None
    assert "is only in the database" in more.first.in_words()


def test_the_first_difference_is_the_first_of_all_pumps(stored: PumpSnapshot):
    """Order is by time before pump, whichever pump was looked at first."""
    later = compared(replace(stored, facts=stored.facts[:-1]), replace(stored, facts=stored.facts[1:]))
    assert later.first is not None
    assert later.first.place[0] == stored.facts[0].at_us


def test_until_leaves_out_what_comes_after_it(stored: PumpSnapshot):
    """A difference beyond the stated horizon is none, and the counts are those up to it."""
    until_us = stored.facts[-1].at_us - 1
    found = compared(replace(stored, facts=stored.facts[:-1]), until_us=until_us)
    assert found.equal
    assert sum(found.fold.values()) == sum(fact.at_us <= until_us for fact in stored.facts)


def test_a_pump_without_a_head_state_is_not_equal(stored: PumpSnapshot):
    """Facts or a log without a state mean that a commit was cut, whatever else fits."""
    found = compared(replace(stored, head=None, facts=[]))
    assert not found.equal
    assert "no head state" in report(found)


def test_a_log_with_what_is_no_event_is_not_equal(stored: PumpSnapshot):
    """Damage in the log is told, not skipped."""
    found = compared(replace(stored, events=[*stored.events, b"\xc1"]))
    assert not found.equal
    assert "no event" in report(found)


def test_a_database_that_is_not_there_is_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Different (1) and not comparable (2) are two things to a script."""
    monkeypatch.setenv("THECAFLOW_DATABASE", "postgresql://postgres@127.0.0.1:1/nothing")
    assert run(["compare"]) == 2
    told = capsys.readouterr().err
    assert "make up" in told
    assert "Traceback" not in told
