"""The machine and the programs that a run was made on, and how busy it was meanwhile."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
from pathlib import Path
from typing import Final

import msgspec

_STAT: Final = Path("/proc/stat")
_CPUINFO: Final = Path("/proc/cpuinfo")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where the sender ran. What cannot be told is empty."""

    system: str
    processor: str
    cores: int
    memory_gib: float | None


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """What ran."""

    thecaflow: str
    python: str
    postgres: str
    timescaledb: str


def this_machine() -> Machine:
    """Describe the machine that this process runs on."""
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=_processor(),
        cores=os.cpu_count() or 0,
        memory_gib=_memory_gib(),
    )


def versions(postgres: str, timescaledb: str) -> Versions:
    """Return our own versions beside those of the database."""
    return Versions(
        thecaflow=importlib.metadata.version("thecaflow"),
        python=platform.python_version(),
        postgres=postgres,
        timescaledb=timescaledb,
    )


class Busy:
    """Shares of processor time between two readings. Where there is no /proc/stat the machine's share is not known."""

    def __init__(self) -> None:
        self._machine = _machine_ticks()
        self._own_s = _own_cpu_s()

    def since(self, seconds: float) -> tuple[float | None, float]:
        """Return the busy share of all cores (0-1) and how many cores this process used, over the last `seconds`."""
        machine, own_s = _machine_ticks(), _own_cpu_s()
        share = None
        if machine is not None and self._machine is not None and machine[1] > self._machine[1]:
            share = (machine[0] - self._machine[0]) / (machine[1] - self._machine[1])
        cores = (own_s - self._own_s) / seconds if seconds > 0 else 0.0
        self._machine, self._own_s = machine, own_s
        return share, cores


def _machine_ticks() -> tuple[int, int] | None:
    """Return busy and all ticks of all processors since the machine's start."""
    try:
        first = _STAT.read_text().partition("\n")[0]
    except OSError:
        return None
    # user nice system idle iowait irq softirq steal; guests are in user already. What was stolen nobody here was busy with.
    user, nice, system, idle, waiting, irq, soft, steal = map(int, first.split()[1:9])
    busy = user + nice + system + irq + soft
    return busy, busy + idle + waiting + steal


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _processor() -> str:
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


def _memory_gib() -> float | None:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
    return round(pages / 2**30, 1)
