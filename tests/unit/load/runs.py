"""Reports of runs that nobody made: a ledger filled by hand."""

from __future__ import annotations

from thecaflow.load import report
from thecaflow.load.ledger import Fate, Ledger
from thecaflow.load.machine import Machine, Versions
from thecaflow.load.open_loop import Due
from thecaflow.load.plan import LoadPlan
from thecaflow.load.report import Found, LoadReport, Posts

PLAN = LoadPlan(
    rate_frames_s=10.0,
    samples=12,
    duration_s=20.0,
    warm_up_s=5.0,
    pumps=120,
    frames_a_post=10,
    interval_s=5.0,
)
"""25 posts of ten frames, one a second."""


def filled(answer_s: float = 0.1, lag: int = 3) -> Ledger:
    """Every post answered; the third of the warm-up refused, one frame of the last in quarantine."""
    ledger = Ledger(PLAN)
    for number in range(PLAN.posts):
        due = Due(number, PLAN.due_s(number), 0.0)
        ledger.leaves(due, due.due_s)
        if number == 2:
            ledger.failed(due, Fate.REFUSED, "503 queue-full")
            continue
        fates = [Fate.ACCEPTED] * 9 + [Fate.QUARANTINED if number == 24 else Fate.ACCEPTED]
        for index, fate in enumerate(fates):
            ledger.answered(due, index, fate, None)
        ledger.took(due, due.due_s + answer_s * (10 if number < 5 else 1), 10)
        interval = ledger.interval(due.due_s)
        interval.commit.add(answer_s * 2, 10)
        interval.whole.add(answer_s * 3, 10)
        ledger.interval(due.due_s + answer_s * 3).committed += 10
        interval.lag_max, interval.lag_end, interval.machine_busy = lag * 2, lag, 0.5
    return ledger


def made(run: str = "aaaaaa", answer_s: float = 0.1, lost: int = 0, note: str = "") -> LoadReport:
    """The report of such a run."""
    ledger = filled(answer_s)
    counted = report.measured(PLAN, ledger.intervals, ledger.last_due_s)
    return LoadReport(
        run=run,
        began="2026-09-21T14:13:20.000000Z",
        note=note,
        finished=True,
        seconds=25.0,
        plan=PLAN,
        url="http://127.0.0.1:8080",
        rate_frames_s=report.rate_of(PLAN, counted),
        frames=report.frames_of(ledger, 250),
        posts=Posts(sent=ledger.posts, late=0, late_by_itself=0, behind_max_ms=1.5),
        reasons=dict(ledger.reasons),
        accept=report.joined(counted, "accept"),
        commit=report.joined(counted, "commit"),
        whole=report.joined(counted, "whole"),
        lag=report.lag_of(PLAN, counted, 0.4),
        gateway_clock_ahead_s=0.0,
        found=Found(
            acknowledged=720, lost=lost, lost_ids=["load-x"] * lost, twice=0, quarantined=1, alerts={}
        ),
        machine_busy=0.5,
        own_cores=0.03,
        machine=Machine(system="Linux", processor="any <b>", cores=2, memory_gib=8.0),
        versions=Versions(thecaflow="0.1.0", python="3.11", postgres="17", timescaledb="2"),
        points=report.points_of(PLAN, ledger.intervals, 25.0),
    )
