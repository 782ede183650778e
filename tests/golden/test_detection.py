"""A small, seeded `make evaluate`: what the large one would find on a bad day, in a minute or two.

Every bar is that of the product lowered by what chance does to so few faults: 3.1 standard deviations, which a good
detector falls below once in a thousand seeds, and the seed is fixed. So a failure here means that detection got worse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import pytest

from thecaflow.evaluation import bars, fleets, resampling, tables
from thecaflow.evaluation.result import evaluate

SEED: Final = 20_260_101
DEVIATIONS: Final = 3.1
SHARE: Final = 0.04  # 8 faults of each cause that bears harm, 4 of the others


def lowered(share: float, trials: int) -> float:
    """What a share falls below once in a thousand times if so many are drawn."""
    return share - DEVIATIONS * (share * (1.0 - share) / trials) ** 0.5


def quick(bar: bars.Bars, faults: int, harmful: int, healthy_years: float) -> bars.Bars:
    """Bars for a fleet of so many faults; single causes have too few to hold a share against."""
    expected = bar.false_per_year * healthy_years
    return msgspec.structs.replace(
        bar,
        recall_pooled=lowered(bar.recall_pooled, faults),
        recall_each=0.5,  # of 4 faults at 95 % fewer than 2 are found once in two thousand times
        in_time=lowered(bar.in_time, harmful),
        right=lowered(bar.right, faults),
        precision=lowered(bar.precision, faults),
        false_per_year=(expected + DEVIATIONS * expected**0.5) / healthy_years,
        coverage=None,  # its interval is wide with so few pumps, so it would tell nothing
        faults_each=0,
        healthy_years=0.0,
    )


@pytest.mark.parametrize("name", ["normal", pytest.param("stress", marks=pytest.mark.evaluation)])
def test_a_small_fleet_holds_the_bars_less_what_chance_may_do(name: str, tmp_path: Path):
    """Faults are found, named, in time, and healthy pumps left alone, on ordinary recordings and on strained ones."""
    fleet, asked = {
        "normal": (fleets.normal(SEED, SHARE), bars.NORMAL),
        "stress": (fleets.stress(SEED, SHARE / 2.0), bars.STRESS),
    }[name]
    file = tmp_path / "scores.jsonl"
    for _ in fleets.score_fleet(fleet, file, processes=2):
        pass
    result = evaluate(fleets.read_scores(file), SEED)
    assert result.pumps == fleet.plan.pumps
    harmful = int(result.pooled.in_time.n)
    verdicts = bars.judge(result, quick(asked, result.pooled.faults, harmful, result.healthy_years))
    failed = [f"{one.what}: asked {one.asked}, found {one.found}" for one in verdicts if not one.passed]
    assert not failed, "\n".join([*failed, tables.lapses(result)])


def test_a_coarser_sampling_loses_few_faults(tmp_path: Path):
    """Recall of faults that last falls by no more than the bar and chance from every second to every quarter of an hour."""
    file = tmp_path / "seen.jsonl"
    for _ in resampling.look_at_all(resampling.plans(SEED, each=3), file, processes=2):
        pass
    seen = resampling.read(file)
    pooled = [one for one in resampling.recalls(seen, SEED) if not one.kind]
    assert all(one.faults for one in pooled)
    kept = {one.period_s: 1.0 - (one.fall.value or 0.0) for one in pooled}
    asked = {one.period_s: lowered(1.0 - resampling.MOST_FALL, one.faults) for one in pooled}
    assert {period_s: kept[period_s] for period_s in kept if kept[period_s] < asked[period_s]} == {}, seen
