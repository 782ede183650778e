"""A decoded object -> an event, or the reason why it is none: the structure checks of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from contract.columns import COLUMN_FIELDS, json_list, read_columns
from contract.errors import InvalidTimeError
from contract.events import (
    CONTRACT_VERSION,
    TYPES,
    WIRE_TIMES,
    AlertAck,
    AlertShelved,
    Assessment,
    Envelope,
    Event,
    Note,
    ProgramSet,
    Telemetry,
    Tick,
    VolumeReported,
    type_name,
)
from contract.plain import plain_fields
from contract.refusal import Refused, explain, shown
from contract.times import parse_rfc3339

_ASHWORTH_PENN_MAX: Final = 4


class _Frame(Envelope, frozen=True, kw_only=True, tag="telemetry"):
    """The envelope of a telemetry event, without its columns."""


def _times_of(struct: type[msgspec.Struct]) -> tuple[tuple[str, bool], ...]:
    """Wire names of an event type's times, each with whether it may be null."""
    return tuple(
        (WIRE_TIMES[name], name == "received_us") for name in struct.__struct_fields__ if name in WIRE_TIMES
    )


_TIMES: Final[dict[type[msgspec.Struct], tuple[tuple[str, bool], ...]]] = {
    struct: _times_of(struct) for struct in (*TYPES.values(), _Frame)
}


def _check_program(event: ProgramSet) -> None:
    if event.mode == "continuous" and (len(event.steps) != 1 or event.steps[0].minute != 0):
        raise Refused("Field steps of a continuous program must be one step at minute 0.")
    if event.mode == "flex" and not event.steps:
        raise Refused("Field steps of a flex program must have at least one step, but is an empty list.")


def _check_volume_reported(event: VolumeReported) -> None:
    _check_span(event)
    if event.ledger == "reservoir" and not event.from_us == event.to_us == event.at_us:
        raise Refused("Fields from and to of a reservoir volume must be the same time as at.")


def _check_span(event: VolumeReported | Note) -> None:
    if event.from_us > event.to_us:
        raise Refused("Field from must not be later than field to.")


def _check_assessment(event: Assessment) -> None:
    if event.scale in ("ashworth", "penn") and event.score > _ASHWORTH_PENN_MAX:
        raise Refused(f"Field score must be 0 to 4 on the {event.scale} scale, but is {event.score:.12g}.")


def _check_target(event: AlertAck | AlertShelved) -> None:
    if event.alert_id is None and event.cause is None:
        raise Refused("Field alert_id is missing, and there is no cause that says which alert is meant.")


_CHECKS: Final[dict[type[msgspec.Struct], Callable[[Any], None]]] = {
    ProgramSet: _check_program,
    VolumeReported: _check_volume_reported,
    Note: _check_span,
    Assessment: _check_assessment,
    AlertAck: _check_target,
    AlertShelved: _check_target,
}


def _event_type(fields: dict[Any, Any], *, from_kafka: bool) -> type[Event]:
    """Return the event type that the object names, its version checked; raises Refused."""
    if "type" not in fields:
        raise Refused("Field type of this event is missing.")
    name = fields["type"]
    if type(name) is not str:
        raise Refused(f"Field type must be a text, but is {shown(name)}.")
    struct = TYPES.get(name)
    if struct is None:
        raise Refused(f"The event type {shown(name)} is not known to contract version {CONTRACT_VERSION}.")
    if struct is Tick:
        if not from_kafka:
            raise Refused('The type "tick" belongs to the gateway alone and is not an event of a pump.')
        return struct
    if "v" not in fields:
        raise Refused(f"Field v of this {name} is missing.")
    version = fields["v"]
    if type(version) not in (int, float):
        raise Refused(f"Field v must be the number {CONTRACT_VERSION}, but is {shown(version)}.")
    if version != CONTRACT_VERSION:
        raise Refused(
            f"Contract version {shown(version)} is not understood here; only {CONTRACT_VERSION} is."
        )
    return struct


def _with_times(plain: dict[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return a copy whose times are integer microseconds; raises Refused."""
    timed = plain.copy()
    for name, nullable in _TIMES[struct]:
        if name not in plain or (nullable and plain[name] is None):
            continue
        text = plain[name]
        if type(text) is not str:
            raise Refused(f"Field {name} must be a time as text, but is {shown(text)}.")
        try:
            timed[name] = parse_rfc3339(text)
        except InvalidTimeError as error:
            raise Refused(f"Field {name} {error}; it is {shown(text)}.") from None
    return timed


def _converted(timed: dict[str, Any], struct: type[Any], shown_fields: dict[str, Any]) -> Any:
    try:
        return msgspec.convert(timed, struct)
    except msgspec.ValidationError as error:
        raise Refused(explain(str(error), struct, shown_fields)) from None


def _head(fields: dict[Any, Any]) -> dict[Any, Any]:
    """Return what a telemetry object holds besides the known columns; an unknown column in `bin` becomes a list."""
    head = {name: content for name, content in fields.items() if name not in COLUMN_FIELDS}
    for name, content in head.items():
        if type(content) is bytes and type(fields.get("t_s")) in (bytes, list):
            head[name] = unknown_column(content, fields["t_s"])
    return head


def unknown_column(content: bytes, t_s: bytes | list[Any]) -> bytes | list[float | None]:
    """Return a `bin` of a later contract's column as a list, if it has the frame's rows; else itself."""
    rows = len(t_s) // 8 if isinstance(t_s, bytes) else len(t_s)
    return json_list(np.frombuffer(content, dtype="<f8")) if len(content) == 8 * rows else content


def read_event(fields: Any, *, from_kafka: bool) -> tuple[Event, dict[str, Any]]:
    """Return the event that a decoded object is, and its plain fields with times in microseconds, columns aside.

    Raises Refused with the reason.
    """
    if type(fields) is not dict:
        raise Refused(f"An event must be an object, but this is {shown(fields)}.")
    struct = _event_type(fields, from_kafka=from_kafka)
    if struct is Telemetry:
        plain = plain_fields(_head(fields))
        timed = _with_times(plain, _Frame)
        frame: _Frame = _converted(timed, _Frame, plain)
        t_s, columns, present = read_columns(fields, frame.at_us)
        event: Event = Telemetry(
            id=frame.id,
            pump=frame.pump,
            source=frame.source,
            seq=frame.seq,
            at_us=frame.at_us,
            received_us=frame.received_us,
            t_s=t_s,
            columns=columns,
            present=present,
        )
        return event, timed
    plain = plain_fields(fields)
    timed = _with_times(plain, struct)
    event = _converted(timed, struct, plain)
    if check := _CHECKS.get(struct):
        check(event)
    return event, timed


def time_names(event: Event) -> tuple[str, ...]:
    """Return the wire names of the times of an event."""
    return tuple(name for name, _ in _TIMES[TYPES[type_name(event)]])
