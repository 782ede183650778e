from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from contract import codec
from contract.events import CHANNEL_INDEX, CHANNELS, Telemetry
from contract.facts import Quarantined
from tests.unit.contract.samples import fields, line


def frame(**changes: Any) -> Telemetry:
    """Decode the sample frame, changed."""
    decoded = codec.decode_json(line("telemetry", **changes))
    assert isinstance(decoded, Telemetry), decoded
    return decoded


def packed(*numbers: float) -> bytes:
    """Pack a column as it travels on Kafka."""
    return np.array(numbers, dtype="<f8").tobytes()


def test_columns_become_one_array_with_nan_for_null():
    """Every channel has its row, null is NaN, 0 stays 0, and an absent column is NaN throughout."""
    decoded = frame()
    assert decoded.columns.shape == (13, 4)
    assert decoded.columns.dtype == np.float64
    assert decoded.columns.flags.c_contiguous
    assert decoded.present == {"delivered_ul", "pressure_kpa", "stalled"}
    np.testing.assert_array_equal(decoded.columns[CHANNEL_INDEX["delivered_ul"]], [0, 0.25, 0.5, math.nan])
    np.testing.assert_array_equal(decoded.columns[CHANNEL_INDEX["pressure_kpa"]], [-1.5, math.nan, 3, 2.25])
    np.testing.assert_array_equal(decoded.columns[CHANNEL_INDEX["stalled"]], [0, 0, 1, 0])
    for name in set(CHANNELS) - decoded.present:
        assert np.isnan(decoded.columns[CHANNEL_INDEX[name]]).all()


def test_row_times_are_rounded_to_one_microsecond():
    """A row is at `at` + t_s to the nearest microsecond, long after 1970 and hours into the frame alike."""
    decoded = frame(t_s=[-0.5, 0.0000004, 0.0000006, 86399.9999996])
    zero_us = 1_769_846_400_000_000
    assert decoded.rows_us().dtype == np.int64
    assert (decoded.rows_us() - zero_us).tolist() == [-500_000, 0, 1, 86_400_000_000]


def test_bin_and_list_columns_are_the_same_frame():
    """On Kafka a column may be a bin or a plain list, each with its own null."""
    whole = fields("telemetry")
    as_list = codec.decode_msgpack(msgspec.msgpack.encode(whole))
    whole["t_s"] = packed(*whole["t_s"])
    whole["pressure_kpa"] = packed(-1.5, math.nan, 3, 2.25)
    mixed = codec.decode_msgpack(msgspec.msgpack.encode(whole))
    assert as_list == mixed == frame()


def test_a_null_column_is_an_absent_one():
    """A column that says null as a whole has nothing to report."""
    assert frame(stalled=None) == frame(stalled=...)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"t_s": ...}, "Field t_s of this telemetry is missing."),
    ({"t_s": None}, "Column t_s must be a list of numbers, but is null."),
    ({"t_s": 5}, "Column t_s must be a list of numbers, but is 5."),
    ({"t_s": "0123"}, 'Column t_s must be a list of numbers, but is "0123".'),
    ({"t_s": [], "delivered_ul": [], "pressure_kpa": [], "stalled": []}, "Column t_s has no rows"),
    ({"t_s": [0, 1, 2]}, "Column delivered_ul has 4 rows, but t_s has 3; they must be equal."),
    ({"pressure_kpa": [1]}, "Column pressure_kpa has 1 rows, but t_s has 4; they must be equal."),
    ({"pressure_kpa": []}, "Column pressure_kpa has 0 rows"),
    ({"t_s": [0, 2, 1, 3]}, "Column t_s must ascend, but row 2 (1) is below the row before it."),
    ({"t_s": [0, None, 1, 3]}, "Column t_s must hold finite numbers only, but row 1 is null."),
    ({"t_s": [0, 1, 2, 1e300]}, "Column t_s leads to a time outside the years 0001 to 9999"),
    ({"t_s": [-1e300, 1, 2, 3]}, "Column t_s leads to a time outside the years 0001 to 9999"),
    ({"t_s": [0, 1, 2, "3"]}, 'Column t_s must hold numbers or null, but row 3 is "3".'),
    ({"stalled": [True, 0, 0, 0]}, "Column stalled must hold numbers or null, but row 0 is true."),
    ({"stalled": [[0], 0, 0, 0]}, "Column stalled must hold numbers or null, but row 0 is a list of 1."),
    ({"stalled": {"0": 1}}, "Column stalled must be a list of numbers, but is an object."),
    (
        {"delivered_ul": [0, 1, -0.5, 2]},
        "Column delivered_ul is a volume and must not be negative, but row 2 is -0.5.",
    ),
    ({"reservoir_ml": [0, None, None, -1e-9]}, "Column reservoir_ml is a volume and must not be negative"),
    ({"motor_ma": [10**400, 0, 0, 0]}, "Column motor_ma holds a number too large for a double."),
]


@pytest.mark.parametrize(("changes", "reason"), WRONG)
def test_a_wrong_column_is_named_with_its_row(changes: dict[str, Any], reason: str):
    """Unequal, descending, negative, or no numbers: the column and the row are in the sentence."""
    decoded, raw = codec.json_to_wire(line("telemetry", **changes))
    assert isinstance(decoded, Quarantined)
    assert reason in decoded.reason
    assert raw == line("telemetry", **changes)


WRONG_ON_KAFKA: list[tuple[dict[str, Any], str]] = [
    (
        {"motor_ma": packed(1, math.inf, 2, 3)},
        "Column motor_ma must hold finite numbers, but row 1 is infinite.",
    ),
    ({"motor_ma": [1, -math.inf, 2, 3]}, "Column motor_ma must hold finite numbers, but row 1 is infinite."),
    ({"motor_ma": [1, math.nan, 2, 3]}, "Column motor_ma holds NaN, which is not a number; use null"),
    ({"motor_ma": b"12345"}, "Column motor_ma must be float64 numbers of 8 bytes, but has 5 bytes."),
    ({"motor_ma": packed(1)}, "Column motor_ma has 1 rows, but t_s has 4; they must be equal."),
    ({"t_s": packed(0, math.nan, 1, 2)}, "Column t_s must hold finite numbers only, but row 1 is null."),
    ({"t_s": packed(math.nan, 0, 1, 2)}, "Column t_s must hold finite numbers only, but row 0 is null."),
    ({"t_s": packed(0, 1, 2, math.inf)}, "Column t_s must hold finite numbers only, but row 3 is inf."),
    ({"t_s": packed(0, 3, 2, 4)}, "Column t_s must ascend, but row 2 (2) is below the row before it."),
]


@pytest.mark.parametrize(("changes", "reason"), WRONG_ON_KAFKA)
def test_a_wrong_bin_is_named_with_its_row(changes: dict[str, Any], reason: str):
    """NaN is null in a bin and nowhere else; infinity is refused everywhere."""
    decoded = codec.decode_msgpack(msgspec.msgpack.encode(fields("telemetry", **changes)))
    assert isinstance(decoded, Quarantined)
    assert reason in decoded.reason
    assert decoded.pump == "pump-0001"


def test_one_row_is_a_frame():
    """The smallest frame has one row."""
    bare = {"delivered_ul": ..., "pressure_kpa": ..., "stalled": ...}
    assert frame(t_s=[5], **bare).rows_us().tolist() == [1_769_846_405_000_000]


def test_the_wire_columns_are_little_endian_float64():
    """The bytes on Kafka are the contract's, which any other language can read."""
    _, raw = codec.json_to_wire(line("telemetry"))
    wire = msgspec.msgpack.decode(raw)
    assert wire["t_s"] == packed(0, 60, 60, 120.5)
    assert wire["delivered_ul"][:24] == packed(0, 0.25, 0.5)
    assert math.isnan(np.frombuffer(wire["delivered_ul"], "<f8")[3])
    assert codec.encode_wire(frame()) == codec.encode_wire(codec.decode_msgpack(raw))  # type: ignore[arg-type]


def test_frames_differ_when_one_number_differs():
    """Equality looks into the arrays, with null equal to null only."""
    assert frame() == frame()
    assert hash(frame()) == hash(frame())
    assert frame() != frame(pressure_kpa=[-1.5, None, 3, 2.26])
    assert frame() != frame(pressure_kpa=[-1.5, 0, 3, 2.25])
    assert frame() != json.loads(line("telemetry"))
