"""The fleet as it is now: one frozen snapshot of the database, shared by metrics, pages and the JSON API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from storage.console import AlertNow, Figures, PumpNow

__all__ = ["AlertNow", "PumpNow", "Snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """What the database said at `at_us`.

    Parameters
    ----------
    version
        Grows whenever an alert or what is known of a pump changed, and every 15 s while telemetry comes in; also across
        restarts: microseconds since 1970 of that change.
    at_us
        When it was read last; a snapshot in which nothing changed is given a new one.
    pumps
        By name, in the order of names.
    alerts
        Those that are open, pending ones too; the most urgent first: priority, then time to harm, then age.
    figures
        What the store says of itself; None until it was asked.
    """

    version: int
    at_us: int
    pumps: Mapping[str, PumpNow] = field(default_factory=dict)
    alerts: Sequence[AlertNow] = ()
    figures: Figures | None = None

    @cached_property
    def alerts_by_id(self) -> Mapping[str, AlertNow]:
        """The open alerts by `alert_id`."""
        return {alert.alert_id: alert for alert in self.alerts}

    @cached_property
    def alerts_by_pump(self) -> Mapping[str, Sequence[AlertNow]]:
        """The open alerts of each pump that has any, in the order of `alerts`."""
        grouped: dict[str, list[AlertNow]] = {}
        for alert in self.alerts:
            grouped.setdefault(alert.pump, []).append(alert)
        return grouped

    def site_of(self, pump: str) -> str | None:
        """Return the site of a pump; None where it has none, or the pump is not known."""
        known = self.pumps.get(pump)
        return None if known is None else known.site

    @cached_property
    def newest_received_us(self) -> int:
        """When the last event of any pump was received; 0 before the first."""
        return max((pump.received_us or 0 for pump in self.pumps.values()), default=0)
