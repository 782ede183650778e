"""One console process: composes database, snapshots, publisher and the HTTP server, and ends them in good order.

The order at the end: the streams first, since the server waits for its answers to end; then the server; then the
publisher, which leaves what the broker has not acknowledged in the outbox; then the connections.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Final

import httpx

from dashboards.console.answers import GatewayAnswers
from dashboards.console.app import Parts, make_app
from dashboards.console.database import Asking
from dashboards.console.facts_topic import KafkaFacts
from dashboards.console.logins import TokenSessions
from dashboards.console.metrics import ConsoleMetrics, SnapshotCollector
from dashboards.console.parts import Console, ConsoleSettings
from dashboards.console.publisher import Publisher, open_outbox
from dashboards.console.security import Keys
from dashboards.console.snapshots import DatabaseFleet, Snapshots
from dashboards.console.stream import Streams
from ingest.authority import REFRESH_EVERY_S, TokenList
from storage.tokens import load_all
from thecaflow.explaining.asked import Detectors
from thecaflow.serving import Served, serve
from thecaflow.settings import Settings

logger = logging.getLogger(__name__)

STOP_S: Final = 5
MAX_CONNECTIONS: Final = 2048
WATCHING_CONNECTIONS: Final = 3
"""The fleet, the figures and the tokens: each asks one question at a time."""
GIGABYTE: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleOptions:
    """What the command line says beyond the settings."""

    host: str
    port: int
    publish: bool = True
    tokens_every_s: float = REFRESH_EVERY_S


def now_us() -> int:
    """The wall clock."""
    return time.time_ns() // 1000


class _Process:
    def __init__(self, settings: Settings, options: ConsoleOptions) -> None:
        self._options = options
        self._database = Asking(settings)  # for what people ask; pages must not wait behind that
        self._watching = Asking(settings, connections=WATCHING_CONNECTIONS)
        self._snapshots = Snapshots(DatabaseFleet(self._watching, settings.events_topic), now_us)
        self._tokens = TokenList(lambda: self._watching.ask(load_all), refresh_every_s=options.tokens_every_s)
        self._sessions = TokenSessions(self._tokens, self._database, now_us)
        self._client = httpx.AsyncClient(trust_env=False)
        self._streams = Streams(self._snapshots)
        limit_bytes = round(settings.database_limit_gb * GIGABYTE)
        metrics = ConsoleMetrics(SnapshotCollector(self._snapshots, now_us, limit_bytes))
        self._topic = KafkaFacts(settings.kafka, settings.facts_topic)
        self._publisher = Publisher(open_outbox(settings), self._topic, metrics.published.inc)
        console = Console(
            snapshots=self._snapshots,
            database=self._database,
            answers=GatewayAnswers(self._client, settings.gateway_url, now_us),
            detection=Detectors(self._database, settings.events_topic),
            sessions=self._sessions,
            settings=ConsoleSettings(
                console_url=settings.console_url,
                gateway_url=settings.gateway_url,
                events_topic=settings.events_topic,
                facts_topic=settings.facts_topic,
                database_limit_bytes=limit_bytes,
            ),
            now_us=now_us,
        )
        self._app = make_app(
            Parts(
                console=console,
                sessions=self._sessions,
                tokens=self._tokens,
                streams=self._streams,
                metrics=metrics,
                keys=Keys.of(settings.console_key),
            ),
            self._start,
            self._stop,
        )

    def served(self) -> Served:
        """Return what is served."""
        return Served(
            app=self._app,
            host=self._options.host,
            port=self._options.port,
            stop_s=STOP_S,
            max_connections=MAX_CONNECTIONS,
            ending=self._streams.close,
        )

    async def _start(self) -> None:
        await self._tokens.start()
        await self._snapshots.start()
        if self._options.publish:
            await self._publisher.start()
        logger.info("console: http://%s:%d/", self._options.host, self._options.port)

    async def _stop(self) -> None:
        await self._publisher.stop()
        await self._topic.close()
        await self._snapshots.stop()
        await self._tokens.stop()
        await self._client.aclose()
        await self._database.close()
        await self._watching.close()
        logger.info("console: ended")


def run_console(settings: Settings, options: ConsoleOptions) -> None:
    """Serve until SIGTERM or SIGINT."""
    serve(lambda: _Process(settings, options).served())
