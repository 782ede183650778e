"""Faults by name: what each does to the plant, the sensors, the uplink or the record, and the label that is true of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from contract.errors import ThecaflowError
from ingest.simulation.clinic import Course, continuous, fill_entry
from ingest.simulation.clock import DAY_US, HOUR_US, SECOND_US, days, minutes
from ingest.simulation.designs import Design
from ingest.simulation.effects import FOREVER_US, Effects, Narrowing, Span
from ingest.simulation.entries import Entry, device_alarm
from ingest.simulation.labels import Label, overdose_us, withdrawal_us
from ingest.simulation.plant import Fill


class FaultRequestError(ThecaflowError):
    """A fault was asked for that cannot be made; the message says what would be possible."""


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """`KIND[:PUMP|COUNT][@DAY][+DAYS]` taken apart: on one pump by name or on `count` of them, from `day` for `days`."""

    kind: str
    pump: str | None = None
    count: int = 1
    day: float | None = None
    days: float | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault strikes: the pump, its design and course so far, and from when until when (end_us None: for good)."""

    pump: str
    design: Design
    course: Course
    onset_us: int
    end_us: int | None
    horizon_us: int
    rng: np.random.Generator

    @property
    def until_us(self) -> int:
        """End of the fault, in the far future if it lasts."""
        return FOREVER_US if self.end_us is None else self.end_us

    def rate_ul_h(self) -> float:
        """Mean programmed rate of the program at the onset."""
        programs = [e for e in self.course.entries if e.kind == "program_set" and e.at_us <= self.onset_us]
        return mean_rate_ul_h(programs[-1]) if programs else self.design.rate_ul_h

    def label(self, cause: str | None, kind: str, **rest: Any) -> Label:
        """The label of this scene; `rest` goes to Label."""
        return Label(self.pump, kind, cause, self.onset_us, self.end_us, **rest)


def mean_rate_ul_h(program: Entry) -> float:
    """Mean flow of a `program_set` over a week, pulses included, uL/h."""
    fields = program.fields
    week = sorted(
        (day * 1440 + s["minute"], s["rate_ul_h"]) for s in fields["steps"] for day in s.get("days", range(7))
    )
    if not week:
        return 0.0
    ends = [minute for minute, _ in week[1:]] + [week[0][0] + 7 * 1440]
    basal = sum(rate * (end - begin) for (begin, rate), end in zip(week, ends, strict=True)) / (7 * 1440)
    pulse = fields.get("periodic_bolus")
    return float(basal + (pulse["volume_ul"] * 3600 / pulse["every_s"] if pulse else 0.0))


Outcome = tuple[Course, Effects, Label]
_DELIVERY_STOPS: Final = ("withdrawal_risk", "under_delivery", "device_disagrees")


def _blocked(scene: Scene, narrowing: Narrowing, cause_kind: str, *, full: bool) -> Outcome:
    ramp_h = narrowing.ramp_us / HOUR_US
    parameters = {"ramp_h": round(ramp_h, 2), "resistance_kpa_h_per_ul": narrowing.kpa_h_per_ul, "full": full}
    parameters["compliance_ul_per_kpa"] = scene.design.compliance_ul_per_kpa
    closed_us = scene.onset_us + narrowing.ramp_us
    course, effects = scene.course, Effects(narrowings=(narrowing,))
    if full:
        course, effects = _pressed(scene, course, effects, closed_us)
    harm = withdrawal_us(closed_us) if full and (scene.end_us is None or closed_us < scene.end_us) else None
    also = ("device_disagrees", *(("withdrawal_risk", "under_delivery", "restart_overdose") if full else ()))
    label = scene.label("occlusion", cause_kind, harm_us=harm, also=also, parameters=parameters)
    return course, effects, label


def _pressed(scene: Scene, course: Course, effects: Effects, closed_us: int) -> tuple[Course, Effects]:
    """What the rising pressure does: past the limit the device complains, past the slip pressure nothing is pumped."""
    design = scene.design
    kpa_h = scene.rate_ul_h() * design.stroke_ratio / design.compliance_ul_per_kpa
    slip_us = closed_us + round((design.slip_kpa - design.body_kpa) / kpa_h * HOUR_US)
    if slip_us < min(scene.until_us, scene.horizon_us):
        effects += Effects(strokes=(Span(slip_us, scene.until_us, 0.0),))
    if design.pressure_limit_kpa is not None:
        alarm_us = closed_us + round((design.pressure_limit_kpa - design.body_kpa) / kpa_h * HOUR_US)
        if alarm_us < min(scene.until_us, scene.horizon_us):
            course = course.with_entries(
                device_alarm(alarm_us, "no_delivery", "Outlet pressure above its limit")
            )
    return course, effects


def _occlusion(scene: Scene) -> Outcome:
    """A full block: sudden (a kink) for three in five, else closing over hours to two days (a growing granuloma)."""
    sudden = scene.rng.random() < 0.6
    ramp_us = 0 if sudden else round(scene.rng.uniform(6.0, 48.0) * HOUR_US)
    blocked = 1e4 / scene.rate_ul_h()  # would need 10 MPa to let the flow through
    return _blocked(
        scene, Narrowing(scene.onset_us, scene.until_us, ramp_us, blocked), "occlusion", full=True
    )


def _partial(scene: Scene) -> Outcome:
    """A narrowing that costs 8-30 kPa at the set flow; a displacement pump delivers on, once the line is stretched."""
    rate = scene.rate_ul_h()
    ramp_us = round(scene.rng.uniform(0.0, 24.0) * HOUR_US)
    drop_kpa = float(scene.rng.uniform(8.0, 30.0)) + 4.0 * scene.design.line_kpa_h_per_ul * rate
    narrowing = Narrowing(scene.onset_us, scene.until_us, ramp_us, drop_kpa / rate)
    return _blocked(scene, narrowing, "occlusion_partial", full=False)


def _stall(scene: Scene) -> Outcome:
    """The rotor stands outside any MRI: locked (draws more current) or with an open winding (draws next to nothing)."""
    locked = bool(scene.rng.random() < 0.7)
    size = float(scene.rng.uniform(1.3, 2.2)) if locked else 0.02
    noticed = bool(scene.rng.random() < 0.5)
    course = scene.course
    if noticed:
        at_us = scene.onset_us + round(scene.rng.uniform(0.5, 4.0) * HOUR_US)
        course = course.with_entries(device_alarm(at_us, "motor_stall", "Motor stall detected"))
        if scene.end_us is not None:
            course = course.with_entries(
                device_alarm(scene.end_us + minutes(5), "stall_recovered", "Motor stall recovery")
            )
    effects = Effects(stops=(Span(scene.onset_us, scene.until_us, size),))
    label = scene.label(
        "motor_stall",
        "stall",
        harm_us=withdrawal_us(scene.onset_us),
        also=(*_DELIVERY_STOPS, "stall_overdue", "restart_overdose"),
        parameters={"locked": locked, "device_alarm": noticed},
    )
    return course, effects, label


def _leak(scene: Scene) -> Outcome:
    """The catheter comes off: the outlet sees the still pressure of the pocket, the drug never reaches the tip."""
    pocket_kpa = float(scene.rng.uniform(-0.2, 0.2)) * scene.design.body_kpa
    effects = Effects(leaks=(Span(scene.onset_us, scene.until_us, pocket_kpa),))
    label = scene.label(
        "leak",
        "leak",
        harm_us=withdrawal_us(scene.onset_us),
        also=_DELIVERY_STOPS,
        parameters={"pocket_kpa": pocket_kpa},
    )
    return scene.course, effects, label


def _starvation(scene: Scene) -> Outcome:
    """The inlet lets little in: suction before the pump, stroke not filled, the encoder counts on."""
    share = float(scene.rng.uniform(0.05, 0.4))
    effects = Effects(inlets=(Span(scene.onset_us, scene.until_us, share),))
    harm = withdrawal_us(scene.onset_us) if share < 0.3 else None
    label = scene.label(
        "starvation", "starvation", harm_us=harm, also=_DELIVERY_STOPS, parameters={"filled_share": share}
    )
    return scene.course, effects, label


def _air(scene: Scene) -> Outcome:
    """A gas bubble in the pump head: strokes compress gas, flow is ragged, load falls, until it has passed."""
    share = float(scene.rng.uniform(0.2, 0.6))
    end_us = scene.end_us or min(
        scene.onset_us + round(scene.rng.uniform(8.0, 48.0) * HOUR_US), scene.horizon_us
    )
    effects = Effects(air=(Span(scene.onset_us, end_us, share),))
    label = replace(
        scene.label("air_in_line", "air", also=("under_delivery",), parameters={"delivered_share": share}),
        end_us=end_us,
    )
    return scene.course, effects, label


def _stroke(scene: Scene, kind: str, cause: str, ratio: float, also: tuple[str, ...]) -> Outcome:
    """From the onset true volume / motor volume is `ratio`, whatever this pump's own was."""
    effects = Effects(strokes=(Span(scene.onset_us, scene.until_us, ratio / scene.design.stroke_ratio),))
    return (
        scene.course,
        effects,
        scene.label(cause, kind, also=also, parameters={"stroke_ratio": round(ratio, 4)}),
    )


_RUNS_OUT: Final = (
    "over_delivery",
    "reservoir_low",
    "reservoir_empty",
    "withdrawal_risk",
    "refill_due",
    "device_disagrees",
)


def _early_empty(scene: Scene) -> Outcome:
    """The stroke grows, so that the pump will be dry before its own arithmetic says low."""
    used_ml = scene.rate_ul_h() * (scene.onset_us - scene.course.fills[0].at_us) / HOUR_US / 1000
    full_ml, low_ml = scene.design.reservoir_ml, scene.design.low_reservoir_ml
    left_ml = max(full_ml - used_ml, low_ml * 1.5)
    ratio = max(left_ml / (left_ml - low_ml) * float(scene.rng.uniform(1.08, 1.16)), 1.16)
    return _stroke(scene, "early_empty", "dry_before_alarm", ratio, _RUNS_OUT)


def _dry(scene: Scene) -> Outcome:
    """Over-delivering since it was filled, just enough to be dry before its own alarm: maybe inside its tolerance."""
    ratio = scene.design.silent_ratio() * float(scene.rng.uniform(1.04, 1.12))
    at_start = replace(scene, onset_us=scene.course.fills[0].at_us)
    return _stroke(at_start, "dry_before_alarm", "dry_before_alarm", ratio, _RUNS_OUT)


def _over(scene: Scene) -> Outcome:
    """Far above tolerance: the stroke itself has grown."""
    ratio = 1.0 + scene.design.flow_tolerance * float(scene.rng.uniform(1.8, 3.5))
    return _stroke(
        scene, "over_delivery", "over_delivery", ratio, ("dry_before_alarm", *_RUNS_OUT[1:], "overdose_risk")
    )


def _under(scene: Scene) -> Outcome:
    """Far below tolerance: the rollers no longer close the tube."""
    ratio = 1.0 - min(scene.design.flow_tolerance * float(scene.rng.uniform(1.8, 3.5)), 0.6)
    return _stroke(scene, "under_delivery", "under_delivery", ratio, ("withdrawal_risk", "device_disagrees"))


def _implausible(scene: Scene) -> Outcome:
    """A slip of the decimal point, corrected by the clinic after some hours."""
    ratio = float(scene.rng.choice([4.0, 5.0, 10.0]))
    before = [e for e in scene.course.entries if e.kind == "program_set" and e.at_us <= scene.onset_us][-1]
    slip = continuous(scene.onset_us, round(scene.rate_ul_h() * ratio, 4))
    end_us = scene.end_us or scene.onset_us + round(scene.rng.uniform(3.0, 12.0) * HOUR_US)
    kept = tuple(
        e
        for e in scene.course.entries
        if not (e.kind == "program_set" and scene.onset_us < e.at_us <= end_us)
    )
    course = replace(scene.course, entries=kept).with_entries(slip, replace(before, at_us=end_us))
    label = scene.label(
        "program_implausible",
        "program_implausible",
        harm_us=overdose_us(scene.onset_us, ratio),
        also=("overdose_risk", "dry_before_alarm", "reservoir_low", "refill_due", "tolerance_review"),
        parameters={"dose_ratio": ratio},
    )
    return course, Effects(), replace(label, end_us=end_us)


def _silence(scene: Scene) -> Outcome:
    """No upload comes through, for two to four days or for good; what was measured meanwhile is sent afterwards."""
    lasting_us = round(scene.rng.uniform(2.0, 4.0) * DAY_US)
    end_us = scene.end_us or scene.onset_us + lasting_us
    effects = Effects(gaps=(Span(scene.onset_us, end_us),))
    label = scene.label("telemetry_silent", "silence", also=("monitoring_lost",))
    return scene.course, effects, replace(label, end_us=end_us if end_us < scene.horizon_us else None)


def _battery(scene: Scene, kind: str) -> Outcome:
    """ERI: low voltage and an alarm, flow goes on. EOS: another alarm, and the pump stops."""
    code = kind
    course = scene.course.with_entries(device_alarm(scene.onset_us, code, f"Battery {code.upper()}"))
    volts = Span(scene.onset_us, FOREVER_US, 2.6 if kind == "eri" else 2.2)
    if kind == "eri":
        return course, Effects(batteries=(volts,)), scene.label("battery_eri", kind)
    effects = Effects(batteries=(volts,), stops=(Span(scene.onset_us, FOREVER_US, 0.0),))
    also = (*_DELIVERY_STOPS, "motor_stall")
    return course, effects, scene.label("battery_eos", kind, harm_us=withdrawal_us(scene.onset_us), also=also)


def _safe_state(scene: Scene) -> Outcome:
    """A reset into safe state: the lowest flow and an alarm."""
    course = scene.course.with_entries(device_alarm(scene.onset_us, "safe_state", "Pump reset to safe state"))
    lowest = scene.design.min_rate_ul_h
    effects = Effects(minimum_rates=(Span(scene.onset_us, scene.until_us, lowest),))
    also = (*_DELIVERY_STOPS, "motor_stall")
    return (
        course,
        effects,
        scene.label("safe_state", "safe_state", harm_us=withdrawal_us(scene.onset_us), also=also),
    )


def _wear(scene: Scene) -> Outcome:
    """Worn gears: the motor's load and vibration grow by some percent a day, delivery still right."""
    per_day = float(scene.rng.uniform(0.02, 0.05))
    effects = Effects(wear=(Span(scene.onset_us, scene.until_us, per_day),))
    return (
        scene.course,
        effects,
        scene.label("drive_wear", "drive_wear", parameters={"growth_per_day": per_day}),
    )


def _clock_skew(scene: Scene) -> Outcome:
    """The device's clock jumps ahead by 10 minutes to 3 hours."""
    ahead_s = float(scene.rng.integers(600, 10_800))
    effects = Effects(clocks=(Span(scene.onset_us, scene.until_us, ahead_s),))
    return scene.course, effects, scene.label("clock_skew", "clock_skew", parameters={"ahead_s": ahead_s})


def _counter_restart(scene: Scene) -> Outcome:
    """The counter begins at 0 again after a reset of the electronics: a nuisance, nothing is wrong with the flow."""
    return scene.course, Effects(restarts_us=(scene.onset_us,)), scene.label(None, "counter_restart")


def _refill_mismatch(scene: Scene) -> Outcome:
    """A refill of which a part went beside the port (a pocket fill): the record states the full volume."""
    design, at_us = scene.design, scene.onset_us
    lost_ml = (4.0 if design.reservoir_ml > 20 else 2.5) * float(scene.rng.uniform(1.0, 2.0))
    lost_ml = lost_ml if design.maker != "bench" else 0.3 * design.reservoir_ml
    course = _with_fill(scene, at_us, design.reservoir_ml - lost_ml, design.concentration_ug_ml)
    label = scene.label(
        "refill_mismatch",
        "refill_mismatch",
        also=("dry_before_alarm", "reservoir_low", "overdose_risk", "over_delivery", "device_disagrees"),
        parameters={"missing_ml": round(lost_ml, 2)},
    )
    return course, Effects(), label


def _bridge_missing(scene: Scene) -> Outcome:
    """Twice the concentration and half the rate, but no bridge: the old drug in the dead volume comes at half dose."""
    design, rate = scene.design, scene.rate_ul_h()
    course = _with_fill(scene, scene.onset_us, design.reservoir_ml, 2 * design.concentration_ug_ml)
    course = course.with_entries(continuous(scene.onset_us + minutes(2), round(rate / 2, 4)))
    end_us = scene.onset_us + round(design.dead_volume_ul / (rate / 2) * HOUR_US)
    label = scene.label(
        "bridge_missing", "bridge_missing", also=("withdrawal_risk",), parameters={"dose_ratio": 0.5}
    )
    return course, Effects(), replace(label, end_us=min(end_us, scene.horizon_us))


def _with_fill(scene: Scene, at_us: int, true_ml: float, concentration_ug_ml: float) -> Course:
    """The course with one more refill to the brim at at_us (and without what later entries say about the drug)."""

    fills = tuple(sorted((*scene.course.fills, Fill(at_us, true_ml)), key=lambda fill: fill.at_us))
    entry = fill_entry(at_us, scene.design.reservoir_ml, concentration_ug_ml)
    return replace(scene.course, fills=fills).with_entries(entry)


@dataclass(frozen=True, slots=True)
class FaultKind:
    """How to make a fault, which channels show it, and whether its pump keeps its refills and its choice of onset."""

    strike: Callable[[Scene], Outcome]
    channels: tuple[str, ...] = ()
    refills: bool = True
    drains: bool = False
    from_start: bool = False


KINDS: Final[dict[str, FaultKind]] = {
    "occlusion": FaultKind(_occlusion, ("pressure_kpa",)),
    "occlusion_partial": FaultKind(_partial, ("pressure_kpa",)),
    "stall": FaultKind(_stall, ("delivered_ul",)),
    "early_empty": FaultKind(_early_empty, ("delivered_ul", "reservoir_ml"), refills=False, drains=True),
    "dry_before_alarm": FaultKind(
        _dry, ("delivered_ul", "reservoir_ml"), refills=False, drains=True, from_start=True
    ),
    "leak": FaultKind(_leak, ("pressure_kpa",)),
    "starvation": FaultKind(_starvation, ("delivered_ul", "reservoir_ml", "inlet_kpa", "flow_ul_h")),
    "air": FaultKind(_air, ("flow_ul_h", "motor_ma", "vibration_g")),
    "over_delivery": FaultKind(_over, ("delivered_ul", "reservoir_ml"), refills=False, drains=True),
    "under_delivery": FaultKind(_under, ("delivered_ul", "reservoir_ml")),
    "refill_mismatch": FaultKind(_refill_mismatch, ("delivered_ul", "reservoir_ml"), refills=False),
    "bridge_missing": FaultKind(_bridge_missing, refills=False),
    "program_implausible": FaultKind(_implausible),
    "silence": FaultKind(_silence),
    "eri": FaultKind(lambda scene: _battery(scene, "eri"), ("battery_v",)),
    "eos": FaultKind(lambda scene: _battery(scene, "eos"), ("battery_v",)),
    "safe_state": FaultKind(_safe_state, ("delivered_ul",)),
    "drive_wear": FaultKind(_wear, ("motor_ma", "vibration_g")),
    "clock_skew": FaultKind(_clock_skew),
    "counter_restart": FaultKind(_counter_restart, ("delivered_ul",)),
}
ALIASES: Final = {"telemetry_silent": "silence", "motor_stall": "stall", "air_in_line": "air"}
_REQUEST: Final = re.compile(r"([a-z_]+)(?::([A-Za-z0-9._-]+))?(?:@([0-9.]+))?(?:\+([0-9.]+))?")


def parse_fault(text: str) -> FaultRequest:
    """Read `KIND[:PUMP|COUNT][@DAY][+DAYS]`.

    Raises FaultRequestError for another form or an unknown kind.
    """
    matched = _REQUEST.fullmatch(text)
    if matched is None:
        raise FaultRequestError(
            f"--fault {text!r}: write KIND[:PUMP|COUNT][@DAY][+DAYS], such as stall:3@12 or leak@5+2"
        )
    kind, which, day, lasting = matched.groups()
    kind = ALIASES.get(kind, kind)
    if kind not in KINDS:
        raise FaultRequestError(
            f"--fault {text!r}: there is no kind {kind!r}; choose from {', '.join(sorted(KINDS))}"
        )
    if KINDS[kind].from_start and day is not None:
        raise FaultRequestError(
            f"--fault {text!r}: {kind} is there from the first fill on; for one that begins use early_empty"
        )
    try:
        day_number, days_number = (None if part is None else float(part) for part in (day, lasting))
    except ValueError:
        raise FaultRequestError(f"--fault {text!r}: DAY and DAYS are numbers") from None
    counted = which is not None and which.isdigit()
    return FaultRequest(
        kind,
        pump=None if counted else which,
        count=int(which) if which is not None and counted else 1,
        day=day_number,
        days=days_number,
    )
