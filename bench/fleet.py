"""Healthy pumps for benches: what a clinic says of each at the start, and telemetry frames of a counter, level, pressure and current."""

from __future__ import annotations

from typing import Any

import numpy as np

from contract.codec import encode_wire
from contract.events import (
    CHANNELS,
    Event,
    ProgramSet,
    ProgramStep,
    PumpRegistered,
    ReservoirFilled,
    Telemetry,
)

PRESENT = ("delivered_ul", "reservoir_ml", "pressure_kpa", "motor_ma")
RATE_UL_H = 100 / 24
HOUR_US = 3_600_000_000


def introduction(pump: str, at_us: int) -> list[bytes]:
    """Registration, fill and program of one pump, as they travel on Kafka."""
    said: Any = {"v": 1, "pump": pump, "source": "clinic", "at_us": at_us}
    events: list[Event] = [
        PumpRegistered(
            id=f"{pump}-registered",
            model="bench",
            reservoir_ml=20.0,
            low_reservoir_ml=2.0,
            dead_volume_ul=350.0,
            min_rate_ul_h=0.25,
            max_rate_ul_h=1000.0,
            flow_tolerance=0.145,
            encoder_ul_per_count=0.05,
            **said,
        ),
        ReservoirFilled(
            id=f"{pump}-filled",
            removed_ml=None,
            filled_ml=20.0,
            concentration_ug_ml=500.0,
            drug="baclofen",
            **said,
        ),
        ProgramSet(
            id=f"{pump}-program",
            mode="continuous",
            steps=(ProgramStep(minute=0, rate_ul_h=RATE_UL_H),),
            **said,
        ),
    ]
    return [encode_wire(event) for event in events]


def frame(pump: str, seq: int, began_us: int, at_us: int, samples: int, every_s: float) -> bytes:
    """Frame `seq` of a pump that began at `began_us`: rows from `at_us` on, as they travel on Kafka.

    Numbers are of full precision, as from sensors; equal arguments give equal frames.
    """
    noise = np.random.default_rng([seq, *pump.encode()]).standard_normal((3, samples))
    t_s = np.arange(samples, dtype=np.float64) * np.float64(every_s)
    moved_ul = RATE_UL_H * ((at_us - began_us) / HOUR_US + t_s / 3600.0)
    columns = np.full((len(CHANNELS), samples), np.nan)
    made = (
        np.floor(moved_ul / 0.05) * 0.05,
        20.0 - moved_ul / 1000.0 + 0.02 * noise[0],
        1.5 + 0.2 * noise[1],
        30.0 + noise[2],
    )
    for name, column in zip(PRESENT, made, strict=True):
        columns[CHANNELS.index(name)] = column
    return encode_wire(
        Telemetry(
            id=f"{pump}-{seq}",
            v=1,
            pump=pump,
            source="device",
            seq=seq,
            at_us=at_us,
            t_s=t_s,
            columns=columns,
            present=frozenset(PRESENT),
        )
    )
