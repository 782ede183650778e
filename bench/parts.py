"""What `python -m bench` runs: the parts, their arguments, and the promises that each of them has to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.report import Line


@dataclass(frozen=True, slots=True)
class Part:
    """One bench module: run with `--json` it prints the fields of its lines."""

    name: str
    module: str
    full: Sequence[str]
    quick: Sequence[str]
    promises: Sequence[Line]
    timeout_s: float = 1200.0

    def not_run(self, why: str) -> list[Line]:
        """Its promises, unmeasured."""
        return [
            Line(line.name, least=line.least, most=line.most, unit=line.unit, why=why)
            for line in self.promises
        ]


PARTS: Final = (
    Part(
        "transport",
        "bench.bench_transport",
        (),
        ("--quick",),
        (
            Line("messages/s, empty agent, beside stock Faust", least=30.0),
            Line("messages/s, empty agent, beside bare aiokafka", least=0.7),
            Line("messages/s, empty agent, beside Quix Streams", least=2.5),
        ),
    ),
    Part(
        "fold",
        "bench.bench_fold",
        (),
        ("--rounds", "1", "--pumps", "20", "--frames", "3"),
        (Line("Kafka -> fold, 240 x 4, commit stubbed", least=0.7),),
    ),
    Part(
        "kernels",
        "bench.bench_kernels",
        (),
        ("--rounds", "3"),
        (
            Line("kernels a row", most=1.3),
            Line("all kernels a row", most=200.0, unit=" ns"),
            Line("state of a pump", most=4.0, unit=" kB"),
        ),
    ),
    Part(
        "commit",
        "bench.bench_commit",
        (),
        ("--rounds", "2"),
        (
            Line("whole commit, 500 frames of 240 samples", least=0.6),
            Line("whole commit, 500 frames of 12 samples", least=5.0),
        ),
    ),
    Part(
        "latency",
        "bench.bench_latency",
        ("--seconds", "600"),
        ("--seconds", "5", "--frames-s", "20", "--workers", "1"),
        (Line("accept -> committed fact", most=1.0, unit=" s"),),
        timeout_s=1800.0,
    ),
)
