"""Recordings of pumps that the simulator does not know, by equations of their own: the contract's JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EPOCH: Final = datetime(2031, 3, 4, tzinfo=UTC)
DAY_S: Final = 86_400.0


def stamp(at_s: float) -> str:
    """Time in seconds after EPOCH as RFC 3339."""
    return (EPOCH + timedelta(microseconds=round(at_s * 1e6))).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def times_s(every_s: float, n: int) -> Floats:
    """Times in s, n of them, evenly apart, the first at 1 s."""
    return np.asarray(1.0 + every_s * np.arange(n), dtype=np.float64)


def noise(rng: np.random.Generator, n: int, memory: float) -> Floats:
    """Noise of unit variance that remembers a share of the reading before: float64[n]."""
    made, fresh = np.empty(n), rng.standard_normal(n)
    made[0] = fresh[0]
    for k in range(1, n):
        made[k] = memory * made[k - 1] + np.sqrt(1.0 - memory * memory) * fresh[k]
    return made


def event(pump: str, type_: str, at_s: float, source: str = "clinic", **fields: Any) -> dict[str, Any]:
    """One event, received two seconds later."""
    head = {"type": type_, "v": 1, "id": f"{type_}-{at_s}", "pump": pump, "source": source}
    return {**head, "at": stamp(at_s), "received": stamp(at_s + 2.0), **fields}


def start(
    pump: str, reservoir_ml: float, rate_ul_h: float, tolerance: float, steps: object = None
) -> list[dict[str, Any]]:
    """Registration with the least that the contract asks for, a fill and a program."""
    limits: dict[str, Any] = {"min_rate_ul_h": rate_ul_h / 50.0, "max_rate_ul_h": rate_ul_h * 20.0}
    sizes: dict[str, Any] = {
        "reservoir_ml": reservoir_ml,
        "low_reservoir_ml": 0.1 * reservoir_ml,
        "dead_volume_ul": 200.0,
    }
    mode = "flex" if steps else "continuous"
    return [
        event(pump, "pump_registered", 0.0, model="Zentra Z2", **sizes, **limits, flow_tolerance=tolerance),
        fill(pump, 0.5, reservoir_ml, None),
        event(pump, "program_set", 1.0, mode=mode, steps=steps or [{"minute": 0, "rate_ul_h": rate_ul_h}]),
    ]


def fill(pump: str, at_s: float, filled_ml: float, removed_ml: float | None) -> dict[str, Any]:
    """A fill with 500 ug/mL."""
    amounts: dict[str, Any] = {"removed_ml": removed_ml, "filled_ml": filled_ml, "concentration_ug_ml": 500.0}
    return event(pump, "reservoir_filled", at_s, drug="baclofen", **amounts)


def uploads(
    pump: str, t_s: Floats, columns: Mapping[str, Floats], rows: int, lost: tuple[float, float] = (0.0, 0.0)
) -> list[dict[str, Any]]:
    """Telemetry in frames of so many rows; what lies between the two times of `lost` never arrives. NaN = null."""
    kept = np.flatnonzero((t_s < lost[0]) | (t_s >= lost[1]))
    frames = []
    for number, first in enumerate(range(0, kept.size, rows)):
        part = kept[first : first + rows]
        at_s = float(t_s[part[0]])
        told = {
            name: [None if np.isnan(one) else float(f"{one:.6g}") for one in column[part]]
            for name, column in columns.items()
        }
        frame = event(pump, "telemetry", at_s, "device", seq=number, t_s=(t_s[part] - at_s).tolist(), **told)
        frames.append({**frame, "id": f"t{number}", "received": stamp(float(t_s[part[-1]]) + 3.0)})
    return frames


def lines(events: list[dict[str, Any]], end_s: float) -> list[bytes]:
    """The recording as JSON lines, the pump taken out at its end."""
    last = event(events[0]["pump"], "pump_explanted", end_s, reason="end of recording")
    return [json.dumps(one).encode() for one in [*events, last]]
