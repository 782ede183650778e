"""Every metric of the worker: its name, meaning and labels in one type, so that none is made elsewhere.

The only label is the number of a partition, so series are bounded. A pump never appears here.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Buckets for one batch's work; a batch is meant to stay under 0.05 s of CPU."""
END_TO_END_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
PARTITION = ("partition",)


@dataclass(frozen=True, slots=True)
class Definition:
    """How one metric is exposed; a counter gets `_total` behind its name."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


class Metric(Enum):
    """The catalogue."""

    FRAMES = Definition(
        "thecaflow_frames", "counter", "Events committed, telemetry frames and others.", PARTITION
    )
    SAMPLES = Definition("thecaflow_samples", "counter", "Telemetry rows committed.", PARTITION)
    QUARANTINED = Definition("thecaflow_quarantined", "counter", "Records put into quarantine.", PARTITION)
    BATCHES = Definition("thecaflow_batches", "counter", "Batches committed.", PARTITION)
    REWINDS = Definition("thecaflow_rewinds", "counter", "Pumps folded again from a checkpoint.", PARTITION)
    CORRECTIONS = Definition(
        "thecaflow_corrections", "counter", "Facts superseded by late events.", PARTITION
    )
    REPEATED = Definition(
        "thecaflow_repeated", "counter", "Records dropped, known by their offset.", PARTITION
    )
    REREADS = Definition("thecaflow_rereads", "counter", "Times that a partition was read anew.", PARTITION)
    RETRIES = Definition(
        "thecaflow_database_retries", "counter", "Batches retried after a database error.", PARTITION
    )
    LAG = Definition("thecaflow_lag_records", "gauge", "Records in the log, not yet committed.", PARTITION)
    PROGRESS_AT = Definition(
        "thecaflow_progress_seconds", "gauge", "Time of the newest commit, Unix.", PARTITION
    )
    PARTITIONS = Definition("thecaflow_partitions", "gauge", "Partitions that this worker holds.")
    READ_SECONDS = Definition(
        "thecaflow_read_seconds", "histogram", "Decoding one batch.", buckets=STEP_SECONDS
    )
    FOLD_SECONDS = Definition(
        "thecaflow_fold_seconds", "histogram", "Folding one batch.", buckets=STEP_SECONDS
    )
    COMMIT_SECONDS = Definition(
        "thecaflow_commit_seconds", "histogram", "One batch's database transaction.", buckets=STEP_SECONDS
    )
    END_TO_END_SECONDS = Definition(
        "thecaflow_end_to_end_seconds",
        "histogram",
        "From the gateway's `received` of an event to its commit.",
        buckets=END_TO_END_SECONDS,
    )


_Collector: TypeAlias = Counter | Gauge | Histogram


class Metrics:
    """The catalogue, live in one registry; safe to call from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._collectors: dict[Metric, _Collector] = {metric: self._make(metric.value) for metric in Metric}

    def add(self, metric: Metric, amount: float = 1.0, **labels: str) -> None:
        """Raise a counter. TypeError for a metric that is none."""
        collector = self._labelled(metric, labels)
        if not isinstance(collector, Counter):
            raise TypeError(f"{metric.name} is no counter")
        collector.inc(amount)

    def set(self, metric: Metric, level: float, **labels: str) -> None:
        """Set a gauge. TypeError for a metric that is none."""
        collector = self._labelled(metric, labels)
        if not isinstance(collector, Gauge):
            raise TypeError(f"{metric.name} is no gauge")
        collector.set(level)

    def observe(self, metric: Metric, seconds: float) -> None:
        """Count one duration in a histogram. TypeError for a metric that is none."""
        collector = self._collectors[metric]
        if not isinstance(collector, Histogram):
            raise TypeError(f"{metric.name} is no histogram")
        collector.observe(seconds)

    def forget_partition(self, partition: int) -> None:
        """Drop the gauges of a partition that another worker reports from now on; counters stay, they never fall."""
        for metric, collector in self._collectors.items():
            if metric.value.labels == PARTITION and isinstance(collector, Gauge):
                with suppress(KeyError):  # never set
                    collector.remove(str(partition))

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _labelled(self, metric: Metric, labels: dict[str, str]) -> _Collector:
        collector = self._collectors[metric]
        return collector.labels(**labels) if labels else collector

    def _make(self, definition: Definition) -> _Collector:
        name, meaning, labels = definition.name, definition.meaning, definition.labels
        if definition.kind == "counter":
            return Counter(name, meaning, labels, registry=self.registry)
        if definition.kind == "gauge":
            return Gauge(name, meaning, labels, registry=self.registry)
        return Histogram(name, meaning, labels, buckets=definition.buckets, registry=self.registry)
