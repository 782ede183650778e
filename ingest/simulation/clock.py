"""Simulated time in microseconds, and the independent random streams of a run."""

from __future__ import annotations

import zlib

import numpy as np

from contract.times import DAY_US, MINUTE_US


def stream(seed: int, pump_index: int, purpose: str) -> np.random.Generator:
    """Random numbers of one purpose of one pump; adding a purpose or a pump never moves the numbers of another."""
    entropy = (seed, pump_index, zlib.crc32(purpose.encode()))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def days(count: float) -> int:
    """Microseconds in `count` days."""
    return round(count * DAY_US)


def minutes(count: float) -> int:
    """Microseconds in `count` minutes."""
    return round(count * MINUTE_US)
