"""``thecaflow demo``."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

import click

from contract.times import SECOND_US, format_us
from ingest import simulator
from thecaflow.commands.simulate import Duration
from thecaflow.demo.fleet import FAULTS, DemoPlan
from thecaflow.demo.place import demo_settings, shell_exports
from thecaflow.settings import Settings
from thecaflow.status_screen import terminal

EPILOG = """\b
Examples:
  thecaflow demo                                    two hundred pumps, thirty days, a seed by lot
  thecaflow demo --seed 7                           the same pumps and faults again
  thecaflow demo --offline                          no servers: the same fleet straight through the fold
  thecaflow demo --pumps 5 --fault stall --fault occlusion

\b
It uses a database and topics of its own, and wipes them at its start; so it does with what Prometheus and Alertmanager
remember, lest pages of an earlier run are taken for new ones (with --no-stack it waits for these to resolve instead). High
alerts go to pages, medium to notifications, low to tickets of a receiver on this machine: nobody is called.

\b
Exit codes: 0 every labelled fault was named and told within 20 s (p99, from its commit to the webhook), no healthy pump
had a medium or high alert, page or notification, and the database equals a fold of its log; 1 one of these failed."""


@click.command(epilog=EPILOG)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Same seed, same fleet [default: by lot].")
@click.option("--pumps", type=click.IntRange(1, 10_000), default=200, show_default=True)
@click.option("--days", type=click.FloatRange(2, 120), default=30.0, show_default=True)
@click.option("--period", type=Duration(), default="10m", show_default=True, help="Sampling period.")
@click.option("--upload", type=Duration(), default="4h", show_default=True, help="Time between uploads.")
@click.option(
    "--fault", "faults", multiple=True, metavar="KIND[:COUNT]", help=f"Instead of {' '.join(FAULTS)}."
)
@click.option("--offline", is_flag=True, help="No servers: straight through the fold.")
@click.option(
    "--stack/--no-stack",
    default=True,
    help="Whether to start Kafka, TimescaleDB, Prometheus and Alertmanager.",
)
@click.option("--env", is_flag=True, help="Only print how a shell gets to look at the demonstration.")
def command(*, offline: bool, stack: bool, env: bool, **options: Any) -> int:
    """Show the whole path live: a labelled fleet through every part, until somebody is paged."""
    settings = demo_settings(Settings.from_env())
    if env:
        click.echo(shell_exports(settings))
        return 0
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic made a moment ago is no news
    plan = _plan(options)
    from thecaflow.demo import run  # noqa: PLC0415 - compiled kernels take a second to load
    from thecaflow.demo.steps import Steps  # noqa: PLC0415 - as above

    console = terminal()
    console.print(
        f"seed {plan.seed} (again: thecaflow demo --seed {plan.seed}), now is {format_us(plan.end_us)}"
    )
    steps = Steps(console)
    try:
        if offline:
            return 0 if run.offline(plan, steps).passed else 1
        return 0 if run.live(plan, settings, steps, stack=stack) else 1
    except simulator.FaultRequestError as refused:
        raise click.UsageError(str(refused)) from None


def _plan(options: dict[str, Any]) -> DemoPlan:
    try:
        faults = tuple(map(simulator.parse_fault, options["faults"] or FAULTS))
    except simulator.FaultRequestError as refused:
        raise click.UsageError(str(refused)) from None
    if options["upload"] < options["period"]:
        raise click.UsageError("--upload: can't be shorter than --period.")
    return DemoPlan(
        seed=secrets.randbelow(1_000_000) if options["seed"] is None else options["seed"],
        end_us=int(time.time()) * SECOND_US,
        pumps=options["pumps"],
        days=options["days"],
        period_us=options["period"],
        upload_us=options["upload"],
        faults=faults,
    )
