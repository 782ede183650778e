"""Posting to the gateway: one request, one reply, never an exception for what a gateway or a network may do."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx
import msgspec

from contract.errors import InvalidTimeError, UnreachableError
from contract.times import parse_rfc3339
from ingest.bodies import Media
from ingest.intake import Answer, EventResult
from ingest.replay_targets import EVENTS_PATH
from thecaflow.load.http_post import NoAnswerError, NotSentError, Poster, Response
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
    """A gateway; as many connections as posts are under way."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/").removesuffix(EVENTS_PATH)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": Media.MSGPACK.value}
        self._poster = Poster(self.url + EVENTS_PATH, headers)

    async def check(self) -> None:
        """Raise UnreachableError unless the gateway is ready."""
        try:
            async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S, trust_env=False) as client:
                answer = await client.get(f"{self.url}/readyz")
        except httpx.TransportError as lost:
            raise UnreachableError(
                f"no gateway answers at {self.url} ({type(lost).__name__}); `thecaflow gateway` starts one"
            ) from lost
        if answer.status_code != HTTPStatus.OK:
            raise UnreachableError(f"the gateway at {self.url} is not ready: {answer.text[:200]}")

    async def post(self, body: bytes) -> Reply:
        """Post a body of MessagePack events."""
        try:
            response = await self._poster.post(body, REQUEST_TIMEOUT_S)
        except NotSentError as lost:
            return Reply(Fate.REFUSED, f"no connection ({lost})", later=True)
        except NoAnswerError as lost:
            return Reply(Fate.UNANSWERED, f"no answer ({lost})", later=True)
        except TimeoutError:
            return Reply(Fate.UNANSWERED, f"no answer in {REQUEST_TIMEOUT_S:g} s", later=True)
        try:
            return _read(response)
        except (msgspec.MsgspecError, InvalidTimeError):
            return Reply(Fate.UNANSWERED, f"an answer {response.status} that is none of a gateway's")

    def close(self) -> None:
        """Close the connections."""
        self._poster.close()


def _read(response: Response) -> Reply:
    if response.status == HTTPStatus.ACCEPTED:
        answer = _answer(response.body)
        return Reply(Fate.ACCEPTED, "", answer.results, parse_rfc3339(answer.received))
    try:
        problem = _problem(response.body)
    except msgspec.MsgspecError:
        problem = _Problem()
    reason = f"{response.status} {problem.type.rpartition(':')[2]}".rstrip()
    later = response.status in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    } or (response.status >= HTTPStatus.INTERNAL_SERVER_ERROR)
    return Reply(Fate.REFUSED, reason, problem.results, later=later)
