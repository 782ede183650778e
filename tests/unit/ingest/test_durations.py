"""The histogram of durations against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.durations import Durations


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999])
def test_a_percentile_is_at_most_1_percent_above_numpys(seed: int, share: float):
    """Never below what numpy finds among the counted values themselves, and not above it by more than a bucket."""
    drawn = np.random.default_rng(seed).lognormal(-4, 1.5, 5000)
    durations = Durations()
    for seconds in drawn:
        durations.add(float(seconds))
    exact = float(np.quantile(drawn, share, method="inverted_cdf"))
    assert exact <= durations.percentile_s(share) * (1 + 1e-12)
    assert durations.percentile_s(share) <= exact * 1.0101


def test_equal_durations_count_as_often_as_they_were_seen():
    """A post's answer is that of each of its frames."""
    durations = Durations()
    durations.add(0.010, 99)
    durations.add(5.0, 1)
    assert len(durations) == 100
    assert durations.percentile_s(0.99) == pytest.approx(0.010, rel=0.01)
    assert durations.percentile_s(1.0) == durations.max_s == 5.0


def test_two_histograms_joined_are_one_of_all():
    """The percentiles of a run are not the mean of its intervals' ones."""
    first, second, both = Durations(), Durations(), Durations()
    for number in range(1, 200):
        (first if number % 3 else second).add(number / 100)
        both.add(number / 100)
    first.include(second)
    assert [first.percentile_s(share) for share in (0.1, 0.5, 0.99)] == [
        both.percentile_s(share) for share in (0.1, 0.5, 0.99)
    ]
    assert (len(first), first.max_s) == (199, 1.99)


def test_nothing_counted_is_zero_and_no_time_at_all_is_counted():
    """An empty interval has no latency; a clock that did not move gave one of a microsecond at most."""
    durations = Durations()
    assert (len(durations), durations.percentile_s(0.5), durations.max_s) == (0, 0.0, 0.0)
    durations.add(0.0)
    durations.add(-0.5)
    assert len(durations) == 2
    assert durations.percentile_s(0.5) == 0.0
