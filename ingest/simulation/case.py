"""One pump, ready to be played: design, course, plant, effects, labels, with what follows from the plant filled in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from contract.times import DAY_US, SECOND_US, format_us
from ingest.simulation.clinic import Course
from ingest.simulation.clock import stream
from ingest.simulation.designs import Design
from ingest.simulation.distortion import Distortion
from ingest.simulation.effects import Effects
from ingest.simulation.entries import Entry, device_alarm
from ingest.simulation.labels import Label
from ingest.simulation.plant import Plant, run_plant
from ingest.simulation.programs import StepFlow, programmed_flow
from ingest.simulation.running_low import runs_low, with_dry_harm, with_low_onset
from ingest.simulation.tip import with_narrow_harm

_STATING_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Uplink:
    """How rows travel: sampled every period_us, sent every upload_us; shares of late and doubled uploads and lost rows."""

    period_us: int
    upload_us: int
    late_share: float = 0.03
    doubled_share: float = 0.02
    lost_row_share: float = 0.001
    latency_s: float = 8.0
    in_step: bool = False
    """True: the first upload is one interval after the start (else each pump has a phase of its own)."""


@dataclass(frozen=True, slots=True)
class PumpCase:
    """All that is decided about one pump before its rows are read."""

    seed: int
    index: int
    pump: str
    design: Design
    entries: tuple[Entry, ...]
    effects: Effects
    plant: Plant
    labels: tuple[Label, ...]
    uplink: Uplink
    start_us: int
    end_us: int
    distortion: Distortion | None = None


def assemble(
    seed: int,
    index: int,
    pump: str,
    design: Design,
    course: Course,
    effects: Effects,
    uplink: Uplink,
    span_us: tuple[int, int],
) -> PumpCase:
    """Run the plant, then write down what it decides: drawn volumes, the device's own alarms, a reservoir that runs low or dry."""
    start_us, end_us = span_us
    all_effects = course.effects + effects
    first_us = min(start_us, min((entry.at_us for entry in course.entries), default=start_us))
    programmed = programmed_flow(course.entries, first_us, end_us, design.min_rate_ul_h)
    plant = run_plant(programmed, design, all_effects, course.fills)
    entries = _with_drawn_volumes(course.entries, plant, design, stream(seed, index, "drawn"))
    stated = _stated_volumes(plant, design, start_us, end_us, stream(seed, index, "stated"))
    alarms = _reservoir_alarms(entries, programmed, design)
    entries = tuple(sorted((*entries, *alarms, *stated), key=Entry.order))
    entries = tuple(entry for entry in entries if entry.at_us <= end_us)
    labels = tuple(
        with_dry_harm(with_low_onset(label, plant, design), plant, end_us) for label in course.labels
    )
    labels = tuple(with_narrow_harm(label, plant, design, all_effects, end_us) for label in labels)
    labels += runs_low(pump, plant, design, end_us)
    return PumpCase(seed, index, pump, design, entries, all_effects, plant, labels, uplink, start_us, end_us)


def _with_drawn_volumes(
    entries: tuple[Entry, ...], plant: Plant, design: Design, rng: np.random.Generator
) -> tuple[Entry, ...]:
    """`removed_ml` of each refill: what was left, as read off a syringe; null at the first fill."""
    written: list[Entry] = []
    fills = 0
    for entry in entries:
        if entry.kind != "reservoir_filled":
            written.append(entry)
            continue
        drawn = None
        if fills:
            error_ml = float(
                np.clip(rng.normal(0.0, design.syringe_sd_ml), -2.5 * design.syringe_sd_ml, None)
            )
            drawn = round(max(plant.removed_ul[fills - 1] / 1000 + error_ml, 0.0), 2)
        written.append(replace(entry, fields={"removed_ml": drawn, **entry.fields}))
        fills += 1
    return tuple(written)


def _reservoir_alarms(entries: tuple[Entry, ...], programmed: StepFlow, design: Design) -> list[Entry]:
    """List the device's own low and empty alarms, which it works out from the programmed rate alone (domain.md, Pumps)."""
    fills = [entry for entry in entries if entry.kind == "reservoir_filled"]
    volumes = programmed.volumes_ul()
    alarms: list[Entry] = []
    for number, fill in enumerate(fills):
        until_us = fills[number + 1].at_us if number + 1 < len(fills) else int(programmed.edges_us[-1])
        at_fill = float(np.interp(fill.at_us, programmed.edges_us, volumes))
        filled_ul = 1000.0 * fill.fields["filled_ml"]
        for code, level_ul in (("low_reservoir", 1000.0 * design.low_reservoir_ml), ("empty_reservoir", 0.0)):
            reached = at_fill + filled_ul - level_ul
            if reached >= volumes[-1]:
                continue
            at_us = int(np.interp(reached, volumes, programmed.edges_us)) // SECOND_US * SECOND_US + SECOND_US
            if at_us < until_us:
                alarms.append(device_alarm(at_us, code, code.replace("_", " ").capitalize()))
    return alarms


def _stated_volumes(
    plant: Plant, design: Design, first_us: int, end_us: int, rng: np.random.Generator
) -> list[Entry]:
    """State, for a fifth of the pumps that count, the volume of each week by the device's own count."""
    if design.maker == "founding" or design.encoder_ul_per_count is None or rng.random() >= _STATING_SHARE:
        return []
    weeks = np.arange(first_us, end_us, 7 * DAY_US, dtype=np.int64)
    counted = np.diff(plant.motor_at(weeks))
    return [
        Entry(
            int(to_us),
            "volume_reported",
            {
                "ledger": "delivered",
                "value_ul": round(float(volume), 2),
                "from": format_us(from_us),
                "to": format_us(to_us),
            },
            source="device",
        )
        for from_us, to_us, volume in zip(weeks[:-1].tolist(), weeks[1:].tolist(), counted, strict=True)
    ]
