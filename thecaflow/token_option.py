"""The option of commands that a person runs with their own token."""

from __future__ import annotations

import click

token_option = click.option(
    "--token",
    envvar="THECAFLOW_TOKEN",
    show_envvar=True,
    required=True,
    help="Your token; better in the variable, where no list of processes shows it.",
)
