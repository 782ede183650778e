"""One gateway process: composes database, producer, ticks and the HTTP server, and ends them in good order.

The order at the end matters. The server stops taking connections and answers what it has taken; then the ticks end, the
producer waits for what is in hand, and only then do the connections close.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from contract.errors import UnreachableError
from ingest.authority import REFRESH_EVERY_S, Sites, TokenList
from ingest.gateway import Gateway, GatewayLimits
from ingest.gateway_metrics import Metric, Metrics
from ingest.producer import BoundedProducer, QueueLimits
from ingest.rates import RateLimit
from ingest.ticks import TICK_EVERY_S, tick_for_ever
from storage.pool import Database, connect
from storage.registrations import site_of
from storage.tokens import load_all
from storage.types import TokenRow
from thecaflow.serving import Served, serve
from thecaflow.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

STOP_S: Final = 10
DRAIN_S: Final = 10.0
MAX_CONNECTIONS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What the command line says beyond the settings."""

    host: str
    port: int
    tick_every_s: float = TICK_EVERY_S
    rate_events_s: float = 0.0
    tokens_every_s: float = REFRESH_EVERY_S
    delivery_timeout_s: float = 5.0
    queue: QueueLimits = field(default_factory=QueueLimits)
    limits: GatewayLimits = field(default_factory=GatewayLimits)


class Directory:
    """Tokens and sites from the database, which is connected to when first asked and again after it was away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database: Database | None = None
        self._connecting = asyncio.Lock()

    async def tokens(self) -> Sequence[TokenRow]:
        """Return all tokens; raises UnreachableError."""
        return await self._ask(load_all)

    async def site_of(self, pump: str) -> str | None:
        """Return the site of a pump; raises UnreachableError."""
        return await self._ask(lambda connection: site_of(connection, pump))

    async def close(self) -> None:
        """Close the connections."""
        if self._database is not None:
            await self._database.close()

    async def _ask(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        async with self._connecting:
            if self._database is None:
                self._database = await connect(self._settings, connections=2)
        try:
            async with asyncio.timeout(5.0), self._database.acquire() as connection:
                return await ask(connection)
        except TimeoutError as slow:
            raise UnreachableError("the database did not answer in 5 s; try again") from slow


class _Process:
    def __init__(self, settings: Settings, options: GatewayOptions) -> None:
        self._options = options
        self._metrics = Metrics()
        self._directory = Directory(settings)
        self._producer = BoundedProducer(
            settings.kafka,
            settings.events_topic,
            limits=options.queue,
            delivery_timeout_s=options.delivery_timeout_s,
            observe_ack=lambda seconds: self._metrics.observe(Metric.ACK_SECONDS, seconds),
        )
        self._gateway = Gateway(
            log=self._producer,
            tokens=TokenList(self._directory.tokens, refresh_every_s=options.tokens_every_s),
            sites=Sites(self._directory.site_of),
            metrics=self._metrics,
            rates=RateLimit(options.rate_events_s),
            limits=options.limits,
        )
        self._ticking: asyncio.Task[None] | None = None

    def served(self) -> Served:
        """Return what is served."""
        return Served(
            app=self._gateway.app(self._start, self._stop),
            host=self._options.host,
            port=self._options.port,
            stop_s=STOP_S,
            max_connections=MAX_CONNECTIONS,
        )

    async def _start(self) -> None:
        await self._producer.start()
        await self._gateway.tokens.start()
        if self._options.tick_every_s > 0:
            self._ticking = asyncio.create_task(
                tick_for_ever(
                    self._producer,
                    self._options.tick_every_s,
                    self._gateway.now_us,
                    lambda count: self._metrics.add(Metric.TICKS, count),
                )
            )
        logger.info("gateway: http://%s:%d/v1/events", self._options.host, self._options.port)

    async def _stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])
        await self._gateway.tokens.stop()
        left = await self._producer.stop(DRAIN_S)
        if left:
            logger.warning("gateway: %d records were never acknowledged; their clients were told so", left)
        await self._directory.close()
        logger.info("gateway: ended")


def run_gateway(settings: Settings, options: GatewayOptions) -> None:
    """Serve until SIGTERM or SIGINT."""
    serve(lambda: _Process(settings, options).served())
