"""What one pump adds to an evaluation: small, additive, and kept as a line of JSON so that a long run can go on later."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from contract.facts import Alert, Forecast
from ingest.simulator import Label
from thecaflow.evaluation.calibration import Calibration, calibrate
from thecaflow.evaluation.matching import Found, Judged, match


class FaultScore(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled fault. `delay_s` None: missed. `in_time`: told before harm; None where no harm is defined."""

    kind: str
    cause: str
    observable: bool = True
    delay_s: float | None = None
    in_time: bool | None = None
    said: str | None = None


class AlarmScore(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm and its verdict; `kind`: what it was said of."""

    cause: str
    verdict: str
    loud: bool
    at_us: int
    kind: str


class PumpScore(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one pump that an evaluation counts."""

    pump: str
    healthy: bool
    healthy_us: int
    span_us: int
    faults: tuple[FaultScore, ...] = ()
    alarms: tuple[AlarmScore, ...] = ()
    calibration: Calibration = Calibration()


def score_pump(
    labels: Sequence[Label],
    alerts: Sequence[Alert],
    forecasts: Sequence[Forecast],
    priors: Sequence[Forecast],
    span_us: tuple[int, int],
    labelled: Collection[str],
) -> PumpScore:
    """Score one pump. Its facts in order of time; span_us: its first and last moment; labelled: causes of the whole file."""
    matched = match(labels, alerts, span_us, labelled)
    empties = [one for label in labels for one in label.empties]
    return PumpScore(
        pump=labels[0].pump,
        healthy=not matched.found,
        healthy_us=matched.healthy_us,
        span_us=span_us[1] - span_us[0],
        faults=tuple(_fault(one) for one in matched.found),
        alarms=tuple(_alarm(one) for one in matched.judged),
        calibration=calibrate(empties, forecasts, priors),
    )


def _fault(found: Found) -> FaultScore:
    label = found.label
    in_time = None
    if label.harm_us is not None:
        in_time = found.heard_us is not None and found.heard_us < label.harm_us[0]
    return FaultScore(
        kind=label.kind,
        cause=str(label.cause),
        observable=label.observable,
        delay_s=None if found.delay_us is None else found.delay_us / 1e6,
        in_time=in_time,
        said=found.said,
    )


def _alarm(judged: Judged) -> AlarmScore:
    alarm = judged.alarm
    return AlarmScore(
        cause=alarm.cause,
        verdict=str(judged.verdict),
        loud=alarm.loud is not None,
        at_us=alarm.at_us,
        kind="healthy" if judged.fault is None else judged.fault.kind,
    )
