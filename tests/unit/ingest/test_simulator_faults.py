"""Each fault is physical: what the sensors show follows from it, and what it does not touch stays as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contract.times import DAY_US, HOUR_US, MINUTE_US, parse_rfc3339
from ingest import simulator
from ingest.simulation.effects import Narrowing
from ingest.simulation.labels import overdose_us
from ingest.simulation.plant import Fill, run_plant
from ingest.simulation.programs import Floats, StepFlow, Times
from ingest.simulation.sensors import SensorBank

START_US = parse_rfc3339("2026-01-01T00:00:00Z")
CHANNELS = (
    "delivered_ul",
    "flow_ul_h",
    "reservoir_ml",
    "pressure_kpa",
    "inlet_kpa",
    "motor_ma",
    "vibration_g",
    "battery_v",
    "stalled",
)
ONSET_DAY = 6


def struck(
    fault: str | None, seed: int = 1, days: int = 20
) -> tuple[simulator.PumpCase, Times, dict[str, Floats]]:
    """One implant with the fault from day 6 on (None: healthy) and its columns every 10 minutes."""
    plan = simulator.FleetPlan(
        seed=seed,
        pumps=1,
        start_us=START_US,
        end_us=START_US + days * DAY_US,
        uplink=simulator.Uplink(10 * MINUTE_US, 4 * HOUR_US),
        makers=("implant",),
        faults=() if fault is None else (simulator.parse_fault(fault),),
        healthy_share=1.0,
        channels=CHANNELS,
    )
    case = simulator.draw_fleet(plan)[0]
    rows = START_US + np.arange(1, days * 144, dtype=np.int64) * 10 * MINUTE_US
    span = np.array([START_US, START_US + days * DAY_US], np.int64)
    return case, rows, SensorBank(case.design, case.plant, case.effects, seed, 0, span).read(rows)


def between(rows: Times, column: Floats, first_day: float, last_day: float) -> Floats:
    inside = (rows > START_US + first_day * DAY_US) & (rows <= START_US + last_day * DAY_US)
    return column[inside]


def label_of(case: simulator.PumpCase, kind: str) -> simulator.Label:
    return next(label for label in case.labels if label.kind == kind)


def counted_ul(case: simulator.PumpCase, first_day: float, last_day: float) -> float:
    ends = START_US + np.array([first_day, last_day]) * DAY_US
    return float(np.diff(case.plant.motor_at(ends.astype(np.int64)))[0])


def sudden_occlusion() -> tuple[simulator.PumpCase, Times, dict[str, Floats]]:
    for seed in range(1, 20):
        case, rows, columns = struck(f"occlusion@{ONSET_DAY}", seed)
        if label_of(case, "occlusion").parameters["ramp_h"] == 0:
            return case, rows, columns
    raise AssertionError("no sudden occlusion in 19 seeds")


def test_a_sudden_occlusion_raises_pressure_by_flow_over_compliance() -> None:
    """The slope of the first hours is true flow / compliance, and the counter goes on."""
    case, rows, columns = sudden_occlusion()
    design = case.design
    first_h = min(0.4 * design.slip_kpa * design.compliance_ul_per_kpa / design.rate_ul_h, 24.0)
    rise = between(rows, columns["pressure_kpa"], ONSET_DAY, ONSET_DAY + first_h / 24)
    pumped = case.plant.pumped_at(
        np.array([START_US + ONSET_DAY * DAY_US, START_US + ONSET_DAY * DAY_US + int(first_h * HOUR_US)])
    )
    assert rise[-1] - rise[0] == pytest.approx(np.diff(pumped)[0] / design.compliance_ul_per_kpa, rel=0.15)
    assert counted_ul(case, 7, 8) == pytest.approx(counted_ul(case, 4, 5), rel=0.2)
    assert columns["pressure_kpa"].max() < design.slip_kpa + 2.0


def test_a_blocked_pump_no_longer_feels_posture() -> None:
    """Before the block the pressure steps with posture; behind it, it is smooth around its rise."""
    _, rows, columns = sudden_occlusion()
    before = np.diff(between(rows, columns["pressure_kpa"], 2, ONSET_DAY))
    after = np.diff(between(rows, columns["pressure_kpa"], ONSET_DAY + 0.1, ONSET_DAY + 0.6))
    assert np.std(after) < 0.4 * np.std(before)


def test_an_opened_occlusion_comes_back_to_the_body_pressure() -> None:
    """When the catheter opens, the stored pressure is gone within a row."""
    case, rows, columns = struck(f"occlusion@{ONSET_DAY}+3")
    assert label_of(case, "occlusion").end_us == START_US + (ONSET_DAY + 3) * DAY_US
    assert between(rows, columns["pressure_kpa"], ONSET_DAY + 2.5, ONSET_DAY + 3).max() > 10
    later = between(rows, columns["pressure_kpa"], ONSET_DAY + 3.02, ONSET_DAY + 8)
    healthy = between(rows, columns["pressure_kpa"], 1, ONSET_DAY)
    assert later.mean() == pytest.approx(healthy.mean(), abs=0.6)


def test_a_partial_occlusion_settles_higher_and_keeps_the_flow() -> None:
    """Pressure ends at flow x resistance above the body's, delivered volume is what it was."""
    case, rows, columns = struck(f"occlusion_partial@{ONSET_DAY}")
    drop = label_of(case, "occlusion_partial").parameters["drop_kpa"]
    rise = np.median(between(rows, columns["pressure_kpa"], 17, 20)) - np.median(
        between(rows, columns["pressure_kpa"], 1, 6)
    )
    assert rise == pytest.approx(drop, rel=0.45)


def test_a_stalled_pump_stands_still_everywhere() -> None:
    """Counter, level and measured flow stop together; the label's harm comes 8 to 72 h later."""
    case, rows, columns = struck(f"stall@{ONSET_DAY}")
    counter = between(rows, columns["delivered_ul"], ONSET_DAY + 0.01, ONSET_DAY + 4)
    level = between(rows, columns["reservoir_ml"], ONSET_DAY + 0.01, ONSET_DAY + 4)
    assert np.ptp(counter) == 0.0
    assert np.ptp(level) < 0.5
    assert (
        between(rows, columns["flow_ul_h"], ONSET_DAY + 0.01, ONSET_DAY + 4).max()
        < 0.05 * case.design.rate_ul_h
    )
    assert between(rows, columns["stalled"], ONSET_DAY + 0.01, 20).min() == 1.0
    onset_us = START_US + ONSET_DAY * DAY_US
    assert label_of(case, "stall").harm_us == (onset_us + 8 * HOUR_US, onset_us + 72 * HOUR_US)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("fault", ["early_empty@6", "dry_before_alarm"])
def test_a_silently_emptying_pump_is_dry_before_its_alarm(fault: str, seed: int) -> None:
    """The true reservoir ends before the device's own low-reservoir alarm, while the counter knows nothing."""
    case, _, _ = struck(fault, seed, days=40)
    alarms = [e.at_us for e in case.entries if e.fields.get("code") == "low_reservoir"]
    label = label_of(case, fault.partition("@")[0])
    assert label.cause == "dry_before_alarm"
    assert label.harm_us is not None
    dry_us = label.harm_us[0] - 8 * HOUR_US
    assert label.harm_us[1] == dry_us + 72 * HOUR_US
    assert dry_us == (case.plant.dry_us[0] if case.plant.dry_us else dry_us)
    assert case.plant.dry_us or dry_us > case.end_us
    assert not alarms or dry_us < alarms[0]
    assert case.design.drive_ratio == pytest.approx(1.0, abs=0.006)


def test_a_dry_pump_counts_on_and_delivers_nothing() -> None:
    """After dryness the encoder still counts, measured flow is zero, the inlet sucks."""
    case, rows, columns = struck("early_empty@6", days=40)
    dry_day = (case.plant.dry_us[0] - START_US) / DAY_US
    assert dry_day < 39.5
    assert counted_ul(case, dry_day, 40) > 10.0
    assert between(rows, columns["flow_ul_h"], dry_day + 0.05, 40).max() < 0.05 * case.design.rate_ul_h
    assert np.median(between(rows, columns["inlet_kpa"], dry_day + 0.05, 40)) < -10.0


@pytest.mark.parametrize("kind", ["over_delivery", "under_delivery", "starvation", "air"])
def test_a_changed_stroke_shows_in_flow_and_level_not_in_the_counter(kind: str) -> None:
    """True volume / counted volume becomes what the label says."""
    case, _, _ = struck(f"{kind}@{ONSET_DAY}+2")
    onset_us = START_US + ONSET_DAY * DAY_US
    ends = np.array([onset_us + HOUR_US, onset_us + 7 * HOUR_US], np.int64)
    ratio = np.diff(case.plant.pumped_at(ends))[0] / np.diff(case.plant.motor_at(ends))[0]
    said = label_of(case, kind).parameters
    own = case.design.stroke_ratio
    expected = said.get("stroke_ratio") or own * (said.get("filled_share") or said.get("delivered_share"))
    assert ratio == pytest.approx(expected, rel=1e-3)
    assert label_of(case, kind).end_us == onset_us + 2 * DAY_US


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_missed_refill_is_labelled_when_the_level_is_low(seed: int) -> None:
    """The onset is where the true volume is as near the alarm level as a syringe is read (2 %), harm follows dryness."""
    case, _rows, _ = struck("missed_refill", seed)
    label = label_of(case, "missed_refill")
    low_ml = case.plant.reservoir_at(np.array([label.onset_us], np.int64))[0] / 1000
    nearly_ml = case.design.low_reservoir_ml + 0.02 * case.design.reservoir_ml
    assert low_ml == pytest.approx(nearly_ml, abs=0.01)
    assert label.harm_us is not None
    assert label.harm_us[0] > label.onset_us + 8 * HOUR_US
    assert label.cause == "reservoir_low"


def test_stated_volumes_are_what_the_counter_counted() -> None:
    """A device that states its weekly volume agrees with its own encoder, unless it is made to disagree."""
    stated = 0
    for seed in range(12):
        case, _, _ = struck(None, seed)
        for entry in case.entries:
            if entry.kind == "volume_reported":
                ends = np.array([parse_rfc3339(entry.fields[end]) for end in ("from", "to")], np.int64)
                assert entry.fields["value_ul"] == pytest.approx(
                    np.diff(case.plant.motor_at(ends))[0], abs=0.01
                )
                stated += 1
    assert stated >= 2


def test_a_leak_loses_the_body_pressure_and_nothing_else() -> None:
    """Pressure falls to the pocket's, no longer steps and hardly breathes; counter and level go on."""
    case, rows, columns = struck(f"leak@{ONSET_DAY}")
    before = between(rows, columns["pressure_kpa"], 1, ONSET_DAY)
    after = between(rows, columns["pressure_kpa"], ONSET_DAY, 20)
    assert after.mean() < 0.4 * before.mean()
    assert after.std() < 0.4 * before.std()
    # A quarter of the changes from row to row is free of posture, by night at the least.
    assert np.quantile(abs(np.diff(after)), 0.25) < 0.6 * np.quantile(abs(np.diff(before)), 0.25)
    assert counted_ul(case, 7, 8) > 0.5 * counted_ul(case, 4, 5)


def test_an_implausible_program_is_far_more_and_is_taken_back() -> None:
    """The slip is at least fourfold, and the program after it is the one before it."""
    case, _, _ = struck(f"program_implausible@{ONSET_DAY}")
    label = label_of(case, "program_implausible")
    programs = [e for e in case.entries if e.kind == "program_set"]
    at = [p.at_us for p in programs].index(label.onset_us)
    assert label.parameters["dose_ratio"] >= 4
    assert programs[at + 1].at_us == label.end_us
    assert programs[at + 1].fields == programs[at - 1].fields


def test_silence_stops_uploads_and_sends_the_rows_afterwards() -> None:
    """Nothing is received in the gap, and no row of it is lost."""
    case, _, _ = struck(f"silence@{ONSET_DAY}+3")
    label = label_of(case, "silence")
    assert label.end_us is not None
    lines = list(simulator.events([case]))
    assert not [
        line
        for line in lines
        if label.onset_us + 7 * HOUR_US < line.received_us < label.end_us and b'"telemetry"' in line.json
    ]
    after = [line for line in lines if label.end_us <= line.received_us < label.end_us + 10 * MINUTE_US]
    assert len(after) >= 17


def test_a_missing_bridge_changes_the_drug_without_a_bridge() -> None:
    """The concentration doubles, the rate halves at once and for good, no bridge bolus is recorded."""
    case, _, _ = struck(f"bridge_missing@{ONSET_DAY}")
    fills = [e.fields["concentration_ug_ml"] for e in case.entries if e.kind == "reservoir_filled"]
    assert fills[1] == 2 * fills[0]
    assert not [e for e in case.entries if e.fields.get("kind") == "bridge"]
    day = [counted_ul(case, d, d + 1) for d in (4, 8)]
    assert day[1] == pytest.approx(day[0] / 2, rel=0.2)


def test_a_refill_mismatch_has_less_in_it_than_written() -> None:
    """After the refill the true level is the stated volume less what went beside the port."""
    case, rows, columns = struck(f"refill_mismatch@{ONSET_DAY}")
    missing = label_of(case, "refill_mismatch").parameters["missing_ml"]
    level = between(rows, columns["reservoir_ml"], ONSET_DAY, ONSET_DAY + 0.1)[0]
    assert case.design.reservoir_ml - level == pytest.approx(missing, abs=0.3)
    assert missing > 2


def test_a_counter_that_restarts_goes_on_from_zero() -> None:
    """The restart is a nuisance: the counter begins again, flow and level do not notice."""
    case, rows, columns = struck(f"counter_restart@{ONSET_DAY}")
    assert (
        between(rows, columns["delivered_ul"], ONSET_DAY, ONSET_DAY + 0.01)[0]
        < 0.05 * case.design.rate_ul_h * 24
    )
    assert label_of(case, "counter_restart").cause is None


@pytest.mark.parametrize("kind", ["eri", "eos", "safe_state", "stall_overdue"])
def test_device_faults_say_so_themselves(kind: str) -> None:
    """Each has its device alarm, and those that stop the pump stop the counter."""
    case, _, _ = struck(f"{kind}@{ONSET_DAY}")
    codes = {e.fields["code"] for e in case.entries if e.kind == "device_alarm"}
    assert {"eri": "eri", "eos": "eos", "safe_state": "safe_state", "stall_overdue": "motor_stall"}[
        kind
    ] in codes
    normal, now = counted_ul(case, 4, 5), counted_ul(case, 7, 8)
    assert (now > 0.5 * normal) if kind == "eri" else (now < 0.1 * normal + 6.1)


@pytest.mark.parametrize("seed", range(8))
def test_a_healthy_pump_is_inside_its_tolerance_and_never_near_dry(seed: int) -> None:
    """Refills come in time, the stroke is well inside the tolerance, and no alarm of the device sounds."""
    case, rows, _ = struck(None, seed, days=40)
    true_ml = case.plant.reservoir_at(rows[1:]) / 1000
    assert true_ml.min() > case.design.low_reservoir_ml
    assert abs(case.design.stroke_ratio - 1) <= 0.85 * case.design.flow_tolerance
    assert case.design.stroke_ratio < case.design.silent_ratio()
    assert not case.plant.dry_us
    codes = {e.fields["code"] for e in case.entries if e.kind == "device_alarm"}
    assert codes <= {"motor_stall", "stall_recovered"}


def test_narrowing_follows_poiseuille_and_opens() -> None:
    """Half the bore is sixteen times the resistance; the final one holds until it opens."""
    narrowing = Narrowing(0, 1000, 100, 50.0)
    times = np.array([-1, 50, 99, 100, 999, 1000], np.int64)
    np.testing.assert_allclose(narrowing.resistance(times, 0.01), [0.01, 0.16, 50.0, 50.0, 50.0, 0.01])


def test_reservoir_runs_dry_at_the_exact_time() -> None:
    """10 uL/h out of 0.05 mL end after five hours, inside one segment of the flow."""
    design: Any = struck(None)[0].design
    flow = StepFlow(np.array([0, 10 * HOUR_US], np.int64), np.array([10.0]))
    from dataclasses import replace

    from ingest.simulation.effects import Effects

    plant = run_plant(flow, replace(design, drive_ratio=1.0, stroke_ratio=1.0), Effects(), [Fill(0, 0.05)])
    assert plant.dry_us == (5 * HOUR_US,)
    assert plant.pumped_ul[-1] == pytest.approx(50.0)
    assert plant.motor_ul[-1] == pytest.approx(100.0)


def test_overdose_comes_sooner_the_larger_the_dose() -> None:
    """Up to 2.5 times the steady dose none is expected; above, ten times is sooner than four times."""
    assert overdose_us(0, 2.5) is None
    four, ten = overdose_us(0, 4.0), overdose_us(0, 10.0)
    assert four is not None
    assert ten is not None
    assert ten[0] < four[0] < four[1]
    assert four[1] == pytest.approx(6 * HOUR_US, rel=1e-6)


def test_a_stroke_that_will_grow_is_healthy_until_then() -> None:
    """A pump that would be dry before its alarm from the first day on would be told early and rightly, and graded as false."""
    plan = simulator.FleetPlan(
        seed=5,
        pumps=60,
        start_us=START_US,
        end_us=START_US + 45 * DAY_US,
        uplink=simulator.Uplink(15 * MINUTE_US, 6 * HOUR_US),
        makers=("implant",),
        faults=(simulator.FaultRequest("early_empty", count=60),),
        healthy_share=0.0,
    )
    designs = [case.design for case in simulator.draw_fleet(plan)]
    limits = [1.0 + 0.5 * (design.silent_ratio() - 1.0) for design in designs]
    assert all(design.stroke_ratio <= limit for design, limit in zip(designs, limits, strict=True))
    assert any(design.stroke_ratio == limit for design, limit in zip(designs, limits, strict=True))


def test_a_line_that_follows_at_once_stays_at_the_slip_pressure_too() -> None:
    """A bore that closes on a stiff line: between two readings the rollers slip, however much the flow would press."""
    case, rows, _ = struck(None)
    closing = Narrowing(rows[100], rows[-1], 3 * 8 * HOUR_US, 1e7 / case.design.rate_ul_h)
    stiff = replace(case.design, compliance_ul_per_kpa=1e-6 * case.design.compliance_ul_per_kpa)
    effects = replace(case.effects, narrowings=(closing,))
    span = np.array([START_US, rows[-1]], np.int64)
    pressure = SensorBank(stiff, case.plant, effects, 1, 0, span).read(rows)["pressure_kpa"]
    assert stiff.slip_kpa - 2.0 < pressure.max() < stiff.slip_kpa + 2.0
