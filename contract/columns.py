"""Telemetry columns on the wire <-> one float64 array, without a copy per number where they are `bin`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.events import CHANNEL_INDEX, CHANNELS
from contract.refusal import Refused, shown
from contract.times import MAX_US, MIN_US

FloatArray = NDArray[np.float64]
COLUMN_FIELDS: Final = frozenset(("t_s", *CHANNELS))
_NUMBER_TYPES: Final = frozenset((float, int, type(None)))
_WIRE_DTYPE: Final = np.dtype("<f8")
_VOLUME_ROWS: Final = tuple(row for row, name in enumerate(CHANNELS) if name in ("delivered_ul", "reservoir_ml"))


def _from_list(name: str, numbers: list[Any]) -> FloatArray:
    """Float64[n] of a list of numbers and nulls; raises Refused."""
    if not _NUMBER_TYPES.issuperset(map(type, numbers)):
        row = next(row for row, number in enumerate(numbers) if type(number) not in _NUMBER_TYPES)
        raise Refused(f"Column {name} must hold numbers or null, but row {row} is {shown(numbers[row])}.")
    try:
        column: FloatArray = np.array(numbers, dtype=np.float64)
    except OverflowError:
        raise Refused(f"Column {name} holds a number too large for a double.") from None
    # NaN stands for null only inside a `bin`; a list has null for that.
    if np.count_nonzero(column != column) != numbers.count(None):
        raise Refused(f"Column {name} holds NaN, which is not a number; use null for what was not reported.")
    return column


def _from_wire(name: str, content: Any) -> FloatArray:
    """Float64[n] of a `bin` or a list; raises Refused."""
    kind = type(content)
    if kind is bytes:
        if len(content) % 8:
            raise Refused(f"Column {name} must be float64 numbers of 8 bytes, but has {len(content)} bytes.")
        return np.frombuffer(content, dtype=_WIRE_DTYPE)
    if kind is list:
        return _from_list(name, content)
    raise Refused(f"Column {name} must be a list of numbers, but is {shown(content)}.")


def _row_times(fields: dict[str, Any], at_us: int) -> FloatArray:
    """The checked `t_s`, float64[n], n >= 1; raises Refused."""
    if "t_s" not in fields:
        raise Refused("Field t_s of this telemetry is missing.")
    t_s = _from_wire("t_s", fields["t_s"])
    if len(t_s) == 0:
        raise Refused("Column t_s has no rows; a telemetry event needs at least one.")
    if not np.isfinite(t_s).all():
        row = int(np.flatnonzero(~np.isfinite(t_s))[0])
        raise Refused(f"Column t_s must hold finite numbers only, but row {row} is {_number(t_s[row])}.")
    descending = t_s[1:] < t_s[:-1]
    if descending.any():
        row = int(np.flatnonzero(descending)[0]) + 1
        raise Refused(f"Column t_s must ascend, but row {row} ({t_s[row]:.12g}) is below the row before it.")
    for edge_s in (float(t_s[0]), float(t_s[-1])):
        if not MIN_US <= at_us + edge_s * 1e6 <= MAX_US:
            raise Refused(f"Column t_s leads to a time outside the years 0001 to 9999 ({edge_s:.12g} s after at).")
    return t_s


def _number(number: float) -> str:
    return "null" if number != number else f"{number:.12g}"


def _check_numbers(columns: FloatArray) -> None:
    """Refuse an infinite number, and a volume below zero; columns float64[13, n]."""
    infinite = np.isinf(columns)
    if infinite.any():
        channel, row = (int(index[0]) for index in np.nonzero(infinite))
        raise Refused(f"Column {CHANNELS[channel]} must hold finite numbers, but row {row} is infinite.")
    for channel in _VOLUME_ROWS:
        negative = columns[channel] < 0
        if negative.any():
            row = int(np.flatnonzero(negative)[0])
            raise Refused(
                f"Column {CHANNELS[channel]} is a volume and must not be negative, "
                f"but row {row} is {columns[channel, row]:.12g}."
            )


def read_columns(fields: dict[str, Any], at_us: int) -> tuple[FloatArray, FloatArray, frozenset[str]]:
    """`t_s` float64[n], `columns` float64[13, n] and the channels present, from the wire fields of one telemetry.

    A column that is null counts as absent. Raises Refused.
    """
    t_s = _row_times(fields, at_us)
    columns = np.full((len(CHANNELS), len(t_s)), np.nan)
    present = []
    for name, row in CHANNEL_INDEX.items():
        content = fields.get(name)
        if content is None:
            continue
        column = _from_wire(name, content)
        if len(column) != len(t_s):
            raise Refused(f"Column {name} has {len(column)} rows, but t_s has {len(t_s)}; they must be equal.")
        columns[row] = column
        present.append(name)
    _check_numbers(columns)
    return t_s, columns, frozenset(present)


def wire_bytes(column: FloatArray) -> bytes:
    """A column as little-endian float64, NaN for null."""
    return column.astype(_WIRE_DTYPE, copy=False).tobytes()


def json_list(column: FloatArray) -> list[float | None]:
    """A column as a list with null for NaN."""
    numbers: list[float | None] = column.tolist()
    if np.isnan(column).any():
        return [None if number != number else number for number in numbers]
    return numbers


def canonical_numbers(array: FloatArray) -> FloatArray:
    """A copy in which equal numbers have equal bytes: one zero, one NaN."""
    copied: FloatArray = array.astype(_WIRE_DTYPE) + 0.0
    copied[np.isnan(copied)] = np.nan
    return copied
