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
from contract.times import HOUR_US
from kernels import dose, fluid, fluid_habit
from kernels import state as s
from processors.alerts import is_on
from processors.pump_state import PumpState

Harm = tuple[int | None, int | None]

WITHDRAWAL_LO_US: Final = 8 * HOUR_US  # signs seen 8 h after a stall (J Med Case Rep 4:294)
WITHDRAWAL_HI_US: Final = 72 * HOUR_US  # severe untreated course 24-72 h (same)
_HALVINGS: Final = -math.log2(fluid_habit.LOW_SHARE)
LAG_LO_US: Final = WITHDRAWAL_LO_US - round(
    _HALVINGS * fluid_habit.HALF_LIFE_H[fluid_habit.FAST] * HOUR_US
)  # 6.2 h
LAG_HI_US: Final = WITHDRAWAL_HI_US - round(
    _HALVINGS * fluid_habit.HALF_LIFE_H[fluid_habit.SLOW] * HOUR_US
)  # 60 h
HIGH_RISK_LAG: Final = 0.5  # of both [P]
OVERDOSE_PEAK_US: Final = 4 * HOUR_US  # [S] a bolus has its peak effect 4 h later
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


def usual_harm(state: PumpState, onset_us: int) -> Harm:
    """The range after a full stop from the usual level at onset_us, past or to come: the sources' 8 to 72 h, half of it at high risk."""
    halvings = 1.0 if state.x[s.FLU_HIGH_RISK] > 0.0 else _HALVINGS
    lo_us, hi_us = (
        onset_us + round(halvings * half_life_h(end) * HOUR_US) + lag_us(state, end) for end in (0, 1)
    )
    return lo_us, hi_us


def harm_of_stop(state: PumpState, onset_us: int, *, counted: bool = False) -> Harm:
    """When withdrawal is expected if nothing has left the tip since onset_us, not after the last item, and nothing will.

    counted: the sensors saw the stop, so that the level fell already.
    """
    if not judged(state) or onset_us > now_us(state):
        return usual_harm(state, onset_us)
    x, last_us = state.x, now_us(state)
    levels = np.empty(4)
    fluid.levels(x, float(last_us), levels)
    fell = counted or x[s.FLU_BLOCKED_US] <= last_us
    begins_us = last_us if fell else onset_us
    lo_us, hi_us = (
        _low_us(state, begins_us, float(levels[end * fluid_habit.SLOW]), end, onset_us) for end in (0, 1)
    )
    return lo_us, max(lo_us, hi_us)


def _low_us(state: PumpState, begins_us: int, level: float, end: int, onset_us: int) -> int:
    """When withdrawal follows from a level that falls from begins_us on: never before onset_us and its lag."""
    hours = float(
        fluid_habit.crossing_h(level, 0.0, float(fluid_habit.low_limit(state.x, end)), half_life_h(end))
    )
    met_us = onset_us if math.isnan(hours) else max(onset_us, begins_us + round(hours * HOUR_US))
    return met_us + lag_us(state, end)


def harm_of_rate(state: PumpState, rate_ug_h: float) -> Harm:
    """When the level is too low or too high if rate_ug_h leaves the tip from now on; (None, None) if it never is."""
    if not judged(state) or not math.isfinite(rate_ug_h):
        return None, None
    too_low = _falls(state, rate_ug_h)
    return too_low if too_low[0] is not None else _climbs(state, rate_ug_h)


def _falls(state: PumpState, rate_ug_h: float) -> Harm:
    ends = [
        crossing_us(state, rate_ug_h, end, float(fluid_habit.low_limit(state.x, end)), low=True)
        for end in (0, 1)
    ]
    if ends[0] is None:
        return None, None
    lo_us = ends[0] + lag_us(state, 0)
    return lo_us, None if ends[1] is None else max(lo_us, ends[1] + lag_us(state, 1))


def _climbs(state: PumpState, rate_ug_h: float) -> Harm:
    peaks = (float(state.x[s.FLU_PEAK_UG_H]), float(state.x[s.FLU_PEAK_UG_H + 1]))
    ends = [
        crossing_us(state, rate_ug_h, end, fluid_habit.OVER * peak, low=False)
        for end, peak in enumerate(peaks)
    ]
    if ends[0] is None:
        return None, None
    return ends[0], None if ends[1] is None else max(ends[0], ends[1] + OVERDOSE_PEAK_US)


def crossing_us(state: PumpState, rate_ug_h: float, end: int, limit: float, *, low: bool) -> int | None:
    """When one compartment meets its limit if the rate goes on; None if it never does."""
    levels, last_us = np.empty(4), now_us(state)
    fluid.levels(state.x, float(last_us), levels)
    level = float(levels[end * fluid_habit.SLOW])
    if not (rate_ug_h < limit if low else rate_ug_h > limit):
        return None
    hours = float(fluid_habit.crossing_h(level, rate_ug_h, limit, half_life_h(end)))
    return last_us if math.isnan(hours) else last_us + round(max(hours, 0.0) * HOUR_US)


def half_life_h(end: int) -> float:
    """Half-life of the fastest (end 0) or slowest (1) compartment."""
    return fluid_habit.HALF_LIFE_H[end * fluid_habit.SLOW]


def lag_us(state: PumpState, end: int) -> int:
    """From a level that is low to withdrawal: at the earliest (end 0), at the latest (1)."""
    usual_us = LAG_HI_US if end else LAG_LO_US
    return round(HIGH_RISK_LAG * usual_us) if state.x[s.FLU_HIGH_RISK] > 0.0 else usual_us


def judged(state: PumpState) -> bool:
    """Whether there is a habit to compare with."""
    return bool(fluid_habit.known(state.x)) and float(state.x[s.FLU_TROUGH_UG_H]) > 0.0


def now_us(state: PumpState) -> int:
    """Time of the levels: that of the ledgers."""
    return round(float(state.x[s.T_US]))


def going_ug_h(state: PumpState) -> float:
    """Mean drug an hour that leaves the tip if the last state goes on."""
    x, program = state.x, state.program
    if is_shut(state) or x[s.SUSPENDED] or state.explanted:
        return 0.0
    at_tip = float(x[s.PLUGS + 1]) if x[s.PLUGS] > 0.0 else float(x[s.CONCENTRATION_UG_ML])
    daily_ul = float(dose.daily_ul(program.head, program.schedule)[0])
    return daily_ul / 24.0 * at_tip / 1000.0


def stops(state: PumpState, cause: Cause) -> bool:
    """Whether an alert says that hardly any drug leaves the tip.

    One of the flow path without a time to harm keeps the delivery; so does a starvation that air in the line explains.
    """
    alert = state.book.alerts.get(cause)
    if alert is None or not alert.on or alert.said.level < 2:
        return False
    if cause is Cause.STARVATION and is_on(state.book, Cause.AIR_IN_LINE):
        return False
    return cause not in _FLOW_PATH or alert.said.harm_lo_us is not None


def follow(state: PumpState, cause: Cause, at_us: int) -> bool:
    """Shut or open the way to the patient in the vector, after an alert of `cause` changed; whether that is news."""
    if cause not in STOPPING:
        return False
    x, before = state.x, is_shut(state)
    stopping = [other for other in STOPPING if stops(state, other)]
    if not stopping:
        fluid.unblock(x)
    elif all(counts(state, other) for other in stopping):
        fluid.stand(x)
    elif cause in stopping and not counts(state, cause):
        told = state.book.alerts[cause].said.evidence
        fluid.block(x, float(min(told.get("stopped_us", told.get("onset_us", at_us)), at_us)))
    return is_shut(state) is not before


def is_shut(state: PumpState) -> bool:
    """Whether an alert says that nothing leaves the tip, whatever program and ledgers say."""
    return not math.isnan(state.x[s.FLU_BLOCKED_US])


def counts(state: PumpState, cause: Cause) -> bool:
    """Whether the sensors themselves see what a standing motor still delivers: a counter, or a flow."""
    return cause in (Cause.MOTOR_STALL, Cause.STALL_OVERDUE) and bool(state.x[s.RES_SOURCE] > 0.0)
