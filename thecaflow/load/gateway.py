"""Posting to the gateway: one request, one reply, never an exception for what a gateway or a network may do."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx
import msgspec

from contract.errors import InvalidTimeError, UnreachableError, UnusableInputError
from contract.times import parse_rfc3339
from ingest.bodies import Media
from ingest.intake import Answer, EventResult
from ingest.replay_targets import EVENTS_PATH
from thecaflow.load.ledger import Fate

REQUEST_TIMEOUT_S: Final = 30.0
_answer: Final = msgspec.json.Decoder(Answer).decode


class _Problem(msgspec.Struct):
    type: str = ""
    results: list[EventResult] | None = None


_problem: Final = msgspec.json.Decoder(_Problem).decode


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `results` None: nothing is known of single events, and `fate` holds for the whole post."""

    fate: Fate
    reason: str
    results: list[EventResult] | None = None
    received_us: int = 0
    later: bool = False
    """Whether the same post may be taken another time."""


class Gateway:
    """A gateway, by at most `connections` at once."""

    def __init__(self, url: str, token: str, connections: int) -> None:
        self.url = url.rstrip("/").removesuffix(EVENTS_PATH)
        self._events = self.url + EVENTS_PATH
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": Media.MSGPACK.value}
        self._client = httpx.AsyncClient(
            headers=headers, limits=limits, timeout=REQUEST_TIMEOUT_S, trust_env=False
        )

    async def check(self) -> None:
        """Raise UnreachableError unless the gateway is ready, UnusableInputError for what is no address."""
        try:
            answer = await self._client.get(f"{self.url}/readyz")
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as wrong:
            raise UnusableInputError(f"--url {self.url}: {wrong}") from wrong
        except httpx.TransportError as lost:
            raise UnreachableError(
                f"no gateway answers at {self.url} ({type(lost).__name__}); `thecaflow gateway` starts one"
            ) from lost
        if answer.status_code != HTTPStatus.OK:
            raise UnreachableError(f"the gateway at {self.url} is not ready: {answer.text[:200]}")

    async def post(self, body: bytes) -> Reply:
        """Post a body of MessagePack events."""
        try:
            response = await self._client.post(self._events, content=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as lost:
            return Reply(Fate.REFUSED, f"no connection ({type(lost).__name__})", later=True)
        except httpx.TransportError as lost:
            return Reply(Fate.UNANSWERED, f"no answer ({type(lost).__name__})", later=True)
        try:
            return _read(response)
        except (msgspec.MsgspecError, InvalidTimeError):
            return Reply(Fate.UNANSWERED, f"an answer {response.status_code} that is none of a gateway's")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _read(response: httpx.Response) -> Reply:
    if response.status_code == HTTPStatus.ACCEPTED:
        answer = _answer(response.content)
        return Reply(Fate.ACCEPTED, "", answer.results, parse_rfc3339(answer.received))
    try:
        problem = _problem(response.content)
    except msgspec.MsgspecError:
        problem = _Problem()
    reason = f"{response.status_code} {problem.type.rpartition(':')[2]}".rstrip()
    later = response.status_code in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    } or (response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR)
    return Reply(Fate.REFUSED, reason, problem.results, later=later)
