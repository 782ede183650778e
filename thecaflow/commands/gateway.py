"""``thecaflow gateway``."""

from __future__ import annotations

import logging
import sys

import click

from ingest.gateway import MEBIBYTE, GatewayLimits
from ingest.producer import QueueLimits
from thecaflow.gateway_run import GatewayOptions, run_gateway
from thecaflow.settings import Settings

EPILOG = """\b
Post events to /v1/events with a token of `thecaflow token add`:
  curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/x-ndjson" \\
       --data-binary @events.jsonl http://127.0.0.1:27080/v1/events

\b
Pages: /schema (OpenAPI), /metrics (Prometheus), /healthz, /readyz.
It speaks plain HTTP: beyond the loopback put it behind a proxy that ends TLS."""


@click.command(epilog=EPILOG)
@click.option("--host", help="Default: THECAFLOW_BIND_HOST, the loopback unless set.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: THECAFLOW_GATEWAY_PORT.")
@click.option(
    "--tick", type=click.FloatRange(min=0), default=10.0, show_default=True, envvar="THECAFLOW_GATEWAY_TICK_S",
    help="Seconds between ticks into every partition; 0: none.",
)  # fmt: skip
@click.option(
    "--rate", type=click.FloatRange(min=0), default=10_000.0, show_default=True, envvar="THECAFLOW_GATEWAY_RATE",
    help="Events a second that one token may send; 0: any number.",
)  # fmt: skip
@click.option(
    "--body-limit", type=click.FloatRange(0.001, 64), default=8.0, show_default=True,
    envvar="THECAFLOW_GATEWAY_BODY_MB", help="Largest body, decompressed, in MiB.",
)  # fmt: skip
@click.option(
    "--queue-events", type=click.IntRange(1), default=20_000, show_default=True,
    envvar="THECAFLOW_GATEWAY_QUEUE_EVENTS", help="Most records that wait for the broker.",
)  # fmt: skip
@click.option(
    "--queue-limit", type=click.FloatRange(0.001), default=32.0, show_default=True,
    envvar="THECAFLOW_GATEWAY_QUEUE_MB", help="Most bytes that wait for the broker, in MiB.",
)  # fmt: skip
@click.option(
    "--delivery-timeout", type=click.FloatRange(0.1, 300), default=5.0, show_default=True,
    envvar="THECAFLOW_GATEWAY_DELIVERY_TIMEOUT_S", help="Seconds to wait for the broker before 503.",
)  # fmt: skip
def command(
    host: str | None,
    port: int | None,
    tick: float,
    rate: float,
    body_limit: float,
    queue_events: int,
    queue_limit: float,
    delivery_timeout: float,
) -> None:
    """Take events over HTTP, and answer once the log has them."""
    log_to_stderr()
    settings = Settings.from_env()
    options = GatewayOptions(
        host=host or settings.bind_host,
        port=port or settings.gateway_port,
        tick_every_s=tick,
        rate_events_s=rate,
        delivery_timeout_s=delivery_timeout,
        queue=QueueLimits(events=queue_events, bytes=round(queue_limit * MEBIBYTE)),
        limits=GatewayLimits(body_bytes=round(body_limit * MEBIBYTE)),
    )
    run_gateway(settings, options)


def log_to_stderr() -> None:
    """Log our own lines from info on and the libraries' errors; standard output stays empty."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    for ours in ("ingest", "storage", "thecaflow"):
        logging.getLogger(ours).setLevel(logging.INFO)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # ten lines a second while the broker is away
    logging.getLogger("asyncpg").setLevel(
        logging.CRITICAL
    )  # a stack trace a second while the database is away
