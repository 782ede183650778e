"""The console's JSON API as the command line asks it: which alerts are open, and what became of one."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import httpx
import msgspec

from contract.errors import ThecaflowError, UnreachableError, UnusableInputError
from contract.times import parse_rfc3339
from ingest.replay_targets import problem_of
from ingest.tokens import secret_of

LIMIT: Final = 1000
"""The most that the console gives at once."""
TIMEOUT_S: Final = 10.0


class ConsoleRefusedError(ThecaflowError):
    """The console says no: the token does not hold or may not read, or there is no such alert for it."""


class Interval(msgspec.Struct, frozen=True):
    """When harm is expected, RFC 3339."""

    lo: str | None
    hi: str | None


class ShownAlert(msgspec.Struct, frozen=True):
    """An alert as the console shows it; times are RFC 3339."""

    alert_id: str
    pump: str
    site: str | None
    cause: str
    state: str
    priority: str
    since: str
    harm_at: Interval | None
    text: str

    def __post_init__(self) -> None:
        """Refuse times that are none, so that reading them later can't fail."""
        parse_rfc3339(self.since)
        for bound in () if self.harm_at is None else (self.harm_at.lo, self.harm_at.hi):
            parse_rfc3339(bound or self.since)

    @property
    def since_us(self) -> int:
        """When it began."""
        return parse_rfc3339(self.since)

    @property
    def harm_us(self) -> int | None:
        """When harm is expected at the earliest; None where nobody can say."""
        return None if self.harm_at is None or self.harm_at.lo is None else parse_rfc3339(self.harm_at.lo)


class _Page(msgspec.Struct):
    alerts: list[msgspec.Raw]


class _One(msgspec.Struct):
    alert: ShownAlert


class ConsoleClient:
    """A console, asked with one token."""

    def __init__(self, client: httpx.AsyncClient, url: str, token: str) -> None:
        self._client = client
        self._url = url.rstrip("/")
        secret = secret_of(f"Bearer {token}")
        if secret is None:
            raise UnusableInputError("--token: this is no token; `thecaflow token add` makes one")
        self._headers = {"Authorization": f"Bearer {secret}"}

    async def alerts(self, wanted: Mapping[str, str | None]) -> list[tuple[ShownAlert, bytes]]:
        """Return the alerts that have all that is wanted, with their JSON as it came, `LIMIT` at most.

        Raises ConsoleRefusedError, UnreachableError.
        """
        asked = {name: text for name, text in wanted.items() if text is not None}
        page = await self._get("/v1/alerts", _Page, {**asked, "limit": str(LIMIT)})
        try:
            return [(msgspec.json.decode(raw, type=ShownAlert), bytes(raw)) for raw in page.alerts]
        except msgspec.MsgspecError:
            raise self._stranger() from None

    async def alert(self, alert_id: str) -> ShownAlert:
        """Return one alert, open or cleared; raises as `alerts` does."""
        if not (alert_id.isascii() and alert_id.isalnum()):
            raise UnusableInputError(f"{alert_id!r} is no id of an alert; `thecaflow alerts` shows them")
        one: _One = await self._get(f"/v1/alerts/{alert_id}", _One, {})
        return one.alert

    async def _get(self, path: str, kind: type[Any], query: Mapping[str, str]) -> Any:
        try:
            answer = await self._client.get(
                self._url + path, params=query, headers=self._headers, timeout=TIMEOUT_S
            )
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as wrong:
            raise UnusableInputError(f"THECAFLOW_CONSOLE_URL: {self._url} is no address: {wrong}") from wrong
        except httpx.HTTPError as lost:
            raise UnreachableError(
                f"no console answers at {self._url} ({type(lost).__name__}); `thecaflow console` starts one, "
                "THECAFLOW_CONSOLE_URL says where it is"
            ) from lost
        if answer.status_code != HTTPStatus.OK:
            detail = problem_of(answer).detail or f"The console at {self._url} answers {answer.status_code}."
            away = answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise UnreachableError(detail) if away else ConsoleRefusedError(detail)
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.MsgspecError:
            raise self._stranger() from None

    def _stranger(self) -> UnreachableError:
        return UnreachableError(f"what answers at {self._url} is no console of this version")
