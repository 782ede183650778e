"""Withdrawal and overdose as alerts: a drug level that stays too low or too high by this pump's own habit (kernels.fluid_habit).

Judged at every clinical event, when the kernel's status changes, and at the time foretold by the last state: `outlook` says when.
High, as the contract has it. What is announced is no exception: a stop by program that lasts is as real as a stall. What is modest or
short is none by its size: titration, boluses, bridges, scans and procedures stay inside the limits or the on-delay.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contract.facts import Cause
from contract.times import HOUR_US
from kernels import dose, fluid, fluid_habit
from kernels import state as s
from processors import risk
from processors.alerts import Condition, is_on
from processors.pump_state import PumpState

ON_DELAY_US: Final = round(2.2 * HOUR_US)
"""How long a level must be low or over before it is said [P]. A full stop is said 4 h after it, 3.1 h for high-risk patients: after
scans, refills and procedures (up to 3 h) are over, and in time, since signs come from 8 h on. A bolus of up to two fifths of a day's
dose has passed by then."""
OVERDOSE_HI_US: Final = (
    6 * HOUR_US
)  # [S] about 6 h after a restart, where the slowest compartment is never over
BLOCK_AHEAD_US: Final = HOUR_US
"""How long before the earliest harm a risk is said that a block alone makes [P]. Nobody measures what passes it: the level follows
from the block's own account, which is high with the same time to harm, and which in its first hours can't tell a line that is
stretched from one that is shut (processors.blocks). It is no news until there is nothing left to wait for."""
LOOK_AGAIN_US: Final = (
    HOUR_US // 4
)  # a deadline that comes to nothing looks again after this time at the earliest


def outlook(state: PumpState, at_us: int) -> tuple[list[Condition], int | None]:
    """(conditions of the two risks at `at_us`, when they have to be looked at again if the last state goes on).

    The vector of the state stands at `at_us` (a copy at a deadline). A level that is already on its way back when the on-delay
    ends is said no more.
    """
    x = state.x
    if not risk.judged(state):
        return [], None
    levels = np.empty(4)
    fluid.levels(x, float(at_us), levels)
    fast = float(levels[fluid_habit.FAST])
    low_limit, over_limit = float(fluid_habit.low_limit(x, 0)), fluid_habit.OVER * float(x[s.FLU_PEAK_UG_H])
    low_us, over_us = (_time(float(x[slot])) for slot in (s.FLU_LOW_US, s.FLU_OVER_US))
    rate_ug_h, last_ug_h = risk.going_ug_h(state), float(x[s.FLU_RATE_UG_H])
    if _lets_pass(state):
        last_ug_h = rate_ug_h  # what it was taken to hold back before, nobody has measured
    rises, falls = min(rate_ug_h, last_ug_h) > low_limit, max(rate_ug_h, last_ug_h) < over_limit
    low = low_us is not None and (
        is_on(state.book, Cause.WITHDRAWAL_RISK)
        or (fast < low_limit and at_us >= low_us + ON_DELAY_US and not rises and _stopped(state, at_us))
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


def _stopped(state: PumpState, at_us: int) -> bool:
    """Whether nothing speaks against a stop: a rotor in its scan starts again, a block may still let the drug pass."""
    stopping = [cause for cause in risk.STOPPING if risk.stops(state, cause)]
    block = state.book.alerts.get(Cause.OCCLUSION)
    if stopping == [Cause.OCCLUSION] and block is not None:
        return block.said.harm_lo_us is None or at_us >= block.said.harm_lo_us - BLOCK_AHEAD_US
    stall = state.book.alerts.get(Cause.MOTOR_STALL)
    quiet_us = None if stall is None or not stall.on else stall.said.quiet_until_us
    return quiet_us is None or at_us >= quiet_us


def _lets_pass(state: PumpState) -> bool:
    """Whether a block is there through which the drug passes."""
    block = state.book.alerts.get(Cause.OCCLUSION)
    return block is not None and block.on and block.said.level == 2 and block.said.harm_lo_us is None


def _next_us(
    state: PumpState, at_us: int, rate_ug_h: float, met_us: int | None, limit: float, *, on: bool, low: bool
) -> int | None:
    """When a risk will be said, or over; met_us: since when its limit is met, None while it is not."""
    if not on and met_us is not None:
        due_us: int | None = met_us + ON_DELAY_US
        if met_us + ON_DELAY_US <= at_us:
            due_us = at_us + LOOK_AGAIN_US  # it is on its way back, until something else is seen
    elif on:
        off = (
            float(fluid_habit.low_off(state.x, 0)) if low else limit * fluid_habit.OVER_OFF / fluid_habit.OVER
        )
        due_us = _later(risk.crossing_us(state, rate_ug_h, 0, off, low=not low), 1, at_us)
    else:
        due_us = _later(risk.crossing_us(state, rate_ug_h, 0, limit, low=low), ON_DELAY_US, at_us)
    if on or low:
        return due_us
    both = fluid_habit.OVER * float(state.x[s.FLU_PEAK_UG_H + 1])
    both_us = _later(risk.crossing_us(state, rate_ug_h, 1, both, low=False), 1, at_us)
    return both_us if due_us is None else due_us if both_us is None else min(due_us, both_us)


def _later(met_us: int | None, delay_us: int, at_us: int) -> int | None:
    """A foretold time, which may come to nothing: never so soon that looking goes on without end."""
    return None if met_us is None else max(met_us + delay_us, at_us + LOOK_AGAIN_US)


def _time(us: float) -> int | None:
    return None if math.isnan(us) else round(us)


def _off(cause: Cause, at_us: int) -> Condition:
    return Condition(cause=cause, at_us=at_us, level=0)


def _shares(state: PumpState) -> dict[str, float]:
    """Levels as shares of the usual trough of the fastest and the slowest compartment, the usual dose a day."""
    x, levels = state.x, np.empty(4)
    fluid.levels(x, float(risk.now_us(state)), levels)
    told = {
        "level_share_fast": float(levels[fluid_habit.FAST] / x[s.FLU_TROUGH_UG_H]),
        "level_share_slow": float(levels[fluid_habit.SLOW] / x[s.FLU_TROUGH_UG_H + 1]),
        "habit_ug_day": 24.0 * float(x[s.FLU_HABIT_UG_H]),
    }
    return {name: number for name, number in told.items() if math.isfinite(number)}


def _withdrawal(state: PumpState, at_us: int, low_us: int) -> Condition:
    lo_us = low_us + risk.lag_us(state, 0)
    levels, limit = np.empty(4), float(fluid_habit.low_limit(state.x, 1))
    fluid.levels(state.x, float(at_us), levels)
    rate_ug_h = min(risk.going_ug_h(state), float(state.x[s.FLU_RATE_UG_H]))
    hours = float(
        fluid_habit.crossing_h(float(levels[fluid_habit.SLOW]), rate_ug_h, limit, risk.half_life_h(1))
    )
    hi_us = None
    if not math.isnan(hours):  # it may have crossed already
        hi_us = max(lo_us, max(low_us, at_us + round(hours * HOUR_US)) + risk.lag_us(state, 1))
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
    blocked = [str(cause) for cause in risk.STOPPING if risk.stops(state, cause)]
    if blocked:
        return f"It follows from: {', '.join(blocked)}."
    if state.x[s.SUSPENDED]:
        return "The pump is suspended."
    if dose.daily_ul(state.program.head, state.program.schedule)[0] == 0.0:
        return "Its program delivers nothing."
    return "Interrogate the pump."


def _overdose(state: PumpState, at_us: int, over_us: int) -> Condition:
    peak_ug_h = float(state.x[s.FLU_PEAK_UG_H + 1])
    slow_us = risk.crossing_us(
        state, float(state.x[s.FLU_RATE_UG_H]), 1, fluid_habit.OVER * peak_ug_h, low=False
    )
    hi_us = over_us + OVERDOSE_HI_US if slow_us is None else slow_us + risk.OVERDOSE_PEAK_US
    return Condition(
        cause=Cause.OVERDOSE_RISK,
        at_us=at_us,
        level=2,
        text=f"The dose of the last hours may have brought the drug level above {fluid_habit.OVER:g} times what this patient is used to."
        " Watch breathing and wakefulness; check program and delivery.",
        evidence={**_shares(state), "over_since_us": over_us},
        harm_lo_us=over_us,
        harm_hi_us=max(over_us, hi_us),
        received_us=state.received_us,
    )
