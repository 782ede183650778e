"""Sentences of the contract on clocks, the horizon and the upload track that are easy to get wrong."""

from __future__ import annotations

import numpy as np
import pytest

from contract.codec import with_received
from contract.facts import Alert, Cause
from contract.times import HOUR_US, format_us
from processors import heads, timeline, uploads
from processors.analyse import analyse
from processors.believed import believed
from storage.memory import MemoryStore
from tests.partition import facts_of, feed
from tests.pump_days import START_US, PumpDays, sighting, sightings, wire
from tests.unit.processors.test_fold import Story, story


def unnumbered(name: str, at_h: float, received_h: float) -> bytes:
    """A device's suspension without `seq`."""
    return wire(
        {
            "type": "suspended",
            "v": 1,
            "id": name,
            "pump": "p1",
            "source": "device",
            "at": format_us(START_US + round(at_h * HOUR_US)),
            "received": format_us(START_US + round(received_h * HOUR_US)),
        }
    )


def skew_lines(records: list[bytes]) -> list[tuple[float, str]]:
    """(hours, state) of `clock_skew`."""
    facts = analyse(sightings(records), until_us=START_US + 100 * HOUR_US).facts
    lines = [f for f in facts if isinstance(f, Alert) and f.cause is Cause.CLOCK_SKEW]
    return [((line.at_us - START_US) / HOUR_US, str(line.state)) for line in lines]


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_skew_of_events_without_seq_follows_their_times_not_their_ids(names: str) -> None:
    """Without `seq` each event stands alone: on at the one that is ahead, off at the next that is not."""
    records = [unnumbered(names[0], 5.0, 2.0), unnumbered(names[1], 8.0, 8.0)]
    assert skew_lines(records) == [(2.0, "active"), (8.0, "cleared")]


async def test_a_note_before_a_skewed_alarm_keeps_the_alert_of_the_clock() -> None:
    """Folding the events after the newest row once more must not lose what the clocks had shown."""
    make = PumpDays(np.random.default_rng(0))
    frame = make.frame(START_US, 1, 900, START_US + HOUR_US, stands=False)
    alarm = make.event(
        "device_alarm", START_US + 5 * HOUR_US, START_US + 2 * HOUR_US, "device", code="other", text=""
    )
    late = make.event("resumed", START_US + 90 * 60_000_000, START_US + 3 * HOUR_US)
    store = MemoryStore()
    await feed(store, [[frame, alarm], [late]])
    (blob,) = (await store.load(0))[0].values()
    expected = believed("p1", sightings([frame, alarm, late]), heads.decode(blob).present_us)
    assert {row.cause for row in expected} >= {Cause.CLOCK_SKEW}
    assert {row.line for row in await facts_of(store)} == {row.line for row in expected}


def test_the_horizon_is_of_events_not_of_their_repeats() -> None:
    """A repeated event's `received` is the earliest."""
    told = story().runs(0, 5.0)
    again = [with_received(raw, START_US + 90 * HOUR_US) for raw in told.records]
    assert analyse(sightings(told.records)).horizon_us == START_US + 1_000_000
    assert analyse(sightings([*told.records, *again])).horizon_us == START_US + 1_000_000


def test_an_event_without_received_counts_in_the_horizon_by_its_row_or_time() -> None:
    """The present of a pump is the newest of `received`, else last row, else `at`, event by event."""
    told = story().runs(0, 5.0)
    make = PumpDays(np.random.default_rng(0), number=50)
    told.records.append(make.frame(START_US + 10 * HOUR_US, 2, 1800, None, stands=False))
    assert analyse(sightings(told.records)).horizon_us == START_US + round(11.5 * HOUR_US)


def test_an_upload_without_received_counts_at_its_last_row_known_or_new() -> None:
    """An upload is an event: that its rows were known does not move it."""
    make = PumpDays(np.random.default_rng(0))
    raw = make.frame(START_US, 2, 1800, None, stands=False)
    from msgspec.structs import replace

    first = sighting(raw)
    twin = replace(first, event=replace(first.event, id="twin", seq=9))
    settled, _, _ = timeline.settle(timeline.Clock(), [first, twin])
    places = [one.place[0] for one in uploads.uploads_of(settled)]
    assert places == [START_US + round(1.5 * HOUR_US)] * 2


def test_a_deadline_already_past_when_registration_sets_it_fires_at_the_registration() -> None:
    """Nobody knew before it how often the pump should report."""
    told = Story().rows(0, 1, delivered_ul=[0.0]).registered(10.0, upload_every_s=3600.0)
    (first, *_) = told.alerts(12, Cause.TELEMETRY_SILENT)
    assert first == (pytest.approx(10.0, abs=1e-3), "active", "medium")


def test_registered_interval_ahead_of_the_present_is_waited_for() -> None:
    """Three times the stated interval after the last upload."""
    told = Story().registered(0.0, upload_every_s=7200.0).rows(0, 1, delivered_ul=[0.0])
    assert told.alerts(12, Cause.TELEMETRY_SILENT)[0][0] == 7.0


def test_ten_minutes_belong_to_the_counted_upload() -> None:
    """What comes with a counted upload changes neither the habit nor the deadline."""
    told = story()
    for start in (0, 4, 8):
        told.rows(start, 4, delivered_ul=[5.0 * (start + hour) for hour in range(4)])
        told.rows(start + 4 + 1 / 6 - 1, 1, delivered_ul=[1.0])  # received 10 min after the one before
    assert told.alerts(100, Cause.TELEMETRY_SILENT)[0][0] == 24.0
