"""From matched pumps to numbers: shares, delays, rates, calibration, their intervals and the bars."""

from __future__ import annotations

import math

import numpy as np
import pytest

from contract.facts import Cause
from contract.times import HOUR_US
from ingest.simulator import Emptying
from tests.unit.evaluation.scored import at, fault, forecast, healthy, line
from thecaflow.evaluation.bars import NORMAL, STRESS, Bars, judge, shown
from thecaflow.evaluation.bootstrap import Bootstrap, Estimate
from thecaflow.evaluation.calibration import calibrate, pinball
from thecaflow.evaluation.result import Evaluation, evaluate
from thecaflow.evaluation.scores import PumpScore, score_pump

SPAN = (at(0), at(8766))  # a year
HARM = (at(110), at(172))


def stalled(pump: str, *lines: tuple[Cause, float], observable: bool = True) -> PumpScore:
    """The score of a pump that stalls in hour 100, of which these causes were said."""
    label = fault(
        Cause.MOTOR_STALL, 100, pump=pump, harm_us=HARM, also=("withdrawal_risk",), observable=observable
    )
    told = [line(cause, hours, pump=pump) for cause, hours in lines]
    return score_pump([label], told, [], [], SPAN, {"motor_stall"})


def well(pump: str, *lines: tuple[Cause, float]) -> PumpScore:
    """The score of a healthy pump of which these causes were said."""
    return score_pump(
        [healthy(pump)], [line(cause, hours, pump=pump) for cause, hours in lines], [], [], SPAN, set()
    )


def of(result: Evaluation, cause: str) -> object:
    """One cause of a result."""
    return next(one for one in result.causes if one.cause == cause)


def test_shares_are_counted_by_cause_and_pooled():
    """One of two named, late; the leak that was said of both a sick and a healthy pump is nobody's but the leak's."""
    scores = [
        stalled("a", (Cause.MOTOR_STALL, 111), (Cause.LEAK, 120)),
        stalled("b"),
        well("c", (Cause.LEAK, 5)),
        well("d"),
    ]
    result = evaluate(scores, 1)
    stall, leak = of(result, "motor_stall"), of(result, "leak")
    assert isinstance(stall, type(result.pooled))
    assert isinstance(leak, type(result.pooled))
    assert (stall.recall.value, stall.precision.value, stall.in_time.value) == (0.5, 1.0, 0.0)
    assert (leak.faults, leak.wrong, leak.false) == (0, 1, 1)
    assert result.pooled.precision.value == pytest.approx(1 / 3)
    assert result.pooled.false_per_year.value == pytest.approx(1 / result.healthy_years)
    assert result.healthy_pumps == 2
    assert result.confusion == {"motor_stall": {"motor_stall": 1, "nothing": 1}}
    assert stall.delays_s[0].value == pytest.approx(11 * 3600)


def test_told_before_harm_by_the_cause_or_its_consequence():
    """Somebody who hears of the withdrawal risk looks at the pump as well."""
    scores = [stalled("a", (Cause.WITHDRAWAL_RISK, 105)), stalled("b", (Cause.MOTOR_STALL, 109))]
    assert evaluate(scores, 1).pooled.in_time.value == 1.0


def test_what_no_channel_can_show_is_expected_of_nobody():
    """An unobservable fault is in no denominator; naming it all the same is no mistake."""
    result = evaluate([stalled("a", observable=False), stalled("b", (Cause.MOTOR_STALL, 101))], 1)
    assert (result.pooled.faults, result.pooled.unobservable, result.pooled.recall.value) == (1, 1, 1.0)
    named = evaluate([stalled("a", (Cause.MOTOR_STALL, 101), observable=False)], 1)
    assert named.pooled.precision.value == 1.0


def test_equal_scores_in_any_order_give_equal_bytes():
    """A run that was interrupted and went on tells the same as one that was not."""
    scores = [stalled(f"s{n}", (Cause.MOTOR_STALL, 101 + n)) for n in range(6)] + [
        well(f"w{n}") for n in range(6)
    ]
    assert evaluate(scores, 5) == evaluate(scores[::-1], 5)
    assert evaluate(scores, 5) != evaluate(scores, 6)


@pytest.mark.parametrize(("rate", "pumps"), [(0.9, 400), (0.6, 150)])
def test_the_interval_holds_the_truth_nineteen_times_in_twenty(rate: float, pumps: int):
    """Of 200 fleets whose true recall is known at least 180 intervals contain it: 190 expected, 3 sd are 9."""
    held = 0
    for seed in range(200):
        found = (np.random.default_rng(seed).random(pumps) < rate).astype(float)
        estimate = Bootstrap(pumps, seed, draws=300).share(found.tolist(), [1.0] * pumps)
        assert estimate.lo is not None
        assert estimate.hi is not None
        held += estimate.lo <= rate <= estimate.hi
    assert 180 <= held <= 199


def test_no_failure_is_no_proof():
    """100 of 100 leaves room for 3.6 %, and no false alarm in ten years for one in 2.7 of them."""
    draws = Bootstrap(100, 1)
    assert draws.share([1.0] * 100, [1.0] * 100).lo == pytest.approx(0.025**0.01)
    assert draws.share([0.0] * 100, [1.0] * 100).hi == pytest.approx(1 - 0.025**0.01)
    assert draws.rate([0.0] * 100, [0.1] * 100).hi == pytest.approx(-math.log(0.025) / 10)
    assert draws.share([0.0] * 100, [0.0] * 100) == Estimate(value=None)


def test_quantiles_are_of_the_numbers_themselves():
    """The median of 1..9 is 5, and its interval lies around it."""
    estimate = Bootstrap(9, 3).quantile(0.5, [float(n) for n in range(1, 10)], list(range(9)))
    assert estimate.value == 5.0
    assert estimate.lo is not None
    assert estimate.hi is not None
    assert 1.0 < estimate.lo < 5.0 < estimate.hi < 9.0


def test_forecasts_are_graded_while_their_truth_holds():
    """Only those made between two changes count, inside means p05 to p95, and the prior's loss stands beside ours."""
    empties = [Emptying(at(0), at(48), at(100))]
    ours = [forecast(24, 90, 99, 110), forecast(30, 101, 105, 110), forecast(60, 90, 99, 110)]
    prior = [forecast(hours, 50, 150, None) for hours in (24, 30, 60)]
    told = calibrate(empties, ours, prior)
    assert (told.forecasts, told.inside, told.below) == (2, 1, (1, 1, 2))
    assert told.loss < told.prior_loss


def test_a_forecast_that_the_prior_does_not_make_is_left_out():
    """The two losses are compared over the same forecasts."""
    assert calibrate([Emptying(at(0), at(48), at(100))], [forecast(24, 90, 99, 110)], []).forecasts == 0


def test_probabilities_fall_into_bins_with_what_came_true():
    """Dry at 100 h, the device's alarm at 300 h: it came true, and was said with 0.95 and with 0."""
    made = [forecast(10, 90, 99, 110, dry=0.95), forecast(20, 90, 99, 110, dry=0.0)]
    told = calibrate([Emptying(at(0), at(48), at(100))], made, made)
    assert told.bins[9] == (1, 0.95, 1)
    assert told.bins[0] == (1, 0.0, 1)


def test_pinball_loss_is_least_at_the_true_quantile():
    """Of all constants the 5, 50 and 95 % points of the truth lose least: what makes the loss worth minimising."""
    truths = np.sort(np.random.default_rng(4).lognormal(3.0, 0.4, 2001))

    def loss(told: tuple[float, float, float]) -> float:
        told_us = [round(one * HOUR_US) for one in told]
        return float(np.mean([pinball(told_us, round(t * HOUR_US), 0) * t for t in truths]))

    right = tuple(float(np.quantile(truths, level)) for level in (0.05, 0.5, 0.95))
    assert len(right) == 3
    for shift in (0.8, 1.25):
        for place in range(3):
            moved = tuple(q * shift if n == place else q for n, q in enumerate(right))
            assert loss((moved[0], moved[1], moved[2])) > loss((right[0], right[1], right[2]))


def test_bars_hold_or_fail_one_by_one():
    """A fleet without a false word passes all but coverage and size; one miss in two fails the recall bars."""
    good = evaluate([stalled(f"s{n}", (Cause.MOTOR_STALL, 101)) for n in range(4)] + [well("w")], 1)
    lenient = Bars(coverage=None, gain=False)
    assert all(one.passed for one in judge(good, lenient))
    failed = {one.what for one in judge(good, NORMAL) if not one.passed}
    assert failed == {
        "coverage of p05-p95",
        "pinball loss below the prior's",
        "healthy pump-years",
        "faults of each cause that bears harm",
    }
    half = evaluate([stalled("a", (Cause.MOTOR_STALL, 101)), stalled("b")], 1)
    assert {one.what for one in judge(half, lenient) if not one.passed} == {
        "recall, pooled",
        "recall, motor_stall",
        "told before harm",
    }


def test_stress_gives_five_points_and_no_more():
    """The bars of the stress fleet follow from the normal ones."""
    assert NORMAL.recall_pooled - STRESS.recall_pooled == pytest.approx(0.05)
    assert STRESS.false_per_year == NORMAL.false_per_year


def test_a_number_is_shown_with_its_interval():
    """What could not be counted is a dash."""
    assert shown(Estimate(value=0.5, lo=0.4, hi=0.6)) == "50.0 % (40.0-60.0)"
    assert shown(Estimate(value=None)) == "-"
