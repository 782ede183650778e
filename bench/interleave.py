"""Measuring several ways of doing one thing in turns, so that whatever else the machine does befalls all of them alike."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable, Mapping


def medians(
    ways: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.thread_time
) -> dict[str, float]:
    """Median seconds of each way over `rounds` rounds; every other round runs them backwards.

    The clock is this thread's CPU time unless another is given: a neighbour on the core then costs caches, not time.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        order = list(ways.items())
        for name, way in order if turn % 2 == 0 else reversed(order):
            began = clock()
            way()
            taken[name].append(clock() - began)
    return {name: statistics.median(times) for name, times in taken.items()}


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
