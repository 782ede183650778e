"""RFC 3339 text <-> integer microseconds since 1970-01-01T00:00:00Z.

Accepted: any offset (normalised to UTC), any number of fraction digits (those past the sixth are cut off), years 0001 to
9999 in UTC. A leap second, 23:59:60 in UTC, becomes the last microsecond of its minute, so that order is kept. Refused:
a time without an offset, and anything else.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from contract.errors import InvalidTimeError

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: all arithmetic here is in UTC
_MICROSECOND: Final = timedelta(microseconds=1)
MIN_US: Final = (datetime(1, 1, 1) - _EPOCH) // _MICROSECOND  # noqa: DTZ001 - as above
MAX_US: Final = (datetime(9999, 12, 31, 23, 59, 59, 999_999) - _EPOCH) // _MICROSECOND  # noqa: DTZ001 - as above
_MAX_LENGTH: Final = 64

_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))?"
)


def parse_rfc3339(text: str) -> int:
    """Microseconds since 1970 of an RFC 3339 time.

    Raises InvalidTimeError, whose message completes the sentence "this time ...".
    """
    matched = _RFC3339.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if matched is None:
        raise InvalidTimeError("is not a time such as 2026-01-31T08:00:00.000000Z")
    date, hour_minute, second, fraction, sign, offset_h, offset_min = matched.groups()
    if sign is None and text[-1] not in "Zz":
        raise InvalidTimeError("is a bare local time; add Z or an offset such as +02:00")
    leap = second == "60"
    try:
        moment = datetime.fromisoformat(f"{date}T{hour_minute}:{'59' if leap else second}")
    except ValueError:
        raise InvalidTimeError("names a day, hour, minute or second that does not exist") from None
    at_us = (moment - _EPOCH) // _MICROSECOND
    if fraction is not None:
        at_us += int(fraction[:6].ljust(6, "0"))
    if sign is not None:
        offset_us = (int(offset_h) * 60 + int(offset_min)) * MINUTE_US
        at_us += offset_us if sign == "-" else -offset_us
    if leap:
        at_us -= at_us % 1_000_000
        if (at_us + SECOND_US) % DAY_US:
            raise InvalidTimeError("has second 60, which only a leap second at 23:59 UTC can have")
        at_us += 999_999
    if not MIN_US <= at_us <= MAX_US:
        raise InvalidTimeError("lies outside the years 0001 to 9999 in UTC")
    return at_us


def format_us(at_us: int) -> str:
    """RFC 3339 in UTC with six decimals and Z.

    Raises InvalidTimeError outside the years 0001 to 9999.
    """
    try:
        moment = _EPOCH + timedelta(microseconds=int(at_us))
    except OverflowError:
        raise InvalidTimeError(f"{at_us} us lies outside the years 0001 to 9999") from None
    return moment.isoformat(timespec="microseconds") + "Z"
