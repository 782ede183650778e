"""Healthy pumps for benches: frames of counter, level, pressure and current, the same bytes for the same arguments."""

from __future__ import annotations

import numpy as np

from contract.codec import encode_wire
from contract.events import CHANNELS, Telemetry
from contract.times import HOUR_US
from thecaflow.load.fleet import ENCODER_UL, FILLED_ML, PRESENT, RATE_UL_H


def frame(pump: str, seq: int, began_us: int, at_us: int, samples: int, every_s: float) -> bytes:
    """Frame `seq` of a pump that began at `began_us`: rows from `at_us` on, as they travel on Kafka.

    Numbers are of full precision, as from sensors; equal arguments give equal frames.
    """
    noise = np.random.default_rng([seq, *pump.encode()]).standard_normal((3, samples))
    t_s = np.arange(samples, dtype=np.float64) * np.float64(every_s)
    moved_ul = RATE_UL_H * ((at_us - began_us) / HOUR_US + t_s / 3600.0)
    columns = np.full((len(CHANNELS), samples), np.nan)
    made = (
        np.floor(moved_ul / ENCODER_UL) * ENCODER_UL,
        FILLED_ML - moved_ul / 1000.0 + 0.02 * noise[0],
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
