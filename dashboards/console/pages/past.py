"""Alerts of the past: search by pump, cause, site, priority, state and time, newest first, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Template

from contract.errors import InvalidTimeError
from contract.times import DAY_US, parse_rfc3339
from dashboards.causes import CAUSES
from dashboards.console import visible
from dashboards.console.pages.show import PRIORITIES, AnyRequest, page, wants_part
from dashboards.console.pages.words import STATE_WORDS
from dashboards.console.parts import Console
from dashboards.console.session import Viewer
from storage.history import AlertFound, AlertSearch

A_PAGE: Final = 50
_FIELDS: Final = ("pump", "cause", "site", "priority", "state", "from", "to")
_CAUSES: Final = frozenset(cause.value for cause in CAUSES)
_STATES: Final = frozenset({*STATE_WORDS, "open"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, field by field as it was typed, and as a search."""

    typed: dict[str, str]
    search: AlertSearch

    @classmethod
    def of(cls, query: Any) -> Asked:
        """Read a query string; what makes no sense is left out."""
        asked = {name: query.get(name, "").strip()[:200] for name in _FIELDS}
        typed = {name: text if text.isprintable() else "" for name, text in asked.items()}
        to_us = _day(typed["to"])
        search = AlertSearch(
            pump_part=typed["pump"] or None,
            cause=typed["cause"] if typed["cause"] in _CAUSES else None,
            site=typed["site"] or None,
            priority=typed["priority"] if typed["priority"] in PRIORITIES else None,
            state=typed["state"] if typed["state"] in _STATES else None,
            from_us=_day(typed["from"]),
            to_us=None if to_us is None else to_us + DAY_US,
            after=_after(query.get("after", "")),
        )
        return cls(typed, search)

    def older(self, last: AlertFound) -> str:
        """Return the address of the page after `last`."""
        given = {name: text for name, text in self.typed.items() if text}
        return "/history?" + urlencode({**given, "after": f"{last.since_us}.{last.alert_id}"})


def _day(text: str) -> int | None:
    try:
        return parse_rfc3339(f"{text}T00:00:00Z")
    except InvalidTimeError:
        return None


def _after(text: str) -> tuple[int, str] | None:
    since, _, alert_id = text.partition(".")
    if (
        since.isascii()
        and since.isdigit()
        and len(since) <= 17
        and alert_id.isascii()
        and alert_id.isalnum()
        and len(alert_id) <= 64
    ):
        return int(since), alert_id
    return None


def handlers(console: Console) -> list[Any]:
    """Return the route of the search."""

    @get("/history", include_in_schema=False)
    async def past(request: AnyRequest, viewer: NamedDependency[Viewer]) -> Template:
        asked = Asked.of(request.query_params)
        pumps = visible.pumps(visible.newest(console), viewer)
        found = await visible.found(console, viewer, asked.search, A_PAGE + 1)
        context = {
            "found": found[:A_PAGE],
            "typed": asked.typed,
            "older": asked.older(found[A_PAGE - 1]) if len(found) > A_PAGE else "",
            "later_page": asked.search.after is not None,
            "sites": sorted({pump.site for pump in pumps if pump.site}),
        }
        return page(console, viewer, "_history.html" if wants_part(request) else "history.html", context)

    return [past]
