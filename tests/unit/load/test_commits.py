"""Pairing records with the reading that first covers them."""

from __future__ import annotations

from thecaflow.load.commits import Commits, Placed


def placed(offset: int, received_us: int = 0) -> Placed:
    """A record of the schedule."""
    return Placed(offset, received_us, 0)


def test_a_record_is_committed_at_the_first_reading_beyond_it():
    """`next_offset` 5 covers 4 and not 5; a partition that nobody asked about covers nothing."""
    commits = Commits()
    for partition, offset in ((0, 4), (0, 5), (1, 4)):
        assert commits.add(partition, placed(offset)) is None
    assert commits.lag == 3
    assert [(one.placed.offset, one.seen_us) for one in commits.read({0: 5}, 100)] == [(4, 100)]
    assert commits.read({0: 5}, 200) == []
    assert [(one.placed.offset, one.seen_us) for one in commits.read({0: 9, 1: 5}, 300)] == [
        (5, 300),
        (4, 300),
    ]
    assert (commits.lag, commits.committed) == (0, 3)


def test_an_answer_after_its_commit_counts_from_the_reading_that_covered_it():
    """Else a slow answer would make a commit look late that nobody waited for."""
    commits = Commits()
    commits.read({0: 3}, 100)
    commits.read({0: 7}, 200)
    commits.read({0: 9}, 300)
    late = [commits.add(0, placed(offset)) for offset in (2, 3, 6, 8, 9)]
    assert [one and one.seen_us for one in late] == [100, 200, 200, 300, None]
    assert (commits.lag, commits.committed) == (1, 4)


def test_answers_in_any_order():
    """Posts under way at once answer out of order; offsets decide."""
    commits = Commits()
    for offset in (7, 2, 9, 4):
        commits.add(0, placed(offset))
    assert [one.placed.offset for one in commits.read({0: 8}, 1)] == [2, 4, 7]
    assert commits.lag == 1
