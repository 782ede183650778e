"""What each cause needs: the sets of channels of which one suffices, and what can be told from them at all.

The one table of cause x channel: `processors.readiness` judges by it, docs/detection.md shows it. A cause that is not in it is
told by events alone.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from contract.facts import Cause

COUNTER: Final = "delivered_ul"
FLOW: Final = "flow_ul_h"
LEVEL: Final = "reservoir_ml"
OUTLET: Final = "pressure_kpa"
INLET: Final = "inlet_kpa"
CURRENT: Final = "motor_ma"
VIBRATION: Final = "vibration_g"
CHANNELS: Final = (COUNTER, FLOW, LEVEL, OUTLET, INLET, CURRENT, VIBRATION)  # columns of the table


class Need(Struct, frozen=True, kw_only=True):
    """`ways`: sets of channels, each enough by itself; `tells`: what is identifiable from them, and what is not."""

    cause: Cause
    ways: tuple[frozenset[str], ...]
    tells: str


def _any_of(*channels: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset({channel}) for channel in channels)


def _pairs(*channels: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset({one, other}) for n, one in enumerate(channels) for other in channels[n + 1 :])


_STROKE: Final = "an encoder counts turns, not strokes: what a stroke really holds shows in a measured flow or in the level only"
_MOTION: Final = "a standing motor; current alone can't tell a stall from a lighter load, the device's own word is taken beside"

NEEDS: Final = (
    Need(
        cause=Cause.OCCLUSION,
        ways=_any_of(OUTLET),
        tells="storage C dP/dt against the flow: a displacement pump keeps its flow until the line yields, so that neither counter nor"
        " flow shows it; compliance can't be told from the pressure while the flow is constant, so that it is registered or a range",
    ),
    Need(
        cause=Cause.STARVATION,
        ways=(
            *(frozenset({INLET, other}) for other in (FLOW, LEVEL, CURRENT)),
            frozenset({FLOW, LEVEL}),
        ),
        tells="suction before the pump, confirmed by what falls short; flow and level without an inlet tell gross loss only",
    ),
    Need(
        cause=Cause.LEAK,
        ways=_any_of(OUTLET),
        tells="a line that is open falls below the healthy bottom and no longer follows the body: breathing within hours at any time of"
        " day, posture by day; a leak that keeps the pressure, or all that moves in it, can't be told by anything inside the pump",
    ),
    Need(
        cause=Cause.AIR_IN_LINE,
        ways=_pairs(FLOW, CURRENT, VIBRATION, OUTLET),
        tells="gas makes flow ragged, load light, pulsation soft; each alone has other reasons, so that two must agree",
    ),
    Need(
        cause=Cause.DRIVE_WEAR,
        ways=_any_of(CURRENT, VIBRATION),
        tells="a rise over days at the same flow; one channel alone needs more of it, since it may be its sensor",
    ),
    Need(cause=Cause.MOTOR_STALL, ways=_any_of(COUNTER, FLOW), tells=_MOTION),
    Need(cause=Cause.STALL_OVERDUE, ways=_any_of(COUNTER, FLOW), tells=_MOTION + "; the window is declared"),
    Need(
        cause=Cause.RESTART_OVERDOSE,
        ways=_any_of(COUNTER, FLOW, LEVEL),
        tells="the volume beyond the tolerance after a stop: within rows by counter or flow, within days by the level",
    ),
    Need(cause=Cause.OVER_DELIVERY, ways=_any_of(FLOW, LEVEL), tells=_STROKE),
    Need(cause=Cause.UNDER_DELIVERY, ways=_any_of(FLOW, LEVEL), tells=_STROKE),
    Need(
        cause=Cause.DRY_BEFORE_ALARM,
        ways=_any_of(FLOW, LEVEL),
        tells=_STROKE
        + "; without them the forecast stands on the program and the volumes drawn out at refills",
    ),
    Need(
        cause=Cause.RESERVOIR_LOW,
        ways=_any_of(FLOW, LEVEL),
        tells=_STROKE + "; without them by the program",
    ),
    Need(
        cause=Cause.RESERVOIR_EMPTY,
        ways=_any_of(FLOW, LEVEL),
        tells=_STROKE + "; without them by the program",
    ),
    Need(
        cause=Cause.REFILL_MISMATCH,
        ways=_any_of(LEVEL),
        tells="what is in the reservoir after a fill; without a level only the volume drawn out at the next one tells",
    ),
    Need(
        cause=Cause.OVERDOSE_RISK,
        ways=_any_of(COUNTER, FLOW, LEVEL),
        tells="the drug level follows the best estimate of what was delivered; without telemetry it is the program's",
    ),
    Need(
        cause=Cause.WITHDRAWAL_RISK,
        ways=_any_of(COUNTER, FLOW, LEVEL),
        tells="as overdose_risk; a block or a leak behind the pump is seen by its own cause",
    ),
    Need(
        cause=Cause.DEVICE_DISAGREES,
        ways=_any_of(COUNTER, FLOW),
        tells="the device's words against what moves; totals that it states are compared with the ledgers",
    ),
    Need(
        cause=Cause.UNCLASSIFIED,
        ways=_pairs(FLOW, CURRENT, VIBRATION, OUTLET),
        tells="day means of two groups of channels that leave their habit together; inlet and voltages help",
    ),
)


def serves(need: Need, channels: frozenset[str]) -> bool:
    """Whether these channels are enough for a cause."""
    return any(way <= channels for way in need.ways)


def table() -> str:
    """The table of docs/detection.md: `alone` where the channel suffices, `with one` where it needs another beside it."""
    lines = [
        "| cause | " + " | ".join(f"`{channel}`" for channel in CHANNELS) + " | what is identifiable |",
        "|---" * (len(CHANNELS) + 2) + "|",
    ]
    for need in NEEDS:
        cells = [_cell(need, channel) for channel in CHANNELS]
        lines.append(f"| `{need.cause}` | " + " | ".join(cells) + f" | {need.tells} |")
    return "\n".join(lines) + "\n"


def _cell(need: Need, channel: str) -> str:
    if frozenset({channel}) in need.ways:
        return "alone"
    return "with one" if any(channel in way for way in need.ways) else ""
