"""The upload track: who has fallen silent. It runs on `received` and looks at nothing else (contract, Two tracks)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from contract.events import AlertAck, AlertShelved, PumpExplanted, PumpRegistered, Telemetry
from contract.facts import Alert, Cause, Priority
from contract.times import HOUR_US, MINUTE_US
from processors import alerts
from processors.alerts import Book, Condition
from processors.answers import response_to
from processors.pump_state import whole_us
from processors.timeline import LATEST_US, NEVER_US, Settled, seen_us

SAME_UPLOAD_US: Final = 10 * MINUTE_US  # contract: belongs to the counted upload
CLOSE_US: Final = (
    2 * SAME_UPLOAD_US
)  # stated closer than this, a late upload and a prompt one may belong together
SHORTEST_WAIT_US: Final = 30 * MINUTE_US
WAIT_UNTIL_KNOWN_US: Final = 48 * HOUR_US
WAIT_INTERVALS: Final = 3
KNOWN_UPLOADS: Final = 3
REMEMBERED: Final = 20
HIGH_AFTER_US: Final = 24 * HOUR_US


class UploadState(Struct, frozen=True, kw_only=True):
    """`last_us`: received time of the newest counted upload; `gaps_us`: the last 20 intervals; `head`: last item's order.

    `heard_us`: received time of the newest telemetry, counted or not. `every_us`: the registered interval, `every_set_us`:
    when that was said.
    """

    book: Book
    head: tuple[int, str] = (NEVER_US, "")
    last_us: int | None = None
    counted: int = 0
    gaps_us: tuple[int, ...] = ()
    heard_us: int = NEVER_US
    every_us: int | None = None
    every_set_us: int = NEVER_US
    explanted: bool = False


def begin(pump: str) -> UploadState:
    """A pump that has not been heard of."""
    return UploadState(book=Book(pump=pump))


class Upload(Struct, frozen=True, kw_only=True):
    """An item of the track. `place`: received (else corrected) time and id; `event`: None for telemetry."""

    place: tuple[int, str]
    event: PumpRegistered | PumpExplanted | AlertAck | AlertShelved | None
    offset_us: int = 0


def upload_of(settled: Settled) -> Upload | None:
    """The item that an event is on this track; None if the track does not look at it."""
    event = settled.event
    if not isinstance(event, Telemetry | PumpRegistered | PumpExplanted | AlertAck | AlertShelved):
        return None
    kept = None if isinstance(event, Telemetry) else event
    return Upload(place=(seen_us(settled), event.id), event=kept, offset_us=settled.offset_us)


def uploads_of(settled: Iterable[Settled]) -> list[Upload]:
    """The items of these events in the track's order."""
    found = (upload_of(one) for one in settled)
    return sorted((one for one in found if one is not None), key=lambda one: one.place)


def fold_uploads(state: UploadState, uploads: Iterable[Upload]) -> tuple[UploadState, list[Alert]]:
    """Move the track over items in order, all later than `state.head`."""
    facts: list[Alert] = []
    for one in uploads:
        state, said = _take(state, one)
        facts += said
    return state, facts


def look_ahead(state: UploadState, present_us: int) -> tuple[list[Alert], int]:
    """(what the silence until `present_us` shows, when there will be more)."""
    ahead, facts = _fire(state, present_us + 1)
    times = [alerts.next_deadline_us(ahead.book), _deadline_us(ahead)]
    return facts, min((t for t in times if t is not None), default=LATEST_US)


def silent_since_us(state: UploadState, present_us: int) -> int | None:
    """When the pump fell silent, None if it is heard of in time at `present_us`."""
    if alerts.is_on(state.book, Cause.TELEMETRY_SILENT):
        return state.book.alerts[Cause.TELEMETRY_SILENT].since_us
    due = _deadline_us(state)
    return due if due is not None and due <= present_us else None


def _wait_us(state: UploadState) -> int:
    if state.every_us is not None:
        return WAIT_INTERVALS * state.every_us
    if state.counted < KNOWN_UPLOADS:
        return WAIT_UNTIL_KNOWN_US
    usual_us = sorted(state.gaps_us)[(len(state.gaps_us) - 1) // 2]
    return max(SHORTEST_WAIT_US, WAIT_INTERVALS * usual_us)


def _deadline_us(state: UploadState) -> int | None:
    if state.last_us is None or state.explanted or alerts.is_on(state.book, Cause.TELEMETRY_SILENT):
        return None
    # One already past when a registration sets it fires at the registration.
    return max(_last_us(state, state.last_us) + _wait_us(state), state.every_set_us)


def _last_us(state: UploadState, counted_us: int) -> int:
    """When the pump was last heard of: by counted uploads, or by each where they are stated to be closer than counted ones.

    All of those belong to a counted one; whoever sends each minute is not silent after three.
    """
    if state.every_us is not None and state.every_us < CLOSE_US:
        return max(counted_us, state.heard_us)
    return counted_us


def _fire(state: UploadState, before_us: int) -> tuple[UploadState, list[Alert]]:
    facts: list[Alert] = []
    due = _deadline_us(state)
    if due is not None and due < before_us and state.last_us is not None:
        last_us = _last_us(state, state.last_us)
        silent_h = (due - last_us) / HOUR_US
        condition = Condition(
            cause=Cause.TELEMETRY_SILENT,
            at_us=due,
            level=2,
            text=f"Nothing was received from this pump for {silent_h:.3g} h: nobody watches it. Check relay and pump.",
            evidence={"last_upload_us": last_us, "waited_h": silent_h},
            rises=((due + HIGH_AFTER_US, Priority.HIGH),),
            received_us=last_us,
        )
        state, facts = _step(state, due, condition)
    book, late = alerts.advance(state.book, before_us)
    return replace(state, book=book), facts + late


def _step(state: UploadState, at_us: int, condition: Condition) -> tuple[UploadState, list[Alert]]:
    book, earlier = alerts.advance(state.book, at_us)
    book, lines = alerts.observe(book, condition)
    return replace(state, book=book), earlier + lines


def _take(state: UploadState, one: Upload) -> tuple[UploadState, list[Alert]]:
    at_us, event = one.place[0], one.event
    if state.explanted:
        return replace(state, head=one.place), []
    state, facts = _fire(state, at_us)
    match event:
        case PumpRegistered():
            every_us = None if event.upload_every_s is None else whole_us(event.upload_every_s)
            if every_us != state.every_us:
                state = replace(state, every_us=every_us, every_set_us=at_us)
        case PumpExplanted():
            book, lines = alerts.close(state.book, at_us)
            state, facts = replace(state, book=book, explanted=True), facts + lines
        case AlertAck() | AlertShelved():
            if event.cause is Cause.TELEMETRY_SILENT or (event.cause is None and event.alert_id is not None):
                book, lines = alerts.respond(state.book, response_to(event, at_us, one.offset_us))
                state, facts = replace(state, book=book), facts + lines
        case _:
            state, lines = _heard(state, at_us)
            facts = facts + lines
    return replace(state, head=one.place), facts


def _heard(state: UploadState, at_us: int) -> tuple[UploadState, list[Alert]]:
    gone = Condition(cause=Cause.TELEMETRY_SILENT, at_us=at_us, level=0)
    state, facts = _step(replace(state, heard_us=at_us), at_us, gone)
    if state.last_us is None:
        return replace(state, last_us=at_us, counted=1), facts
    gap_us = at_us - state.last_us
    if gap_us <= SAME_UPLOAD_US:
        return state, facts
    gaps_us = (*state.gaps_us, gap_us)[-REMEMBERED:]
    return replace(state, last_us=at_us, counted=state.counted + 1, gaps_us=gaps_us), facts
