"""``thecaflow pager``."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from thecaflow.commands.gateway import log_to_stderr
from thecaflow.page_file import default_file
from thecaflow.settings import Settings

EPILOG = """\b
For demonstrations and tests, and an example of a receiver behind Alertmanager: nobody is called.

\b
Examples:
  thecaflow pager                                  on THECAFLOW_PAGER_PORT, into pages.jsonl of the run folder
  thecaflow pager --port 9000 --file /tmp/pages.jsonl
  curl http://127.0.0.1:27085/                     the newest pages as text
  curl -H "Accept: application/json" http://127.0.0.1:27085/

\b
Alertmanager's side, a receiver's webhook at any path:
  webhook_configs: [{url: "http://127.0.0.1:27085/pages"}]"""


@click.command(epilog=EPILOG)
@click.option("--host", help="Default: THECAFLOW_BIND_HOST, the loopback unless set.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: THECAFLOW_PAGER_PORT.")
@click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Where the lines are appended."
)
def command(host: str | None, port: int | None, path: Path | None) -> None:
    """Take Alertmanager's webhooks and write down when each alert came, a JSON line each."""
    from thecaflow.pager import run_pager  # noqa: PLC0415 - the web framework takes a while to load

    log_to_stderr()
    # uvicorn ends in good order on either signal, then raises it once more for whoever was there before: nobody.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    settings = Settings.from_env()
    run_pager(host or settings.bind_host, port or settings.pager_port, path or default_file(settings))
