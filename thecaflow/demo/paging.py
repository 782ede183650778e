"""Waits for pages: first that none of an earlier run is left, then that everybody was told of everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import httpx

from ingest.simulator import Label
from storage import pool, written
from storage.written import WrittenLine
from thecaflow.demo.grade import Grade
from thecaflow.demo.pages import PageGrade, grade_pages
from thecaflow.demo.processes import DemoError, pages_file
from thecaflow.page_file import forget_pages, read_pages
from thecaflow.progress import bar
from thecaflow.settings import Settings

QUIET_WITHIN_S: Final = 60.0
TOLD_WITHIN_S: Final = 60.0
POLL_S: Final = 0.5
LINK_WITHIN_S: Final = 10.0


def until_quiet(settings: Settings) -> None:
    """Wait until Alertmanager holds no alert of a pump: what an earlier fleet left resolves once the console shows none.

    What arrived until then is forgotten. Raises DemoError if Alertmanager does not answer, or if alerts of pumps are still
    there after a minute.
    """
    end_s = time.monotonic() + QUIET_WITHIN_S
    with bar("waiting for pages of an earlier run to end") as advance:
        while left := _pump_alerts(settings):
            if time.monotonic() > end_s:
                raise DemoError(
                    f"Alertmanager at {settings.alertmanager_url} still holds {left} alerts of pumps: end what serves "
                    "them (another console?), or `dev/stack wipe prom am`"
                )
            advance(0, text=f"{left} left")
            time.sleep(POLL_S)
    forget_pages(pages_file(settings))


def _pump_alerts(settings: Settings) -> int:
    try:
        answer = httpx.get(f"{settings.alertmanager_url}/api/v2/alerts", timeout=5.0)
        answer.raise_for_status()
        alerts: list[dict[str, Any]] = answer.json()
    except (httpx.HTTPError, ValueError) as away:
        raise DemoError(
            f"Alertmanager at {settings.alertmanager_url} does not answer ({away}): `dev/stack start am`, or set "
            "THECAFLOW_ALERTMANAGER_URL"
        ) from away
    return sum("pump" in alert.get("labels", {}) for alert in alerts)


async def until_told(
    settings: Settings, labels: Sequence[Label], found: Grade
) -> tuple[PageGrade, list[WrittenLine]]:
    """Wait until every fault that was named has been told, or a minute has passed; return the grade of what arrived."""
    end_s = time.monotonic() + TOLD_WITHIN_S
    async with pool.single(settings) as connection:
        with bar("waiting for pages") as advance:
            while True:
                lines = await written.alert_lines(connection)
                told = grade_pages(labels, found.found, lines, read_pages(pages_file(settings)))
                if not told.untold or time.monotonic() > end_s:
                    return told, lines
                advance(0, text=f"{len(told.untold)} of {len(told.deliveries)} to come")
                await asyncio.sleep(POLL_S)


def login_link(settings: Settings, secret: str) -> str:
    """Ask the console for a link by which whoever opens it first is logged in with this token."""
    try:
        answer = httpx.post(
            f"{settings.console_url}/v1/login-links",
            headers={"Authorization": f"Bearer {secret}"},
            timeout=LINK_WITHIN_S,
        )
        answer.raise_for_status()
        link: str = answer.json()["url"]
    except (httpx.HTTPError, ValueError, KeyError) as away:
        raise DemoError(f"the console gave no login link: {away}") from away
    return link
