"""Where the demonstration lives: a database and topics of its own, made anew for every run."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ingest.tokens import make_token
from storage import databases, pool, tokens
from storage.migrate import migrate
from thecaflow.settings import Settings
from thecaflow.topics import create_topics, delete_topics

SUFFIX: Final = "_demo"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Tokens of the demonstration: one that may replay, and one of somebody who answers alerts."""

    sender: str
    operator: str


def demo_settings(base: Settings) -> Settings:
    """Return the settings of the demonstration on the servers of `base`: nothing of anybody else's is touched."""
    name = urlsplit(base.database).path.removeprefix("/")
    return base.with_changes(
        database=databases.beside(base.database, f"{name}{SUFFIX}"),
        events_topic=f"{base.events_topic}{SUFFIX}",
        facts_topic=f"{base.facts_topic}{SUFFIX}",
        consumer_group=f"{base.consumer_group}{SUFFIX}",
    )


def shell_exports(settings: Settings) -> str:
    """Return the line that makes a shell's `thecaflow` commands look at the demonstration."""
    environment = settings.to_env()
    named = ("database", "events_topic", "facts_topic", "consumer_group")
    variables = [f"THECAFLOW_{name.upper()}" for name in named]
    return "export " + " ".join(f"{name}={shlex.quote(environment[name])}" for name in variables)


async def make_anew(settings: Settings) -> Secrets:
    """Empty database, migrations, topics, and the tokens; returns their secrets."""
    await databases.make_anew(settings)
    await delete_topics(settings)
    await create_topics(settings)
    now_us = time.time_ns() // 1000
    sender, sender_row = make_token("demo", now_us, replay=True)
    operator, operator_row = make_token("demo operator", now_us, role="operator")
    async with pool.single(settings) as connection:
        await migrate(connection)
        await tokens.add(connection, sender_row)
        await tokens.add(connection, operator_row)
    return Secrets(sender, operator)
