import numpy as np
import pytest

from kernels import air, drive, occlusion, step
from kernels import state as st
from tests.habit_signals import (
    CURRENT,
    FLOW,
    PRESSURE,
    VIBRATION,
    Pump,
    Recording,
    add_air,
    finished,
    healthy,
    signals,
)
from tests.naive_air import NaiveAir
from tests.pump_signals import DAY_S, Floats

ALL = (FLOW, CURRENT, VIBRATION, PRESSURE)


def fresh() -> Floats:
    x = np.full(st.SIZE, np.nan)
    for kernel in (occlusion, drive, air):
        kernel.reset(x)
    x[st.STALL_LEVEL] = 0.0
    return x


def hard_recording(seed: int) -> Floats:
    """Rows (t, flow, current, vibration, pressure, asked, rate, stall) with gaps, infinities, stops, boluses, air and stuck readings."""
    rng = np.random.default_rng(seed)
    n = 3000
    t_us = np.cumsum(rng.choice([300e6, 300e6, 900e6], n))
    asked = np.repeat(rng.choice([0.0, 4.0, 4.4, 8.0, 40.0], n // 60, p=[0.05, 0.5, 0.35, 0.07, 0.03]), 60)
    pump = Pump(flow_noise=0.04, quantum=0.0)
    recording = healthy(rng, Pump(**{**pump.__dict__, "every_s": 300.0}), n * 300 / DAY_S, nuisances=False)
    rows = [recording.columns[c] * (asked > 0) for c in ALL]
    rows[0] = rows[0] / 4.0 * asked
    for start in (1000, 1800, 2500):
        gas = rng.beta(0.7, 0.7, 80)
        rows[0][start : start + 80] *= gas
        rows[1][start : start + 80] *= 0.4 + 0.4 * gas
        rows[2][start : start + 80] *= 1.0 + 2.0 * gas
    rows[3][2000:2100] = rows[3][2000]
    for k, column in enumerate(rows):
        column[rng.random(n) < 0.05] = np.nan
        column[rng.random(n) < 0.01] = np.inf
        if (seed >> k) & 1:
            column[:] = np.nan
    stall = np.zeros(n)
    stall[2200:2230] = 1.0
    return np.column_stack([t_us, *rows, asked, np.append(asked[1:], 4.0), stall])


def levels_of(x: Floats, rows: Floats) -> list[int]:
    levels = []
    for *row, stall in rows.tolist():
        x[st.STALL_LEVEL] = stall
        levels.append(air.air_row(x, *row))
    return levels


def learned(x: Floats) -> list[float]:
    """What the state holds of each channel: last reading, roughness and its habit, short means, usual values and the line."""
    return [
        *x[st.AIR_LAST : st.AIR_ROUGH_HABIT + 4],
        *x[st.AIR_FLOW_NOW : st.AIR_Q_REF + 1],
        *x[
            [
                st.AIR_ONSET_US,
                st.AIR_ROWS,
                st.AIR_HOLD,
                st.AIR_JUDGED,
                st.AIR_TOP,
                st.AIR_RECORD,
                st.AIR_LAST_EVIDENCE,
            ]
        ],
    ]


def learned_by(twin: NaiveAir) -> list[float]:
    """The same of the twin; a line that was never learned has no slope to compare."""
    courses = list(twin.course.values())
    flow, current, vibration, _ = courses
    line = [n for c in (current, vibration) for n in (c.mean, c.cov if c.mean == c.mean else np.nan, c.dev)]
    variance = twin.q_var if twin.q_mean == twin.q_mean else np.nan
    return [
        *(course.last for course in courses),
        *(course.rough for course in courses),
        *(course.rough_habit for course in courses),
        *(flow.now, current.now, vibration.now, twin.q_now, twin.q_mean, variance),
        *(flow.mean, flow.dev, *line, twin.q_ref),
        *(twin.onset_us, twin.rows, twin.hold, twin.judged, twin.top, twin.record, twin.last_evidence),
    ]


@pytest.mark.parametrize("seed", range(16))
def test_equals_the_slow_twin(seed: int):
    """Kernel and twin agree at every row for every set of channels, with nulls, infinities, stops and boluses."""
    rows = hard_recording(seed)
    x, twin = fresh(), NaiveAir()
    for part in np.split(rows, [100, 200, 1010, 1030, 2000]):
        assert levels_of(x, part) == [twin.row(*row) for row in part.tolist()]
        assert x[st.AIR_SCORE] == pytest.approx(twin.score, rel=1e-9)
        assert learned(x) == pytest.approx(learned_by(twin), rel=1e-9, nan_ok=True)


def test_recordings_of_the_twin_have_air():
    """The recordings reach level 2 wherever two channels are left that can agree, or the twin would prove nothing."""
    most = {seed: max(levels_of(fresh(), hard_recording(seed))) for seed in range(16)}
    assert all(most[seed] == 2 for seed in (0b0000, 0b0001, 0b0010, 0b0100, 0b1000, 0b1001, 0b1100))
    assert not any(most[seed] for seed in (0b0111, 0b1011, 0b1101, 0b1110, 0b1111))


@pytest.mark.parametrize("cut", [1, 777, 2600])
def test_cut_anywhere_changes_no_bit(cut: int):
    """Two pieces through one state vector give the levels and the state of the whole, within the block."""
    rows = hard_recording(0)
    whole, pieces = fresh(), fresh()
    before = whole.copy()
    assert levels_of(whole, rows) == levels_of(pieces, rows[:cut]) + levels_of(pieces, rows[cut:])
    assert whole.tobytes() == pieces.tobytes()
    outside = np.r_[0 : st.STALL_LEVEL, st.STALL_LEVEL + 1 : 320, st.AIR_Q_REF + 1 : st.SIZE]
    assert whole[outside].tobytes() == before[outside].tobytes()


def air_signals(recording: Recording) -> list[tuple[float, int]]:
    return [(at_s, level) for at_s, code, level in signals(finished(recording)) if code == step.AIR]


@pytest.mark.parametrize("every_s", [1.0, 30.0, 300.0, 900.0])
@pytest.mark.parametrize("kind", range(3))
def test_air_is_found_within_twenty_rows(every_s: float, kind: int):
    """Gas that halves flow and load is active within 20 rows at any sampling period, and over some rows after it has passed."""
    rng = np.random.default_rng(kind)
    pump = Pump(every_s=every_s, channels=ALL)
    recording = healthy(rng, pump, 1000 * every_s / DAY_S, nuisances=False)
    at = slice(600, 640)
    gas = rng.beta(0.7, 0.7, 40)
    recording.columns[FLOW, at] *= gas
    recording.columns[CURRENT, at] *= 0.3 + 0.6 * gas
    recording.columns[VIBRATION, at] *= 1.0 + 2.0 * gas
    said = air_signals(recording)
    first = next(at_s for at_s, level in said if level == 2)
    assert 0 < first - recording.t_s[600] <= 20 * every_s
    assert said[-1][1] == 0
    assert said[-1][0] <= recording.t_s[700]
    assert all(at_s >= recording.t_s[600] for at_s, _ in said)


@pytest.mark.parametrize("began", [0.5, 0.1, 0.02, 1e-6])
def test_a_program_that_begins_within_the_first_row_is_no_habit(began: float):
    """A share of the first interval with flow must not pass for what the sensor shows of the program, or the pump stands for ever."""
    pump = Pump(channels=ALL)
    recording = healthy(np.random.default_rng(5), pump, 3.0, nuisances=False)
    rows = np.column_stack([recording.columns[c] for c in ALL])
    asked = np.full(len(rows), pump.rate_ul_h)
    asked[0] *= began
    t_us = recording.t_s * 1e6
    x, twin = fresh(), NaiveAir()
    hard = np.column_stack([t_us, rows, asked, np.full(len(rows), pump.rate_ul_h), np.zeros(len(rows))])
    assert levels_of(x, hard) == [twin.row(*row) for row in hard.tolist()]
    assert x[st.AIR_JUDGED] >= air.WARM
    assert x[st.AIR_FLOW_MEAN] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("lost", ALL)
def test_any_three_channels_are_enough(lost: int):
    """With one channel missing the others still find the air."""
    rng = np.random.default_rng(lost)
    pump = Pump(channels=tuple(c for c in ALL if c != lost))
    recording = healthy(rng, pump, 6.0, nuisances=False)
    add_air(rng, recording, 4 * DAY_S, 120)
    assert any(level == 2 and at_s >= 4 * DAY_S for at_s, level in air_signals(recording))


@pytest.mark.parametrize("channel", ALL)
@pytest.mark.parametrize("pathology", ["swap", "noise", "stuck", "gone", "zero"])
def test_one_channel_alone_is_no_air(channel: int, pathology: str):
    """Whatever happens to one sensor, the other three deny it."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        recording = healthy(rng, Pump(channels=ALL), 10.0, nuisances=False)
        after = recording.t_s > 6 * DAY_S
        readings = recording.columns[channel]
        if pathology == "swap":
            readings[after] *= 0.6
        elif pathology == "noise":
            readings[after] += 5 * np.std(np.diff(readings)) * rng.standard_normal(int(after.sum()))
        elif pathology == "stuck":
            readings[after] = readings[after][0]
        else:
            readings[after] = np.nan if pathology == "gone" else 0.0
        assert not [said for said in air_signals(recording) if said[1] == 2]


@pytest.mark.parametrize("seed", range(4))
def test_look_alikes_are_silent(seed: int):
    """A smooth shortfall (starved inlet), a stall, a scan, a bolus and a new program are no air."""
    rng = np.random.default_rng(seed)
    recording = healthy(rng, Pump(channels=ALL), 12.0, nuisances=False)
    t_s, columns = recording.t_s, recording.columns
    starved = (t_s > 5 * DAY_S) & (t_s < 6 * DAY_S)
    columns[FLOW, starved] *= 0.3
    still = (t_s > 8 * DAY_S) & (t_s < 8.05 * DAY_S)
    columns[FLOW, still] = 0.0
    columns[CURRENT, still] *= [0.02, 0.02, 1.8, 2.2][seed]
    columns[VIBRATION, still] *= 0.1
    faster = t_s > 10 * DAY_S
    recording.rate_ul_h[faster] *= 1.2
    columns[FLOW, faster] *= 1.2
    columns[CURRENT, faster] *= 1.15
    columns[VIBRATION, faster] *= 1.3
    assert not [said for said in air_signals(recording) if said[1] == 2]
