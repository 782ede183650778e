"""Leak and starvation in words: what the fluid path lost, since when, on what evidence."""

from __future__ import annotations

import math
from typing import Final

from contract.facts import Cause
from kernels import leak, starvation
from kernels import state as s
from processors import risk
from processors.alerts import Condition
from processors.pump_state import PumpState

EXPLAINING: Final = (Cause.SAFE_STATE, Cause.BATTERY_EOS, Cause.MOTOR_STALL, Cause.OCCLUSION)
"""What a drive that stands or runs at its least, or a line that is shut, does not move no inlet withholds."""
LITTLE: Final = 0.5  # of the usual delivery: below it the drug's level halves and withdrawal is expected [P]
LEAK_TEXT: Final = (
    "The outlet pressure fell below all that it does in health while the pump goes on delivering, as when the catheter leaks"
    " or has come off: the drug may not reach the patient. Check connection and catheter; watch for withdrawal."
)
STARVATION_TEXT: Final = (
    "The pump draws a vacuum at its inlet: too little reaches it, and less is delivered than counted. Check reservoir,"
    " filter and feed line."
)


def _told(state: PumpState, at: int, **more: float) -> dict[str, float]:
    """Evidence: the habit of the channel, its last block and what a cause adds, as far as known."""
    x = state.x
    told = {
        "baseline_kpa": float(x[at + s.LOW_BASE]),
        "bottom_kpa": float(x[at + s.LOW_BOTTOM]),
        "limit_kpa": float(x[at + s.LOW_LIMIT]),
        "mean_kpa": float(x[at + s.LOW_LAST]),
        **more,
    }
    return {name: number for name, number in told.items() if math.isfinite(number)}


def _onset_us(state: PumpState, at: int, at_us: int) -> int:
    raw_us = float(state.x[at + s.LOW_ONSET_US])
    return at_us if math.isnan(raw_us) else min(round(raw_us), at_us)


def leak_condition(state: PumpState, level: int, at_us: int) -> Condition:
    """High: what is pumped does not arrive, from the fall of the pressure on."""
    if level == 0:
        return Condition(cause=Cause.LEAK, at_us=at_us, level=0)
    onset_us = _onset_us(state, leak.AT, at_us)
    lo_us, hi_us = risk.harm_of_stop(state, onset_us)
    moves = float(state.x[s.LEAK_STILL_NOW_KPA]) / float(state.x[s.LEAK_STILL_LEAST_KPA])
    told = _told(state, leak.AT, score=float(state.x[s.LEAK_OUT_SCORE]), movement_share=moves)
    return Condition(
        cause=Cause.LEAK,
        at_us=at_us,
        level=level,
        text=LEAK_TEXT,
        evidence={**told, "onset_us": onset_us},
        harm_lo_us=lo_us,
        harm_hi_us=hi_us,
    )


def _is_explained(state: PumpState) -> bool:
    """Whether no inlet speaks, and the flow that is missing has another reason: an alert's, or the device's that it can't deliver."""
    if not math.isnan(state.x[starvation.AT + s.LOW_LIMIT]):
        return False
    named = any(
        alert is not None and alert.on and alert.said.level == 2
        for alert in (state.book.alerts.get(cause) for cause in EXPLAINING)
    )
    return named or "no_delivery" in state.clinic.device.heard


def starvation_condition(state: PumpState, level: int, at_us: int) -> Condition:
    """Medium; a time to harm only where flow or level say that less than half is still delivered."""
    if level == 0:
        return Condition(cause=Cause.STARVATION, at_us=at_us, level=0)
    x, onset_us = state.x, _onset_us(state, starvation.AT, at_us)
    if _is_explained(state):
        level = 1
    share = float(x[s.DRV_FLOW_NOW]) / float(x[s.STV_SHARE])
    asked_ul = float(x[s.STV_ASKED_UL])
    if not math.isfinite(share) and asked_ul > 0.0:
        share = 1.0 - float(x[s.STV_SHORT_UL]) / asked_ul
    lo_us, hi_us = risk.harm_of_stop(state, onset_us) if share < LITTLE else (None, None)
    told = _told(state, starvation.AT, delivered_share=share)
    return Condition(
        cause=Cause.STARVATION,
        at_us=at_us,
        level=level,
        text=STARVATION_TEXT,
        evidence={**told, "onset_us": onset_us},
        harm_lo_us=lo_us,
        harm_hi_us=hi_us,
    )
