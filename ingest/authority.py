"""Who may send what: the cached list of tokens, the sites of pumps, and the judgement of one record."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final, Generic, TypeVar

from contract.errors import ThecaflowError
from contract.events import TYPES
from ingest.problems import Problem, unavailable
from ingest.records import Record, signed
from ingest.tokens import ANSWERS, PEOPLES_ROLES, secret_of, sendable_types, token_hash
from storage.types import TokenRow

logger = logging.getLogger(__name__)

REFRESH_EVERY_S: Final = 5.0
"""How long a revoked token may still be taken."""
UNKNOWN_FOR_S: Final = 2.0
"""How long an unknown token stays unknown without asking the database again."""
SITE_FOR_S: Final = 60.0
NO_SITE_FOR_S: Final = 1.0
MAX_UNKNOWN: Final = 10_000
MAX_SITES: Final = 200_000

READS_ONLY: Final = "A viewer's token reads and sends nothing."
NO_ANSWERS: Final = (
    "This token may not acknowledge or shelve; `thecaflow token add NAME --role operator` makes one that may."
)
NOT_THIS_TYPE: Final = "This token may not send events of this type."

K = TypeVar("K")
V = TypeVar("V")

LoadTokens = Callable[[], Awaitable[Sequence[TokenRow]]]
FindSite = Callable[[str], Awaitable[str | None]]
Clock = Callable[[], float]


class _Expiring(Generic[K, V]):
    """A bounded cache whose entries end at a time; the oldest goes first."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> tuple[V] | None:
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._clock():
            return None
        return (entry[1],)

    def put(self, key: K, content: V, for_s: float) -> None:
        self._entries.pop(key, None)
        self._entries[key] = (self._clock() + for_s, content)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)


class TokenList:
    """The tokens that hold, read again every few seconds, and at once when an unknown one comes.

    While the database is away the last list stays in force: a pump's events must not be turned away for that.
    """

    def __init__(
        self, load: LoadTokens, *, refresh_every_s: float = REFRESH_EVERY_S, clock: Clock = time.monotonic
    ) -> None:
        self._load = load
        self._refresh_every_s = refresh_every_s
        self._by_hash: dict[bytes, TokenRow] = {}
        self._unknown: _Expiring[bytes, None] = _Expiring(MAX_UNKNOWN, clock)
        self._refreshing: asyncio.Task[bool] | None = None
        self._repeating: asyncio.Task[None] | None = None
        self._clock = clock
        self._asked_at = float("-inf")
        self._said = ""
        self.loaded = False
        """Whether there is a list at all."""

    async def start(self) -> None:
        """Begin to read the list again and again."""
        self._repeating = asyncio.create_task(self._repeat())

    async def stop(self) -> None:
        """End that."""
        if self._repeating is not None:
            self._repeating.cancel()
            await asyncio.wait([self._repeating])

    async def holder(self, authorization: str | None) -> TokenRow:
        """Return the token of a request; raises Problem 401, or 503 while nobody can tell."""
        secret = secret_of(authorization)
        if secret is None:
            raise _unauthorized(
                "Send the header `Authorization: Bearer TOKEN`; `thecaflow token add` makes one."
            )
        hashed = token_hash(secret)
        known = self._by_hash.get(hashed)
        if known is not None:
            return known
        if self._unknown.get(hashed) is None:
            if not await self._refresh_now():
                raise unavailable("tokens", "Tokens can't be checked now; try again.", 2.0)
            known = self._by_hash.get(hashed)
            if known is not None:
                return known
            self._unknown.put(hashed, None, UNKNOWN_FOR_S)
        raise _unauthorized("This token is not known, or was revoked; `thecaflow token add` makes one.")

    async def refresh(self) -> bool:
        """Read the list now, once however many ask; False where it cannot be read."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._read())
        return await asyncio.shield(self._refreshing)

    async def _refresh_now(self) -> bool:
        # Many different unknown tokens must not become as many queries: at most one begins every tenth of a second.
        pause_s = self._asked_at + 0.1 - self._clock()
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        return await self.refresh()

    async def _read(self) -> bool:
        self._asked_at = self._clock()
        try:
            rows = await self._load()
        except Exception as away:  # noqa: BLE001 - whatever it is, the list in hand stays and is tried again
            if self._said != str(away):  # once, not every second
                logger.warning("tokens not read: %s", away)
            self._said = str(away)
            return False
        self._said = ""
        self._by_hash = {row.hash: row for row in rows if row.revoked_us is None}
        self.loaded = True
        return True

    async def _repeat(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(self._refresh_every_s if self.loaded else min(1.0, self._refresh_every_s))


class Sites:
    """Which site a pump belongs to: by the registrations taken here, else by those in the database."""

    def __init__(self, find: FindSite, *, clock: Clock = time.monotonic) -> None:
        self._find = find
        self._known: _Expiring[str, str | None] = _Expiring(MAX_SITES, clock)

    async def site_of(self, pump: str) -> str | None:
        """Return the pump's site, None where none is known; raises Problem 503 while nobody can tell."""
        if (known := self._known.get(pump)) is not None:
            return known[0]
        try:
            site = await self._find(pump)
        except ThecaflowError as away:
            logger.warning("site of a pump not read: %s", away)
            raise unavailable("sites", "The site of a pump can't be looked up now; try again.", 2.0) from None
        self._known.put(pump, site, NO_SITE_FOR_S if site is None else SITE_FOR_S)
        return site

    def remember(self, pump: str, site: str) -> None:
        """Take a site over from a registration that is in the log; the database will know it a moment later."""
        self._known.put(pump, site, SITE_FOR_S)


class Judge:
    """Judges the records of one request, in their order, under one token."""

    def __init__(self, token: TokenRow, sites: Sites) -> None:
        self._token = token
        self._types = sendable_types(token)
        self._sites = sites
        self._registered: dict[str, str] = {}

    def signed(self, record: Record) -> Record:
        """Return the record with the person as its `actor`, where the token is a person's."""
        return signed(record, self._token.label) if self._token.role in PEOPLES_ROLES else record

    async def refusal(self, record: Record) -> str | None:
        """Return why the token may not send this, None where it may; raises Problem 503 while nobody can tell."""
        token = self._token
        if record.refused is not None:
            return record.refused
        if (refused := self._type_refusal(record)) is not None:
            return refused
        if record.pump is None or (token.pumps is None and token.sites is None):
            return None  # what names no pump is never an event of one: it can only go to the quarantine
        if token.pumps is not None and record.pump in token.pumps:
            return None
        if token.sites is not None:
            return await self._site_refusal(record, record.pump, token.sites)
        return "This token may not send events of this pump."

    def _type_refusal(self, record: Record) -> str | None:
        if record.type in self._types:
            return None
        if self._token.role == "viewer":
            return READS_ONLY
        if record.type in ANSWERS:
            return NO_ANSWERS
        is_no_event = record.type is None or (record.type not in TYPES and self._token.types is None)
        return None if is_no_event else NOT_THIS_TYPE

    async def _site_refusal(self, record: Record, pump: str, sites: tuple[str, ...]) -> str | None:
        site = self._registered.get(pump) or await self._sites.site_of(pump)
        if site is not None and site not in sites:
            return "This token may not send events of this pump's site."
        if record.site is not None and record.quarantined is None:
            if record.site not in sites:
                return "This token may not register a pump at this site."
            self._registered[pump] = record.site
            return None
        if site is None:
            return "The site of this pump is not known yet; send its registration with `site` first."
        return None

    def written(self) -> None:
        """Let later requests rely on the registrations among the records, which are in the log now."""
        for pump, site in self._registered.items():
            self._sites.remember(pump, site)


def _unauthorized(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "token", detail)
