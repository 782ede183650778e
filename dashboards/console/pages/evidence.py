"""An alert's evidence in words, whatever it contains: names are read as words, the last part of a name as its unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboards.console.pages.words import absolute, duration, machine, number, percent, relative

# Longest first where one ends like another.
_UNITS: Final[tuple[tuple[str, str], ...]] = (
    ("_ul_per_kpa", "µL/kPa"),
    ("_kpa_h", "kPa/h"),
    ("_ul_h", "µL/h"),
    ("_ug_ml", "µg/mL"),
    ("_ng_ml", "ng/mL"),
    ("_ug_h", "µg/h"),
    ("_kpa", "kPa"),
    ("_ul", "µL"),
    ("_ml", "mL"),
    ("_ug", "µg"),
    ("_ma", "mA"),
    ("_v", "V"),
    ("_c", "°C"),
    ("_g", "g"),
    ("_mm", "mm"),
    ("_min", "min"),
    ("_h", "h"),
    ("_d", "d"),
    ("_days", "days"),
    ("_s", "s"),
)
_WORDS: Final = {
    "flow_ratio": "Delivered / programmed",
    "onset": "Estimated onset",
    "sd": "Standard deviation",
    "by_stability": "By the drug's stability",
    "level": "Alarm level",
    "waited": "Waited for an upload",
    "highest": "Highest programmed rate",
    "reference_daily": "Daily dose before",
    "lowest_daily": "Lowest daily dose within a year",
    "daily": "Daily dose",
    "at": "At",
}
_PROBABILITIES: Final = frozenset({"probability", "chance", "coverage", "share"})


@dataclass(frozen=True, slots=True)
class Said:
    """One line of evidence: what it is, what it says; `datetime` where it is a time."""

    name: str
    text: str
    datetime: str | None = None


def in_words(evidence: Mapping[str, Any], now_us: int, prefix: str = "") -> list[Said]:
    """Return the evidence line by line; `x`, `x_lo` and `x_hi` become one line with its interval."""
    lines: list[Said] = []
    bounds = {f"{name}{end}" for name in evidence for end in ("_lo", "_hi")}
    for name, value in evidence.items():
        if name in bounds and _is_number(value):
            continue
        if isinstance(value, Mapping):
            lines += in_words(value, now_us, f"{prefix}{_label(name)}: ")
            continue
        if (at_us := _time_of(name, value)) is not None:
            label = _label(name.removesuffix("_us").removesuffix("_at"))
            lines.append(
                Said(prefix + label, f"{absolute(at_us)} ({relative(at_us, now_us)})", machine(at_us))
            )
            continue
        lo, hi = evidence.get(f"{name}_lo"), evidence.get(f"{name}_hi")
        lines.append(Said(prefix + _label(split_unit(name)[0]), _text(name, value, lo, hi)))
    return lines


def split_unit(name: str) -> tuple[str, str]:
    """Return a field's name without its unit, and the unit as it is written: `baseline_kpa` is `baseline`, `kPa`."""
    for ending, unit in _UNITS:
        if name.endswith(ending) and len(name) > len(ending):
            return name.removesuffix(ending), unit
    return name, ""


def _label(name: str) -> str:
    words = _WORDS.get(name) or name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _time_of(name: str, value: Any) -> int | None:
    """Times are `_us` since 1970; before 1990 such a number is a length of time."""
    if name.endswith("_us") and _is_number(value) and value > 631_152_000_000_000:
        return int(value)
    return None


def _text(name: str, value: Any, lo: Any = None, hi: Any = None) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(name, member) for member in value) or "none"
    if not _is_number(value):
        return str(value).replace("_", " ")
    if name.endswith("_us"):
        return duration(round(value))
    if name in _PROBABILITIES:
        return percent(value)
    unit = split_unit(name)[1]
    text = number(value, 4)
    if _is_number(lo) and _is_number(hi):
        text = f"{text} ({number(lo, 4)} to {number(hi, 4)})"
    return f"{text} {unit}".strip()
