"""Reservoirs that run low or dry, by the plant's truth: when faults that are about that begin, their harm, and all other times."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from contract.times import DAY_US, MINUTE_US, format_us
from ingest.simulation.designs import Design
from ingest.simulation.labels import Label, withdrawal_us
from ingest.simulation.plant import Plant
from ingest.simulation.programs import Times

_HARM_BY_DRYNESS: Final = ("early_empty", "dry_before_alarm", "missed_refill", "founding")
_ONSET_BY_LEVEL: Final = ("missed_refill", "founding")
_SYRINGE_SHARE: Final = 0.02  # largest error of a filling, as the clinic makes it (clinic._fill)
_STROKE_CHANNELS: Final = {"flow_ul_h", "reservoir_ml"}
LOW_MEANS: Final = ("reservoir_low", "refill_due")
DRY_MEANS: Final = (
    *LOW_MEANS,
    "reservoir_empty",
    "withdrawal_risk",
    "under_delivery",
    "starvation",
    "device_disagrees",
)
"""What is true of a pump that is dry: nothing comes in at its inlet or out at its tip, though its counter goes on."""


def _margin_ml(design: Design) -> float:
    """How well anybody can say what is left: as a syringe is read; without a sensor of the stroke, as the tolerance is known."""
    seen = _STROKE_CHANNELS & set(design.channels)
    return (_SYRINGE_SHARE if seen else max(design.flow_tolerance, _SYRINGE_SHARE)) * design.reservoir_ml


def with_low_onset(label: Label, plant: Plant, design: Design) -> Label:
    """Begin the label of a pump that just runs down when its reservoir reaches the alarm level."""
    if label.kind not in _ONSET_BY_LEVEL or label.cause is None:
        return label
    times = np.arange(label.onset_us, plant.edges_us[-1], MINUTE_US, dtype=np.int64)
    margin_ml = _margin_ml(design) if label.kind == "missed_refill" else 0.0  # the founding case has no error
    nearly_us = _reached(plant, times, 1000.0 * (design.low_reservoir_ml + margin_ml))
    clearly_us = _reached(plant, times, 1000.0 * max(design.low_reservoir_ml - margin_ml, 0.0))
    if nearly_us is None or clearly_us is None:
        return replace(label, cause=None, also=())  # a run that ends before has nothing that must be found
    return replace(label, onset_us=nearly_us)


def with_dry_harm(label: Label, plant: Plant, end_us: int) -> Label:
    """Harm of a pump that runs dry: withdrawal after the reservoir's end, carried past the run at its last flow."""
    if label.kind not in _HARM_BY_DRYNESS or label.cause is None:
        return label
    dry = [at_us for at_us in plant.dry_us if at_us >= label.onset_us]
    if dry:
        dry_us = dry[0]
    else:
        now = np.array([end_us], np.int64)
        # The day before the end stands for the flow to come: pulses and steps are then in proportion.
        per_us = float((plant.pumped_at(now) - plant.pumped_at(now - DAY_US))[0]) / DAY_US
        if per_us <= 0.0:
            return label
        dry_us = end_us + round(float(plant.reservoir_at(now)[0]) / per_us)
    dry_fields = {**label.parameters, "dry_at": format_us(dry_us)}
    return replace(label, harm_us=withdrawal_us(dry_us), parameters=dry_fields)


def runs_low(pump: str, plant: Plant, design: Design, end_us: int) -> tuple[Label, ...]:
    """Each time that the reservoir truly is at the alarm level, or dry, until it is filled again: then that may be said."""
    labels: list[Label] = []
    ends = [*plant.fill_us[1:].tolist(), end_us]
    for filled_us, until_us in zip(plant.fill_us.tolist(), ends, strict=True):
        times = np.arange(filled_us, until_us, MINUTE_US, dtype=np.int64)
        for kind, level_ml, means in (
            ("runs_low", design.low_reservoir_ml, LOW_MEANS),
            ("runs_dry", 0.0, DRY_MEANS),
        ):
            since_us = _reached(plant, times, 1000.0 * (level_ml + _SYRINGE_SHARE * design.reservoir_ml))
            if since_us is not None:
                labels.append(Label(pump, kind, None, since_us, until_us, also=means))
    return tuple(labels)


def _reached(plant: Plant, times_us: Times, level_ul: float) -> int | None:
    low = np.flatnonzero(plant.reservoir_at(times_us) <= level_ul)
    return int(times_us[low[0]]) if low.size else None
