"""The founding case: the one patient that this system was begun for, as a scenario whose arithmetic is known by hand.

37 years old, unexplained spastic tetraparesis. Lumbar test doses of 50 and, 24 h later, 75 ug; then a 20 mL pump with
10 mg in 20 mL = 500 ug/mL, alarm at 2 mL, 50 ug/day for 28 days, 60 ug/day on, 75 ug/day from month 6 (domain.md). Days
count from the fill. With 50 then 60 ug/day: device alarm on day 154.67, empty on day 171.33.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contract.times import DAY_US, SECOND_US
from ingest.simulation.case import PumpCase, Uplink, assemble
from ingest.simulation.clinic import Course, continuous, fill_entry, registration
from ingest.simulation.clock import days, minutes
from ingest.simulation.designs import Design
from ingest.simulation.effects import Effects
from ingest.simulation.entries import Entry, assessment, bolus, note
from ingest.simulation.labels import Label
from ingest.simulation.plant import Fill

CONCENTRATION_UG_ML: Final = 500.0
RESERVOIR_ML: Final = 20.0
FIRST_UG_DAY: Final = 50.0
SECOND_UG_DAY: Final = 60.0
THIRD_UG_DAY: Final = 75.0
SECOND_FROM_DAY: Final = 28
THIRD_FROM_DAY: Final = 182
REFILL_DAYS: Final = (150, 260, 370)
DEFAULT_DAYS: Final = 180.0
SHORT_DAYS: Final = 200.0
"""Up to here a run shows one reservoir running out. A longer one at the true flow is refilled on REFILL_DAYS and changed
to 75 ug/day in month 6; day 171.33, when the first filling is empty, comes before that."""
SENSORS: Final = ("delivered_ul", "reservoir_ml")


@dataclass(frozen=True, slots=True)
class FoundingPlan:
    """`flow_ratio`: true / programmed flow, unseen by the encoder. `rate_ug_day`: that dose from day 0 on, nothing else."""

    seed: int
    fill_us: int
    days: float
    uplink: Uplink
    pump: str = "founding"
    flow_ratio: float = 1.0
    rate_ug_day: float | None = None
    sensors: tuple[str, ...] = SENSORS


def rate_ul_h(dose_ug_day: float) -> float:
    """Flow in uL/h of a daily dose at the founding concentration."""
    return dose_ug_day / CONCENTRATION_UG_ML * 1000.0 / 24.0


def founding_case(plan: FoundingPlan) -> PumpCase:
    """Make the pump with its whole course; it is filled at plan.fill_us = day 0."""
    first = FIRST_UG_DAY if plan.rate_ug_day is None else plan.rate_ug_day
    design = Design(
        maker="founding",
        model="founding-20",
        channels=plan.sensors,
        rate_ul_h=rate_ul_h(first),
        concentration_ug_ml=CONCENTRATION_UG_ML,
        reservoir_ml=RESERVOIR_ML,
        low_reservoir_ml=2.0,
        dead_volume_ul=300.0,
        min_rate_ul_h=0.25,
        max_rate_ul_h=1000.0,
        flow_tolerance=0.145,
        encoder_ul_per_count=0.1,
        compliance_ul_per_kpa=5.0,
        stroke_ratio=plan.flow_ratio,
        level_noise_ml=0.01,
        level_quantum_ml=0.001,
        level_drift_ml=0.005,
        syringe_sd_ml=0.0,
        pressure_noise_kpa=0.05,
        site="founding",
    )
    end_us = plan.fill_us + days(plan.days)
    entries = tuple(sorted(_entries(plan, design), key=Entry.order))
    fills = tuple(Fill(plan.fill_us + days(day), RESERVOIR_ML) for day in (0, *_refill_days(plan)))
    label = Label(
        plan.pump,
        "founding",
        None if _long(plan) else "reservoir_low",
        plan.fill_us,
        also=()
        if _long(plan)
        else ("reservoir_empty", "refill_due", "withdrawal_risk", "under_delivery", "starvation"),
        parameters={"flow_ratio": plan.flow_ratio},
    )
    if plan.flow_ratio > design.silent_ratio() and plan.rate_ug_day is None:
        label = Label(
            plan.pump,
            "dry_before_alarm",
            "dry_before_alarm",
            plan.fill_us,
            also=(
                "over_delivery",
                "reservoir_low",
                "reservoir_empty",
                "refill_due",
                "withdrawal_risk",
                "device_disagrees",
            ),
            parameters={"flow_ratio": plan.flow_ratio},
        )
    course = Course(entries, fills, Effects(), (label,))
    return assemble(plan.seed, 0, plan.pump, design, course, Effects(), plan.uplink, (plan.fill_us, end_us))


def _long(plan: FoundingPlan) -> bool:
    return plan.rate_ug_day is None and plan.flow_ratio == 1.0 and plan.days > SHORT_DAYS


def _refill_days(plan: FoundingPlan) -> tuple[int, ...]:
    return tuple(day for day in REFILL_DAYS if day < plan.days) if _long(plan) else ()


def _entries(plan: FoundingPlan, design: Design) -> list[Entry]:
    """List tests, implant, program, titration, infection, scores."""
    zero_us = plan.fill_us
    upload_s = plan.uplink.upload_us / SECOND_US
    entries = [
        bolus(
            zero_us - days(5), "test", 50.0 / CONCENTRATION_UG_ML * 1000, 60.0, dose_ug=50.0, route="lumbar"
        ),
        bolus(
            zero_us - days(4), "test", 75.0 / CONCENTRATION_UG_ML * 1000, 60.0, dose_ug=75.0, route="lumbar"
        ),
        assessment(zero_us - days(5) - minutes(30), "ashworth", 4.0),
        assessment(zero_us - days(5) + minutes(240), "ashworth", 2.0),
        assessment(zero_us - days(4) + minutes(240), "ashworth", 0.0),
        registration(design, zero_us, upload_s),
        fill_entry(zero_us, RESERVOIR_ML, CONCENTRATION_UG_ML),
        continuous(zero_us, design.rate_ul_h),
        assessment(zero_us + days(14), "ashworth", 2.0),
        assessment(zero_us + days(28) - minutes(30), "ashworth", 2.0),
        assessment(zero_us + days(90), "ashworth", 1.0),
    ]
    if plan.rate_ug_day is None:
        entries.append(continuous(zero_us + days(SECOND_FROM_DAY), rate_ul_h(SECOND_UG_DAY)))
    entries += [
        fill_entry(zero_us + days(day), RESERVOIR_ML, CONCENTRATION_UG_ML) for day in _refill_days(plan)
    ]
    if _long(plan):
        entries.append(continuous(zero_us + days(THIRD_FROM_DAY), rate_ul_h(THIRD_UG_DAY)))
    infection_us = zero_us + days(178)
    entries.append(
        note(infection_us, "infection", infection_us, infection_us + 7 * DAY_US, "Urinary infection")
    )
    entries.append(assessment(infection_us, "penn", 3.0))
    return [entry for entry in entries if entry.at_us <= zero_us + days(plan.days)]
