"""How a pump's day is divided: one rate, steps by hour and weekday, or pulses on a base rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ingest.simulation.designs import Design
from ingest.simulation.entries import Entry

IMPLANTED: Final = ("implant", "gated")


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a pump's day is divided: shares of the mean rate by local minute, and the part given as pulses."""

    steps: tuple[tuple[int, float, tuple[int, ...] | None], ...]
    pulse_share: float
    pulse_every_s: float
    utc_offset_min: int

    def lowest(self) -> float:
        """The lowest rate of the day as a share of the mean."""
        return min(share for _, share, _ in self.steps) * (1.0 - self.pulse_share)

    def highest(self) -> float:
        """The highest rate of the day, pulses aside, as a share of the mean."""
        return max(share for _, share, _ in self.steps) * (1.0 - self.pulse_share)

    def program(self, at_us: int, rate_ul_h: float) -> Entry:
        """Make the `program_set` whose mean over a week is rate_ul_h."""
        basal = rate_ul_h * (1.0 - self.pulse_share)
        steps = [
            {"minute": minute, "rate_ul_h": round(share * basal, 4)}
            | ({"days": list(which)} if which else {})
            for minute, share, which in self.steps
        ]
        fields: dict[str, Any] = {"mode": "continuous" if len(steps) == 1 else "flex", "steps": steps}
        if len(steps) > 1 or self.pulse_share:
            fields["utc_offset_min"] = self.utc_offset_min
        if self.pulse_share:
            volume = rate_ul_h * self.pulse_share * self.pulse_every_s / 3600
            fields["periodic_bolus"] = {
                "volume_ul": round(volume, 4),
                "every_s": self.pulse_every_s,
                "duration_s": 600.0,
            }
        return Entry(at_us, "program_set", fields)


def draw_pattern(rng: np.random.Generator, design: Design) -> Pattern:
    """Constant for half of the implants and all others; else steps by hour and weekday, or pulses on a base rate."""
    flat = ((0, 1.0, None),)
    kind = rng.random()
    if design.maker not in IMPLANTED or kind < 0.5:
        return Pattern(flat, 0.0, 0.0, design.utc_offset_min)
    if kind < 0.75:
        share, every_s = float(rng.uniform(0.2, 0.5)), float(rng.choice([7200.0, 14_400.0, 21_600.0]))
        return Pattern(flat, round(share, 2), every_s, design.utc_offset_min)
    count = int(rng.integers(2, 7))
    starts = [0, *sorted(int(m) * 30 for m in rng.choice(np.arange(2, 48), count - 1, replace=False))]
    shares = rng.uniform(0.7, 1.4, count)
    lengths = np.diff([*starts, 1440])
    shares *= 1440 / float(np.dot(shares, lengths))
    steps: list[tuple[int, float, tuple[int, ...] | None]] = []
    for minute, share in zip(starts, shares, strict=True):
        if count == 3 and minute:  # some weeks have weekends: the mean stays, Saturday and Sunday have less
            steps.append((minute, float(share) * 1.04, (0, 1, 2, 3, 4)))
            steps.append((minute, float(share) * 0.9, (5, 6)))
        else:
            steps.append((minute, float(share), None))
    return Pattern(tuple(steps), 0.0, 0.0, design.utc_offset_min)
