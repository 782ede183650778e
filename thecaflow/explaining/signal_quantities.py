"""What the detectors of signals know of their pump: pressure, flow, current and vibration against their habits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from dashboards.console.pages.evidence import split_unit
from dashboards.console.pages.plots import CHANNEL_WORDS
from kernels import air, channels, drive, health, leak, movement, occlusion, starvation
from kernels import state as s
from kernels.units import HOUR_US
from thecaflow.explaining.quantity import (
    TIME,
    Quantity,
    Vector,
    habit,
    measured,
    ratio,
    score,
    slot,
    threshold,
)

_PERCENT: Final = 100.0


def _occlusion_beyond(x: Vector) -> float:
    return float(x[s.OCC_LAST_LOW_KPA] - x[s.OCC_TOP_KPA] - x[s.OCC_ALLOW_KPA])


def _rough_share(x: Vector) -> float:
    return float(np.sqrt(np.divide(x[s.OCC_ROUGH_KPA2], x[s.OCC_ROUGH_REF_KPA2])))


def _limit_us(x: Vector) -> float:
    left_kpa = float(x[s.PRESSURE_LIMIT_KPA] - x[s.OCC_LAST_LOW_KPA])
    slope = float(x[s.OCC_SLOPE_KPA_H])
    return float(x[s.OCC_LAST_US]) + max(left_kpa, 0.0) / slope * HOUR_US if slope > 0.0 else np.nan


OCCLUSION: Final = (
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
    measured("At the registered pressure limit", TIME, _limit_us),
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


MOVES: Final = (
    *_track(s.DRV_COUNTER, "counter"),
    measured("Measured / programmed flow", "", s.DRV_FLOW_NOW),
    habit("Measured / programmed flow, healthy", "", s.DRV_FLOW_MEAN),
)
STALL: Final = (
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
        habit("Usual length of a block", "h", slot(at + s.LOW_SPAN_US, 1.0 / HOUR_US)),
    )


LEAK: Final = (
    *_low(leak.AT, "pressure_kpa"),
    score(
        f"Log likelihood ratio, nothing moves the pressure any more (near the gauge's zero from {leak.SURE_ZONE:g})",
        s.LEAK_OUT_SCORE,
        leak.SURE,
    ),
    measured("Movement from row to row since the fall", "kPa", s.LEAK_STILL_NOW_KPA),
    habit("Least movement in health", "kPa", s.LEAK_STILL_LEAST_KPA, channel="pressure_kpa"),
    threshold("Stiller than ever below", "kPa", slot(s.LEAK_STILL_LEAST_KPA, movement.STILLER)),
)
STARVATION: Final = (
    *_low(starvation.AT, "inlet_kpa"),
    measured("Measured / programmed flow over the last rows", "", s.DRV_FLOW_NOW),
    habit("Measured / programmed flow, healthy", "", s.STV_SHARE),
    threshold("Short of flow below", "", slot(s.STV_SHARE, starvation.SHORT)),
    habit("Motor current, healthy", "mA", s.STV_MA, channel="motor_ma"),
    measured("Programmed since the onset", "µL", s.STV_ASKED_UL),
    measured("Of it not missing from the reservoir", "µL", s.STV_SHORT_UL),
)
AIR: Final = (
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


WEAR: Final = (
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


HEALTH: Final = (
    measured("Days in a row out of habit", "", s.HLT_ON_DAYS),
    threshold("Alarm from days in a row", "", lambda _: health.DAYS_ON),
    threshold("Out of habit from standard deviations", "", lambda _: health.Z),
    *_day_means(),
)


def _kept(place: int, name: str) -> tuple[Quantity, ...]:
    """Whether one channel still speaks: its silence and its standing still, in time of rows, and what bounds them."""
    at = s.CH_NOISY + place * channels.SIZE
    words = CHANNEL_WORDS[name]

    def hours(since: int) -> Callable[[Vector], float]:
        return lambda x: float(x[s.CH_CLOCK_US] - x[since]) / HOUR_US

    def stands(x: Vector) -> float:
        if np.isnan(x[at + channels.VALUE]):
            return np.nan
        stuck = int(x[s.CH_LOST]) >> (place + channels.CHANNELS) & 1  # from then on the kernel counts anew
        return beyond(x) if stuck else hours(at + channels.CHANGE_US)(x)

    def beyond(x: Vector) -> float:
        run_us = max(channels.LOST_US, channels.FACTOR * float(x[at + channels.HABIT_US]))
        return np.nan if np.isnan(x[at + channels.VALUE]) else run_us / HOUR_US

    return (
        measured(f"{words}: rows without a reading for", "h", hours(at + channels.VALID_US)),
        measured(f"{words}: the very same reading for (stuck: for at least)", "h", stands),
        threshold(f"{words}: stuck from", "h", beyond),
    )


def _silent_for(slot_us: int) -> Callable[[Vector], float]:
    return lambda x: float(x[s.CH_CLOCK_US] - x[slot_us]) / HOUR_US


MONITORING: Final = (
    threshold("Lost from rows without a reading for", "h", lambda _: channels.LOST_US / HOUR_US),
    *(one for place, name in enumerate(channels.NAMES[: channels.NOISY]) for one in _kept(place, name)),
    measured("Reservoir level: rows without a reading for", "h", _silent_for(s.CH_LEVEL_VALID_US)),
    measured("Reservoir level: stands while the program asked for", "µL", s.CH_LEVEL_RUN_UL),
    habit("Reservoir level: longest such run in health", "µL", s.CH_LEVEL_HABIT_UL),
    measured("Delivered by the encoder: rows without a reading for", "h", _silent_for(s.CH_COUNTER_VALID_US)),
    measured("Programmed since the last movement / usual largest", "", s.DRV_SCORE),
)
