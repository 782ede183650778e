"""The occlusion kernel against its gcc -O3 twin: same bits, and nanoseconds a row of both, medians of interleaved runs (CPU time)."""

from __future__ import annotations

import ctypes
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import occlusion
from kernels.state import SIZE

Floats = NDArray[Any]
ROWS, ROUNDS = 60_000, 41
EVERY_US = 3e8


def fresh() -> Floats:
    """Make a state that knows nothing."""
    x = np.full(SIZE, np.nan)
    occlusion.reset(x)
    return x


def pressures(rng: np.random.Generator) -> Floats:
    """Pressure of a healthy line with postures, and every 20,000 rows a block of 400 rows."""
    row = np.arange(ROWS)
    pressure: Floats = 1.5 + 0.4 * np.sin(row * (2 * np.pi / 288)) + 0.2 * rng.standard_normal(ROWS)
    pressure += np.repeat(rng.choice([0.0, 1.2, 2.0], ROWS // 12), 12)
    since = row % 20_000
    pressure += np.where(since > 19_600, (since - 19_600) * 0.1, 0.0)
    return pressure


def build(folder: Path) -> ctypes.CDLL:
    """Compile the twin."""
    library = folder / "occlusion_twin.so"
    source = Path(__file__).with_suffix(".c")
    flags = ["-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", str(library), str(source), "-lm"], check=True)
    return ctypes.CDLL(str(library))


def main() -> None:
    """Print one line a case: ns a row of both, their ratio, whether levels and states are the same bits."""
    rng = np.random.default_rng(7)
    t_us = 1.7e15 + np.arange(ROWS) * EVERY_US
    nothing, flow = np.full(ROWS, np.nan), np.full(ROWS, 4.0)
    sensed, inlet = 4.0 + 0.2 * rng.standard_normal(ROWS), 5.0 + 0.1 * rng.standard_normal(ROWS)
    pressure = pressures(rng)
    pointer = ctypes.POINTER(ctypes.c_double)
    with tempfile.TemporaryDirectory() as folder:
        twin = build(Path(folder)).occlusion_rows
        for name, columns in (
            ("pressure", (t_us, pressure, nothing, flow, nothing)),
            ("with inlet and flow", (t_us, pressure, inlet, flow, sensed)),
        ):

            def run_c(x: Floats, levels: Floats, columns: tuple[Floats, ...] = columns) -> None:
                twin(*(a.ctypes.data_as(pointer) for a in (x, *columns, levels)), ctypes.c_int64(ROWS))

            def run_numba(x: Floats, levels: Floats, columns: tuple[Floats, ...] = columns) -> None:
                occlusion.occlusion_rows(x, *columns, levels)  # type: ignore[call-arg]

            print(line(name, run_numba, run_c))


def line(
    name: str, run_numba: Callable[[Floats, Floats], None], run_c: Callable[[Floats, Floats], None]
) -> str:
    """Run both, interleaved, and word the result."""
    ours, theirs, our_levels, their_levels = fresh(), fresh(), np.zeros(ROWS), np.zeros(ROWS)
    run_numba(ours, our_levels)
    run_c(theirs, their_levels)
    same = np.array_equal(our_levels, their_levels) and np.array_equal(ours, theirs, equal_nan=True)
    spent: dict[str, list[float]] = {"numba": [], "gcc": []}
    for _ in range(ROUNDS):
        for side, run in (("numba", run_numba), ("gcc", run_c)):
            x = fresh()
            start = time.thread_time()
            run(x, our_levels)
            spent[side].append((time.thread_time() - start) / ROWS * 1e9)
    ns = {side: statistics.median(times) for side, times in spent.items()}
    least = {side: min(times) for side, times in spent.items()}
    return (
        f"{name:20} numba {ns['numba']:6.1f} ns  gcc {ns['gcc']:6.1f} ns  ratio {ns['numba'] / ns['gcc']:.2f}  "
        f"(least {least['numba']:.1f} and {least['gcc']:.1f})  same bits {same}  "
        f"active rows {int((their_levels == 2).sum())}"
    )


if __name__ == "__main__":
    main()
