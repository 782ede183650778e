"""What the console asks of the detectors: the explanation of the command line, and readiness as the worker's state has it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from contract.errors import StaleStateError
from contract.facts import Alert
from processors import heads, stored_head
from processors.channel_needs import NEEDS
from storage.memory import MemoryStore
from storage.queries import named
from tests.partition import feed
from tests.pump_days import pump_days
from thecaflow.explaining import asked, finding, text
from thecaflow.explaining.account import account_of
from thecaflow.explaining.asked import Detectors
from thecaflow.explaining.finding import Stored, Wanted


class OnePump:
    """A database that holds one pump's log and head; `asked` counts questions for the log."""

    def __init__(self, events: list[bytes], head: bytes) -> None:
        self.events = events
        self.head = head
        self.asked = 0

    async def ask(self, question: Callable[[Any], Awaitable[Any]], *, within_s: float = 5.0) -> Any:
        return await question(self)

    @asynccontextmanager
    async def transaction(self, **_: Any) -> Any:
        yield

    async def fetchval(self, sql: str, topic: str, pump: str) -> bytes:
        assert sql == named("page_head")
        return self.head

    async def fetch(self, sql: str, pump: str) -> list[tuple[bytes, None]]:
        assert sql == named("snapshot_events")
        self.asked += 1
        return [(raw, None) for raw in self.events]


@pytest.fixture(scope="module")
def stored() -> Stored:
    """A pump as the live fold left it, with an alert."""

    async def folded() -> Stored:
        store = MemoryStore()
        records = pump_days(3)
        await feed(store, [records[start : start + 3] for start in range(0, len(records), 3)])
        blob = (await store.load(0))[0]["p1"]
        return Stored("p1", [raw async for raw in store.export()], blob)

    return asyncio.run(folded())


@pytest.fixture
def database(stored: Stored) -> OnePump:
    """Its database."""
    assert stored.head is not None
    return OnePump(list(stored.events), stored.head)


def an_alert(stored: Stored) -> Alert:
    """One of its alerts."""
    for cause in ("motor_stall", "clock_skew", "telemetry_silent", "refill_due"):
        found = finding.from_stored(stored, Wanted(cause=cause, pump="p1"), None)
        if not isinstance(found, finding.NoSuchAlertError):
            return found.lines[0]
    raise AssertionError("the days have no alert")


async def test_a_page_gets_what_the_command_line_tells(stored: Stored, database: OnePump) -> None:
    """The sections are those of `thecaflow explain`, cell by cell, and a second look within a minute folds nothing."""
    clock = [0.0]
    detectors = Detectors(database, "events", lambda: clock[0])
    alert_id = an_alert(stored).alert_id
    told = await detectors.explanation("p1", alert_id)
    found = finding.from_stored(stored, Wanted(alert_id=alert_id, pump="p1"), None)
    assert not isinstance(found, finding.NoSuchAlertError)
    assert told.sections == text.sections(account_of(found))
    assert told.picture.startswith("data:image/svg+xml;base64,")
    assert await detectors.explanation("p1", alert_id) is told
    clock[0] = asked.KEPT_S
    await detectors.explanation("p1", alert_id)
    assert database.asked == 2


async def test_a_log_too_long_for_a_page_is_not_read(
    database: OnePump, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks is told the command that takes its time; nothing is fetched."""
    monkeypatch.setattr(asked, "MOST_ROWS", 1)
    told = await Detectors(database, "events").explanation("p1", "0" * 16)
    assert "thecaflow explain 0000000000000000 --plot" in told.refused
    assert database.asked == 0


async def test_an_alert_that_was_corrected_away_is_said_to_be(database: OnePump) -> None:
    """An id that the fold does not make is no error of the page."""
    told = await Detectors(database, "events").explanation("p1", "0" * 16)
    assert "corrected" in told.refused


async def test_readiness_is_what_the_workers_state_holds(stored: Stored, database: OnePump) -> None:
    """Every cause of the table is said once, as the state has it, without a kernel judging anew."""
    assert stored.head is not None
    ready = heads.decode(stored.head).physics.ready
    said = await Detectors(database, "events").readiness("p1")
    assert [one.cause for one in said] == [need.cause for need in NEEDS]
    words = ("", "ready", "warming_up", "blind", "blind")
    assert [one.state for one in said] == [words[verdict] for verdict in ready]
    assert {one.state for one in said} > {"blind"}


async def test_a_state_of_other_rules_says_nothing(stored: Stored, database: OnePump) -> None:
    """Verdicts of another table must not be read as this one's; a worker will fold the pump anew."""
    assert stored.head is not None
    older = msgspec.msgpack.decode(stored.head) | {"version": "0.9/1"}
    database.head = msgspec.msgpack.encode(older)
    with pytest.raises(StaleStateError):
        stored_head.seen(database.head)
    assert await Detectors(database, "events").readiness("p1") == ()
