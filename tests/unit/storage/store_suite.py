"""What any store must do; run on the twin in memory here and on TimescaleDB in tests/integration/test_storage_store.py."""

from dataclasses import replace

import msgspec
import pytest

from contract.times import DAY_US, SECOND_US
from storage.errors import InconsistentChangesError
from storage.store import Store
from storage.types import FactRow, HistoryRequest, Known, QuarantineRow, StateRow
from tests.unit.storage.rows import T0_US, alert, batch, checkpoint, dose, forecast, frame, note

TOPIC = "pump-events"


async def exported(
    store: Store, pump: str | None = None, until_us: int | None = None
) -> list[dict[str, object]]:
    return [msgspec.msgpack.decode(wire) async for wire in store.export(pump, until_us)]


async def believed(store: Store, until_us: int | None = None) -> list[FactRow]:
    return [fact async for fact in store.believed(until_us)]


class StoreSuite:
    """Tests by subject; a subclass gives the fixture `store`, empty."""

    async def test_a_first_commit_begins_a_partition_at_zero(self, store: Store):
        """A partition nobody has committed to stands at 0, and its first commit moves it."""
        assert await store.next_offset(3) == 0
        assert await store.commit(batch(0, events=[note("p", "a")]))
        assert await store.next_offset(3) == 10

    async def test_the_same_commit_twice_is_refused_and_writes_nothing(self, store: Store):
        """A batch whose outcome got lost is tried again, refused, and stored once."""
        changes = batch(0, events=[note("p", "a")], added=[dose("p", T0_US)], states=[StateRow("p", b"1")])
        assert await store.commit(changes)
        assert not await store.commit(changes)
        assert len(await exported(store)) == 1
        assert len(await believed(store)) == 1

    @pytest.mark.parametrize("expected_offset", [5, 11, 20])
    async def test_a_commit_from_another_offset_is_refused(self, store: Store, expected_offset: int):
        """A stale or early owner writes nothing: neither a state nor a fact nor an offset."""
        await store.commit(batch(0, states=[StateRow("p", b"old")]))
        assert not await store.commit(batch(expected_offset, states=[StateRow("p", b"new")]))
        assert (await store.load(3))[0] == {"p": b"old"}
        assert await store.next_offset(3) == 10

    async def test_a_hole_before_the_first_commit_is_refused(self, store: Store):
        """A partition nobody has committed to cannot begin in the middle."""
        assert not await store.commit(batch(10))
        assert await store.next_offset(3) == 0

    async def test_what_was_folded_on_states_of_another_run_is_refused(self, store: Store):
        """A rebuild changes the run and no offset: a batch says on which run it was folded, from the first one on."""
        run_id = (await store.load(3)).run_id
        assert not await store.commit(batch(0, events=[note("p", "a")]), run_id + 1)
        assert await store.commit(batch(0, events=[note("p", "a")]), run_id)
        assert not await store.commit(batch(10, events=[note("p", "b")]), run_id + 1)
        assert await store.known([("p", "b")]) == {}
        assert await store.commit(batch(10, events=[note("p", "b")]), run_id)

    async def test_partitions_stand_by_themselves(self, store: Store):
        """The same offsets of another partition are other offsets."""
        assert await store.commit(batch(0))
        assert await store.commit(batch(0, partition=4))

    async def test_known_gives_digest_and_received_of_stored_ids_only(self, store: Store):
        """Identity is by pump and id together."""
        stored = note("p", "a")
        await store.commit(batch(0, events=[stored]))
        found = await store.known([("p", "a"), ("p", "b"), ("q", "a")])
        assert found == {("p", "a"): Known(stored.digest, stored.received_us)}

    async def test_ids_that_text_cannot_hold_stay_apart(self, store: Store):
        """An id may hold U+0000 or a private-use character, and must not meet its own escape."""
        ids = ["a\0", "a\ue000", "a\ue000\ue002", "a\ue000\ue001", "a", "ä\U0001f600"]
        events = [replace(note("p", "x", T0_US + number), id=identity) for number, identity in enumerate(ids)]
        events = [replace(event, type="alert_ack") for event in events]
        await store.commit(batch(0, events=events))
        assert set(await store.known([("p", identity) for identity in ids])) == {
            ("p", identity) for identity in ids
        }

    async def test_received_only_moves_earlier(self, store: Store):
        """Of several `received` of one event the earliest stays, in the index, the log and the export."""
        await store.commit(batch(0, events=[note("p", "a", received_us=T0_US + 50)]))
        await store.commit(batch(10, received_updates=[("p", "a", T0_US + 70)]))
        assert (await store.known([("p", "a")]))["p", "a"].received_us == T0_US + 50
        await store.commit(batch(20, received_updates=[("p", "a", T0_US + 30), ("p", "a", T0_US + 40)]))
        assert (await store.known([("p", "a")]))["p", "a"].received_us == T0_US + 30
        history = await store.history(HistoryRequest("p", T0_US, everything=True))
        assert history.events[0].received_us == T0_US + 30
        assert [event["received"] for event in await exported(store)] == ["2025-06-15T15:06:40.000030Z"]

    async def test_an_absent_received_is_later_than_any(self, store: Store):
        """An event that came without `received` takes the first one that comes."""
        await store.commit(batch(0, events=[note("p", "a", received_us=None)]))
        assert (await store.known([("p", "a")]))["p", "a"].received_us is None
        await store.commit(batch(10, received_updates=[("p", "a", T0_US + 30)]))
        assert (await store.known([("p", "a")]))["p", "a"].received_us == T0_US + 30

    async def test_a_received_for_an_event_that_is_not_there_is_an_error(self, store: Store):
        """The fold and storage disagree: nothing is written."""
        with pytest.raises(InconsistentChangesError):
            await store.commit(batch(0, received_updates=[("p", "a", T0_US)]))
        assert await store.next_offset(3) == 0

    async def test_a_replaced_event_stays_in_the_log_and_counts_no_more(self, store: Store):
        """Another content with an earlier `received` wins the id; both are exported."""
        loser, winner = note("p", "a"), note("p", "a", T0_US + 5, text="w", received_us=T0_US)
        await store.commit(batch(0, events=[loser]))
        assert (await store.known([("p", "a")]))["p", "a"].digest == loser.digest
        await store.commit(batch(10, events=[winner], replaced=[("p", "a")]))
        assert (await store.known([("p", "a")]))["p", "a"].digest == winner.digest
        history = await store.history(HistoryRequest("p", T0_US, everything=True))
        assert [event.digest for event in history.events] == [winner.digest]
        assert [event["text"] for event in await exported(store)] == ["", "w"]

    async def test_replacing_what_does_not_count_is_an_error(self, store: Store):
        """The fold and storage disagree: nothing is written."""
        with pytest.raises(InconsistentChangesError):
            await store.commit(batch(0, events=[note("p", "b")], replaced=[("p", "a")]))
        assert await exported(store) == []

    async def test_a_loser_that_comes_again_is_stored_once(self, store: Store):
        """A conflicting content repeated for ever does not fill the log, and keeps its earliest `received`."""
        winner, loser = note("p", "a"), note("p", "a", T0_US + 5, text="l", counts=False)
        await store.commit(batch(0, events=[winner, loser]))
        await store.commit(batch(10, events=[replace(loser, received_us=T0_US - 1)]))
        await store.commit(batch(20, events=[loser, loser]))
        assert [event["text"] for event in await exported(store)] == ["", "l"]
        assert (await exported(store))[1]["received"] == "2025-06-15T15:06:39.999999Z"
        assert (await store.known([("p", "a")]))["p", "a"].digest == winner.digest

    async def test_a_loser_can_win_back_its_id(self, store: Store):
        """A, then B received earlier, then A received earlier still: A counts, both are kept once."""
        first = note("p", "a", received_us=T0_US + 9)
        second = note("p", "a", text="b", received_us=T0_US + 5)
        await store.commit(batch(0, events=[first]))
        await store.commit(batch(10, events=[second], replaced=[("p", "a")]))
        await store.commit(batch(20, events=[replace(first, received_us=T0_US + 1)], replaced=[("p", "a")]))
        known = (await store.known([("p", "a")]))["p", "a"]
        assert known == Known(first.digest, T0_US + 1)
        assert len(await exported(store)) == 2

    async def test_an_event_whose_corrected_time_moved_stays_one_event(self, store: Store):
        """A lower `seq` that came late can change the clock correction of a stored event."""
        await store.commit(batch(0, events=[note("p", "a")]))
        moved = note(
            "p", "a", first_us=T0_US + 40 * DAY_US, last_us=T0_US + 40 * DAY_US, offset_us=40 * DAY_US
        )
        await store.commit(batch(10, events=[moved], replaced=[("p", "a")]))
        history = await store.history(HistoryRequest("p", T0_US, everything=True))
        assert [event.offset_us for event in history.events] == [40 * DAY_US]
        assert len(await exported(store)) == 1

    async def test_the_same_event_stored_twice_is_an_error(self, store: Store):
        """Behind the compare-and-set every counting event is new; a second one is a bug, caught before it is believed."""
        await store.commit(batch(0, events=[note("p", "a")]))
        with pytest.raises(InconsistentChangesError):
            await store.commit(batch(10, events=[note("p", "a")]))
        assert await store.next_offset(3) == 10

    async def test_states_are_overwritten_pump_by_pump(self, store: Store):
        """A batch writes the states of its own pumps and leaves the others."""
        await store.commit(batch(0, states=[StateRow("p", b"1" * 2000), StateRow("q", b"2")]))
        await store.commit(batch(10, states=[StateRow("p", b"3" * 9000)]))
        await store.commit(batch(0, partition=4, states=[StateRow("r", b"4")]))
        assert (await store.load(3))[0] == {"p": b"3" * 9000, "q": b"2"}
        assert (await store.load(4))[0] == {"r": b"4"}
        assert (await store.load(5))[0] == {}

    async def test_a_pump_with_events_but_no_state_is_not_loaded(self, store: Store):
        """An event alone makes no head state."""
        await store.commit(batch(0, events=[note("p", "a")]))
        assert (await store.load(3))[0] == {}

    async def test_the_newest_checkpoint_strictly_before_is_used(self, store: Store):
        """Items of one time have an order among themselves, so a checkpoint at that very time is too late."""
        rows = [checkpoint("p", T0_US + day * DAY_US, blob=bytes([day])) for day in range(3)]
        await store.commit(batch(0, checkpoints=[*rows, checkpoint("q", T0_US + DAY_US)]))
        at_day_one = await store.history(HistoryRequest("p", T0_US + DAY_US))
        assert at_day_one.checkpoint == rows[0]
        after = await store.history(HistoryRequest("p", T0_US + DAY_US + 1))
        assert after.checkpoint == rows[1]
        assert (await store.history(HistoryRequest("p", T0_US))).checkpoint is None
        assert (await store.history(HistoryRequest("p", T0_US + DAY_US, everything=True))).checkpoint is None

    async def test_a_checkpoint_past_the_sequence_or_the_raw_time_is_not_used(self, store: Store):
        """A late lower `seq` rewinds before every higher one, and a raw time before every later raw time."""
        rows = [checkpoint("p", T0_US + n * DAY_US, max_seq=n, max_raw_us=100 * n) for n in range(4)]
        await store.commit(batch(0, checkpoints=rows))
        late_us = T0_US + 9 * DAY_US
        assert (await store.history(HistoryRequest("p", late_us, seq=2))).checkpoint == rows[1]
        assert (await store.history(HistoryRequest("p", late_us, first_raw_us=200))).checkpoint == rows[2]
        assert (
            await store.history(HistoryRequest("p", late_us, seq=3, first_raw_us=199))
        ).checkpoint == rows[1]
        assert (await store.history(HistoryRequest("p", late_us, seq=0))).checkpoint is None

    async def test_a_rewind_drops_later_checkpoints_of_its_pump(self, store: Store):
        """Void checkpoints go before the new ones are written, in the same commit."""
        rows = [checkpoint(pump, T0_US + n * DAY_US) for pump in "pq" for n in range(3)]
        await store.commit(batch(0, checkpoints=rows))
        anew = checkpoint("p", T0_US + 2 * DAY_US, blob=b"anew")
        await store.commit(batch(10, drop_checkpoints=[("p", T0_US)], checkpoints=[anew]))
        late_us = T0_US + 9 * DAY_US
        assert (await store.history(HistoryRequest("p", late_us))).checkpoint == anew
        assert (await store.history(HistoryRequest("p", anew.head_us))).checkpoint == rows[0]
        assert (await store.history(HistoryRequest("q", late_us))).checkpoint == rows[5]

    async def test_old_checkpoints_are_thinned_to_days_and_then_to_months(self, store: Store):
        """A checkpoint at the last row of each hour for 120 days leaves one a day, then one in 30 days."""
        offset, midnight_us = 0, T0_US - T0_US % (30 * DAY_US)
        for day in range(120):
            hours = [checkpoint("p", midnight_us + day * DAY_US + hour * DAY_US // 4) for hour in range(4)]
            for row in hours:
                assert await store.commit(batch(offset, checkpoints=[row]))
                offset += 10
        heads, upper_us = [], midnight_us + 200 * DAY_US
        while found := (await store.history(HistoryRequest("p", upper_us))).checkpoint:
            upper_us = found.head_us
            heads.append((upper_us - midnight_us) / DAY_US)
        assert heads[:4] == [119.75, 119.0, 118.0, 117.0]
        assert [head for head in heads if head < 80] == [60.0, 30.0, 0.0]
        assert len(heads) < 45

    async def test_history_has_every_counting_event_that_reaches_the_checkpoint(self, store: Store):
        """A frame that began long before the head and ends after it belongs; one that ended before does not."""
        spanning = frame("p", "long", [0.0, 20.0 * 86400], {"flow_ul_h": [1.0, 2.0]})
        ended = frame("p", "short", [0.0, 60.0], {"flow_ul_h": [1.0, 2.0]}, seq=2)
        after, unused = note("p", "n", T0_US + 11 * DAY_US), note("p", "u", T0_US + 12 * DAY_US, counts=False)
        other = note("q", "n", T0_US + 11 * DAY_US)
        head = checkpoint("p", T0_US + 10 * DAY_US)
        await store.commit(batch(0, events=[spanning, ended, after, unused, other], checkpoints=[head]))
        history = await store.history(HistoryRequest("p", T0_US + 11 * DAY_US))
        assert history.checkpoint == head
        assert [event.digest for event in history.events] == [spanning.digest, after.digest]
        everything = await store.history(HistoryRequest("p", T0_US, everything=True))
        assert len(everything.events) == 3

    async def test_an_event_that_ends_at_the_head_belongs_to_the_history(self, store: Store):
        """Order within the head's own time is the fold's to judge."""
        row = note("p", "n", T0_US)
        await store.commit(
            batch(0, events=[row], checkpoints=[checkpoint("p", T0_US)], added=[dose("p", T0_US)])
        )
        history = await store.history(HistoryRequest("p", T0_US + 1))
        assert history.events[0].payload == row.payload
        assert list(history.facts) == [dose("p", T0_US)]

    async def test_history_has_the_facts_from_the_checkpoint_on(self, store: Store):
        """Facts before the head cannot change and are not read."""
        facts = [dose("p", T0_US), forecast("p", T0_US + DAY_US), alert("p", T0_US + DAY_US)]
        head = checkpoint("p", T0_US + DAY_US)
        await store.commit(batch(0, added=[*facts, dose("q", T0_US + DAY_US)], checkpoints=[head]))
        history = await store.history(HistoryRequest("p", T0_US + 2 * DAY_US))
        assert list(history.facts) == [facts[2], facts[1]]

    async def test_a_superseded_fact_is_believed_no_more_and_another_takes_its_place(self, store: Store):
        """A correction ends one belief and begins another under the same identity."""
        await store.commit(batch(0, added=[dose("p", T0_US, 24.0), alert("p", T0_US)]))
        anew = dose("p", T0_US, 36.0)
        await store.commit(batch(10, superseded=[dose("p", T0_US), alert("p", T0_US)], added=[anew]))
        assert await believed(store) == [anew]
        await store.commit(batch(20, superseded=[anew]))
        assert await believed(store) == []

    @pytest.mark.parametrize("fact", [dose("p", T0_US), forecast("p", T0_US), alert("p", T0_US)])
    async def test_superseding_what_is_not_believed_is_an_error(self, store: Store, fact: FactRow):
        """The fold and storage disagree about what was said: nothing is written."""
        with pytest.raises(InconsistentChangesError):
            await store.commit(batch(0, superseded=[fact]))
        await store.commit(batch(0, added=[fact]))
        with pytest.raises(InconsistentChangesError):
            await store.commit(batch(10, superseded=[replace(fact, ordinal=1)]))
        assert await believed(store) == [fact]

    async def test_a_belief_added_twice_is_an_error(self, store: Store):
        """Two beliefs of one identity would make `compare` depend on chance."""
        await store.commit(batch(0, added=[alert("p", T0_US)]))
        with pytest.raises(InconsistentChangesError):
            await store.commit(batch(10, added=[alert("p", T0_US, state="cleared")]))

    async def test_facts_come_in_the_contracts_order(self, store: Store):
        """By time, pump, kind, cause, alert id, then order of emission; lines are the bytes that were written."""
        expected = [
            alert("P", T0_US),
            alert("p", T0_US, alert_id="a1"),
            alert("p", T0_US, 1, alert_id="a1"),
            alert("p", T0_US, alert_id="a2"),
            dose("p", T0_US),
            forecast("p", T0_US),
            alert("p.1", T0_US),
            alert("pa", T0_US),
            alert("A", T0_US + 1),
        ]
        await store.commit(batch(0, added=expected[::-1]))
        assert await believed(store) == expected
        assert await believed(store, T0_US) == expected[:-1]
        assert await believed(store, T0_US - 1) == []

    async def test_the_export_is_ordered_and_can_be_cut(self, store: Store):
        """By corrected time, pump and id, over many chunks, whatever the order of arrival; --pump and --until cut it."""
        times = [400, 3, 0, 0, 31, 8]
        events = [note(pump, f"{pump}{days}", T0_US + days * DAY_US) for days in times for pump in "qp"]
        unique = list({(event.pump, event.id): event for event in events}.values())
        await store.commit(batch(0, events=unique[::2]))
        await store.commit(batch(10, events=unique[1::2]))
        ids = [event["id"] for event in await exported(store)]
        assert ids == [f"{pump}{days}" for days in sorted(set(times)) for pump in "pq"]
        assert [event["id"] for event in await exported(store, "p", T0_US + 8 * DAY_US)] == ["p0", "p3", "p8"]

    async def test_input_that_text_cannot_hold_is_quarantined_all_the_same(self, store: Store):
        """Garbage may hold U+0000 and lone surrogates; it must not end the worker that reports it."""
        row = QuarantineRow(7, "bad \0", "excerpt \ud800 \0", "p\0", None, b"\0\xff", "i\0")
        assert await store.commit(batch(0, quarantined=[row, row]))

    async def test_times_beyond_the_calendar_are_stored(self, store: Store):
        """A device may claim any time at all; the worker must survive it."""
        far = [note("p", "z", T0_US, first_us=2**62, last_us=2**63 - 1, received_us=T0_US)]
        far += [note("p", "a", T0_US, first_us=-(2**62), last_us=-(2**62), received_us=None)]
        assert await store.commit(batch(0, events=far))
        assert [event["id"] for event in await exported(store)] == ["a", "z"]

    async def test_telemetry_without_rows_is_an_event(self, store: Store):
        """A frame of no rows is legal and has no arrays."""
        assert await store.commit(batch(0, events=[frame("p", "t", [], {"flow_ul_h": []})]))
        assert len(await exported(store)) == 1

    async def test_a_batch_mixes_frames_of_every_shape(self, store: Store):
        """Frames of different lengths and channels beside clinical events come back byte by byte."""
        events = [
            frame("p", "a", [0.0, 1.0], {"flow_ul_h": [1.0, 2.0]}),
            note("p", "b", T0_US + 2 * SECOND_US),
            frame("p", "c", [3.0], {"flow_ul_h": [1.0], "stalled": [0.0]}, seq=2),
            frame("p", "d", [4.0, 5.0], {"delivered_ul": [1.0, float("nan")]}, seq=None),
        ]
        await store.commit(batch(0, events=events))
        history = await store.history(HistoryRequest("p", T0_US, everything=True))
        assert [event.payload for event in history.events] == [event.payload for event in events]
