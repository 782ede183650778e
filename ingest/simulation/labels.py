"""The truth about a simulated fleet, for those who grade detectors: one line a fault, a nuisance or a healthy pump."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from contract.errors import InvalidTimeError, UnusableInputError
from contract.times import HOUR_US, format_us, parse_rfc3339

WITHDRAWAL_HOURS: Final = (
    8.0,
    72.0,
)  # domain.md, Drug: signs 8 h after a stall; severe untreated course 24-72 h
HALF_LIFE_HOURS: Final = (0.9, 6.0)  # domain.md, Drug: population range in spinal fluid
WITHDRAWAL_LEVEL: Final = (
    0.25  # [P] share of the usual lowest level below which it is too low; processors.risk has its own
)
OVERDOSE_LEVEL: Final = 2.5  # [P] multiple of the steady level taken as harmful


class LabelError(UnusableInputError):
    """A line that is no label; write it as `thecaflow simulate --labels` does."""


@dataclass(frozen=True, slots=True)
class Emptying:
    """When the reservoir truly runs dry if the program of from_us..to_us goes on: what a forecast made then should say."""

    from_us: int
    to_us: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Label:
    """What was made to happen to a pump.

    `cause`: the contract's cause that should be raised; None for a nuisance and for a healthy pump, which should raise
    nothing above low. `also`: causes that follow from the same fault and are right beside it. `harm_us`: earliest and
    latest harm, None where none is defined. `end_us` None: lasts to the end of the recording. `observable` False: no
    channel that this pump reports can show it, so nothing is expected. `empties`: the truth about forecasts.
    """

    pump: str
    kind: str
    cause: str | None
    onset_us: int
    end_us: int | None = None
    harm_us: tuple[int, int] | None = None
    also: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    observable: bool = True
    empties: tuple[Emptying, ...] = ()


def encode_label(label: Label) -> bytes:
    """One line of a labels file, without its newline."""
    harm = (
        None if label.harm_us is None else dict(zip(("lo", "hi"), map(format_us, label.harm_us), strict=True))
    )
    return msgspec.json.encode(
        {
            "pump": label.pump,
            "kind": label.kind,
            "cause": label.cause,
            "also": label.also,
            "onset": format_us(label.onset_us),
            "end": None if label.end_us is None else format_us(label.end_us),
            "harm_at": harm,
            "parameters": dict(label.parameters),
            "observable": label.observable,
            "empties": [
                {"from": format_us(one.from_us), "to": format_us(one.to_us), "at": format_us(one.at_us)}
                for one in label.empties
            ],
        }
    )


class _Harm(msgspec.Struct):
    lo: str
    hi: str


class _Emptying(msgspec.Struct, rename={"from_": "from"}):
    from_: str
    to: str
    at: str


class _Line(msgspec.Struct):
    pump: str
    kind: str
    cause: str | None
    onset: str
    end: str | None = None
    harm_at: _Harm | None = None
    also: tuple[str, ...] = ()
    parameters: dict[str, Any] = {}
    observable: bool = True
    empties: tuple[_Emptying, ...] = ()


_line: Final = msgspec.json.Decoder(_Line)


def decode_label(line: bytes) -> Label:
    """Read one line of a labels file; LabelError says what is wrong with it."""
    try:
        told = _line.decode(line)
        return Label(
            told.pump,
            told.kind,
            told.cause,
            parse_rfc3339(told.onset),
            None if told.end is None else parse_rfc3339(told.end),
            None
            if told.harm_at is None
            else (parse_rfc3339(told.harm_at.lo), parse_rfc3339(told.harm_at.hi)),
            told.also,
            told.parameters,
            told.observable,
            tuple(Emptying(*map(parse_rfc3339, (one.from_, one.to, one.at))) for one in told.empties),
        )
    except (msgspec.MsgspecError, UnicodeError, InvalidTimeError) as wrong:
        raise LabelError(f"no label: {wrong}") from None


def withdrawal_us(dry_us: int | None) -> tuple[int, int] | None:
    """When withdrawal is expected after no more drug leaves the catheter's tip."""
    if dry_us is None:
        return None
    return dry_us + round(WITHDRAWAL_HOURS[0] * HOUR_US), dry_us + round(WITHDRAWAL_HOURS[1] * HOUR_US)


def overdose_us(onset_us: int, dose_ratio: float) -> tuple[int, int] | None:
    """When the level in the spinal fluid passes OVERDOSE_LEVEL times the steady one after the dose rose dose_ratio-fold.

    One compartment from steady state: level / steady = 1 + (ratio - 1)(1 - 2^(-t / half-life)). None if it never does.
    """
    if dose_ratio <= OVERDOSE_LEVEL:
        return None
    halvings = -math.log2(1.0 - (OVERDOSE_LEVEL - 1.0) / (dose_ratio - 1.0))
    low, high = (onset_us + round(halvings * half_life * HOUR_US) for half_life in HALF_LIFE_HOURS)
    return low, high
