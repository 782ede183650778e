"""The C twins of the reservoir filter and of the occlusion kernel, row by row to the same bits: two languages, one meaning.

The twins are the bench's yardstick (bench/*.c) and were written from the kernels' texts, operation by operation. Recordings are made so
that every branch is taken; what a twin takes in is what the fold gives the kernel.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import level_sensor, occlusion, reservoir
from kernels import state as s
from tests.pump_signals import fresh

Floats = NDArray[np.float64]
BENCH = Path(__file__).parents[3] / "bench"
DOUBLES = ctypes.POINTER(ctypes.c_double)

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on this machine")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """A library of the bench by name, compiled without contraction."""
    folder = tmp_path_factory.mktemp("twins")

    def compiled(name: str) -> Any:
        library = folder / f"{name}.so"
        flags = ["-O1", "-ffp-contract=off", "-shared", "-fPIC", "-o", str(library)]
        subprocess.run(["gcc", *flags, str(BENCH / f"{name}.c"), "-lm"], check=True)
        return ctypes.CDLL(str(library))

    return compiled


def pointers(*columns: NDArray[Any]) -> list[Any]:
    """The columns as C takes them."""
    return [column.ctypes.data_as(DOUBLES) for column in columns]


def differing(ours: Floats, theirs: Floats) -> list[int]:
    """Slots that are not the same, NaN being one value."""
    return [int(slot) for slot in np.flatnonzero(~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs))))]


def pressures(rng: np.random.Generator, rows: int) -> dict[str, Floats]:  # noqa: C901 - one thing that happens after the other
    """A line in health, then one of many things that happen to it: blocks, jumps, swaps, stuck and missing readings, other flows."""
    row = np.arange(rows)
    noise = float(rng.choice([0.02, 0.1, 0.4]))
    pressure = (
        1.5 + rng.uniform(0.0, 0.6) * np.sin(row * (2 * np.pi / 96.0)) + noise * rng.standard_normal(rows)
    )
    pressure += np.repeat(rng.choice([0.0, 0.5, 1.2], rows // 8 + 1), 8)[:rows]
    programmed = np.full(rows, 4.0)
    sensed = programmed * (1.0 + 0.03 * rng.standard_normal(rows))
    inlet = -0.5 + 0.1 * rng.standard_normal(rows)
    at = int(rng.uniform(0.35, 0.7) * rows)
    match int(rng.integers(8)):
        case 0:
            pressure[at:] += np.minimum(np.arange(rows - at) * rng.uniform(0.02, 1.0), rng.uniform(3.0, 60.0))
            sensed[at + 150 :] *= 0.05
        case 1:
            pressure[at : at + 300] += np.arange(min(300, rows - at)) * 0.1
        case 2:
            pressure[at:] += rng.uniform(2.0, 30.0)
        case 3:
            pressure[at:] -= rng.uniform(1.0, 5.0)
        case 4:
            pressure[at : at + 60] = pressure[at]
            sensed[at:] = 0.0
        case 5:
            programmed[at:] *= rng.uniform(1.2, 4.0)
            pressure[at + 3 :] *= rng.uniform(1.0, 6.0)
        case 6:
            inlet[at:] += np.linspace(0.0, 20.0, rows - at)
            pressure[at:] += np.linspace(0.0, 20.0, rows - at)
        case _:
            programmed[: at // 2] = 0.0
            programmed[at : at + 40] = 0.0
    if rng.random() < 0.5:
        pressure = np.round(pressure / 0.25) * 0.25
    for column in (pressure, sensed, inlet, programmed):
        column[rng.random(rows) < rng.choice([0.0, 0.01])] = np.nan
    if rng.random() < 0.3:
        inlet[:] = np.nan
    if rng.random() < 0.3:
        sensed[:] = np.nan
    return {"pressure": pressure, "inlet": inlet, "programmed": programmed, "sensed": sensed}


@pytest.mark.parametrize("seed", range(24))
def test_occlusion_equals_its_c_twin(seed: int, twin: Callable[[str], Any]):
    """Levels of every row, and all that was learned."""
    rng = np.random.default_rng(seed)
    rows = 1500
    t_us = 1.7e15 + np.cumsum(rng.choice([1.0, 1.0, 1.0, 3.0], rows)) * float(rng.choice([1e6, 6e7, 9e8]))
    columns = (t_us, *pressures(rng, rows).values())
    ours, theirs = np.full(s.SIZE, np.nan), np.full(s.SIZE, np.nan)
    for x in (ours, theirs):
        occlusion.reset(x)
        x[s.RST_LEVEL], x[s.DRV_LEVEL], x[s.LEAK] = float(seed % 7 == 0), 2.0 * (seed % 5 == 0), 0.0
    levels, their_levels = np.zeros(rows), np.zeros(rows)
    for k in range(rows):
        levels[k] = occlusion.occlusion_row(ours, *(column[k] for column in columns))
    twin("occlusion_twin").occlusion_rows(*pointers(theirs, *columns, their_levels), ctypes.c_int64(rows))
    assert np.array_equal(levels, their_levels)
    assert differing(ours, theirs) == []


@pytest.mark.parametrize("seed", range(24))
def test_the_reservoir_filter_equals_its_c_twin(seed: int, twin: Callable[[str], Any]):
    """What was delivered in every row, and all that was learned of stroke, level and noise."""
    rng = np.random.default_rng(seed)
    rows, size_ml = 1500, float(rng.choice([0.01, 20.0, 5e6]))
    programmed = np.full(rows, rng.uniform(0.3, 1.2) * size_ml * 1000.0 / rows)
    ratio = np.where(
        np.arange(rows) > rows * rng.uniform(0.2, 0.9), rng.uniform(0.5, 1.5), rng.uniform(0.85, 1.15)
    )
    sensed = programmed * rng.uniform(0.95, 1.05, rows)
    drift = np.cumsum(rng.normal(0.0, float(rng.choice([0.0, 1e-4, 2e-3])) * size_ml, rows))
    level = size_ml * 0.97 - np.cumsum(sensed * ratio) / 1000.0 + drift
    level += rng.normal(0.0, float(rng.choice([1e-4, 5e-3])) * size_ml, rows)
    jump = int(rng.uniform(0.3, 0.9) * rows)
    level[jump:] += float(rng.choice([0.0, 0.0, 0.1])) * size_ml
    quantum = float(rng.choice([1e-5, 1e-5, 0.02])) * size_ml
    level = np.maximum(np.round(level / quantum) * quantum, 0.0)
    level[rng.random(rows) < 0.02] = np.nan
    if seed % 6 == 0:
        level[jump:] = level[jump - 1]
    counted = np.full(rows, seed % 3 != 0)
    if seed % 3 == 1:
        sensed[rng.random(rows) < 0.3] = np.nan
    counted &= ~np.isnan(sensed)
    if seed % 8 == 7:
        sensed[:], counted[:] = np.nan, False
    t_us = 1.7e15 + np.arange(rows) * float(rng.choice([1e6, 9e8, 3.6e9]))
    ours = fresh()
    reservoir.reset(ours)
    ours[s.RESERVOIR_ML], ours[s.FLOW_TOLERANCE] = size_ml, 0.145
    reservoir.filled(ours, np.nan, size_ml, size_ml)
    theirs = ours.copy()
    out, their_out = np.zeros(rows), np.zeros(rows)
    for k in range(rows):
        ours[s.T_US] = t_us[k]
        out[k] = reservoir.advance(ours, programmed[k], sensed[k], bool(counted[k]))
        level_sensor.level(ours, level[k])
    columns = pointers(theirs, t_us, programmed, sensed, counted.view(np.uint8), level)
    twin("reservoir_twin").reservoir_rows(*columns, ctypes.c_int64(rows), *pointers(their_out))
    assert differing(out, their_out) == []
    assert differing(ours, theirs) == []
    assert ours[s.RES_BLOCKS] > level_sensor.MIN_BLOCKS
