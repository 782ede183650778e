"""``thecaflow ack``."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from thecaflow.answer_options import answer_options, targets_of
from thecaflow.answers import Answering
from thecaflow.settings import Settings

EPILOG: Final = """\b
Examples:
  thecaflow ack 1f0c9a3e52b7d481 --reason "refill booked for 14:00"
  thecaflow ack 1f0c9a3e52b7d481 77aa01b2c3d4e5f6 --reason "relay of ward b restarted" --wait
  thecaflow ack --pump pump-0007 --cause occlusion --reason "patient called"     without a console

\b
`thecaflow alerts` shows the ids. With an operator's or admin's token; its label is written as the actor. What was
acknowledged pages no more until its priority rises; what is over and was not acknowledged yet ends by it.
Exit codes: 0 done, 1 not all could be answered (or shown, with --wait), 2 wrong usage."""


@click.command(epilog=EPILOG)
@answer_options
def command(
    alert_ids: tuple[str, ...],
    reason: str,
    pump: str | None,
    cause: str | None,
    token: str,
    *,
    wait: bool,
    timeout: float,
) -> int:
    """Acknowledge alerts: somebody saw them and acts."""
    answering = Answering(token=token, reason=reason, wait_s=timeout if wait else None)
    return asyncio.run(answering.give(Settings.from_env(), targets_of(alert_ids, pump, cause)))
