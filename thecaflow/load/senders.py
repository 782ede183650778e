"""One post of the schedule: its frames are made when it leaves, its answer goes to the ledger and to the commits."""

from __future__ import annotations

import time
from typing import Final

from thecaflow.load.commits import Commits, Placed
from thecaflow.load.fleet import Fleet
from thecaflow.load.gateway import Gateway, Reply
from thecaflow.load.ledger import ACKNOWLEDGED, Fate, Ledger
from thecaflow.load.open_loop import Due
from thecaflow.load.plan import LoadPlan
from thecaflow.load.watch import Watcher, now_us

_FATES: Final = {"accepted": Fate.ACCEPTED, "quarantined": Fate.QUARANTINED, "refused": Fate.REFUSED}


class Senders:
    """Posts for the open loop. `began_s`: the schedule's start by `time.perf_counter`."""

    def __init__(
        self,
        plan: LoadPlan,
        gateway: Gateway,
        fleet: Fleet,
        ledger: Ledger,
        commits: Commits,
        watcher: Watcher,
        began_s: float,
    ) -> None:
        self._plan = plan
        self._gateway = gateway
        self._fleet = fleet
        self._ledger = ledger
        self._commits = commits
        self._watcher = watcher
        self._began_s = began_s
        self._began_us = watcher.began_us or now_us()
        self._ahead_least_us = -(2**62)
        self._ahead_most_us = 2**62

    @property
    def clock_ahead_s(self) -> float:
        """By how much, at least, the gateway's clock is ahead: it stamps between a post's leaving and its answer."""
        if self._ahead_least_us > 0:
            return self._ahead_least_us / 1e6
        return min(self._ahead_most_us, 0) / 1e6

    async def post(self, due: Due) -> None:
        """Send a post and take its answer down."""
        due_us = self._began_us + round(due.due_s * 1e6)
        first = due.number * self._plan.frames_a_post
        body = b"".join(
            self._fleet.frame(number, due_us) for number in range(first, first + self._plan.frames_a_post)
        )
        self._ledger.leaves(due, self._now_s())
        left_us = now_us()
        reply = await self._gateway.post(body)
        now_s = self._now_s()
        if reply.results is None or len(reply.results) != self._plan.frames_a_post:
            fate = Fate.UNANSWERED if reply.results is not None else reply.fate
            self._ledger.failed(due, fate, reply.reason or "an answer with another number of results")
            return
        self._take(due, due_us, reply, now_s)
        if reply.received_us:
            self._ahead_least_us = max(self._ahead_least_us, reply.received_us - now_us())
            self._ahead_most_us = min(self._ahead_most_us, reply.received_us - left_us)

    def _take(self, due: Due, due_us: int, reply: Reply, now_s: float) -> None:
        acknowledged = 0
        for index, result in enumerate(reply.results or ()):
            fate = _FATES[result.status]
            self._ledger.answered(due, index, fate, result.reason)
            if fate not in ACKNOWLEDGED:
                continue
            acknowledged += 1
            if result.partition is not None and result.offset is not None:
                placed = Placed(result.offset, reply.received_us, due_us)
                covered = self._commits.add(result.partition, placed)
                if covered is not None:
                    self._watcher.record([covered])
        self._ledger.took(due, now_s, acknowledged)

    def _now_s(self) -> float:
        return time.perf_counter() - self._began_s
