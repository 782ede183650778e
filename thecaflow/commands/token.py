"""``thecaflow token add|list|revoke``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_args

import click

from contract.errors import UnusableInputError
from contract.times import format_us
from ingest.tokens import make_token, sendable_types
from storage import tokens
from storage.pool import single
from storage.types import Role, TokenRow
from thecaflow.settings import Settings

T = TypeVar("T")

EXAMPLES = """\b
Examples:
  thecaflow token add relay-7 --pump pump-0007 --type telemetry --type device_alarm
  thecaflow token add ward-b --site ward-b
  thecaflow token add demo --replay
  thecaflow token add nurse-7 --role operator --site ward-b
  thecaflow token add ward-b-screen --role viewer --site ward-b
  thecaflow token list
  thecaflow token revoke 1f0c9a3e

\b
Roles: a sender is a program or relay; a viewer reads the console and sends nothing; an operator also acknowledges,
shelves and writes notes and assessments, under LABEL as actor; an admin also sees who has tokens and who did what.
Without --pump and --site a token is for all pumps. Without --type a sender sends any type but alert_ack and
alert_shelved, which take --type (or --replay), so that no device can silence its own alert.
A revoked token may still be taken for the 5 s in which the gateway keeps its list."""


@click.group(epilog=EXAMPLES)
def command() -> None:
    """Add, list or revoke the bearer tokens of programs and people."""


@command.command()
@click.argument("label")
@click.option("--role", type=click.Choice(get_args(Role)), default="sender", show_default=True)
@click.option("--pump", "pumps", multiple=True, help="A pump that it is for; may be repeated.")
@click.option("--site", "sites", multiple=True, help="A site whose pumps it is for; may be repeated.")
@click.option("--type", "types", multiple=True, help="An event type that it may send; may be repeated.")
@click.option("--replay", is_flag=True, help="Events may say themselves when they were `received`.")
def add(
    label: str,
    role: Role,
    pumps: tuple[str, ...],
    sites: tuple[str, ...],
    types: tuple[str, ...],
    *,
    replay: bool,
) -> None:
    """Make a token and print its secret, which is shown this once and stored nowhere."""
    secret, row = make_token(
        label, time.time_ns() // 1000, role=role, pumps=pumps, sites=sites, types=types, replay=replay
    )
    _run(lambda connection: tokens.add(connection, row))
    click.echo(f"token {row.id} ({label}, {row.role}): {_scope(row)}", err=True)
    click.echo(secret)


@command.command(name="list")
def list_() -> None:
    """List the tokens, their roles and scopes and whether they hold; never a secret."""
    for row in _run(tokens.load_all):
        state = "holds" if row.revoked_us is None else f"revoked {format_us(row.revoked_us)}"
        click.echo(
            f"{row.id}  {row.label}  {row.role}  since {format_us(row.created_us)}  {state}  {_scope(row)}"
        )


@command.command()
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """Revoke a token by the id that `list` shows."""
    if not _run(lambda connection: tokens.revoke(connection, token_id, time.time_ns() // 1000)):
        raise UnusableInputError(
            f"there is no token {token_id} that holds; `thecaflow token list` shows them"
        )
    click.echo(f"token {token_id} revoked", err=True)


def _scope(row: TokenRow) -> str:
    parts = []
    for name, members in (("pumps", row.pumps), ("sites", row.sites)):
        if members is not None:
            parts.append(f"{name} {','.join(members)}")
    who = " or ".join(parts) or "all pumps"
    return f"{who}; {_sends(row)}{'; may replay' if row.replay else ''}"


def _sends(row: TokenRow) -> str:
    if row.types is not None:
        return f"sends {','.join(row.types)}"
    if row.role == "sender":
        return "sends all types" if row.replay else "sends all types but alert_ack and alert_shelved"
    return f"sends {','.join(sorted(sendable_types(row))) or 'nothing'}"


def _run(ask: Callable[[Any], Awaitable[T]]) -> T:
    async def main() -> T:
        async with single(Settings.from_env()) as connection:
            return await ask(connection)

    return asyncio.run(main())
