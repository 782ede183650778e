"""What a console reads again and again: every pump, every open alert, and a few figures of the store itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.queries import named

HANDLED: Final = frozenset({"acknowledged", "shelved"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpNow:
    """A pump's newest registration and forecast, and when it was last heard of. None: not stated, or not known."""

    pump: str
    site: str | None = None
    model: str | None = None
    reservoir_ml: float | None = None
    low_reservoir_ml: float | None = None
    dead_volume_ul: float | None = None
    min_rate_ul_h: float | None = None
    max_rate_ul_h: float | None = None
    flow_tolerance: float | None = None
    pressure_limit_kpa: float | None = None
    stability_days: float | None = None
    upload_every_s: float | None = None
    high_risk: bool | None = None
    received_us: int | None = None
    """When its last event was received."""
    forecast_us: int | None = None
    flow_ratio: float | None = None
    flow_ratio_lo: float | None = None
    flow_ratio_hi: float | None = None
    empty_p05_us: int | None = None
    empty_p50_us: int | None = None
    empty_p95_us: int | None = None
    device_alarm_us: int | None = None
    dry_before_alarm: float | None = None
    refill_due_us: int | None = None
    refill_due_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNow:
    """The last line of an alert that is open: pending, active, acknowledged, latched or shelved."""

    alert_id: str
    pump: str
    site: str | None
    cause: str
    state: str
    priority: str
    at_us: int
    since_us: int
    harm_lo_us: int | None
    harm_hi_us: int | None
    text: str
    written_us: int
    """When this line was committed, by the database's clock."""

    @property
    def handled(self) -> bool:
        """Whether somebody answered it."""
        return self.state in HANDLED

    @property
    def condition_on(self) -> bool:
        """Whether what it says still holds."""
        return self.state != "latched"
