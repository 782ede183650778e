"""Grades forecasts of when a reservoir runs dry: their intervals against the truth, and against the prior alone.

The truth is what the label says would happen if the program went on (`Label.empties`). The prior alone is the same fold
without anything measured: no telemetry, no drawn-out volume, no volume that the device states.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from contract.events import DeviceAlarm, PumpEvent, ReservoirFilled, Telemetry, VolumeReported
from contract.facts import Forecast
from ingest.simulator import Emptying

QUANTILES: Final = (0.05, 0.5, 0.95)
BINS: Final = 10  # of the predicted probability, for the reliability diagram
_FAR_US: Final = round(3652.5 * 86_400e6)  # contract: null times lie beyond ten years


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What one pump adds. Sums over its graded forecasts, so that pumps can be added up.

    `below`: how often the truth lay at or before each of QUANTILES. `loss`, `prior_loss`: mean pinball loss over the
    quantiles as a share of the time that was truly left. `bins`: forecasts by probability of being dry before the device's
    alarm, [count, sum of probabilities, times that it came true] each.
    """

    forecasts: int = 0
    inside: int = 0
    below: tuple[int, int, int] = (0, 0, 0)
    loss: float = 0.0
    prior_loss: float = 0.0
    bins: tuple[tuple[int, float, int], ...] = ((0, 0.0, 0),) * BINS


def without_measurements(events: Iterable[PumpEvent]) -> list[PumpEvent]:
    """What is left of a pump's events if nobody measured anything: the prior alone."""
    kept: list[PumpEvent] = []
    for event in events:
        if isinstance(event, ReservoirFilled):
            kept.append(replace(event, removed_ml=None))
        elif not isinstance(event, Telemetry | VolumeReported | DeviceAlarm):
            kept.append(event)
    return kept


def calibrate(
    empties: Sequence[Emptying], forecasts: Iterable[Forecast], priors: Iterable[Forecast]
) -> Calibration:
    """Grade those of a pump's forecasts whose truth is known and that the prior alone makes as well."""
    prior_at = {one.at_us: one for one in priors}
    count = inside = 0
    below = [0] * len(QUANTILES)
    loss = prior_loss = 0.0
    bins = [[0, 0.0, 0] for _ in range(BINS)]
    for forecast in forecasts:
        prior = prior_at.get(forecast.at_us)
        truth = next((one for one in empties if one.from_us <= forecast.at_us < one.to_us), None)
        if prior is None or truth is None:
            continue
        told = quantiles_us(forecast)
        count += 1
        inside += told[0] <= truth.at_us <= told[2]
        below = [number + (truth.at_us <= at_us) for number, at_us in zip(below, told, strict=True)]
        loss += pinball(told, truth.at_us, forecast.at_us)
        prior_loss += pinball(quantiles_us(prior), truth.at_us, forecast.at_us)
        if forecast.dry_before_alarm is not None:
            alarm_us = forecast.device_alarm_at_us
            into = bins[min(int(forecast.dry_before_alarm * BINS), BINS - 1)]
            into[0] += 1
            into[1] += forecast.dry_before_alarm
            into[2] += alarm_us is not None and truth.at_us < alarm_us
    return Calibration(
        forecasts=count,
        inside=inside,
        below=(below[0], below[1], below[2]),
        loss=loss,
        prior_loss=prior_loss,
        bins=tuple((int(number), float(total), int(came)) for number, total, came in bins),
    )


def quantiles_us(forecast: Forecast) -> tuple[int, int, int]:
    """Quantiles of the time of running dry; one beyond ten years stands at ten years."""
    far_us = forecast.at_us + _FAR_US
    empty = forecast.empty_at
    early, median, late = (
        far_us if at_us is None else at_us for at_us in (empty.p05_us, empty.p50_us, empty.p95_us)
    )
    return early, median, late


def pinball(told_us: Sequence[int], truth_us: int, at_us: int) -> float:
    """Mean pinball loss of the three quantiles, as a share of the time truly left: without a unit, alike for all pumps."""
    left_us = max(truth_us - at_us, 1)
    losses = (
        (truth_us - quantile_us) * (level if truth_us >= quantile_us else level - 1.0)
        for level, quantile_us in zip(QUANTILES, told_us, strict=True)
    )
    return sum(losses) / len(QUANTILES) / left_us
