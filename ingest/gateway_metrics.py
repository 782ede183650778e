"""Every metric of the gateway: its name, meaning and labels in one type, so that none is made elsewhere.

Labels are bounded words of ours: never a pump, a token or anything that a client wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

BUCKETS_S: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


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

    REQUESTS = Definition("thecaflow_gateway_requests", "counter", "Posts answered.", ("status",))
    EVENTS = Definition(
        "thecaflow_gateway_events", "counter", "Events of answered posts, by result.", ("result",)
    )
    REFUSED = Definition(
        "thecaflow_gateway_problems", "counter", "Posts not done, by kind of problem.", ("kind",)
    )
    TICKS = Definition("thecaflow_gateway_ticks", "counter", "Ticks written, one for each partition.")
    QUEUE_EVENTS = Definition("thecaflow_gateway_queue_events", "gauge", "Records waiting for the broker.")
    QUEUE_BYTES = Definition("thecaflow_gateway_queue_bytes", "gauge", "Bytes waiting for the broker.")
    BODY_BYTES = Definition("thecaflow_gateway_body_bytes", "gauge", "Bytes of bodies in hand.")
    CONNECTED = Definition("thecaflow_gateway_connected", "gauge", "1 while the broker acknowledges.")
    CLOCK = Definition("thecaflow_gateway_clock_seconds", "gauge", "The clock that stamps `received`, Unix.")
    ACK_SECONDS = Definition(
        "thecaflow_gateway_ack_seconds",
        "histogram",
        "From handing a post's records to the producer to the broker's acknowledgement.",
        buckets=BUCKETS_S,
    )
    POST_SECONDS = Definition(
        "thecaflow_gateway_post_seconds",
        "histogram",
        "From a post's arrival to its answer.",
        buckets=BUCKETS_S,
    )


_Collector: TypeAlias = Counter | Gauge | Histogram


class Metrics:
    """The catalogue, live in one registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._collectors: dict[Metric, _Collector] = {metric: self._make(metric.value) for metric in Metric}

    def add(self, metric: Metric, amount: float = 1.0, **labels: str) -> None:
        """Raise a counter. TypeError for a metric that is none."""
        collector = self._collectors[metric]
        if not isinstance(collector, Counter):
            raise TypeError(f"{metric.name} is no counter")
        (collector.labels(**labels) if labels else collector).inc(amount)

    def set(self, metric: Metric, level: float) -> None:
        """Set a gauge. TypeError for a metric that is none."""
        collector = self._collectors[metric]
        if not isinstance(collector, Gauge):
            raise TypeError(f"{metric.name} is no gauge")
        collector.set(level)

    def observe(self, metric: Metric, seconds: float) -> None:
        """Count one duration in a histogram. TypeError for a metric that is none."""
        collector = self._collectors[metric]
        if not isinstance(collector, Histogram):
            raise TypeError(f"{metric.name} is no histogram")
        collector.observe(seconds)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def _make(self, definition: Definition) -> _Collector:
        name, meaning, labels = definition.name, definition.meaning, definition.labels
        if definition.kind == "counter":
            return Counter(name, meaning, labels, registry=self._registry)
        if definition.kind == "gauge":
            return Gauge(name, meaning, labels, registry=self._registry)
        return Histogram(name, meaning, labels, buckets=definition.buckets, registry=self._registry)
