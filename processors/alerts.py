"""The life of alerts: conditions, acknowledgements and deadlines in, alert facts out.

A `Book` holds the open alerts of one pump on one track (physics or uploads). Every function takes a book and returns a
new one with the facts that the step made; time is a parameter, and nothing here knows a pump's numbers. The states and
rules are those of the contract ("Facts", "States").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from contract.facts import (
    DEFAULT_PRIORITY,
    HARM_HIGH_WITHIN_US,
    HARM_MEDIUM_WITHIN_US,
    PRIORITY_RANK,
    Alert,
    AlertState,
    Cause,
    HarmAt,
    Priority,
)

LONGEST_SHELF_US: Final = 24 * 3_600_000_000
HARM_MOVE_SHARE: Final = 0.10  # of the time that was left when `harm_at.lo` was last written
_QUIET: Final = (Priority.LOW, Priority.INFO)  # these clear by themselves, without an acknowledgement


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector says of one cause at one moment.

    `level` 0: gone, 1: seen, the on-delay runs, 2: there. `rises`: (time, priority) pairs, the priority that the alert
    has from that time on if nothing else is said. `received_us`: when the data that showed it had been received.
    `priority`: where it differs from the cause's default. `quiet_until_us`: nothing raises it above `info` before then.
    `full_at_us`: when the on-delay of level 1 ends, and it is level 2 if nothing else is said.
    """

    cause: Cause
    at_us: int
    level: int
    text: str = ""
    evidence: dict[str, Any] = {}
    priority: Priority | None = None
    harm_lo_us: int | None = None
    harm_hi_us: int | None = None
    rises: tuple[tuple[int, Priority], ...] = ()
    received_us: int | None = None
    quiet_until_us: int | None = None
    full_at_us: int | None = None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody acknowledged an alert or, with `until_us`, put it aside."""

    at_us: int
    received_us: int
    alert_id: str | None
    cause: Cause | None
    until_us: int | None = None


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that is not cleared. `on`: the condition holds; `left_us`: time to harm when it was last written."""

    alert_id: str
    state: AlertState
    priority: Priority
    since_us: int
    on: bool
    said: Condition
    began_received_us: int
    written_lo_us: int | None = None
    left_us: int | None = None
    until_us: int | None = None


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """The open alerts of one pump by cause, and the responses that wait for an id not seen yet."""

    pump: str
    alerts: dict[Cause, OpenAlert] = {}
    waiting: tuple[Response, ...] = ()


def alert_id_of(pump: str, cause: Cause, since_us: int) -> str:
    """Digest of pump, cause and `since`: 16 hexadecimal characters."""
    return hashlib.blake2b(f"{pump}|{cause}|{since_us}".encode(), digest_size=8).hexdigest()


def observe(book: Book, condition: Condition) -> tuple[Book, list[Alert]]:
    """Take what a detector says; deadlines before its time must have fired already (`advance`)."""
    alert = book.alerts.get(condition.cause)
    if condition.level == 0:
        return (book, []) if alert is None or not alert.on else _gone(book, alert, condition.at_us)
    if alert is None:
        return _begin(book, condition)
    return _renew(book, alert, condition)


def respond(book: Book, response: Response) -> tuple[Book, list[Alert]]:
    """Bind an acknowledgement or a shelving to its alert, or let it wait for its id."""
    alert = _addressed(book, response)
    if alert is not None:
        return _answer(book, alert, response)
    if response.alert_id is not None:
        return msgspec.structs.replace(book, waiting=(*book.waiting, response)), []
    return book, []


def advance(book: Book, before_us: int) -> tuple[Book, list[Alert]]:
    """Fire every deadline earlier than `before_us`, in order of time."""
    lines: list[Alert] = []
    while (due := next_deadline_us(book)) is not None and due < before_us:
        for cause in sorted(book.alerts):
            alert = book.alerts[cause]
            if _deadline_us(alert) == due:
                book, said = _expire(book, alert, due)
                lines += said
    return book, lines


def next_deadline_us(book: Book) -> int | None:
    """The earliest time at which an alert changes by itself; None if none does."""
    times = [due for alert in book.alerts.values() if (due := _deadline_us(alert)) is not None]
    return min(times, default=None)


def close(book: Book, at_us: int) -> tuple[Book, list[Alert]]:
    """Clear everything: the pump was taken out."""
    lines: list[Alert] = []
    for cause in sorted(book.alerts):
        alert = msgspec.structs.replace(book.alerts[cause], state=AlertState.CLEARED, on=False)
        lines.append(_line(book.pump, alert, at_us))
    return msgspec.structs.replace(book, alerts={}, waiting=()), lines


def is_on(book: Book, cause: Cause) -> bool:
    """Whether the condition of `cause` holds now, its on-delay included."""
    return cause in book.alerts and book.alerts[cause].on


# ---------------------------------------------------------------------------------------------------- priorities


def _priority(condition: Condition, at_us: int) -> Priority:
    """The cause's own priority, raised by the rises that are past and by the time left to harm."""
    quiet_until_us = condition.quiet_until_us
    levels = [Priority.INFO if quiet_until_us is not None and at_us < quiet_until_us else _own(condition)]
    levels += [level for due, level in _rises(condition) if due <= at_us]
    return max(levels, key=PRIORITY_RANK.__getitem__)


def _own(condition: Condition) -> Priority:
    return condition.priority or DEFAULT_PRIORITY[condition.cause]


def _rises(condition: Condition) -> Sequence[tuple[int, Priority]]:
    """When the priority rises to what: as harm comes nearer, and not before the quiet is over."""
    rises, lo, quiet_until_us = condition.rises, condition.harm_lo_us, condition.quiet_until_us
    if lo is not None:
        rises = (
            *rises,
            (lo - HARM_MEDIUM_WITHIN_US, Priority.MEDIUM),
            (lo - HARM_HIGH_WITHIN_US, Priority.HIGH),
        )
    if quiet_until_us is None:
        return rises
    return tuple(
        (max(due, quiet_until_us), level) for due, level in ((quiet_until_us, _own(condition)), *rises)
    )


def _deadline_us(alert: OpenAlert) -> int | None:
    times = [] if alert.until_us is None else [alert.until_us]
    if alert.on:
        rank = PRIORITY_RANK[alert.priority]
        times += [due for due, level in _rises(alert.said) if PRIORITY_RANK[level] > rank]
        if alert.said.level == 1 and alert.said.full_at_us is not None:
            times.append(alert.said.full_at_us)
    return min(times, default=None)


# ---------------------------------------------------------------------------------------------------- transitions


def _begin(book: Book, condition: Condition) -> tuple[Book, list[Alert]]:
    alert = OpenAlert(
        alert_id=alert_id_of(book.pump, condition.cause, condition.at_us),
        state=AlertState.ACTIVE if condition.level == 2 else AlertState.PENDING,
        priority=_priority(condition, condition.at_us),
        since_us=condition.at_us,
        on=True,
        said=condition,
        began_received_us=condition.at_us if condition.received_us is None else condition.received_us,
    )
    book, lines = _write(book, alert, condition.at_us)
    meant = [response for response in book.waiting if response.alert_id == alert.alert_id]
    if meant:
        left = tuple(response for response in book.waiting if response.alert_id != alert.alert_id)
        book = msgspec.structs.replace(book, waiting=left)
    for response in meant:
        late = msgspec.structs.replace(response, at_us=condition.at_us)
        book, said = _answer(book, book.alerts[condition.cause], late)
        lines += said
    return book, lines


def _renew(book: Book, alert: OpenAlert, condition: Condition) -> tuple[Book, list[Alert]]:
    at_us = condition.at_us
    if not alert.on and condition.level < 2:
        return book, []  # latched: only the full condition brings it back
    state = alert.state
    if state is AlertState.LATCHED or (state is AlertState.PENDING and condition.level == 2):
        state = AlertState.ACTIVE
    priority = _priority(condition, at_us)
    if PRIORITY_RANK[priority] > PRIORITY_RANK[alert.priority] and state in _HANDLED:
        state = AlertState.ACTIVE
    until_us = alert.until_us if state is AlertState.SHELVED else None
    renewed = msgspec.structs.replace(
        alert, state=state, priority=priority, on=True, said=condition, until_us=until_us
    )
    if state is alert.state and priority is alert.priority and not _harm_moved(alert, condition.harm_lo_us):
        return _keep(book, renewed), []
    return _write(book, renewed, at_us)


_HANDLED: Final = (AlertState.ACKNOWLEDGED, AlertState.SHELVED)


def _gone(book: Book, alert: OpenAlert, at_us: int) -> tuple[Book, list[Alert]]:
    latches = alert.state is AlertState.ACTIVE and alert.priority not in _QUIET
    state = AlertState.LATCHED if latches else AlertState.CLEARED
    return _write(book, msgspec.structs.replace(alert, state=state, on=False, until_us=None), at_us)


def _expire(book: Book, alert: OpenAlert, at_us: int) -> tuple[Book, list[Alert]]:
    """A shelf ends, harm comes nearer, or an on-delay ends."""
    state, until_us, said = alert.state, alert.until_us, alert.said
    if alert.on and said.level == 1 and said.full_at_us is not None and said.full_at_us <= at_us:
        said = msgspec.structs.replace(said, level=2)
        if state is AlertState.PENDING:
            state = AlertState.ACTIVE
    priority = _priority(alert.said, at_us) if alert.on else alert.priority
    worse = PRIORITY_RANK[priority] > PRIORITY_RANK[alert.priority]
    if worse and state in _HANDLED:
        state, until_us = AlertState.ACTIVE, None
    elif until_us is not None and until_us <= at_us:
        state = AlertState.ACTIVE if said.level == 2 else AlertState.PENDING
        until_us = None
    changed = msgspec.structs.replace(alert, state=state, priority=priority, until_us=until_us, said=said)
    if state is alert.state and priority is alert.priority:
        return _keep(book, changed), []  # an on-delay that ended behind an acknowledgement or a shelf
    return _write(book, changed, at_us)


def _addressed(book: Book, response: Response) -> OpenAlert | None:
    if response.alert_id is not None:
        return next((a for a in book.alerts.values() if a.alert_id == response.alert_id), None)
    if response.cause is None:
        return None
    alert = book.alerts.get(response.cause)
    return alert if alert is not None and alert.began_received_us <= response.received_us else None


def _answer(book: Book, alert: OpenAlert, response: Response) -> tuple[Book, list[Alert]]:
    state, until_us = AlertState.ACKNOWLEDGED, None
    if response.until_us is not None:
        until_us = min(response.until_us, response.at_us + LONGEST_SHELF_US)
        if not alert.on or until_us <= response.at_us:
            return book, []
        state = AlertState.SHELVED
    elif not alert.on:
        state = AlertState.CLEARED
    answered = msgspec.structs.replace(alert, state=state, until_us=until_us)
    if state is alert.state:
        return _keep(book, answered), []  # put aside for another time: no change of state
    return _write(book, answered, response.at_us)


# ---------------------------------------------------------------------------------------------------- writing


def _harm_moved(alert: OpenAlert, lo_us: int | None) -> bool:
    if alert.written_lo_us is None or alert.left_us is None or lo_us is None:
        return alert.written_lo_us != lo_us
    return abs(lo_us - alert.written_lo_us) > HARM_MOVE_SHARE * max(alert.left_us, 0)


def _keep(book: Book, alert: OpenAlert) -> Book:
    return msgspec.structs.replace(book, alerts={**book.alerts, alert.said.cause: alert})


def _write(book: Book, alert: OpenAlert, at_us: int) -> tuple[Book, list[Alert]]:
    lo_us = alert.said.harm_lo_us
    alert = msgspec.structs.replace(
        alert, written_lo_us=lo_us, left_us=None if lo_us is None else lo_us - at_us
    )
    line = _line(book.pump, alert, at_us)
    if alert.state is not AlertState.CLEARED:
        return _keep(book, alert), [line]
    left = {cause: a for cause, a in book.alerts.items() if cause != alert.said.cause}
    return msgspec.structs.replace(book, alerts=left), [line]


def _line(pump: str, alert: OpenAlert, at_us: int) -> Alert:
    said = alert.said
    harm = None
    if said.harm_lo_us is not None or said.harm_hi_us is not None:
        harm = HarmAt(lo_us=said.harm_lo_us, hi_us=said.harm_hi_us)
    return Alert(
        pump=pump,
        at_us=at_us,
        alert_id=alert.alert_id,
        cause=said.cause,
        state=alert.state,
        priority=alert.priority,
        since_us=alert.since_us,
        harm_at=harm,
        text=said.text,
        evidence=said.evidence,
    )
