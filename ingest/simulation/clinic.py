"""An ordinary course of treatment: fills, programs, titration, boluses, scans, scores, as a clinic would record it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from contract.times import DAY_US, HOUR_US, MINUTE_US
from ingest.simulation.clock import days, minutes
from ingest.simulation.designs import Design
from ingest.simulation.effects import Effects, Span
from ingest.simulation.entries import Entry, assessment, bolus, device_alarm, note
from ingest.simulation.labels import Label
from ingest.simulation.patterns import IMPLANTED, draw_pattern
from ingest.simulation.plant import Fill

DRUG: Final = "baclofen"
REFILL_SHARE: Final = 0.12  # of the reservoir left above the alarm level when the clinic refills


@dataclass(frozen=True, slots=True)
class Course:
    """All single events of one pump, the refills as they really were, what they do to it, and what to expect of it."""

    entries: tuple[Entry, ...]
    fills: tuple[Fill, ...]
    effects: Effects = field(default_factory=Effects)
    labels: tuple[Label, ...] = ()

    def with_entries(self, *entries: Entry) -> Course:
        """Return the course with further entries in their places."""
        return replace(self, entries=tuple(sorted((*self.entries, *entries), key=Entry.order)))


def registration(design: Design, at_us: int, upload_every_s: float) -> Entry:
    """Make the `pump_registered` event of a design."""
    fields: dict[str, Any] = {
        "model": design.model,
        "reservoir_ml": design.reservoir_ml,
        "low_reservoir_ml": design.low_reservoir_ml,
        "dead_volume_ul": design.dead_volume_ul,
        "min_rate_ul_h": design.min_rate_ul_h,
        "max_rate_ul_h": design.max_rate_ul_h,
        "flow_tolerance": design.flow_tolerance,
        "stability_days": 180,
        "high_risk": design.high_risk,
        "site": design.site,
        "upload_every_s": upload_every_s,
    }
    if design.encoder_ul_per_count is not None:
        fields["encoder_ul_per_count"] = design.encoder_ul_per_count
    if design.encoder_wrap_ul is not None:
        fields["encoder_wrap_ul"] = design.encoder_wrap_ul
    if design.compliance_registered:
        fields["compliance_ul_per_kpa"] = design.compliance_ul_per_kpa
    if design.pressure_limit_kpa is not None:
        fields["pressure_limit_kpa"] = design.pressure_limit_kpa
    return Entry(at_us, "pump_registered", fields)


def fill_entry(at_us: int, filled_ml: float, concentration_ug_ml: float) -> Entry:
    """Make a `reservoir_filled` event; what was drawn out is filled in once the plant has run."""
    fields = {"filled_ml": filled_ml, "concentration_ug_ml": concentration_ug_ml, "drug": DRUG}
    return Entry(at_us, "reservoir_filled", fields)


def continuous(at_us: int, rate_ul_h: float, **fields: Any) -> Entry:
    """Make a `program_set` of one constant rate."""
    steps = [{"minute": 0, "rate_ul_h": rate_ul_h}]
    return Entry(at_us, "program_set", {"mode": "continuous", "steps": steps, **fields})


class CourseBuilder:
    """Writes one pump's course day by day; `rate_ul_h` is the mean rate now set, `left_ml` what should be left."""

    def __init__(
        self, rng: np.random.Generator, design: Design, pump: str, start_us: int, end_us: int
    ) -> None:
        self._rng, self._design, self._pump = rng, design, pump
        self._start_us, self._end_us = start_us, end_us
        self._pattern = draw_pattern(rng, design)
        self._rate_ul_h, self._concentration = design.rate_ul_h, design.concentration_ug_ml
        self._entries: list[Entry] = []
        self._fills: list[Fill] = []
        self._stops: list[Span] = []
        self._labels: list[Label] = []
        self._left_ml = 0.0
        self._bridge_until_us = 0

    def build(
        self,
        upload_every_s: float,
        *,
        nuisances: bool,
        refills_until_us: int | None = None,
        filled_us: int | None = None,
    ) -> Course:
        """Write the whole course; `nuisances` False leaves out incidents.

        refills_until_us: from then on the reservoir is left to run down; None: never. filled_us: when somebody else writes
        a fill to the brim, after which the clinic counts from there; the concentration is then its own affair.
        """
        until_us = self._end_us if refills_until_us is None else refills_until_us
        self._begin(upload_every_s)
        incidents = self._incidents() if nuisances else {}
        titrations = set(self._spread(int(self._rng.integers(0, 3)), first_day=4))
        step_us = DAY_US if self._design.maker in IMPLANTED else HOUR_US
        for day_us in range(self._start_us, self._end_us, step_us):
            at_us = day_us + round(self._rng.uniform(0.4, 0.6) * step_us)
            # Refilling early enough for a pump that delivers at the upper end of its tolerance.
            use_ml = self._rate_ul_h * step_us / HOUR_US / 1000 * (1.0 + self._design.flow_tolerance)
            floor_ml = self._design.low_reservoir_ml + REFILL_SHARE * self._design.reservoir_ml
            day = (day_us - self._start_us) // DAY_US
            if filled_us is not None and day_us <= filled_us < day_us + step_us:
                self._left_ml = self._design.reservoir_ml
            elif self._left_ml - 2 * use_ml < floor_ml and at_us < min(until_us, self._end_us):
                self._refill(at_us, same_drug=filled_us is not None)
            elif day in incidents and at_us < self._end_us - days(1):
                incidents.pop(day)(at_us)
            elif day in titrations and at_us > self._bridge_until_us:
                titrations.discard(day)
                self._titrate(at_us)
            self._left_ml -= use_ml
        self._therapeutic_boluses()
        effects = Effects(stops=tuple(self._stops))
        entries = tuple(sorted(self._entries, key=Entry.order))
        return Course(entries, tuple(self._fills), effects, tuple(self._labels))

    def _begin(self, upload_every_s: float) -> None:
        start_us, design = self._start_us, self._design
        self._entries.append(registration(design, start_us, upload_every_s))
        self._fill(start_us + minutes(2), round(design.reservoir_ml, 2))
        if design.maker in IMPLANTED and self._rng.random() < 0.6:
            volume = round(design.dead_volume_ul, 1)
            lasting_s = max(900.0, round(volume / (0.8 * design.max_rate_ul_h) * 3600))
            self._entries.append(bolus(start_us + minutes(5), "priming", volume, lasting_s))
            self._left_ml -= volume / 1000
        self._entries.append(self._pattern.program(start_us + minutes(50), self._rate_ul_h))
        if design.maker in IMPLANTED:
            self._entries.append(
                assessment(start_us + minutes(60), "ashworth", float(self._rng.integers(1, 4)))
            )

    def _fill(self, at_us: int, filled_ml: float) -> None:
        error = float(np.clip(self._rng.normal(0.0, self._design.syringe_sd_ml), -2.5, 2.5))
        self._entries.append(fill_entry(at_us, filled_ml, self._concentration))
        self._fills.append(
            Fill(at_us, filled_ml + float(np.clip(error, -0.02 * filled_ml, 0.02 * filled_ml)))
        )
        self._left_ml = filled_ml

    def _refill(self, at_us: int, *, same_drug: bool) -> None:
        """Refill; now and then with another concentration, the dose kept, and the bridge that this needs."""
        change = (
            not same_drug
            and self._design.maker == "implant"
            and at_us > self._bridge_until_us
            and self._rng.random() < 0.25
        )
        old_rate, ratio = self._rate_ul_h, float(self._rng.choice([0.5, 2.0]))
        if change and 0.08 <= old_rate / ratio * 0.024 <= 1.0:
            self._concentration *= ratio
            self._rate_ul_h = round(old_rate / ratio, 4)
            self._fill(at_us, round(self._design.reservoir_ml, 2))
            self._entries.append(self._pattern.program(at_us + minutes(2), self._rate_ul_h))
            volume = self._design.dead_volume_ul
            lasting_s = round(volume / old_rate * 3600)
            self._entries.append(bolus(at_us + minutes(4), "bridge", volume, float(lasting_s)))
            self._bridge_until_us = at_us + (lasting_s + 3600) * 1_000_000
        else:
            self._fill(at_us, round(self._design.reservoir_ml, 2))

    def _titrate(self, at_us: int) -> None:
        """5-15 % up or, one time in four, down (domain.md, Clinical rules); the other way where the pump's limits ask for it."""
        change = float(self._rng.uniform(0.05, 0.15)) * (-1.0 if self._rng.random() < 0.25 else 1.0)
        rate_ul_h = self._rate_ul_h * (1.0 + change)
        too_low = rate_ul_h * self._pattern.lowest() < self._design.min_rate_ul_h
        if too_low or rate_ul_h * self._pattern.highest() > self._design.max_rate_ul_h:
            rate_ul_h = self._rate_ul_h * (1.0 - change)
        self._rate_ul_h = round(rate_ul_h, 4)
        self._entries.append(self._pattern.program(at_us, self._rate_ul_h))
        if self._design.maker in IMPLANTED:
            self._entries.append(assessment(at_us - minutes(20), "ashworth", float(self._rng.integers(1, 4))))

    def _spread(self, count: int, first_day: int) -> list[int]:
        last = (self._end_us - self._start_us) // DAY_US - 1
        if last <= first_day or count == 0:
            return []
        return [
            int(d)
            for d in self._rng.choice(np.arange(first_day, last), min(count, last - first_day), replace=False)
        ]

    def _incidents(self) -> dict[int, Callable[[int], None]]:
        """Which things that are no fault happen, each on a day of its own."""
        odds: list[tuple[float, Callable[[int], None]]] = [
            (0.3 if self._design.maker == "implant" else 0.0, self._scan),
            (0.15 if self._design.maker in IMPLANTED else 0.0, self._suspension),
            (0.06 if self._design.maker == "implant" else 0.0, self._minimum_rate),
            (0.15 if self._design.maker in IMPLANTED else 0.0, self._infection),
        ]
        chosen = [incident for chance, incident in odds if self._rng.random() < chance]
        return dict(zip(self._spread(len(chosen), first_day=2), chosen, strict=False))

    def _label(self, kind: str, from_us: int, to_us: int) -> None:
        self._labels.append(Label(self._pump, kind, None, from_us, to_us))

    def _scan(self, at_us: int) -> None:
        """Scan in an MRI: announced, the rotor stands while in the magnet and for some minutes after."""
        end_us = at_us + minutes(float(self._rng.uniform(40, 75)))
        stop_us = at_us + minutes(float(self._rng.uniform(3, 10)))
        go_us = end_us + minutes(float(self._rng.uniform(2, 60)))
        self._entries.append(note(at_us - minutes(30), "mri_window", at_us, end_us, "MRI of the spine"))
        self._stops.append(Span(stop_us, go_us, float(self._rng.uniform(1.2, 1.8))))
        self._entries.append(device_alarm(stop_us + minutes(20), "motor_stall", "Motor stall detected"))
        self._entries.append(device_alarm(go_us + minutes(5), "stall_recovered", "Motor stall recovery"))
        self._label("mri_window", at_us, go_us)

    def _suspension(self, at_us: int) -> None:
        end_us = at_us + minutes(float(self._rng.uniform(30, 180)))
        self._entries.append(Entry(at_us, "suspended", {"reason": "procedure"}))
        self._entries.append(Entry(end_us, "resumed", {"reason": "procedure over"}))
        self._label("suspension", at_us, end_us)

    def _minimum_rate(self, at_us: int) -> None:
        end_us = at_us + minutes(float(self._rng.uniform(60, 180)))
        fields = {"mode": "minimum_rate", "steps": []}
        self._entries.append(Entry(at_us, "program_set", fields))
        self._entries.append(self._pattern.program(end_us, self._rate_ul_h))
        self._label("minimum_rate", at_us, end_us)

    def _infection(self, at_us: int) -> None:
        end_us = at_us + days(5)
        self._entries.append(note(at_us, "infection", at_us, end_us, "Urinary infection, treated"))
        self._entries.append(assessment(at_us + MINUTE_US, "ashworth", 3.0))
        self._label("infection", at_us, end_us)

    def _therapeutic_boluses(self) -> None:
        """Let a third of the patients give themselves a bolus, up to one a day, never while the pump is interrupted."""
        if self._design.maker not in IMPLANTED or self._rng.random() > 0.33:
            return
        volume = round(float(self._rng.uniform(0.02, 0.05)) * self._design.rate_ul_h * 24, 2)
        busy = [
            (e.onset_us - HOUR_US, (e.end_us or e.onset_us) + HOUR_US)
            for e in self._labels
            if e.kind != "infection"
        ]
        busy += [
            (e.at_us - HOUR_US, e.at_us + days(6)) for e in self._entries if e.fields.get("kind") == "bridge"
        ]
        for day_us in range(self._start_us + DAY_US, self._end_us - DAY_US, DAY_US):
            at_us = day_us + round(self._rng.uniform(0.0, 0.9) * DAY_US)
            if self._rng.random() < 0.4 and not any(a <= at_us <= b for a, b in busy):
                stated = {"delivered_ul": volume} if self._rng.random() < 0.5 else {}
                self._entries.append(bolus(at_us, "therapeutic", volume, 600.0, source="device", **stated))
