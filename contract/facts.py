"""What Thecaflow says: the facts of contract version 1, the causes, the priorities and the order of facts.

Times are integer microseconds since 1970-01-01T00:00:00Z inside Python (`since_us`) and RFC 3339 strings on the wire
(`since`); every other attribute has its wire name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

import msgspec

from contract.times import HOUR_US

KERNEL: Final = "1.3.0"  # the version of the rules; a change of any number that a fact carries changes it


class Cause(StrEnum):
    """Why an alert stands; the order is the contract's and only ever grows at its end."""

    OCCLUSION = "occlusion"
    STARVATION = "starvation"
    LEAK = "leak"
    AIR_IN_LINE = "air_in_line"
    DRIVE_WEAR = "drive_wear"
    MOTOR_STALL = "motor_stall"
    STALL_OVERDUE = "stall_overdue"
    RESTART_OVERDOSE = "restart_overdose"
    OVER_DELIVERY = "over_delivery"
    UNDER_DELIVERY = "under_delivery"
    DRY_BEFORE_ALARM = "dry_before_alarm"
    RESERVOIR_LOW = "reservoir_low"
    RESERVOIR_EMPTY = "reservoir_empty"
    REFILL_DUE = "refill_due"
    REFILL_MISMATCH = "refill_mismatch"
    BRIDGE_MISSING = "bridge_missing"
    PROGRAM_IMPLAUSIBLE = "program_implausible"
    OVERDOSE_RISK = "overdose_risk"
    WITHDRAWAL_RISK = "withdrawal_risk"
    TOLERANCE_REVIEW = "tolerance_review"
    BATTERY_ERI = "battery_eri"
    BATTERY_EOS = "battery_eos"
    SAFE_STATE = "safe_state"
    TELEMETRY_SILENT = "telemetry_silent"
    CLOCK_SKEW = "clock_skew"
    DEVICE_DISAGREES = "device_disagrees"
    MONITORING_LOST = "monitoring_lost"
    UNCLASSIFIED = "unclassified"


class Priority(StrEnum):
    """How loudly an alert speaks: high pages, medium notifies, low makes a ticket, info is only written."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class AlertState(StrEnum):
    """Where an alert stands in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"
    SHELVED = "shelved"
    CLEARED = "cleared"


PRIORITY_RANK: Final[dict[Priority, int]] = {
    Priority.INFO: 0,
    Priority.LOW: 1,
    Priority.MEDIUM: 2,
    Priority.HIGH: 3,
}

# Two causes have a second level that the table cannot say: `occlusion` is medium while the resistance only rises and
# delivery is kept, `dry_before_alarm` is high within DRY_HIGH_WITHIN_US.
DEFAULT_PRIORITY: Final[dict[Cause, Priority]] = {
    Cause.OCCLUSION: Priority.HIGH,
    Cause.STARVATION: Priority.MEDIUM,
    Cause.LEAK: Priority.HIGH,
    Cause.AIR_IN_LINE: Priority.MEDIUM,
    Cause.DRIVE_WEAR: Priority.LOW,
    Cause.MOTOR_STALL: Priority.MEDIUM,
    Cause.STALL_OVERDUE: Priority.HIGH,
    Cause.RESTART_OVERDOSE: Priority.HIGH,
    Cause.OVER_DELIVERY: Priority.MEDIUM,
    Cause.UNDER_DELIVERY: Priority.MEDIUM,
    Cause.DRY_BEFORE_ALARM: Priority.MEDIUM,
    Cause.RESERVOIR_LOW: Priority.MEDIUM,
    Cause.RESERVOIR_EMPTY: Priority.HIGH,
    Cause.REFILL_DUE: Priority.LOW,
    Cause.REFILL_MISMATCH: Priority.MEDIUM,
    Cause.BRIDGE_MISSING: Priority.HIGH,
    Cause.PROGRAM_IMPLAUSIBLE: Priority.HIGH,
    Cause.OVERDOSE_RISK: Priority.HIGH,
    Cause.WITHDRAWAL_RISK: Priority.HIGH,
    Cause.TOLERANCE_REVIEW: Priority.INFO,
    Cause.BATTERY_ERI: Priority.LOW,
    Cause.BATTERY_EOS: Priority.HIGH,
    Cause.SAFE_STATE: Priority.HIGH,
    Cause.TELEMETRY_SILENT: Priority.MEDIUM,
    Cause.CLOCK_SKEW: Priority.LOW,
    Cause.DEVICE_DISAGREES: Priority.MEDIUM,
    Cause.MONITORING_LOST: Priority.MEDIUM,
    Cause.UNCLASSIFIED: Priority.LOW,
}
DRY_HIGH_WITHIN_US: Final = 14 * 24 * HOUR_US
HARM_MEDIUM_WITHIN_US: Final = 24 * HOUR_US
HARM_HIGH_WITHIN_US: Final = 6 * HOUR_US

RefillReason: TypeAlias = Literal["volume", "stability"]
ReadyState: TypeAlias = Literal["ready", "warming_up", "blind"]

_WIRE_TIMES: Final[dict[str, str]] = {
    "at_us": "at",
    "from_us": "from",
    "to_us": "to",
    "since_us": "since",
    "lo_us": "lo",
    "hi_us": "hi",
    "p05_us": "p05",
    "p50_us": "p50",
    "p95_us": "p95",
    "device_alarm_at_us": "device_alarm_at",
    "refill_due_us": "refill_due",
}


class FlowRatio(msgspec.Struct, frozen=True, kw_only=True):
    """Delivered / programmed, with its 95 % interval."""

    mean: float
    lo: float
    hi: float


class EmptyAt(msgspec.Struct, frozen=True, kw_only=True, rename=_WIRE_TIMES):
    """Quantiles of the time at which the reservoir holds 0 mL; `None` beyond ten years."""

    p05_us: int | None
    p50_us: int | None
    p95_us: int | None


class HarmAt(msgspec.Struct, frozen=True, kw_only=True, rename=_WIRE_TIMES):
    """When withdrawal or overdose is expected, earliest and latest; `None` where not defined."""

    lo_us: int | None
    hi_us: int | None


class Dose(msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="dose", rename=_WIRE_TIMES):
    """What one pump was told to deliver and what it delivered in the window (`from`, `to`]."""

    pump: str
    at_us: int
    kernel: str = KERNEL
    from_us: int
    to_us: int
    programmed_ul: float
    programmed_ug: float | None
    sensed_ul: float | None
    sensed_ug: float | None
    tip_ug: float | None
    bolus_ul: float
    priming_ul: float
    coverage: float


class Forecast(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="forecast", rename=_WIRE_TIMES
):
    """When the pump runs dry, and whether its own alarm sounds before that, if the present program goes on."""

    pump: str
    at_us: int
    kernel: str = KERNEL
    flow_ratio: FlowRatio
    empty_at: EmptyAt
    device_alarm_at_us: int | None
    dry_before_alarm: float | None
    refill_due_us: int | None
    refill_due_reason: RefillReason | None


class Alert(msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="alert", rename=_WIRE_TIMES):
    """One change of an alert's state, priority or time to harm."""

    pump: str
    at_us: int
    kernel: str = KERNEL
    alert_id: str
    cause: Cause
    state: AlertState
    priority: Priority
    since_us: int
    harm_at: HarmAt | None = None
    text: str
    evidence: dict[str, Any]


class Quarantined(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="quarantined", rename=_WIRE_TIMES
):
    """Input that takes no part: why in one sentence, where it stood, and how it began.

    The caller fills `line` (1-based, of a file) or `offset` (of a Kafka partition).
    """

    pump: str | None = None
    at_us: int | None = None
    kernel: str = KERNEL
    reason: str
    line: int | None = None
    offset: int | None = None
    text: str


class Correction(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="correction", rename=_WIRE_TIMES
):
    """Live only: `alert_id` stands in place of alert `replaces`, or was withdrawn."""

    pump: str
    at_us: int
    kernel: str = KERNEL
    replaces: str | None = None
    withdrawn: bool = False
    alert_id: str


class Readiness(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="readiness", rename=_WIRE_TIMES
):
    """Whether `cause` can be seen on this pump from `at` on: by what it reports, and by what is learned of its health."""

    pump: str
    at_us: int
    kernel: str = KERNEL
    cause: Cause
    state: ReadyState
    why: str


Fact: TypeAlias = Dose | Forecast | Alert | Quarantined | Correction | Readiness
FACT_TYPES: Final[tuple[type[Fact], ...]] = (Dose, Forecast, Alert, Quarantined, Correction, Readiness)


def fact_name(fact: Fact | type[Fact]) -> str:
    """Return the wire name of a fact's kind, such as `forecast`."""
    return str(fact.__struct_config__.tag)


def fact_sort_key(fact: Fact) -> tuple[bool, bool, int, bool, str, str, str, str]:
    """Order of facts: quarantined first, then at, pump, kind, cause, alert_id; sort stably to keep emission order.

    A null time or pump, known only from quarantined input, comes before any other.
    """
    cause = fact.cause if isinstance(fact, Alert | Readiness) else ""
    alert_id = fact.alert_id if isinstance(fact, Alert | Correction) else ""
    return (
        not isinstance(fact, Quarantined),
        fact.at_us is not None,
        fact.at_us or 0,
        fact.pump is not None,
        fact.pump or "",
        fact_name(fact),
        str(cause),
        alert_id,
    )
