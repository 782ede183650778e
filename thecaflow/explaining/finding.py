"""Finds one alert in the fold of files, or in that of the log of record, with all that was said of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from contract.errors import ThecaflowError, UnusableInputError
from contract.facts import Alert, Fact
from contract.times import format_us
from processors import heads
from processors.analyse import analyse
from processors.timeline import Sighting
from storage import history, pool
from storage.migrate import require_current
from storage.snapshot import snapshot
from thecaflow.comparison import sightings_of
from thecaflow.evaluation.fold_pump import sightings
from thecaflow.evaluation.pump_lines import PumpLines
from thecaflow.event_files import shown_name
from thecaflow.progress import bar
from thecaflow.settings import Settings

_LISTED: Final = 20


class NoSuchAlertError(ThecaflowError):
    """No alert of that id or cause; the message lists the alerts that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An alert by its id, or the last one of a cause. `pump` None: whichever has it."""

    alert_id: str | None = None
    cause: str | None = None
    pump: str | None = None

    def __str__(self) -> str:
        """How messages call it."""
        named = f"alert {self.alert_id}" if self.alert_id else f"alert of cause {self.cause}"
        return f"{named} of pump {self.pump}" if self.pump else named

    def among(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Every line of it, oldest first; empty if it is not there."""
        lines = [line for line in alerts if self.alert_id is None or line.alert_id == self.alert_id]
        lines = [line for line in lines if self.cause is None or line.cause == self.cause]
        if not lines:
            return []
        newest = max(lines, key=lambda line: (line.since_us, line.at_us)).alert_id
        return [line for line in lines if line.alert_id == newest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The alert's lines, oldest first, and the log of its pump that they follow from. `others`: same pump and cause."""

    lines: Sequence[Alert]
    log: Sequence[Sighting]
    horizon_us: int
    origin: str
    others: Sequence[str] = ()


def from_files(paths: Sequence[str], wanted: Wanted, until_us: int | None) -> Found:
    """Fold the files as `thecaflow analyse` does, pump by pump until the alert is there.

    Raises NoSuchAlertError, UnusableInputError for files that can't be used.
    """
    seen: list[Alert] = []
    with PumpLines() as dealt:
        with bar("reading") as advance:
            dealt.read(paths, advance)
        if wanted.pump is not None and wanted.pump not in dealt.pumps:
            raise UnusableInputError(
                f"no event of pump {wanted.pump} is in {_names(paths)}{_some(dealt.pumps)}"
            )
        if wanted.cause is not None and wanted.pump is None and len(dealt.pumps) > 1:
            raise UnusableInputError("the files hold several pumps: say which one with --pump")
        horizon_us = dealt.horizon_us if until_us is None else until_us
        if horizon_us is None:
            raise UnusableInputError(f"no line of {_names(paths)} is an event")
        with bar("folding", len(dealt.pumps)) as advance:
            for pump, lines in dealt.by_pump():
                advance(1, text=pump)
                if wanted.pump not in (None, pump):
                    continue
                log, _ = sightings(lines)
                alerts = _alerts(analyse(log, until_us=horizon_us).facts)
                if found := _found(wanted, alerts, log, horizon_us, f"the fold of {_names(paths)}"):
                    return found
                seen += alerts
    raise _missing(wanted, seen, f"in the fold of {_names(paths)} up to {format_us(horizon_us)}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A pump's log of record, and its head state."""

    pump: str
    events: Sequence[bytes]
    head: bytes | None


async def from_database(settings: Settings, wanted: Wanted, until_us: int | None) -> Found | NoSuchAlertError:
    """Fold the pump's log of record up to its own present; the error is a value, so that it is told from a lost database.

    Raises ThecaflowError where the database can't be read.
    """
    topic = settings.events_topic
    async with pool.single(settings) as connection:
        await require_current(connection)
        pump = wanted.pump
        if pump is None:
            assert wanted.alert_id is not None
            known = await history.alert_lines(connection, wanted.alert_id)
            if not known:
                return NoSuchAlertError(
                    f"the database believes in no alert {wanted.alert_id}; `thecaflow alerts` shows what is open, and "
                    "--pump lists a pump's alerts"
                )
            pump = known[-1].pump
        stored = Stored(pump, *await history.log_and_head(connection, topic, pump))
        if not stored.events:
            async with snapshot(connection, topic) as whole:
                pumps = await whole.pumps()
            return NoSuchAlertError(f"the database holds nothing of pump {pump}{_some(pumps)}")
    return from_stored(stored, wanted, until_us)


def from_stored(stored: Stored, wanted: Wanted, until_us: int | None) -> Found | NoSuchAlertError:
    """Fold a log of record; `until_us` None: up to what the worker knew."""
    log, _ = sightings_of(stored.events)
    if until_us is None and stored.head is not None:
        until_us = heads.decode(stored.head).present_us
    outcome = analyse(log, until_us=until_us)
    alerts = _alerts(outcome.facts)
    origin = f"the log of record of pump {stored.pump}"
    if outcome.horizon_us is None:
        return _missing(wanted, [], f"in {origin}, which is empty")
    found = _found(wanted, alerts, log, outcome.horizon_us, origin)
    return found or _missing(wanted, alerts, f"in {origin} up to {format_us(outcome.horizon_us)}")


def _found(
    wanted: Wanted, alerts: Sequence[Alert], log: Sequence[Sighting], horizon_us: int, origin: str
) -> Found | None:
    lines = wanted.among(alerts)
    if not lines:
        return None
    others = {one.alert_id: None for one in alerts if one.cause == lines[0].cause}
    others.pop(lines[0].alert_id)
    return Found(lines=lines, log=log, horizon_us=horizon_us, origin=origin, others=tuple(others))


def _alerts(facts: Iterable[Fact]) -> list[Alert]:
    return [fact for fact in facts if isinstance(fact, Alert)]


def _missing(wanted: Wanted, alerts: Sequence[Alert], where: str) -> NoSuchAlertError:
    """Say what there is instead, the newest first."""
    first = {line.alert_id: line for line in reversed(alerts)}
    if not first:
        return NoSuchAlertError(f"there is no {wanted} {where}; no alert was raised there at all")
    newest = sorted(first.values(), key=lambda line: line.since_us, reverse=True)
    told = [
        f"  {one.alert_id}  {one.cause:<20}  since {format_us(one.since_us)}  pump {one.pump}"
        for one in newest[:_LISTED]
    ]
    more = f"\n  and {len(newest) - _LISTED} more" if len(newest) > _LISTED else ""
    return NoSuchAlertError(f"there is no {wanted} {where}; alerts there:\n" + "\n".join(told) + more)


def _names(paths: Sequence[str]) -> str:
    return shown_name(paths[0]) if len(paths) == 1 else f"{len(paths)} files"


def _some(pumps: Iterable[str]) -> str:
    named = sorted(pumps)
    shown = ", ".join(named[:5]) + (", ..." if len(named) > 5 else "")
    return f"; there are {shown}" if named else ""
