"""A person's answer to alerts from the command line: found through the console, posted to the gateway, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click
import httpx

from contract.errors import ThecaflowError, UnreachableError, UnusableInputError
from contract.facts import AlertState
from contract.times import format_us
from ingest import answering
from ingest.answering import Answered
from thecaflow.console_client import ConsoleClient, ShownAlert
from thecaflow.settings import Settings

PATIENCE_S: Final = 10.0
"""How long the gateway may put an answer off before it is given up: a broker that restarts is back by then."""
POLL_S: Final = 0.5


class NothingToAnswerError(ThecaflowError):
    """The alert is in a state in which this answer changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The alert that is meant, by its id or by its cause; `pump` None: the console knows whose id it is."""

    pump: str | None = None
    alert_id: str | None = None
    cause: str | None = None

    def __str__(self) -> str:
        """How messages call it."""
        return " ".join(part for part in (self.pump, self.cause or self.alert_id) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """One answer to any number of alerts: an acknowledgement or, with `until_us`, a shelving."""

    token: str
    reason: str
    until_us: int | None = None
    wait_s: float | None = None
    """How long to wait until the console shows the effect; None: not at all."""

    @property
    def effects(self) -> frozenset[str]:
        """The states that show it."""
        if self.until_us is not None:
            return frozenset({AlertState.SHELVED})
        return frozenset({AlertState.ACKNOWLEDGED, AlertState.CLEARED})

    async def give(self, settings: Settings, targets: Sequence[Target]) -> int:
        """Answer each alert and say what happened; return the exit code, 1 where one could not be answered."""
        async with httpx.AsyncClient(trust_env=False) as client:
            console = ConsoleClient(client, settings.console_url, self.token)
            sent, failed = [], False
            for target in targets:
                try:
                    sent.append(await self._one(client, console, settings.gateway_url, target))
                except (UnreachableError, UnusableInputError):
                    raise  # nor would the next one be taken
                except ThecaflowError as refused:
                    click.echo(f"thecaflow: {target}: {refused}", err=True)
                    failed = True
            if self.wait_s is not None:
                end = time.monotonic() + self.wait_s
                shown = [await self._shown(console, target, end) for target in sent]
                failed = failed or not all(shown)
        return 1 if failed else 0

    async def _one(
        self, client: httpx.AsyncClient, console: ConsoleClient, gateway_url: str, target: Target
    ) -> Target:
        if target.pump is None:
            assert target.alert_id is not None, "the command asks for one of both"
            alert = await console.alert(target.alert_id)
            self._check(alert)
            target = Target(pump=alert.pump, alert_id=alert.alert_id, cause=alert.cause)
        answered = await self._post(client, gateway_url, target)
        what = "acknowledgement"
        if self.until_us is not None:
            what = f"shelving until {format_us(self.until_us)}"
        click.echo(f"{target}: {what} sent, received {answered.received}")
        return target

    def _check(self, alert: ShownAlert) -> None:
        """Raise NothingToAnswerError where the rules of alerts make nothing of this answer."""
        if alert.state == AlertState.CLEARED:
            raise NothingToAnswerError("this alert has ended; there is nothing to answer")
        if alert.state == AlertState.LATCHED and self.until_us is not None:
            raise NothingToAnswerError(
                "what it said is over, so there is nothing to put aside; `thecaflow ack` ends it"
            )

    async def _post(self, client: httpx.AsyncClient, gateway_url: str, target: Target) -> Answered:
        now_us = time.time_ns() // 1000
        assert target.pump is not None, "looked up before"
        if self.until_us is None:
            return await answering.acknowledge(
                client,
                gateway_url,
                self.token,
                pump=target.pump,
                alert_id=target.alert_id,
                cause=target.cause,
                reason=self.reason,
                now_us=now_us,
                patience_s=PATIENCE_S,
            )
        return await answering.shelve(
            client,
            gateway_url,
            self.token,
            pump=target.pump,
            alert_id=target.alert_id,
            cause=target.cause,
            reason=self.reason,
            until_us=self.until_us,
            now_us=now_us,
            patience_s=PATIENCE_S,
        )

    async def _shown(self, console: ConsoleClient, target: Target, end: float) -> bool:
        """Wait until the console shows the effect; False after the time allowed."""
        state = "not shown"
        while True:
            try:
                state = await _state(console, target)
            except UnreachableError as away:
                state = str(away)
            if state in self.effects:
                click.echo(f"{target}: {state}")
                return True
            if time.monotonic() >= end:
                click.echo(f"thecaflow: {target}: not within the time allowed; now: {state}", err=True)
                return False
            await asyncio.sleep(POLL_S)


async def _state(console: ConsoleClient, target: Target) -> str:
    if target.alert_id is not None:
        return (await console.alert(target.alert_id)).state
    found = await console.alerts({"pump": target.pump, "cause": target.cause})
    return found[0][0].state if found else AlertState.CLEARED
