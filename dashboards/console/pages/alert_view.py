"""An alert with everything that is known of it: its lines, its evidence in words, its answers, what to look at first."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from contract.events import AlertAck, AlertShelved
from contract.times import DAY_US, HOUR_US
from dashboards.causes import CAUSES, CauseText
from dashboards.clearing import CLEARING
from dashboards.console.pages.evidence import Said, in_words
from dashboards.console.pages.plots import channels_of
from dashboards.console.pages.show import ask_or
from dashboards.console.pages.therapy import infection_at
from dashboards.console.parts import Console
from dashboards.console.session import Viewer
from dashboards.console.snapshot import AlertNow
from dashboards.console.visible import MAX_ID, newest
from ingest.problems import Problem
from storage import history
from storage.history import AlertLine, PastEvent

ANSWERS: Final = ("alert_ack", "alert_shelved")
_NOTES: Final = 20
ANSWERS_SHOWN: Final = 20
_LONGEST_US: Final = 45 * DAY_US
_CLEARING_OF: Final = {cause.value: words for cause, words in CLEARING.items()}
_TEXT_OF: Final = {cause.value: text for cause, text in CAUSES.items()}


class _Fact(msgspec.Struct):
    evidence: dict[str, Any] = {}


_decode: Final = msgspec.json.Decoder(_Fact).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """An alert with everything that its page shows; `lines` are empty while the database is away."""

    now: AlertNow
    is_open: bool
    lines: list[AlertLine]
    answers: list[PastEvent]
    complete: bool
    evidence: list[Said]
    text: CauseText | None
    channels_url: str
    clearing: str
    infection: str
    """An infection noted for the time of its beginning, which may explain more spasm; empty for none."""
    version: int
    """Of the snapshot before anything was asked: what changed meanwhile is newer."""

    @property
    def title(self) -> str:
        """What is wrong, in plain words."""
        return self.now.cause.replace("_", " ") if self.text is None else self.text.title

    @property
    def harm_words(self) -> str:
        """What its time to harm counts down to."""
        return "Harm" if self.text is None or self.text.harm == "none" else self.text.harm.capitalize()

    @property
    def standing(self) -> str:
        """State and priority as one word, by which a form knows that it is out of date."""
        return f"{self.now.state}-{self.now.priority}"


async def alert_for(console: Console, viewer: Viewer, alert_id: str) -> AlertView:
    """Return an alert that this viewer sees; for any other raises Problem 404, whether or not it exists."""
    snapshot = newest(console)
    if not (len(alert_id) <= MAX_ID and alert_id.isascii() and alert_id.isprintable()):
        raise _none()
    known = snapshot.alerts_by_id.get(alert_id)
    no_lines: list[AlertLine] = []
    lines, complete = await ask_or(console, lambda db: history.alert_lines(db, alert_id), no_lines)
    if lines:
        known = _of_lines(lines, alert_id, snapshot.site_of(lines[-1].pump), known)
    if known is None or not viewer.sees(known.pump, known.site):
        raise _none()
    pump, cause, since_us = known.pump, known.cause, known.since_us
    now_us = console.now_us()
    no_answers: list[PastEvent] = []
    said, _ = await ask_or(
        console, lambda db: history.events(db, pump, now_us + DAY_US, ANSWERS_SHOWN, ANSWERS), no_answers
    )
    notes, _ = await ask_or(
        console, lambda db: history.events(db, pump, now_us + DAY_US, _NOTES, ("note",)), no_answers
    )
    why = _evidence(lines)
    return AlertView(
        now=known,
        is_open=known.state != "cleared",
        lines=lines,
        answers=[answer for answer in said if _answers(answer, alert_id, cause, since_us)],
        complete=complete,
        evidence=in_words(why, now_us),
        text=_TEXT_OF.get(cause),
        channels_url=_channels_url(known, why, now_us),
        infection=infection_at(notes, since_us),
        clearing=_CLEARING_OF.get(cause, ""),
        version=snapshot.version,
    )


def _none() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "alert", "There is no such alert, or not for you.")


def _of_lines(lines: list[AlertLine], alert_id: str, site: str | None, known: AlertNow | None) -> AlertNow:
    last = lines[-1]
    return AlertNow(
        alert_id=alert_id,
        pump=last.pump,
        site=site,
        cause=last.cause,
        state=last.state,
        priority=last.priority,
        at_us=last.at_us,
        since_us=last.since_us,
        harm_lo_us=last.harm_lo_us,
        harm_hi_us=last.harm_hi_us,
        text=last.text,
        written_us=last.at_us if known is None else known.written_us,
    )


def _evidence(lines: list[AlertLine]) -> dict[str, Any]:
    """The newest that is there: a line that only ends an alert may have none."""
    return next((told for line in reversed(lines) if (told := _decode(line.line).evidence)), {})


def _answers(answer: PastEvent, alert_id: str, cause: str, since_us: int) -> bool:
    event = answer.event
    assert isinstance(event, AlertAck | AlertShelved)
    if event.alert_id is not None:
        return event.alert_id == alert_id
    return event.cause == cause and answer.at_us >= since_us


def _channels_url(alert: AlertNow, evidence: dict[str, Any], now_us: int) -> str:
    """Return the address of the plots around an alert: from before its onset to after its last line."""
    onset_us = evidence.get("onset_us")
    from_us = min(alert.since_us, round(onset_us)) if isinstance(onset_us, int | float) else alert.since_us
    to_us = alert.at_us if alert.state == "cleared" else max(alert.at_us, now_us)
    around_us = max(12 * HOUR_US, (to_us - from_us) // 4)
    to_us = min(to_us + around_us, max(now_us, alert.at_us))
    from_us = max(from_us - around_us, to_us - _LONGEST_US)
    query = {
        "from": from_us,
        "to": to_us,
        "channels": ",".join(channels_of(alert.cause, evidence)),
        "since": alert.since_us,
    }
    return f"/pumps/{alert.pump}/channels?{urlencode(query)}"
