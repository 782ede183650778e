"""The reservoir filter against its gcc -O3 twin: same bits, and nanoseconds a row of both, medians of interleaved runs."""

from __future__ import annotations

import ctypes
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from thecaflow.settings import use_numba_cache

use_numba_cache()  # before any kernel is imported: a cache by file would miss changes of callees

from kernels import reservoir  # noqa: E402
from kernels import state as st  # noqa: E402
from kernels.borrow import borrow  # noqa: E402

Floats = NDArray[np.float64]
ROWS, ROUNDS = 500_000, 9


@njit(nogil=True, error_model="numpy")
def reservoir_rows(
    x: Floats,
    rows_us: Floats,
    programmed_ul: Floats,
    sensed_ul: Floats,
    counted: NDArray[np.bool_],
    level_ml: Floats,
    out: Floats,
) -> None:
    """Advance and read the level, row by row: what `reservoir_rows` in reservoir_twin.c does."""
    x = borrow(x)
    for row in range(programmed_ul.shape[0]):
        x[st.T_US] = rows_us[row]
        out[row] = reservoir.advance(x, programmed_ul[row], sensed_ul[row], counted[row])
        reservoir.level(x, level_ml[row])


def fresh() -> Floats:
    """Make a state of a full 20 mL pump."""
    x = np.full(st.SIZE, np.nan)
    reservoir.reset(x)
    x[st.RESERVOIR_ML], x[st.LOW_RESERVOIR_ML], x[st.FLOW_TOLERANCE] = 20.0, 2.0, 0.145
    reservoir.register(x)
    reservoir.filled(x, np.nan, 20.0, 20.0)
    return x


def main() -> None:
    """Print one line a case: ns a row of both, their ratio, whether states and deliveries are the same bits."""
    rng = np.random.default_rng(7)
    nothing = np.full(ROWS, np.nan)
    programmed = np.full(ROWS, 18_000.0 / ROWS)
    counts = programmed * rng.uniform(0.9, 1.1, ROWS)
    level = 20.0 - 1.1 * np.cumsum(programmed) / 1000.0 + rng.normal(0.0, 0.1, ROWS)
    rows_us = np.arange(ROWS) * 30e6
    pointer = ctypes.POINTER(ctypes.c_double)
    with tempfile.TemporaryDirectory() as folder:
        library = str(Path(folder) / "reservoir_twin.so")
        flags = ["-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC"]
        source = str(Path(__file__).with_suffix(".c"))
        subprocess.run(["gcc", *flags, "-o", library, source, "-lm"], check=True)
        twin = ctypes.CDLL(library).reservoir_rows
        for name, sensed, levels in (
            ("counter, level", counts, level),
            ("counter", counts, nothing),
            ("program only", nothing, nothing),
        ):
            counted = ~np.isnan(sensed)
            columns = (rows_us, programmed, sensed, counted.view(np.uint8), levels)
            out, out_c = np.zeros(ROWS), np.zeros(ROWS)
            reservoir_rows(fresh(), rows_us[:9], programmed[:9], sensed[:9], counted[:9], levels[:9], out)
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(ROUNDS):
                x, x_c = fresh(), fresh()
                begun = time.perf_counter()
                reservoir_rows(x, rows_us, programmed, sensed, counted, levels, out)
                times[0].append(time.perf_counter() - begun)
                pointers = [column.ctypes.data_as(pointer) for column in columns]
                begun = time.perf_counter()
                twin(
                    x_c.ctypes.data_as(pointer),
                    *pointers,
                    ctypes.c_int64(ROWS),
                    out_c.ctypes.data_as(pointer),
                )
                times[1].append(time.perf_counter() - begun)
            ours, theirs = (statistics.median(runs) / ROWS * 1e9 for runs in times)
            same = np.array_equal(x, x_c, equal_nan=True) and np.array_equal(out, out_c)
            print(
                f"{name:16} numba {ours:5.1f} ns  gcc {theirs:5.1f} ns  ratio {ours / theirs:4.2f}  same bits: {same}"
            )


if __name__ == "__main__":
    main()
