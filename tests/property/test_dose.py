"""The dose kernels against their slow twins, over programs that no person would think of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.events import PeriodicBolus, ProgramSet, ProgramStep
from kernels import dose, ledger
from kernels.state import COVERED_US, SIZE
from processors.program import compile_program
from tests import naive_dose
from tests.naive_dose import DAY_US, HOUR_US, BolusRow, Row

Case = tuple[ProgramSet, int, list[BolusRow], bool, list[int]]
MINUTE_US = 60_000_000
rates = st.one_of(st.just(0.0), st.floats(1e-3, 1e3), st.sampled_from([4.0, 100 / 24, 1e8]))
steps = st.builds(
    ProgramStep,
    minute=st.sampled_from([0, 1, 360, 719, 1439]),
    rate_ul_h=rates,
    days=st.one_of(st.none(), st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True).map(tuple)),
)
pulses = st.builds(
    PeriodicBolus,
    volume_ul=st.floats(0.001, 100.0),
    every_s=st.sampled_from([7200.0, 21600.0, 25200.0, 86400.0, 129600.0, 10000.5]),
    duration_s=st.sampled_from([0.0, 1e-6, 60.0, 7200.0, 10800.0, 108000.0]),
)
programs = st.builds(
    ProgramSet,
    id=st.just("p"),
    pump=st.just("pump"),
    source=st.just("clinic"),
    at_us=st.just(0),
    mode=st.sampled_from(["continuous", "flex", "flex", "stopped"]),
    steps=st.lists(steps, min_size=1, max_size=4).map(tuple),
    utc_offset_min=st.sampled_from([None, 0, 330, -570, 1440, -1440, 13]),
    periodic_bolus=st.one_of(st.none(), pulses),
)
# Times meet starts of days, of hours and of programs often, and lie on both sides of 1970.
moments = st.one_of(
    st.integers(-3, 3).map(lambda days: days * DAY_US),
    st.integers(-72, 72).map(lambda hours: hours * HOUR_US),
    st.integers(-3 * DAY_US, 3 * DAY_US),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """(program, its time, boluses, suspended, four times in order from the program's time on)."""
    base = draw(st.sampled_from([0, -4 * DAY_US, 20_000 * DAY_US]))
    event = draw(programs)
    times = sorted(base + draw(moments) for _ in range(5))
    at_us = times[0]
    rows: list[BolusRow] = []
    for _ in range(draw(st.integers(0, 3))):
        start = base + draw(moments)
        lasts = draw(st.sampled_from([1, MINUTE_US, HOUR_US, 2 * DAY_US]))
        rows.append((start, start + lasts, draw(st.floats(0.0, 50.0)), draw(st.integers(0, 2)), 0))
    first = draw(st.sampled_from([at_us, times[1]]))
    return event, at_us, rows, draw(st.booleans()) and draw(st.booleans()), [first, *times[2:]]


def arrays(event: ProgramSet, at_us: int, rows: list[BolusRow]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return *compile_program(event, at_us, float("nan")), np.array(rows, dtype=float).reshape(-1, 5)


def volumes(compiled: tuple[np.ndarray, ...], suspended: float, t0_us: int, t1_us: int) -> np.ndarray:
    out = np.full(3, np.nan)
    dose.programmed_ul(*compiled, float(suspended), float(t0_us), float(t1_us), out)
    return out


@settings(max_examples=200, deadline=None)
@given(cases())
def test_closed_form_equals_the_sum_over_every_change(case: Case) -> None:
    """Whatever overlaps what, the closed form is the flow between every two changes times the time."""
    event, at_us, rows, suspended, times = case
    got = volumes(arrays(event, at_us, rows), suspended, times[0], times[-1])
    wanted = naive_dose.programmed(event, at_us, rows, suspended=suspended, t0_us=times[0], t1_us=times[-1])
    assert got == pytest.approx(wanted, rel=1e-11, abs=1e-11)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_any_cut_gives_the_same_volume(case: Case) -> None:
    """One long interval delivers what its parts deliver, jumps at the cuts counted once."""
    event, at_us, rows, suspended, times = case
    compiled = arrays(event, at_us, rows)
    whole = volumes(compiled, suspended, times[0], times[-1])
    parts = sum((volumes(compiled, suspended, a, b) for a, b in pairwise(times)), np.zeros(3))
    assert parts == pytest.approx(whole, rel=1e-12, abs=1e-10)


@settings(max_examples=300, deadline=None)
@given(cases(), st.floats(0.001, 0.999))
def test_time_of_volume_is_the_inverse(case: Case, share: float) -> None:
    """At the time of a volume that volume is reached, and a microsecond earlier it is not yet."""
    event, at_us, rows, suspended, times = case
    compiled, t0_us, limit_us = arrays(event, at_us, rows), times[0], times[-1]
    out = volumes(compiled, suspended, t0_us, limit_us)
    wanted_ul = share * (out[0] + out[2])
    reached_us = dose.time_of_volume_us(*compiled, float(suspended), float(t0_us), wanted_ul, float(limit_us))
    if wanted_ul <= 0.0:
        assert reached_us == t0_us
        return
    assert t0_us < reached_us <= limit_us
    slack_ul = 1e-12 * wanted_ul
    at = volumes(compiled, suspended, t0_us, int(reached_us))
    before = volumes(compiled, suspended, t0_us, int(reached_us) - 1)
    assert at[0] + at[2] >= wanted_ul - slack_ul
    assert before[0] + before[2] <= wanted_ul + slack_ul


@settings(max_examples=200, deadline=None)
@given(cases())
def test_rate_is_the_slope_of_the_volume(case: Case) -> None:
    """The rate right after a time is the volume of the next microsecond where nothing jumps in it."""
    event, at_us, rows, suspended, times = case
    compiled, t_us = arrays(event, at_us, rows), times[1]
    if event.periodic_bolus is not None and event.periodic_bolus.duration_s < 1e-3:
        return
    out = volumes(compiled, suspended, t_us, t_us + 1)
    rate = dose.rate_ul_h(*compiled, float(suspended), float(t_us))
    assert rate / HOUR_US == pytest.approx(out[0], rel=1e-6, abs=1e-13)
    pump = dose.pump_rate_ul_h(*compiled, float(suspended), float(t_us))
    assert pump / HOUR_US == pytest.approx(out[0] + out[2], rel=1e-6, abs=1e-13)


readings = st.one_of(st.just(float("nan")), st.integers(0, 60).map(float), st.integers(0, 1).map(float))
gaps = st.one_of(
    st.sampled_from([0, MINUTE_US, MINUTE_US, 15 * MINUTE_US, HOUR_US, 5 * HOUR_US, 24 * HOUR_US]),
    st.integers(0, 2 * HOUR_US),
)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(gaps, st.integers(0, 1), readings, readings), max_size=25),
    st.sampled_from([float("nan"), 0.0, 5.0, 100.0]),
    st.sampled_from([float("nan"), 60.0, 40.0]),
)
def test_sensed_rows_equal_the_sentences_of_the_contract(
    drawn: list[tuple[int, int, float, float]], max_rate_ul_h: float, wrap_ul: float
) -> None:
    """Counters that fall, flows that stop and two sources mixed count as the contract's sentences say."""
    rows: list[Row] = []
    t_us = 20_000 * DAY_US
    for gap, source, delivered, flow in drawn:
        t_us += gap
        rows.append(Row(source, t_us, delivered, flow))
    x = np.full(SIZE, np.nan)
    ledger.reset(x)
    got = [
        ledger.sensed_ul(
            x, row.source, float(row.t_us), row.delivered_ul, row.flow_ul_h, max_rate_ul_h, wrap_ul
        )
        for row in rows
    ]
    assert got == pytest.approx(naive_dose.sensed(rows, max_rate_ul_h, wrap_ul), rel=1e-12, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(gaps, min_size=1, max_size=20), st.integers(0, 10 * HOUR_US))
def test_coverage_equals_the_sum_over_rows(drawn: list[int], after: int) -> None:
    """Coverage is each row's time up to the next one, three usual periods at most."""
    rows = [Row(0, 20_000 * DAY_US + sum(drawn[: n + 1])) for n in range(len(drawn))]
    x = np.full(SIZE, np.nan)
    ledger.reset(x)
    for row in rows:
        ledger.sensed_ul(x, 0, float(row.t_us), np.nan, np.nan, np.nan, np.nan)
    until = rows[-1].t_us + after
    ledger.cover(x, float(until))
    assert ledger.total(x, COVERED_US) == naive_dose.covered(rows, until)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from([0, 500, 1000, 2000])), min_size=1, max_size=20),
)
def test_plug_flow_equals_a_row_of_parcels(dead_volume_ul: int, moves: list[tuple[int, int]]) -> None:
    """Each parcel leaves in the order that it came, and drug is neither made nor lost."""
    x = np.full(SIZE, np.nan)
    ledger.reset(x)
    got = [ledger.displace_ug(x, float(dead_volume_ul), float(v), float(c)) for v, c in moves]
    wanted = naive_dose.tip(dead_volume_ul, moves)
    inside = sum(
        x[ledger.PLUGS + 2 * plug] * x[ledger.PLUGS + 2 * plug + 1] for plug in range(ledger.MAX_PLUGS)
    )
    entered = dead_volume_ul * moves[0][1] + sum(v * c for v, c in moves)
    assert sum(got) + inside / 1000 == pytest.approx(entered / 1000, rel=1e-12, abs=1e-9)
    for n in range(len(moves)):
        # More than four plugs at once are merged at the tip: the drug of the two comes as their mean.
        held, plugs = 0, 1
        for k in range(n - 1, -1, -1):
            if held >= dead_volume_ul:
                break
            plugs += moves[k][1] != moves[k + 1][1]
            held += moves[k][0]
        if plugs + 1 > ledger.MAX_PLUGS:
            return
        assert got[n] == pytest.approx(float(wanted[n]), rel=1e-12, abs=1e-9)
