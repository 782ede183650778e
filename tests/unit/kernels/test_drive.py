import numpy as np
import pytest

from kernels import drive
from kernels import state as st
from tests.naive_drive import NaiveDrive
from tests.pump_signals import Floats, fresh

MINUTE_US = 6e7


class Pump:
    """A displacement pump: programmed flow in, true volume out, read by an encoder, a flow sensor and a current."""

    def __init__(self, seed: int, every_min: float, quantum_ul: float, registered: bool = False) -> None:  # noqa: FBT001, FBT002
        self.rng = np.random.default_rng(seed)
        self.x = fresh()
        self.every_us = every_min * MINUTE_US
        self.quantum_ul = quantum_ul
        if registered:
            self.x[st.ENCODER_UL_PER_COUNT] = quantum_ul
        self.t_us = self.true_ul = self.wrap_ul = self.offset_ul = 0.0
        self.levels: list[int] = []

    def run(
        self,
        rows: int,
        rate_ul_h: float,
        *,
        runs: bool = True,
        sees: str = "counter",
        stalled: float = np.nan,
    ) -> list[int]:
        """Fold rows at a rate; return their levels."""
        expected = rate_ul_h * self.every_us / 3.6e9
        levels = []
        for _ in range(rows):
            self.t_us += self.every_us
            self.true_ul += expected if runs else 0.0
            counter = np.floor(self.true_ul / self.quantum_ul) * self.quantum_ul - self.offset_ul
            if self.wrap_ul:
                counter %= self.wrap_ul
            noisy = 1 + 0.1 * self.rng.standard_normal()
            levels.append(
                drive.stall_row(
                    self.x,
                    self.t_us,
                    counter if "counter" in sees else np.nan,
                    rate_ul_h * noisy * float(runs) if "flow" in sees else np.nan,
                    (30.0 if runs and rate_ul_h else 0.5) * noisy if "current" in sees else np.nan,
                    3.0,
                    stalled,
                    expected,
                    rate_ul_h,
                )
            )
        self.levels += levels
        return levels


def hard_recording(seed: int) -> Floats:
    """Rows (t, counter, flow, current, stalled, expected, programmed) with gaps, infinities, wraps, stops and stalls."""
    rng = np.random.default_rng(seed)
    n = 1500
    t_us = np.cumsum(rng.choice([5.0, 5.0, 5.0, 15.0], n)) * MINUTE_US
    programmed = np.repeat(rng.choice([0.0, 4.0, 12.0], n // 50, p=[0.15, 0.6, 0.25]), 50)
    expected = programmed * np.diff(t_us, prepend=t_us[0]) / 3.6e9
    runs = np.ones(n)
    for start in rng.integers(200, n - 100, 4):
        runs[start : start + 60] = 0.0
    counter = (np.floor(np.cumsum(expected * runs) / 0.1) * 0.1) % 70.0
    flow = programmed * runs * (1 + 0.1 * rng.standard_normal(n))
    current = 2.0 + 20.0 * runs * (programmed > 0) + rng.standard_normal(n)
    stalled = np.where(runs == 0.0, 1.0, 0.0)
    columns = [counter, flow, current, stalled]
    for k, column in enumerate(columns):
        column[rng.random(n) < 0.1] = np.nan
        column[rng.random(n) < 0.01] = np.inf
        if (seed >> k) & 1:
            column[:] = np.nan
    return np.column_stack([t_us, *columns, expected, programmed])


def levels_of(x: Floats, rows: Floats) -> list[int]:
    return [drive.stall_row(x, r[0], r[1], r[2], r[3], np.nan, r[4], r[5], r[6]) for r in rows]


def learned(x: Floats) -> list[float]:
    """What the state holds of each channel: tracks, last stand, quantum, means and off level."""
    tracks = (st.DRV_COUNTER, st.DRV_FLOW, st.DRV_CURRENT)
    motor = (st.DRV_MA_NOW, st.DRV_MA_MEAN, st.DRV_MA_DEV) if x[st.DRV_MA_MEAN] > 0 else ()
    slots = [track + slot for track in tracks for slot in range(6)]
    slots += [st.DRV_ANCHOR_UL, st.DRV_QUANTUM_UL, st.DRV_FLOW_NOW, st.DRV_FLOW_MEAN, st.DRV_MA_OFF, *motor]
    return x[slots].tolist()


def learned_by(twin: NaiveDrive) -> list[float]:
    """The same of the twin."""
    told: list[float] = []
    for track in (twin.counter, twin.flow, twin.current):
        told += [track.asked_ul, track.readings, track.stood_us, track.habit_ul, track.habit_us, track.moved]
    told += [twin.anchor_ul, twin.smallest_ul, *(twin.share or (np.nan, np.nan)), twin.off_ma]
    return [*told, *(twin.motor or ())]


@pytest.mark.parametrize("seed", range(16))
def test_equals_the_slow_twin(seed: int):
    """Kernel and twin agree at every row for every set of channels, with nulls and infinities, and on what they learn."""
    registered_ul = 0.1 if seed % 2 else np.nan
    rows = hard_recording(seed)
    x, twin = fresh(), NaiveDrive(registered_ul)
    x[st.ENCODER_UL_PER_COUNT] = registered_ul
    for part in np.array_split(rows, 5):
        assert levels_of(x, part) == [twin.row(*(float(number) for number in row)) for row in part]
        assert learned(x) == pytest.approx(learned_by(twin), rel=1e-9, nan_ok=True)


def test_recordings_of_the_twin_have_stalls():
    """With any channel the recording's stalls reach level 2 (1 by current alone), or the twin would prove nothing."""
    most = {seed: max(levels_of(fresh(), hard_recording(seed))) for seed in range(16)}
    assert most == {seed: 1 if seed == 0b1011 else 0 if seed == 0b1111 else 2 for seed in range(16)}


@pytest.mark.parametrize("cut", [1, 333, 1000])
def test_cut_anywhere_changes_no_bit(cut: int):
    """Two pieces through one state vector give the levels and the state of the whole, within the block."""
    rows = hard_recording(0)
    whole, pieces = fresh(), fresh()
    before = whole.copy()
    assert levels_of(whole, rows) == levels_of(pieces, rows[:cut]) + levels_of(pieces, rows[cut:])
    assert whole.tobytes() == pieces.tobytes()
    outside = np.r_[0:208, 240 : st.SIZE]
    assert whole[outside].tobytes() == before[outside].tobytes()


@pytest.mark.parametrize("sees", ["counter", "flow", "counter flow current"])
@pytest.mark.parametrize(
    ("rate_ul_h", "every_min"), [(4.0, 5.0), (1000.0, 1.0), (1.9e9, 1 / 60), (4.0, 15.0)]
)
def test_stall_is_found_and_ends(sees: str, rate_ul_h: float, every_min: float):
    """A stall is active within 14 rows, holds, and ends within 8 rows of running again; before it there is nothing."""
    pump = Pump(1, every_min, rate_ul_h * every_min / 600)
    assert not any(pump.run(300, rate_ul_h, sees=sees))
    stall = pump.run(40, rate_ul_h, runs=False, sees=sees)
    assert 2 <= stall.index(2) < 14
    assert set(stall[stall.index(2) :]) == {2}
    again = pump.run(100, rate_ul_h, sees=sees)
    assert again.index(0) < 8
    assert set(again[again.index(0) :]) == {0}


def test_counter_stall_takes_few_quanta():
    """With a quantum of ten rows the stall is active after about three more quanta of programmed volume."""
    pump = Pump(1, 5.0, 4.0 / 12 * 10, registered=True)
    pump.run(400, 4.0)
    stall = pump.run(100, 4.0, runs=False)
    assert 20 <= stall.index(2) <= 42


def test_current_alone_is_only_suspect():
    """A current that collapses while flow is programmed makes a stall pending, never active, and ends with it."""
    pump = Pump(2, 5.0, 0.1)
    assert not any(pump.run(200, 4.0, sees="current"))
    assert not any(pump.run(30, 0.0, sees="current"))
    assert not any(pump.run(50, 4.0, sees="current"))
    stall = pump.run(60, 4.0, runs=False, sees="current")
    assert set(stall) == {0, 1}
    assert stall[-1] == 1
    assert pump.run(20, 4.0, sees="current")[-1] == 0


def test_locked_rotor_current_is_suspect():
    """A current far above its habit, with no other channel, makes a stall pending."""
    x, rng = fresh(), np.random.default_rng(1)
    current = np.r_[20 + rng.standard_normal(200), 60 + rng.standard_normal(40)]
    levels = [
        drive.stall_row(x, k * 3e8, np.nan, np.nan, ma, np.nan, np.nan, 0.3, 4.0)
        for k, ma in enumerate(current)
    ]
    assert not any(levels[:200])
    assert levels[-1] == 1


def test_device_statement_alone():
    """`stalled` alone: pending at the first reading, active at the second, over after two readings of 0."""
    pump = Pump(2, 15.0, 0.1)
    assert not any(pump.run(20, 4.0, sees="", stalled=0.0))
    assert pump.run(3, 4.0, sees="", stalled=1.0) == [1, 2, 2]
    assert pump.run(3, 4.0, sees="", stalled=0.0) == [2, 0, 0]


def test_statement_beside_a_moving_counter():
    """A device that states a stall is believed although its counter moves; one single reading is only pending."""
    pump = Pump(3, 5.0, 0.1)
    pump.run(100, 4.0)
    assert pump.run(1, 4.0, stalled=1.0) == [1]
    assert pump.run(2, 4.0, stalled=0.0) == [0, 0]
    assert pump.run(3, 4.0, stalled=1.0)[-1] == 2


def test_counter_fault_beside_flow_is_only_suspect():
    """A counter that stands while the measured flow keeps its habit is a counter fault: pending at most."""
    x, rng = fresh(), np.random.default_rng(4)
    levels = []
    for k in range(400):
        counter = min(k, 200) * 0.33
        flow = 4.0 * (1 + 0.05 * rng.standard_normal())
        levels.append(drive.stall_row(x, k * 3e8, counter, flow, np.nan, np.nan, np.nan, 0.33, 4.0))
    assert max(levels) == 1


@pytest.mark.parametrize("registered", [True, False])
def test_counter_that_never_moves(registered: bool):  # noqa: FBT001
    """A stall from the first row is seen where the encoder's quantum is registered, else nothing is claimed."""
    pump = Pump(5, 5.0, 0.05, registered=registered)
    assert max(pump.run(100, 4.0, runs=False)) == (2 if registered else 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("every_min", [1.0, 5.0, 15.0])
@pytest.mark.parametrize("quantum_ul", [0.001, 0.1, 2.0])
def test_healthy_programs_are_silent(seed: int, every_min: float, quantum_ul: float):
    """Flex steps near zero and at zero, doubled rates and stops, with fine and coarse encoders: never a level."""
    pump = Pump(seed, every_min, quantum_ul, registered=bool(seed % 2))
    for _ in range(12):
        for rate in pump.rng.choice([0.0, 0.25, 2.0, 4.0, 8.0, 20.0], 6):
            pump.run(int(240 / every_min), float(rate))
    assert not any(pump.levels)


@pytest.mark.parametrize("rise", [1.0, 2.0, 4.0])
def test_pulses_by_the_clock_are_a_habit(rise: float):
    """A drive that moves once an hour, whatever its rate, is silent, also when its rate rises; a stall is still found."""
    x = fresh()
    levels, true_ul, counter_ul = [], 0.0, 0.0
    for k in range(3000):
        rate = 4.0 * (rise if k > 1500 else 1.0)
        true_ul += rate / 60 if k < 2700 else 0.0
        if k % 60 == 0:
            counter_ul = true_ul
        levels.append(
            drive.stall_row(x, k * MINUTE_US, counter_ul, np.nan, np.nan, np.nan, np.nan, rate / 60, rate)
        )
    assert not any(levels[:2700])
    assert 2 in levels[2700 : 2700 + 300]


def test_wrap_and_restart_are_no_stall():
    """A counter that wraps every day, and one that restarts at 0, keep level 0."""
    pump = Pump(6, 5.0, 0.1)
    pump.wrap_ul = 96.0
    pump.run(900, 4.0)
    pump.wrap_ul = 0.0
    pump.run(300, 4.0)
    pump.offset_ul = pump.true_ul
    pump.run(300, 4.0)
    assert not any(pump.levels)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_missing_rows_are_no_stall(share: float):
    """Single missing rows and half of all rows missing keep level 0; so do six hours without telemetry."""
    x, rng = fresh(), np.random.default_rng(7)
    levels, since = [], 0.0
    for k in range(2000):
        since += 1 / 3
        if 1000 < k < 1072:
            continue
        counter = np.nan if rng.random() < share else np.floor(k / 3 / 0.1) * 0.1
        levels.append(drive.stall_row(x, k * 3e8, counter, np.nan, np.nan, np.nan, np.nan, since, 4.0))
        since = 0.0
    assert not any(levels)


def test_suspended_pump_accumulates_nothing():
    """A pump that stands because nothing is programmed is no stall, at once and when it starts again."""
    pump = Pump(8, 5.0, 0.1)
    pump.run(200, 4.0)
    pump.run(500, 0.0, runs=False)
    pump.run(200, 4.0)
    assert not any(pump.levels)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_hold_the_level(number: float):
    """NaN and infinities neither raise a stall nor end one."""
    pump = Pump(9, 5.0, 0.1)
    pump.run(200, 4.0)
    pump.run(20, 4.0, runs=False)
    for k in range(20):
        t_us = pump.t_us + (k + 1) * pump.every_us
        assert drive.stall_row(pump.x, t_us, number, number, number, number, np.nan, 0.33, 4.0) == 2


def test_onset_is_the_last_movement():
    """The evidence dates the stall within two rows of its true onset."""
    pump = Pump(10, 5.0, 0.1)
    pump.run(200, 4.0)
    onset_us = pump.t_us
    pump.run(20, 4.0, runs=False)
    assert abs(pump.x[st.DRV_ONSET_US] - onset_us) <= 2 * pump.every_us
    assert pump.x[st.DRV_SCORE] > drive.STALL


def after_standing(step_us: float, asked_ul: float, rows: int) -> list[int]:
    """Levels of rows in which the counter stands, after 40 in which it moved by 1 uL each second as it was asked to."""
    x, levels = fresh(), []
    for k in range(40):
        drive.stall_row(x, k * 1e6, float(k), np.nan, np.nan, np.nan, np.nan, 1.0, 3600.0)
    for k in range(1, rows + 1):
        t_us = 39e6 + k * step_us
        levels.append(
            drive.stall_row(x, t_us, 39.0, np.nan, np.nan, np.nan, np.nan, asked_ul, 3600.0 * asked_ul)
        )
    return levels


@pytest.mark.parametrize(
    ("step_us", "asked_ul", "levels"),
    [
        (1e6, 1.0, [0, 0, 1, 2]),  # two habits of volume are no suspicion yet, three no stall
        (0.5e6, 2.0, [0, 0, 0, 2]),  # six habits, but only one and a half of time
        (0.125e6, 4.0, [0, 0, 0, 2]),  # twelve habits of volume ask for time still, sixteen do not
    ],
)
def test_a_limit_itself_is_within_habit(step_us: float, asked_ul: float, levels: list[int]):
    """Exactly a limit's number of habits is as ever: only what is beyond it counts."""
    assert after_standing(step_us, asked_ul, 4) == levels


def test_a_clock_that_jumps_is_no_stall():
    """Half a minute in which no row came, because the clock was set, is four quanta of a pump read each second."""
    pump = Pump(5, 1.0 / 60.0, 8.0)
    pump.run(400, 3600.0)
    pump.t_us += 31e6
    levels = [
        *pump.run(1, 3600.0 * 32.0, runs=False),
        *pump.run(6, 3600.0, runs=False),
        *pump.run(60, 3600.0),
    ]
    assert 2 not in levels
    assert 2 in pump.run(120, 3600.0, runs=False)
