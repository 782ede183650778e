"""What a plot shows, as JSON for console.js, and the same in numbers for those who do not see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, Final

from dashboards.console.pages.evidence import split_unit
from dashboards.console.pages.words import absolute, number
from storage.history import Channel, Channels, DoseSpan, PastEvent

_GAP: Final = 3.0
"""Times the usual spacing of points: a longer pause is drawn as a hole, not as a line."""

CHANNEL_WORDS: Final = {
    "delivered_ul": "Delivered by the encoder",
    "flow_ul_h": "Measured flow",
    "reservoir_ml": "Reservoir level",
    "pressure_kpa": "Outlet pressure",
    "inlet_kpa": "Inlet pressure",
    "motor_ma": "Motor current",
    "motor_v": "Motor voltage",
    "vibration_g": "Vibration",
    "vibration2_g": "Vibration, second sensor",
    "temperature_c": "Temperature of the pump",
    "fluid_c": "Temperature of the fluid",
    "battery_v": "Battery voltage",
    "stalled": "Motor stalled",
}

CHANNELS_OF: Final[dict[str, tuple[str, ...]]] = {
    "occlusion": ("pressure_kpa", "flow_ul_h", "delivered_ul", "motor_ma"),
    "starvation": ("inlet_kpa", "flow_ul_h", "delivered_ul", "motor_ma"),
    "leak": ("pressure_kpa", "flow_ul_h", "reservoir_ml"),
    "air_in_line": ("pressure_kpa", "flow_ul_h", "inlet_kpa"),
    "drive_wear": ("motor_ma", "vibration_g", "vibration2_g", "delivered_ul"),
    "motor_stall": ("stalled", "motor_ma", "delivered_ul", "flow_ul_h"),
    "stall_overdue": ("stalled", "motor_ma", "delivered_ul", "flow_ul_h"),
    "restart_overdose": ("flow_ul_h", "delivered_ul", "pressure_kpa"),
    "over_delivery": ("reservoir_ml", "delivered_ul", "flow_ul_h"),
    "under_delivery": ("reservoir_ml", "delivered_ul", "flow_ul_h"),
    "dry_before_alarm": ("reservoir_ml", "delivered_ul", "flow_ul_h"),
    "reservoir_low": ("reservoir_ml", "delivered_ul"),
    "reservoir_empty": ("reservoir_ml", "delivered_ul", "flow_ul_h"),
    "refill_due": ("reservoir_ml", "delivered_ul"),
    "refill_mismatch": ("reservoir_ml", "delivered_ul"),
    "battery_eri": ("battery_v",),
    "battery_eos": ("battery_v", "delivered_ul"),
}
OTHERWISE: Final = ("delivered_ul", "flow_ul_h", "pressure_kpa", "reservoir_ml")


def channels_of(cause: str, evidence: Mapping[str, Any]) -> Sequence[str]:
    """Return the channels that tell of an alert: those that its evidence names, else those of its cause."""
    named = evidence.get("channels")
    if isinstance(named, list) and named:
        return [name for name in named if name in CHANNEL_WORDS]
    return CHANNELS_OF.get(cause, OTHERWISE)


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the time axis; `line` names the look of its line: alarm, ours, now, event."""

    at_us: int
    label: str
    line: str = "event"


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot: its data for uPlot, a caption with the numbers, and the table that says the same."""

    title: str
    caption: str
    shown: dict[str, Any]
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default=())


def channel_plots(
    telemetry: Channels, names: Iterable[str] | None = None, marks: Sequence[Mark] = ()
) -> list[Plot]:
    """Return a plot for each channel that reported something, in the order of `names` (None: the contract's)."""
    by_name = {channel.name: channel for channel in telemetry.channels}
    wanted = list(by_name) if names is None else [name for name in names if name in by_name]
    return [_channel_plot(telemetry.at_us, by_name[name], marks) for name in wanted]


def _channel_plot(at_us: Sequence[int], channel: Channel, marks: Sequence[Mark]) -> Plot:
    unit = split_unit(channel.name)[1]
    title = CHANNEL_WORDS.get(channel.name, channel.name)
    least = min(low for low in channel.least if low is not None)
    greatest = max(high for high in channel.greatest if high is not None)
    last, last_us = next(
        (mean, at)
        for mean, at in zip(reversed(channel.mean), reversed(at_us), strict=True)
        if mean is not None
    )
    caption = (
        f"{number(last, 4)} {unit} at {absolute(last_us)}; from {number(least, 4)} to {number(greatest, 4)} {unit}"
        f" since {absolute(at_us[0])}."
    ).replace("  ", " ")
    x, (mean, low, high) = with_holes(at_us, channel.mean, channel.least, channel.greatest)
    series = [
        {"label": "least", "y": low, "look": "edge"},
        {"label": "greatest", "y": high, "look": "edge"},
        {"label": "mean", "y": mean, "look": "first"},
    ]
    every = max(1, len(at_us) // 24)
    rows = [
        (
            absolute(at),
            *(number(column[place], 4) for column in (channel.mean, channel.least, channel.greatest)),
        )
        for place, at in list(enumerate(at_us))[::every]
    ]
    return Plot(
        title=title,
        caption=caption,
        shown={"x": x, "series": series, "bands": [[2, 1]], "unit": unit, "marks": _marks(marks)},
        heads=("Time (UTC)", f"Mean {unit}".strip(), "Least", "Greatest"),
        rows=rows,
    )


def dose_plot(spans: Sequence[DoseSpan], assessments: Sequence[PastEvent]) -> Plot:
    """Return programmed, sensed and tip dose by window, in ug where a concentration is known, with assessments beside."""
    known = any(span.programmed_ug is not None for span in spans)
    unit = "µg" if known else "µL"
    columns: dict[str, list[float | None]] = {
        "programmed": [span.programmed_ug if known else span.programmed_ul for span in spans],
        "sensed": [span.sensed_ug if known else span.sensed_ul for span in spans],
    }
    if known:
        columns["at the tip"] = [span.tip_ug for span in spans]
    looks = dict(zip(columns, ("third", "second", "first"), strict=False))
    x = [span.to_us / 1e6 for span in spans]
    series = [{"label": name, "y": ys, "look": looks[name], "step": True} for name, ys in columns.items()]
    scores = [
        Mark(told.at_us, f"{told.event.scale} {number(told.event.score)}", "event")  # type: ignore[union-attr]
        for told in assessments
        if spans and spans[0].from_us <= told.at_us <= spans[-1].to_us
    ]
    last = spans[-1] if spans else None
    caption = (
        "No window has ended yet."
        if last is None
        else f"Last window, to {absolute(last.to_us)}: "
        + ", ".join(f"{name} {number(ys[-1], 4)} {unit}" for name, ys in columns.items())
        + "."
    )
    return Plot(
        title="Dose by window",
        caption=caption,
        shown={"x": x, "series": series, "bands": [], "unit": unit, "marks": _marks(scores), "zero": True},
    )


def with_holes(
    at_us: Sequence[int], *columns: Sequence[float | None]
) -> tuple[list[float], list[list[float | None]]]:
    """Return times in seconds and the columns, with a null row in each pause of more than `_GAP` times the usual spacing."""
    steps = [after - before for before, after in pairwise(at_us)]
    longest = _GAP * median(steps) if steps else 0.0
    x: list[float] = []
    out: list[list[float | None]] = [[] for _ in columns]
    for place, at in enumerate(at_us):
        if place and steps[place - 1] > longest:
            x.append((at_us[place - 1] + 1) / 1e6)
            for column in out:
                column.append(None)
        x.append(at / 1e6)
        for column, readings in zip(out, columns, strict=True):
            reading = readings[place]
            column.append(None if reading is None else float(f"{reading:.6g}"))
    return x, out


def _marks(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    return [{"x": mark.at_us / 1e6, "label": mark.label, "line": mark.line} for mark in marks]
