"""A clinical or device event in a sentence."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, Final

from contract import events as said
from contract.times import SECOND_US
from dashboards.console.pages.words import absolute, duration, number

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

TYPE_WORDS: Final = {
    "pump_registered": "Pump registered",
    "reservoir_filled": "Reservoir filled",
    "program_set": "Program set",
    "bolus": "Bolus",
    "suspended": "Suspended",
    "resumed": "Resumed",
    "device_alarm": "Alarm of the pump itself",
    "volume_reported": "Volume stated by the pump",
    "note": "Note",
    "assessment": "Assessment",
    "alert_ack": "Alert acknowledged",
    "alert_shelved": "Alert put aside",
    "pump_explanted": "Pump taken out",
}


@singledispatch
def sentence(_event: Any) -> str:
    """Return what an event says beside its type; empty where the type says it all."""
    return ""


@sentence.register
def _(event: said.PumpRegistered) -> str:
    high_risk = ", high-risk patient" if event.high_risk else ""
    return (
        f"{event.model}, {number(event.reservoir_ml)} mL, own alarm at {number(event.low_reservoir_ml)} mL,"
        f" tolerance ±{number(100 * event.flow_tolerance)} %{high_risk}"
    )


@sentence.register
def _(event: said.ReservoirFilled) -> str:
    removed = (
        "an unknown volume drawn out"
        if event.removed_ml is None
        else f"{number(event.removed_ml)} mL drawn out"
    )
    filled = "filled up" if event.filled_ml is None else f"{number(event.filled_ml)} mL filled in"
    return f"{removed}, {filled}: {event.drug} {number(event.concentration_ug_ml, 6)} µg/mL"


@sentence.register
def _(event: said.ProgramSet) -> str:
    parts = [_step(step, alone=len(event.steps) == 1) for step in event.steps]
    if event.periodic_bolus is not None:
        pulse = event.periodic_bolus
        every = duration(round(pulse.every_s * SECOND_US))
        parts.append(f"pulses of {number(pulse.volume_ul)} µL every {every}")
    rates = "; ".join(parts)
    return f"{event.mode.replace('_', ' ')}: {rates}" if rates else event.mode.replace("_", " ")


def _step(step: said.ProgramStep, *, alone: bool) -> str:
    rate = f"{number(step.rate_ul_h, 4)} µL/h"
    days = "" if step.days is None else " on " + ", ".join(_DAYS[day] for day in step.days)
    if alone and not step.minute:
        return rate + days
    return f"{rate} from {step.minute // 60:02d}:{step.minute % 60:02d}{days}"


@sentence.register
def _(event: said.Bolus) -> str:
    text = f"{event.kind}, {number(event.programmed_ul)} µL by {event.route}"
    if event.dose_ug is not None:
        text += f", {number(event.dose_ug)} µg"
    if event.duration_s:
        text += f" over {duration(round(event.duration_s * SECOND_US))}"
    if event.delivered_ul is not None:
        text += f"; {number(event.delivered_ul)} µL delivered"
    return text


@sentence.register(said.Suspended)
@sentence.register(said.Resumed)
@sentence.register(said.PumpExplanted)
def _(event: said.Suspended | said.Resumed | said.PumpExplanted) -> str:
    return event.reason or ""


@sentence.register
def _(event: said.DeviceAlarm) -> str:
    return f"{event.code.replace('_', ' ')}: {event.text}" if event.text else event.code.replace("_", " ")


@sentence.register
def _(event: said.VolumeReported) -> str:
    if event.ledger == "reservoir":
        return f"{number(event.value_ul, 4)} µL in the reservoir"
    return (
        f"{number(event.value_ul, 4)} µL delivered from {absolute(event.from_us)} to {absolute(event.to_us)}"
    )


@sentence.register
def _(event: said.Note) -> str:
    span = f"from {absolute(event.from_us)} to {absolute(event.to_us)}"
    return f"{event.kind.replace('_', ' ')} {span}" + (f": {event.text}" if event.text else "")


@sentence.register
def _(event: said.Assessment) -> str:
    site = f" ({event.site})" if event.site else ""
    return f"{event.scale.capitalize()} {number(event.score)}{site}"


@sentence.register
def _(event: said.AlertAck) -> str:
    return _answer(event)


@sentence.register
def _(event: said.AlertShelved) -> str:
    return f"until {absolute(event.until_us)}, {_answer(event)}"


def _answer(event: said.AlertAck | said.AlertShelved) -> str:
    what = "" if event.cause is None else f"{event.cause.replace('_', ' ')} "
    who = event.actor or "somebody"
    return f"{what}by {who}" + (f": {event.reason}" if event.reason else "")
