"""Programmed flow against a twin that asks, minute by minute, what the pump was told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contract.times import DAY_US, HOUR_US, MINUTE_US
from ingest.simulation.clock import stream
from ingest.simulation.entries import Entry, bolus
from ingest.simulation.programs import programmed_flow

MONDAY_US = 1_767_571_200_000_000  # 2026-01-05T00:00:00Z
MIN_RATE = 0.25


def naive_rate_ul_h(entries: list[Entry], at_us: int) -> float:
    """Flow right after at_us, straight from the contract's sentences."""
    suspended_us: int | None = None
    program: Entry | None = None
    for entry in entries:
        if entry.at_us > at_us:
            break
        if entry.kind == "program_set":
            program = entry
        elif entry.kind == "suspended" and suspended_us is None:
            suspended_us = entry.at_us
        elif entry.kind == "resumed":
            suspended_us = None
    base = 0.0 if program is None or suspended_us is not None else naive_program_ul_h(program, at_us)
    extra, bridging = 0.0, False
    for entry in entries:
        if entry.kind != "bolus" or entry.at_us > at_us or entry.fields.get("route") == "lumbar":
            continue
        lasting_us = round(entry.fields["duration_s"] * 1e6)
        stated = entry.fields.get("delivered_ul")
        cut = stated is None and any(
            e.kind == "suspended" and entry.at_us <= e.at_us <= at_us for e in entries
        )
        begun_in = stated is None and any(
            s.kind == "suspended"
            and s.at_us <= entry.at_us
            and not any(r.kind == "resumed" and s.at_us <= r.at_us <= entry.at_us for r in entries)
            for s in entries
        )
        if at_us < entry.at_us + lasting_us and not cut and not begun_in:
            extra += (entry.fields["programmed_ul"] if stated is None else stated) * HOUR_US / lasting_us
            bridging = bridging or entry.fields["kind"] == "bridge"
    return extra if bridging else base + extra


def naive_program_ul_h(program: Entry, at_us: int) -> float:
    fields = program.fields
    if fields["mode"] == "stopped":
        return 0.0
    local_us = at_us + fields.get("utc_offset_min", 0) * MINUTE_US
    steps = fields["steps"] or [{"minute": 0, "rate_ul_h": MIN_RATE}]
    rate = None
    for back in range(8):  # the newest step at or before now, going back day by day
        weekday = (local_us // DAY_US - back + 3) % 7
        of_day = local_us % DAY_US if back == 0 else DAY_US
        todays = [
            s for s in steps if weekday in s.get("days", range(7)) and s["minute"] * MINUTE_US <= of_day
        ]
        if todays:
            rate = max(todays, key=lambda s: s["minute"])["rate_ul_h"]
            break
    assert rate is not None
    pulse = fields.get("periodic_bolus")
    if pulse:
        every_us, lasting_us = round(pulse["every_s"] * 1e6), round(pulse["duration_s"] * 1e6)
        since_us = local_us % DAY_US % every_us
        if since_us < lasting_us and at_us - since_us >= program.at_us:
            rate += pulse["volume_ul"] * HOUR_US / lasting_us
    return float(rate)


def random_entries(seed: int) -> list[Entry]:
    """Programs of all modes, pulses, boluses of all kinds and suspensions over ten days, on whole minutes."""
    rng = stream(seed, 0, "test")
    entries: list[Entry] = []
    for _ in range(6):
        at_us = MONDAY_US + int(rng.integers(0, 10 * 1440)) * MINUTE_US
        mode = str(rng.choice(["continuous", "flex", "flex", "minimum_rate", "stopped"]))
        count = {"continuous": 1, "flex": 4}.get(mode, 0)
        steps: list[dict[str, Any]] = [
            {"minute": int(m), "rate_ul_h": float(rng.integers(1, 90))}
            for m in sorted(rng.choice(1440, count, False))
        ]
        if mode == "continuous":
            steps[0]["minute"] = 0
        for step in steps[1:]:
            if rng.random() < 0.5:
                step["days"] = sorted(int(d) for d in rng.choice(7, 3, False))
        fields: dict[str, Any] = {
            "mode": mode,
            "steps": steps,
            "utc_offset_min": int(rng.choice([0, 90, -330])),
        }
        if mode in ("continuous", "flex") and rng.random() < 0.6:
            fields["periodic_bolus"] = {"volume_ul": 5.0, "every_s": 10_800.0, "duration_s": 600.0}
        entries.append(Entry(at_us, "program_set", fields))
    for number in range(3):
        at_us = MONDAY_US + (number * 4 * 1440 + int(rng.integers(0, 1440))) * MINUTE_US
        entries.append(Entry(at_us, "suspended"))
        entries.append(Entry(at_us + int(rng.integers(1, 900)) * MINUTE_US, "resumed"))
    for kind in ("therapeutic", "therapeutic", "bridge", "priming", "therapeutic"):
        at_us = MONDAY_US + int(rng.integers(0, 10 * 1440)) * MINUTE_US
        stated = {"delivered_ul": 3.0} if rng.random() < 0.3 else {}
        entries.append(bolus(at_us, kind, 12.0, float(rng.integers(1, 600)) * 60, **stated))
    entries.append(bolus(MONDAY_US + DAY_US, "test", 1e6, 60.0, route="lumbar"))
    return sorted(entries, key=Entry.order)


@pytest.mark.parametrize("seed", range(12))
def test_flow_is_the_naive_one_at_every_minute(seed: int) -> None:
    """Any mixture of programs, pulses, boluses and suspensions gives the flow that the rules say."""
    entries = random_entries(seed)
    flow = programmed_flow(entries, MONDAY_US, MONDAY_US + 10 * DAY_US, MIN_RATE)
    asked = MONDAY_US + np.arange(0, 10 * 1440, 7, dtype=np.int64) * MINUTE_US
    expected = [naive_rate_ul_h(entries, int(at_us)) for at_us in asked]
    np.testing.assert_allclose(flow.at(asked), expected, rtol=1e-12)


def test_volume_of_a_pulsed_day_is_exact() -> None:
    """Two uL/h and eight pulses of 5 uL are 88 uL a day, wherever the local midnight is."""
    pulse = {"volume_ul": 5.0, "every_s": 10_800.0, "duration_s": 600.0}
    fields = {
        "mode": "continuous",
        "steps": [{"minute": 0, "rate_ul_h": 2.0}],
        "utc_offset_min": -300,
        "periodic_bolus": pulse,
    }
    flow = programmed_flow(
        [Entry(MONDAY_US, "program_set", fields)], MONDAY_US, MONDAY_US + 9 * DAY_US, MIN_RATE
    )
    volumes = np.interp(MONDAY_US + np.arange(1, 9) * DAY_US, flow.edges_us, flow.volumes_ul())
    np.testing.assert_allclose(np.diff(volumes), 88.0)


def test_nothing_flows_before_the_first_program() -> None:
    """A pump without a program is told nothing."""
    flow = programmed_flow([], MONDAY_US, MONDAY_US + DAY_US, MIN_RATE)
    assert flow.volumes_ul()[-1] == 0.0
