"""The kinds of faults by name, what each needs of its pump, and how one is asked for on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from contract.errors import ThecaflowError
from ingest.simulation import flow_faults, record_faults
from ingest.simulation.scene import Outcome, Scene


class FaultRequestError(ThecaflowError):
    """A fault was asked for that cannot be made; the message says what would be possible."""


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """`KIND[:PUMP|COUNT][@DAY][+DAYS]` taken apart: on one pump by name or on `count`, from `day` on, for `days`."""

    kind: str
    pump: str | None = None
    count: int = 1
    day: float | None = None
    days: float | None = None


@dataclass(frozen=True, slots=True)
class FaultKind:
    """How to make a fault, and what its pump must be like.

    `channels`: what shows it. `drains`: nobody refills from the onset on, and the flow is set so that the programmed volume
    empties the reservoir after this share of the run (low, high). `fills`: the fault is a fill of its own, in a run that needs
    few others. `from_start`: there from the first fill on. `first_day`: needs some days of running.
    """

    strike: Callable[[Scene], Outcome]
    channels: tuple[str, ...] = ()
    fills: bool = False
    drains: tuple[float, float] | None = None
    from_start: bool = False
    first_day: float = 0.1


_LEVEL: Final = ("delivered_ul", "reservoir_ml")
_NEAR_THE_END: Final = (0.95, 1.25)
KINDS: Final[dict[str, FaultKind]] = {
    "occlusion": FaultKind(flow_faults.occlusion, ("pressure_kpa",)),
    "occlusion_partial": FaultKind(flow_faults.occlusion_partial, ("pressure_kpa",)),
    "stall": FaultKind(flow_faults.stall, ("delivered_ul",)),
    "stall_overdue": FaultKind(flow_faults.stall_overdue, ("delivered_ul",)),
    "restart_overdose": FaultKind(flow_faults.restart_overdose, (*_LEVEL, "flow_ul_h"), first_day=3.0),
    "early_empty": FaultKind(flow_faults.early_empty, _LEVEL, drains=_NEAR_THE_END),
    "dry_before_alarm": FaultKind(
        flow_faults.dry_before_alarm, _LEVEL, drains=_NEAR_THE_END, from_start=True
    ),
    "over_delivery": FaultKind(flow_faults.over_delivery, _LEVEL, drains=_NEAR_THE_END),
    "missed_refill": FaultKind(record_faults.missed_refill, _LEVEL, drains=(0.7, 0.9), from_start=True),
    "under_delivery": FaultKind(flow_faults.under_delivery, _LEVEL),
    "leak": FaultKind(flow_faults.leak, ("pressure_kpa",)),
    "starvation": FaultKind(flow_faults.starvation, (*_LEVEL, "inlet_kpa", "flow_ul_h")),
    "air": FaultKind(flow_faults.air, ("flow_ul_h", "motor_ma", "vibration_g")),
    "drive_wear": FaultKind(flow_faults.drive_wear, ("motor_ma", "vibration_g")),
    "program_implausible": FaultKind(record_faults.program_implausible),
    "silence": FaultKind(record_faults.silence),
    "refill_mismatch": FaultKind(record_faults.refill_mismatch, _LEVEL, fills=True),
    "bridge_missing": FaultKind(record_faults.bridge_missing, fills=True),
    "eri": FaultKind(record_faults.eri, ("battery_v",)),
    "eos": FaultKind(record_faults.eos, ("battery_v", "delivered_ul")),
    "safe_state": FaultKind(record_faults.safe_state, ("delivered_ul",)),
    "clock_skew": FaultKind(record_faults.clock_skew),
    "counter_restart": FaultKind(record_faults.counter_restart, ("delivered_ul",)),
    "monitoring_lost": FaultKind(record_faults.monitoring_lost, ("pressure_kpa",)),
    "device_disagrees": FaultKind(record_faults.device_disagrees, ("delivered_ul",), first_day=1.5),
}
ALIASES: Final = {
    "telemetry_silent": "silence",
    "motor_stall": "stall",
    "air_in_line": "air",
    "battery_eri": "eri",
    "battery_eos": "eos",
}
_REQUEST: Final = re.compile(r"([a-z_]+)(?::([A-Za-z0-9._-]+))?(?:@([0-9.]+))?(?:\+([0-9.]+))?")


def parse_fault(text: str) -> FaultRequest:
    """Read `KIND[:PUMP|COUNT][@DAY][+DAYS]`.

    Raises FaultRequestError for another form or an unknown kind.
    """
    matched = _REQUEST.fullmatch(text)
    if matched is None:
        raise FaultRequestError(
            f"--fault {text!r}: write KIND[:PUMP|COUNT][@DAY][+DAYS], such as stall:3@12 or leak@5+2"
        )
    kind, which, day, lasting = matched.groups()
    kind = ALIASES.get(kind, kind)
    if kind not in KINDS:
        raise FaultRequestError(
            f"--fault {text!r}: there is no kind {kind!r}; choose from {', '.join(sorted(KINDS))}"
        )
    try:
        day_number, days_number = (None if part is None else float(part) for part in (day, lasting))
    except ValueError:
        raise FaultRequestError(f"--fault {text!r}: DAY and DAYS are numbers") from None
    if KINDS[kind].from_start and day is not None:
        raise FaultRequestError(f"--fault {text!r}: {kind} follows from the first fill, so it takes no @DAY")
    if day_number is not None and day_number < KINDS[kind].first_day:
        raise FaultRequestError(
            f"--fault {text!r}: {kind} needs a pump that has run for {KINDS[kind].first_day:g} days"
        )
    if days_number is not None and days_number <= 0.0:
        raise FaultRequestError(f"--fault {text!r}: DAYS must be above 0")
    counted = which is not None and which.isdigit()
    return FaultRequest(
        kind,
        pump=None if counted else which,
        count=int(which) if which is not None and counted else 1,
        day=day_number,
        days=days_number,
    )
