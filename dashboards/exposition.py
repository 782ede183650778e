"""What Prometheus is told: a process's metrics as one type, each with its name, meaning and labels, live in one registry.

Labels are bounded words of ours, never a token or anything that a client wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, Literal, TypeAlias, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Definition:
    """How one metric is exposed; a counter gets `_total` behind its name."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


Catalogue = TypeVar("Catalogue", bound=Enum)
"""An Enum whose members are Definitions: every metric that a process has."""
Collector: TypeAlias = Counter | Gauge | Histogram


class Exposition(Generic[Catalogue]):
    """A catalogue, live in one registry; safe to call from any thread."""

    def __init__(self, catalogue: type[Catalogue]) -> None:
        self.registry = CollectorRegistry()
        self.collectors: dict[Catalogue, Collector] = {
            metric: self._make(metric.value) for metric in catalogue
        }

    def add(self, metric: Catalogue, amount: float = 1.0, **labels: str) -> None:
        """Raise a counter. TypeError for a metric that is none."""
        collector = self._labelled(metric, labels)
        if not isinstance(collector, Counter):
            raise TypeError(f"{metric.name} is no counter")
        collector.inc(amount)

    def set(self, metric: Catalogue, level: float, **labels: str) -> None:
        """Set a gauge. TypeError for a metric that is none."""
        collector = self._labelled(metric, labels)
        if not isinstance(collector, Gauge):
            raise TypeError(f"{metric.name} is no gauge")
        collector.set(level)

    def observe(self, metric: Catalogue, seconds: float) -> None:
        """Count one duration in a histogram. TypeError for a metric that is none."""
        collector = self.collectors[metric]
        if not isinstance(collector, Histogram):
            raise TypeError(f"{metric.name} is no histogram")
        collector.observe(seconds)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _labelled(self, metric: Catalogue, labels: dict[str, str]) -> Collector:
        collector = self.collectors[metric]
        return collector.labels(**labels) if labels else collector

    def _make(self, definition: Definition) -> Collector:
        name, meaning, labels = definition.name, definition.meaning, definition.labels
        if definition.kind == "counter":
            return Counter(name, meaning, labels, registry=self.registry)
        if definition.kind == "gauge":
            return Gauge(name, meaning, labels, registry=self.registry)
        return Histogram(name, meaning, labels, buckets=definition.buckets, registry=self.registry)
