"""The reference filter that the kernels of the pressures are compared with: it must be a fair one."""

from __future__ import annotations

import numpy as np
import pytest

from bench import imm_reference as imm
from bench.imm_reference import Floats, Series

ROWS_A_DAY = 96
ONSET_DAY = 6
NAMES = ("healthy", "block", "leak", "starvation", "moved")


def recordings(seed: int, scale: float = 1.0) -> Series:
    """Eight days of five pumps that differ in what befalls them after the sixth: 4 uL/h into 4 uL/kPa, body movement as AR(1)."""
    rng = np.random.default_rng(seed)
    n = 8 * ROWS_A_DAY
    hours = np.tile(np.arange(n) / 4.0, (len(NAMES), 1))
    body = np.zeros((len(NAMES), n))
    for row in range(1, n):
        body[:, row] = 0.7 * body[:, row - 1] + rng.normal(0.0, 0.3, len(NAMES))
    noise = rng.normal(0.0, 0.1, body.shape)
    outlet = 3.0 + 0.4 * np.sin(hours / 24.0 * 2.0 * np.pi) + body + noise
    inlet = rng.normal(-0.5, 0.15, body.shape)
    after = slice(ONSET_DAY * ROWS_A_DAY, None)
    outlet[1, after] = 3.0 + (hours[1, after] - 24.0 * ONSET_DAY) + noise[1, after]
    outlet[2, after] = 0.1 + 0.1 * body[2, after] + noise[2, after]
    inlet[3, after] = -10.0 + noise[3, after]
    outlet[4, after] += 2.0
    return Series(
        hours=hours,
        outlet_kpa=scale * outlet,
        inlet_kpa=scale * inlet,
        flow_ul_h=np.full(body.shape, 4.0),
        compliance_ul_kpa=np.full(len(NAMES), 4.0 / scale),
    )


def told(series: Series) -> list[tuple[str, str, float]]:
    """(pump, cause, hours after the onset) of what is told first of each pump."""
    chances = imm.posteriors(series)
    found = []
    for pump, name in enumerate(NAMES):
        rows, places = np.nonzero(chances[pump] > imm.threshold())
        if rows.size:
            at_h = float(series.hours[pump, rows[0]])
            found.append((name, tuple(imm.CAUSES)[places[0]], at_h - 24.0 * ONSET_DAY))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_each_fault_is_told_by_its_own_mode(seed: int):
    """Block, leak and starvation are named within hours of their onset; a moved sensor and a healthy pump are left alone."""
    found = told(recordings(seed))
    assert {(pump, cause) for pump, cause, _ in found} == {
        ("block", "occlusion"),
        ("leak", "leak"),
        ("starvation", "starvation"),
    }
    assert all(0.0 <= delay_h <= 12.0 for _, _, delay_h in found)


def test_chances_are_a_distribution_and_free_of_scale():
    """Chances of the causes never pass one together, and other units of pressure change none of them."""
    chances: Floats = imm.posteriors(recordings(1))
    known = chances[~np.isnan(chances).any(axis=2)]
    assert known.size
    assert known.min() >= 0.0
    assert known.sum(axis=1).max() <= 1.0 + 1e-9
    assert np.allclose(chances, imm.posteriors(recordings(1, scale=8.0)), atol=1e-6, equal_nan=True)


def test_a_pump_that_stands_or_reads_nothing_is_not_judged():
    """Rows without flow and rows without any pressure leave every chance as it was."""
    series = recordings(2)
    gone = slice((ONSET_DAY - 1) * ROWS_A_DAY + 1, None)
    series.flow_ul_h[1, gone] = 0.0
    series.outlet_kpa[2, gone] = series.inlet_kpa[2, gone] = np.nan
    assert {pump for pump, _, _ in told(series)} == {"starvation"}
    chances = imm.posteriors(series)
    assert np.ptp(chances[1, gone], axis=0).max() == 0.0
    assert np.ptp(chances[2, gone], axis=0).max() == 0.0
