"""The options that `thecaflow ack` and `thecaflow shelve` share, and which alerts they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from contract.facts import Cause
from thecaflow.answers import Target
from thecaflow.token_option import token_option

F = TypeVar("F", bound=Callable[..., Any])


def answer_options(command: F) -> F:
    """Add the arguments of an answer to a command."""
    options = (
        click.argument("alert_ids", nargs=-1, metavar="[ALERT_ID...]"),
        click.option("--reason", required=True, help="Why, in your words; it stays with the alert."),
        click.option("--pump", help="Whose alert it is; then no console is asked."),
        click.option(
            "--cause",
            type=click.Choice([cause.value for cause in Cause]),
            metavar="CAUSE",
            help="With --pump, instead of ids: the open alert of this cause.",
        ),
        click.option("--wait", is_flag=True, help="Wait until the console shows the new state."),
        click.option(
            "--timeout",
            type=click.FloatRange(0),
            default=30.0,
            show_default=True,
            help="Seconds of --wait; then exit 1.",
        ),
        token_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def targets_of(alert_ids: tuple[str, ...], pump: str | None, cause: str | None) -> list[Target]:
    """Return the alerts that are meant, each once; raises UsageError."""
    if alert_ids and cause is None:
        return [Target(pump=pump, alert_id=alert_id) for alert_id in dict.fromkeys(alert_ids)]
    if cause is None or pump is None or alert_ids:
        raise click.UsageError("name the alerts by their ids, or one by --pump and --cause")
    return [Target(pump=pump, cause=cause)]
