from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contract.errors import InvalidTimeError
from contract.times import MAX_US, MIN_US, format_us, parse_rfc3339

EIGHT_US = int(datetime(2026, 1, 31, 8, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("2026-01-31T08:00:00Z", EIGHT_US),
        ("2026-01-31t08:00:00z", EIGHT_US),
        ("2026-01-31T08:00:00.000001Z", EIGHT_US + 1),
        ("2026-01-31T08:00:00.1Z", EIGHT_US + 100_000),
        ("2026-01-31T08:00:00.1234569999Z", EIGHT_US + 123_456),
        ("2026-01-31T10:00:00+02:00", EIGHT_US),
        ("2026-01-30T20:30:00-11:30", EIGHT_US),
        ("2026-01-31T08:00:00-00:00", EIGHT_US),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
        ("0001-01-01T00:00:00Z", MIN_US),
        ("9999-12-31T23:59:59.999999Z", MAX_US),
        ("2016-12-31T23:59:60Z", 1_483_228_799_999_999),
        ("2017-01-01T01:59:60.5+02:00", 1_483_228_799_999_999),
    ],
)
def test_times_with_an_offset_become_microseconds_in_utc(text: str, at_us: int):
    """Every RFC 3339 form means one microsecond, whatever its offset; a leap second stays before midnight."""
    assert parse_rfc3339(text) == at_us


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-01-31T08:00:00", "bare local time"),
        ("2026-01-31T08:00:00.5", "bare local time"),
        ("2026-02-30T08:00:00Z", "does not exist"),
        ("2026-01-31T24:00:00Z", "does not exist"),
        ("2026-01-31T08:60:00Z", "does not exist"),
        ("2026-01-31T08:00:61Z", "does not exist"),
        ("0000-01-01T00:00:00Z", "does not exist"),
        ("2026-01-31T08:00:60Z", "leap second"),
        ("2026-01-31T23:59:60+01:00", "leap second"),
        ("0001-01-01T00:00:00+00:01", "years 0001 to 9999"),
        ("9999-12-31T23:59:59-00:01", "years 0001 to 9999"),
        ("2026-01-31T08:00:00+24:00", "not a time"),
        ("2026-01-31T08:00Z", "not a time"),
        ("2026-01-31 08:00:00Z", "not a time"),
        ("2026-01-31T08:00:00Z\n", "not a time"),
        ("2026-01-31T08:00:00.Z", "not a time"),
        ("\u0662026-01-31T08:00:00Z", "not a time"),
        ("2026-W05-6T08:00:00Z", "not a time"),
        ("now", "not a time"),
        ("", "not a time"),
        ("2026-01-31T08:00:00." + "1" * 5000 + "Z", "not a time"),
    ],
)
def test_other_texts_are_refused_with_the_reason(text: str, why: str):
    """What is no time, or one without an offset, is refused in words that say why."""
    with pytest.raises(InvalidTimeError, match=why):
        parse_rfc3339(text)


def test_times_are_written_with_six_decimals_and_z():
    """The written form always has the same length, so that text order is time order."""
    assert format_us(EIGHT_US + 1) == "2026-01-31T08:00:00.000001Z"
    assert format_us(EIGHT_US) == "2026-01-31T08:00:00.000000Z"
    assert format_us(MIN_US) == "0001-01-01T00:00:00.000000Z"


@pytest.mark.parametrize("at_us", [MIN_US - 1, MAX_US + 1, 2**63, -(2**80)])
def test_a_time_that_cannot_be_written_raises(at_us: int):
    """Beyond the years 0001 to 9999 there is no RFC 3339 text, and no silent wrap."""
    with pytest.raises(InvalidTimeError):
        format_us(at_us)
