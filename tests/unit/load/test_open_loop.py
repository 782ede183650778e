"""The open loop against targets that stall, refuse or are slow: the schedule goes on, and latency counts the waiting."""

from __future__ import annotations

import asyncio
import time

import pytest

from contract.errors import UnusableInputError
from thecaflow.load.ledger import Fate, Ledger
from thecaflow.load.open_loop import Due, send_on_schedule
from thecaflow.load.plan import LoadPlan, pumps_needed


def plan(**changes: float) -> LoadPlan:
    """100 posts of one frame a second, for half a second."""
    fields = {
        "rate_frames_s": 100.0, "samples": 2, "duration_s": 0.5, "pumps": 1000, "frames_a_post": 1, "connections": 4,
        "interval_s": 0.1, "patience_s": 10.0,
    }  # fmt: skip
    return LoadPlan(**(fields | changes))  # type: ignore[arg-type]


class Target:
    """Answers after `answer_s`, but nothing before `stalled_until_s`; notes what a sender would."""

    def __init__(self, chosen: LoadPlan, answer_s: float = 0.0, stalled_until_s: float = 0.0) -> None:
        self.ledger = Ledger(chosen)
        self.began_s = time.perf_counter()
        self.left_s: list[float] = []
        self.at_once = self.most_at_once = 0
        self._answer_s = answer_s
        self._stalled_until_s = stalled_until_s

    async def post(self, due: Due) -> None:
        """Take a post."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.left_s.append(self.now_s())
        self.ledger.leaves(due, self.now_s())
        await asyncio.sleep(max(self._answer_s, self._stalled_until_s - self.now_s()))
        self.ledger.answered(due, 0, Fate.ACCEPTED, None)
        self.ledger.took(due, self.now_s(), 1)
        self.at_once -= 1

    def now_s(self) -> float:
        """Seconds since the first due time."""
        return time.perf_counter() - self.began_s

    async def run(self, chosen: LoadPlan, stop: asyncio.Event | None = None) -> None:
        """Send the whole schedule here."""
        await send_on_schedule(chosen, self.post, self.ledger, stop or asyncio.Event(), self.began_s)


async def test_posts_leave_at_their_due_times():
    """A target that answers at once sees the schedule: 50 posts, 10 ms apart."""
    target = Target(plan())
    await target.run(plan())
    assert target.ledger.posts == 50
    assert all(left_s >= number * 0.01 - 0.002 for number, left_s in enumerate(target.left_s))
    assert target.ledger.count(Fate.ACCEPTED) == 50


async def test_latency_counts_the_wait_for_a_stalled_target():
    """Coordinated omission: a closed loop would have measured 4 long answers; of the 30 due meanwhile each is long."""
    stall_s = 0.3
    target = Target(plan(), stalled_until_s=stall_s)
    await target.run(plan())
    early = target.ledger.intervals[0].accept
    assert len(early) == 10
    assert early.percentile_s(0.0) >= stall_s - 0.1, "the last due in the first 0.1 s waited 0.2 s at least"
    assert early.max_s >= stall_s
    assert len(target.left_s) == 50, "what was due during the stall was sent after it"
    assert target.ledger.late_posts >= 15, (
        "due in the first 0.2 s, but for the 4 that left: they waited over 0.1 s"
    )
    assert target.ledger.late_by_itself < target.ledger.late_posts, "what waited is not the sender's fault"


async def test_no_more_are_under_way_than_there_are_connections():
    """A slow target meets a bounded number of posts, however many are due."""
    target = Target(plan(), answer_s=0.1)
    await target.run(plan())
    assert target.most_at_once == 4


async def test_what_found_no_connection_in_time_is_counted_and_not_dropped_in_silence():
    """Accepted and not sent together are what was due."""
    impatient = plan(patience_s=0.05)
    target = Target(impatient, answer_s=0.1)
    await target.run(impatient)
    ledger = target.ledger
    assert ledger.count(Fate.UNSENT) > 0
    assert ledger.count(Fate.UNSENT) + ledger.count(Fate.ACCEPTED) == 50
    assert ledger.reasons["no connection was free in time"] == ledger.count(Fate.UNSENT)
    assert ledger.posts == ledger.count(Fate.ACCEPTED)


async def test_a_stop_ends_the_schedule_and_not_what_is_under_way():
    """What is sent is answered; the rest was never due."""
    target = Target(plan(duration_s=60.0), answer_s=0.05)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, stop.set)
    await target.run(plan(duration_s=60.0), stop)
    assert target.now_s() < 2.0
    assert target.ledger.count(Fate.ACCEPTED) == target.ledger.posts > 0
    assert target.ledger.count(Fate.NOT_DUE) == 6000 - target.ledger.posts


async def test_a_sender_that_was_held_up_says_so():
    """A busy event loop is no slow target: such posts are late by the sender's own fault."""
    target = Target(plan())
    asyncio.get_running_loop().call_later(0.05, time.sleep, 0.3)
    await target.run(plan())
    assert target.ledger.late_by_itself > 0
    assert target.ledger.behind_max_s == pytest.approx(0.3, abs=0.1)


async def test_an_error_of_a_post_ends_the_run():
    """A defect is not a target's refusal, and must not go on for ten minutes."""

    async def broken(_due: Due) -> None:
        raise RuntimeError("a defect")

    with pytest.RaisesGroup(RuntimeError, allow_unwrapped=True, flatten_subgroups=True):
        await send_on_schedule(plan(), broken, Ledger(plan()), asyncio.Event())


def test_a_fleet_as_large_as_the_rate_takes():
    """1,000 frames/s of 12 samples at one a second: twelve seconds are as many pumps as have a frame each."""
    assert pumps_needed(1000, 12, 1.0) == 12_000
    assert pumps_needed(0.1, 1, 0.5) == 1
    chosen = plan(
        rate_frames_s=1000.0, samples=12, pumps=12_000, duration_s=600.0, warm_up_s=10.0, frames_a_post=10
    )
    assert (chosen.posts, chosen.frames, chosen.due_s(100)) == (61_000, 610_000, 1.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate_frames_s": 1000.0, "samples": 12, "pumps": 500}, "take --pumps 12000"),
        ({"frames_a_post": 7, "pumps": 5, "rate_frames_s": 1.0}, "different pumps"),
    ],
)
def test_a_fleet_that_would_have_to_repeat_itself_is_refused(changes: dict[str, float], words: str):
    """Rows of the same moments twice would be known rows, and no load."""
    with pytest.raises(UnusableInputError, match=words):
        plan(**changes)
