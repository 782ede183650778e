"""Where a fault strikes, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from ingest.simulation.clinic import Course
from ingest.simulation.designs import Design
from ingest.simulation.effects import FOREVER_US, Effects
from ingest.simulation.entries import Entry
from ingest.simulation.labels import Label, withdrawal_us

Outcome: TypeAlias = tuple[Course, Effects, Label]

DELIVERY_STOPS: Final = ("withdrawal_risk", "under_delivery", "device_disagrees", "refill_mismatch")
"""What truly follows when drug no longer reaches the patient: right beside the cause itself."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The pump, its design and course so far, and from when until when (`end_us` None: for good)."""

    pump: str
    design: Design
    course: Course
    onset_us: int
    end_us: int | None
    horizon_us: int
    rng: np.random.Generator

    @property
    def until_us(self) -> int:
        """End of the fault, in the far future if it lasts."""
        return FOREVER_US if self.end_us is None else self.end_us

    def lasting(self, low_us: float, high_us: float) -> int:
        """End of a fault that passes by itself: the one asked for, else after a time between low and high."""
        return (
            self.onset_us + round(self.rng.uniform(low_us, high_us)) if self.end_us is None else self.end_us
        )

    def rate_ul_h(self) -> float:
        """Mean programmed rate of the program at the onset."""
        programs = [e for e in self.course.entries if e.kind == "program_set" and e.at_us <= self.onset_us]
        return mean_rate_ul_h(programs[-1]) if programs else self.design.rate_ul_h

    def concentration_ug_ml(self) -> float:
        """What is in the reservoir at the onset."""
        fills = [e for e in self.course.entries if e.kind == "reservoir_filled" and e.at_us <= self.onset_us]
        return float(fills[-1].fields["concentration_ug_ml"]) if fills else self.design.concentration_ug_ml

    def label(self, cause: str | None, kind: str, *, end_us: int | None = None, **rest: Any) -> Label:
        """Label of this scene; `end_us` where the fault itself decides it, `rest` goes to Label."""
        until_us = self.end_us if end_us is None else end_us
        return Label(self.pump, kind, cause, self.onset_us, until_us, **rest)

    def withdrawal(self, stop_us: int, end_us: int | None = None) -> tuple[int, int] | None:
        """Harm when no drug comes from stop_us on; None if delivery is back before the first signs."""
        until_us = self.end_us if end_us is None else end_us
        harm = withdrawal_us(stop_us)
        return None if until_us is not None and harm is not None and harm[0] >= until_us else harm


def mean_rate_ul_h(program: Entry) -> float:
    """Mean flow of a `program_set` over a week, pulses included, uL/h."""
    fields = program.fields
    week = sorted(
        (day * 1440 + s["minute"], s["rate_ul_h"]) for s in fields["steps"] for day in s.get("days", range(7))
    )
    if not week:
        return 0.0
    ends = [minute for minute, _ in week[1:]] + [week[0][0] + 7 * 1440]
    basal = sum(rate * (end - begin) for (begin, rate), end in zip(week, ends, strict=True)) / (7 * 1440)
    pulse = fields.get("periodic_bolus")
    return float(basal + (pulse["volume_ul"] * 3600 / pulse["every_s"] if pulse else 0.0))


def scaled_program(program: Entry, ratio: float) -> Entry:
    """Multiply every flow of a `program_set`."""
    steps = [{**step, "rate_ul_h": round(step["rate_ul_h"] * ratio, 4)} for step in program.fields["steps"]]
    fields = {**program.fields, "steps": steps}
    pulse = program.fields.get("periodic_bolus")
    if pulse:
        fields["periodic_bolus"] = {**pulse, "volume_ul": round(pulse["volume_ul"] * ratio, 4)}
    return replace(program, fields=fields)
