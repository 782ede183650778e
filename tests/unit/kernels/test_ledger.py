"""Ledgers: the counter's and the flow's corner cases by name, coverage, plug flow and sums."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from kernels import ledger
from kernels import state as st
from kernels.state import COVERED_US, PROGRAMMED_UL, SENSED_KNOWN, SIZE

MINUTE_US, HOUR_US, DAY_US = 6e7, 3.6e9, 8.64e10
NAN = math.nan
START_US = 1.7e15


class Pump:
    """A state that is told rows in minutes and answers with what they sensed."""

    def __init__(self, max_rate_ul_h: float = 1000.0, wrap_ul: float = NAN) -> None:
        self.x = np.full(SIZE, np.nan)
        ledger.reset(self.x)
        self.limits = (max_rate_ul_h, wrap_ul)

    def row(self, minute: float, count: float = NAN, flow: float = NAN, source: int = 0) -> float:
        return ledger.sensed_ul(self.x, source, START_US + minute * MINUTE_US, count, flow, *self.limits)

    @property
    def known(self) -> float:
        return float(self.x[SENSED_KNOWN])

    @property
    def covered_minutes(self) -> float:
        return ledger.total(self.x, COVERED_US) / MINUTE_US


def test_a_counter_counts_from_its_second_row() -> None:
    """The first reading is a mark, not a volume; a gap changes nothing about the difference."""
    pump = Pump()
    assert (pump.row(0, 500.0), pump.known) == (0.0, ledger.NOTHING)
    assert (pump.row(1, 501.0), pump.known) == (1.0, ledger.BY_COUNTER)
    assert pump.row(2) == 0.0
    assert pump.known == ledger.NOTHING
    assert pump.row(10_000, 801.0) == 300.0


def test_a_counter_that_stands_still_is_a_measured_zero() -> None:
    """0 is a value: no movement is known to be none."""
    pump = Pump()
    pump.row(0, 0.0)
    assert (pump.row(1, 0.0), pump.known) == (0.0, ledger.BY_COUNTER)


def test_a_wrap_or_a_restart_the_smaller_counts() -> None:
    """From 998 of 1000 to 3 is 5 by a wrap and 3 by a restart: both fit, 3 counts; from 1002 the wrap's 1 does."""
    for last, counted in ((998.0, 3.0), (1002.0, 1.0)):
        pump = Pump(wrap_ul=1000.0)
        pump.row(0, last)
        assert pump.row(60, 3.0) == counted


def test_a_fall_that_neither_explains_counts_nothing() -> None:
    """From 995 to 990 in an hour is 990 by a restart and 995 by a wrap, and 10 uL is all that fits."""
    pump = Pump(max_rate_ul_h=10.0, wrap_ul=1000.0)
    pump.row(0, 995.0)
    assert (pump.row(60, 990.0), pump.known) == (0.0, ledger.NOTHING)


def test_a_restart_must_fit_the_largest_rate() -> None:
    """A fall to 10 in an hour fits 10 uL/h exactly, a fall to 10.001 does not."""
    for count, counted in ((10.0, 10.0), (10.001, 0.0)):
        pump = Pump(max_rate_ul_h=10.0)
        pump.row(0, 500.0)
        assert pump.row(60, count) == counted


def test_the_time_that_a_restart_may_use_ends_at_24_hours() -> None:
    """After a gap of ten days a restart is still judged by one day of the largest rate."""
    for count, counted in ((240.0, 240.0), (241.0, 0.0)):
        pump = Pump(max_rate_ul_h=10.0)
        pump.row(0, 5000.0)
        assert pump.row(10 * 1440, count) == counted


def test_an_unknown_limit_shows_no_restart() -> None:
    """A pump that was never registered can't show that a fall fits, not even a fall to 0.001."""
    pump = Pump(max_rate_ul_h=NAN)
    pump.row(0, 5.0)
    assert pump.row(60, 0.001) == 0.0
    assert pump.row(120, 6.0) == 1.0


def test_a_wrong_low_reading_counts_nothing_until_the_old_value_is_passed() -> None:
    """A glitch from 500 to 400 is held; 502 goes on from 500, what moved below 500 is not counted."""
    pump = Pump(max_rate_ul_h=10.0)
    pump.row(0, 500.0)
    assert [pump.row(n, c) for n, c in ((1, 400.0), (2, 450.0), (3, 499.0), (4, 502.0), (5, 503.0))] == [
        0.0,
        0.0,
        0.0,
        2.0,
        1.0,
    ]


def test_after_24_hours_the_new_value_counts() -> None:
    """From 24 h after the fall on, counting goes on from the value that the counter fell to."""
    pump = Pump(max_rate_ul_h=10.0)
    pump.row(0, 5000.0)
    assert pump.row(60, 4000.0) == 0.0
    assert pump.row(60 + 1439, 4095.0) == 0.0
    assert pump.row(60 + 1440, 4096.0) == 96.0
    assert pump.row(60 + 1500, 4100.0) == 4.0


def test_a_further_fall_does_not_restart_the_24_hours() -> None:
    """A counter that creeps down counts again a day after its first fall, from the lowest value."""
    pump = Pump(max_rate_ul_h=10.0)
    pump.row(0, 5000.0)
    assert (pump.row(60, 4000.0), pump.row(600, 3990.0)) == (0.0, 0.0)
    assert pump.row(60 + 1440, 4096.0) == 106.0


def test_a_true_restart_ends_a_held_fall() -> None:
    """After a wrong reading a fall to nearly 0 is judged from the last good reading, and counts."""
    pump = Pump(max_rate_ul_h=10.0)
    pump.row(0, 5000.0)
    assert pump.row(30, 4000.0) == 0.0
    assert pump.row(60, 3.0) == 3.0


def test_flow_counts_where_there_is_no_counter() -> None:
    """A reading holds from its row to the next: 6 uL/h for a minute is 0.1 uL, counted at the later row."""
    pump = Pump()
    assert (pump.row(0, flow=6.0), pump.known) == (0.0, ledger.NOTHING)
    assert pump.row(1, flow=12.0) == pytest.approx(0.1)
    assert pump.known == ledger.BY_FLOW
    assert pump.row(2, flow=0.0) == pytest.approx(0.2)
    assert (pump.row(3), pump.known) == (0.0, ledger.BY_FLOW)


def test_a_flow_reading_holds_for_three_periods() -> None:
    """Rows each minute, then an hour of silence: three minutes count; rows without flow use them up too."""
    pump = Pump()
    for minute in range(5):
        pump.row(minute, flow=60.0)
    assert pump.row(64, flow=60.0) == pytest.approx(3.0)
    pump = Pump()
    for minute in range(5):
        pump.row(minute, flow=60.0)
    assert [round(pump.row(minute), 9) for minute in (5, 6, 7, 8)] == [1.0, 1.0, 1.0, 0.0]
    assert pump.known == ledger.NOTHING


def test_one_gap_does_not_change_the_usual_period() -> None:
    """The median of three: after one long gap the next one still holds for three of the short periods only."""
    pump = Pump()
    for minute in (0, 1, 2, 3, 100, 101):
        pump.row(minute, flow=60.0)
    assert pump.row(200, flow=60.0) == pytest.approx(3.0)


def test_flow_comes_off_the_next_difference() -> None:
    """What flow counted while the counter was silent is not counted again; the sum is the counter's."""
    pump = Pump()
    pump.row(0, 10.0, 60.0)
    got = [pump.row(1, flow=60.0), pump.row(2, flow=60.0), pump.row(3, 12.5, 60.0), pump.row(4, 13.5)]
    assert got == pytest.approx([1.0, 1.0, 0.5, 1.0])


def test_flow_before_the_first_count_stays_counted() -> None:
    """Up to the first counter reading flow is all there is, and no later difference covers it."""
    pump = Pump()
    pump.row(0, flow=60.0)
    assert pump.row(1, 100.0, 60.0) == pytest.approx(1.0)
    assert pump.row(2, 101.0, 60.0) == pytest.approx(1.0)


def test_differences_stay_within_a_source() -> None:
    """A programmer that reads another counter neither jumps nor restarts the device's own."""
    pump = Pump()
    pump.row(0, 10.0)
    assert pump.row(1, 9000.0, source=1) == 0.0
    assert pump.row(2, 11.0) == 1.0
    assert pump.row(3, 9001.0, source=1) == 1.0


def test_flow_of_another_source_comes_off_the_counter_too() -> None:
    """Flow that the clinic measures beside the device's silent counter is the same fluid."""
    pump = Pump()
    pump.row(0, 10.0)
    pump.row(1, flow=60.0, source=1)
    assert pump.row(2, flow=60.0, source=1) == pytest.approx(1.0)
    assert pump.row(3, 13.0) == pytest.approx(2.0)


def test_coverage_is_whole_while_rows_come_and_three_periods_after() -> None:
    """Ten rows a minute apart cover nine minutes; an hour's gap adds three of them."""
    pump = Pump()
    for minute in range(10):
        pump.row(minute)
    assert pump.covered_minutes == 9.0
    pump.row(69)
    assert pump.covered_minutes == 12.0


def test_coverage_at_a_windows_end_is_not_counted_again() -> None:
    """What a copy covers up to a boundary is part of what the next row covers."""
    pump = Pump()
    for minute in range(4):
        pump.row(minute)
    copy = pump.x.copy()
    ledger.cover(copy, START_US + 3.5 * MINUTE_US)
    assert ledger.total(copy, COVERED_US) == 3.5 * MINUTE_US
    ledger.cover(copy, START_US + 90 * MINUTE_US)
    assert ledger.total(copy, COVERED_US) == 6 * MINUTE_US
    pump.row(4)
    assert pump.covered_minutes == 4.0


def test_two_sources_cover_an_hour_once() -> None:
    """Rows of two sources mixed cover the time once; the first minute came before either's period was known."""
    pump = Pump()
    for minute in range(0, 60, 2):
        pump.row(minute)
        pump.row(minute + 1, source=1)
    assert pump.covered_minutes == 58.0


def test_the_dead_volume_delays_the_new_concentration() -> None:
    """0.35 mL of 500 ug/mL leaves before the 2000 ug/mL behind it: 3.5 days at 0.1 mL a day."""
    pump = Pump()
    ledger.first_concentration(pump.x, 350.0, 500.0)
    days = [ledger.displace_ug(pump.x, 350.0, 100.0, 2000.0) for _ in range(5)]
    assert days == pytest.approx([50.0, 50.0, 50.0, 125.0, 200.0])


def test_a_dead_volume_known_later_holds_the_first_concentration() -> None:
    """Registration after the first fill: the tubing is full of what the reservoir then held."""
    pump = Pump()
    ledger.first_concentration(pump.x, NAN, 500.0)
    assert ledger.displace_ug(pump.x, NAN, 10.0, 500.0) == 5.0
    assert ledger.displace_ug(pump.x, 20.0, 10.0, 500.0) == 5.0
    assert [ledger.displace_ug(pump.x, 20.0, 10.0, 1000.0) for _ in range(3)] == [5.0, 5.0, 10.0]


@pytest.mark.parametrize(("volume_ul", "concentration"), [(0.0, 500.0), (-1.0, 500.0), (NAN, 500.0)])
def test_no_volume_moves_nothing(volume_ul: float, concentration: float) -> None:
    """Nothing in, nothing out, and the tubing stays as it was."""
    pump = Pump()
    ledger.first_concentration(pump.x, 10.0, 500.0)
    before = pump.x.copy()
    assert ledger.displace_ug(pump.x, 10.0, volume_ul, concentration) == 0.0
    assert np.array_equal(before, pump.x, equal_nan=True)


def test_an_unknown_concentration_is_not_a_dose() -> None:
    """NaN goes out, not 0, and the tubing is not poisoned."""
    pump = Pump()
    ledger.first_concentration(pump.x, 10.0, 500.0)
    assert math.isnan(ledger.displace_ug(pump.x, 10.0, 1.0, NAN))
    assert ledger.displace_ug(pump.x, 10.0, 1.0, 500.0) == 0.5


def test_many_small_amounts_add_up_exactly() -> None:
    """Guards the loss of a plain sum: 200,000 rows of 1/3 uL after 1e6 uL come out to the last bit."""
    pump = Pump()
    ledger.add(pump.x, PROGRAMMED_UL, 1e6)
    for _ in range(200_000):
        ledger.add(pump.x, PROGRAMMED_UL, 1 / 3)
    exact = float(Fraction(10**6) + 200_000 * Fraction(1 / 3))
    assert ledger.total(pump.x, PROGRAMMED_UL) == exact


def test_a_fresh_block_touches_no_other() -> None:
    """Reset writes slots 32 to 95 and leaves the rest alone."""
    x = np.full(SIZE, 7.0)
    ledger.reset(x)
    assert set(np.flatnonzero(x != 7.0)) == set(range(32, 96))


@pytest.mark.parametrize("seed", range(6))
def test_plugs_flow_as_a_queue_whose_two_at_the_tip_become_one(seed: int) -> None:
    """Many fills within one dead volume: what leaves is what a list of plugs gives, mass is kept, and nothing older comes again."""
    rng = np.random.default_rng(seed)
    x, dead_ul = Pump().x, 350.0
    ledger.first_concentration(x, dead_ul, 500.0)
    plugs: list[list[float]] = [[dead_ul, 500.0]]
    for _ in range(400):
        entering_ul = float(rng.choice([3.0, 20.0, 90.0, 500.0], p=[0.6, 0.25, 0.1, 0.05]))
        concentration = float(rng.choice([500.0, 750.0, 1000.0, 2000.0]))
        told_ug = ledger.displace_ug(x, dead_ul, entering_ul, concentration)
        left_ul, gone_ug = entering_ul, 0.0
        while left_ul > 0.0 and plugs:
            part_ul = min(plugs[0][0], left_ul)
            gone_ug += part_ul * plugs[0][1] / 1000.0
            plugs[0][0] -= part_ul
            left_ul -= part_ul
            if plugs[0][0] <= 1e-9:
                plugs.pop(0)
        gone_ug += left_ul * concentration / 1000.0
        if plugs and plugs[-1][1] == concentration:
            plugs[-1][0] += entering_ul - left_ul
        elif entering_ul > left_ul:
            if len(plugs) == st.MAX_PLUGS:
                (one_ul, one), (two_ul, two) = plugs[:2]
                plugs[:2] = [[one_ul + two_ul, (one_ul * one + two_ul * two) / (one_ul + two_ul)]]
            plugs.append([entering_ul - left_ul, concentration])
        assert told_ug == pytest.approx(gone_ug, rel=1e-9)
        assert x[st.PLUGS : st.PLUGS + 2 * len(plugs)] == pytest.approx(np.ravel(plugs), rel=1e-6)
        assert not x[st.PLUGS + 2 * len(plugs) : st.PLUGS + 2 * st.MAX_PLUGS].any()
