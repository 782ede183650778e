"""The evaluation of a fleet: what its pumps' scores come to, by cause and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from contract.facts import Cause
from thecaflow.evaluation.bootstrap import Bootstrap, Estimate
from thecaflow.evaluation.calibration import BINS, QUANTILES
from thecaflow.evaluation.matching import Verdict
from thecaflow.evaluation.scores import FaultScore, PumpScore

YEAR_US: Final = 365.25 * 86_400e6
DELAYS: Final = (0.5, 0.9, 0.95)
NOTHING: Final = "nothing"
MISSED: Final = "missed"
ALL: Final = "all"
MISTAKES: Final = (Verdict.WRONG, Verdict.FALSE)


class CauseResult(msgspec.Struct, frozen=True, kw_only=True):
    """One cause. Faults that no channel can show are counted as `unobservable` and nowhere else.

    `recall`: named / faults. `precision`: named / (named + wrong + false), consequences and repeats aside.
    `in_time`: told before the earliest harm, by this cause or one of its consequences, of the faults that bear harm.
    `right`: of the faults of which anything was said, those of which the right cause was said first.
    `delays_s`: from the onset, of named faults, at the quantiles DELAYS. `false_per_year`: loud ones on healthy spans.
    """

    cause: str
    faults: int
    unobservable: int
    recall: Estimate
    precision: Estimate
    in_time: Estimate
    right: Estimate
    delays_s: tuple[Estimate, ...]
    false_per_year: Estimate
    wrong: int
    false: int


class ForecastResult(msgspec.Struct, frozen=True, kw_only=True):
    """`coverage` of p05-p95; `quantiles`: how often the truth came by each of QUANTILES; losses without a unit.

    `gain`: the loss of the prior alone less ours, as a share of it. `bins`: count, mean probability of being dry before the
    device's own alarm, share that it came true.
    """

    forecasts: int
    pumps: int
    coverage: Estimate
    quantiles: tuple[Estimate, ...]
    loss: Estimate
    prior_loss: Estimate
    gain: Estimate
    bins: tuple[tuple[int, float, float], ...]


class Lapse(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong in one way: a cause `missed`, `wrong` or `false`, of a kind of fault, how often, with an example."""

    how: str
    cause: str
    kind: str
    count: int
    pump: str
    at_us: int | None = None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. `pooled` is over all causes; `confusion`: labelled cause -> what was said first -> how often."""

    seed: int
    pumps: int
    healthy_pumps: int
    healthy_years: float
    years: float
    pooled: CauseResult
    causes: tuple[CauseResult, ...]
    confusion: dict[str, dict[str, int]]
    forecasts: ForecastResult
    lapses: tuple[Lapse, ...]
    delays_s: dict[str, tuple[float, ...]]
    """Delays of all named faults by cause, for pictures."""


def evaluate(scores: Sequence[PumpScore], seed: int) -> Evaluation:
    """Add up the scores of a fleet, with intervals from `seed`."""
    scores = sorted(scores, key=lambda one: one.pump)  # the draws go by place
    draws = Bootstrap(max(len(scores), 1), seed)
    seen = {fault.cause for one in scores for fault in one.faults}
    seen |= {alarm.cause for one in scores for alarm in one.alarms if alarm.verdict in MISTAKES}
    causes = [str(cause) for cause in Cause if str(cause) in seen]
    results = tuple(_cause(scores, draws, cause) for cause in causes)
    return Evaluation(
        seed=seed,
        pumps=len(scores),
        healthy_pumps=sum(one.healthy for one in scores),
        healthy_years=sum(one.healthy_us for one in scores) / YEAR_US,
        years=sum(one.span_us for one in scores) / YEAR_US,
        pooled=_cause(scores, draws, None),
        causes=results,
        confusion=_confusion(scores),
        forecasts=_forecasts(scores, draws),
        lapses=_lapses(scores),
        delays_s={
            cause: tuple(
                sorted(f.delay_s for f in _faults(scores) if f.cause == cause and f.delay_s is not None)
            )
            for cause in causes
        },
    )


def _faults(scores: Sequence[PumpScore]) -> list[FaultScore]:
    """All faults that could be seen."""
    return [fault for one in scores for fault in one.faults if fault.observable]


def _cause(scores: Sequence[PumpScore], draws: Bootstrap, cause: str | None) -> CauseResult:
    """Count one cause, None: all of them, pump by pump."""
    faults, named, harmful, in_time, said, right = ([0.0] * len(scores) for _ in range(6))
    good, mistakes, loud_false = ([0.0] * len(scores) for _ in range(3))
    delays: list[float] = []
    owners: list[int] = []
    unobservable = 0
    verdicts: Counter[str] = Counter()
    for pump, score in enumerate(scores):
        for fault in score.faults:
            if cause not in (None, fault.cause):
                continue
            if not fault.observable:
                unobservable += 1
                continue
            faults[pump] += 1
            if fault.delay_s is not None:
                named[pump] += 1
                delays.append(fault.delay_s)
                owners.append(pump)
            if fault.in_time is not None:
                harmful[pump] += 1
                in_time[pump] += fault.in_time
            if fault.said is not None:
                said[pump] += 1
                right[pump] += fault.said == fault.cause
        for alarm in score.alarms:
            if cause in (None, alarm.cause):
                verdicts[alarm.verdict] += 1
                good[pump] += alarm.verdict == Verdict.NAMED
                mistakes[pump] += alarm.verdict in MISTAKES
                loud_false[pump] += alarm.loud and alarm.verdict == Verdict.FALSE
    years = [score.healthy_us / YEAR_US for score in scores]
    return CauseResult(
        cause=ALL if cause is None else cause,
        faults=int(sum(faults)),
        unobservable=unobservable,
        recall=draws.share(named, faults),
        precision=draws.share(good, [a + b for a, b in zip(good, mistakes, strict=True)]),
        in_time=draws.share(in_time, harmful),
        right=draws.share(right, said),
        delays_s=tuple(draws.quantile(level, delays, owners) for level in DELAYS),
        false_per_year=draws.rate(loud_false, years),
        wrong=verdicts[Verdict.WRONG],
        false=verdicts[Verdict.FALSE],
    )


def _confusion(scores: Sequence[PumpScore]) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = {}
    for fault in _faults(scores):
        table.setdefault(fault.cause, Counter())[fault.said or NOTHING] += 1
    order = {str(cause): place for place, cause in enumerate(Cause)}
    return {cause: dict(table[cause]) for cause in sorted(table, key=lambda name: order.get(name, -1))}


def _lapses(scores: Sequence[PumpScore]) -> tuple[Lapse, ...]:
    """Everything that went wrong, the commonest first."""
    counted: Counter[tuple[str, str, str]] = Counter()
    example: dict[tuple[str, str, str], tuple[str, int | None]] = {}
    for score in scores:
        ways: list[tuple[tuple[str, str, str], int | None]] = [
            ((MISSED, fault.cause, fault.kind), None)
            for fault in score.faults
            if fault.observable and fault.delay_s is None
        ]
        ways += [
            ((alarm.verdict, alarm.cause, alarm.kind), alarm.at_us)
            for alarm in score.alarms
            if alarm.verdict in MISTAKES
        ]
        for way, at_us in ways:
            counted[way] += 1
            example.setdefault(way, (score.pump, at_us))
    return tuple(
        Lapse(how=way[0], cause=way[1], kind=way[2], count=count, pump=example[way][0], at_us=example[way][1])
        for way, count in counted.most_common()
    )


def _forecasts(scores: Sequence[PumpScore], draws: Bootstrap) -> ForecastResult:
    parts = [score.calibration for score in scores]
    counts = [float(part.forecasts) for part in parts]
    losses = [part.loss for part in parts]
    priors = [part.prior_loss for part in parts]
    bins = []
    for number in range(BINS):
        count = sum(part.bins[number][0] for part in parts)
        chance = sum(part.bins[number][1] for part in parts)
        came = sum(part.bins[number][2] for part in parts)
        bins.append((count, chance / max(count, 1), came / max(count, 1)))
    return ForecastResult(
        forecasts=int(sum(counts)),
        pumps=sum(count > 0 for count in counts),
        coverage=draws.share([float(part.inside) for part in parts], counts),
        quantiles=tuple(
            draws.share([float(part.below[place]) for part in parts], counts)
            for place in range(len(QUANTILES))
        ),
        loss=draws.mean(losses, counts),
        prior_loss=draws.mean(priors, counts),
        gain=draws.mean([prior - loss for prior, loss in zip(priors, losses, strict=True)], priors),
        bins=tuple(bins),
    )
