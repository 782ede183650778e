"""An account as text: what was said, on what evidence, what the detector knew, the channels around, what would end it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from contract.facts import Alert, AlertState, HarmAt
from contract.times import format_us
from dashboards.causes import CAUSES
from dashboards.clearing import CLEARING
from dashboards.console.detection import Section
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
        *(_section(part.title, _table(part)) for part in sections(account)),
        _section("What would end it", [CLEARING[account.last.cause]]),
        _section("Looked at first", CAUSES[account.last.cause].first_checks),
    ]
    return "\n\n".join(part for part in parts if part)


def sections(account: Account) -> list[Section]:
    """Return what the alert's page shows as well: times, numbers of the detector, volumes, channels, what can be seen."""
    parts = [
        Section("When", _when(account)),
        Section("Evidence, as last stated", _evidence(account)),
        _quantities(account),
        _volumes(account),
        _channels(account),
        Section("What can be seen of this cause", _readiness(account)),
    ]
    return [part for part in parts if part.rows]


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


def _when(account: Account) -> list[tuple[str, str]]:
    moments = account.moments
    rows = account.items.rows_us
    between = int(((rows > moments.onset_us) & (rows <= moments.alarm_us)).sum())
    onset = "estimated onset" if moments.onset_stated else "onset (none is estimated: as first said)"
    raised = any(line.state is AlertState.ACTIVE for line in account.found.lines)
    alarm = "alarm" if raised else "pending (never an alarm)"
    lines = [
        (moment(moments.onset_us), onset),
        (moment(moments.since_us), "first said"),
        (
            moment(moments.alarm_us),
            f"{alarm}, {duration(moments.alarm_us - moments.onset_us)} and {between} rows after the onset",
        ),
    ]
    if moments.ended_us is not None:
        lines.append((moment(moments.ended_us), "the condition was gone"))
    harm = next((line.harm_at for line in reversed(account.found.lines) if line.harm_at), None)
    if harm is not None and harm.lo_us is not None:
        late = "" if harm.hi_us is None else f", by {moment(harm.hi_us)} at the latest"
        spare = duration(harm.lo_us - moments.alarm_us)
        side = "after" if harm.lo_us >= moments.alarm_us else "before"
        kind = account.harm_words
        lines.append((moment(harm.lo_us), f"{kind} from here on, {spare} {side} the alarm{late}"))
    return lines


def _evidence(account: Account) -> list[tuple[str, str]]:
    line = account.newest_evidence
    return [(one.name, one.text) for one in in_words(line.evidence, line.at_us)]


def _quantities(account: Account) -> Section:
    """Words, what it is to the decision, before, at the alarm."""
    heads = ("", "", f"at {_before(account)}", "at the alarm")
    evidence = account.newest_evidence.evidence
    rows: list[tuple[str, ...]] = []
    for quantity in account.quantities:
        if quantity.field is not None:
            said = quantity.stated(evidence)
            if said is not None:
                rows.append((quantity.words, "stated", "", of_quantity(quantity, said)))
            continue
        before, now = quantity.of(account.before), quantity.of(account.at_alarm)
        if before is None and now is None:
            continue
        role = _ROLES[quantity.role]
        if quantity.alarm_from is not None:
            role = f"alarm from {number(quantity.alarm_from)}"
        rows.append((quantity.words, role, of_quantity(quantity, before), of_quantity(quantity, now)))
    return Section("What the detector knew", rows, heads)


def _before(account: Account) -> str:
    """What the alarm is compared with."""
    moments = account.moments
    if moments.before_us == moments.onset_us:
        return "the onset"
    return f"{duration(moments.alarm_us - moments.before_us)} before"


def _volumes(account: Account) -> Section:
    rows = [(words, f"{number(volume_ul, 4)} µL") for words, volume_ul in account.volumes]
    return Section(f"Volumes from {_before(account)} to the alarm", rows)


def _channels(account: Account) -> Section:
    """Least, mean and greatest before the onset, from it to the alarm, after the alarm."""
    spans = ("before the onset", "onset to alarm", "after the alarm")
    if account.moments.onset_us >= account.moments.alarm_us:
        spans = ("before the alarm", "at the alarm", "after the alarm")
    rows: list[tuple[str, ...]] = []
    for reading in account.readings:
        unit = split_unit(reading.name)[1]
        words = CHANNEL_WORDS[reading.name] + (f", {unit}" if unit else "")
        told = (
            _UNKNOWN if span is None else " / ".join(number(one, 4) for one in span) for span in reading.spans
        )
        rows.append((words, *told))
    if not rows:
        return Section(
            "The channels",
            [("None of the channels that tell of this cause reported anything around it.",)],
        )
    return Section("The channels", rows, ("least / mean / greatest", *spans))


def _readiness(account: Account) -> list[tuple[str, ...]]:
    """Whether the detectors were ready at the alarm, by what."""
    return [(one.cause, one.state.replace("_", " "), one.why) for one in account.readiness]


def _table(part: Section) -> list[str]:
    rows = [part.heads, *part.rows] if part.heads else part.rows
    wide = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip() for row in rows
    ]
