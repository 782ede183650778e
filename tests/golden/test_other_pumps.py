"""Pumps that the simulator does not know: healthy ones are left alone, and a fault that stands out by itself is named."""

from __future__ import annotations

import numpy as np
import pytest

from contract.facts import Alert, AlertState, Priority
from contract.times import parse_rfc3339
from processors.analyse import analyse
from tests.other_pumps import DAY_S, event, fill, lines, noise, stamp, start, times_s, uploads
from thecaflow.evaluation.fold_pump import sightings


def raised(recording: list[bytes]) -> list[Alert]:
    """High and medium alerts as they became active."""
    seen, refused = sightings(recording)
    assert refused == 0
    return [
        fact
        for fact in analyse(seen).facts
        if isinstance(fact, Alert)
        and fact.state is AlertState.ACTIVE
        and fact.priority in {Priority.HIGH, Priority.MEDIUM}
    ]


def gas_pump(seed: int) -> list[bytes]:
    """Driven by gas: no motor; pressure at its inlet falls with the volume; flow follows the body's warmth. Rows are lost, twice for days."""
    rng, every_s, rate = np.random.default_rng(seed), 900.0, 37.0
    t_s = times_s(every_s, 60 * 96)
    warmth = 0.35 * np.sin(2 * np.pi * t_s / DAY_S) + 2.0 * np.exp(-0.5 * ((t_s / DAY_S - 30.0) / 1.0) ** 2)
    flow = rate * (1.0 + 0.015 * warmth)
    left = 28.0 - np.cumsum(flow) * every_s / 3.6e6 % 22.0
    columns = {
        "flow_ul_h": flow * (1.0 + 0.04 * noise(rng, t_s.size, 0.8)),
        "reservoir_ml": left + 0.3 * noise(rng, t_s.size, 0.95),
        "inlet_kpa": 38.0 * (0.9 + 0.1 * left / 28.0) + 0.2 * warmth + 0.1 * rng.standard_normal(t_s.size),
        "pressure_kpa": 4.0 + 1.5 * (t_s % DAY_S / DAY_S > 0.3) + 0.2 * rng.standard_normal(t_s.size),
    }
    fills = [
        fill("gas", float(t_s[k]) + 1.0, 28.0, float(left[k])) for k in np.flatnonzero(np.diff(left) > 10.0)
    ]
    lost = [uploads("gas", t_s, columns, 48, (20.0 * DAY_S, 21.5 * DAY_S))]
    return lines([*start("gas", 28.0, rate, 0.15), *fills, *lost[0]], float(t_s[-1]) + 60.0)


def piston_pump(seed: int) -> list[bytes]:
    """Strokes that fill every second or third row, beside noise around zero, and a declared scan that stops it for an hour."""
    rng, every_s, rate = np.random.default_rng(seed), 60.0, 22.0
    t_s = times_s(every_s, 12 * 1440)
    scan = (6.9 * DAY_S, 6.9 * DAY_S + 4500.0)
    turned = np.cumsum(np.where((t_s >= scan[0]) & (t_s < scan[1]), 0.0, rate * every_s / 3600.0))
    stroke = 2.3 * rate * every_s / 3600.0
    strokes = np.floor(turned / stroke)
    columns = {
        "delivered_ul": 0.2 * np.floor(turned / 0.2),
        "flow_ul_h": np.diff(strokes, prepend=0.0) * stroke / every_s * 3600.0
        + 0.4 * rng.standard_normal(t_s.size),
        "motor_ma": 55.0 * (1.0 + 0.04 * noise(rng, t_s.size, 0.9)),
    }
    window = {"from": stamp(scan[0]), "to": stamp(scan[1])}
    note = event("piston", "note", scan[0], kind="mri_window", text="scan", **window)
    return lines(
        [*start("piston", 28.0, rate, 0.13), note, *uploads("piston", t_s, columns, 60)],
        float(t_s[-1]) + 60.0,
    )


def ward_pump(seed: int) -> list[bytes]:
    """Flex steps read at once by its flow meter, current by flow, and an inlet that hangs a little lower each day of the bag."""
    rng, every_s = np.random.default_rng(seed), 900.0
    t_s = times_s(every_s, 40 * 96)
    steps = [(0, 40.0), (240, 16.0), (903, 22.0), (1110, 40.0), (1337, 16.5)]
    minute = t_s / 60.0 % 1440.0
    rate = np.full(t_s.size, 16.5)
    for begins, ul_h in steps:
        rate = np.where(minute >= begins, ul_h, rate)
    pumped_ml = np.cumsum(rate) * every_s / 3.6e6
    columns = {
        "delivered_ul": 1000.0 * pumped_ml,
        "flow_ul_h": rate * (1.0 + 0.02 * rng.standard_normal(t_s.size)),
        "inlet_kpa": -3.0 - 2.0 * (pumped_ml % 10.0) / 10.0 + 0.3 * noise(rng, t_s.size, 0.6),
        "motor_ma": (1.5 + 1.7 * np.sqrt(rate)) * (1.0 + 0.01 * rng.standard_normal(t_s.size)),
        "vibration_g": 0.004 * np.sqrt(rate / 25.0) * np.exp(0.2 * rng.standard_normal(t_s.size)),
    }
    refills = [
        fill("ward", float(t_s[k]) + 1.0, 13.0, 3.0) for k in np.flatnonzero(np.diff(pumped_ml % 10.0) < 0.0)
    ]
    flex = [{"minute": begins, "rate_ul_h": ul_h} for begins, ul_h in steps]
    return lines(
        [*start("ward", 13.0, 26.0, 0.12, flex), *refills, *uploads("ward", t_s, columns, 24)],
        float(t_s[-1]) + 60.0,
    )


HEALTHY = {"gas": gas_pump, "piston": piston_pump, "ward": ward_pump}


@pytest.mark.parametrize("kind", HEALTHY)
def test_a_healthy_pump_of_another_kind_is_left_alone(kind: str) -> None:
    """Gas pressure that falls with the volume, strokes, lost rows, a scan and flex steps raise nothing high or medium."""
    told = [
        (one.cause.value, one.at_us) for one in raised(HEALTHY[kind](3)) if one.cause != "telemetry_silent"
    ]
    assert told == []


def bench_pump(onset_s: float, end_s: float) -> list[bytes]:
    """Two litres a minute, a row each second: the motor stops at `onset_s`."""
    rng, rate = np.random.default_rng(9), 1.2e8
    t_s = times_s(1.0, round(end_s))
    turns = np.where(t_s >= onset_s, 0.0, 1.0)
    columns = {
        "delivered_ul": np.cumsum(rate * turns) / 3600.0,
        "flow_ul_h": rate * turns * (1.0 + 0.02 * rng.standard_normal(t_s.size)),
        "inlet_kpa": -4.0 * turns + 0.2 * rng.standard_normal(t_s.size),
        "motor_ma": 4000.0 * (0.1 + 0.9 * turns) * (1.0 + 0.02 * rng.standard_normal(t_s.size)),
    }
    return lines([*start("bench", 1e6, rate, 0.05), *uploads("bench", t_s, columns, 60)], end_s + 30.0)


def test_a_stall_at_litres_a_minute_is_named_within_seconds() -> None:
    """Rows of a second, a healthy hour: the stop is a stall, and nothing else."""
    told = raised(bench_pump(3600.0, 5400.0))
    assert {one.cause.value for one in told} == {"motor_stall"}
    onset_us = parse_rfc3339(stamp(3600.0))
    assert onset_us < told[0].at_us <= onset_us + 20_000_000


def process_line(fault: str, onset_s: float, end_s: float) -> list[bytes]:
    """A line whose pressure is all resistance, a row each second: shut, so that its drive is stopped by it, or off its fitting."""
    rng, rate = np.random.default_rng(4), 6.0e5
    t_s = times_s(1.0, round(end_s))
    off = t_s >= onset_s
    turns = np.where(off & (fault == "shut"), 0.0, 1.0)
    behind_kpa = {"shut": 190.0, "off": 0.1}[fault]
    columns = {
        "delivered_ul": np.cumsum(rate * turns) / 3600.0,
        "pressure_kpa": np.where(off, behind_kpa, 14.0) + 0.1 * rng.standard_normal(t_s.size),
    }
    return lines([*start("line", 5e4, rate, 0.05), *uploads("line", t_s, columns, 60)], end_s + 30.0)


@pytest.mark.parametrize(("fault", "cause"), [("shut", "occlusion"), ("off", "leak")])
def test_what_happens_to_a_line_within_its_first_hours_is_named(fault: str, cause: str) -> None:
    """Two healthy hours are enough where the pressure leaves by a hundred times its noise; a standing motor is no other news."""
    onset_s = 7200.0
    told = raised(process_line(fault, onset_s, 10_800.0))
    named = [one.at_us for one in told if one.cause == cause]
    assert named
    assert named[0] <= parse_rfc3339(stamp(onset_s + 1200.0))
    assert {one.cause.value for one in told} <= {cause, "motor_stall", "withdrawal_risk"}
