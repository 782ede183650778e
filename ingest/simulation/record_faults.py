"""Faults of the record, the electronics and the relay: programs, refills, battery, clock, counter, silence."""

from __future__ import annotations

from dataclasses import replace

from contract.times import DAY_US, HOUR_US, format_us
from ingest.simulation.clinic import REFILL_SHARE, Course, continuous, fill_entry
from ingest.simulation.clock import minutes
from ingest.simulation.effects import FOREVER_US, Effects, Span
from ingest.simulation.entries import Entry, device_alarm
from ingest.simulation.labels import overdose_us
from ingest.simulation.plant import Fill
from ingest.simulation.scene import DELIVERY_STOPS, Outcome, Scene, scaled_program


def program_implausible(scene: Scene) -> Outcome:
    """Slip the decimal point of a program; the clinic corrects it after some hours."""
    ratio = float(scene.rng.choice([4.0, 5.0, 10.0]))
    before = [e for e in scene.course.entries if e.kind == "program_set" and e.at_us <= scene.onset_us][-1]
    slip = continuous(scene.onset_us, round(scene.rate_ul_h() * ratio, 4))
    end_us = scene.lasting(3 * HOUR_US, 12 * HOUR_US)
    kept = tuple(
        e
        for e in scene.course.entries
        if not (e.kind == "program_set" and scene.onset_us < e.at_us <= end_us)
    )
    course = replace(scene.course, entries=kept).with_entries(slip, replace(before, at_us=end_us))
    spent_ml = scene.rate_ul_h() * (ratio - 1.0) * (end_us - scene.onset_us) / HOUR_US / 1000.0
    if spent_ml > 0.5 * REFILL_SHARE * scene.design.reservoir_ml and end_us < scene.horizon_us:
        # Who takes the slip back knows what it has cost: the next refill would come too late.
        course = _with_fill(
            replace(scene, course=course),
            end_us + minutes(10),
            scene.design.reservoir_ml,
            scene.concentration_ug_ml(),
        )
    harm = overdose_us(scene.onset_us, ratio)
    label = scene.label(
        "program_implausible",
        "program_implausible",
        end_us=end_us,
        harm_us=harm if harm is not None and harm[0] < end_us else None,
        also=("overdose_risk", "dry_before_alarm", "reservoir_low", "refill_due", "tolerance_review"),
        parameters={"dose_ratio": ratio},
    )
    return course, Effects(), label


def silence(scene: Scene) -> Outcome:
    """Let no upload through for two to four days or as long as asked; what was measured meanwhile is sent after it."""
    end_us = scene.lasting(2 * DAY_US, 4 * DAY_US)
    label = scene.label("telemetry_silent", "silence", end_us=end_us, also=("monitoring_lost",))
    if end_us >= scene.horizon_us:
        label = replace(label, end_us=None)
    return scene.course, Effects(gaps=(Span(scene.onset_us, end_us),)), label


def eri(scene: Scene) -> Outcome:
    """Bring the battery to its elective replacement: lower voltage and an alarm, flow goes on."""
    course = scene.course.with_entries(device_alarm(scene.onset_us, "eri", "Elective replacement indicator"))
    return (
        course,
        Effects(batteries=(Span(scene.onset_us, FOREVER_US, 2.6),)),
        scene.label("battery_eri", "eri"),
    )


def eos(scene: Scene) -> Outcome:
    """End the battery's life: an alarm, and the pump stops for good."""
    course = scene.course.with_entries(device_alarm(scene.onset_us, "eos", "End of service, pump stopped"))
    effects = Effects(
        batteries=(Span(scene.onset_us, FOREVER_US, 2.2),), stops=(Span(scene.onset_us, FOREVER_US, 0.0),)
    )
    also = (*DELIVERY_STOPS, "motor_stall", "battery_eri")
    label = scene.label("battery_eos", "eos", harm_us=scene.withdrawal(scene.onset_us), also=also)
    return course, effects, label


def safe_state(scene: Scene) -> Outcome:
    """Reset the device into its safe state: the lowest flow and an alarm."""
    course = scene.course.with_entries(device_alarm(scene.onset_us, "safe_state", "Pump reset to safe state"))
    effects = Effects(minimum_rates=(Span(scene.onset_us, scene.until_us, scene.design.min_rate_ul_h),))
    also = (*DELIVERY_STOPS, "motor_stall")
    label = scene.label("safe_state", "safe_state", harm_us=scene.withdrawal(scene.onset_us), also=also)
    return course, effects, label


def clock_skew(scene: Scene) -> Outcome:
    """Set the device's clock ahead by 10 minutes to 3 hours."""
    ahead_s = float(scene.rng.integers(600, 10_800))
    effects = Effects(clocks=(Span(scene.onset_us, scene.until_us, ahead_s),))
    return scene.course, effects, scene.label("clock_skew", "clock_skew", parameters={"ahead_s": ahead_s})


def counter_restart(scene: Scene) -> Outcome:
    """Begin the counter at 0 again after a reset of the electronics: a nuisance, the flow is as it was."""
    return scene.course, Effects(restarts_us=(scene.onset_us,)), scene.label(None, "counter_restart")


def monitoring_lost(scene: Scene) -> Outcome:
    """Lose the outlet pressure sensor: nulls from the onset on, and nothing that replaces it."""
    effects = Effects(blinds=(Span(scene.onset_us, scene.until_us),), blind_channels=("pressure_kpa",))
    return scene.course, effects, scene.label("monitoring_lost", "monitoring_lost")


def device_disagrees(scene: Scene) -> Outcome:
    """State a delivered volume that is 30-60 % off the counter's: the device's own log is wrong."""
    ratio = float(scene.rng.choice([-1.0, 1.0])) * float(scene.rng.uniform(0.3, 0.6)) + 1.0
    begin_us = max(scene.onset_us - DAY_US, scene.course.fills[0].at_us + HOUR_US)
    delivered_ul = scene.rate_ul_h() * (scene.onset_us - begin_us) / HOUR_US
    fields = {
        "ledger": "delivered",
        "value_ul": round(delivered_ul * ratio, 2),
        "from": format_us(begin_us),
        "to": format_us(scene.onset_us),
    }
    course = scene.course.with_entries(Entry(scene.onset_us, "volume_reported", fields, source="device"))
    label = scene.label("device_disagrees", "device_disagrees", parameters={"stated_ratio": round(ratio, 3)})
    return course, Effects(), label


def missed_refill(scene: Scene) -> Outcome:
    """Let a refill be forgotten: the pump is as it should be, the reservoir runs down to its alarm level and below.

    The onset, when the alarm level is reached, is filled in once the plant has run.
    """
    scene = replace(scene, onset_us=scene.course.fills[0].at_us)
    label = scene.label(
        "reservoir_low",
        "missed_refill",
        also=(
            "reservoir_empty",
            "refill_due",
            "withdrawal_risk",
            "under_delivery",
            "starvation",
            "device_disagrees",
        ),
    )
    return scene.course, Effects(), label


def refill_mismatch(scene: Scene) -> Outcome:
    """Put a part of a refill beside the port (a pocket fill); the record states the full volume."""
    design = scene.design
    lost_ml = (4.0 if design.reservoir_ml > 20 else 2.5) * float(scene.rng.uniform(1.0, 2.0))
    lost_ml = lost_ml if design.maker != "bench" else 0.3 * design.reservoir_ml
    course = _with_fill(scene, scene.onset_us, design.reservoir_ml - lost_ml, scene.concentration_ug_ml())
    label = scene.label(
        "refill_mismatch",
        "refill_mismatch",
        also=("dry_before_alarm", "reservoir_low", "overdose_risk", "over_delivery", "device_disagrees"),
        parameters={"missing_ml": round(lost_ml, 2)},
    )
    return course, Effects(), label


def bridge_missing(scene: Scene) -> Outcome:
    """Fill twice the concentration at half the rate without a bridge: the old drug in the line comes at half dose."""
    design, rate = scene.design, scene.rate_ul_h()
    before = [e for e in scene.course.entries if e.kind == "program_set" and e.at_us <= scene.onset_us][-1]
    later = tuple(
        _at_half(entry) if entry.at_us > scene.onset_us else entry for entry in scene.course.entries
    )
    course = _with_fill(
        replace(scene, course=replace(scene.course, entries=later)),
        scene.onset_us,
        design.reservoir_ml,
        2.0 * scene.concentration_ug_ml(),
    ).with_entries(replace(scaled_program(before, 0.5), at_us=scene.onset_us + minutes(2)))
    end_us = scene.onset_us + round(design.dead_volume_ul / (rate / 2) * HOUR_US)
    label = scene.label(
        "bridge_missing",
        "bridge_missing",
        end_us=min(end_us, scene.horizon_us),
        also=("withdrawal_risk",),
        parameters={"dose_ratio": 0.5},
    )
    return course, Effects(), label


def _at_half(entry: Entry) -> Entry:
    """Halve the rate of a program, and double the drug of a fill."""
    if entry.kind == "program_set":
        return scaled_program(entry, 0.5)
    if entry.kind == "reservoir_filled":
        strength = 2.0 * entry.fields["concentration_ug_ml"]
        return replace(entry, fields={**entry.fields, "concentration_ug_ml": strength})
    return entry


def _with_fill(scene: Scene, at_us: int, true_ml: float, concentration_ug_ml: float) -> Course:
    """Add one more refill to the brim at at_us, of which true_ml really went in."""
    fills = tuple(sorted((*scene.course.fills, Fill(at_us, true_ml)), key=lambda fill: fill.at_us))
    entry = fill_entry(at_us, scene.design.reservoir_ml, concentration_ug_ml)
    return replace(scene.course, fills=fills).with_entries(entry)
