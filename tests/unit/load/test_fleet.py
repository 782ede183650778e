"""The load's fleet: what is woven from prepared pieces is what the contract's encoder would have written."""

from __future__ import annotations

import numpy as np
import pytest

from contract.codec import decode_msgpack, encode_wire
from contract.events import CHANNELS, ProgramSet, PumpExplanted, PumpRegistered, ReservoirFilled, Telemetry
from contract.times import MINUTE_US
from thecaflow.load.fleet import RATE_UL_H, Fleet

T0_US = 1_790_000_000_000_000


def fleet(pumps: int = 7, samples: int = 12, period_s: float = 1.0, seed: int = 3) -> Fleet:
    """Some pumps, filled at T0."""
    return Fleet("abc123", pumps, samples, period_s, T0_US, seed)


@pytest.mark.parametrize("number", [0, 6, 7, 300, 7 * 70_000 + 4])
@pytest.mark.parametrize(("samples", "period_s"), [(1, 60.0), (12, 1.0), (240, 0.25)])
def test_a_woven_frame_is_a_frame_of_the_contract(number: int, samples: int, period_s: float):
    """Decoding and encoding it again loses nothing: ids, times and columns are where they belong."""
    due_us = T0_US + 10 * MINUTE_US + 123_457
    event = decode_msgpack(fleet(samples=samples, period_s=period_s).frame(number, due_us))
    assert isinstance(event, Telemetry)
    assert (event.pump, event.seq) == (f"load-abc123-{number % 7:06d}", number // 7)
    assert event.id == f"{event.pump}-{number // 7:010d}"
    assert event.at_us == due_us - round(samples * period_s * 1e6)
    assert event.present == {"delivered_ul", "reservoir_ml", "pressure_kpa", "motor_ma"}
    again = decode_msgpack(encode_wire(event))
    assert isinstance(again, Telemetry)
    np.testing.assert_array_equal(again.columns, event.columns)
    np.testing.assert_array_equal(again.t_s, np.arange(samples) * period_s)


def test_the_counter_follows_the_program_and_never_falls():
    """Physics of a healthy pump: an hour's frames deliver an hour's volume, to the counter's step."""
    one = fleet(pumps=1, samples=60, period_s=1.0)
    row = CHANNELS.index("delivered_ul")
    frames = [decode_msgpack(one.frame(minute, T0_US + (minute + 2) * MINUTE_US)) for minute in range(60)]
    delivered = np.concatenate([event.columns[row] for event in frames if isinstance(event, Telemetry)])
    assert (np.diff(delivered) >= 0).all()
    assert delivered[-1] - delivered[0] == pytest.approx(RATE_UL_H * (3599 / 3600), abs=0.05)


def test_equal_seeds_give_equal_frames_and_others_others():
    """A run can be made again."""
    assert fleet(seed=5).frame(3, T0_US + MINUTE_US) == fleet(seed=5).frame(3, T0_US + MINUTE_US)
    assert fleet(seed=5).frame(3, T0_US + MINUTE_US) != fleet(seed=6).frame(3, T0_US + MINUTE_US)


def test_clinical_events_and_their_ids_go_together():
    """What is looked up at the end is what was sent."""
    some = fleet(pumps=2)
    events, ids = some.introductions()
    ends, end_ids = some.farewells(T0_US + MINUTE_US)
    decoded = [decode_msgpack(raw) for raw in [*events, *ends]]
    assert [type(event) for event in decoded] == [PumpRegistered, ReservoirFilled, ProgramSet] * 2 + [
        PumpExplanted
    ] * 2
    assert [event.id for event in decoded] == [*ids, *end_ids]  # type: ignore[union-attr]
    assert sorted([*some.clinical_ids(0), *some.clinical_ids(1)]) == sorted([*ids, *end_ids])
