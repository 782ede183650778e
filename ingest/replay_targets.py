"""Where a replay sends its lines: the gateway over HTTP, or straight into the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, Protocol

import httpx
import msgspec

from contract.errors import ThecaflowError, UnreachableError
from ingest.bodies import Media
from ingest.intake import Answer, EventResult
from ingest.producer import BoundedProducer
from ingest.records import read_json

EVENTS_PATH: Final = "/v1/events"
REQUEST_TIMEOUT_S: Final = 30.0
RETRY_AFTER_S: Final = 1.0
LATER: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class ProblemBody(msgspec.Struct):
    """What a client reads of problem details."""

    detail: str = ""
    results: list[EventResult] | None = None


_answer: Final = msgspec.json.Decoder(Answer).decode
_problem: Final = msgspec.json.Decoder(ProblemBody).decode


class LaterError(UnreachableError):
    """The target cannot take it now; send the same again after `retry_after_s`."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class TooLargeError(ThecaflowError):
    """So much at once is more than the target takes; send it in parts."""


class TurnedAwayError(ThecaflowError):
    """The target refuses the whole replay, not one of its events; the message says why."""


class Target(Protocol):
    """Takes lines of JSON."""

    async def send(self, lines: Sequence[bytes]) -> list[EventResult]:
        """Return a result for each line once it is in the log, or never will be.

        Raises LaterError, TooLargeError, TurnedAwayError.
        """

    async def close(self) -> None:
        """Close the connections."""


class GatewayTarget:
    """The gateway, by bodies of NDJSON: the lines as they are, which costs client and gateway together the least."""

    def __init__(self, url: str, token: str, connections: int) -> None:
        base = url.rstrip("/").removesuffix(EVENTS_PATH)
        self._url = base + EVENTS_PATH
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": Media.NDJSON.value}
        self._client = httpx.AsyncClient(
            headers=headers, limits=limits, timeout=REQUEST_TIMEOUT_S, trust_env=False
        )

    async def send(self, lines: Sequence[bytes]) -> list[EventResult]:
        """Post one body; see Target."""
        try:
            response = await self._client.post(self._url, content=b"\n".join(lines))
        except httpx.UnsupportedProtocol as wrong:
            raise TurnedAwayError(f"--url: {wrong}") from wrong
        except httpx.TransportError as lost:
            raise LaterError(
                f"no gateway answers at {self._url} ({type(lost).__name__})", RETRY_AFTER_S
            ) from lost
        if response.status_code == HTTPStatus.ACCEPTED:
            return _matching(_answer(response.content).results, lines)
        return self._refused(response, lines)

    def _refused(self, response: httpx.Response, lines: Sequence[bytes]) -> list[EventResult]:
        status = response.status_code
        problem = problem_of(response)
        reason = f"the gateway answers {status}: {problem.detail}"
        if status in LATER:
            raise LaterError(reason, retry_after_s(response))
        if problem.results is not None:
            return _matching(problem.results, lines)
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise TooLargeError(reason)
        raise TurnedAwayError(reason)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class KafkaTarget:
    """The log itself, without a gateway: for those who may write to the broker anyway. What is no event goes as it is."""

    def __init__(
        self, producer: BoundedProducer, now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    ) -> None:
        self._producer = producer
        self._now_us = now_us

    async def send(self, lines: Sequence[bytes]) -> list[EventResult]:
        """Write one record a line; see Target."""
        records = [read_json(line, self._now_us(), keep_received=True) for line in lines]
        writable = [record for record in records if record.refused is None]
        try:
            placed = iter(await self._producer.write(writable) if writable else ())
        except UnreachableError as away:
            raise LaterError(str(away), RETRY_AFTER_S) from away
        results = []
        for record in records:
            if record.refused is not None:
                results.append(EventResult(record.id, "refused", record.refused))
                continue
            place = next(placed)
            status = "accepted" if record.quarantined is None else "quarantined"
            results.append(EventResult(record.id, status, record.quarantined, place.partition, place.offset))  # type: ignore[arg-type]
        return results

    async def close(self) -> None:
        """Close the producer."""
        await self._producer.stop()


def _matching(results: list[EventResult], lines: Sequence[bytes]) -> list[EventResult]:
    if len(results) != len(lines):
        raise TurnedAwayError(
            f"the gateway gave {len(results)} results for {len(lines)} lines; is it of this version?"
        )
    return results


def problem_of(response: httpx.Response) -> ProblemBody:
    """Return the problem details of an answer, empty ones where it has none."""
    try:
        return _problem(response.content)
    except msgspec.MsgspecError:
        return ProblemBody()


def retry_after_s(response: httpx.Response) -> float:
    """Return when an answer says to try again, between 0.05 and 60 s from now."""
    try:
        return min(max(float(response.headers.get("Retry-After", RETRY_AFTER_S)), 0.05), 60.0)
    except ValueError:
        return RETRY_AFTER_S
