"""The worker's Faust app: its settings, each for a reason, and one actor a partition."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
from mode.supervisors import SupervisorStrategy

from processors.transport import Owner, Poll, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """What may be tuned; the defaults keep a poll under about 50 ms of CPU and 1 MB (see docs/adr)."""

    max_poll_records: int = 500
    max_partition_fetch_bytes: int = 1 << 20
    # A partition's polls in waiting: with 4 the fold ran dry between two fetches (0.65 of a bare loop instead of 0.75).
    polls_buffered: int = 8
    session_timeout_s: float = 30.0
    heartbeat_interval_s: float = 3.0
    commit_interval_s: float = 2.0


class NoRestart(SupervisorStrategy):
    """Lets actors go that ended: the only reason is that their partition went to another worker.

    Faust's own supervisors take that for a crash and start the actor again, on its closed channel, where it ends at once;
    after a hundred rounds they end the process.
    """

    def service_operational(self, service: Any) -> bool:
        """Whether the actor still serves a partition."""
        return not service.crashed and not service.should_stop

    async def restart_services(self, services: list[Any]) -> None:
        """Forget them instead."""
        self.discard(*services)


def quiet_collector() -> None:
    """Let the garbage collector run rarely: records by the hundred thousand are in hand at once, and none is in a cycle.

    Without this a fifth of the consumer's time goes into looking at them again and again. Call it when all is imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def make_app(
    *,
    bootstrap: str,
    group: str,
    client: str,
    folder: Path,
    owner: Owner,
    options: TransportOptions | None = None,
) -> faust.App:
    """Make the Faust app, with our transport in it and no agent yet.

    Parameters
    ----------
    bootstrap
        host:port, separated by commas.
    client
        How this worker is called in the broker's logs and tools.
    folder
        Where Faust puts its (empty) data folder; its parent must exist.
    """
    tuned = options or TransportOptions()
    app = faust.App(
        group,
        broker=[f"kafka://{host}" for host in bootstrap.split(",")],
        broker_client_id=client,
        datadir=folder,
        store="memory://",
        debug=False,
        web_enabled=False,
        web_tables_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=tuned.max_partition_fetch_bytes,
        broker_max_poll_records=tuned.max_poll_records,
        broker_session_timeout=tuned.session_timeout_s,
        broker_heartbeat_interval=tuned.heartbeat_interval_s,
        broker_commit_interval=tuned.commit_interval_s,
        stream_buffer_maxsize=tuned.polls_buffered,
        stream_wait_empty=False,  # a rebalance must not wait for a fold: the compare-and-set fences it (#606)
        worker_redirect_stdouts=False,
    )
    transport = Transport(app.conf.broker, app)
    transport.owner = owner
    app.transport = transport  # the only way to plug one in: a broker URL picks the stock driver
    return app


def add_agent(app: faust.App, topic: str, take: Callable[[Poll], Awaitable[bool]]) -> None:
    """Give each partition of `topic` an actor that hands its polls to `take`, one after the other.

    `take` answers whether the poll is committed and may be acknowledged; it must not raise anything but CancelledError,
    since Faust loses or skips what was in hand when an exception leaves an agent.
    """
    channel = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def fold_partition(stream: Any) -> None:
        async for event in stream.noack().events():
            if await take(event.value):
                event.ack()

    app.agent(channel, name="fold", isolated_partitions=True, supervisor_strategy=NoRestart)(fold_partition)
