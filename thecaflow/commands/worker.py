"""``thecaflow worker``."""

import asyncio
import logging
import os
import sys

import click

from thecaflow.settings import Settings, use_numba_cache

EPILOG = """\b
Pages: /metrics (Prometheus), /healthz (503 when stuck), /readyz.
Exit codes:
   0  stopped by SIGTERM or SIGINT, everything in hand committed
   3  the log lost records that the database has not seen      } a person
   4  the database is ahead of the log                         } has to
   5  too many records cannot be used                          } look
   7  states were written by other rules: thecaflow rebuild    }
   6  no progress for --exit-after seconds                     } restart
  70  a surprise; nothing in hand was acknowledged             } it
"""


class _Expected(logging.Filter):
    """Hides how Faust reports that it took a partition away from an actor: as a crash by CancelledError."""

    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        return not any(isinstance(argument, asyncio.CancelledError) for argument in arguments)


@click.command(epilog=EPILOG)
@click.option(
    "--name", default=lambda: f"{os.getpid()}", help="Shown in logs and to Kafka.  [default: the process id]"
)
@click.option(
    "--http-port", type=click.IntRange(0, 65535), help="Default: THECAFLOW_WORKER_PORT or the next free one."
)
@click.option(
    "--stuck-after", default=60.0, show_default=True, help="Seconds without progress until /healthz says so."
)
@click.option("--exit-after", default=300.0, show_default=True, help="Seconds without progress until exit 6.")
@click.option(
    "--quarantine-share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    envvar="THECAFLOW_QUARANTINE_SHARE",
    help="Share of unusable records above which the worker stops; 1: never.",
)
@click.option(
    "--session-timeout", default=30.0, show_default=True, help="Seconds until the group misses a dead worker."
)
@click.option("--poll-records", default=500, show_default=True, help="Most records in a batch.")
def command(
    name: str,
    http_port: int | None,
    stuck_after: float,
    exit_after: float,
    quarantine_share: float,
    session_timeout: float,
    poll_records: int,
) -> int:
    """Fold events from Kafka into TimescaleDB; start as many as there are cores, partitions are shared out."""
    use_numba_cache()  # before anything imports numba
    from kernels import step  # noqa: PLC0415
    from processors.live import PartitionFold  # noqa: PLC0415
    from thecaflow.worker_app import TransportOptions  # noqa: PLC0415
    from thecaflow.worker_run import WorkerOptions, run_worker  # noqa: PLC0415

    log_to_stderr()
    transport = TransportOptions(
        max_poll_records=poll_records,
        session_timeout_s=session_timeout,
        heartbeat_interval_s=session_timeout / 10,
    )
    options = WorkerOptions(
        name=name,
        http_port=http_port,
        stuck_after_s=stuck_after,
        exit_after_s=exit_after,
        quarantine_share=quarantine_share,
        transport=transport,
    )
    return int(run_worker(Settings.from_env(), options, PartitionFold, step.warm))


def log_to_stderr() -> None:
    """Log our own lines from info on and the libraries' warnings; standard output stays empty."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(_Expected())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("asyncpg").setLevel(logging.ERROR)  # its pool tells in 30 lines what our one line tells
    for ours in ("processors", "storage", "thecaflow"):
        logging.getLogger(ours).setLevel(logging.INFO)
    for shared_with_faust in (
        "processors.transport",
        "thecaflow.worker_app",
    ):  # services starting and stopping
        logging.getLogger(shared_with_faust).setLevel(logging.WARNING)
