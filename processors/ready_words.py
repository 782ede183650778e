"""Verdicts of `processors.readiness` in words, as facts: for whoever reads a stored state without judging it anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contract.facts import Cause, Readiness, ReadyState
from processors.channel_needs import NEEDS, Need

READY, WARMING, ABSENT, LOST = range(1, 5)
_STATES: Final[dict[int, ReadyState]] = {
    READY: "ready",
    WARMING: "warming_up",
    ABSENT: "blind",
    LOST: "blind",
}

_MOVEMENTS: Final = "How much the program asks for between two movements"
_RATIO: Final = "Delivered / programmed"
_VOLUME: Final = "What is in the reservoir (no fill is known)"
_LEVEL_HABIT: Final = "The drug level that this patient is used to"
_LEARNS: Final = {
    Cause.OCCLUSION: "The healthy envelope of the outlet pressure",
    Cause.STARVATION: "How low the inlet goes, or how much of the program flows, while all is well",
    Cause.LEAK: "How low the outlet pressure goes while all is well",
    Cause.AIR_IN_LINE: "The habit of flow, load and pulsation",
    Cause.DRIVE_WEAR: "How the load changes from day to day",
    Cause.MOTOR_STALL: _MOVEMENTS,
    Cause.STALL_OVERDUE: _MOVEMENTS,
    Cause.RESTART_OVERDOSE: _MOVEMENTS,
    Cause.OVER_DELIVERY: _RATIO,
    Cause.UNDER_DELIVERY: _RATIO,
    Cause.DRY_BEFORE_ALARM: _VOLUME,
    Cause.RESERVOIR_LOW: _VOLUME,
    Cause.RESERVOIR_EMPTY: _VOLUME,
    Cause.REFILL_MISMATCH: _VOLUME,
    Cause.OVERDOSE_RISK: _LEVEL_HABIT,
    Cause.WITHDRAWAL_RISK: _LEVEL_HABIT,
    Cause.DEVICE_DISAGREES: _MOVEMENTS,
    Cause.UNCLASSIFIED: "The habit of day means",
}


def said(pump: str, at_us: int, verdicts: Sequence[int]) -> list[Readiness]:
    """What these verdicts, one for each of NEEDS, say; nothing where none was made yet."""
    return (
        [
            Readiness(
                pump=pump, at_us=at_us, cause=need.cause, state=_STATES[verdict], why=_why(need, verdict)
            )
            for need, verdict in zip(NEEDS, verdicts, strict=True)
        ]
        if verdicts
        else []
    )


def _why(need: Need, verdict: int) -> str:
    ways = " or ".join(sorted(" with ".join(sorted(way)) for way in need.ways))
    if verdict == READY:
        return f"It is watched by {ways}, as far as this pump reports them: {need.tells}."
    if verdict == WARMING:
        return f"{_LEARNS[need.cause]} is not known yet."
    if verdict == LOST:
        return f"It needs {ways}: what this pump reported of it is null or stands still for 6 h of rows."
    return f"It needs {ways}, which this pump does not report."
