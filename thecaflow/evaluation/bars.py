"""The bars that an evaluation is held against: those of the product, and what a stress fleet may fall short of them.

Whether a number passes is asked of the number itself, not of its interval: the fleets are as large as they are so that
the interval is narrow. Only coverage is asked of its interval, which has to contain 90 %.
"""

from __future__ import annotations

from typing import Final

import msgspec

from thecaflow.evaluation.bootstrap import Estimate
from thecaflow.evaluation.result import CauseResult, Evaluation

STRESS_GIVES: Final = 0.05  # "stress mode at most 5 points less"
_INTERVAL: Final = 0.9  # what lies between p05 and p95


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be reached; `coverage`: the interval of the coverage has to contain it."""

    recall_pooled: float = 0.98
    recall_each: float = 0.95
    false_per_year: float = 0.1
    in_time: float = 0.99
    right: float = 0.95
    precision: float = 0.95
    coverage: float | None = _INTERVAL
    gain: bool = True
    faults_each: int = 0
    healthy_years: float = 0.0


NORMAL: Final = Bars(faults_each=200, healthy_years=500.0)
STRESS: Final = Bars(
    recall_pooled=NORMAL.recall_pooled - STRESS_GIVES,
    recall_each=NORMAL.recall_each - STRESS_GIVES,
    in_time=NORMAL.in_time - STRESS_GIVES,
    right=NORMAL.right - STRESS_GIVES,
    precision=NORMAL.precision - STRESS_GIVES,
    coverage=None,
    gain=False,
)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One bar: what was asked, what was found, whether that is enough."""

    what: str
    asked: str
    found: str
    passed: bool


def judge(result: Evaluation, bars: Bars) -> list[Verdict]:
    """Hold an evaluation against bars; what could not be counted fails."""
    pooled, told = result.pooled, result.forecasts
    verdicts = [
        _least("recall, pooled", bars.recall_pooled, pooled.recall),
        *(_least(f"recall, {one.cause}", bars.recall_each, one.recall) for one in _labelled(result)),
        _most("false high and medium alerts a pump-year", bars.false_per_year, pooled.false_per_year),
        _least("told before harm", bars.in_time, pooled.in_time),
        _least("right cause first", bars.right, pooled.right),
        _least("precision, pooled", bars.precision, pooled.precision),
    ]
    if bars.coverage is not None:
        found = told.coverage
        held = found.lo is not None and found.hi is not None and found.lo <= bars.coverage <= found.hi
        asked = f"interval contains {bars.coverage:.0%}"
        verdicts.append(Verdict(what="coverage of p05-p95", asked=asked, found=shown(found), passed=held))
    if bars.gain:
        held = told.gain.value is not None and told.gain.value > 0.0
        verdicts.append(
            Verdict(what="pinball loss below the prior's", asked="> 0 %", found=shown(told.gain), passed=held)
        )
    if bars.healthy_years:
        asked = f">= {bars.healthy_years:g}"
        found_years = f"{result.healthy_years:.0f}"
        held = result.healthy_years >= bars.healthy_years
        verdicts.append(Verdict(what="healthy pump-years", asked=asked, found=found_years, passed=held))
    if bars.faults_each:
        least = min((one for one in _labelled(result) if one.in_time.n), key=_count, default=None)
        name, count = ("", 0) if least is None else (f" ({least.cause})", least.faults)
        verdicts.append(
            Verdict(
                what="faults of each cause that bears harm",
                asked=f">= {bars.faults_each}",
                found=f"{count}{name}",
                passed=count >= bars.faults_each,
            )
        )
    return verdicts


def shown(estimate: Estimate, *, percent: bool = True) -> str:
    """A number with its interval, as it is printed."""
    if estimate.value is None:
        return "-"
    unit = " %" if percent else ""
    told = f"{_form(estimate.value, percent=percent)}{unit}"
    if estimate.lo is None or estimate.hi is None:
        return told
    return f"{told} ({_form(estimate.lo, percent=percent)}-{_form(estimate.hi, percent=percent)})"


def _form(number: float, *, percent: bool) -> str:
    return f"{100 * number:.1f}" if percent else f"{number:.3g}"


def _labelled(result: Evaluation) -> list[CauseResult]:
    return [one for one in result.causes if one.faults]


def _count(one: CauseResult) -> int:
    return one.faults


def _least(what: str, bar: float, found: Estimate) -> Verdict:
    held = found.value is not None and found.value >= bar
    return Verdict(what=what, asked=f">= {100 * bar:g} %", found=shown(found), passed=held)


def _most(what: str, bar: float, found: Estimate) -> Verdict:
    held = found.value is not None and found.value <= bar
    return Verdict(what=what, asked=f"<= {bar:g}", found=shown(found, percent=False), passed=held)
