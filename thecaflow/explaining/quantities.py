"""What each detector knows of its pump, cause by cause: which slots of kernels.state stand for what.

The one table that has to be touched when a detector's slots change; it has every cause of the contract. Where somebody's or the
device's word decides, it is what that word is held against, and what the alert itself states.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from contract.facts import Cause
from kernels import fluid_habit
from kernels import state as s
from processors import clinical, timeline, uploads
from thecaflow.explaining import signal_quantities as signal
from thecaflow.explaining.quantity import (
    TIME,
    Quantity,
    Vector,
    habit,
    measured,
    ratio,
    root,
    slot,
    stated,
    threshold,
)

_PERCENT: Final = 100.0
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

_DAILY: Final = (
    stated("Daily dose now", "µg", "daily_ug"),
    stated("Lowest daily dose within a year", "µg", "lowest_daily_ug"),
    threshold("Alarm from a rise of more than", "µg", lambda _: clinical.TOLERANCE_REVIEW_UG),
    measured("Concentration in the reservoir", "µg/mL", s.CONCENTRATION_UG_ML),
    measured("Truly delivered / counted (the device is checked first)", "", s.RES_K),
    measured("Counted / programmed", "", ratio(s.RES_E_SENSED_UL, s.RES_E_PROGRAMMED_UL)),
)
_IMPLAUSIBLE: Final = (
    *_LIMITS,
    stated("Highest programmed rate", "µL/h", "highest_ul_h"),
    stated("Daily dose by this program", "µg", "daily_ug"),
    stated("Daily dose before", "µg", "reference_daily_ug"),
    threshold("Implausible above, of the dose before", "", lambda _: clinical.IMPLAUSIBLE_FACTOR),
)
_MOVES: Final = (*signal.MOVES, *_VOLUME)
_BATTERY: Final = (*_MOVES, threshold("From ERI to the end of service, by the maker", "d", lambda _: 90.0))
_SILENT: Final = (
    stated("Last upload", TIME, "last_upload_us"),
    stated("Alarm after a wait of", "h", "waited_h"),
    threshold("Waits for, of the usual interval of uploads", "", lambda _: uploads.WAIT_INTERVALS),
    threshold(
        "Waits for at least, where uploads come closer", "min", lambda _: uploads.SHORTEST_WAIT_US / 6e7
    ),
    measured("Last row before it", TIME, s.LAST_ROW_US),
)
_CLOCK: Final = (
    stated("The device's clock is behind by", "s", "offset_s"),
    threshold("Alarm from, either way", "s", lambda _: timeline.SKEW_US / 1e6),
)
_DEVICE: Final = (
    stated("Stated by the device", "µL", "stated_ul"),
    stated("Counted here meanwhile", "µL", "counted_ul"),
    stated("May differ by", "µL", "allowed_ul"),
    *_VOLUME,
    *signal.STALL,
)

QUANTITIES: Final[Mapping[Cause, tuple[Quantity, ...]]] = MappingProxyType(
    {
        Cause.OCCLUSION: signal.OCCLUSION,
        Cause.STARVATION: signal.STARVATION,
        Cause.LEAK: signal.LEAK,
        Cause.AIR_IN_LINE: signal.AIR,
        Cause.DRIVE_WEAR: signal.WEAR,
        Cause.MOTOR_STALL: signal.STALL,
        Cause.STALL_OVERDUE: signal.STALL,
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
        Cause.PROGRAM_IMPLAUSIBLE: _IMPLAUSIBLE,
        Cause.OVERDOSE_RISK: _DRUG_LEVEL,
        Cause.WITHDRAWAL_RISK: _DRUG_LEVEL,
        Cause.TOLERANCE_REVIEW: _DAILY,
        Cause.BATTERY_ERI: _BATTERY,
        Cause.BATTERY_EOS: _MOVES,
        Cause.SAFE_STATE: _MOVES,
        Cause.TELEMETRY_SILENT: _SILENT,
        Cause.CLOCK_SKEW: _CLOCK,
        Cause.DEVICE_DISAGREES: _DEVICE,
        Cause.MONITORING_LOST: signal.MONITORING,
        Cause.UNCLASSIFIED: signal.HEALTH,
    }
)
