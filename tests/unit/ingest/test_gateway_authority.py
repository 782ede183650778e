"""Tokens, their cache, and rates, with a clock of the test's own."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from contract.errors import UnreachableError, UnusableInputError
from ingest.authority import Sites, TokenList
from ingest.problems import Problem
from ingest.rates import RateLimit
from ingest.tokens import PREFIX, make_token, secret_of, token_hash
from storage.types import TokenRow


class Clock:
    """A clock that stands still until moved."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_token_is_256_random_bits_of_which_only_a_hash_is_stored():
    """Two tokens differ, the row holds SHA-256 of the secret, and empty scopes mean all."""
    secret, row = make_token("relay", 5)
    other, _ = make_token("relay", 5)
    assert secret != other
    assert secret.startswith(PREFIX)
    assert len(secret) >= len(PREFIX) + 43
    assert row.hash == hashlib.sha256(secret.encode()).digest() == token_hash(secret)
    assert secret not in repr(row)
    assert (row.pumps, row.sites, row.types, row.replay) == (None, None, None, False)


def test_a_token_for_a_type_that_nobody_may_send_is_not_made():
    """A mistyped event type, or the gateway's own tick, would be a scope of nothing."""
    for name in ("tick", "telemetri"):
        with pytest.raises(UnusableInputError, match=name):
            make_token("relay", 5, types=["telemetry", name])


@pytest.mark.parametrize(
    ("header", "secret"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("Bearer", None), (None, None),
     ("Bearer \u00e4", None), ("Bearer " + "x" * 257, None)],
)  # fmt: skip
def test_the_secret_is_read_from_the_header(header: str | None, secret: str | None):
    """Only the bearer scheme, in any case, and nothing that no token can be."""
    assert secret_of(header) == secret


async def test_requests_at_the_same_time_read_the_list_once():
    """Fifty requests with a new token are one query."""
    loads = 0
    secret, row = make_token("relay", 5)

    async def load() -> list[TokenRow]:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.01)
        return [row]

    tokens = TokenList(load)
    holders = await asyncio.gather(*(tokens.holder(f"Bearer {secret}") for _ in range(50)))
    assert {holder.id for holder in holders} == {row.id}
    assert loads == 1


async def test_a_revoked_token_ends_with_the_next_reading():
    """The repeated reading takes it out of the list without any request."""
    secret, row = make_token("relay", 5)
    rows = [row]

    async def load() -> list[TokenRow]:
        return rows

    tokens = TokenList(load, refresh_every_s=0.01)
    await tokens.start()
    assert await tokens.holder(f"Bearer {secret}") == row
    rows.clear()
    await asyncio.sleep(0.1)
    with pytest.raises(Problem) as refused:
        await tokens.holder(f"Bearer {secret}")
    assert refused.value.status == 401
    await tokens.stop()


async def test_what_is_unknown_is_asked_for_again_after_a_while():
    """A token made after it was first tried holds when its negative answer has ended."""
    clock = Clock()
    secret, row = make_token("relay", 5)
    rows: list[TokenRow] = []

    async def load() -> list[TokenRow]:
        return rows

    tokens = TokenList(load, clock=clock)
    for made in (False, True):
        rows += [row] if made else []
        with pytest.raises(Problem):
            await tokens.holder(f"Bearer {secret}")
    clock.now_s += 3
    assert await tokens.holder(f"Bearer {secret}") == row


async def test_sites_are_remembered_for_a_while_only():
    """A pump that moves is seen at its new site when the old answer has ended, an unknown one sooner."""
    clock = Clock()
    known = {"p": "a"}
    asked: list[str] = []

    async def find(pump: str) -> str | None:
        asked.append(pump)
        return known.get(pump)

    sites = Sites(find, clock=clock)
    assert [await sites.site_of("p") for _ in range(3)] == ["a"] * 3
    assert [await sites.site_of("q") for _ in range(3)] == [None] * 3
    assert asked == ["p", "q"]
    known |= {"p": "b", "q": "b"}
    clock.now_s += 2
    assert (await sites.site_of("p"), await sites.site_of("q")) == ("a", "b")
    clock.now_s += 61
    assert await sites.site_of("p") == "b"
    sites.remember("p", "c")
    assert await sites.site_of("p") == "c"


async def test_a_site_that_cannot_be_looked_up_is_503():
    """Neither a yes nor a no is made up."""

    async def find(_pump: str) -> str | None:
        raise UnreachableError("away")

    with pytest.raises(Problem) as refused:
        await Sites(find).site_of("p")
    assert refused.value.status == 503


def test_a_bucket_fills_at_its_rate_up_to_two_seconds_worth():
    """The burst is 2 s of events, then one comes every 1/rate s, and a large body's debt is waited off."""
    clock = Clock()
    rates = RateLimit(10.0, clock=clock)
    for _ in range(20):
        rates.admit("t")
    with pytest.raises(Problem) as refused:
        rates.admit("t")
    assert refused.value.retry_after_s == pytest.approx(0.1)
    rates.admit("other")
    clock.now_s += 0.1
    rates.admit("t")
    rates.charge("t", 100)
    clock.now_s += 10.0
    with pytest.raises(Problem):
        rates.admit("t")
    clock.now_s += 0.11
    rates.admit("t")
    clock.now_s += 1e6
    for _ in range(20):
        rates.admit("t")
    with pytest.raises(Problem):
        rates.admit("t")
