"""Whether anything that a pump reports can show a fault: which channels carry it, and whether it is larger than their noise.

Physics and arithmetic only, nothing of how our detectors work: a fault that is not observable is one that no reader of
the recording could find, however clever.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from contract.times import HOUR_US
from ingest.simulation.designs import Design
from ingest.simulation.distortion import Bent, Distortion
from ingest.simulation.labels import Label
from ingest.simulation.scene import Scene

_FLOW: Final = ({"flow_ul_h"}, {"reservoir_ml"})
CARRIERS: Final[dict[str, tuple[set[str], ...]]] = {
    "occlusion": ({"pressure_kpa"},),
    "occlusion_partial": ({"pressure_kpa"},),
    "leak": ({"pressure_kpa"},),
    "stall": ({"delivered_ul"}, {"flow_ul_h"}, {"stalled"}),
    "stall_overdue": ({"delivered_ul"}, {"flow_ul_h"}, {"stalled"}),
    "starvation": ({"inlet_kpa"}, {"delivered_ul", "flow_ul_h"}),
    "air": ({"flow_ul_h"}, {"motor_ma", "vibration_g"}),
    "drive_wear": ({"motor_ma"}, {"vibration_g"}),
    "early_empty": _FLOW,
    "dry_before_alarm": _FLOW,
    "over_delivery": _FLOW,
    "under_delivery": _FLOW,
    "restart_overdose": _FLOW,
    "refill_mismatch": ({"reservoir_ml"},),
    "monitoring_lost": ({"pressure_kpa"},),
    "device_disagrees": ({"delivered_ul"},),
}
"""Each set of channels suffices by itself; a kind that is absent is told by events alone. An encoder can't see the stroke."""
_CLEAR: Final = 5.0  # [P] times the standard deviation: what nobody would take for noise


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations of what hides a fault: outlet pressure with posture and by the sensor alone, kPa; level, mL."""

    pressure_kpa: float
    sensor_kpa: float
    level_ml: float


def observable(scene: Scene, label: Label, channels: Collection[str], noise: Noise) -> bool:
    """Whether the fault of this label can be seen in these channels by the end of the recording or of the fault."""
    carriers = CARRIERS.get(label.kind)
    if carriers is None:
        return True
    if not any(needed <= set(channels) for needed in carriers):
        return False
    size = _size(scene, label, channels, noise)
    return size is None or size >= _CLEAR


def noise_of(design: Design, distortion: Distortion) -> Noise:
    """The noise of a design and of what its sensors do besides; a drift hides what is smaller than it."""
    bent = dict(distortion.bent)
    level = design.level_drift_ml**2 + design.level_noise_ml**2 + design.level_quantum_ml**2 / 12
    sensor = _sd(design.pressure_noise_kpa**2, bent.get("pressure_kpa", Bent()))
    pressure = (sensor**2 + (0.3 * design.posture_kpa) ** 2) ** 0.5
    return Noise(pressure, sensor, _sd(level, bent.get("reservoir_ml", Bent())))


def _sd(variance: float, bent: Bent) -> float:
    own = variance + bent.noise_sd**2 + bent.ripple**2 / 2 + bent.quantum**2 / 12
    return float(own**0.5 + abs(bent.drift) / _CLEAR)


def _size(scene: Scene, label: Label, channels: Collection[str], noise: Noise) -> float | None:
    """How large the fault is in standard deviations of what shows it; None where size is no question."""
    design, told = scene.design, label.parameters
    until_us = min(scene.horizon_us, scene.horizon_us if label.end_us is None else label.end_us)
    hours = max(until_us - label.onset_us, 0) / HOUR_US
    rate_ul_h = scene.rate_ul_h()
    if label.kind == "occlusion":
        blocked_h = max(hours - float(told["ramp_h"]), 0.0)
        rise_kpa = min(
            rate_ul_h * blocked_h / design.compliance_ul_per_kpa, design.slip_kpa - design.body_kpa
        )
        return rise_kpa / noise.pressure_kpa
    if label.kind == "occlusion_partial":
        return float(told["drop_kpa"]) / noise.pressure_kpa
    if label.kind == "leak":
        # The still pocket shows by its level and the resistance that is lost, or by posture that no longer comes through.
        lost_kpa = (1.0 - float(told["upstream_share"])) * design.line_kpa_h_per_ul * rate_ul_h
        step_kpa = abs(design.body_kpa + lost_kpa - float(told["pocket_kpa"]))
        return max(step_kpa / noise.pressure_kpa, design.posture_kpa / noise.sensor_kpa)
    if "flow_ul_h" in channels or label.kind not in BY_LEVEL:
        return None
    return BY_LEVEL[label.kind](design, label, rate_ul_h * hours / 1000.0) / noise.level_ml


def _off_program(design: Design, label: Label, programmed_ml: float) -> float:
    """Volume by which the delivery misses the edge of the tolerance, mL."""
    ratio = float(label.parameters.get("stroke_ratio", label.parameters.get("flow_ratio", 1.0)))
    return max(abs(ratio - 1.0) - design.flow_tolerance, 0.0) * programmed_ml


def _off_alarm(design: Design, label: Label, programmed_ml: float) -> float:
    """Volume by which the delivery passes what its own low alarm allows for, mL."""
    return max(float(label.parameters["stroke_ratio"]) - design.silent_ratio(), 0.0) * programmed_ml


def _missing(_: Design, label: Label, __: float) -> float:
    return float(label.parameters["missing_ml"])


BY_LEVEL: Final = {
    "over_delivery": _off_program,
    "under_delivery": _off_program,
    "restart_overdose": _off_program,
    "early_empty": _off_alarm,
    "dry_before_alarm": _off_alarm,
    "refill_mismatch": _missing,
}
"""Faults of volume: the level shows the sum of what is wrong, so that a slow pump's run may be too short for it."""
