"""Telemetry columns on the wire <-> one float64 array, without a copy per number where they are `bin`."""

from __future__ import annotations

import math
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
_NULL_BYTES: Final = np.array(np.nan, dtype=_WIRE_DTYPE).tobytes()
_VOLUME_ROWS: Final = slice(  # both volumes in one view
    CHANNEL_INDEX["delivered_ul"],
    CHANNEL_INDEX["reservoir_ml"] + 1,
    CHANNEL_INDEX["reservoir_ml"] - CHANNEL_INDEX["delivered_ul"],
)


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
    if np.count_nonzero(np.isnan(column)) != numbers.count(None):
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


def _explain_row_times(t_s: FloatArray) -> Refused:
    """Why these row times cannot be taken."""
    not_finite = np.flatnonzero(~np.isfinite(t_s))
    if len(not_finite):
        row = int(not_finite[0])
        return Refused(f"Column t_s must hold finite numbers only, but row {row} is {_number(t_s[row])}.")
    descending = np.flatnonzero(t_s[1:] < t_s[:-1])
    if len(descending):
        row = int(descending[0]) + 1
        return Refused(f"Column t_s must ascend, but row {row} ({t_s[row]:.12g}) is below the row before it.")
    reached_s = max((float(t_s[0]), float(t_s[-1])), key=abs)
    return Refused(
        f"Column t_s leads to a time outside the years 0001 to 9999 ({reached_s:.12g} s after at)."
    )


def _row_times(fields: dict[str, Any], at_us: int) -> FloatArray:
    """Return the checked `t_s`, float64[n], n >= 1; raises Refused."""
    if "t_s" not in fields:
        raise Refused("Field t_s of this telemetry is missing.")
    t_s = _from_wire("t_s", fields["t_s"])
    rows = len(t_s)
    if rows == 0:
        raise Refused("Column t_s has no rows; a telemetry event needs at least one.")
    # A comparison with NaN is false, so ascending rows between two finite ends are all finite.
    ascending = np.count_nonzero(t_s[1:] >= t_s[:-1]) == rows - 1
    if not (ascending and at_us + t_s.item(0) * 1e6 >= MIN_US and at_us + t_s.item(-1) * 1e6 <= MAX_US):
        raise _explain_row_times(t_s)
    return t_s


def _number(number: float) -> str:
    return "null" if math.isnan(number) else f"{number:.12g}"


def _check_numbers(columns: FloatArray) -> None:
    """Refuse an infinite number, and a volume below zero; columns float64[13, n]."""
    if np.count_nonzero(np.isinf(columns)):
        channel, row = (int(index[0]) for index in np.nonzero(np.isinf(columns)))
        raise Refused(f"Column {CHANNELS[channel]} must hold finite numbers, but row {row} is infinite.")
    if np.count_nonzero(columns[_VOLUME_ROWS] < 0):
        for channel in range(len(CHANNELS))[_VOLUME_ROWS]:
            for row in np.flatnonzero(columns[channel] < 0)[:1]:
                raise Refused(
                    f"Column {CHANNELS[channel]} is a volume and must not be negative, "
                    f"but row {row} is {columns[channel, row]:.12g}."
                )


def read_columns(fields: dict[str, Any], at_us: int) -> tuple[FloatArray, FloatArray, frozenset[str]]:
    """`t_s` float64[n], `columns` float64[13, n] and the channels present, from the wire fields of one telemetry.

    A column that is null counts as absent. The arrays are read-only. Raises Refused.
    """
    t_s = _row_times(fields, at_us)
    rows = len(t_s)
    absent = _NULL_BYTES * rows
    parts, present = [], []
    for name in CHANNELS:
        content = fields.get(name)
        if content is None:
            parts.append(absent)
            continue
        # One join of the bytes as they came is the only copy; lists take the way through an array first.
        part = content if type(content) is bytes else wire_bytes(_from_wire(name, content))
        if len(part) != len(absent):
            held = len(_from_wire(name, part))
            raise Refused(f"Column {name} has {held} rows, but t_s has {rows}; they must be equal.")
        parts.append(part)
        present.append(name)
    columns = np.frombuffer(b"".join(parts), dtype=_WIRE_DTYPE).reshape(len(CHANNELS), rows)
    _check_numbers(columns)
    return t_s, columns, frozenset(present)


def wire_bytes(column: FloatArray) -> bytes:
    """Return a column as little-endian float64, NaN for null."""
    return column.astype(_WIRE_DTYPE, copy=False).tobytes()


def json_list(column: FloatArray) -> list[float | None]:
    """Return a column as a list with null for NaN."""
    numbers: list[float] = column.tolist()
    if np.count_nonzero(np.isnan(column)):
        return [None if math.isnan(number) else number for number in numbers]
    return list(numbers)


def canonical_numbers(array: FloatArray) -> FloatArray:
    """Return a copy in which equal numbers have equal bytes: one zero, one NaN."""
    copied: FloatArray = array + 0.0
    np.copyto(copied, np.nan, where=np.isnan(copied))
    return copied
