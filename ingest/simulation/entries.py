"""Single events of a pump's life before they are written: what clinics and devices say beside telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from contract.times import MINUTE_US, format_us

# At equal times the contract folds these first, and in this order; the simulator applies them in the same order.
_RANK: Final[dict[str, int]] = {"pump_registered": 0, "reservoir_filled": 1, "program_set": 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: `kind` is its contract type, `fields` its payload in wire names with times already as text.

    `delay_us` is how much later than `at_us` the gateway receives it.
    """

    at_us: int
    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    source: str = "clinic"
    delay_us: int = MINUTE_US

    def order(self) -> tuple[int, int]:
        """Sort key: time, then the contract's order at one time."""
        return self.at_us, _RANK.get(self.kind, 3)


def note(at_us: int, kind: str, from_us: int, to_us: int, text: str) -> Entry:
    """Make a `note` event that covers from_us to to_us."""
    return Entry(
        at_us, "note", {"kind": kind, "from": format_us(from_us), "to": format_us(to_us), "text": text}
    )


def device_alarm(at_us: int, code: str, text: str) -> Entry:
    """Make a `device_alarm` event, sent by the relay as soon as it hears of it."""
    return Entry(at_us, "device_alarm", {"code": code, "text": text}, source="device")


def bolus(
    at_us: int, kind: str, programmed_ul: float, duration_s: float, *, source: str = "clinic", **fields: Any
) -> Entry:
    """Make a `bolus` event; further payload fields by name."""
    payload = {"kind": kind, "programmed_ul": programmed_ul, "duration_s": duration_s, **fields}
    return Entry(at_us, "bolus", payload, source=source)


def assessment(at_us: int, scale: str, score: float) -> Entry:
    """Make an `assessment` event."""
    return Entry(at_us, "assessment", {"scale": scale, "score": score})
