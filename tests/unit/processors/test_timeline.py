"""Identity, clocks and order of one pump's events (contract, Order and identity)."""

from __future__ import annotations

import numpy as np

from contract.times import HOUR_US, MINUTE_US
from processors import timeline
from processors.timeline import Clock, Settled
from tests.pump_days import START_US, PumpDays, sighting


def days() -> PumpDays:
    """A builder of events."""
    return PumpDays(np.random.default_rng(0))


def frame(
    make: PumpDays, start_h: float, received_h: float | None, *, hours: float = 1.0, skew_us: int = 0
) -> bytes:
    """An hour of rows each 15 min from `start_h` hours after the start, by a clock that is `skew_us` ahead."""
    make.skew_us = skew_us
    received = None if received_h is None else START_US + round(received_h * HOUR_US)
    return make.frame(START_US + round(start_h * HOUR_US), hours, 900, received, stands=False)


def offsets(*records: bytes) -> list[int]:
    """Clock offsets in order of the device's own log."""
    settled, _, _ = timeline.settle(Clock(), [sighting(raw) for raw in records])
    return [one.offset_us for one in settled]


def with_id(raw: bytes, other: bytes) -> tuple[timeline.Sighting, timeline.Sighting]:
    """Two events, the second under the first one's id."""
    from msgspec.structs import replace

    first, second = sighting(raw), sighting(other)
    return first, replace(second, event=replace(second.event, id=first.event.id))


def test_same_content_counts_once_and_keeps_the_earliest_received() -> None:
    """An absent `received` counts as later than any."""
    make = days()
    raw = make.event("resumed", START_US, START_US + 10)
    from contract.codec import with_received

    copies = [sighting(with_received(raw, START_US + late)) for late in (30, 5, 20)]
    winners, lost = timeline.unique(copies)
    assert [one.event.received_us for one in winners] == [START_US + 5]
    assert lost == []


def test_other_content_under_one_id_loses_to_what_was_received_first() -> None:
    """The first received counts whatever the order in which they are seen."""
    make = days()
    one, other = with_id(
        make.event("suspended", START_US, START_US + 10), make.event("suspended", START_US + 1, START_US + 5)
    )
    for order in ([one, other], [other, one]):
        winners, lost = timeline.unique(order)
        assert (winners, lost) == ([other], [one])


def test_a_clock_ahead_is_moved_back_to_received_and_stays_so() -> None:
    """Nothing lies more than 60 s after its own `received`; the offset carries on to higher `seq`."""
    make = days()
    first = frame(make, 0, 1, skew_us=3 * HOUR_US)
    second = frame(make, 1, 2, skew_us=3 * HOUR_US)
    moved = -3 * HOUR_US + 15 * MINUTE_US
    assert offsets(first, second) == [moved, moved]


def test_up_to_sixty_seconds_ahead_is_left_alone() -> None:
    """Exactly 60 s is inside."""
    make = days()
    late = frame(make, 0, 0.75, skew_us=60_000_000)
    assert offsets(late) == [0]
    assert offsets(frame(make, 2, 2.75, skew_us=60_000_001)) != [0]


def test_a_clock_set_back_is_held_but_never_beyond_received() -> None:
    """Where the first row lies 60 s or more before the latest of lower `seq`, the clock was set back."""
    make = days()
    first = frame(make, 0, 1)
    second = frame(make, 1, 2, skew_us=-2 * HOUR_US)
    latest = START_US + 45 * MINUTE_US
    begins = START_US + HOUR_US - 2 * HOUR_US
    assert offsets(first, second) == [0, latest - begins]


def test_without_seq_an_early_event_is_late_not_skewed() -> None:
    """Clinic events know no second rule."""
    make = days()
    late = make.event("resumed", START_US - 5 * HOUR_US, START_US + 10)
    ahead = make.event("resumed", START_US + 5 * HOUR_US, START_US + 10)
    by_id = {
        one.event.id: one.offset_us for one in timeline.settle(Clock(), [sighting(late), sighting(ahead)])[0]
    }
    assert sorted(by_id.values()) == [10 - 5 * HOUR_US, 0]


def test_a_row_equal_to_a_known_row_is_that_row_again() -> None:
    """Overlapping uploads count each row once; a different row at the same time counts too."""
    make = days()
    raw = frame(make, 0, 1)
    again = frame(
        make, 0.5, 2
    )  # its first two rows lie where the first frame's last two are, with other noise
    settled, _, _ = timeline.settle(Clock(), [sighting(raw), sighting(again)])
    assert [len(one.rows_us) for one in settled] == [4, 4]
    renamed = sighting(raw)
    from msgspec.structs import replace

    twin = replace(renamed, event=replace(renamed.event, id="other", seq=9))
    settled, _, _ = timeline.settle(Clock(), [sighting(raw), twin])
    assert [len(one.rows_us) for one in settled] == [4, 0]


def test_a_program_takes_effect_inside_a_frame_that_spans_it() -> None:
    """At one time registration, fill and program come before other events, and those before rows."""
    make = days()
    at = START_US + HOUR_US
    steps = [{"minute": 0, "rate_ul_h": 1.0}]
    records = [
        make.frame(START_US, 2, 900, at + 9 * HOUR_US, stands=False),
        make.event("suspended", at, at),
        make.event("program_set", at, at, mode="continuous", steps=steps),
    ]
    settled, _, skews = timeline.settle(Clock(), [sighting(raw) for raw in records])
    items = timeline.arrange(settled, skews)
    kinds = [item.event.__struct_config__.tag for _, item in items.events if isinstance(item, Settled)]
    assert kinds == ["program_set", "suspended"]
    assert items.last_key[0] == int(items.rows_us[-1])
    assert list(np.diff(items.rows_us)) == [900_000_000] * 7


def test_skew_is_said_once_on_and_once_off() -> None:
    """`clock_skew` is on while the offset is 60 s or more either way."""
    make = days()
    records = [frame(make, 0, 1), frame(make, 1, 2, skew_us=HOUR_US), frame(make, 2, 3, skew_us=HOUR_US)]
    _, clock, skews = timeline.settle(Clock(), [sighting(raw) for raw in records])
    assert [change.on for _, change in skews if not isinstance(change, Settled)] == [True]
    assert clock.skewed
