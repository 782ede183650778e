"""Faults of the fluid path and the drive: catheter, stroke, inlet, rotor, gears."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from contract.times import DAY_US, HOUR_US
from ingest.simulation.clinic import Course
from ingest.simulation.clock import minutes
from ingest.simulation.effects import Effects, Narrowing, Opening, Span
from ingest.simulation.entries import Entry, device_alarm, note
from ingest.simulation.labels import Label, overdose_us
from ingest.simulation.scene import DELIVERY_STOPS, Outcome, Scene

RUNS_OUT: Final = (
    "over_delivery",
    "reservoir_low",
    "reservoir_empty",
    "withdrawal_risk",
    "refill_due",
    "device_disagrees",
    "overdose_risk",
    "under_delivery",
    "starvation",
)
_SEALED_KPA: Final = 1e7  # the pressure that would press the set flow through a full block


def occlusion(scene: Scene) -> Outcome:
    """Block the catheter fully: three in five suddenly (a kink), the others over hours to two days (a granuloma).

    The drive goes on; pressure rises by flow / compliance and no longer follows posture and breathing. Past the pump's
    limit it sounds `no_delivery`, past the slip pressure nothing more is pumped. If the block opens, what the compliance
    stored leaves the tip at once.
    """
    ramp_us = 0 if scene.rng.random() < 0.6 else round(scene.rng.uniform(6.0, 48.0) * HOUR_US)
    closed_us = scene.onset_us + ramp_us
    blocked = Narrowing(scene.onset_us, scene.until_us, ramp_us, _SEALED_KPA / scene.rate_ul_h())
    course, effects = _pressed(scene, scene.course, Effects(narrowings=(blocked,)), closed_us)
    label = scene.label(
        "occlusion",
        "occlusion",
        harm_us=scene.withdrawal(closed_us),
        also=(*DELIVERY_STOPS, "restart_overdose", "overdose_risk"),
        parameters={
            "ramp_h": round(ramp_us / HOUR_US, 2),
            "compliance_ul_per_kpa": scene.design.compliance_ul_per_kpa,
        },
    )
    return course, effects, label


def _pressed(scene: Scene, course: Course, effects: Effects, closed_us: int) -> tuple[Course, Effects]:
    """Add what the rising pressure does: the device's alarm at its limit, no more flow past the slip pressure."""
    design = scene.design
    kpa_h = scene.rate_ul_h() * design.stroke_ratio / design.compliance_ul_per_kpa
    slip_us = closed_us + round((design.slip_kpa - design.body_kpa) / kpa_h * HOUR_US)
    until_us = min(scene.until_us, scene.horizon_us)
    if slip_us < until_us:
        effects += Effects(strokes=(Span(slip_us, scene.until_us, 0.0),))
    if design.pressure_limit_kpa is not None:
        alarm_us = closed_us + round((design.pressure_limit_kpa - design.body_kpa) / kpa_h * HOUR_US)
        if alarm_us < until_us:
            course = course.with_entries(
                device_alarm(alarm_us, "no_delivery", "Outlet pressure above its limit")
            )
    return course, effects


def occlusion_partial(scene: Scene) -> Outcome:
    """Narrow the catheter by 8-30 kPa at the set flow; a displacement pump delivers on once the line is stretched."""
    rate = scene.rate_ul_h()
    ramp_us = round(scene.rng.uniform(0.0, 24.0) * HOUR_US)
    drop_kpa = float(scene.rng.uniform(8.0, 30.0)) + 4.0 * scene.design.line_kpa_h_per_ul * rate
    narrowing = Narrowing(scene.onset_us, scene.until_us, ramp_us, drop_kpa / rate)
    label = scene.label(
        "occlusion",
        "occlusion_partial",
        also=("device_disagrees",),
        parameters={
            "ramp_h": round(ramp_us / HOUR_US, 2),
            "drop_kpa": round(drop_kpa, 2),
            "compliance_ul_per_kpa": scene.design.compliance_ul_per_kpa,
        },
    )
    return scene.course, Effects(narrowings=(narrowing,)), label


def leak(scene: Scene) -> Outcome:
    """Open the line anywhere from its connector to its tip: the outlet sees the still pocket there, the tip gets no drug.

    The flow's resistive pressure is left as far as the line still is.
    """
    pocket_kpa = float(scene.rng.uniform(-0.2, 0.2)) * scene.design.body_kpa
    upstream = float(scene.rng.uniform(0.0, 1.0))
    effects = Effects(leaks=(Opening(scene.onset_us, scene.until_us, pocket_kpa, upstream),))
    label = scene.label(
        "leak",
        "leak",
        harm_us=scene.withdrawal(scene.onset_us),
        also=DELIVERY_STOPS,
        parameters={"pocket_kpa": round(pocket_kpa, 3), "upstream_share": round(upstream, 3)},
    )
    return scene.course, effects, label


def starvation(scene: Scene) -> Outcome:
    """Let little in at the inlet: suction before the pump, strokes not filled, while the encoder counts on."""
    share = float(scene.rng.uniform(0.05, 0.4))
    effects = Effects(inlets=(Span(scene.onset_us, scene.until_us, share),))
    label = scene.label(
        "starvation",
        "starvation",
        harm_us=scene.withdrawal(scene.onset_us) if share < 0.3 else None,
        also=DELIVERY_STOPS,
        parameters={"filled_share": round(share, 3)},
    )
    return scene.course, effects, label


def air(scene: Scene) -> Outcome:
    """Put a gas bubble in the pump head: strokes compress gas, flow is ragged, load falls, until it has passed."""
    share = float(scene.rng.uniform(0.2, 0.6))
    end_us = min(scene.lasting(8 * HOUR_US, 48 * HOUR_US), scene.horizon_us)
    effects = Effects(air=(Span(scene.onset_us, end_us, share),))
    label = scene.label(
        "air_in_line",
        "air",
        end_us=end_us,
        also=("under_delivery", "device_disagrees"),
        parameters={"delivered_share": round(share, 3)},
    )
    return scene.course, effects, label


def stall(scene: Scene) -> Outcome:
    """Stop the rotor outside any MRI: locked (draws more current) or with an open winding (next to none).

    Half of the devices notice it, after half an hour to four.
    """
    effects, course, parameters = _standing(scene, noticed=bool(scene.rng.random() < 0.5))
    label = scene.label(
        "motor_stall",
        "stall",
        harm_us=scene.withdrawal(scene.onset_us),
        also=(*DELIVERY_STOPS, "restart_overdose"),
        parameters=parameters,
    )
    return course, effects, label


def stall_overdue(scene: Scene) -> Outcome:
    """Let the rotor stop in a declared MRI window and not start again after it."""
    end_us = scene.onset_us + minutes(float(scene.rng.uniform(30, 60)))
    window = note(
        scene.onset_us - minutes(30), "mri_window", scene.onset_us - minutes(5), end_us, "MRI of the spine"
    )
    effects, course, parameters = _standing(scene, noticed=True)
    label = scene.label(
        "stall_overdue",
        "stall_overdue",
        harm_us=scene.withdrawal(scene.onset_us),
        also=("motor_stall", *DELIVERY_STOPS, "restart_overdose"),
        parameters=parameters,
    )
    return course.with_entries(window), effects, label


def _standing(scene: Scene, *, noticed: bool) -> tuple[Effects, Course, dict[str, bool]]:
    locked = bool(scene.rng.random() < 0.7)
    size = float(scene.rng.uniform(1.3, 2.2)) if locked else 0.02
    alarms: list[Entry] = []
    if noticed:
        at_us = scene.onset_us + round(scene.rng.uniform(0.5, 4.0) * HOUR_US)
        if at_us < scene.until_us:
            alarms.append(device_alarm(at_us, "motor_stall", "Motor stall detected"))
        if alarms and scene.end_us is not None:
            alarms.append(device_alarm(scene.end_us + minutes(5), "stall_recovered", "Motor stall recovery"))
    effects = Effects(stops=(Span(scene.onset_us, scene.until_us, size),))
    return effects, scene.course.with_entries(*alarms), {"locked": locked, "device_alarm": noticed}


def restart_overdose(scene: Scene) -> Outcome:
    """Suspend the pump for two days; after the restart it delivers far above its tolerance for half a day or so.

    (Sgouros 2010: a near-lethal overdose within minutes of a restart.) The onset is the restart.
    """
    ratio = float(scene.rng.uniform(2.5, 5.0))
    end_us = scene.lasting(8 * HOUR_US, 24 * HOUR_US)
    # Never before the pump has run for a day.
    stop_us = max(scene.onset_us - 2 * DAY_US, scene.course.fills[0].at_us + DAY_US)
    stop_us = min(stop_us, scene.onset_us - 25 * HOUR_US)
    kept = tuple(
        entry
        for entry in scene.course.entries
        if not (entry.kind in ("bolus", "program_set") and stop_us <= entry.at_us <= scene.onset_us)
    )
    course = replace(scene.course, entries=kept).with_entries(
        Entry(stop_us, "suspended", {"reason": "withheld"}),
        Entry(scene.onset_us, "resumed", {"reason": "restart"}),
    )
    stop = Label(scene.pump, "suspension", None, stop_us, scene.onset_us, also=("withdrawal_risk",))
    course = replace(course, labels=(*course.labels, stop))
    label = scene.label(
        "restart_overdose",
        "restart_overdose",
        end_us=end_us,
        harm_us=overdose_us(scene.onset_us, ratio),
        also=("withdrawal_risk", "overdose_risk", *RUNS_OUT, "dry_before_alarm"),
        parameters={"flow_ratio": round(ratio, 3)},
    )
    return course, Effects(strokes=(Span(scene.onset_us, end_us, ratio / scene.design.stroke_ratio),)), label


def _stroke(scene: Scene, kind: str, cause: str, ratio: float, also: tuple[str, ...]) -> Outcome:
    """Set true volume / motor volume to `ratio` from the onset on, whatever this pump's own was."""
    effects = Effects(strokes=(Span(scene.onset_us, scene.until_us, ratio / scene.design.stroke_ratio),))
    label = scene.label(cause, kind, also=also, parameters={"stroke_ratio": round(ratio, 4)})
    return scene.course, effects, label


def early_empty(scene: Scene) -> Outcome:
    """Let the stroke grow so far that the pump will be dry before its own arithmetic says low."""
    filled_us = max(fill.at_us for fill in scene.course.fills if fill.at_us <= scene.onset_us)
    used_ml = scene.rate_ul_h() * (scene.onset_us - filled_us) / HOUR_US / 1000
    full_ml, low_ml = scene.design.reservoir_ml, scene.design.low_reservoir_ml
    device_left_ml = max(full_ml - used_ml, low_ml * 1.5)
    left_ml = device_left_ml + used_ml * (1.0 - scene.design.drive_ratio * scene.design.stroke_ratio)
    ratio = max(left_ml / (device_left_ml - low_ml) * float(scene.rng.uniform(1.08, 1.16)), 1.16)
    return _stroke(scene, "early_empty", "dry_before_alarm", ratio, RUNS_OUT)


def dry_before_alarm(scene: Scene) -> Outcome:
    """Over-deliver since the first fill, just enough to be dry before the alarm: maybe inside the tolerance."""
    ratio = scene.design.silent_ratio() * float(scene.rng.uniform(1.04, 1.12))
    at_start = replace(scene, onset_us=scene.course.fills[0].at_us)
    return _stroke(at_start, "dry_before_alarm", "dry_before_alarm", ratio, RUNS_OUT)


def over_delivery(scene: Scene) -> Outcome:
    """Deliver far above tolerance: the stroke itself has grown."""
    ratio = 1.0 + scene.design.flow_tolerance * float(scene.rng.uniform(1.8, 3.5))
    return _stroke(scene, "over_delivery", "over_delivery", ratio, ("dry_before_alarm", *RUNS_OUT[1:]))


def under_delivery(scene: Scene) -> Outcome:
    """Deliver far below tolerance: the rollers no longer close the tube."""
    ratio = 1.0 - min(scene.design.flow_tolerance * float(scene.rng.uniform(1.8, 3.5)), 0.6)
    also = ("withdrawal_risk", "device_disagrees", "refill_mismatch")
    return _stroke(scene, "under_delivery", "under_delivery", ratio, also)


def drive_wear(scene: Scene) -> Outcome:
    """Wear the gears: load and vibration grow by some percent a day while delivery is still right."""
    per_day = float(scene.rng.uniform(0.02, 0.05))
    effects = Effects(wear=(Span(scene.onset_us, scene.until_us, per_day),))
    label = scene.label("drive_wear", "drive_wear", parameters={"growth_per_day": round(per_day, 4)})
    return scene.course, effects, label
