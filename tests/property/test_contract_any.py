"""Any mixture of valid events: folded without error, the same however it arrives, cut and windowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contract.codec import encode_fact
from contract.facts import Alert, Dose
from contract.times import DAY_US, HOUR_US, format_us
from processors import heads
from processors.analyse import analyse
from processors.believed import believed
from storage.memory import MemoryStore
from tests.partition import facts_of, feed
from tests.property.test_arrival import cut, order, shuffled
from tests.pump_days import START_US, sightings, wire

SPAN_H = 120


def mixture(seed: int) -> list[bytes]:
    """Thirty or so events of every type in five days: times on the hour and at midnight, repeats, both kinds of clocks."""
    rng = np.random.default_rng(seed)
    records: list[bytes] = []
    seq, numbered, skew_us = 0, bool(rng.integers(0, 2)), 0
    for number in range(int(rng.integers(12, 40))):
        kind = KINDS[int(rng.integers(0, len(KINDS)))]
        at_us = START_US + int(rng.integers(0, SPAN_H)) * HOUR_US
        if rng.random() < 0.1:
            at_us = START_US + int(rng.integers(0, 5)) * DAY_US
        if rng.random() < 0.3:
            at_us += int(rng.integers(0, 3600)) * 1_000_000
        source = str(rng.choice(["device", "clinic", "system"]))
        if kind == "telemetry":
            source = str(rng.choice(["device", "device", "system"]))
        fields: dict[str, object] = {"type": kind, "v": 1, "id": f"e{number}", "pump": "p1", "source": source}
        true_us = at_us
        if source == "device":
            if rng.random() < 0.05:
                skew_us = int(rng.choice([-7200, 0, 30, 3600])) * 1_000_000
            at_us += skew_us
            if numbered:
                fields["seq"] = seq
                seq += int(rng.random() < 0.95)
        payload, length_us = told(kind, at_us, rng)
        received_us = true_us + length_us + int(rng.choice([0, 1, 60, 3600, 90_000])) * 1_000_000
        fields["at"] = format_us(at_us)
        if rng.random() > 0.1:
            fields["received"] = format_us(received_us)
        records.append(wire(fields | payload))
    return records


KINDS = (
    "pump_registered", "reservoir_filled", "reservoir_filled", "program_set", "program_set", "program_set", "bolus",
    "bolus", "suspended", "resumed", "resumed", "telemetry", "telemetry", "telemetry", "telemetry", "telemetry",
    "telemetry", "device_alarm", "device_alarm", "volume_reported", "note", "assessment", "alert_ack", "alert_ack",
    "alert_shelved", "pump_explanted",
)  # fmt: skip
CAUSES = (
    "motor_stall",
    "reservoir_low",
    "reservoir_empty",
    "refill_due",
    "telemetry_silent",
    "program_implausible",
)


def told(kind: str, at_us: int, rng: np.random.Generator) -> tuple[dict[str, object], int]:
    """(payload, how long it lasts in us)."""

    def one(*choices: Any) -> Any:
        return choices[int(rng.integers(0, len(choices)))]

    moments: dict[str, object] = {"from": format_us(at_us - HOUR_US), "to": format_us(at_us + 3 * HOUR_US)}
    if kind == "telemetry":
        rows = int(rng.integers(1, 30))
        period_s = float(one(60.0, 900.0, 3600.0))
        t_s = period_s * np.arange(rows)
        elapsed_h = (at_us - START_US) / HOUR_US + t_s / 3600
        counter = np.round(elapsed_h * one(5.0, 60.0, 0.0), 1) % one(100.0, 1e9)
        columns: dict[str, object] = {"t_s": t_s.tolist()}
        if rng.random() < 0.8:
            columns["delivered_ul"] = [None if rng.random() < 0.05 else float(v) for v in counter]
        if rng.random() < 0.4:
            columns["flow_ul_h"] = rng.choice([0.0, 5.0, 60.0], rows).tolist()
        if rng.random() < 0.3:
            columns["reservoir_ml"] = np.round(rng.uniform(0, 2, rows), 2).tolist()
        if rng.random() < 0.3:
            columns["stalled"] = [int(rng.random() < 0.5)] * rows
        return columns, round(t_s[-1] * 1e6)
    steps = [{"minute": 0, "rate_ul_h": one(0.0, 0.1, 5.0, 60.0, 400.0)}]
    flex = [{"minute": 30, "rate_ul_h": 4.0}, {"minute": 700, "rate_ul_h": 80.0, "days": [0, 2, 5]}]
    pulses = {"volume_ul": 2.0, "every_s": one(7200, 5000), "duration_s": one(0, 600)}
    table: dict[str, dict[str, object]] = {
        "pump_registered": {
            "model": "t", "reservoir_ml": one(20, 2), "low_reservoir_ml": one(2, 1), "dead_volume_ul": one(0, 200),
            "min_rate_ul_h": 0.2, "max_rate_ul_h": 1000, "flow_tolerance": 0.145, "encoder_wrap_ul": one(None, 100.0),
            "stability_days": one(180, 10), "upload_every_s": one(None, 7200.0),
        },
        "reservoir_filled": {
            "removed_ml": one(None, 1.0), "filled_ml": one(None, 20.0, 2.0, 0.0),
            "concentration_ug_ml": one(500.0, 2000.0, 0.0), "drug": "b",
        },
        "program_set": one(
            {"mode": "continuous", "steps": steps},
            {"mode": "flex", "steps": flex, "utc_offset_min": one(0, 90, -600), "periodic_bolus": pulses},
            {"mode": "minimum_rate", "steps": []},
            {"mode": "stopped", "steps": []},
        ),
        "bolus": {
            "kind": one("therapeutic", "test", "priming", "bridge"), "programmed_ul": one(0.0, 30.0, 500.0),
            "delivered_ul": one(None, 10.0), "duration_s": one(None, 0, 1800, 100_000),
        },
        "device_alarm": {"code": one("motor_stall", "stall_recovered", "eri", "safe_state", "other"), "text": ""},
        "volume_reported": one(
            {"ledger": "reservoir", "value_ul": one(500.0, 9000.0), "from": format_us(at_us), "to": format_us(at_us)},
            {"ledger": "delivered", "value_ul": 10.0, **moments},
        ),
        "note": {"kind": one("mri_window", "other"), "text": "", **moments},
        "assessment": {"scale": "penn", "score": 2},
        "alert_ack": {"cause": one(*CAUSES)},
        "alert_shelved": {"cause": one(*CAUSES), "until": format_us(at_us + one(-1, 1, 5, 90) * HOUR_US)},
        "pump_explanted": {"reason": "r"},
    }  # fmt: skip
    return {
        name: part
        for name, part in table.get(kind, {}).items()
        if part is not None or kind == "reservoir_filled"
    }, 0


def usable(records: list[bytes]) -> list[bytes]:
    """The records with few explants, which end the story."""
    return [raw for number, raw in enumerate(records) if b"pump_explanted" not in raw or number % 5 == 0]


SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_mixture_is_told_alike_live_and_sorted(seed: int) -> None:
    """Live facts are, byte for byte, those of one fold of the whole set."""
    rng = np.random.default_rng([seed, 1])
    records = usable(mixture(seed))
    store = MemoryStore()
    await feed(
        store, cut(shuffled(records, rng, int(rng.choice([1, 5, 1000]))), rng), reload_each=bool(seed % 2)
    )
    (blob,) = (await store.load(0))[0].values()
    expected = sorted(believed("p1", sightings(records), heads.decode(blob).present_us), key=order)
    assert await facts_of(store) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_any_mixture_cut_anywhere_keeps_what_was_said_before(seed: int) -> None:
    """No fact uses anything later than its own time, on its own track."""
    seen = sightings(usable(mixture(seed)))
    whole = analyse(seen)
    assert whole.horizon_us is not None
    for share in (0.3, 0.5, 0.8):
        middle_us = min(START_US + round(share * SPAN_H) * HOUR_US, whole.horizon_us)
        partial = analyse(seen, until_us=middle_us)
        earlier, said = (
            [encode_fact(f) for f in outcome.facts if f.at_us is not None and f.at_us < middle_us]
            for outcome in (whole, partial)
        )
        assert said == earlier


@pytest.mark.parametrize("seed", SEEDS)
def test_any_mixture_alerts_alike_in_any_window(seed: int) -> None:
    """Windows never change alerts."""
    seen = sightings(usable(mixture(seed)))
    lines = [
        [encode_fact(f) for f in analyse(seen, window_us=window_us).facts if isinstance(f, Alert)]
        for window_us in (DAY_US, HOUR_US, 7 * DAY_US)
    ]
    assert lines[0] == lines[1] == lines[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ledgers_of_any_mixture_add_up(seed: int) -> None:
    """Windows of any length hold the same volumes, and nothing is negative but what a counter takes back."""
    seen = sightings(usable(mixture(seed)))
    sums = []
    for window_us in (DAY_US, HOUR_US):
        doses = [f for f in analyse(seen, window_us=window_us).facts if isinstance(f, Dose)]
        assert all(f.programmed_ul >= -1e-9 and 0.0 <= f.coverage <= 1.0 for f in doses)
        sums.append(
            [sum(getattr(f, name) for f in doses) for name in ("programmed_ul", "bolus_ul", "priming_ul")]
        )
    assert sums[0] == pytest.approx(sums[1], rel=1e-9, abs=1e-6)
