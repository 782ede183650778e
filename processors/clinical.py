"""Clinical events: what each of them changes in a pump's state, and the conditions that it shows by itself.

The ledgers have been moved to the event's time before (`kernels.volumes.advance`). The vector `x` of the state belongs to the
running fold and is written in place; everything else is replaced.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec.structs import replace

from contract.events import (
    Bolus,
    DeviceAlarm,
    Note,
    ProgramSet,
    PumpEvent,
    PumpRegistered,
    ReservoirFilled,
    Resumed,
    Suspended,
    VolumeReported,
)
from contract.facts import Cause
from contract.times import DAY_US
from kernels import dose, ledger, reservoir, volumes
from kernels import state as s
from processors import device_events, risk
from processors.alerts import Condition
from processors.program import compile_program, with_minimum_rate
from processors.pump_state import Clinic, Program, PumpState, whole_us
from processors.timeline import LATEST_US, Settled

IMPLAUSIBLE_FACTOR: Final = 3.0  # contract, program_implausible: more than 3x the daily dose before
TOLERANCE_REVIEW_UG: Final = 100.0  # contract, tolerance_review: above the lowest of the trailing year
YEAR_US: Final = 365 * DAY_US
EXACTLY: Final = 1.0 + 1e-12  # contract: exactly the limit is inside it, as a computer rounds it too
PUMP_BOLUS, BRIDGE, PRIMING = 0.0, 1.0, 2.0


def apply(  # noqa: C901 - one case a type of event
    state: PumpState, settled: Settled
) -> tuple[PumpState, list[Condition], bool]:
    """(new state, conditions that the event shows, whether a forecast is due now)."""
    event, at_us = settled.event, settled.at_us
    match event:
        case PumpRegistered():
            return _registered(state, event, at_us), [], False
        case ReservoirFilled():
            return _filled(state, event, at_us), [], True
        case ProgramSet():
            return *_programmed(state, event, at_us), True
        case Bolus():
            return _bolus(state, event, at_us), [], False
        case Suspended():
            return _suspended(state, at_us), [], False
        case Resumed():
            state.x[s.SUSPENDED] = 0.0
            return state, [], False
        case VolumeReported():
            if event.ledger == "reservoir":
                reservoir.stated(state.x, event.value_ul)
            return state, [], True
        case DeviceAlarm():
            return *device_events.alarmed(state, event, at_us), False
        case Note() if event.kind == "mri_window":
            return device_events.mri_window(state, settled), [], False
        case _:
            return state, [], False


def delivers(event: PumpEvent) -> bool:
    """Whether the first dose window opens at such an event (contract, `dose`)."""
    return isinstance(event, ProgramSet) or (isinstance(event, Bolus) and event.route == "pump")


def _registered(state: PumpState, event: PumpRegistered, at_us: int) -> PumpState:
    """Take the limits, also for what was told before they were known: a minimum rate, a nominal fill, the first drug."""
    x = state.x
    for slot, told in (
        (s.RESERVOIR_ML, event.reservoir_ml),
        (s.LOW_RESERVOIR_ML, event.low_reservoir_ml),
        (s.DEAD_VOLUME_UL, event.dead_volume_ul),
        (s.MIN_RATE_UL_H, event.min_rate_ul_h),
        (s.MAX_RATE_UL_H, event.max_rate_ul_h),
        (s.FLOW_TOLERANCE, event.flow_tolerance),
        (s.ENCODER_UL_PER_COUNT, event.encoder_ul_per_count),
        (s.ENCODER_WRAP_UL, event.encoder_wrap_ul),
        (s.COMPLIANCE_UL_PER_KPA, event.compliance_ul_per_kpa),
        (s.PRESSURE_LIMIT_KPA, event.pressure_limit_kpa),
    ):
        x[slot] = np.nan if told is None else told
    x[s.FLU_HIGH_RISK] = float(event.high_risk)
    reservoir.register(x)
    if ledger.held_ul(x) == 0.0 and not np.isnan(x[s.CONCENTRATION_UG_ML]):
        ledger.first_concentration(x, x[s.DEAD_VOLUME_UL], x[s.CONCENTRATION_UG_ML])
    clinic = replace(state.clinic, stability_days=event.stability_days, high_risk=event.high_risk)
    if clinic.unsized_fill is not None:
        clinic = _size_fill(state, clinic, clinic.unsized_fill)
    state = replace(state, clinic=clinic)
    program = with_minimum_rate(state.program.head, state.program.schedule, event.min_rate_ul_h)
    if program is not state.program.schedule:
        state = replace(state, program=replace(state.program, schedule=program))
        state = replace(state, clinic=_dosed(state, at_us))
    return state


def _size_fill(state: PumpState, clinic: Clinic, unsized: tuple[float, float]) -> Clinic:
    """Give a fill to the nominal volume that volume, less what left the reservoir until it was known."""
    x = state.x
    delivered_ul = float(ledger.total(x, s.DELIVERED_UL)) - unsized[0]
    programmed_ul = _all_programmed_ul(state) - unsized[1]
    reservoir.filled(x, np.nan, np.nan, x[s.RESERVOIR_ML])
    reservoir.taken(x, delivered_ul, programmed_ul)
    return replace(clinic, unsized_fill=None)


def _all_programmed_ul(state: PumpState) -> float:
    """What the program asked of the reservoir since the beginning, priming too, uL."""
    return float(ledger.total(state.x, s.PROGRAMMED_UL)) + float(ledger.total(state.x, s.PRIMING_UL))


def _filled(state: PumpState, event: ReservoirFilled, at_us: int) -> PumpState:
    x, before = state.x, float(state.x[s.CONCENTRATION_UG_ML])
    if np.isnan(before):
        ledger.first_concentration(x, x[s.DEAD_VOLUME_UL], event.concentration_ug_ml)
    x[s.CONCENTRATION_UG_ML] = event.concentration_ug_ml
    removed_ml = np.nan if event.removed_ml is None else event.removed_ml
    filled_ml = np.nan if event.filled_ml is None else event.filled_ml
    reservoir.filled(x, removed_ml, filled_ml, x[s.RESERVOIR_ML])
    fills = tuple(fill for fill in state.clinic.recent_fills if fill[0] >= at_us - DAY_US)
    unsized = event.filled_ml is None and np.isnan(x[s.RESERVOIR_ML])
    clinic = replace(
        state.clinic,
        filled_us=at_us,
        recent_fills=fills if np.isnan(before) else (*fills, (at_us, before)),
        unsized_fill=(float(ledger.total(x, s.DELIVERED_UL)), _all_programmed_ul(state)) if unsized else None,
    )
    state = replace(state, clinic=clinic, device_alarm_us=None, low_us=None, empty_us=(None, None, None))
    return state if before == event.concentration_ug_ml else replace(state, clinic=_dosed(state, at_us))


# ------------------------------------------------------------------------------------------------------ programs


def _programmed(state: PumpState, event: ProgramSet, at_us: int) -> tuple[PumpState, list[Condition]]:
    x = state.x
    head, schedule = compile_program(event, at_us, float(x[s.MIN_RATE_UL_H]))
    program = Program(head=head, schedule=schedule, boluses=state.program.boluses)
    daily_ul = float(dose.daily_ul(head, schedule)[1])
    conditions = [_implausible(state, event, program, daily_ul, at_us)]
    if event.mode in ("continuous", "flex") and daily_ul > 0.0:
        state = replace(state, clinic=replace(state.clinic, reference_daily_ul=daily_ul))
    state = replace(state, program=program)
    state = replace(state, clinic=_dosed(state, at_us))
    if state.clinic.doses and state.clinic.doses[-1][1] == LATEST_US:
        conditions.append(_tolerance(state.clinic.doses, at_us))
    return state, conditions


def _dosed(state: PumpState, at_us: int) -> Clinic:
    """Note from when on the present program gives which daily dose; stopped ones aside (contract, tolerance_review).

    Only what lies in the trailing year and can still be its lowest is kept: a dose that was not below a later one cannot.
    """
    program, clinic = state.program, state.clinic
    daily_ul = float(dose.daily_ul(program.head, program.schedule)[1])
    daily_ug = daily_ul * float(state.x[s.CONCENTRATION_UG_ML]) / 1000.0
    ended = ((start, min(end, at_us), ug) for start, end, ug in clinic.doses)
    doses = tuple(entry for entry in ended if entry[1] > max(entry[0], at_us - YEAR_US))
    if daily_ug > 0.0:
        doses = (*(entry for entry in doses if entry[2] < daily_ug), (at_us, LATEST_US, daily_ug))
    return replace(clinic, doses=doses)


def _implausible(
    state: PumpState, event: ProgramSet, program: Program, daily_ul: float, at_us: int
) -> Condition:
    """Outside the pump's limits, or more than 3x the daily dose of the last program (contract, program_implausible)."""
    x, clinic = state.x, state.clinic
    rates = program.schedule[:, 1]
    highest, flowing = float(rates.max()), rates[rates > 0.0]
    problems: list[str] = []
    evidence: dict[str, float] = {"highest_ul_h": highest}
    if event.mode != "stopped" and highest > x[s.MAX_RATE_UL_H]:
        problems.append(f"{highest:.6g} uL/h is above the pump's {x[s.MAX_RATE_UL_H]:.6g} uL/h")
    if event.mode in ("continuous", "flex") and len(flowing) and flowing.min() < x[s.MIN_RATE_UL_H]:
        problems.append(f"{flowing.min():.6g} uL/h is below the pump's {x[s.MIN_RATE_UL_H]:.6g} uL/h")
    concentration = float(x[s.CONCENTRATION_UG_ML])
    if clinic.reference_daily_ul is not None and not np.isnan(concentration):
        fills = (before for filled_us, before in clinic.recent_fills if filled_us >= at_us - DAY_US)
        before = next(fills, concentration)
        daily_ug = daily_ul * concentration / 1000.0
        reference_ug = clinic.reference_daily_ul * before / 1000.0
        evidence |= {"daily_ug": daily_ug, "reference_daily_ug": reference_ug}
        if daily_ug > IMPLAUSIBLE_FACTOR * reference_ug * EXACTLY and reference_ug > 0.0:
            problems.append(f"{daily_ug:.6g} ug/day is {daily_ug / reference_ug:.3g} times the dose before")
    text = f"Program implausible: {'; '.join(problems)}. Confirm it with whoever set it." if problems else ""
    harm_lo_us, harm_hi_us = risk.harm_of_rate(state, daily_ul / 24.0 * concentration / 1000.0)
    return Condition(
        cause=Cause.PROGRAM_IMPLAUSIBLE,
        at_us=at_us,
        level=2 if problems else 0,
        text=text,
        evidence=evidence,
        harm_lo_us=harm_lo_us if problems else None,
        harm_hi_us=harm_hi_us if problems else None,
    )


def _tolerance(doses: tuple[tuple[int, int, float], ...], at_us: int) -> Condition:
    """More than 100 ug/day above the lowest of the trailing year: a dose rise says, check the device first."""
    daily_ug = doses[-1][2]
    lowest = min(dose_ug for _, _, dose_ug in doses)
    on = daily_ug > (lowest + TOLERANCE_REVIEW_UG) * EXACTLY
    text = (
        f"The daily dose rose by {daily_ug - lowest:.6g} ug within a year: check the device before the patient."
        if on
        else ""
    )
    return Condition(
        cause=Cause.TOLERANCE_REVIEW,
        at_us=at_us,
        level=2 if on else 0,
        text=text,
        evidence={"daily_ug": daily_ug, "lowest_daily_ug": lowest},
    )


# ------------------------------------------------------------------------------------------- boluses and pauses


def _bolus(state: PumpState, event: Bolus, at_us: int) -> PumpState:
    if event.route == "lumbar":
        return state
    stated = event.delivered_ul is not None
    volume_ul = event.programmed_ul if event.delivered_ul is None else event.delivered_ul
    if state.x[s.SUSPENDED] and not stated:
        return state
    kind = {"bridge": BRIDGE, "priming": PRIMING}.get(event.kind, PUMP_BOLUS)
    duration_us = whole_us(event.duration_s or 0.0)
    if duration_us <= 0:
        volumes.inject(state.x, volume_ul, kind == PRIMING)
        return state
    row = np.array([[at_us, at_us + duration_us, volume_ul, kind, float(stated)]], dtype=np.float64)
    running = state.program.boluses[state.program.boluses[:, 1] > at_us]
    return replace(state, program=replace(state.program, boluses=np.concatenate([running, row])))


def _suspended(state: PumpState, at_us: int) -> PumpState:
    """Stop the program and every running bolus that does not state what it delivered."""
    state.x[s.SUSPENDED] = 1.0
    boluses = state.program.boluses
    kept = boluses[(boluses[:, 1] > at_us) & (boluses[:, 4] > 0.0)]
    return replace(state, program=replace(state.program, boluses=kept))
