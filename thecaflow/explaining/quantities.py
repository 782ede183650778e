"""What each detector knows of its pump, cause by cause: which slots of kernels.state stand for what.

The one table that has to be touched when a detector's slots change. A cause without an entry is decided by what somebody
or the device says (a battery, a program, a refill): its evidence is all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from contract.facts import Cause
from dashboards.console.pages.evidence import split_unit
from dashboards.console.pages.plots import CHANNEL_WORDS
from kernels import air, drive, fluid_habit, health, leak, lows, occlusion, starvation
from kernels import state as s
from thecaflow.explaining.quantity import (
    TIME,
    Quantity,
    Vector,
    habit,
    measured,
    ratio,
    root,
    score,
    slot,
    threshold,
)

_PERCENT: Final = 100.0


def _occlusion_beyond(x: Vector) -> float:
    return float(x[s.OCC_LAST_LOW_KPA] - x[s.OCC_TOP_KPA] - x[s.OCC_ALLOW_KPA])


def _rough_share(x: Vector) -> float:
    return float(np.sqrt(np.divide(x[s.OCC_ROUGH_KPA2], x[s.OCC_ROUGH_REF_KPA2])))


_OCCLUSION: Final = (
    measured("Outlet pressure, the smaller of two readings", "kPa", s.OCC_LAST_LOW_KPA),
    habit("Healthy centre", "kPa", s.OCC_BASE_KPA, channel="pressure_kpa"),
    habit("Top of the healthy envelope", "kPa", s.OCC_TOP_KPA, channel="pressure_kpa"),
    threshold(
        "Threshold by the spread of healthy periods", "kPa", s.OCC_THRESHOLD_KPA, channel="pressure_kpa"
    ),
    measured("Added for a flow not seen before", "kPa", s.OCC_ALLOW_KPA),
    measured("Above the top of the envelope", "kPa", _occlusion_beyond),
    score("Rise without its two largest jumps, as a share of top to threshold", s.OCC_SCORE, occlusion.SHAPE),
    measured("Slope", "kPa/h", s.OCC_SLOPE_KPA_H),
    measured("Compliance by that slope", "µL/kPa", s.OCC_COMPLIANCE_UL_KPA),
    habit("Compliance as registered", "µL/kPa", s.COMPLIANCE_UL_PER_KPA),
    measured("At the registered pressure limit", TIME, s.OCC_LIMIT_US),
    measured("Roughness from row to row, share of the healthy one", "", _rough_share),
    measured("Measured / programmed flow", "", s.OCC_SENSED_NOW),
    habit("Measured / programmed flow, healthy", "", s.OCC_SENSED_MEAN),
)


def _track(number: int, channel: str) -> tuple[Quantity, ...]:
    """What one channel says of the motor: programmed since it last moved against its habit."""
    asked, usual = number + drive.ASKED_UL, number + drive.HABIT_UL

    def seen(at: int, factor: float = 1.0) -> Callable[[Vector], float]:
        return lambda x: factor * float(x[at]) if x[number + drive.MOVED] else np.nan

    return (
        measured(f"Programmed since the {channel} last moved", "µL", seen(asked)),
        habit(f"Usual largest between its movements ({channel})", "µL", seen(usual)),
        threshold(f"Beyond habit from ({channel})", "µL", seen(usual, drive.STALL)),
        measured(f"Readings since then ({channel})", "", seen(number + drive.READINGS)),
    )


_STALL: Final = (
    score("Programmed since the last movement / usual largest", s.DRV_SCORE, drive.STALL),
    *_track(s.DRV_COUNTER, "counter"),
    *_track(s.DRV_FLOW, "flow"),
    *_track(s.DRV_CURRENT, "current"),
    measured("Measured / programmed flow", "", s.DRV_FLOW_NOW),
    habit("Measured / programmed flow, healthy", "", s.DRV_FLOW_MEAN),
    threshold("No flow below", "", slot(s.DRV_FLOW_MEAN, drive.NONE_SHARE)),
    measured("Motor current over the last rows", "mA", s.DRV_MA_NOW),
    habit("Motor current while it runs", "mA", s.DRV_MA_MEAN, channel="motor_ma"),
    habit("Motor current while it is off", "mA", s.DRV_MA_OFF, channel="motor_ma"),
    measured("Rows in a row in which the device states a stall", "", s.DRV_STATED),
)


def _low(at: int, channel: str) -> tuple[Quantity, ...]:
    """How low a channel goes while all is well."""
    return (
        measured("Mean of the last block", "kPa", at + s.LOW_LAST),
        habit("Healthy mean", "kPa", at + s.LOW_BASE, channel=channel),
        habit("Healthy bottom", "kPa", at + s.LOW_BOTTOM, channel=channel),
        threshold("Out of habit below", "kPa", at + s.LOW_LIMIT, channel=channel),
        measured("Below the limit", "kPa", lambda x: float(x[at + s.LOW_LIMIT] - x[at + s.LOW_LAST])),
        measured("Blocks below the limit", "", at + s.LOW_OUT_N),
        habit("Usual length of a block", "h", slot(at + s.LOW_SPAN_US, 1.0 / lows.HOUR_US)),
    )


_LEAK: Final = (
    *_low(leak.AT, "pressure_kpa"),
    score(
        f"Log likelihood ratio, nothing moves the pressure any more (near the gauge's zero from {leak.SURE_ZONE:g})",
        s.LEAK_OUT_SCORE,
        leak.SURE,
    ),
)
_STARVATION: Final = (
    *_low(starvation.AT, "inlet_kpa"),
    measured("Measured / programmed flow over the last rows", "", s.DRV_FLOW_NOW),
    habit("Measured / programmed flow, healthy", "", s.STV_SHARE),
    threshold("Short of flow below", "", slot(s.STV_SHARE, starvation.SHORT)),
    habit("Motor current, healthy", "mA", s.STV_MA, channel="motor_ma"),
    measured("Programmed since the onset", "µL", s.STV_ASKED_UL),
    measured("Of it not missing from the reservoir", "µL", s.STV_SHORT_UL),
)
_AIR: Final = (
    score("Second largest evidence / threshold", s.AIR_SCORE, 1.0),
    habit("Largest healthy evidence, fading", "sd", s.AIR_TOP),
    measured("Measured / programmed flow", "", s.AIR_FLOW_NOW),
    habit("Measured / programmed flow, usual", "", s.AIR_FLOW_MEAN),
    measured("Motor current", "mA", s.AIR_MA_NOW),
    habit("Motor current, usual", "mA", s.AIR_MA, channel="motor_ma"),
    measured("Vibration", "g", s.AIR_VIBRATION_NOW),
    habit("Vibration, usual", "g", s.AIR_VIBRATION, channel="vibration_g"),
    *(
        measured(
            f"Roughness of the {words}, share of the usual one",
            "",
            ratio(s.AIR_ROUGH + place, s.AIR_ROUGH_HABIT + place),
        )
        for place, words in (
            (air.FLOW, "flow"),
            (air.CURRENT, "current"),
            (air.VIBRATION, "vibration"),
            (air.PRESSURE, "pressure"),
        )
    ),
)


def _wear_track(track: int, words: str, unit: str, channel: str) -> tuple[Quantity, ...]:
    """By how much one channel rose since it began to rise."""
    at = s.WEAR_TRACKS + track * s.WEAR_TRACK_SIZE
    return (
        measured(f"Mean {words} of the last day", unit, at + s.WEAR_LAST, channel=channel),
        measured(f"Rise of the {words} so far", "%", slot(at + s.WEAR_RISE, _PERCENT)),
        habit(
            f"Usual change of the {words} from day to day",
            "%",
            lambda x: _PERCENT * float(np.sqrt(x[at + s.WEAR_VAR1])),
        ),
    )


_WEAR: Final = (
    score("Rise / threshold", s.WEAR_SCORE, 1.0),
    habit("Days learned from", "", s.WEAR_DAYS),
    *_wear_track(0, "current", "mA", "motor_ma"),
    *_wear_track(1, "vibration", "g", "vibration_g"),
    *_wear_track(2, "second vibration", "g", "vibration2_g"),
)


def _day_means() -> tuple[Quantity, ...]:
    """The usual day mean of each channel, and its deviation."""
    told: list[Quantity] = []
    for place, name in enumerate(s.HLT_CHANNELS):
        channel = name if name in CHANNEL_WORDS else None
        words, unit = CHANNEL_WORDS.get(name, "Measured / programmed flow"), split_unit(name)[1]
        told += (
            habit(f"{words}: usual day mean", unit, s.HLT_MEAN + place, channel=channel),
            habit(f"{words}: mean deviation of day means", unit, s.HLT_DEV + place),
        )
    return tuple(told)


_HEALTH: Final = (
    measured("Days in a row out of habit", "", s.HLT_ON_DAYS),
    threshold("Alarm from days in a row", "", lambda _: health.DAYS_ON),
    threshold("Out of habit from standard deviations", "", lambda _: health.Z),
    *_day_means(),
)

# ------------------------------------------------------------------------------------------- volumes and the level

_VOLUME: Final = (
    measured("Estimated volume left", "mL", slot(s.RES_V_UL, 1e-3), channel="reservoir_ml"),
    measured("Standard deviation of the volume", "mL", lambda x: 1e-3 * float(np.sqrt(x[s.RES_VV]))),
    measured(
        "Volume left by the device's own arithmetic",
        "mL",
        slot(s.RES_DEVICE_UL, 1e-3),
        channel="reservoir_ml",
    ),
    threshold("The device's alarm level", "mL", s.LOW_RESERVOIR_ML, channel="reservoir_ml"),
)
_RATIO: Final = (
    measured("Truly delivered / counted", "", s.RES_K),
    measured("Standard deviation of delivered / counted", "", root(s.RES_KK)),
    measured("Counted / programmed", "", ratio(s.RES_E_SENSED_UL, s.RES_E_PROGRAMMED_UL)),
    habit("Tolerance as registered", "%", slot(s.FLOW_TOLERANCE, _PERCENT)),
    measured("Offset of the level sensor", "mL", slot(s.RES_O_UL, 1e-3)),
    measured("Evidence for a growth of the ratio", "", s.RES_SHIFT_SCORE),
)


def _tolerance_edge(x: Vector) -> float:
    return 1.0 + float(x[s.FLOW_TOLERANCE])


def _dose_level(fast: int, words: str) -> tuple[Quantity, ...]:
    """One bound of the half-life: level against what is usual for this patient."""
    level = s.FLU_LEVEL_UG_H + (fluid_habit.FAST if fast == 0 else fluid_habit.SLOW)
    return (
        measured(f"Drug level x clearance, {words}", "µg/h", level),
        habit(f"Usual lowest of a day, {words}", "µg/h", s.FLU_TROUGH_UG_H + fast),
        habit(f"Usual highest of a day, {words}", "µg/h", s.FLU_PEAK_UG_H + fast),
    )


def _low_share(x: Vector) -> float:
    return fluid_habit.LOW_SHARE_HIGH_RISK if x[s.FLU_HIGH_RISK] else fluid_habit.LOW_SHARE


_DRUG_LEVEL: Final = (
    *_dose_level(0, f"half-life {fluid_habit.HALF_LIFE_H[fluid_habit.FAST]:g} h"),
    *_dose_level(1, f"half-life {fluid_habit.HALF_LIFE_H[fluid_habit.SLOW]:g} h"),
    habit("Usual mean dose", "µg/h", s.FLU_HABIT_UG_H),
    measured("Mean dose of the last closed block", "µg/h", s.FLU_RATE_UG_H),
    threshold("Low below, of the usual lowest", "%", lambda x: _PERCENT * _low_share(x)),
    threshold("Over above, of the usual highest", "%", lambda _: _PERCENT * fluid_habit.OVER),
    measured("Low since", TIME, s.FLU_LOW_US),
    measured("Over since", TIME, s.FLU_OVER_US),
)
_RESTART: Final = (
    measured("Restarted", TIME, s.RST_SINCE_US),
    measured("Counted beyond the tolerance", "µL", s.RST_SENSED_UL),
    measured("Measured flow beyond the tolerance", "µL", s.RST_FLOW_UL),
    threshold("Says nothing yet up to", "µL", s.RST_SLACK_UL),
    habit("Measured / counted flow before", "", s.RST_FLOW_HABIT),
)
_REFILL: Final = (
    *_VOLUME,
    score("What was drawn out against the estimate, in standard deviations", s.RES_FILL_Z),
    measured("Level reading less estimate after the fill", "mL", slot(s.FILL_ERROR_UL, 1e-3)),
    measured("Level readings since the fill", "", s.FILL_ROWS),
)
_CONCENTRATION: Final = (
    measured("Concentration in the reservoir", "µg/mL", s.CONCENTRATION_UG_ML),
    measured("Dead volume of tubing and catheter", "µL", s.DEAD_VOLUME_UL),
    measured("Oldest drug in it, nearest to the tip", "µL", s.PLUGS),
    measured("Its concentration", "µg/mL", s.PLUGS + 1),
)
_LIMITS: Final = (
    threshold("Lowest rate as registered", "µL/h", s.MIN_RATE_UL_H),
    threshold("Highest rate as registered", "µL/h", s.MAX_RATE_UL_H),
    measured("Concentration in the reservoir", "µg/mL", s.CONCENTRATION_UG_ML),
)

QUANTITIES: Final[Mapping[Cause, tuple[Quantity, ...]]] = MappingProxyType(
    {
        Cause.OCCLUSION: _OCCLUSION,
        Cause.STARVATION: _STARVATION,
        Cause.LEAK: _LEAK,
        Cause.AIR_IN_LINE: _AIR,
        Cause.DRIVE_WEAR: _WEAR,
        Cause.MOTOR_STALL: _STALL,
        Cause.STALL_OVERDUE: _STALL,
        Cause.RESTART_OVERDOSE: _RESTART,
        Cause.OVER_DELIVERY: (*_RATIO, threshold("Outside tolerance above", "", _tolerance_edge)),
        Cause.UNDER_DELIVERY: (
            *_RATIO,
            threshold("Outside tolerance below", "", lambda x: 2.0 - _tolerance_edge(x)),
        ),
        Cause.DRY_BEFORE_ALARM: (*_VOLUME, *_RATIO),
        Cause.RESERVOIR_LOW: _VOLUME,
        Cause.RESERVOIR_EMPTY: _VOLUME,
        Cause.REFILL_DUE: _VOLUME,
        Cause.REFILL_MISMATCH: _REFILL,
        Cause.BRIDGE_MISSING: _CONCENTRATION,
        Cause.PROGRAM_IMPLAUSIBLE: _LIMITS,
        Cause.OVERDOSE_RISK: _DRUG_LEVEL,
        Cause.WITHDRAWAL_RISK: _DRUG_LEVEL,
        Cause.UNCLASSIFIED: _HEALTH,
    }
)
