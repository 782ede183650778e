"""Why an input was refused, in one sentence for the person who has to correct it."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import inspect

MAX_SHOWN: Final = 60
MAX_TEXT: Final = 240

_MISSING: Final = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_LOCATION: Final = re.compile(r" - at `(?P<path>[^`]+)`$")
_WRONG_TYPE: Final = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_BOUND: Final = re.compile(r"Expected `\w+` (?P<sign>>=|<=|>|<) (?P<limit>\S+)")
_LENGTH: Final = re.compile(r"Expected `\w+` of length (?P<sign>>=|<=) (?P<limit>\d+)")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


class Refused(Exception):  # noqa: N818 - not an error of ours: it never leaves the codec
    """Input that cannot be taken; the message is the reason, a whole sentence."""


def clean(text: str, limit: int) -> str:
    """Text of at most `limit` characters in which nothing is invisible or unstorable."""
    cut = text[: limit + 1]
    visible = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in cut
    )
    return visible if len(visible) <= limit else visible[: limit - 3] + "..."


def shown(content: Any) -> str:
    """Return a bounded, printable rendering of offending content."""
    if content is None:
        return "null"
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, str):
        return '"' + clean(content, MAX_SHOWN) + '"'
    if isinstance(content, float):
        return repr(content)
    if isinstance(content, int):
        # A very long int would make str() itself raise.
        return str(content) if -(10**MAX_SHOWN) < content < 10**MAX_SHOWN else "a very large number"
    if isinstance(content, list | tuple):
        return f"a list of {len(content)}" if content else "an empty list"
    if isinstance(content, dict):
        return "an object"
    if isinstance(content, bytes):
        return f"{len(content)} bytes"
    return "a MessagePack extension"


def excerpt(raw: bytes) -> str:
    """Return the beginning of the input as bounded printable text."""
    return clean(raw[: 4 * MAX_TEXT].decode("utf-8", "backslashreplace"), MAX_TEXT)


def _choices(node: Any) -> tuple[str, ...]:
    """Return the members that a field's type allows, empty where it is not an enumeration."""
    if isinstance(node, inspect.LiteralType):
        return tuple(str(member) for member in node.values)
    if isinstance(node, inspect.EnumType):
        return tuple(str(member.value) for member in node.cls)
    if isinstance(node, inspect.UnionType):
        return tuple(member for part in node.types for member in _choices(part))
    return ()


def _allowed(struct: type[msgspec.Struct], field: str) -> tuple[str, ...]:
    info = inspect.type_info(struct)
    if not isinstance(info, inspect.StructType):
        return ()
    return next((_choices(entry.type) for entry in info.fields if entry.encode_name == field), ())


def _content_at(fields: Any, path: str) -> Any:
    """Return what the input holds at a msgspec path such as `$.steps[1].minute`."""
    found = fields
    for name, position in _STEP.findall(path):
        try:
            found = found[name] if name else found[int(position)]
        except (KeyError, IndexError, TypeError):
            return None
    return found


def _wanted(expected: str) -> str:
    return " or ".join(_WORDS.get(word, word) for word in expected.split(" | "))


def explain(error: str, struct: type[msgspec.Struct], fields: dict[str, Any]) -> str:
    """One sentence for a msgspec validation message about `fields`, naming the field and what it holds."""
    located = _LOCATION.search(error)
    path = located["path"] if located else "$"
    field = path.removeprefix("$").removeprefix(".")
    held = shown(_content_at(fields, path))
    if missing := _MISSING.match(error):
        whole = f"{field}.{missing['field']}" if field else missing["field"]
        return f"Field {whole} of this {fields.get('type')} is missing."
    if wrong := _WRONG_TYPE.match(error):
        return f"Field {field} must be {_wanted(wrong['wanted'])}, but is {held}."
    if length := _LENGTH.match(error):
        if length["sign"] == ">=":
            return f"Field {field} must not be empty."
        return f"Field {field} must be at most {length['limit']} characters long, but is {held}."
    if bound := _BOUND.match(error):
        if float(bound["limit"]) == 0.0 and bound["sign"] == ">=":
            return f"Field {field} must not be negative, but is {held}."
        word = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}[bound["sign"]]
        return f"Field {field} must be {word} {float(bound['limit']):.17g}, but is {held}."
    if "matching regex" in error:
        return f"Field {field} must be 1 to 64 of the characters A-Z a-z 0-9 . _ : - but is {held}."
    if choices := _allowed(struct, field):
        return f"Field {field} must be one of {', '.join(choices)}, but is {held}."
    if "out of range" in error:
        return f"Field {field} holds a number too large for a double."
    return f"Field {field or 'type'} is not as the contract says ({clean(error, MAX_SHOWN)}), but is {held}."
