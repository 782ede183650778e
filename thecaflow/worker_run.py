"""One worker: composes transport, agent, store and pages, and sees to it that the process ends as it should.

Faust's app runs inside our event loop, started and stopped as the service that it is: its own command line would take
over signals, logging and standard output.

The order at the end matters. First the batches in hand are committed while the group still lets us; then Faust stops,
which commits the group's offsets and leaves the group, so that others take over at once; then the connections close.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import faust
import uvloop

from contract.errors import ThecaflowError, UnreachableError
from processors.agent import Agent, QuarantineLimit
from processors.health import EXIT_AFTER_S, STUCK_AFTER_S, Progress
from processors.metrics import Metric, Metrics
from processors.partition_heads import Heads
from processors.ports import ExitCode, PartitionFold
from processors.transport import Consumer, partitions_of
from processors.worker_http import WorkerHttp
from storage.pool import WORKER, Database, connect
from storage.store import DatabaseStore
from thecaflow.settings import Settings
from thecaflow.worker_app import TransportOptions, add_agent, make_app, quiet_collector

logger = logging.getLogger(__name__)

T = TypeVar("T")
MakeFold = Callable[[int, dict[str, bytes], int], PartitionFold]

DRAIN_S: Final = 10.0
STOP_S: Final = 15.0
MEASURE_EVERY_S: Final = 2.0
START_PAUSE_S: Final = 1.0


class TopicMissingError(ThecaflowError):
    """The topic of events does not exist; run: thecaflow topics create."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What the command line says beyond the settings. `http_port` None: the settings' one or the next free one."""

    name: str
    http_port: int | None = None
    stuck_after_s: float = STUCK_AFTER_S
    exit_after_s: float = EXIT_AFTER_S
    quarantine_share: float = 0.5
    transport: TransportOptions = field(default_factory=TransportOptions)


def run_worker(
    settings: Settings, options: WorkerOptions, make_fold: MakeFold, warm: Callable[[], object]
) -> ExitCode:
    """Run until a signal or a reason to stop comes; surprises end the process at once.

    `warm` compiles the kernels; it runs before the group is joined, since a compiler holds up heartbeats.
    Raises ThecaflowError for settings or a schema that cannot be used.
    """
    # Not a loop factory: Faust's consumer thread makes its own loop, and the policy makes that a quick one too.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    quiet_collector()
    with tempfile.TemporaryDirectory(prefix="thecaflow-worker-") as folder:
        return asyncio.run(_Worker(settings, options, make_fold, warm).run(Path(folder) / "faust"))


class _Worker:
    def __init__(
        self, settings: Settings, options: WorkerOptions, make_fold: MakeFold, warm: Callable[[], object]
    ) -> None:
        self._settings = settings
        self._options = options
        self._make_fold = make_fold
        self._warm = warm
        self._metrics = Metrics()
        self._progress = Progress(stuck_after_s=options.stuck_after_s)
        self._ended = asyncio.Event()
        self._code = ExitCode.DONE
        self._heads: Heads | None = None
        self._agent: Agent | None = None

    async def run(self, folder: Path) -> ExitCode:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, ExitCode.DONE, f"{number.name} received")
        pages = self._open_pages()
        try:
            await self._prepare(folder)
        finally:
            pages.close()
        logger.info("worker %s: ended, exit %d %s", self._options.name, self._code, self._code.name)
        return self._code

    def _open_pages(self) -> WorkerHttp:
        pages = WorkerHttp(
            self._metrics,
            self._progress,
            self._ready,
            lambda reason: _leave(ExitCode.STUCK, reason),
            exit_after_s=self._options.exit_after_s,
        )
        host, port = self._settings.bind_host, self._options.http_port
        bound = pages.start(
            host, self._settings.worker_port if port is None else port, exactly=port is not None
        )
        logger.info("worker %s: pages on http://%s:%d", self._options.name, host, bound)
        return pages

    def _ready(self) -> bool:
        """Whether polls are taken; called from the pages' thread."""
        heads, agent = self._heads, self._agent
        loaded = heads is not None and not heads.missing()
        return loaded and self._progress.started and agent is not None and not agent.draining

    async def _prepare(self, folder: Path) -> None:
        """Warm up and find database and topic, waiting as long as either is not there; then serve."""
        warming = asyncio.get_running_loop().run_in_executor(None, self._warm)
        if await self._unless_ended(warming) is None and not warming.done():
            _leave(self._code, "ended while compiling")  # a compiler's thread cannot be interrupted
        warming.result()
        self._progress.measured({})  # compiling was no silence
        database = await self._persistently(lambda: connect(self._settings, name=WORKER))
        if database is None:
            return
        try:
            store = DatabaseStore(database, self._settings.events_topic)
            await self._persistently(store.check_schema)
            if await self._persistently(self._find_topic):
                await self._serve(database, folder)
        finally:
            await database.close()

    async def _serve(self, database: Database, folder: Path) -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="fold") as executor:
            heads, agent = self._make_agent(database, executor)
            app = make_app(
                bootstrap=self._settings.kafka,
                group=self._settings.consumer_group,
                client=f"thecaflow-{self._options.name}",
                folder=folder,
                owner=agent,
                options=self._options.transport,
            )
            add_agent(app, self._settings.events_topic, agent.take)
            consumer = app.consumer
            assert isinstance(consumer, Consumer)
            heads.attach(consumer)
            self._heads, self._agent = heads, agent
            measuring = asyncio.create_task(self._measure(consumer, agent))
            await self._run_app(app)
            measuring.cancel()
            if not await agent.drain(DRAIN_S):
                logger.warning("a batch in hand did not end within %.0f s: its records come again", DRAIN_S)
            await self._stop_app(app)

    def _make_agent(self, database: Database, executor: ThreadPoolExecutor) -> tuple[Heads, Agent]:
        store = DatabaseStore(database, self._settings.events_topic)
        heads = Heads(
            topic=self._settings.events_topic,
            store=store,
            make_fold=self._make_fold,
            executor=executor,
            metrics=self._metrics,
            progress=self._progress,
        )
        agent = Agent(
            heads=heads,
            store=store,
            executor=executor,
            metrics=self._metrics,
            progress=self._progress,
            on_stop=self._end,
            on_surprise=_surprised,
            quarantine=QuarantineLimit(self._options.quarantine_share),
        )
        return heads, agent

    async def _run_app(self, app: faust.App) -> None:
        """Start Faust and wait for a reason to end; Faust's own crash is a surprise."""
        starting = asyncio.ensure_future(app.start())
        stopped = asyncio.ensure_future(app.wait_until_stopped())
        ended = asyncio.ensure_future(self._ended.wait())
        await asyncio.wait({starting, stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and not starting.exception():
            await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not self._ended.is_set():
            reason = starting.exception() if starting.done() else None
            _surprised(reason or app.crash_reason or RuntimeError("Faust ended by itself"))
        starting.cancel()
        stopped.cancel()

    async def _stop_app(self, app: faust.App) -> None:
        try:
            await asyncio.wait_for(app.stop(), STOP_S)
        except TimeoutError:
            # Everything is committed; the group notices by the session's end.
            _leave(self._code, f"Faust did not stop within {STOP_S:.0f} s")

    async def _measure(self, consumer: Consumer, agent: Agent) -> None:
        """Ask the broker again and again how much is left, so that silence can be told from idleness."""
        while True:
            await asyncio.sleep(MEASURE_EVERY_S)
            if not self._progress.started:
                continue
            try:
                lags = self._progress.measured(await consumer.end_offsets())
                for partition, end in self._progress.unknown().items():
                    lags[partition] = end - await consumer.group_offset(
                        self._settings.events_topic, partition
                    )
                for partition, lag in lags.items():
                    self._metrics.set(Metric.LAG, lag, partition=str(partition))
                await agent.revive()
            except UnreachableError as away:
                logger.warning("lag not measured: %s", away)
            except Exception as surprise:  # noqa: BLE001 - a watch that died would look like an idle worker
                _surprised(surprise)

    async def _find_topic(self) -> bool:
        topic = self._settings.events_topic
        if not await partitions_of(self._settings.kafka, topic):
            raise TopicMissingError(f"topic {topic} does not exist; run: thecaflow topics create")
        return True

    async def _persistently(self, attempt: Callable[[], Awaitable[T]]) -> T | None:
        """Repeat what cannot be reached now; None if the worker was ended meanwhile."""
        while not self._ended.is_set():
            try:
                return await attempt()
            except UnreachableError as away:
                logger.warning("waiting: %s", away)
                await self._unless_ended(asyncio.ensure_future(asyncio.sleep(START_PAUSE_S)))
        return None

    async def _unless_ended(self, future: asyncio.Future[T]) -> T | None:
        ended = asyncio.ensure_future(self._ended.wait())
        waited: set[asyncio.Future[Any]] = {future, ended}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        return future.result() if future.done() else None

    def _end(self, code: ExitCode, reason: str) -> None:
        """End in good order; the first reason counts."""
        if self._ended.is_set():
            return
        log = logger.info if code is ExitCode.DONE else logger.critical
        log("worker %s: stopping: %s", self._options.name, reason)
        self._code = code
        self._ended.set()


def _surprised(surprise: BaseException) -> NoReturn:
    logger.critical("nobody foresaw this; what was in hand comes again", exc_info=surprise)
    _leave(ExitCode.SURPRISE, repr(surprise))


def _leave(code: ExitCode, reason: str) -> NoReturn:
    """End the process now, from any thread, without the clean-up that could acknowledge or hang."""
    logger.critical("exit %d %s: %s", code, code.name, reason)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
