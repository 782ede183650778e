"""A full block at every corner of flow and compliance: told before a tenth of the time to the limit, and before withdrawal, or how far off.

The plant is its own, and simple: a displacement pump that pushes its flow through a resistance into a body which breathes, changes
posture and has a day; behind the block the flow fills the compliance, dP/dt = Q / C, and nothing of the body comes through. Each blocked
pump has a control that is the same to the last number, but without the block. Both go through the whole fold.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from contract.facts import Alert, Cause
from contract.times import DAY_US, HOUR_US, MINUTE_US, format_us
from ingest.simulation.labels import withdrawal_us
from processors.analyse import analyse
from thecaflow.evaluation.bars import Verdict
from thecaflow.evaluation.fleets import START_US
from thecaflow.evaluation.fold_pump import sightings
from thecaflow.evaluation.matching import HOLDING, LOUD

FLOWS_ML_DAY: Final = (0.1, 1.0, 24.0)
COMPLIANCES_UL_KPA: Final = (1.0, 2.0, 5.0, 10.0, 21.0)
PERIODS_MIN: Final = (1, 15)
SEEDS: Final = 4
LIMIT_KPA: Final = 70.0
BY_LIMIT: Final = 0.1  # of the time to the limit
HEALTHY_DAYS: Final = 9.0
CONFIRMS: Final = 5
"""Rows that a rise takes to be told from two changes of posture: the last before the onset, one for each of the two jumps that it
might be, one more, and its neighbour that must agree (kernels/occlusion.py)."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """One corner: `delays_h` to the alert (inf: none), `bar_h`, `swing_kpa` of the healthy pressure, alarms of the controls."""

    flow_ml_day: float
    compliance_ul_kpa: float
    period_min: int
    delays_h: tuple[float, ...]
    swing_kpa: float
    false: int

    @property
    def slope_kpa_h(self) -> float:
        """Rise behind the block."""
        return self.flow_ml_day * 1000.0 / 24.0 / self.compliance_ul_kpa

    @property
    def bar_h(self) -> float:
        """The sooner of a tenth of the time to the limit and the earliest withdrawal."""
        harm = withdrawal_us(0)
        assert harm is not None
        return min(BY_LIMIT * LIMIT_KPA / self.slope_kpa_h, harm[0] / HOUR_US)

    @property
    def in_time(self) -> int:
        """How many were told before the bar."""
        return sum(delay < self.bar_h for delay in self.delays_h)

    def reason(self) -> str | None:
        """What physics has against the bar; None: nothing."""
        rows = self.bar_h * 60.0 / self.period_min
        if rows < CONFIRMS:
            return f"the bar is {rows:.2g} rows away"
        rise_kpa = self.slope_kpa_h * self.bar_h
        if rise_kpa < self.swing_kpa:
            return f"{rise_kpa:.2g} kPa by then, the body alone swings {self.swing_kpa:.2g}"
        return None


def cells(seed: int, seeds: int = SEEDS) -> Iterator[Cell]:
    """Every corner, `seeds` pumps and as many controls each."""
    for number, (flow, compliance, period) in enumerate(
        itertools.product(FLOWS_ML_DAY, COMPLIANCES_UL_KPA, PERIODS_MIN)
    ):
        yield _cell(np.random.default_rng((seed, number)), flow, compliance, period, seeds)


def _cell(rng: np.random.Generator, flow: float, compliance: float, period_min: int, seeds: int) -> Cell:
    delays, swings, false = [], [], 0
    for _ in range(seeds):
        onset_us = START_US + round((HEALTHY_DAYS + rng.random()) * DAY_US)
        slope_kpa_h = flow * 1000.0 / 24.0 / compliance
        until_us = (
            onset_us + round(min(LIMIT_KPA / slope_kpa_h, 48.0) * HOUR_US) + 20 * period_min * MINUTE_US
        )
        rows_us = np.arange(START_US + round(rng.integers(60) * MINUTE_US), until_us, period_min * MINUTE_US)
        healthy = _body_kpa(rng, rows_us) + 0.3
        sensor = 0.02 * rng.standard_normal(rows_us.size)
        after = rows_us >= onset_us
        blocked = np.where(
            after, healthy[np.argmax(after)] + slope_kpa_h * (rows_us - onset_us) / HOUR_US, healthy
        )
        swings.append(float(np.diff(np.quantile(healthy[~after], (0.001, 0.999)))[0]))
        told = [_told_us(flow, compliance, rows_us, kpa + sensor) for kpa in (blocked, healthy)]
        false += sum(at_us < onset_us for at_us in told[0]) + len(told[1])
        found = [at_us for at_us in told[0] if at_us >= onset_us]
        delays.append((found[0] - onset_us) / HOUR_US if found else float("inf"))
    return Cell(flow, compliance, period_min, tuple(delays), float(np.median(swings)), false)


def _body_kpa(rng: np.random.Generator, rows_us: NDArray[np.int64]) -> Floats:
    """Pressure at the tip: lying 1.2 kPa, postures by day, a rhythm, slow noise with a memory of ten minutes, breathing."""
    hour = (rows_us % DAY_US) / HOUR_US
    body = 1.2 + 0.3 * np.sin(2.0 * np.pi * (hour / 24.0 - 0.45))
    keep = float(np.exp(-(rows_us[1] - rows_us[0]) / (10 * MINUTE_US)))
    fresh = rng.standard_normal(rows_us.size) * 0.15 * np.sqrt(1.0 - keep * keep)
    slow, last = np.empty(rows_us.size), 0.0
    for k, new in enumerate(fresh.tolist()):
        last = keep * last + new
        slow[k] = last
    changes = np.cumsum(rng.exponential(40.0 * MINUTE_US, 12 * 24 * 4)) + rows_us[0]
    posture = rng.choice([0.0, 0.9, 1.5], changes.size, p=[0.2, 0.5, 0.3])
    upright = posture[np.searchsorted(changes, rows_us).clip(max=changes.size - 1)]
    breathing = 0.1 * np.sin(rng.uniform(0.0, 2.0 * np.pi, rows_us.size))
    return np.asarray(body + slow + np.where((hour > 7.0) & (hour < 22.0), upright, 0.0) + breathing)


def _told_us(flow_ml_day: float, compliance: float, rows_us: NDArray[np.int64], kpa: Floats) -> list[int]:
    """When the fold says loudly that the pump is blocked, or anything that follows from it."""
    facts = analyse(
        sightings(_lines(flow_ml_day, compliance, rows_us, kpa))[0], until_us=int(rows_us[-1])
    ).facts
    return [
        fact.at_us
        for fact in facts
        if isinstance(fact, Alert)
        and fact.state in HOLDING
        and fact.priority in LOUD
        and fact.cause in (Cause.OCCLUSION, Cause.WITHDRAWAL_RISK, Cause.LEAK)
    ]


def _lines(flow_ml_day: float, compliance: float, rows_us: NDArray[np.int64], kpa: Floats) -> Iterator[bytes]:
    """A pump's log: registered, filled to last, programmed, and a frame a day with counter and pressure."""
    rate_ul_h = flow_ml_day * 1000.0 / 24.0
    full_ml = max(20.0, 30.0 * flow_ml_day)
    at = format_us(START_US)
    clinic: list[dict[str, object]] = [
        {
            "type": "pump_registered",
            "model": "matrix",
            "reservoir_ml": full_ml,
            "low_reservoir_ml": 0.1 * full_ml,
            "dead_volume_ul": 250.0,
            "min_rate_ul_h": 0.1,
            "max_rate_ul_h": 10_000.0,
            "flow_tolerance": 0.145,
            "compliance_ul_per_kpa": compliance,
            "pressure_limit_kpa": LIMIT_KPA,
        },
        {
            "type": "reservoir_filled",
            "removed_ml": None,
            "filled_ml": full_ml,
            "concentration_ug_ml": 500.0,
            "drug": "baclofen",
        },
        {"type": "program_set", "mode": "continuous", "steps": [{"minute": 0, "rate_ul_h": rate_ul_h}]},
    ]
    for number, fields in enumerate(clinic):
        yield _line({**fields, "id": f"c{number}", "source": "clinic", "at": at})
    counted = np.round((rows_us - START_US) / HOUR_US * rate_ul_h, 4)
    days = (rows_us - START_US) // DAY_US
    for day in np.unique(days).tolist():
        there = days == day
        first_us = int(rows_us[there][0])
        columns = {
            "t_s": ((rows_us[there] - first_us) / 1e6).tolist(),
            "delivered_ul": counted[there].tolist(),
            "pressure_kpa": np.round(kpa[there], 3).tolist(),
        }
        yield _line(
            {"type": "telemetry", "id": f"t{day}", "source": "device", "at": format_us(first_us), **columns}
        )


def _line(fields: dict[str, object]) -> bytes:
    return json.dumps({"v": 1, "pump": "matrix", **fields}).encode()


def judge(found: list[Cell]) -> list[Verdict]:
    """No alarm of a control, and none late but where physics is against it."""
    false = sum(cell.false for cell in found)
    owed = [cell for cell in found if cell.reason() is None]
    late = sum(len(cell.delays_h) - cell.in_time for cell in owed)
    return [
        Verdict(what="matrix, alarms of controls", asked="0", found=str(false), passed=false == 0),
        Verdict(
            what="matrix, late without a reason",
            asked="0",
            found=f"{late} of {sum(len(cell.delays_h) for cell in owed)}",
            passed=late == 0,
        ),
    ]


def table(found: list[Cell]) -> Table:
    """One line a corner."""
    shown = Table(
        title="occlusion: flow x compliance x sampling",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for head in (
        "mL/day",
        "uL/kPa",
        "min",
        "kPa/h",
        "bar h",
        "in time",
        "delay h, median / worst",
        "false",
        "how far",
    ):
        shown.add_column(head, justify="left" if head == "how far" else "right")
    for cell in found:
        late = cell.in_time < len(cell.delays_h)
        times = f"{float(np.median(cell.delays_h)) / cell.bar_h:.2g} x the bar"
        shown.add_row(
            f"{cell.flow_ml_day:g}",
            f"{cell.compliance_ul_kpa:g}",
            str(cell.period_min),
            f"{cell.slope_kpa_h:.3g}",
            f"{cell.bar_h:.3g}",
            f"{cell.in_time} of {len(cell.delays_h)}",
            f"{float(np.median(cell.delays_h)):.3g} / {max(cell.delays_h):.3g}",
            str(cell.false),
            f"{times}: {cell.reason() or 'no reason'}" if late else "",
        )
    return shown
