"""What this pump's detectors can see: `ready`, `warming_up` or `blind` for each cause that needs channels.

Judged at a pump's first row, at midnights (UTC) and when a channel is lost or returns (kernels/channels.py), and said where
it changed. The loss of a channel that no other replaces is also an alert, `monitoring_lost`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.facts import Cause, Readiness
from contract.times import HOUR_US
from kernels import air, channels, drive, fluid_habit, health, reservoir, suction, wear
from kernels import state as s
from processors.alerts import Condition
from processors.channel_needs import NEEDS, Need, serves
from processors.pump_state import PumpState
from processors.ready_words import ABSENT, LOST, READY, WARMING, said

RARE_US: Final = 48 * HOUR_US  # of rows without a reading: a channel that comes once a day is there
LOST_TEXT: Final = "{channels}: nothing, or the very same reading, for 6 h of rows. Not watched meanwhile: {causes}. Look at the sensor and the relay."
_VALID: Final = {
    **{name: s.CH_NOISY + n * channels.SIZE + channels.VALID_US for n, name in enumerate(channels.NAMES[:5])},
    "reservoir_ml": s.CH_LEVEL_VALID_US,
    "delivered_ul": s.CH_COUNTER_VALID_US,
}


def lost_channels(x: NDArray[np.float64]) -> frozenset[str]:
    """Channels that were there and are null or stuck."""
    bits = int(x[s.CH_LOST])
    return frozenset(
        name for n, name in enumerate(channels.NAMES) if bits & (1 << n | 1 << (n + channels.CHANNELS))
    )


def live_channels(x: NDArray[np.float64]) -> frozenset[str]:
    """Channels that say something."""
    now_us = float(x[s.CH_CLOCK_US])
    heard = {name for name, slot in _VALID.items() if now_us - x[slot] < RARE_US}
    return frozenset(heard) - lost_channels(x)


def judge(state: PumpState, at_us: int) -> tuple[tuple[int, ...], list[Readiness]]:
    """(what is now said of each cause of NEEDS, the facts that say what changed)."""
    live, lost = live_channels(state.x), lost_channels(state.x)
    now = tuple(_verdict(state, need, live, lost) for need in NEEDS)
    before = state.ready or (0,) * len(NEEDS)
    lines = [
        one
        for one, verdict, was in zip(said(state.pump, at_us, now), now, before, strict=True)
        if verdict != was
    ]
    return now, lines


def lost_condition(state: PumpState, at_us: int) -> Condition:
    """The alert: a cause was watched and is not, since one of its channels was lost and no other replaces it."""
    live, lost = live_channels(state.x), lost_channels(state.x)
    causes = [need.cause for need in NEEDS if _was_watched(need, live, lost)]
    if not causes:
        return Condition(cause=Cause.MONITORING_LOST, at_us=at_us, level=0)
    missed = sorted(name for name in lost if any(n.cause in causes and _uses(n, name) for n in NEEDS))
    return Condition(
        cause=Cause.MONITORING_LOST,
        at_us=at_us,
        level=2,
        text=LOST_TEXT.format(channels=", ".join(missed), causes=", ".join(causes)),
        evidence=_evidence(state.x, missed, causes),
    )


def _was_watched(need: Need, live: frozenset[str], lost: frozenset[str]) -> bool:
    # What has no name is a help beside the named causes: its loss alone is no alert.
    return need.cause is not Cause.UNCLASSIFIED and serves(need, live | lost) and not serves(need, live)


def _uses(need: Need, channel: str) -> bool:
    return any(channel in way for way in need.ways)


def _evidence(x: NDArray[np.float64], missed: list[str], causes: list[Cause]) -> dict[str, Any]:
    bits = int(x[s.CH_LOST])
    stuck = [name for name in missed if bits >> (channels.NAMES.index(name) + channels.CHANNELS) & 1]
    return {
        "channels": missed,
        "null": [name for name in missed if name not in stuck],
        "stuck": stuck,
        "causes": [str(cause) for cause in causes],
    }


def _verdict(state: PumpState, need: Need, live: frozenset[str], lost: frozenset[str]) -> int:
    if not serves(need, live):
        return LOST if serves(need, live | lost) else ABSENT
    return READY if _LEARNED[need.cause](state.x) else WARMING


# ------------------------------------------------------------------------------------------------ what is learned


def _moves(x: NDArray[np.float64]) -> bool:
    by_quantum = bool(x[s.ENCODER_UL_PER_COUNT] > 0.0) and not math.isnan(x[s.CH_COUNTER_VALID_US])
    moved = max(x[s.DRV_COUNTER + drive.MOVED], x[s.DRV_FLOW + drive.MOVED])
    return by_quantum or bool(moved >= drive.LEARNED)


def _suction(x: NDArray[np.float64]) -> bool:
    if "inlet_kpa" not in live_channels(x):
        return not math.isnan(x[s.STV_SHARE])
    if x[s.STARVATION + s.LOW_DAYS] > 0.0:
        return True
    habits = not (math.isnan(x[s.AIR_FLOW_MEAN]) and math.isnan(x[s.AIR_MA]))
    return habits and bool(x[suction.RING + s.YNG_LOOKS] >= suction.WARM)


def _ratio_is_sharp(x: NDArray[np.float64]) -> bool:
    """Whether the 95 % interval of delivered / programmed fits inside the tolerance: else nothing can lie outside it for sure."""
    interval = np.empty(3)
    reservoir.ratio(x, interval)
    return bool(interval[2] - interval[1] < 2.0 * x[s.FLOW_TOLERANCE])


def _filled(x: NDArray[np.float64]) -> bool:
    return not math.isnan(x[s.RES_V_UL])


_LEARNED: Final[dict[Cause, Callable[[NDArray[np.float64]], bool]]] = {
    Cause.OCCLUSION: lambda x: bool(x[s.OCC_READY] == 1.0),
    Cause.STARVATION: _suction,
    Cause.LEAK: lambda x: not math.isnan(x[s.LEAK + s.LOW_LIMIT]),
    Cause.AIR_IN_LINE: lambda x: bool(x[s.AIR_JUDGED] >= air.WARM),
    Cause.DRIVE_WEAR: lambda x: bool(x[s.WEAR_DAYS] >= wear.WARM),
    Cause.MOTOR_STALL: _moves,
    Cause.STALL_OVERDUE: _moves,
    Cause.RESTART_OVERDOSE: lambda x: _moves(x) or _filled(x),
    Cause.OVER_DELIVERY: _ratio_is_sharp,
    Cause.UNDER_DELIVERY: _ratio_is_sharp,
    Cause.DRY_BEFORE_ALARM: _filled,
    Cause.RESERVOIR_LOW: _filled,
    Cause.RESERVOIR_EMPTY: _filled,
    Cause.REFILL_MISMATCH: _filled,
    Cause.OVERDOSE_RISK: lambda x: bool(fluid_habit.known(x)),
    Cause.WITHDRAWAL_RISK: lambda x: bool(fluid_habit.known(x)),
    Cause.DEVICE_DISAGREES: _moves,
    Cause.UNCLASSIFIED: lambda x: bool(x[s.HLT_DAYS] >= health.WARM),
}
