"""Seeded days of one pump as events: everything that identity, clocks and order have to sort out, small and quick.

Not the project's simulator: nothing here is meant to be realistic, only to meet every rule of the timeline.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contract.codec import decode_with_digest, json_to_wire
from contract.events import Tick
from contract.facts import Quarantined
from contract.times import DAY_US, HOUR_US, format_us
from processors.timeline import Sighting

START_US = 1_770_000_000_000_000 // DAY_US * DAY_US


def sighting(raw: bytes) -> Sighting:
    """A wire record as the fold takes it."""
    event, digest = decode_with_digest(raw)
    assert not isinstance(event, Quarantined | Tick), event
    return Sighting(event=event, digest=digest, raw=raw)


def wire(fields: dict[str, object]) -> bytes:
    """An event's fields as a wire record."""
    line = json.dumps(fields).encode()
    event, raw = json_to_wire(line)
    assert not isinstance(event, Quarantined), event
    return raw


@dataclass
class PumpDays:
    """Builds events one after the other; `skew_s` is added to the device's clock from then on."""

    rng: np.random.Generator
    pump: str = "p1"
    seq: int = 0
    skew_us: int = 0
    number: int = 0

    def event(
        self, event_type: str, at_us: int, received_us: int | None, source: str = "clinic", **payload: object
    ) -> bytes:
        """One event; the device's carry a `seq`."""
        self.number += 1
        fields: dict[str, object] = {
            "type": event_type,
            "v": 1,
            "id": f"{event_type}-{self.number}",
            "pump": self.pump,
        }
        fields |= {"source": source, "at": format_us(at_us)}
        if source == "device":
            fields["seq"] = self.seq
            self.seq += 1
        if received_us is not None:
            fields["received"] = format_us(received_us)
        return wire(fields | payload)

    def frame(
        self, start_us: int, hours: float, period_s: float, received_us: int | None, *, stands: bool
    ) -> bytes:
        """Telemetry rows from `start_us`, by the device's clock; the counter follows true time, or `stands`."""
        t_s = np.arange(0.0, hours * 3600, period_s)
        elapsed_h = (start_us - START_US) / HOUR_US + t_s / 3600
        counter = np.round(5.0 * elapsed_h, 1) if not stands else np.full(len(t_s), 7.0)
        payload: dict[str, object] = {"t_s": t_s.tolist(), "delivered_ul": counter.tolist()}
        payload["reservoir_ml"] = np.round(
            20 - 0.005 * elapsed_h + self.rng.normal(0, 0.05, len(t_s)), 3
        ).tolist()
        payload["pressure_kpa"] = np.round(1 + self.rng.normal(0, 0.2, len(t_s)), 3).tolist()
        return self.event("telemetry", start_us + self.skew_us, received_us, source="device", **payload)


def pump_days(seed: int, days: int = 4) -> list[bytes]:
    """The log of one pump in order of `received`, with clinic events inside frames, a clock jump, repeats and conflicts."""
    rng = np.random.default_rng(seed)
    make = PumpDays(rng)
    clinic, records = START_US + 6 * HOUR_US, []
    registered = {
        "model": "t", "reservoir_ml": 20, "low_reservoir_ml": 2, "dead_volume_ul": 200, "min_rate_ul_h": 0.2,
        "max_rate_ul_h": 1000, "flow_tolerance": 0.145, "encoder_ul_per_count": 0.1,
    }  # fmt: skip
    records.append(make.event("pump_registered", clinic, clinic + 1, **registered))
    fill = {"removed_ml": None, "filled_ml": 20.0, "concentration_ug_ml": 500.0, "drug": "baclofen"}
    records.append(make.event("reservoir_filled", clinic, clinic + 2, **fill))
    steps = [{"minute": 0, "rate_ul_h": 5.0}]
    records.append(make.event("program_set", clinic, clinic + 3, mode="continuous", steps=steps))
    jump_at = int(rng.integers(2, 4 * days))
    for slot in range(days * 4):
        start = START_US + slot * 6 * HOUR_US
        if slot == jump_at:
            make.skew_us = int(rng.choice([-2, 3])) * HOUR_US
        received = start + 6 * HOUR_US + int(rng.integers(0, 600)) * 1_000_000
        if rng.random() < 0.1:
            continue  # a lost upload
        stands = rng.random() < 0.15
        records.append(make.frame(start, 6, 900, None if rng.random() < 0.03 else received, stands=stands))
        if rng.random() < 0.5:
            records += _clinic_visit(make, rng, start, received)
    return records


def _clinic_visit(make: PumpDays, rng: np.random.Generator, start: int, received: int) -> list[bytes]:
    at = start + int(rng.integers(0, 6 * 60)) * 60_000_000
    came = received + int(rng.integers(1, 7200)) * 1_000_000
    choice = int(rng.integers(0, 8))
    if choice == 0:
        rate = float(rng.choice([0.0, 3.0, 6.0, 60.0]))
        return [
            make.event("program_set", at, came, mode="continuous", steps=[{"minute": 0, "rate_ul_h": rate}])
        ]
    if choice == 1:
        return [
            make.event("suspended", at, came),
            make.event("resumed", at + HOUR_US, came + 60_000_000),
        ]
    if choice == 2:
        return [make.event("bolus", at, came, kind="therapeutic", programmed_ul=10.0, duration_s=1800.0)]
    if choice == 3:
        return [make.event("alert_ack", at, came, cause="motor_stall", actor="n1")]
    if choice == 4:
        return [
            make.event("alert_shelved", at, came, cause="telemetry_silent", until=format_us(at + 9 * HOUR_US))
        ]
    if choice == 5:
        return [make.event("device_alarm", at, came, source="device", code="motor_stall", text="stall")]
    if choice == 6:
        pulses = {"volume_ul": 1.0, "every_s": 7200, "duration_s": 0}
        steps = [{"minute": 30, "rate_ul_h": 4.0}, {"minute": 700, "rate_ul_h": 8.0, "days": [0, 2, 5]}]
        return [
            make.event(
                "program_set", at, came, mode="flex", steps=steps, utc_offset_min=90, periodic_bolus=pulses
            )
        ]
    return [make.event("volume_reported", at, came, ledger="reservoir", value_ul=15000.0, **_moment(at))]


def _moment(at_us: int) -> dict[str, str]:
    return {"from": format_us(at_us), "to": format_us(at_us)}


def sightings(records: Sequence[bytes]) -> list[Sighting]:
    """Wire records as the fold takes them."""
    return [sighting(raw) for raw in records]
