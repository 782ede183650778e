"""A person's answer to an alert on its way to the gateway, which alone judges whether they may give it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from contract.errors import ThecaflowError, UnusableInputError
from dashboards.console.session import Viewer
from dashboards.console.snapshot import AlertNow
from ingest import answering
from ingest.answering import Answered, AnswerRefusedError
from ingest.problems import Problem, unavailable
from ingest.replay_targets import LaterError


@dataclass(frozen=True, slots=True)
class GatewayAnswers:
    """Posts answers with the viewer's own token."""

    client: httpx.AsyncClient
    gateway_url: str
    now_us: Callable[[], int]

    async def acknowledge(self, viewer: Viewer, alert: AlertNow, reason: str) -> Answered:
        """Acknowledge an alert; raises Problem."""
        return await self._send(answering.acknowledge, viewer, alert, reason=reason)

    async def shelve(self, viewer: Viewer, alert: AlertNow, reason: str, until_us: int) -> Answered:
        """Put an alert aside; raises Problem."""
        return await self._send(answering.shelve, viewer, alert, reason=reason, until_us=until_us)

    async def _send(
        self, answer: Callable[..., Awaitable[Answered]], viewer: Viewer, alert: AlertNow, **said: Any
    ) -> Answered:
        if not viewer.may_answer:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "role",
                "A viewer reads. To acknowledge or shelve log in with an operator's token.",
            )
        try:
            return await answer(
                self.client,
                self.gateway_url,
                viewer.secret,
                pump=alert.pump,
                alert_id=alert.alert_id,
                cause=alert.cause,
                now_us=self.now_us(),
                **said,
            )
        except ThecaflowError as failed:
            raise _problem(failed) from failed


def _problem(failed: ThecaflowError) -> Problem:
    match failed:
        case AnswerRefusedError():
            return Problem(failed.status, "refused", str(failed))
        case LaterError():
            return unavailable(
                "gateway", f"The answer is not sent: {failed}. Try again.", failed.retry_after_s
            )
        case UnusableInputError():
            return Problem(HTTPStatus.BAD_REQUEST, "answer", f"{failed}.")
        case _:
            return Problem(HTTPStatus.BAD_GATEWAY, "gateway", f"The answer is not sent: {failed}.")
