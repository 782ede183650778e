"""``thecaflow topics create|check``."""

import asyncio
import logging

import click

from thecaflow.settings import Settings
from thecaflow.topics import DAY_MS, TopicState, check_topics, create_topics


@click.group(epilog="\b\nExamples:\n  thecaflow topics create\n  thecaflow topics check")
def command() -> None:
    """Make or check the Kafka topics."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own message says it once


@command.command()
def create() -> None:
    """Make the topics that are missing and set their retention; safe to repeat.

    Refuses a topic with another number of partitions.
    """
    _show(asyncio.run(create_topics(Settings.from_env())))


@command.command()
def check() -> None:
    """Exit 1 unless the topics are there as the settings say."""
    _show(asyncio.run(check_topics(Settings.from_env())))


def _show(states: list[TopicState]) -> None:
    for state in states:
        days = state.retention_ms / DAY_MS
        click.echo(f"{state.name}: {state.partitions} partitions, records kept {days:g} days")
