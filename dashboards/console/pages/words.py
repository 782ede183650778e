"""Times, intervals and numbers as people read them: UTC with its zone beside words relative to now."""

from __future__ import annotations

import math
from typing import Final

from contract.times import DAY_US, HOUR_US, MINUTE_US, format_us

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

PRIORITY_WORDS: Final = {"high": "High", "medium": "Medium", "low": "Low", "info": "Info"}
STATE_WORDS: Final = {
    "pending": "Not sure yet",
    "active": "Needs an answer",
    "acknowledged": "Acknowledged",
    "latched": "Over, not answered",
    "shelved": "Put aside",
    "cleared": "Ended",
}


def duration(span_us: int) -> str:
    """Return a length of time in its largest fitting unit: `45 s`, `20 min`, `9 h`, `12 d`, `3 y`."""
    span_us = abs(span_us)
    if span_us < MINUTE_US:
        return f"{span_us // 1_000_000} s"
    if span_us < 100 * MINUTE_US:
        return f"{span_us // MINUTE_US} min"
    if span_us < 48 * HOUR_US:
        return f"{span_us // HOUR_US} h"
    if span_us < 730 * DAY_US:
        return f"{span_us // DAY_US} d"
    return f"{span_us // (365 * DAY_US)} y"


def relative(at_us: int, now_us: int) -> str:
    """Return a time seen from now: `in 3 h`, `2 d ago`, `now`."""
    if abs(at_us - now_us) < MINUTE_US:
        return "now"
    return f"in {duration(at_us - now_us)}" if at_us > now_us else f"{duration(now_us - at_us)} ago"


def interval(lo_us: int | None, hi_us: int | None, now_us: int) -> str:
    """Return when something is expected: `in 3 h to 9 h`, `now, at the latest in 5 h`, `9 h to 3 h ago`; empty for neither."""
    if lo_us is None and hi_us is None:
        return ""
    if lo_us is None:
        assert hi_us is not None
        return (
            f"until {duration(now_us - hi_us)} ago"
            if hi_us < now_us
            else f"within {duration(hi_us - now_us)}"
        )
    if lo_us <= now_us:
        if hi_us is None:
            return f"since {duration(now_us - lo_us)}"
        if hi_us <= now_us:
            lo, hi = duration(now_us - lo_us), duration(now_us - hi_us)
            return f"{lo} ago" if lo == hi else f"{lo} to {hi} ago"
        return f"now, at the latest in {duration(hi_us - now_us)}"
    if hi_us is None:
        return f"in {duration(lo_us - now_us)} or later"
    lo, hi = duration(lo_us - now_us), duration(hi_us - now_us)
    return f"in {lo}" if lo == hi else f"in {lo} to {hi}"


def absolute(at_us: int) -> str:
    """Return a time to the minute with its zone: `31 May 2026 11:45 UTC`."""
    text = format_us(at_us)
    return f"{day(at_us)} {text[11:16]} UTC"


def day(at_us: int) -> str:
    """Return the date of a time in UTC: `31 May 2026`."""
    text = format_us(at_us)
    return f"{int(text[8:10])} {_MONTHS[int(text[5:7]) - 1]} {text[:4]}"


def machine(at_us: int) -> str:
    """Return the attribute `datetime` of a time element."""
    return format_us(at_us)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` significant ones, without an exponent where it can be read; None: `not known`."""
    if value is None or not math.isfinite(value):
        return "not known"
    if value == 0 or abs(value) < 10 ** (-digits - 3):
        return "0"
    if abs(value) >= 10**9:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "\N{MINUS SIGN}").replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent(share: float | None) -> str:
    """Return a share as a percentage: 0.9863 is `98.6 %`, next to 0 and 1 `< 0.1 %` and `> 99.9 %`."""
    if share is None or not math.isfinite(share):
        return "not known"
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{number(100 * share)} %"


def deviation(ratio: float | None) -> str:
    """Return delivered / programmed as a difference: 1.145 is `+14.5 %`."""
    if ratio is None or not math.isfinite(ratio):
        return "not known"
    change = 100 * (ratio - 1)
    sign = "+" if change >= 0.05 else "\N{MINUS SIGN}" if change <= -0.05 else "\N{PLUS-MINUS SIGN}"
    return f"{sign}{abs(change):.1f} %"
