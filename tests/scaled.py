"""A recording in other units: every volume and flow, every pressure and every current of its events times a factor."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from msgspec.structs import replace

from contract.events import (
    CHANNEL_INDEX,
    Bolus,
    ProgramSet,
    PumpEvent,
    PumpRegistered,
    ReservoirFilled,
    Telemetry,
    VolumeReported,
)

VOLUME_CHANNELS = ("delivered_ul", "flow_ul_h", "reservoir_ml")
PRESSURE_CHANNELS = ("pressure_kpa", "inlet_kpa")
CURRENT_CHANNELS = ("motor_ma",)


def times(number: float | None, factor: float) -> float | None:
    """A number that may be absent, times a factor."""
    return None if number is None else number * factor


def scaled(events: Iterable[PumpEvent], volumes: float, pressures: float, currents: float) -> list[PumpEvent]:
    """The same pump in other units; the concentration goes the other way, so that the drug is the same."""
    return [_scaled(event, volumes, pressures, currents) for event in events]


def _scaled(event: PumpEvent, volumes: float, pressures: float, currents: float) -> PumpEvent:
    match event:
        case PumpRegistered():
            return _registered(event, volumes, pressures)
        case ReservoirFilled():
            return replace(
                event,
                removed_ml=times(event.removed_ml, volumes),
                filled_ml=times(event.filled_ml, volumes),
                concentration_ug_ml=event.concentration_ug_ml / volumes,
            )
        case ProgramSet():
            steps = [replace(one, rate_ul_h=one.rate_ul_h * volumes) for one in event.steps]
            pulses = event.periodic_bolus
            if pulses is not None:
                pulses = replace(pulses, volume_ul=pulses.volume_ul * volumes)
            return replace(event, steps=type(event.steps)(steps), periodic_bolus=pulses)
        case Bolus():
            return replace(
                event,
                programmed_ul=event.programmed_ul * volumes,
                delivered_ul=times(event.delivered_ul, volumes),
            )
        case VolumeReported():
            return replace(event, value_ul=event.value_ul * volumes)
        case Telemetry():
            factors = np.ones(event.columns.shape[0])
            for names, factor in (
                (VOLUME_CHANNELS, volumes),
                (PRESSURE_CHANNELS, pressures),
                (CURRENT_CHANNELS, currents),
            ):
                factors[[CHANNEL_INDEX[name] for name in names]] = factor
            return replace(event, columns=event.columns * factors[:, None])
        case _:
            return event


def _registered(event: PumpRegistered, volumes: float, pressures: float) -> PumpRegistered:
    return replace(
        event,
        reservoir_ml=times(event.reservoir_ml, volumes),
        low_reservoir_ml=times(event.low_reservoir_ml, volumes),
        dead_volume_ul=times(event.dead_volume_ul, volumes),
        min_rate_ul_h=event.min_rate_ul_h * volumes,
        max_rate_ul_h=event.max_rate_ul_h * volumes,
        encoder_ul_per_count=times(event.encoder_ul_per_count, volumes),
        encoder_wrap_ul=times(event.encoder_wrap_ul, volumes),
        compliance_ul_per_kpa=times(event.compliance_ul_per_kpa, volumes / pressures),
        pressure_limit_kpa=times(event.pressure_limit_kpa, pressures),
    )
