"""``thecaflow console``."""

from __future__ import annotations

import logging

import click

from thecaflow.commands.gateway import log_to_stderr
from thecaflow.console_run import ConsoleOptions, run_console
from thecaflow.settings import Settings

EPILOG = """\b
Log in with a token of a role that reads:
  thecaflow token add ward-b-nurse --role operator --site ward-b
  curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:27081/v1/alerts
  curl -X POST -H "Authorization: Bearer $TOKEN" http://127.0.0.1:27081/v1/login-links

\b
Pages: /schema (OpenAPI), /metrics (Prometheus: the alerts that are open), /healthz, /readyz.
Two consoles side by side serve the same alerts; one of them publishes the facts, the other takes over.
Give both the same THECAFLOW_CONSOLE_KEY, so that a login holds on either.
It speaks plain HTTP: beyond the loopback put it behind a proxy that ends TLS, and set THECAFLOW_CONSOLE_URL to https://..."""


@click.command(epilog=EPILOG)
@click.option("--host", help="Default: THECAFLOW_BIND_HOST, the loopback unless set.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: THECAFLOW_CONSOLE_PORT.")
@click.option(
    "--publish/--no-publish", default=True, show_default=True, envvar="THECAFLOW_CONSOLE_PUBLISH",
    help="Send alert and dose facts from the outbox to the facts topic.",
)  # fmt: skip
def command(host: str | None, port: int | None, *, publish: bool) -> None:
    """Show the fleet and its alerts to people and to Prometheus, and publish the facts."""
    log_to_stderr()
    logging.getLogger("dashboards").setLevel(logging.INFO)
    settings = Settings.from_env()
    run_console(
        settings,
        ConsoleOptions(host=host or settings.bind_host, port=port or settings.console_port, publish=publish),
    )
