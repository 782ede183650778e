"""Every metric of the worker: its name, meaning and labels in one type, so that none is made elsewhere.

The only label is the number of a partition, so series are bounded. A pump never appears here.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum

from prometheus_client import Gauge

from dashboards.exposition import Definition, Exposition

STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Buckets for one batch's work; a batch is meant to stay under 0.05 s of CPU."""
END_TO_END_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
PARTITION = ("partition",)


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


class Metrics(Exposition[Metric]):
    """The catalogue, live in one registry; safe to call from any thread."""

    def __init__(self) -> None:
        super().__init__(Metric)

    def forget_partition(self, partition: int) -> None:
        """Drop the gauges of a partition that another worker reports from now on; counters stay, they never fall."""
        for metric, collector in self.collectors.items():
            if metric.value.labels == PARTITION and isinstance(collector, Gauge):
                with suppress(KeyError):  # never set
                    collector.remove(str(partition))
