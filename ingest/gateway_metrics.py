"""Every metric of the gateway: its name, meaning and labels in one type, so that none is made elsewhere.

Labels are bounded words of ours: never a pump, a token or anything that a client wrote.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from dashboards.exposition import Definition, Exposition

BUCKETS_S: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


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


class Metrics(Exposition[Metric]):
    """The catalogue, live in one registry."""

    def __init__(self) -> None:
        super().__init__(Metric)
