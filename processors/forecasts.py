"""Forecasts: when the reservoir runs dry, when the device itself will say so, when a refill is due; and their alerts.

All from the reservoir filter's estimate (kernels.reservoir) and the present program, which is assumed to go on; empty is
0 mL. The caller has moved the ledgers to the time of the forecast, on a copy at a deadline.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from contract.facts import DRY_HIGH_WITHIN_US, Cause, EmptyAt, Forecast, Priority, RefillReason
from contract.times import DAY_US
from kernels import dose, reservoir
from kernels import state as s
from processors import conformal, delivery, risk
from processors.alerts import Condition, is_on
from processors.pump_state import PumpState, whole_us

FAR_US: Final = round(3652.5 * DAY_US)  # contract: null times beyond ten years
DRY_ON, DRY_OFF = 0.5, 0.2  # contract, dry_before_alarm
DRY_ON_DELAY: Final = 8  # of the time to the early dry date, one part
REFILL_AHEAD_US: Final = 14 * DAY_US  # contract, refill_due
_CERTAIN: Final = 1.959963984540054  # standard deviations of a two-sided 95 % interval


def foresee(state: PumpState, at_us: int) -> tuple[Forecast, PumpState]:
    """The forecast at `at_us`, and the state that remembers when the device's alarm sounds (kept once it is past)."""
    ratio = delivery.flow_ratio(state)
    empty_us = empty_times(state, at_us)
    alarm_us, dry = device_alarm(state, at_us)
    if dry is not None:
        dry = state.conformal.probability(dry)
    low_us = _low_at(state, at_us)
    due_us, reason = refill_due(state, at_us, low_us)
    forecast = Forecast(
        pump=state.pump,
        at_us=at_us,
        flow_ratio=ratio,
        empty_at=EmptyAt(p05_us=empty_us[0], p50_us=empty_us[1], p95_us=empty_us[2]),
        device_alarm_at_us=alarm_us,
        dry_before_alarm=dry,
        refill_due_us=due_us,
        refill_due_reason=reason,
    )
    return forecast, replace(state, device_alarm_us=alarm_us, low_us=low_us, empty_us=empty_us)


def empty_times(state: PumpState, at_us: int) -> tuple[int | None, int | None, int | None]:
    """When the reservoir is empty with probability 5, 50 and 95 %; one that is past stays where it was last seen ahead.

    By all that the level said of the stroke, heard by alerts or not, as wide as past forecasts called for (processors.conformal).
    """
    early, median, late = state.empty_us
    x = conformal.learned(state.x)
    return (
        _empty_by(state, x, at_us, 0.05, early),
        _empty_by(state, x, at_us, 0.5, median),
        _empty_by(state, x, at_us, 0.95, late),
    )


def _empty_by(
    state: PumpState, x: NDArray[np.float64], at_us: int, quantile: float, before_us: int | None
) -> int | None:
    needed_ul = float(reservoir.needed_ul(x, 0.0, state.conformal.quantile(quantile)))
    if needed_ul <= 0.0 and before_us is not None:
        return min(before_us, at_us)
    return _pumped_by(state, at_us, needed_ul)


def _pumped_by(state: PumpState, at_us: int, volume_ul: float) -> int | None:
    """When the program will have delivered `volume_ul` more; None beyond ten years. At once if it has already."""
    if not math.isfinite(volume_ul):
        return None
    if volume_ul <= 0.0:
        return at_us
    program = state.program
    time_us = dose.time_of_volume_us(
        program.head,
        program.schedule,
        program.boluses,
        state.x[s.SUSPENDED],
        at_us,
        volume_ul,
        at_us + FAR_US,
    )
    return None if math.isnan(time_us) else round(time_us)


def device_alarm(state: PumpState, at_us: int) -> tuple[int | None, float | None]:
    """(when the device's programmed-rate arithmetic sounds, probability that the pump is dry before that)."""
    x = state.x
    left_ul = float(reservoir.device_needed_ul(x))
    if math.isnan(left_ul):
        return None, None
    if left_ul <= 0.0:
        return (at_us if state.device_alarm_us is None else min(state.device_alarm_us, at_us)), 0.0
    alarm_us = _pumped_by(state, at_us, left_ul)
    return alarm_us, float(reservoir.probability_dry(x, left_ul)) if alarm_us is not None else 0.0


def _low_at(state: PumpState, at_us: int) -> int | None:
    """When the estimated volume meets the low level; a time that is past stays where it was last seen ahead."""
    needed_ul = float(reservoir.needed_ul(state.x, state.x[s.LOW_RESERVOIR_ML] * 1000.0, 0.5))
    if needed_ul <= 0.0 and state.low_us is not None:
        return min(state.low_us, at_us)
    return _pumped_by(state, at_us, needed_ul)


def refill_due(state: PumpState, at_us: int, by_volume: int | None) -> tuple[int | None, RefillReason | None]:
    """The earlier of the estimated volume at the low level and the end of the drug's stability."""
    filled_us = state.clinic.filled_us
    by_stability = None if filled_us is None else filled_us + whole_us(state.clinic.stability_days * 86_400.0)
    if by_stability is not None and by_stability > at_us + FAR_US:
        by_stability = None
    if by_volume is None or (by_stability is not None and by_stability <= by_volume):
        return by_stability, None if by_stability is None else "stability"
    return by_volume, "volume"


def judge(state: PumpState, forecast: Forecast) -> tuple[list[Condition], int | None]:
    """(conditions that the forecast shows, the next time before tomorrow at which one of them may change)."""
    low_ul = float(state.x[s.LOW_RESERVOIR_ML]) * 1000.0
    conditions = [
        _dry_before_alarm(state, forecast),
        _refill(state, forecast),
        _level(state, forecast, Cause.RESERVOIR_LOW, low_ul),
        _level(state, forecast, Cause.RESERVOIR_EMPTY, 0.0),
        *delivery.outside(state, forecast),
    ]
    crossings = [] if forecast.refill_due_us is None else [forecast.refill_due_us - REFILL_AHEAD_US]
    crossings += [
        t for level_ul in (low_ul, 0.0) if (t := _crossing_us(state, forecast.at_us, level_ul)) is not None
    ]
    return conditions, min((t for t in crossings if t > forecast.at_us), default=None)


def _crossing_us(state: PumpState, at_us: int, level_ul: float) -> int | None:
    needed_ul = float(reservoir.needed_ul(state.x, level_ul, 0.5))
    return _pumped_by(state, at_us, needed_ul) if needed_ul > 0.0 else None


def _days(us: int) -> str:
    return f"{us / DAY_US:.1f} days"


def _dry_before_alarm(state: PumpState, forecast: Forecast) -> Condition:
    """On from probability 0.5, off below 0.2; high within 14 days of harm or of the dry date.

    The on-delay is an eighth of the time to the early dry date: an estimate of a few days' telemetry may still turn, and
    the nearer harm is, the less of the time is spent on waiting for it.
    """
    chance, empty = forecast.dry_before_alarm or 0.0, forecast.empty_at
    known, at_us = state.book.alerts.get(Cause.DRY_BEFORE_ALARM), forecast.at_us
    held = known is not None and known.on
    if (
        chance < (DRY_OFF if held else DRY_ON)
        or empty.p50_us is None
        or not (held or delivery.surely_dry(state, DRY_ON))
    ):
        return Condition(cause=Cause.DRY_BEFORE_ALARM, at_us=forecast.at_us, level=0)
    harm_lo, harm_hi = _harm(state, forecast)
    near = min(empty.p50_us, empty.p50_us if harm_lo is None else harm_lo) - DRY_HIGH_WITHIN_US
    alarm = (
        "never"
        if forecast.device_alarm_at_us is None
        else f"in {_days(forecast.device_alarm_at_us - forecast.at_us)}"
    )
    level, full_at_us = 2, None
    if known is None or (known.on and known.said.level == 1):
        since_us = at_us if known is None else known.since_us
        early_us = empty.p50_us if empty.p05_us is None else empty.p05_us
        full_at_us = since_us + max(early_us - since_us, 0) // DRY_ON_DELAY
        level = 2 if full_at_us <= at_us else 1
    return Condition(
        cause=Cause.DRY_BEFORE_ALARM,
        at_us=at_us,
        level=level,
        full_at_us=full_at_us,
        text=(
            f"The pump {_dry_in(empty.p50_us - at_us)}, before its own low-reservoir alarm"
            f" ({alarm}): it delivers {100 * (forecast.flow_ratio.mean - 1):+.1f} % against its program. Plan the refill now."
        ),
        evidence={
            "probability": chance,
            "flow_ratio": forecast.flow_ratio.mean,
            "flow_ratio_lo": forecast.flow_ratio.lo,
            "flow_ratio_hi": forecast.flow_ratio.hi,
        },
        harm_lo_us=harm_lo,
        harm_hi_us=harm_hi,
        rises=((near, Priority.HIGH),),
        received_us=state.received_us,
    )


def _dry_in(left_us: int) -> str:
    return f"will be dry in {_days(left_us)}" if left_us > 0 else f"ran dry {_days(-left_us)} ago"


def _refill(state: PumpState, forecast: Forecast) -> Condition:
    due_us = forecast.refill_due_us
    on = due_us is not None and forecast.at_us >= due_us - REFILL_AHEAD_US
    text = ""
    if on and due_us is not None:
        why = "the estimated volume then meets the alarm level"
        if forecast.refill_due_reason == "stability":
            why = "the drug then reaches the end of its stability"
        text = f"Refill due in {_days(due_us - forecast.at_us)}: {why}."
    evidence = (
        {"refill_due_us": due_us, "by_stability": forecast.refill_due_reason == "stability"} if on else {}
    )
    return Condition(
        cause=Cause.REFILL_DUE,
        at_us=forecast.at_us,
        level=2 if on else 0,
        text=text,
        evidence=evidence,
        received_us=state.received_us,
    )


def _level(state: PumpState, forecast: Forecast, cause: Cause, level_ul: float) -> Condition:
    """The median estimate at or below the level; off once the whole 95 % interval is above it."""
    x, at_us = state.x, forecast.at_us
    left = np.empty(2)
    reservoir.volume(x, left)
    volume_ul, sd_ul = float(left[0]), float(left[1])
    margin_ul = _CERTAIN * sd_ul if is_on(state.book, cause) else 0.0
    # The time of the crossing is rounded to 1 us: what the pump gives in that microsecond belongs to the level.
    reached = volume_ul <= level_ul + margin_ul + 1e-9 * max(
        abs(level_ul), abs(float(x[s.RESERVOIR_ML])), 1e-9
    )
    if math.isnan(volume_ul) or not reached:
        return Condition(cause=cause, at_us=at_us, level=0)
    empty = cause is Cause.RESERVOIR_EMPTY
    text = (
        "The reservoir is empty by the estimated delivery: no drug is delivered. Refill, and watch for withdrawal."
        if empty
        else f"The reservoir holds about {max(volume_ul, 0.0) / 1000.0:.2f} mL, at or below the alarm level."
    )
    harm_lo_us, harm_hi_us = _harm(state, forecast)
    return Condition(
        cause=cause,
        at_us=at_us,
        level=2,
        text=text,
        evidence={"volume_ul": volume_ul, "sd_ul": sd_ul, "level_ul": level_ul},
        harm_lo_us=harm_lo_us,
        harm_hi_us=harm_hi_us,
        received_us=state.received_us,
    )


def _harm(state: PumpState, forecast: Forecast) -> risk.Harm:
    """When withdrawal is expected of a pump that runs dry: from the early dry date's earliest to the late one's latest."""
    early_us, late_us = forecast.empty_at.p05_us, forecast.empty_at.p95_us
    return (
        None if early_us is None else risk.usual_harm(state, early_us)[0],
        None if late_us is None else risk.usual_harm(state, late_us)[1],
    )
