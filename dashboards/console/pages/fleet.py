"""The first page: open alerts by urgency, then pumps by the date on which somebody must have been there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.response import Template

from dashboards.causes import CAUSES
from dashboards.console.pages.show import PRIORITIES, AnyRequest, page, render, wants_part, whole
from dashboards.console.parts import Console
from dashboards.console.session import Viewer
from dashboards.console.snapshot import AlertNow, PumpNow, Snapshot
from dashboards.console.visible import alerts as alerts_for
from dashboards.console.visible import newest
from dashboards.console.visible import pumps as pumps_for

AT_FIRST: Final = 50
MORE: Final = 200
_MOST: Final = 10_000
KEPT_US: Final = 5_000_000
KEPT_PARTS: Final = 64
_NEVER: Final = 2**62
_PAGED: Final = frozenset({"high", "medium"})
_TITLES: Final = {cause.value: text.title for cause, text in CAUSES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What the list is narrowed to, and how long it may be."""

    site: str = ""
    priority: str = ""
    words: str = ""
    alerts: int = AT_FIRST
    pumps: int = AT_FIRST

    @classmethod
    def of(cls, query: Any) -> Filter:
        """Read a query string; what makes no sense is left out."""
        priority = query.get("priority", "")
        return cls(
            site=query.get("site", "")[:200],
            priority=priority if priority in PRIORITIES else "",
            words=query.get("q", "").strip()[:100],
            alerts=whole(query.get("alerts"), AT_FIRST, _MOST),
            pumps=whole(query.get("pumps"), AT_FIRST, _MOST),
        )

    @property
    def narrow(self) -> bool:
        """Whether anything may be left out."""
        return bool(self.site or self.priority or self.words)

    @property
    def url(self) -> str:
        """The page's address with this filter."""
        given = {"site": self.site, "priority": self.priority, "q": self.words}
        lengths = {"alerts": self.alerts, "pumps": self.pumps}
        query = {name: text for name, text in given.items() if text}
        query |= {name: str(length) for name, length in lengths.items() if length != AT_FIRST}
        return f"/?{urlencode(query)}" if query else "/"

    def more_alerts(self) -> Filter:
        """Return the same with a longer list of alerts."""
        return replace(self, alerts=min(self.alerts + MORE, _MOST))

    def more_pumps(self) -> Filter:
        """Return the same with a longer list of pumps."""
        return replace(self, pumps=min(self.pumps + MORE, _MOST))

    def takes_alert(self, alert: AlertNow) -> bool:
        """Whether an alert is in the list."""
        return (
            (not self.site or alert.site == self.site)
            and (not self.priority or alert.priority == self.priority)
            and self._has_words(alert.pump, alert.site, alert.cause, _TITLES.get(alert.cause, ""), alert.text)
        )

    def takes_pump(self, pump: PumpNow) -> bool:
        """Whether a pump is in the list."""
        return (not self.site or pump.site == self.site) and self._has_words(pump.pump, pump.site, pump.model)

    def _has_words(self, *texts: str | None) -> bool:
        said = " ".join(text for text in texts if text).lower()
        return all(word in said for word in self.words.lower().split())


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """What one viewer sees of a snapshot, filtered; the lists are whole, the template cuts them."""

    to_answer: list[AlertNow]
    """High and medium, not answered: somebody was paged or told."""
    can_wait: list[AlertNow]
    """Low and info: a ticket, or only written down."""
    answered: list[AlertNow]
    pending: list[AlertNow]
    pumps: list[PumpNow]
    sites: list[str]
    open_by_pump: dict[str, int]

    @property
    def summary(self) -> str:
        """The state of the list in a sentence, for the title and for those who listen."""
        high = sum(alert.priority == "high" for alert in self.to_answer)
        count = len(self.to_answer)
        if not count:
            return "No alert needs an answer"
        return f"{count} {'alert needs' if count == 1 else 'alerts need'} an answer, {high} high"


class Kept:
    """The list as it was rendered last, by scope and filter: at a change every browser asks for the same one at once."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Hashable, tuple[int, int, str]] = OrderedDict()

    def get(self, scope: Hashable, version: int, now_us: int) -> str | None:
        """Return the list of this version; None where its words about time are no longer fresh."""
        kept = self._parts.get(scope)
        fresh = kept is not None and kept[0] == version and 0 <= now_us - kept[1] < KEPT_US
        return kept[2] if kept is not None and fresh else None

    def put(self, scope: Hashable, version: int, now_us: int, part: str) -> None:
        """Keep it; the oldest goes."""
        self._parts.pop(scope, None)
        self._parts[scope] = (version, now_us, part)
        if len(self._parts) > KEPT_PARTS:
            self._parts.popitem(last=False)


def view_of(snapshot: Snapshot, viewer: Viewer, wanted: Filter) -> FleetView:
    """Narrow a snapshot to a viewer's scope and a filter; alerts keep the snapshot's order, the most urgent first."""
    seen, alerts = pumps_for(snapshot, viewer), alerts_for(snapshot, viewer)
    shown = [alert for alert in alerts if wanted.takes_alert(alert)]
    unanswered = [alert for alert in shown if alert.state in ("active", "latched")]
    return FleetView(
        to_answer=[alert for alert in unanswered if alert.priority in _PAGED],
        can_wait=[alert for alert in unanswered if alert.priority not in _PAGED],
        answered=[alert for alert in shown if alert.handled],
        pending=[alert for alert in shown if alert.state == "pending"],
        pumps=sorted((pump for pump in seen if wanted.takes_pump(pump)), key=_due),
        sites=sorted({pump.site for pump in seen if pump.site}),
        open_by_pump=_counts(alerts),
    )


def by_pump(alerts: Sequence[AlertNow]) -> list[list[AlertNow]]:
    """Put the alerts of one pump together, where its first and most urgent one stands."""
    grouped: dict[str, list[AlertNow]] = {}
    for alert in alerts:
        grouped.setdefault(alert.pump, []).append(alert)
    return list(grouped.values())


def _due(pump: PumpNow) -> tuple[int, str]:
    dates = (pump.empty_p05_us, pump.refill_due_us)
    return min((date for date in dates if date is not None), default=_NEVER), pump.pump


def _counts(alerts: Iterable[AlertNow]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for alert in alerts:
        if alert.state != "pending":
            counts[alert.pump] = counts.get(alert.pump, 0) + 1
    return counts


def handlers(console: Console) -> list[Any]:
    """Return the route of the first page."""
    kept = Kept()

    @get("/", include_in_schema=False)
    async def fleet(request: AnyRequest, viewer: NamedDependency[Viewer]) -> Response[str] | Template:
        wanted, snapshot = Filter.of(request.query_params), newest(console)

        def context() -> dict[str, Any]:
            return {"fleet": view_of(snapshot, viewer, wanted), "filter": wanted, "by_pump": by_pump}

        if not wants_part(request):
            return page(console, viewer, "fleet.html", context())
        scope, now_us = (viewer.pumps, viewer.sites, wanted), console.now_us()
        part = kept.get(scope, snapshot.version, now_us)
        if part is None:
            part = render(console, "_fleet.html", {**context(), "now_us": now_us, "is_part": True})
            kept.put(scope, snapshot.version, now_us, part)
        return Response(part, media_type=MediaType.HTML)

    return [fleet]
