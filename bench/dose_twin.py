"""The dose kernels against their gcc -O3 twin: same bits, and nanoseconds a row of both, medians of interleaved runs."""

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

from kernels import dose, ledger
from kernels.borrow import borrow
from kernels.state import (
    DELIVERED_UL,
    PROGRAMMED_UG,
    PROGRAMMED_UL,
    SENSED_KNOWN,
    SENSED_UG,
    SENSED_UL,
    SIZE,
    TIP_UG,
)

Floats = NDArray[np.float64]
ROWS, ROUNDS = 500_000, 9
DEAD_UL, CONCENTRATION, MAX_RATE, WRAP = 350.0, 500.0, 1000.0, 5000.0


@njit(nogil=True, error_model="numpy")
def dose_rows(
    x: Floats, program: Floats, schedule: Floats, boluses: Floats, t_us: Floats, counts: Floats, flows: Floats
) -> None:
    """Fold rows of one pump into its ledgers: what `dose_rows` in dose_twin.c does."""
    x, program, schedule, boluses = borrow(x), borrow(program), borrow(schedule), borrow(boluses)
    out = np.zeros(3)
    before_us = t_us[0]
    for row in range(t_us.shape[0]):
        dose.programmed_ul(program, schedule, boluses, 0.0, before_us, t_us[row], out)
        before_us = t_us[row]
        sensed_ul = ledger.sensed_ul(x, 0, t_us[row], counts[row], flows[row], MAX_RATE, WRAP)
        best_ul = out[0] if x[SENSED_KNOWN] == 0.0 else sensed_ul
        ledger.add(x, PROGRAMMED_UL, out[0])
        ledger.add(x, PROGRAMMED_UG, out[0] * (CONCENTRATION / 1000.0))
        ledger.add(x, SENSED_UL, sensed_ul)
        ledger.add(x, SENSED_UG, sensed_ul * (CONCENTRATION / 1000.0))
        ledger.add(x, DELIVERED_UL, best_ul)
        ledger.add(x, TIP_UG, ledger.displace_ug(x, DEAD_UL, best_ul, CONCENTRATION))


def fresh() -> Floats:
    """Make a state with full tubing."""
    x = np.full(SIZE, np.nan)
    ledger.reset(x)
    ledger.first_concentration(x, DEAD_UL, CONCENTRATION)
    return x


def build(folder: Path) -> ctypes.CDLL:
    """Compile the twin."""
    library = folder / "dose_twin.so"
    source = Path(__file__).with_suffix(".c")
    flags = ["-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", str(library), str(source), "-lm"], check=True)
    return ctypes.CDLL(str(library))


def main() -> None:
    """Print one line a case: ns a row of both, their ratio, whether the states are the same bits."""
    rng = np.random.default_rng(7)
    t_us = 1.7e15 + np.arange(ROWS) * 6e7
    counts = np.floor(np.cumsum(rng.uniform(0.05, 0.09, ROWS)) / 0.1) * 0.1 % WRAP
    flows = rng.uniform(3.8, 4.6, ROWS)
    nothing = np.full(ROWS, np.nan)
    program = np.zeros(8)
    steady = np.array([[0.0, 100 / 24]])
    week = np.stack([np.arange(26) * 2.3e10, rng.uniform(3, 5, 26)], axis=1)
    pointer = ctypes.POINTER(ctypes.c_double)
    with tempfile.TemporaryDirectory() as folder:
        twin = build(Path(folder)).dose_rows
        for name, schedule, delivered, flow in (
            ("steady, counter", steady, counts, flows),
            ("steady, flow", steady, nothing, flows),
            ("26 steps, counter", week, counts, flows),
        ):

            def run_c(
                x: Floats, schedule: Floats = schedule, told: tuple[Floats, ...] = (delivered, flow)
            ) -> None:
                columns = [a.ctypes.data_as(pointer) for a in (t_us, *told)]
                head = [a.ctypes.data_as(pointer) for a in (x, program, schedule)]
                limits = [ctypes.c_double(v) for v in (MAX_RATE, WRAP, CONCENTRATION)]
                twin(*head, ctypes.c_int64(len(schedule)), *columns, ctypes.c_int64(ROWS), *limits)

            def run_numba(
                x: Floats, schedule: Floats = schedule, told: tuple[Floats, ...] = (delivered, flow)
            ) -> None:
                dose_rows(x, program, schedule, np.empty((0, 5)), t_us, *told)

            ours, theirs = fresh(), fresh()
            run_numba(ours)
            run_c(theirs)
            spent: dict[str, list[float]] = {"numba": [], "gcc": []}
            for _ in range(ROUNDS):
                for side, run in (("numba", run_numba), ("gcc", run_c)):
                    x = fresh()
                    start = time.perf_counter()
                    run(x)
                    spent[side].append((time.perf_counter() - start) / ROWS * 1e9)
            ns = {side: statistics.median(times) for side, times in spent.items()}
            same = np.array_equal(ours.view(np.int64)[32:96], theirs.view(np.int64)[32:96]) or np.array_equal(
                ours[32:96], theirs[32:96], equal_nan=True
            )
            least = {side: min(times) for side, times in spent.items()}
            print(
                f"{name:20} numba {ns['numba']:6.1f} ns  gcc {ns['gcc']:6.1f} ns  "
                f"ratio {ns['numba'] / ns['gcc']:.2f}  (least {least['numba']:.1f} and {least['gcc']:.1f})  same bits {same}"
            )


if __name__ == "__main__":
    main()
