"""The simulator: a seeded fleet, or the founding case, as contract events in the order in which a gateway received them.

The same plan gives the same bytes. What is simulated is in `ingest.simulation`, one module a concern: designs (pumps as
built), clinic (what is done to them), programs and plant (flow, exact), faults (what goes wrong), sensors (what shows),
uplink (what arrives), labels (what is true).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from ingest.simulation.case import PumpCase, Uplink
from ingest.simulation.faults import KINDS, FaultRequest, FaultRequestError, parse_fault
from ingest.simulation.fleet import FleetPlan, assign_faults, draw_fleet, draw_pump
from ingest.simulation.founding import FoundingPlan, founding_case
from ingest.simulation.labels import Emptying, Label, LabelError, decode_label, encode_label
from ingest.simulation.uplink import Line, play

__all__ = [
    "KINDS",
    "Emptying",
    "FaultRequest",
    "FaultRequestError",
    "FleetPlan",
    "FoundingPlan",
    "Label",
    "LabelError",
    "Line",
    "PumpCase",
    "Uplink",
    "assign_faults",
    "decode_label",
    "draw_fleet",
    "draw_pump",
    "encode_label",
    "events",
    "founding_case",
    "labels",
    "parse_fault",
]


def events(cases: Sequence[PumpCase]) -> Iterator[Line]:
    """All events of all pumps in order of `received`; memory is that of one chunk of rows a pump."""
    return heapq.merge(*(play(case) for case in cases))


def labels(cases: Sequence[PumpCase]) -> list[Label]:
    """Tell the truth about all pumps, by onset."""
    return sorted(
        (label for case in cases for label in case.labels), key=lambda label: (label.onset_us, label.pump)
    )
