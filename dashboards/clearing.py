"""What ends each alert, in words: what the detector waits for before it says that the condition is over."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contract.facts import Cause

_CLEARING: Final[dict[Cause, str]] = {
    Cause.OCCLUSION: "The outlet pressure back in the lower half of its healthy margin for several rows, or far below its peak.",
    Cause.STARVATION: "The inlet pressure back within its healthy habit, or flow and level as before.",
    Cause.LEAK: "The outlet pressure back above its healthy bottom, moving as it does in health.",
    Cause.AIR_IN_LINE: "Flow, current, vibration and pulsation back in their habits for several judgements.",
    Cause.DRIVE_WEAR: "Current and vibration back to less than half of the rise that raised it.",
    Cause.MOTOR_STALL: "Two movements of the motor in a row, by the channel that showed it standing; a stall stated by the device"
    " ends by its own word.",
    Cause.STALL_OVERDUE: "The motor moves again.",
    Cause.RESTART_OVERDOSE: "Flow back within the tolerance; what a cleared block released counts for 24 hours.",
    Cause.OVER_DELIVERY: "The 95 % interval of delivered / programmed back within the tolerance.",
    Cause.UNDER_DELIVERY: "The 95 % interval of delivered / programmed back within the tolerance.",
    Cause.DRY_BEFORE_ALARM: "A refill, or a probability to run dry before the device's alarm of less than 20 %.",
    Cause.RESERVOIR_LOW: "A refill: the whole 95 % interval of the volume above the alarm level.",
    Cause.RESERVOIR_EMPTY: "A refill: the whole 95 % interval of the volume above 0.",
    Cause.REFILL_DUE: "A refill that moves the due date beyond two weeks.",
    Cause.REFILL_MISMATCH: "The next refill that adds up.",
    Cause.BRIDGE_MISSING: "A bridge bolus in its time, or the old drug displaced from the dead volume.",
    Cause.PROGRAM_IMPLAUSIBLE: "The next program that is plausible.",
    Cause.OVERDOSE_RISK: "A predicted drug level back below twice the usual highest.",
    Cause.WITHDRAWAL_RISK: "A predicted drug level back well above the limit that it fell below.",
    Cause.TOLERANCE_REVIEW: "A program whose daily dose is no more than 100 µg above the lowest of the year before it.",
    Cause.BATTERY_ERI: "Nothing that is heard here, until the pump is explanted: an acknowledgement puts it to rest.",
    Cause.BATTERY_EOS: "Nothing that is heard here, until the pump is explanted: an acknowledgement puts it to rest.",
    Cause.SAFE_STATE: "Nothing that is heard here, until the pump is explanted: an acknowledgement puts it to rest.",
    Cause.TELEMETRY_SILENT: "An upload of the pump.",
    Cause.CLOCK_SKEW: "A clock that is less than 60 s off.",
    Cause.DEVICE_DISAGREES: "A later statement of the device that agrees, or the evidence that was missing.",
    Cause.MONITORING_LOST: "Readings of the channel that are plausible again.",
    Cause.UNCLASSIFIED: "Day means back in their habit, an alert that names the cause, or the new state learned as the habit.",
}

CLEARING: Final[Mapping[Cause, str]] = MappingProxyType(_CLEARING)
"""Every cause of the contract."""
