"""``thecaflow shelve``."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import click

from ingest.answering import LONGEST_SHELF_US
from thecaflow.answer_options import answer_options, targets_of
from thecaflow.answers import Answering
from thecaflow.lengths import Length
from thecaflow.settings import Settings

EPILOG: Final = """\b
Examples:
  thecaflow shelve 1f0c9a3e52b7d481 --for 2h --reason "MRI, pump stopped on purpose"
  thecaflow shelve 1f0c9a3e52b7d481 --for 30m --reason "catheter study" --wait
  thecaflow shelve --pump pump-0007 --cause motor_stall --for 2h --reason "MRI"     without a console

\b
`thecaflow alerts` shows the ids. With an operator's or admin's token; its label is written as the actor. A shelved
alert comes back by itself when the time is over, and at once when its priority rises.
Exit codes: 0 done, 1 not all could be answered (or shown, with --wait), 2 wrong usage."""


@click.command(epilog=EPILOG)
@click.option(
    "--for", "length_s", type=Length(1.0), required=True, help="How long, such as 30m or 2h; 24h at most."
)
@answer_options
def command(
    alert_ids: tuple[str, ...],
    length_s: float,
    reason: str,
    pump: str | None,
    cause: str | None,
    token: str,
    *,
    wait: bool,
    timeout: float,
) -> int:
    """Put alerts aside for a while."""
    if length_s * 1e6 > LONGEST_SHELF_US:
        raise click.BadParameter("an alert can be put aside for 24 h at most", param_hint="--for")
    until_us = time.time_ns() // 1000 + round(length_s * 1e6)
    answering = Answering(token=token, reason=reason, until_us=until_us, wait_s=timeout if wait else None)
    return asyncio.run(answering.give(Settings.from_env(), targets_of(alert_ids, pump, cause)))
