"""The facts topic of Kafka: one record a change, key = pump, value = the fact's line, the rest in headers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contract.errors import UnreachableError
from contract.times import format_us
from ingest.producer import close_producer, partition_of
from storage.facts import OutboxRow

SEND_S: Final = 15.0
"""How long a batch may wait for the broker before it is sent anew over another connection."""
CLOSE_S: Final = 3.0


class KafkaFacts:
    """Writes changes with acks=all; connects when first needed, and anew after anything went wrong."""

    def __init__(self, bootstrap: str, topic: str, *, send_s: float = SEND_S) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._send_s = send_s
        self._producer: AIOKafkaProducer | None = None

    async def send(self, rows: Sequence[OutboxRow]) -> None:
        """Send changes in their order and return once the broker has all of them; raises UnreachableError."""
        try:
            async with asyncio.timeout(self._send_s):
                producer = await self._connected()
                waiting = [
                    await producer.send(self._topic, row.line, key=row.pump.encode(), headers=_headers(row))
                    for row in rows
                ]
                await asyncio.gather(*waiting)
        except (
            KafkaError,
            OSError,
            TimeoutError,
            AssertionError,
        ) as away:  # it asserts what a lost topic breaks
            await self.close()
            raise UnreachableError(
                f"topic {self._topic} at {self._bootstrap} does not acknowledge ({type(away).__name__}); "
                "`thecaflow topics create` makes it"
            ) from away

    async def close(self) -> None:
        """Close the connection; what is on its way is given up."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_producer(producer, CLOSE_S)

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap.split(","),
                client_id="thecaflow-console",
                acks="all",
                enable_idempotence=True,
                partitioner=partition_of,
                linger_ms=5,
                request_timeout_ms=10_000,
            )
            try:
                await producer.start()
            except BaseException:
                await close_producer(producer, 0)
                raise
            self._producer = producer
        return self._producer


def _headers(row: OutboxRow) -> list[tuple[str, bytes]]:
    return [
        ("id", row.id.encode()),
        ("change", row.change.encode()),
        ("believed", format_us(row.believed_us).encode()),
    ]
