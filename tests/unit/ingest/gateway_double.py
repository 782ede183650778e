"""A gateway in this process: the real application over a log in memory, tokens and sites as a test wants them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from contract.errors import UnreachableError
from ingest.authority import Sites, TokenList
from ingest.gateway import Gateway, GatewayLimits
from ingest.gateway_metrics import Metrics
from ingest.producer import Placed, partition_of
from ingest.rates import RateLimit
from ingest.records import Record
from ingest.tokens import make_token
from storage.types import TokenRow

NOW_US = 1_800_000_000_000_000
NOW = "2027-01-15T08:00:00.000000Z"
PARTITIONS = list(range(4))


class MemoryLog:
    """Keeps records, unless told to fail."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.fails: UnreachableError | None = None
        self.connected = True
        self.events_waiting = 0
        self.bytes_waiting = 0

    async def write(self, records: Sequence[Record]) -> list[Placed]:
        """Keep the records."""
        if self.fails is not None:
            raise self.fails
        first = len(self.records)
        self.records += records
        return [
            Placed(partition_of(record.key, PARTITIONS), first + number)
            for number, record in enumerate(records)
        ]

    async def reachable(self) -> bool:
        """Whether it is connected."""
        return self.connected


class Double:
    """A gateway, what it stands on, and a client of it."""

    def __init__(self, limits: GatewayLimits | None = None, rate: float = 0.0) -> None:
        self.log = MemoryLog()
        self.rows: list[TokenRow] = []
        self.sites: dict[str, str] = {}
        self.loads = 0
        self.away: UnreachableError | None = None
        self.tokens = TokenList(self._load)
        self.gateway = Gateway(
            log=self.log,
            tokens=self.tokens,
            sites=Sites(self._site_of),
            metrics=Metrics(),
            rates=RateLimit(rate),
            limits=limits or GatewayLimits(),
            now_us=lambda: NOW_US,
        )
        self.secret = self.add_token()
        self.client: httpx.AsyncClient

    def add_token(self, **scope: Any) -> str:
        """Add a token and return its secret."""
        secret, row = make_token("test", 0, **scope)
        self.rows.append(row)
        return secret

    def revoke_all(self) -> None:
        """Revoke every token."""
        self.rows = [replace(row, revoked_us=1) for row in self.rows]

    async def post(self, body: bytes, media: str = "application/x-ndjson", **headers: str) -> httpx.Response:
        """Post a body with the first token, unless a header says otherwise."""
        sent = {"authorization": f"Bearer {self.secret}", "content-type": media}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        return await self.client.post("/v1/events", content=body, headers=sent)

    async def post_as(self, secret: str, *events: dict[str, Any]) -> httpx.Response:
        """Post events as NDJSON with a token."""
        return await self.post(
            b"\n".join(json.dumps(event).encode() for event in events), authorization=f"Bearer {secret}"
        )

    async def _load(self) -> list[TokenRow]:
        self.loads += 1
        if self.away is not None:
            raise self.away
        return self.rows

    async def _site_of(self, pump: str) -> str | None:
        if self.away is not None:
            raise self.away
        return self.sites.get(pump)


@asynccontextmanager
async def gateway(limits: GatewayLimits | None = None, rate: float = 0.0) -> AsyncIterator[Double]:
    """Run a gateway for the length of the block."""
    double = Double(limits, rate)

    async def nothing() -> None:
        pass

    transport = httpx.ASGITransport(app=double.gateway.app(nothing, nothing))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as double.client:
        yield double


def statuses(answer: httpx.Response) -> list[str]:
    """Return the status of each result."""
    return [result["status"] for result in answer.json()["results"]]
