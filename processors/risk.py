"""Time to harm: when too little or too much drug is felt, from the level in the spinal fluid (kernels.fluid).

A level that falls under a part of this pump's own usual trough means withdrawal some time later: the earliest by the fastest
half-life of the population and the shortest lag, the latest by the slowest and the longest. The lags are what is left of the times
of the sources after two half-lives: signs 8 h after a stall, severe course until 72 h [S]. The first agrees with the 6-8 h in which
an infusion begins to act [S]. High-risk patients: one half-life, half the lag [P].

Where the pump's habit is not known (no concentration, no program, less than two days of it), the sources' range stands by itself.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contract.facts import Cause
from kernels import dose, fluid
from kernels import state as s
from processors.alerts import Condition, is_on
from processors.pump_state import HOUR_US, PumpState

Harm = tuple[int | None, int | None]

WITHDRAWAL_LO_US: Final = 8 * HOUR_US  # signs seen 8 h after a stall (J Med Case Rep 4:294)
WITHDRAWAL_HI_US: Final = 72 * HOUR_US  # severe untreated course 24-72 h (same)
_HALVINGS: Final = -math.log2(fluid.LOW_SHARE)
LAG_LO_US: Final = WITHDRAWAL_LO_US - round(_HALVINGS * fluid.HALF_LIFE_H[fluid.FAST] * HOUR_US)  # 6.2 h
LAG_HI_US: Final = WITHDRAWAL_HI_US - round(_HALVINGS * fluid.HALF_LIFE_H[fluid.SLOW] * HOUR_US)  # 60 h
HIGH_RISK_LAG: Final = 0.5  # of both [P]
ON_DELAY_US: Final = round(2.2 * HOUR_US)
"""How long a level must be low or over before it is said [P]. A full stop is said 4 h after it, 3.1 h for high-risk patients: after
scans, refills and procedures (up to 3 h) are over, and in time, since signs come from 8 h on. A bolus of up to two fifths of a day's
dose has passed by then."""
OVERDOSE_PEAK_US: Final = 4 * HOUR_US  # [S] a bolus has its peak effect 4 h later
OVERDOSE_HI_US: Final = (
    6 * HOUR_US
)  # [S] depression about 6 h after a restart, where the slowest compartment is never over
LOOK_AGAIN_US: Final = (
    HOUR_US // 4
)  # a deadline that comes to nothing looks again after this time at the earliest
STOPPING: Final = (
    Cause.OCCLUSION,
    Cause.LEAK,
    Cause.STARVATION,
    Cause.MOTOR_STALL,
    Cause.STALL_OVERDUE,
    Cause.RESERVOIR_EMPTY,
    Cause.BATTERY_EOS,
)
_FLOW_PATH: Final = (Cause.OCCLUSION, Cause.LEAK, Cause.STARVATION)


# ------------------------------------------------------------------------------------------------ what others ask for


def usual_harm(state: PumpState, onset_us: int) -> Harm:
    """The range after a full stop from the usual level at onset_us, past or to come: the sources' 8 to 72 h, half of it at high risk."""
    halvings = 1.0 if state.x[s.FLU_HIGH_RISK] > 0.0 else _HALVINGS
    lo_us, hi_us = (
        onset_us + round(halvings * _half_life_h(end) * HOUR_US) + _lag_us(state, end) for end in (0, 1)
    )
    return lo_us, hi_us


def harm_of_stop(state: PumpState, onset_us: int, *, counted: bool = False) -> Harm:
    """When withdrawal is expected if nothing has left the tip since onset_us, not after the last item, and nothing will.

    counted: the sensors saw the stop, so that the level fell already.
    """
    x, now_us = state.x, _now_us(state)
    if not _judged(state) or onset_us > now_us:
        return usual_harm(state, onset_us)
    levels = np.empty(4)
    fluid.levels(x, float(now_us), levels)
    fell = counted or x[s.FLU_BLOCKED_US] <= now_us
    begins_us = now_us if fell else onset_us
    lo_us, hi_us = (
        _low_us(state, begins_us, float(levels[end * fluid.SLOW]), end, onset_us) for end in (0, 1)
    )
    return lo_us, max(lo_us, hi_us)


def _low_us(state: PumpState, begins_us: int, level: float, end: int, onset_us: int) -> int:
    """When withdrawal follows from a level that falls from begins_us on: never before onset_us and its lag."""
    hours = float(fluid.crossing_h(level, 0.0, float(fluid.low_limit(state.x, end)), _half_life_h(end)))
    met_us = onset_us if math.isnan(hours) else max(onset_us, begins_us + round(hours * HOUR_US))
    return met_us + _lag_us(state, end)


def harm_of_rate(state: PumpState, rate_ug_h: float) -> Harm:
    """When the level is too low or too high if rate_ug_h leaves the tip from now on; (None, None) if it never is."""
    if not _judged(state) or not math.isfinite(rate_ug_h):
        return None, None
    too_low = _falls(state, rate_ug_h)
    return too_low if too_low[0] is not None else _climbs(state, rate_ug_h)


def habit_ug_h(state: PumpState) -> float | None:
    """The pump's usual mean dose; None while it is not known."""
    return float(state.x[s.FLU_HABIT_UG_H]) if _judged(state) else None


def _falls(state: PumpState, rate_ug_h: float) -> Harm:
    ends = [
        _crossing_us(state, rate_ug_h, end, float(fluid.low_limit(state.x, end)), low=True) for end in (0, 1)
    ]
    if ends[0] is None:
        return None, None
    lo_us = ends[0] + _lag_us(state, 0)
    return lo_us, None if ends[1] is None else max(lo_us, ends[1] + _lag_us(state, 1))


def _climbs(state: PumpState, rate_ug_h: float) -> Harm:
    peaks = (float(state.x[s.FLU_PEAK_UG_H]), float(state.x[s.FLU_PEAK_UG_H + 1]))
    ends = [
        _crossing_us(state, rate_ug_h, end, fluid.OVER * peak, low=False) for end, peak in enumerate(peaks)
    ]
    if ends[0] is None:
        return None, None
    return ends[0], None if ends[1] is None else max(ends[0], ends[1] + OVERDOSE_PEAK_US)


def _crossing_us(state: PumpState, rate_ug_h: float, end: int, limit: float, *, low: bool) -> int | None:
    """When one compartment meets its limit if the rate goes on; None if it never does."""
    levels, now_us = np.empty(4), _now_us(state)
    fluid.levels(state.x, float(now_us), levels)
    level = float(levels[end * fluid.SLOW])
    if not (rate_ug_h < limit if low else rate_ug_h > limit):
        return None
    hours = float(fluid.crossing_h(level, rate_ug_h, limit, _half_life_h(end)))
    return now_us if math.isnan(hours) else now_us + round(max(hours, 0.0) * HOUR_US)


def _half_life_h(end: int) -> float:
    return fluid.HALF_LIFE_H[end * fluid.SLOW]


def _lag_us(state: PumpState, end: int) -> int:
    lag_us = LAG_HI_US if end else LAG_LO_US
    return round(HIGH_RISK_LAG * lag_us) if state.x[s.FLU_HIGH_RISK] > 0.0 else lag_us


def _judged(state: PumpState) -> bool:
    return bool(fluid.known(state.x)) and float(state.x[s.FLU_TROUGH_UG_H]) > 0.0


def _now_us(state: PumpState) -> int:
    """Time of the levels: that of the ledgers."""
    return round(float(state.x[s.T_US]))


# ------------------------------------------------------------------------------------------------ the alerts


def outlook(state: PumpState, at_us: int) -> tuple[list[Condition], int | None]:
    """(conditions of the two risks at `at_us`, when they have to be looked at again if the last state goes on).

    The vector of the state stands at `at_us` (a copy at a deadline). A level that is already on its way back when the on-delay
    ends is said no more.
    """
    x = state.x
    if not _judged(state):
        return [], None
    levels = np.empty(4)
    fluid.levels(x, float(at_us), levels)
    fast = float(levels[fluid.FAST])
    low_limit, over_limit = float(fluid.low_limit(x, 0)), fluid.OVER * float(x[s.FLU_PEAK_UG_H])
    low_us, over_us = (_time(float(x[slot])) for slot in (s.FLU_LOW_US, s.FLU_OVER_US))
    rate_ug_h, last_ug_h = going_ug_h(state), float(x[s.FLU_RATE_UG_H])
    rises, falls = min(rate_ug_h, last_ug_h) > low_limit, max(rate_ug_h, last_ug_h) < over_limit
    low = low_us is not None and (
        is_on(state.book, Cause.WITHDRAWAL_RISK)
        or (fast < low_limit and at_us >= low_us + ON_DELAY_US and not rises)
    )
    over = over_us is not None and (
        is_on(state.book, Cause.OVERDOSE_RISK)
        or float(x[s.FLU_OVER_BOTH]) > 0.0
        or (fast > over_limit and at_us >= over_us + ON_DELAY_US and not falls)
    )
    conditions = [
        _withdrawal(state, at_us, low_us)
        if low and low_us is not None
        else _off(Cause.WITHDRAWAL_RISK, at_us),
        _overdose(state, at_us, over_us)
        if over and over_us is not None
        else _off(Cause.OVERDOSE_RISK, at_us),
    ]
    due = [
        _next_us(state, at_us, rate_ug_h, low_us, low_limit, on=low, low=True),
        _next_us(state, at_us, rate_ug_h, over_us, over_limit, on=over, low=False),
    ]
    return conditions, min((t for t in due if t is not None), default=None)


def _next_us(
    state: PumpState, at_us: int, rate_ug_h: float, met_us: int | None, limit: float, *, on: bool, low: bool
) -> int | None:
    """When a risk will be said, or over; met_us: since when its limit is met, None while it is not."""
    if not on and met_us is not None:
        due_us: int | None = met_us + ON_DELAY_US
        if met_us + ON_DELAY_US <= at_us:
            due_us = at_us + LOOK_AGAIN_US  # it is on its way back, until something else is seen
    elif on:
        off = float(fluid.low_off(state.x, 0)) if low else limit * fluid.OVER_OFF / fluid.OVER
        due_us = _later(_crossing_us(state, rate_ug_h, 0, off, low=not low), 1, at_us)
    else:
        due_us = _later(_crossing_us(state, rate_ug_h, 0, limit, low=low), ON_DELAY_US, at_us)
    if on or low:
        return due_us
    both = fluid.OVER * float(state.x[s.FLU_PEAK_UG_H + 1])
    both_us = _later(_crossing_us(state, rate_ug_h, 1, both, low=False), 1, at_us)
    return both_us if due_us is None else due_us if both_us is None else min(due_us, both_us)


def _later(met_us: int | None, delay_us: int, at_us: int) -> int | None:
    """A foretold time, which may come to nothing: never so soon that looking goes on without end."""
    return None if met_us is None else max(met_us + delay_us, at_us + LOOK_AGAIN_US)


def _time(us: float) -> int | None:
    return None if math.isnan(us) else round(us)


def _off(cause: Cause, at_us: int) -> Condition:
    return Condition(cause=cause, at_us=at_us, level=0)


def going_ug_h(state: PumpState) -> float:
    """Mean drug an hour that leaves the tip if the last state goes on."""
    x, program = state.x, state.program
    if not math.isnan(x[s.FLU_BLOCKED_US]) or x[s.SUSPENDED] or state.explanted:
        return 0.0
    at_tip = float(x[s.PLUGS + 1]) if x[s.PLUGS] > 0.0 else float(x[s.CONCENTRATION_UG_ML])
    daily_ul = float(dose.daily_ul(program.head, program.schedule)[0])
    return daily_ul / 24.0 * at_tip / 1000.0


def _shares(state: PumpState) -> dict[str, float]:
    """Levels as shares of the usual trough of the fastest and the slowest compartment, the usual dose a day."""
    x, levels = state.x, np.empty(4)
    fluid.levels(x, float(_now_us(state)), levels)
    return {
        "level_share_fast": float(levels[fluid.FAST] / x[s.FLU_TROUGH_UG_H]),
        "level_share_slow": float(levels[fluid.SLOW] / x[s.FLU_TROUGH_UG_H + 1]),
        "habit_ug_day": 24.0 * float(x[s.FLU_HABIT_UG_H]),
    }


def _withdrawal(state: PumpState, at_us: int, low_us: int) -> Condition:
    lo_us = low_us + _lag_us(state, 0)
    levels, limit = np.empty(4), float(fluid.low_limit(state.x, 1))
    fluid.levels(state.x, float(at_us), levels)
    rate_ug_h = min(going_ug_h(state), float(state.x[s.FLU_RATE_UG_H]))
    hours = float(fluid.crossing_h(float(levels[fluid.SLOW]), rate_ug_h, limit, _half_life_h(1)))
    hi_us = None
    if not math.isnan(hours):  # it may have crossed already
        hi_us = max(lo_us, max(low_us, at_us + round(hours * HOUR_US)) + _lag_us(state, 1))
    part = "half" if state.x[s.FLU_HIGH_RISK] > 0.0 else "a quarter"
    return Condition(
        cause=Cause.WITHDRAWAL_RISK,
        at_us=at_us,
        level=2,
        text=f"Hardly any drug has left the catheter's tip: by now its level may be under {part} of what this patient is used to."
        f" {_why(state)} Watch for withdrawal (itch, rebound spasm, fever) and restore the dose.",
        evidence={**_shares(state), "low_since_us": low_us},
        harm_lo_us=lo_us,
        harm_hi_us=hi_us,
        received_us=state.received_us,
    )


def _why(state: PumpState) -> str:
    blocked = [str(cause) for cause in STOPPING if _stops(state, cause)]
    if blocked:
        return f"It follows from: {', '.join(blocked)}."
    if state.x[s.SUSPENDED]:
        return "The pump is suspended."
    if dose.daily_ul(state.program.head, state.program.schedule)[0] == 0.0:
        return "Its program delivers nothing."
    return "Interrogate the pump."


def _overdose(state: PumpState, at_us: int, over_us: int) -> Condition:
    peak_ug_h = float(state.x[s.FLU_PEAK_UG_H + 1])
    slow_us = _crossing_us(state, float(state.x[s.FLU_RATE_UG_H]), 1, fluid.OVER * peak_ug_h, low=False)
    hi_us = over_us + OVERDOSE_HI_US if slow_us is None else slow_us + OVERDOSE_PEAK_US
    return Condition(
        cause=Cause.OVERDOSE_RISK,
        at_us=at_us,
        level=2,
        text=f"The dose of the last hours may have brought the drug level above {fluid.OVER:g} times what this patient is used to."
        " Watch breathing and wakefulness; check program and delivery.",
        evidence={**_shares(state), "over_since_us": over_us},
        harm_lo_us=over_us,
        harm_hi_us=max(over_us, hi_us),
        received_us=state.received_us,
    )


# ------------------------------------------------------------------------------------------------ shut catheters


def _stops(state: PumpState, cause: Cause) -> bool:
    """Whether an alert says that no drug leaves the tip: one of the flow path without a time to harm keeps the delivery."""
    alert = state.book.alerts.get(cause)
    if alert is None or not alert.on or alert.said.level < 2:
        return False
    return cause not in _FLOW_PATH or alert.said.harm_lo_us is not None


def follow(state: PumpState, cause: Cause, at_us: int) -> bool:
    """Shut or open the way to the patient in the vector, after an alert of `cause` changed; whether that is news."""
    if cause not in STOPPING:
        return False
    shut = not math.isnan(state.x[s.FLU_BLOCKED_US])
    if _stops(state, cause):
        onset_us = state.book.alerts[cause].said.evidence.get("onset_us", at_us)
        fluid.block(state.x, float(min(onset_us, at_us)), counts(state, cause))
        return not shut
    if shut and not any(_stops(state, other) for other in STOPPING):
        fluid.unblock(state.x)
        return True
    return False


def counts(state: PumpState, cause: Cause) -> bool:
    """Whether the sensors themselves saw that nothing came: a motor that stands by a counter or a flow."""
    by_sensor = cause in (Cause.MOTOR_STALL, Cause.STALL_OVERDUE) and state.x[s.STALL_LEVEL] > 0.0
    return by_sensor and state.x[s.RES_SOURCE] > 0.0
