"""What Prometheus is told: alerts that are open, and how the console itself does. Computed from the snapshot at each scrape.

A pump stands on a label only while one of its alerts is open: a series ends with its alert.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from contract.facts import AlertState, Cause, Priority
from dashboards.console.parts import SnapshotSource
from dashboards.console.snapshot import AlertNow, Snapshot

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)
ALERT_LABELS: Final = ("pump", "site", "cause", "priority")
_COUNTED: Final = tuple(str(state) for state in AlertState if state is not AlertState.CLEARED)


class SnapshotCollector(Collector):
    """The snapshot as gauges; none at all while there is no snapshot."""

    def __init__(
        self, snapshots: SnapshotSource, now_us: Callable[[], int], database_limit_bytes: int = 0
    ) -> None:
        self._snapshots = snapshots
        self._now_us = now_us
        self._limit_bytes = database_limit_bytes

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: what there is depends on what is open."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the families of the newest snapshot."""
        snapshot = self._snapshots.current
        if snapshot is None:
            return
        now_us = self._now_us()
        yield from _alert_families(snapshot, now_us)
        yield from _site_families(snapshot)
        yield from self._console_families(snapshot, now_us)

    def _console_families(self, snapshot: Snapshot, now_us: int) -> Iterator[Metric]:
        age_s = max(0.0, (now_us - self._snapshots.confirmed_us) / 1e6)
        yield _gauge(
            "thecaflow_console_snapshot_age_seconds", "Since the database last confirmed all this.", age_s
        )
        yield _gauge(
            "thecaflow_console_database_up",
            "1 while the database answers the console.",
            float(self._snapshots.database_up),
        )
        if (figures := snapshot.figures) is not None:
            yield _gauge(
                "thecaflow_outbox_waiting",
                "Facts that wait for the facts topic, counted up to 100,000.",
                figures.outbox_waiting,
            )
            yield _gauge("thecaflow_database_bytes", "Size of the database.", figures.database_bytes)
            yield _gauge(
                "thecaflow_quarantined_recent",
                "Events quarantined in the last 10 minutes.",
                figures.quarantined_recent,
            )
        if self._limit_bytes > 0:
            yield _gauge(
                "thecaflow_database_limit_bytes",
                "Size at which the database's disk is full, as set.",
                self._limit_bytes,
            )


class ConsoleMetrics:
    """The registry of one console: the snapshot, and what is counted along the way."""

    def __init__(self, collector: SnapshotCollector) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(collector)
        self.published = Counter(
            "thecaflow_outbox_published", "Facts acknowledged by the facts topic.", registry=self._registry
        )
        self.request_seconds = Histogram(
            "thecaflow_console_request_seconds",
            "From a request's arrival to its answer's first byte, by route.",
            ("route",),
            buckets=BUCKETS_S,
            registry=self._registry,
        )

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)


def _alert_families(snapshot: Snapshot, now_us: int) -> Iterator[Metric]:
    active = _family("thecaflow_alert_active", "1 for each open alert that is not pending.")
    handled = _family(
        "thecaflow_alert_handled", "1 for each open alert that somebody acknowledged or shelved."
    )
    harm = _family("thecaflow_alert_harm_seconds", "Time to the earliest expected harm; negative once past.")
    for alert in _one_a_series(snapshot.alerts):
        labels = (alert.pump, alert.site or "", alert.cause, alert.priority)
        active.add_metric(labels, 1)
        if alert.handled:
            handled.add_metric(labels, 1)
        if alert.harm_lo_us is not None:
            harm.add_metric(labels, (alert.harm_lo_us - now_us) / 1e6)
    yield from (active, handled, harm)
    counts = Tally((alert.state, alert.priority) for alert in snapshot.alerts)
    alerts = GaugeMetricFamily("thecaflow_alerts", "Open alerts.", labels=("state", "priority"))
    for state in _COUNTED:
        for priority in Priority:
            alerts.add_metric((state, str(priority)), counts[state, str(priority)])
    yield alerts


def _one_a_series(alerts: Iterable[AlertNow]) -> Iterable[AlertNow]:
    """Return the alerts that page, one for each series; of two the one that nobody answered, then the more urgent one."""
    chosen: dict[tuple[str, str, str], AlertNow] = {}
    for alert in alerts:
        if alert.state == AlertState.PENDING:
            continue
        series = (alert.pump, alert.cause, alert.priority)
        other = chosen.get(series)
        if other is None or (other.handled and not alert.handled):
            chosen[series] = alert
    return chosen.values()


def _site_families(snapshot: Snapshot) -> Iterator[Metric]:
    pumps = Tally(pump.site or "" for pump in snapshot.pumps.values() if not pump.explanted)
    silent_pumps = {
        (alert.site or "", alert.pump)
        for alert in snapshot.alerts
        if alert.cause == Cause.TELEMETRY_SILENT and alert.state != AlertState.PENDING and alert.condition_on
    }
    silent = Tally(site for site, _ in silent_pumps)
    families = (
        (
            GaugeMetricFamily(
                "thecaflow_site_pumps",
                "Pumps of a site, without those that were taken out.",
                labels=("site",),
            ),
            pumps,
        ),
        (
            GaugeMetricFamily("thecaflow_site_silent_pumps", "Silent pumps of a site.", labels=("site",)),
            silent,
        ),
    )
    for family, counts in families:
        for site in sorted(pumps):
            family.add_metric((site,), counts[site])
        yield family


def _family(name: str, meaning: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=ALERT_LABELS)


def _gauge(name: str, meaning: str, level: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=level)
