"""Dose, reservoir and occlusion of a telemetry row: the kernels against a gcc -O3 twin of themselves, to the same bits.

The twin is bench/rows_twin.c with the three twins that it joins. Both fold the same rows in the same order; levels and
whole states are compared before anything is timed. Lines for the single kernels: bench/{dose,reservoir,occlusion}_twin.py.

Two lines more are all kernels of a row as the fold calls them, and one the size of a pump's state (bench/whole_rows.py).

Run: python -m bench.bench_kernels [--rounds N]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench import whole_rows
from bench.interleave import medians
from bench.report import Line
from kernels import dose, ledger, occlusion, reservoir, step, volumes
from kernels import state as st
from kernels.borrow import borrow

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
ROWS, ROUNDS = 60_000, 41
EVERY_US = 300_000_000
T0_US = 1_750_000_000_000_000
RATE_UL_H = 100 / 24
MOST = 1.3


@njit(nogil=True, error_model="numpy")
def rows(
    x: Floats,
    program: Floats,
    schedule: Floats,
    boluses: Floats,
    rows_us: Integers,
    columns: Floats,
    levels: Integers,
) -> None:
    """`kernels.step.rows` without the stall detector, flow beside a counter, and signals: what rows_twin.c does."""
    x, program, schedule, boluses = borrow(x), borrow(program), borrow(schedule), borrow(boluses)
    rows_us, columns, levels = borrow(rows_us), borrow(columns), borrow(levels)
    kept = np.zeros(3)
    split_ul = borrow(kept)
    for row in range(rows_us.shape[0]):
        t_us = float(rows_us[row])
        split_ul[:] = 0.0
        if t_us - x[st.T_US] > 0.0:
            dose.programmed_ul(program, schedule, boluses, 0.0, x[st.T_US], t_us, split_ul)
        x[st.T_US] = t_us
        counter_ul, flow_ul_h = columns[0, row], columns[1, row]
        starts = not np.isnan(counter_ul) and np.isnan(x[st.DOSE_SOURCES + st.COUNT_UL])
        sensed_ul = ledger.sensed_ul(
            x, 0, t_us, counter_ul, flow_ul_h, x[st.MAX_RATE_UL_H], x[st.ENCODER_WRAP_UL]
        )
        nothing = x[st.SENSED_KNOWN] == ledger.NOTHING
        if nothing:
            sensed_ul = np.nan
        by_counter = x[st.SENSED_KNOWN] == ledger.BY_COUNTER
        volumes.account(
            x, split_ul[0], split_ul[1], split_ul[2], sensed_ul, by_counter or (starts and nothing)
        )
        expected_ul = x[st.EXPECTED_UL] + split_ul[0] + split_ul[2]
        since_us = t_us - x[st.LAST_ROW_US]
        x[st.EXPECTED_UL] = 0.0
        reservoir.level(x, columns[2, row])
        mean_ul_h = expected_ul / since_us * step.HOUR_US if since_us > 0.0 else np.nan
        sensed_ul_h = sensed_ul / since_us * step.HOUR_US if since_us > 0.0 else np.nan
        x[st.LAST_ROW_US] = t_us
        levels[row] = occlusion.occlusion_row(
            x, t_us, columns[3, row], columns[4, row], mean_ul_h, sensed_ul_h
        )


def fresh() -> Floats:
    """Make the state of a registered pump, filled with 20 mL of 500 ug/mL."""
    x = step.fresh()
    x[st.RESERVOIR_ML], x[st.LOW_RESERVOIR_ML], x[st.DEAD_VOLUME_UL] = 20.0, 2.0, 350.0
    x[st.MAX_RATE_UL_H], x[st.ENCODER_WRAP_UL], x[st.CONCENTRATION_UG_ML] = 1000.0, 5000.0, 500.0
    x[st.T_US] = T0_US
    reservoir.register(x)
    reservoir.filled(x, np.nan, 20.0, 20.0)
    ledger.first_concentration(x, 350.0, 500.0)
    return x


def telemetry(count: int, channels: tuple[int, ...]) -> Floats:
    """Counter, flow, level, outlet and inlet pressure of a healthy pump, refilled unseen; others null."""
    rng = np.random.default_rng(7)
    columns = np.full((13, count), np.nan)
    row = np.arange(count)
    moved_ul = RATE_UL_H * EVERY_US / 3.6e9 * rng.uniform(0.9, 1.1, count)
    made = {
        0: np.floor(np.cumsum(moved_ul) / 0.05) * 0.05 % 5000.0,
        1: RATE_UL_H * rng.normal(1.0, 0.02, count),
        2: 20.0 - np.cumsum(moved_ul) / 1000.0 % 18.0 + rng.normal(0.0, 0.05, count),
        3: 1.5 + 0.4 * np.sin(row * (2 * np.pi / 288)) + 0.2 * rng.standard_normal(count),
        4: 5.0 + 0.1 * rng.standard_normal(count),
    }
    for channel in channels:
        columns[channel] = made[channel]
    return columns


def build(folder: Path) -> Any:
    """Compile the twin and return its `rows`. CalledProcessError or FileNotFoundError if gcc can't."""
    here, library = Path(__file__).parent, folder / "rows_twin.so"
    sources = [str(here / f"{name}_twin.c") for name in ("rows", "dose", "reservoir", "occlusion")]
    flags = ["-O3", "-flto", "-march=native", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", str(library), *sources, "-lm"], check=True)
    return ctypes.CDLL(str(library)).rows


def measure(rounds: int = ROUNDS, count: int = ROWS) -> list[Line]:
    """One line a set of channels."""
    program = np.array([T0_US, 0.0, dose.CONTINUOUS, 0.0, 0.0, 0.0, 0.0, 0.0])
    steady = np.array([[0.0, RATE_UL_H]])
    week = np.stack([np.arange(26) * 2.3e10, np.random.default_rng(8).uniform(3, 5, 26)], axis=1)
    rows_us = T0_US + np.arange(1, count + 1) * EVERY_US
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        twin = build(Path(folder))
        for name, schedule, channels in (
            ("counter, level, pressure", steady, (0, 2, 3)),
            ("the same, 26 steps a week", week, (0, 2, 3)),
            ("flow, level, two pressures", steady, (1, 2, 3, 4)),
        ):
            columns = telemetry(count, channels)
            sides = _sides(twin, program, schedule, rows_us, columns)
            same = _same_bits(*sides, count)
            spent = medians(
                dict(zip(("numba", "gcc"), (_whole(side, count) for side in sides), strict=True)), rounds
            )
            ns = {side: seconds / count * 1e9 for side, seconds in spent.items()}
            lines.append(
                Line(
                    f"kernels a row: {name}",
                    f"{ns['numba']:.1f} ns",
                    f"gcc -O3 {ns['gcc']:.1f} ns",
                    ns["numba"] / ns["gcc"] if same else None,
                    most=MOST,
                    why="numba and gcc give different bits",
                )
            )
        lines += whole_rows.measure(_whole(sides[1], count), count, max(rounds // 4, 1))
    return lines


Side = Callable[[Floats, Integers], None]


def _sides(
    twin: Any, program: Floats, schedule: Floats, rows_us: Integers, columns: Floats
) -> tuple[Side, Side]:
    none = np.empty((0, 5))

    def ours(x: Floats, levels: Integers) -> None:
        rows(x, program, schedule, none, rows_us, columns, levels)

    def theirs(x: Floats, levels: Integers) -> None:
        doubles, whole = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int64)
        head = [array.ctypes.data_as(doubles) for array in (x, program, schedule)]
        twin(
            *head,
            ctypes.c_int64(len(schedule)),
            rows_us.ctypes.data_as(whole),
            columns.ctypes.data_as(doubles),
            ctypes.c_int64(len(rows_us)),
            levels.ctypes.data_as(whole),
        )

    return ours, theirs


def _whole(side: Side, count: int) -> Callable[[], None]:
    """All rows from a new pump on."""
    return lambda: side(fresh(), np.zeros(count, dtype=np.int64))


def _same_bits(ours: Side, theirs: Side, count: int) -> bool:
    states, levels = (fresh(), fresh()), (np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64))
    ours(states[0], levels[0])
    theirs(states[1], levels[1])
    states[0][st.FLU_OPEN_UG] = states[1][st.FLU_OPEN_UG]  # the drug's level, of which the twin knows nothing
    return bool(np.array_equal(*states, equal_nan=True) and np.array_equal(*levels))


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lines = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps([line.fields() for line in lines]))
        return
    for line in lines:
        print(" | ".join(line.cells()))


if __name__ == "__main__":
    main()
