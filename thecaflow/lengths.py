"""Lengths of time on the command line: 500ms, 30s, 10m, 2h."""

from __future__ import annotations

import re
from typing import Any, Final

import click

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class Length(click.ParamType):
    """A length of time as seconds, not below `shortest_s`."""

    name = "length"

    def __init__(self, shortest_s: float = 0.0) -> None:
        self._shortest_s = shortest_s

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds of the text."""
        if isinstance(value, float):
            return value
        matched = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(ms|s|min|m|h|d)", str(value))
        if matched is None:
            self.fail(f"{value!r} is not a length such as 500ms, 30s, 10m or 2h", param, ctx)
        seconds = float(matched[1]) * _UNITS_S[matched[2]]
        if seconds < self._shortest_s:
            self.fail(f"{value} is shorter than {self._shortest_s:g} s", param, ctx)
        return seconds
