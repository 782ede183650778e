"""Facts <-> JSON lines: equal facts give equal bytes, with floats of 12 significant digits."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
import numpy as np

from contract.errors import InvalidTimeError, UnusableInputError
from contract.facts import FACT_TYPES, Fact, Quarantined, fact_name
from contract.times import MAX_US, MIN_US, format_us, parse_rfc3339

_write: Final = msgspec.json.Encoder().encode
_WHOLE_BELOW: Final = 1e15
_TYPES: Final = {fact_name(fact_type): fact_type for fact_type in FACT_TYPES}
# In a fact any wire name below is a time, wherever it stands outside `evidence`.
_NESTED_TIMES: Final = {"empty_at": ("p05", "p50", "p95"), "harm_at": ("lo", "hi")}


def _number(number: float) -> float | None:
    """Return twelve significant digits, a whole number as int; what is not finite becomes null."""
    if not math.isfinite(number):
        return None
    rounded = float(format(number, ".12g"))
    # 5 and 5.0 are one number, so they must be the same bytes; so must 0 and -0.0.
    return int(rounded) if rounded.is_integer() and abs(rounded) < _WHOLE_BELOW else rounded


def _written(content: Any) -> Any:
    """Builtins for JSON with rounded floats and sorted keys, so that no order of insertion shows."""
    if isinstance(content, float):
        return _number(float(content))
    if isinstance(content, str):
        return str(content)
    if content is None or isinstance(content, bool | int):
        return content
    if isinstance(content, dict):
        return {str(name): _written(content[name]) for name in sorted(content, key=str)}
    if isinstance(content, np.ndarray):
        return [_written(member) for member in content.tolist()]
    if isinstance(content, list | tuple):
        return [_written(member) for member in content]
    if isinstance(content, np.generic):
        return _written(content.item())
    if isinstance(content, msgspec.Struct):
        return _struct_fields(content)
    raise UnusableInputError(
        f"A fact cannot carry {type(content).__name__}; use numbers, texts, lists or dicts."
    )


def _time(at_us: int | None) -> str | None:
    # Forecasts reach ten years ahead, so that near year 9999 they would pass the last time that can be written.
    return None if at_us is None else format_us(min(max(int(at_us), MIN_US), MAX_US))


def _struct_fields(struct: msgspec.Struct) -> dict[str, Any]:
    fields = {}
    for attribute, name in zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True):
        content = getattr(struct, attribute)
        # Renamed attributes are exactly the times.
        fields[name] = _time(content) if attribute != name else _written(content)
    return fields


def encode_fact(fact: Fact) -> bytes:
    """One JSON line without newline; times with six decimals and Z, floats with 12 significant digits.

    NaN and infinity become null, and of `line` and `offset` an absent one is left out.
    """
    fields = {"fact": fact_name(fact), **_struct_fields(fact)}
    if isinstance(fact, Quarantined):
        for name in ("line", "offset"):
            if fields[name] is None:
                del fields[name]
    return _write(fields)


def _parse_times(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: parse_rfc3339(content) if name in names and isinstance(content, str) else content
        for name, content in fields.items()
    }


def decode_fact(line: bytes) -> Fact:
    """Return the fact that one JSON line is.

    Raises UnusableInputError for anything else.
    """
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
        fact_type = _TYPES[fields["fact"]]
        pairs = zip(fact_type.__struct_fields__, fact_type.__struct_encode_fields__, strict=True)
        fields = _parse_times(fields, tuple(name for attribute, name in pairs if attribute != name))
        for name, nested in _NESTED_TIMES.items():
            if isinstance(fields.get(name), dict):
                fields[name] = _parse_times(fields[name], nested)
        return msgspec.convert(fields, fact_type)
    except (
        msgspec.MsgspecError,
        UnicodeError,
        RecursionError,
        KeyError,
        TypeError,
        InvalidTimeError,
    ) as error:
        raise UnusableInputError(f"This line is not a fact of contract version 1: {error}") from None
