"""Facts as binary COPY rows, with the columns that SQL and dashboards read taken from the fact's own line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from contract.times import parse_rfc3339
from storage import pgcopy
from storage.types import FactKind, FactRow

_BELIEF: Final = ("run_id", "pump", "at", "ordinal", "believed_from")
_DOSE_NUMBERS: Final = (
    "programmed_ul",
    "programmed_ug",
    "sensed_ul",
    "sensed_ug",
    "tip_ug",
    "bolus_ul",
    "priming_ul",
    "coverage",
)
FACT_COLUMNS: Final[Mapping[FactKind, tuple[str, ...]]] = {
    "dose": (*_BELIEF, "line", "from_at", "to_at", *_DOSE_NUMBERS),
    "forecast": (
        *_BELIEF,
        "line",
        "flow_ratio",
        "flow_ratio_lo",
        "flow_ratio_hi",
        "empty_at_p05",
        "empty_at_p50",
        "empty_at_p95",
        "device_alarm_at",
        "dry_before_alarm",
        "refill_due",
        "refill_due_reason",
    ),
    "alert": (
        *_BELIEF,
        "line",
        "cause",
        "alert_id",
        "state",
        "priority",
        "since",
        "harm_at_lo",
        "harm_at_hi",
        "text",
    ),
}
OUTBOX_COLUMNS: Final = ("id", "change", "kind", "pump", "believed", "line")
_NOTHING: Final[Mapping[str, Any]] = {}


def encode_facts(facts: Sequence[FactRow], run_id: int, believed_us: int) -> list[bytes]:
    """Return one COPY row of FACT_COLUMNS[kind] for each fact (all of one kind), in order."""
    believed = pgcopy.timestamptz(believed_us)
    return [_encode_fact(fact, pgcopy.int4(run_id), believed) for fact in facts]


def encode_outbox(facts: Sequence[FactRow], change: str, run_id: int, believed_us: int) -> list[bytes]:
    """Return one COPY row of OUTBOX_COLUMNS for each fact; the same change always gets the same id."""
    believed, change_field = pgcopy.timestamptz(believed_us), pgcopy.text(change)
    return [
        pgcopy.row(
            pgcopy.binary(_change_id(fact, change, run_id, believed_us)),
            change_field,
            pgcopy.text(fact.kind),
            pgcopy.text(fact.pump),
            believed,
            pgcopy.binary(fact.line),
        )
        for fact in facts
    ]


def _change_id(fact: FactRow, change: str, run_id: int, believed_us: int) -> bytes:
    identity = (change, run_id, believed_us, fact.kind, fact.pump, fact.at_us, fact.cause, fact.alert_id)
    return hashlib.blake2b(
        msgspec.json.encode((*identity, fact.ordinal)) + fact.line, digest_size=16
    ).digest()


def _encode_fact(fact: FactRow, run_id: bytes, believed: bytes) -> bytes:
    said = msgspec.json.decode(fact.line)
    common = (
        run_id,
        pgcopy.text(fact.pump),
        pgcopy.timestamptz(fact.at_us),
        pgcopy.int4(fact.ordinal),
        believed,
        pgcopy.binary(fact.line),
    )
    match fact.kind:
        case "dose":
            return pgcopy.row(*common, *_dose(said))
        case "forecast":
            return pgcopy.row(*common, *_forecast(said))
        case "alert":
            return pgcopy.row(*common, *_alert(fact, said))


def _dose(said: Mapping[str, Any]) -> list[bytes]:
    numbers = [pgcopy.float8(said.get(name)) for name in _DOSE_NUMBERS]
    return [_time(said["from"]), _time(said["to"]), *numbers]


def _forecast(said: Mapping[str, Any]) -> list[bytes]:
    ratio, empty = said.get("flow_ratio") or _NOTHING, said.get("empty_at") or _NOTHING
    return [
        *(pgcopy.float8(ratio.get(name)) for name in ("mean", "lo", "hi")),
        *(_time(empty.get(name)) for name in ("p05", "p50", "p95")),
        _time(said.get("device_alarm_at")),
        pgcopy.float8(said.get("dry_before_alarm")),
        _time(said.get("refill_due")),
        pgcopy.text(said.get("refill_due_reason")),
    ]


def _alert(fact: FactRow, said: Mapping[str, Any]) -> list[bytes]:
    harm = said.get("harm_at") or _NOTHING
    return [
        pgcopy.text(fact.cause),
        pgcopy.text(fact.alert_id),
        pgcopy.text(said["state"]),
        pgcopy.text(said["priority"]),
        _time(said["since"]),
        _time(harm.get("lo")),
        _time(harm.get("hi")),
        pgcopy.text(said["text"]),
    ]


@lru_cache(maxsize=4096)  # windows end together, so a fleet's facts share most of their times
def _time(written: str | None) -> bytes:
    return pgcopy.NULL if written is None else pgcopy.timestamptz(parse_rfc3339(written))
