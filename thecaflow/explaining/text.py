"""An account as text: what was said, on what evidence, what the detector knew, the channels around, what would end it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from contract.facts import Alert, AlertState, HarmAt
from contract.times import format_us
from dashboards.causes import CAUSES
from dashboards.clearing import CLEARING
from dashboards.console.pages.evidence import in_words, split_unit
from dashboards.console.pages.plots import CHANNEL_WORDS
from dashboards.console.pages.words import PRIORITY_WORDS, STATE_WORDS, duration, interval, number
from thecaflow.explaining.account import Account
from thecaflow.explaining.quantity import TIME, Quantity

_UNKNOWN: Final = "not known"
_ROLES: Final = {"measured": "", "habit": "habit", "threshold": "threshold", "score": "score"}


def told(account: Account) -> str:
    """Return the whole explanation."""
    parts = [
        _head(account),
        _section("What was said", _lines(account.found.lines)),
        _section("When", _when(account)),
        _section("Evidence, as last stated", _evidence(account)),
        _section("What the detector knew", _quantities(account)),
        _section(f"Volumes from {_before(account)} to the alarm", _volumes(account)),
        _section("The channels", _channels(account)),
        _section("What would end it", [CLEARING[account.last.cause]]),
        _section("Looked at first", CAUSES[account.last.cause].first_checks),
    ]
    return "\n\n".join(part for part in parts if part)


def moment(at_us: int) -> str:
    """Return a time to the second: `2026-01-31 08:00:00 UTC`."""
    return f"{format_us(at_us)[:19].replace('T', ' ')} UTC"


def headline(account: Account) -> str:
    """Return which pump has what, in plain words."""
    return f"{account.last.pump}: {CAUSES[account.last.cause].title}"


def of_quantity(quantity: Quantity, reading: float | None) -> str:
    """Return a number of the detector with its unit."""
    if reading is None:
        return _UNKNOWN
    if quantity.unit == TIME:
        return moment(round(reading))
    return f"{number(reading, 4)} {quantity.unit}".rstrip()


def _head(account: Account) -> str:
    last = account.last
    lines = [
        headline(account),
        f"{last.cause}, alert {last.alert_id}, {last.priority}, {last.state}; from {account.found.origin}",
        CAUSES[last.cause].effect,
    ]
    if others := account.found.others:
        lines.append(f"The same cause before or after, as other alerts: {', '.join(others)}")
    return "\n".join(lines)


def _section(title: str, lines: Iterable[str]) -> str:
    shown = [f"  {line}" for line in lines]
    return "\n".join([title, *shown]) if shown else ""


def _lines(lines: Sequence[Alert]) -> list[str]:
    """One line a change; the sentence only where it is another one."""
    shown: list[str] = []
    text = ""
    for line in lines:
        said = (
            f"{moment(line.at_us)}  {STATE_WORDS[line.state]} ({line.state}), {PRIORITY_WORDS[line.priority]}"
        )
        shown.append(said + _harm(line.harm_at, line.at_us))
        if line.text and line.text != text:
            text = line.text
            shown.append(f"    {text}")
    return shown


def _harm(harm: HarmAt | None, at_us: int) -> str:
    words = "" if harm is None else interval(harm.lo_us, harm.hi_us, at_us)
    return f"; harm {words}" if words else ""


def _when(account: Account) -> list[str]:
    moments = account.moments
    rows = account.items.rows_us
    between = int(((rows > moments.onset_us) & (rows <= moments.alarm_us)).sum())
    onset = "estimated onset" if moments.onset_stated else "onset (none is estimated: as first said)"
    raised = any(line.state is AlertState.ACTIVE for line in account.found.lines)
    alarm = "alarm" if raised else "pending (never an alarm)"
    lines = [
        f"{moment(moments.onset_us)}  {onset}",
        f"{moment(moments.since_us)}  first said",
        f"{moment(moments.alarm_us)}  {alarm}, {duration(moments.alarm_us - moments.onset_us)} and {between} rows after the onset",
    ]
    if moments.ended_us is not None:
        lines.append(f"{moment(moments.ended_us)}  the condition was gone")
    harm = next((line.harm_at for line in reversed(account.found.lines) if line.harm_at), None)
    if harm is not None and harm.lo_us is not None:
        late = "" if harm.hi_us is None else f", by {moment(harm.hi_us)} at the latest"
        spare = duration(harm.lo_us - moments.alarm_us)
        side = "after" if harm.lo_us >= moments.alarm_us else "before"
        kind = account.harm_words
        lines.append(f"{moment(harm.lo_us)}  {kind} from here on, {spare} {side} the alarm{late}")
    return lines


def _evidence(account: Account) -> list[str]:
    line = account.newest_evidence
    said = in_words(line.evidence, line.at_us)
    wide = max((len(one.name) for one in said), default=0)
    return [f"{one.name:<{wide}}  {one.text}" for one in said]


def _quantities(account: Account) -> list[str]:
    """A table: words, what it is to the decision, before, at the alarm."""
    rows = [("", "", f"at {_before(account)}", "at the alarm")]
    for quantity in account.quantities:
        before, now = quantity.of(account.before), quantity.of(account.at_alarm)
        if before is None and now is None:
            continue
        role = _ROLES[quantity.role]
        if quantity.alarm_from is not None:
            role = f"alarm from {number(quantity.alarm_from)}"
        rows.append((quantity.words, role, of_quantity(quantity, before), of_quantity(quantity, now)))
    if len(rows) == 1:
        return ["Nothing but what was said: this cause is decided by an event, not by a measured channel."]
    return _table(rows)


def _before(account: Account) -> str:
    """What the alarm is compared with."""
    moments = account.moments
    if moments.before_us == moments.onset_us:
        return "the onset"
    return f"{duration(moments.alarm_us - moments.before_us)} before"


def _volumes(account: Account) -> list[str]:
    return _table([(words, f"{number(volume_ul, 4)} µL") for words, volume_ul in account.volumes])


def _channels(account: Account) -> list[str]:
    """A table: least, mean and greatest before the onset, from it to the alarm, after the alarm."""
    spans = ("before the onset", "onset to alarm", "after the alarm")
    if account.moments.onset_us >= account.moments.alarm_us:
        spans = ("before the alarm", "at the alarm", "after the alarm")
    rows: list[tuple[str, ...]] = [("least / mean / greatest", *spans)]
    for reading in account.readings:
        unit = split_unit(reading.name)[1]
        words = CHANNEL_WORDS[reading.name] + (f", {unit}" if unit else "")
        rows.append(
            (
                words,
                *(
                    _UNKNOWN if span is None else " / ".join(number(one, 4) for one in span)
                    for span in reading.spans
                ),
            )
        )
    if len(rows) == 1:
        return ["None of the channels that tell of this cause reported anything around it."]
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    wide = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip() for row in rows
    ]
