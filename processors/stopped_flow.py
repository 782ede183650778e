"""A measured flow that has stopped where no counter tells whether the motor turns: what else than a stall it can be.

Seen by the flow alone, a standing motor, an empty reservoir and a full block are the same. Two things outside the flow path
tell them apart: how much is left (our estimate within its error), and the device's word that it can't
deliver (`no_delivery`) where no pressure is reported that would show a block. One that they explain is said as what it is, and the
stall stays pending: a motor that stands as well is found at the same visit.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contract.facts import Cause
from kernels import reservoir
from kernels import state as s
from kernels.drive import MOVED
from processors import risk
from processors.alerts import Condition, is_on
from processors.pump_state import PumpState

MAY_BE_EMPTY_Z: Final = 1.6448536269514722  # standard deviations: one chance in twenty that nothing is left
_EMPTY_TEXT: Final = (
    "The measured flow has stopped, and by its volume the reservoir may be empty: no drug is delivered. Refill, and watch for"
    " withdrawal."
)
_BLOCKED_TEXT: Final = (
    "The device says that it can't deliver, and the measured flow has stopped, as behind a blocked catheter. Image the catheter;"
    " clearing it releases the stored volume as a bolus."
)


def explanation(state: PumpState) -> Cause | None:
    """The likelier reason of a stop that the flow alone shows; None where a counter, the motor's own word or nothing tells."""
    x = state.x
    alone = x[s.DRV_COUNTER + MOVED] == 0.0 and x[s.DRV_FLOW + MOVED] > 0.0 and not x[s.DRV_STATED] > 0.0
    if not alone or state.clinic.device_stall or not x[s.STALL_LEVEL] > 0.0:
        return None
    if _may_be_empty(state):
        return Cause.RESERVOIR_EMPTY
    blocked = "no_delivery" in state.clinic.device.heard and math.isnan(x[s.OCC_LAST_KPA])
    return Cause.OCCLUSION if blocked or is_on(state.book, Cause.OCCLUSION) else None


def condition(state: PumpState, stall: Condition) -> Condition | None:
    """What is said beside the pending `stall`; level 0 ends a block that only the device's word told, None: nothing new."""
    at_us, cause = stall.at_us, explanation(state)
    if stall.level == 0:
        told = math.isnan(state.x[s.OCC_LAST_KPA])
        return Condition(cause=Cause.OCCLUSION, at_us=at_us, level=0) if told else None
    if cause is None or stall.quiet_until_us is not None or state.x[s.STALL_LEVEL] < 2.0:
        return None
    if is_on(state.book, cause):
        return None
    onset_us = round(stall.evidence["onset_us"])
    left = np.empty(2)
    reservoir.volume(state.x, left)
    harm_lo_us, harm_hi_us = risk.harm_of_stop(state, onset_us, counted=True)
    return Condition(
        cause=cause,
        at_us=at_us,
        level=2,
        text=_EMPTY_TEXT if cause is Cause.RESERVOIR_EMPTY else _BLOCKED_TEXT,
        evidence={"onset_us": onset_us, "volume_ul": float(left[0]), "sd_ul": float(left[1])},
        harm_lo_us=harm_lo_us,
        harm_hi_us=harm_hi_us,
    )


def _may_be_empty(state: PumpState) -> bool:
    left = np.empty(2)
    reservoir.volume(state.x, left)
    return bool(left[0] <= MAY_BE_EMPTY_Z * left[1])
