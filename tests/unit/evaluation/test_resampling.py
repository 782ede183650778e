"""Thinned recordings: which rows are left, which faults count at a sampling, and how far recall falls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from contract.codec import decode_json
from contract.events import Telemetry, Tick
from contract.facts import Quarantined
from contract.times import SECOND_US
from ingest import simulator
from thecaflow.evaluation import resampling
from thecaflow.evaluation.resampling import Seen


def seen(pump: str, lasts_s: float, named: dict[int, bool], kind: str = "leak") -> Seen:
    return Seen(pump=pump, kind=kind, cause=kind, lasts_s=lasts_s, named=named)


def test_a_thinned_recording_is_what_a_coarser_clock_would_have_read():
    """Rows stand on the coarser clock with the readings of that moment; every other event is as it was."""
    plan = resampling.plans(1, 1)[0]
    short = replace(plan, end_us=plan.start_us + 8 * 3600 * SECOND_US, faults=())
    case = simulator.draw_pump(short, 0, "p", None)
    told = [decode_json(line.json) for line in simulator.events([case])]
    events = [one for one in told if not isinstance(one, Quarantined | Tick)]
    coarse = resampling.thinned(events, SECOND_US, 60 * SECOND_US)
    fine = {
        int(t_us): column
        for one in events
        if isinstance(one, Telemetry)
        for t_us, column in zip(one.rows_us(), one.columns.T, strict=True)
    }
    kept = [one for one in coarse if isinstance(one, Telemetry)]
    rows = [(int(t), column) for one in kept for t, column in zip(one.rows_us(), one.columns.T, strict=True)]
    assert all(t_us % (60 * SECOND_US) < SECOND_US for t_us, _ in rows)
    assert len(rows) == pytest.approx(len(fine) / 60, rel=0.05)
    assert all(np.array_equal(fine[t_us], column, equal_nan=True) for t_us, column in rows)
    assert all(one.at_us == int(one.rows_us()[0]) for one in kept)
    others = [one for one in events if not isinstance(one, Telemetry)]
    assert [one for one in coarse if not isinstance(one, Telemetry)] == others


def test_a_fault_counts_where_it_lasts_twenty_periods():
    """A fault of 19 periods is no lapse of that sampling, and one that the whole recording does not name is no fall."""
    found = resampling.recalls(
        [
            seen("a", 20 * 900.0, dict.fromkeys(resampling.PERIODS_S, True)),
            seen("b", 19 * 900.0, {1: True, 10: True, 60: True, 300: True, 900: False}),
            seen("c", 20 * 900.0, dict.fromkeys(resampling.PERIODS_S, False)),
        ],
        seed=1,
    )
    last = next(one for one in found if one.period_s == 900 and not one.kind)
    assert (last.faults, last.whole.value, last.there.value, last.fall.value) == (2, 0.5, 0.5, 0.0)
    assert all(verdict.passed for verdict in resampling.judge(found))


def test_a_fall_of_more_than_five_points_fails():
    """One fault in ten that is lost at 15 min fails that sampling and no other, and the table shows both shares."""
    whole = dict.fromkeys(resampling.PERIODS_S, True)
    faults = [seen(str(n), 1e6, {**whole, 900: n > 0}) for n in range(10)]
    found = resampling.recalls(faults, seed=1)
    assert [verdict.passed for verdict in resampling.judge(found)] == [True, True, True, True, False]
    console = Console(width=160, record=True)
    console.print(resampling.table(found))
    assert "90 % (100 %) of 10" in console.export_text()


def test_a_sampling_finer_than_the_recording_counts_nothing():
    """A fault recorded every ten seconds says nothing of one second, and with no fault at all the bar is not held."""
    found = resampling.recalls([seen("a", 1e6, dict.fromkeys((10, 60, 300, 900), True))], seed=1)
    first = next(one for one in found if one.period_s == 1 and not one.kind)
    assert first.faults == 0
    assert not resampling.judge([first])[0].passed


def test_what_was_seen_is_kept_and_a_cut_line_is_not(tmp_path: Path):
    """An interrupted run goes on from its whole lines."""
    file = tmp_path / "seen.jsonl"
    one = seen("a", 5.0, {1: True})
    file.write_bytes(msgspec.json.encode(one) + b"\n" + b'{"pump":"b"')
    assert resampling.read(file) == [one]
    assert file.read_bytes() == msgspec.json.encode(one) + b"\n"
