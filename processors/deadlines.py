"""What happens by itself between two items: deadlines, each at its own time, and what is observed then.

A deadline (a dose window's end, midnight's look at the forecast, a rule that waits, a drug level that is looked at again) looks at a
copy of the ledgers moved to its time, so that the ledgers themselves advance at items only. An alert's own deadlines (a
priority that rises, a shelving that ends) look at the book alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec.structs import replace

from contract.facts import Cause, Fact, Readiness
from contract.times import DAY_US
from kernels import state as s
from kernels import volumes
from processors import (
    alerts,
    conformal,
    day_balance,
    flow_swings,
    forecasts,
    incidents,
    level_alerts,
    marks,
    readiness,
    refills,
    restarts,
    risk,
    windows,
)
from processors.alerts import Condition, Response
from processors.pump_state import Program, PumpState

FOREVER: Final = 2**62
WINDOW_PATIENCE_US: Final = 2 * DAY_US  # contract: a present 48 h past its end closes a window
STOPPED: Final = Program(head=np.zeros(8), schedule=np.zeros((1, 2)), boluses=np.empty((0, 5)))


def look_ahead(
    state: PumpState,
    present_us: int,
    window_us: int = DAY_US,
    *,
    closed_before_us: int,
    open_window: bool = False,
) -> tuple[list[Fact], list[Readiness], int]:
    """(facts of the deadlines from the last item to `present_us` if the last state goes on, readiness, when there will be more).

    Windows that end at or before `closed_before_us` are written; with `open_window` also the unfinished one, up to
    `present_us`.
    """
    unwritten_us = None if state.window is None else state.window.from_us + window_us
    due_us = next_deadline_us(state, window_us)
    if due_us > present_us and not open_window:
        return [], [], due_us if unwritten_us is None else min(due_us, unwritten_us + WINDOW_PATIENCE_US)
    run = Course(state, window_us)
    run.fire(present_us + 1, closed_before_us)
    if open_window:
        run.finish(present_us)
    if unwritten_us is not None and unwritten_us <= closed_before_us:
        # This one is written, and so are those after it that end in time; the first that does not comes next.
        unwritten_us += ((closed_before_us - unwritten_us) // window_us + 1) * window_us
    due_us = next_deadline_us(run.state, window_us)
    if unwritten_us is not None:
        due_us = min(due_us, unwritten_us + WINDOW_PATIENCE_US)
    return run.facts, run.readiness, due_us


def next_deadline_us(state: PumpState, window_us: int = DAY_US) -> int:
    """The next time at which something is judged or changes by itself."""
    look_us, book_us = _look_us(state, window_us), alerts.next_deadline_us(state.book)
    return look_us if book_us is None else min(look_us, book_us)


def _look_us(state: PumpState, window_us: int) -> int:
    """The next deadline that looks at the ledgers."""
    due = [state.midnight_us, state.crossing_us, state.risk_us, incidents.due_us(state)]
    if state.window is not None:
        due.append(state.window.from_us + window_us)
    return min((t for t in due if t is not None), default=FOREVER)


class Course:
    """One pump's course: the only place where a state is written, and only its own copy; `facts`: what was said."""

    def __init__(self, state: PumpState, window_us: int) -> None:
        self.state = state.copy()
        self.window_us = window_us
        self.facts: list[Fact] = []
        self.readiness: list[Readiness] = []

    def due_us(self) -> int:
        """The next deadline that looks at the ledgers."""
        return _look_us(self.state, self.window_us)

    def fire(self, before_us: int, closed_before_us: int) -> None:
        """Fire every deadline earlier than `before_us`, in order; write windows that end by `closed_before_us`."""
        self._skip_midnights(before_us)
        while (due_us := self.due_us()) < before_us and not self.state.explanted:
            self.alert_deadlines(due_us + 1)
            ahead = self.state.copy()
            self.advance(ahead, due_us)
            window = self.state.window
            ends = window is not None and window.from_us + self.window_us == due_us
            if window is not None and ends:
                if due_us <= closed_before_us:
                    self.facts.append(windows.dose(ahead, window, due_us))
                self.state = replace(self.state, window=windows.opened(ahead, due_us))
            written = ends and due_us <= closed_before_us
            judged = due_us in (self.state.midnight_us, self.state.crossing_us)
            if due_us == incidents.due_us(self.state):
                self._incidents(ahead, due_us)
            if due_us == self.state.midnight_us:
                self._midnight(ahead, due_us)
            if due_us == self.state.crossing_us:
                self.state = replace(self.state, crossing_us=None)
            if due_us == self.state.risk_us:
                self._watch_level(ahead, due_us)
            if ahead.clinic.filled_us is not None and (judged or written):
                self.judge(ahead, due_us, write=written, alarms=judged)
        if not self.state.explanted:
            self.alert_deadlines(before_us)

    def _midnight(self, ahead: PumpState, due_us: int) -> None:
        """Keep the ledgers of `ahead` as they stand at this midnight, and look at what the detectors can see."""
        if self.state.ready:
            self.judge_readiness(due_us)
        clinic = marks.add(replace(ahead, clinic=self.state.clinic), due_us)
        stands = bool(ahead.x[s.STALL_LEVEL]) or clinic.device_stall
        checked = conformal.look(self.state.conformal, ahead.x, clinic.filled_us, due_us, stands=stands)
        days = self.state.days
        if not stands:
            days, found = day_balance.look(days, ahead.x, clinic.filled_us)
            if found is not None:
                day_balance.take(self.state.x, found)
                day_balance.take(ahead.x, found)
        self.state = replace(
            self.state, midnight_us=due_us + DAY_US, clinic=clinic, conformal=checked, days=days
        )

    def _skip_midnights(self, before_us: int) -> None:
        """Pass over the midnights at which there is neither a forecast to judge nor a window to write."""
        state = self.state
        if state.midnight_us is None or state.clinic.filled_us is not None or state.window is not None:
            return
        if state.midnight_us < before_us:
            self.state = replace(state, midnight_us=-(-before_us // DAY_US) * DAY_US)

    def finish(self, at_us: int) -> None:
        """Write the unfinished window, and its forecast, with `at_us` as its end."""
        window = self.state.window
        if window is None or at_us <= window.from_us:
            return
        ahead = self.state.copy()
        self.advance(ahead, at_us)
        self.facts.append(windows.dose(ahead, window, at_us))
        if ahead.clinic.filled_us is not None:
            self.judge(ahead, at_us, write=True, alarms=False)

    def judge(self, at: PumpState, at_us: int, *, write: bool, alarms: bool = True) -> None:
        """Forecast from the ledgers `at`; alerts judge it at midnights, crossings and clinical events only."""
        at = replace(at, book=self.state.book, conformal=self.state.conformal, looks=self.state.looks)
        forecast, at = forecasts.foresee(at, at_us)
        if write:
            self.facts.append(forecast)
        if alarms:
            # What is remembered reaches alerts, and windows never change those.
            self.state = replace(
                self.state,
                device_alarm_us=at.device_alarm_us,
                empty_us=at.empty_us,
                low_us=at.low_us,
                looks=flow_swings.look(at.looks, at.x),
            )
            conditions, crossing_us = forecasts.judge(at, forecast)
            for condition in [*conditions, *restarts.after_forecast(at, at_us)]:
                self.observe(condition)
            tomorrow_us = self.state.midnight_us or FOREVER
            if crossing_us is not None and crossing_us >= tomorrow_us:
                crossing_us = None
            self.state = replace(self.state, crossing_us=crossing_us)

    def alert_deadlines(self, before_us: int) -> None:
        """Let alerts change by themselves up to `before_us`."""
        book, lines = alerts.advance(self.state.book, before_us)
        if lines:
            self.facts += lines
            self.state = replace(self.state, book=book)

    def _incidents(self, at: PumpState, at_us: int) -> None:
        """Judge what a rule waited for, by `at`, whose ledgers stand at `at_us`."""
        clinic, conditions = incidents.judge(replace(at, book=self.state.book), at_us)
        self.state = replace(self.state, clinic=clinic)
        for condition in conditions:
            self.observe(condition)

    def _watch_level(self, at: PumpState, at_us: int) -> None:
        """Judge the drug level of `at`, whose ledgers stand at `at_us`, and note when to look again."""
        at = replace(at, book=self.state.book)
        conditions, risk_us = level_alerts.outlook(at, at_us)
        self.state.x[s.FLU_SAID] = at.x[s.FLU_SAID]
        self.state = replace(self.state, risk_us=risk_us)
        for condition in conditions:
            self.observe(condition)

    def judge_readiness(self, at_us: int) -> None:
        """Say what changed of what the detectors can see."""
        if not self.state.explanted:
            ready, lines = readiness.judge(self.state, at_us)
            self.readiness += lines
            self.state = replace(self.state, ready=ready)

    def observe(self, condition: Condition) -> None:
        """Enter a condition into the book of alerts."""
        if self.state.explanted or (condition.level == 0 and condition.cause not in self.state.book.alerts):
            return  # the usual case: nothing is wrong, and nothing was
        self.alert_deadlines(condition.at_us)
        book, lines = alerts.observe(self.state.book, condition)
        self.facts += lines
        clinic = refills.disturbed_by(self.state.clinic, condition)
        self.state = replace(self.state, book=book, clinic=clinic)
        if risk.follow(self.state, condition.cause, condition.at_us):
            self.state = replace(self.state, risk_us=condition.at_us)

    def respond(self, response: Response) -> None:
        """Enter an answer; silence is another track's (processors.uploads)."""
        if response.cause is Cause.TELEMETRY_SILENT:
            return
        book, lines = alerts.respond(self.state.book, response)
        self.facts += lines
        self.state = replace(self.state, book=book)

    def advance(self, state: PumpState, at_us: int) -> None:
        """Move the ledgers of `state` on to `at_us` by its program."""
        program = STOPPED if state.explanted else state.program
        volumes.advance(state.x, program.head, program.schedule, program.boluses, float(at_us))
