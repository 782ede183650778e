"""Decoded input -> the one plain form in which equal content is equal: whole numbers as int, no NaN, bounded depth."""

from __future__ import annotations

import base64
import math
from typing import Any, Final

from contract.refusal import MAX_SHOWN, Refused, clean, shown

MAX_DEPTH: Final = 32
_EXACT_INT: Final = 2**63


def _text(content: str, field: str) -> str:
    # A database cannot store NUL in text, so it must stop here and not in a commit.
    if "\0" in content:
        raise Refused(f"Field {clean(field, MAX_SHOWN)} holds a NUL character: {shown(content)}.")
    return content


def _float(content: float, field: str) -> int | float:
    if not math.isfinite(content):
        raise Refused(f"Field {clean(field, MAX_SHOWN)} must be a finite number, but is {shown(content)}.")
    if content.is_integer() and -_EXACT_INT < content < _EXACT_INT:
        return int(content)
    return content


def _int(content: int, field: str) -> int | float:
    if -_EXACT_INT < content < _EXACT_INT:
        return content
    try:
        return float(content)
    except OverflowError:
        raise Refused(f"Field {clean(field, MAX_SHOWN)} holds a number too large for a double.") from None


def _plain(content: Any, field: str, depth: int) -> Any:
    kind = type(content)
    if kind is str:
        return _text(content, field)
    if content is None or kind is bool:
        return content
    if kind is int:
        return _int(content, field)
    if kind is float:
        return _float(content, field)
    if depth >= MAX_DEPTH:
        raise Refused(f"Field {clean(field, MAX_SHOWN)} is nested more than {MAX_DEPTH} levels deep.")
    if kind is list:
        return [_plain(member, field, depth + 1) for member in content]
    if kind is dict:
        return plain_fields(content, f"{field}.", depth + 1)
    if kind is bytes:
        return base64.b64encode(content).decode()
    raise Refused(
        f"Field {clean(field, MAX_SHOWN)} is {shown(content)}; only plain MessagePack types can be read."
    )


def plain_fields(fields: dict[Any, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Return a copy of a decoded object in its plain form; `prefix` leads the field names in reasons.

    Raw bytes become Base64 text, as in JSON. Raises Refused.
    """
    plain = {}
    for name, content in fields.items():
        if type(name) is not str:
            raise Refused(f"A field's name must be a text, but is {shown(name)}.")
        field = prefix + name
        plain[_text(name, field)] = _plain(content, field, depth)
    return plain


def storable(content: Any) -> Any:
    """Return the same content with whole numbers past 64 bits, which MessagePack has not, as doubles."""
    if isinstance(content, dict):
        return {name: storable(member) for name, member in content.items()}
    if isinstance(content, list):
        return [storable(member) for member in content]
    if type(content) is int and not -_EXACT_INT <= content < 2 * _EXACT_INT:
        return float(content)
    return content
