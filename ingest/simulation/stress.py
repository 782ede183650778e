"""The stress mode: pumps far outside the defaults, drawn without a look at any detector.

Flow over eight decades, sampling from a second to a quarter of an hour, other shapes, channels that are missing, frozen,
drifting, noisy (white, AR(1), 1/f), quantised, spiked or rippled, rows in bursts, clocks that jump. The course of treatment, the plant and
the faults are those of the ordinary fleet; what no channel can show is labelled so (`observability`). Every range here is
a parameter of ours [P], chosen from what sensors and relays are known to do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from contract.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from ingest.simulation.case import Uplink
from ingest.simulation.designs import Design, log_uniform
from ingest.simulation.distortion import Bent, Distortion
from ingest.simulation.effects import Effects, Span
from ingest.simulation.labels import Label
from ingest.simulation.observability import CARRIERS

MAKERS: Final = ("implant", "gated", "syringe", "bench")
MOST_ROWS: Final = 40_000  # a pump; the quicker it samples, the shorter its run
SHORTEST_S, LONGEST_S = 1.0, 900.0
SLOWEST_UL_H, QUICKEST_UL_H = 4.0, 6e8  # 0.1 mL a day to 10 L a minute
_HEALTHY_DAYS: Final = 0.4
_NEEDS_DAYS: Final = {
    "stall": 1.0,
    "leak": 4.0,
    "starvation": 2.0,
    "air": 5.0,
    "occlusion": 8.0,
    "occlusion_partial": 6.0,
    "safe_state": 1.0,
    "eos": 1.0,
    "eri": 1.0,
    "stall_overdue": 4.0,
    "clock_skew": 2.0,
    "counter_restart": 1.0,
    "program_implausible": 2.0,
    "monitoring_lost": 3.0,
    "device_disagrees": 4.0,
}
"""How long a run has to be for the fault to unfold in it; the others need the whole."""
_EXTRA: Final = (
    "flow_ul_h",
    "inlet_kpa",
    "motor_ma",
    "motor_v",
    "vibration_g",
    "vibration2_g",
    "temperature_c",
    "fluid_c",
)
_FRAIL: Final = (
    "pressure_kpa",
    "reservoir_ml",
    "inlet_kpa",
    "motor_ma",
    "vibration_g",
    "temperature_c",
    "battery_v",
)
_PINK: Final = (1.0, 4.0, 16.0, 64.0, 256.0)  # memories whose sum falls as 1/f over three decades


@dataclass(frozen=True, slots=True)
class Strain:
    """What one pump's recording has to bear: how long, how often, and what is done to it. `pressure`: factor on all kPa."""

    days: float
    uplink: Uplink
    pressure: float


def draw_strain(rng: np.random.Generator, days: float, kind: str | None, day: float | None) -> Strain:
    """Draw sampling, uploads and length of a run of at most `days`, long enough for a fault of `kind`, on `day` if told."""
    needed = _HEALTHY_DAYS if kind is None else _NEEDS_DAYS.get(kind, days)
    needed = min(days, needed if day is None else max(needed, day + needed / 2.0))
    slowest_s = max(SHORTEST_S, min(needed * DAY_US / SECOND_US / MOST_ROWS, LONGEST_S))
    period_us = max(round(log_uniform(rng, slowest_s, LONGEST_S)), 1) * SECOND_US
    upload_us = min(max(round(period_us * log_uniform(rng, 16.0, 500.0)), MINUTE_US), 12 * HOUR_US)
    uplink = Uplink(
        period_us,
        max(upload_us, period_us),
        late_share=float(rng.uniform(0.0, 0.15)),
        doubled_share=float(rng.uniform(0.0, 0.1)),
        lost_row_share=float(rng.choice([0.0, 0.01, 0.05])),
        latency_s=min(
            log_uniform(rng, 1.0, 60.0), upload_us / SECOND_US / 20.0
        ),  # a late one is another matter
    )
    return Strain(min(days, MOST_ROWS * period_us / DAY_US), uplink, log_uniform(rng, 0.25, 4.0))


def strained(rng: np.random.Generator, design: Design, strain: Strain) -> Design:
    """Take a design to another flow, pressure and current, and worsen its sensors."""
    rate = log_uniform(rng, max(SLOWEST_UL_H, design.rate_ul_h), QUICKEST_UL_H)
    # Half keep their maker's own flow, so that the slow end, where the drug is given, is not rare.
    flow = 1.0 if rng.random() < 0.5 else max(rate / design.rate_ul_h, 1.0)
    quantum = log_uniform(rng, 1.0, 20.0)
    press = strain.pressure
    per_count, wrap = design.encoder_ul_per_count, design.encoder_wrap_ul
    return replace(
        design,
        maker=design.maker if flow < 10.0 else "bench",  # nobody gives a bolus by hand at litres an hour
        model=f"stress-{design.maker}",
        rate_ul_h=float(f"{design.rate_ul_h * flow:.6g}"),
        concentration_ug_ml=design.concentration_ug_ml / flow,
        reservoir_ml=float(f"{design.reservoir_ml * flow:.6g}"),
        low_reservoir_ml=float(f"{design.low_reservoir_ml * flow:.6g}"),
        dead_volume_ul=design.dead_volume_ul * flow,
        min_rate_ul_h=design.min_rate_ul_h * flow,
        max_rate_ul_h=design.max_rate_ul_h * flow,
        encoder_ul_per_count=None if per_count is None else per_count * flow * quantum,
        encoder_wrap_ul=None if wrap is None else wrap * flow * quantum,
        compliance_ul_per_kpa=design.compliance_ul_per_kpa * flow / press * log_uniform(rng, 0.2, 5.0),
        pressure_limit_kpa=None if design.pressure_limit_kpa is None else design.pressure_limit_kpa * press,
        slip_kpa=design.slip_kpa * press,
        line_kpa_h_per_ul=design.line_kpa_h_per_ul / flow * press,
        body_kpa=design.body_kpa * press,
        posture_kpa=design.posture_kpa * press * float(rng.uniform(0.0, 2.5)),
        pressure_noise_kpa=design.pressure_noise_kpa * press * log_uniform(rng, 0.5, 5.0),
        level_noise_ml=design.level_noise_ml * flow * log_uniform(rng, 0.5, 5.0),
        level_quantum_ml=design.level_quantum_ml * flow * log_uniform(rng, 1.0, 20.0),
        level_drift_ml=design.level_drift_ml * flow * log_uniform(rng, 0.5, 3.0),
        syringe_sd_ml=design.syringe_sd_ml * flow,
        current_ma=design.current_ma * log_uniform(rng, 0.05, 20.0),
        compliance_registered=bool(rng.random() < 0.3),
        utc_offset_min=int(rng.integers(-12, 15)) * 60,
    )


def equip(rng: np.random.Generator, design: Design) -> Design:
    """Take channels away, those that show the fault too, and give others; one is always left."""
    own = [name for name in design.channels if rng.random() >= 0.15]
    more = [name for name in _EXTRA if name not in own and rng.random() < 0.15]
    return replace(design, channels=tuple(own + more) or design.channels[:1])


def draw_distortion(
    rng: np.random.Generator, design: Design, strain: Strain, kind: str | None, span_us: tuple[int, int]
) -> tuple[Distortion, list[tuple[str, Span]]]:
    """Draw what is done to the readings, and list the spans in which a channel is frozen or blank for hours."""
    bent = []
    scales = _scales(design)
    for name in design.channels:
        scale = scales.get(name)
        if scale is not None:
            bent.append((name, _bend(rng, name, scale, design, strain)))
    # What shows the fault is left alive: a dead sensor is another fault.
    needed = set().union(*CARRIERS.get(kind, ())) if kind is not None else set()
    frail = [name for name in design.channels if name in _FRAIL and name not in needed]
    dead = [(name, _while(rng, span_us)) for name in frail if rng.random() < 0.1]
    frozen = [one for one in dead if rng.random() < 0.5]
    blank = [one for one in dead if one not in frozen]
    short = [
        (name, _short(rng, span_us))
        for name in design.channels
        if name not in needed
        for _ in range(int(rng.integers(0, 4)))
    ]
    # Every upload has rows to send: a longer pause would be a silence, and rightly told.
    longest = max(min(60, strain.uplink.upload_us // strain.uplink.period_us), 6)
    every_us = int(rng.integers(5, longest)) * strain.uplink.period_us if rng.random() < 0.15 else 0
    distortion = Distortion(
        bent=tuple(bent),
        frozen=tuple(frozen),
        blank=(*blank, *short),
        every_us=every_us,
        on_us=round(every_us * float(rng.uniform(0.2, 0.6))),
    )
    return distortion, dead


def clock_troubles(rng: np.random.Generator, span_us: tuple[int, int]) -> Effects:
    """A clock that is some seconds off for a while, or, rarely, minutes to an hour ahead."""
    if rng.random() >= 0.25:
        return Effects()
    ahead_s = float(rng.uniform(-50.0, 50.0)) if rng.random() < 0.7 else float(rng.uniform(120.0, 3600.0))
    span = _while(rng, span_us)
    return Effects(clocks=(Span(span.from_us, span.to_us, round(ahead_s, 3)),))


def nuisance_labels(pump: str, dead: list[tuple[str, Span]], clocks: Effects, end_us: int) -> list[Label]:
    """What may be said of dead channels and jumping clocks."""
    labels = [
        Label(pump, "sensor_dead", None, span.from_us, min(span.to_us, end_us), also=("monitoring_lost",),
              parameters={"channel": name})
        for name, span in dead
    ]  # fmt: skip
    labels += [
        Label(pump, "clock_jump", None, span.from_us, min(span.to_us, end_us), also=("clock_skew",),
              parameters={"ahead_s": span.size})
        for span in clocks.clocks
    ]  # fmt: skip
    return labels


def _scales(design: Design) -> dict[str, float]:
    """What a usual deviation of a healthy reading is, in the channel's unit."""
    return {
        "flow_ul_h": 0.02 * design.rate_ul_h,
        "reservoir_ml": design.level_noise_ml,
        "pressure_kpa": design.pressure_noise_kpa,
        "inlet_kpa": 0.1,
        "motor_ma": 0.02 * design.current_ma,
        "motor_v": 0.01,
        "vibration_g": 0.005,
        "vibration2_g": 0.003,
        "temperature_c": 0.05,
        "battery_v": 0.003,
    }


def _bend(rng: np.random.Generator, name: str, scale: float, design: Design, strain: Strain) -> Bent:
    """Draw what is done to one channel; `scale`: a usual deviation of it."""
    gain = strain.pressure if name == "inlet_kpa" else 1.0
    scale *= gain
    noisy, drifting, spiked, coarse, rippled = rng.random(5) < np.array([0.6, 0.3, 0.2, 0.4, 0.2])
    memories: tuple[tuple[float, ...], ...] = ((), (log_uniform(rng, 2.0, 200.0),), _PINK)
    # A level or a flow that drifts far is a fault that no reader could tell from the pump's own.
    furthest = {"reservoir_ml": 0.005 * design.reservoir_ml, "flow_ul_h": 0.02 * design.rate_ul_h}
    drift = furthest.get(name, 4.0 * scale)
    return Bent(
        gain=gain,
        ripple=scale * log_uniform(rng, 0.3, 4.0)
        if rippled and name in ("pressure_kpa", "flow_ul_h")
        else 0.0,
        ripple_s=log_uniform(rng, 0.3, 600.0),
        noise_sd=scale * log_uniform(rng, 0.3, 4.0) if noisy else 0.0,
        memories=memories[int(rng.integers(3))],
        drift=drift * float(rng.uniform(-1.0, 1.0)) if drifting else 0.0,
        spike_share=log_uniform(rng, 1e-5, 3e-3) if spiked and name != "reservoir_ml" else 0.0,
        spike=scale * log_uniform(rng, 10.0, 100.0),
        quantum=scale * log_uniform(rng, 0.3, 8.0) if coarse else 0.0,
    )


def _while(rng: np.random.Generator, span_us: tuple[int, int]) -> Span:
    """A part of the run, a twentieth to a third of it."""
    length_us = round((span_us[1] - span_us[0]) * float(rng.uniform(0.05, 0.33)))
    begin_us = span_us[0] + round(float(rng.random()) * (span_us[1] - span_us[0] - length_us))
    return Span(begin_us, begin_us + length_us)


def _short(rng: np.random.Generator, span_us: tuple[int, int]) -> Span:
    """Minutes to an hour, at most a fiftieth of the run: what every relay loses now and then."""
    longest_us = min((span_us[1] - span_us[0]) // 50, HOUR_US)
    begin_us = span_us[0] + round(float(rng.random()) * (span_us[1] - span_us[0]))
    return Span(begin_us, begin_us + round(longest_us * float(rng.uniform(0.05, 1.0))))
