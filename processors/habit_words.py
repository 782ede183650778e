"""Air, drive wear and what has no name, in words: which habits of the pump are lost, since when, by how much."""

from __future__ import annotations

import math
from typing import Final

from contract.facts import Cause
from kernels import health
from kernels import state as s
from processors.alerts import Condition
from processors.pump_state import PumpState

AIR_TEXT: Final = (
    "Flow, load, vibration or pulsation of the pump lost their habits together, as with air in the pump or its tubing: less is"
    " delivered than counted. Look for bubbles, at connections and at the reservoir; prime if they are found."
)
WEAR_TEXT: Final = (
    "The drive needs more current or shakes more from day to day at the same flow, as with worn gears or bearings. Delivery is"
    " still as it was: plan a look at the pump."
)
UNCLASSIFIED_TEXT: Final = "Something changed for days and the evidence does not name a cause: {channels}. Check the pump and its sensors."
_CHANNEL_WORDS: Final = {
    "flow_share": "flow",
    "motor_ma": "motor current",
    "vibration_g": "vibration",
    "vibration2_g": "second vibration",
    "pressure_kpa": "outlet pressure",
    "inlet_kpa": "inlet pressure",
    "motor_v": "motor voltage",
    "battery_v": "battery voltage",
}
_NAMES_NOTHING: Final = frozenset(
    {
        Cause.UNCLASSIFIED,
        Cause.TOLERANCE_REVIEW,
        Cause.REFILL_DUE,
        Cause.CLOCK_SKEW,
        Cause.TELEMETRY_SILENT,
        Cause.DRY_BEFORE_ALARM,
        Cause.RESERVOIR_LOW,
    }
)


def _finite(**told: float) -> dict[str, float]:
    return {name: number for name, number in told.items() if math.isfinite(number)}


def _onset_us(raw_us: float, at_us: int) -> int:
    return at_us if math.isnan(raw_us) else min(round(raw_us), at_us)


def air_condition(state: PumpState, level: int, at_us: int) -> Condition:
    """Medium: each channel now, as a share of its habit."""
    if level == 0:
        return Condition(cause=Cause.AIR_IN_LINE, at_us=at_us, level=0)
    x = state.x
    rough = s.AIR_ROUGH, s.AIR_ROUGH_HABIT
    told = _finite(
        score=float(x[s.AIR_SCORE]),
        flow_share=float(x[s.AIR_FLOW_NOW] / x[s.AIR_FLOW_MEAN]),
        current_share=float(x[s.AIR_MA_NOW] / x[s.AIR_MA]),
        vibration_share=float(x[s.AIR_VIBRATION_NOW] / x[s.AIR_VIBRATION]),
        flow_roughness=float(x[rough[0]] / x[rough[1]]),
        vibration_roughness=float(x[rough[0] + 2] / x[rough[1] + 2]),
        pressure_roughness=float(x[rough[0] + 3] / x[rough[1] + 3]),
    )
    onset_us = _onset_us(float(x[s.AIR_ONSET_US]), at_us)
    return Condition(
        cause=Cause.AIR_IN_LINE,
        at_us=at_us,
        level=level,
        text=AIR_TEXT,
        evidence={**told, "onset_us": onset_us},
    )


def wear_condition(state: PumpState, level: int, at_us: int) -> Condition:
    """Low: by how much each channel rose."""
    if level == 0:
        return Condition(cause=Cause.DRIVE_WEAR, at_us=at_us, level=0)
    x = state.x
    names = ("current_rise", "vibration_rise", "vibration2_rise")
    told = {"score": float(x[s.WEAR_SCORE])}
    for track, name in enumerate(names):
        slot = s.WEAR_TRACKS + track * s.WEAR_TRACK_SIZE
        if not math.isnan(x[slot + s.WEAR_LAST]):
            told[name] = float(x[slot + s.WEAR_RISE])
    onset_us = _onset_us(float(x[s.WEAR_ONSET_US]), at_us)
    return Condition(
        cause=Cause.DRIVE_WEAR,
        at_us=at_us,
        level=level,
        text=WEAR_TEXT,
        evidence={**told, "onset_us": onset_us},
    )


def unclassified_condition(state: PumpState, level: int, at_us: int) -> Condition:
    """Low, and only where no open alert names a cause: the channels that moved, in their deviations from habit."""
    named = any(alert.on and cause not in _NAMES_NOTHING for cause, alert in state.book.alerts.items())
    if level == 0 or named:
        return Condition(cause=Cause.UNCLASSIFIED, at_us=at_us, level=0)
    x = state.x
    bits = int(x[s.HLT_MOVED])
    moved = [name for bit, name in enumerate(s.HLT_CHANNELS[: health.BODY]) if bits >> bit & 1]
    words = ", ".join(_CHANNEL_WORDS[name] for name in moved)
    usual = {f"usual_{name}": float(x[s.HLT_MEAN + s.HLT_CHANNELS.index(name)]) for name in moved}
    return Condition(
        cause=Cause.UNCLASSIFIED,
        at_us=at_us,
        level=level,
        text=UNCLASSIFIED_TEXT.format(channels=words),
        evidence={"channels": moved, "days": float(x[s.HLT_ON_DAYS]), **usual},
    )
