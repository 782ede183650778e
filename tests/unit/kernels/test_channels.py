"""A channel is lost when it is null, or still beyond its habit; never when it was rare, coarse, calm or rightly still."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from kernels import channels, drive, step
from kernels import state as st
from tests.pump_signals import DAY_S, Floats, times_s

COUNTER, FLOW, LEVEL, OUTLET, INLET, CURRENT, _, VIBRATION, VIBRATION2 = range(9)
NULL = {name: 1 << n for n, name in enumerate(channels.NAMES)}
STUCK = {name: 1 << (n + channels.CHANNELS) for n, name in enumerate(channels.NAMES)}
HOUR_S = 3600.0


@dataclass
class Rows:
    """Rows of a pump: times in s, programmed flow in uL/h, columns float64[13, n]."""

    t_s: Floats
    rate_ul_h: Floats = field(default_factory=lambda: np.empty(0))
    columns: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Begin with nothing reported and 4 uL/h."""
        self.rate_ul_h = np.full(self.t_s.size, 4.0)
        self.columns = np.full((13, self.t_s.size), np.nan)

    def lost(self, x: Floats | None = None, named: Floats | None = None) -> list[int]:
        """The bits of what is lost after each row."""
        x = step.fresh() if x is None else x
        x[st.RESERVOIR_ML], x[st.RES_V_UL] = 20.0, 15_000.0
        every_us = float(np.median(np.diff(self.t_s))) * 1e6
        bits, last_s = [], np.nan
        for row, at_s in enumerate(self.t_s.tolist()):
            since_us = (at_s - last_s) * 1e6
            mean = self.rate_ul_h[max(row - 1, 0)]
            expected = mean * since_us / 3.6e9 if row else 0.0
            if named is not None:
                x[st.OCCLUSION_LEVEL] = named[row]
            channels.channels_row(
                x,
                self.columns,
                row,
                since_us,
                every_us if row else np.nan,
                expected,
                mean,
                self.rate_ul_h[row],
            )
            x[st.RES_LEVEL_UL] = self.columns[LEVEL, row] * 1000.0
            bits.append(int(x[st.CH_LOST]))
            last_s = at_s
        return bits


def noise(n: int, seed: int = 0, sd: float = 1.0) -> Floats:
    """White noise."""
    return sd * np.random.default_rng(seed).standard_normal(n)


def pressure(days: float, every_s: float = 600.0, seed: int = 0) -> Rows:
    """A pump that reports its outlet pressure."""
    rows = Rows(times_s(days, every_s))
    rows.columns[OUTLET] = 2.0 + noise(rows.t_s.size, seed, 0.1)
    return rows


@pytest.mark.parametrize("every_s", [60.0, 600.0, 900.0])
def test_six_hours_of_nulls_are_a_loss_at_the_row_that_completes_them(every_s: float) -> None:
    """One row earlier says nothing, whatever the sampling."""
    rows = pressure(1.0, every_s)
    last = int(12 * HOUR_S / every_s)
    rows.columns[OUTLET, last + 1 :] = np.nan
    bits = rows.lost()
    complete = last + int(6 * HOUR_S / every_s)
    assert bits[complete - 1] == 0
    assert bits[complete] == NULL["pressure_kpa"]


def test_a_silent_relay_ages_nothing() -> None:
    """Ten hours without rows are one period: the loss comes after six hours of rows."""
    rows = pressure(2.0)
    rows.columns[OUTLET, 73:] = np.nan
    rows.t_s[80:] += 10 * HOUR_S
    bits = rows.lost()
    assert bits[107] == 0
    assert bits[108] == NULL["pressure_kpa"]


def test_what_never_came_or_comes_rarely_is_not_lost() -> None:
    """A pump without the channel lost nothing, and an hour of it a day is its habit."""
    rows = pressure(20.0)
    rows.columns[INLET] = np.where(rows.t_s % DAY_S < HOUR_S, 5.0 + noise(rows.t_s.size, 1, 0.1), np.nan)
    assert not any(rows.lost())


def test_a_channel_is_back_after_an_hour_and_not_after_a_flicker() -> None:
    """Single readings among nulls keep the loss; an hour of readings ends it."""
    rows = pressure(3.0)
    gone = rows.columns[OUTLET]
    gone[100:300] = np.where(np.arange(200) % 10 == 9, gone[100:300], np.nan)
    gone[100:140] = np.nan
    bits = rows.lost()
    assert all(bits[135:300])
    assert bits[303] == NULL["pressure_kpa"]
    assert bits[304] == 0


def test_a_noisy_reading_that_stands_still_is_stuck_after_six_hours() -> None:
    """After days of noise the very same reading says nothing any more."""
    rows = pressure(8.0)
    rows.columns[OUTLET, 1000:] = rows.columns[OUTLET, 1000]
    bits = rows.lost()
    assert bits[1035] == 0
    assert bits[1036] == STUCK["pressure_kpa"]


def test_a_stuck_channel_that_moves_again_is_back() -> None:
    """Six changes, not one, end it."""
    rows = pressure(9.0)
    rows.columns[OUTLET, 1000:1100] = rows.columns[OUTLET, 1000]
    bits = rows.lost()
    assert bits[1100] == STUCK["pressure_kpa"]
    assert bits[1110] == 0


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.3, 0.45, 0.7, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_a_coarse_sensor_is_not_stuck_wherever_it_rests(share: float, seed: int) -> None:
    """Noise of a share of the sensor's step, whose level moves between steps every few days, never looks stuck."""
    rows = Rows(times_s(60.0, 600.0))
    rng = np.random.default_rng(seed)
    rest = np.repeat(rng.uniform(0.0, 1.0, 20), 432)
    rows.columns[CURRENT] = 20.0 + np.round(rest + noise(rows.t_s.size, seed, share))
    assert not any(rows.lost())


def test_a_quiet_night_is_no_stuck_sensor() -> None:
    """A sensor that only moves by day has runs of a night for its habit."""
    rows = pressure(30.0)
    night = (rows.t_s % DAY_S) > 16 * HOUR_S
    rows.columns[OUTLET, night] = 2.0
    assert not any(rows.lost())


def test_what_only_follows_the_program_may_stand_still() -> None:
    """A flow without noise changes with flex steps; a continuous program then holds it for good."""
    rows = Rows(times_s(40.0, 600.0))
    hour = rows.t_s % DAY_S / HOUR_S
    flex = np.select([hour < 6, hour < 9, hour < 18], [2.0, 9.0, 4.0], 3.0)
    rows.rate_ul_h = np.where(rows.t_s < 20 * DAY_S, flex, 4.0)
    rows.columns[FLOW] = rows.rate_ul_h
    assert not any(rows.lost())


@pytest.mark.parametrize("why", ["stopped", "occlusion"])
def test_a_stopped_pump_and_a_line_at_its_limit_hold_readings_rightly(why: str) -> None:
    """Nothing is stuck while nothing is programmed, or while a named detector explains it."""
    rows = pressure(12.0)
    rows.columns[OUTLET, 1000:] = 70.0
    named = np.zeros(rows.t_s.size)
    if why == "stopped":
        rows.rate_ul_h[999:] = 0.0
    else:
        named[1000:] = 2.0
    assert not any(rows.lost(named=named))


def test_a_coarse_level_is_not_stuck_and_a_stuck_one_is() -> None:
    """Steps of 0.5 mL at 0.1 mL a day stand for five days; six such runs without a step are a sensor that hangs."""
    rows = Rows(times_s(80.0, 900.0))
    left_ml = 18.0 - rows.t_s / 3600.0 * 4.0 / 1000.0
    rows.columns[LEVEL] = np.round(left_ml / 0.5) * 0.5
    assert not any(rows.lost())
    rows.columns[LEVEL, 3000:] = rows.columns[LEVEL, 3000]
    bits = rows.lost()
    first = next(row for row, bit in enumerate(bits) if bit)
    assert bits[first] == STUCK["reservoir_ml"]
    assert 20 * DAY_S < rows.t_s[first] - rows.t_s[3000] < 34 * DAY_S


def test_either_vibration_keeps_the_channel() -> None:
    """One of two sensors may go null or hang; both gone are a loss."""
    rows = Rows(times_s(10.0, 600.0))
    rows.columns[VIBRATION] = 1.0 + noise(rows.t_s.size, 1, 0.1)
    rows.columns[VIBRATION2] = 1.0 + noise(rows.t_s.size, 2, 0.1)
    rows.columns[VIBRATION, 800:] = np.nan
    rows.columns[VIBRATION2, :700] = 1.0
    assert not any(rows.lost())
    rows.columns[VIBRATION2, 1000:] = np.nan
    assert rows.lost()[-1] == NULL["vibration_g"]


def test_other_units_change_nothing() -> None:
    """Factors of two on readings and flow leave every bit as it was."""
    rows = pressure(9.0)
    rows.columns[OUTLET, 1000:1100] = rows.columns[OUTLET, 1000]
    rows.columns[OUTLET, 1200:] = np.nan
    plain = rows.lost()
    rows.columns *= 2.0**13
    rows.rate_ul_h *= 2.0**-7
    assert rows.lost() == plain
    assert {STUCK["pressure_kpa"], NULL["pressure_kpa"]} <= set(plain)


def test_a_counter_that_falls_silent_is_lost_by_its_own_name() -> None:
    """The counter's bit is the counter's: a screen that names another channel sends the clinic to the wrong one."""
    rows = pressure(2.0)
    rows.columns[COUNTER] = np.arange(rows.t_s.size) * 0.5
    rows.columns[COUNTER, 150:] = np.nan
    assert rows.lost()[-1] == NULL["delivered_ul"]


def test_a_counter_that_moves_again_is_no_longer_stuck() -> None:
    """Stuck until kernels/drive.py has seen a movement: no reading since the last one."""
    for readings, bits in ((3.0, STUCK["delivered_ul"]), (0.0, 0)):
        rows, x = Rows(times_s(0.1, 600.0)), step.fresh()
        rows.columns[COUNTER] = 7.0
        x[st.CH_LOST] = STUCK["delivered_ul"]
        x[st.DRV_COUNTER + drive.READINGS] = readings
        assert rows.lost(x)[-1] == bits


def test_time_without_readings_is_no_time_of_standing_still() -> None:
    """Five hours of one reading, three of nulls and 55 minutes of the same are less than six hours of it; ten more are not."""
    rows = pressure(8.0)
    still = slice(1000, 1000 + 30 + 18 + 8)
    rows.columns[OUTLET, still] = rows.columns[OUTLET, 1000]
    rows.columns[OUTLET, 1030:1048] = np.nan
    rows.columns[OUTLET, 1056:] = rows.columns[OUTLET, 1000]
    bits = rows.lost()
    assert not any(bits[:1054])
    assert bits[1060] == STUCK["pressure_kpa"]


def test_a_reading_of_zero_stands_still_like_any_other() -> None:
    """A transducer that gives exactly 0 for six hours is as stuck as one that gives 2."""
    rows = pressure(8.0)
    rows.columns[OUTLET, 1000:] = 0.0
    assert rows.lost()[1040] == STUCK["pressure_kpa"]
