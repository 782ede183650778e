"""What a person answers to an alert, posted to the gateway with their own token: acknowledge it, or put it aside."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx
import msgspec

from contract.codec import decode_json, encode_json
from contract.errors import ThecaflowError, UnreachableError, UnusableInputError
from contract.events import AlertAck, AlertShelved
from contract.facts import Quarantined
from ingest.bodies import Media
from ingest.ids import RANDOM_BYTES, uuid7
from ingest.intake import Answer
from ingest.replay_targets import EVENTS_PATH, LATER, RETRY_AFTER_S, LaterError, problem_of, retry_after_s
from ingest.tokens import secret_of

LONGEST_SHELF_US: Final = 24 * 3_600_000_000
MAX_REASON: Final = 1000
TIMEOUT_S: Final = 15.0
"""Longer than the gateway waits for the broker, so that its own words arrive."""


class AnswerRefusedError(ThecaflowError):
    """The gateway refuses the answer; `status` 401: the token does not hold, 403: it may not answer this alert."""

    def __init__(self, reason: str, status: HTTPStatus) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that is in the log; the alert changes its state once a worker has folded it."""

    event_id: str
    received: str
    """The gateway's stamp, RFC 3339."""


_answer: Final = msgspec.json.Decoder(Answer).decode


async def acknowledge(
    client: httpx.AsyncClient,
    gateway_url: str,
    secret: str,
    *,
    pump: str,
    alert_id: str | None,
    cause: str | None,
    reason: str,
    now_us: int,
    patience_s: float = 0.0,
) -> Answered:
    """Acknowledge an alert of a pump, by its id or by its cause.

    With `patience_s` the same event is sent again for so long while the gateway cannot take it; it counts once.

    Raises
    ------
    AnswerRefusedError
        The token does not hold (401) or may not answer this alert (403).
    LaterError
        Nobody took it: the gateway is away or puts it off (429, 503).
    UnusableInputError
        Neither id nor cause, or no reason.
    """
    event = AlertAck(**_fields(pump, alert_id, cause, reason, now_us))
    return await _post(client, gateway_url, secret, event, patience_s)


async def shelve(
    client: httpx.AsyncClient,
    gateway_url: str,
    secret: str,
    *,
    pump: str,
    alert_id: str | None,
    cause: str | None,
    reason: str,
    until_us: int,
    now_us: int,
    patience_s: float = 0.0,
) -> Answered:
    """Put an alert aside until a time, 24 h ahead at most; otherwise as `acknowledge`."""
    if not now_us < until_us <= now_us + LONGEST_SHELF_US:
        raise UnusableInputError("an alert can be put aside for 24 h at most, and not into the past")
    event = AlertShelved(**_fields(pump, alert_id, cause, reason, now_us), until_us=until_us)
    return await _post(client, gateway_url, secret, event, patience_s)


def _fields(pump: str, alert_id: str | None, cause: str | None, reason: str, now_us: int) -> dict[str, Any]:
    """Return the fields of either event. `actor` is left to the gateway, which knows whose token it is."""
    if alert_id is None and cause is None:
        raise UnusableInputError("say which alert is meant, by its id or its cause")
    said = "".join(mark if mark.isprintable() else " " for mark in reason).strip()
    if not 0 < len(said) <= MAX_REASON:
        raise UnusableInputError(f"say why, in at most {MAX_REASON} characters")
    return {
        "id": uuid7(now_us, secrets.token_bytes(RANDOM_BYTES)),
        "pump": pump,
        "source": "clinic",
        "at_us": now_us,
        "alert_id": alert_id,
        "cause": cause,
        "reason": said,
    }


async def _post(
    client: httpx.AsyncClient,
    gateway_url: str,
    secret: str,
    event: AlertAck | AlertShelved,
    patience_s: float,
) -> Answered:
    line = encode_json(event)
    if isinstance(unusable := decode_json(line), Quarantined):
        raise UnusableInputError(unusable.reason)
    end = time.monotonic() + patience_s
    while True:
        try:
            return await _post_once(client, gateway_url, secret, line)
        except LaterError as later:
            if time.monotonic() + later.retry_after_s >= end:
                raise
            await asyncio.sleep(later.retry_after_s)


async def _post_once(client: httpx.AsyncClient, gateway_url: str, secret: str, line: bytes) -> Answered:
    token = secret_of(f"Bearer {secret}")
    if token is None:
        raise AnswerRefusedError(
            "This is no token; `thecaflow token add` makes one.", HTTPStatus.UNAUTHORIZED
        )
    headers = {"Authorization": f"Bearer {token}", "Content-Type": Media.NDJSON.value}
    url = gateway_url.rstrip("/") + EVENTS_PATH
    try:
        response = await client.post(url, content=line, headers=headers, timeout=TIMEOUT_S)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as wrong:
        raise UnusableInputError(f"{gateway_url} is no address of a gateway: {wrong}") from wrong
    except httpx.HTTPError as lost:
        raise LaterError(
            f"no gateway answers at {gateway_url} ({type(lost).__name__})", RETRY_AFTER_S
        ) from lost
    if response.status_code != HTTPStatus.ACCEPTED:
        raise _refusal(response, gateway_url)
    try:
        answer = _answer(response.content)
        [result] = answer.results
    except (msgspec.MsgspecError, ValueError):
        raise UnreachableError(f"what answers at {gateway_url} is no gateway of this version") from None
    if result.status != "accepted" or result.id is None:
        raise AnswerRefusedError(
            result.reason or "The gateway did not take the answer.", HTTPStatus.FORBIDDEN
        )
    return Answered(event_id=result.id, received=answer.received)


def _refusal(response: httpx.Response, gateway_url: str) -> ThecaflowError:
    """Return what a status other than 202 means to the person who answered."""
    status = response.status_code
    problem = problem_of(response)
    reasons = [result.reason for result in problem.results or () if result.reason]
    detail = " ".join(reasons) or problem.detail or f"The gateway at {gateway_url} answers {status}."
    if status in LATER:
        return LaterError(detail, retry_after_s(response))
    known = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    return AnswerRefusedError(detail, HTTPStatus(status) if known else HTTPStatus.BAD_REQUEST)
