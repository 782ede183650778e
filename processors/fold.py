"""THE step: (state of a pump, items in order) -> (state after them, facts). Pure: no IO, no clock, no randomness.

`fold` moves the state over items. A deadline (a dose window's end, midnight's look at the forecast, a priority that rises)
fires at its own time once an item later than it comes; it looks at a copy of the ledgers moved to that time, so that the
ledgers themselves advance at items only. `look_ahead` does the same from the last item to the pump's present, and leaves
the state alone. The live workers, `analyse` and `compare` all call these two.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from contract.events import AlertAck, AlertShelved, PumpExplanted
from contract.facts import Cause, Fact, Readiness
from kernels import dose, fluid_habit, step
from kernels import state as s
from processors import (
    alerts,
    clinical,
    forecasts,
    incidents,
    level_alerts,
    marks,
    readiness,
    restarts,
    risk,
    signals,
    windows,
)
from processors.alerts import Condition, Response
from processors.pump_state import DAY_US, Program, PumpState
from processors.timeline import NEVER_US, Items, Key, Settled, SkewChanged

_FOREVER: Final = 2**62
WINDOW_PATIENCE_US: Final = 2 * DAY_US  # contract: a present 48 h past its end closes a window


class Folded(Struct, frozen=True, kw_only=True, eq=False):
    """What a fold made.

    `at_last_row`: the state after its last row if an event follows it, with the number of facts until then; `has_rows`:
    there was a row. `at_midnights`: states before the first item of a new UTC day (checkpoints). Whatever was due at the
    time of such a state's head has fired before it. `readiness`: what each detector can see, for who analyses a recording; the
    live system keeps it in the states.
    """

    state: PumpState
    facts: list[Fact]
    has_rows: bool
    at_last_row: tuple[PumpState, int] | None
    at_midnights: list[PumpState]
    readiness: list[Readiness]


def fold(state: PumpState, items: Items, window_us: int = DAY_US) -> Folded:
    """Fold `items`, all later than `state.head`, with dose windows of `window_us` aligned to UTC."""
    run = _Run(state, window_us)
    for key, item in items.events:
        run.rows(items, int(np.searchsorted(items.rows_us, key[0], side="left")))
        run.event(key, item)
    run.rows(items, len(items.rows_us))
    run.fire(run.state.head[0], _FOREVER)  # an alert's own deadline may lie between the last rows
    final = replace(run.state, head=max(items.last_key, state.head))
    return Folded(
        state=final,
        facts=run.facts,
        has_rows=len(items.rows_us) > 0,
        at_last_row=None if run.row_is_last else run.at_last_row,
        at_midnights=run.at_midnights,
        readiness=run.readiness,
    )


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
    run = _Run(state, window_us)
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
    due = [alerts.next_deadline_us(state.book), state.midnight_us, state.crossing_us, state.risk_us]
    due.append(incidents.due_us(state))
    if state.window is not None:
        due.append(state.window.from_us + window_us)
    return min((t for t in due if t is not None), default=_FOREVER)


class _Run:
    """One pass over items: the only place where a state is written, and only its own copy."""

    def __init__(self, state: PumpState, window_us: int) -> None:
        self.state = state.copy()
        self.window_us = window_us
        self.facts: list[Fact] = []
        self.readiness: list[Readiness] = []
        self.at_last_row: tuple[PumpState, int] | None = None
        self.at_midnights: list[PumpState] = []
        self.row_is_last = False
        self._row = 0
        self._signals = np.empty((step.SIGNALS, step.SIGNAL_SIZE))

    # ------------------------------------------------------------------------------------------------ items

    def rows(self, items: Items, stop: int) -> None:
        """Fold telemetry rows up to number `stop`, a kernel call at a time between deadlines."""
        while self._row < stop:
            first_us = int(items.rows_us[self._row])
            self._begin(first_us, opens=True)
            until = min(self._due_us(), _FOREVER)
            ahead_us = items.rows_us[self._row : stop]
            reach = int(np.searchsorted(ahead_us, until, side="right")) + self._row
            # A row at midnight itself opens the new day: the checkpoint is the state before it.
            midnight_us = (first_us // DAY_US + 1) * DAY_US
            reach = min(reach, int(np.searchsorted(ahead_us, midnight_us, side="left")) + self._row)
            if self.state.ready or self.state.explanted:
                self._kernel_rows(items, max(reach, self._row + 1))
            else:
                self._kernel_rows(items, self._row + 1)
                self._judge_readiness(first_us)

    def _kernel_rows(self, items: Items, stop: int) -> None:
        program, x, explanted = self.state.program, self.state.x, self.state.explanted
        if explanted:
            program = _STOPPED
        done = step.rows(
            x,
            program.head,
            program.schedule,
            program.boluses,
            items.rows_us,
            items.sources,
            items.columns,
            self._row,
            stop,
            self._signals,
        )
        last = done - 1
        at_us = int(items.rows_us[last])
        newest_us = int(items.received_us[self._row : done].max())
        self._row = done
        self.row_is_last = True
        head: Key = (
            at_us,
            4,
            "~",
            2**62,
            "~",
            "~",
            2**62,
        )  # exact within a fold; `fold` writes the true key at its end
        self.state = replace(self.state, received_us=max(self.state.received_us, newest_us), head=head)
        for _, code, level in self._signals[self._signals[:, 0] >= 0.0]:
            received_us = int(items.received_us[last])
            self.state, follows = incidents.after_signal(
                self.state, int(code), int(level), at_us, received_us
            )
            for condition in signals.conditions(self.state, int(code), int(level), at_us, received_us):
                self._observe(condition)
            for condition in follows:
                self._observe(condition)
            if code == step.LEVEL:
                self.state = replace(self.state, risk_us=at_us)
            if code == step.CHANNELS:
                self._judge_readiness(at_us)

    def event(self, key: Key, item: Settled | SkewChanged) -> None:
        """Fold one clinical event, or a change of the device's clock."""
        at_us = key[0]
        if isinstance(item, SkewChanged) and not (item.on or alerts.is_on(self.state.book, Cause.CLOCK_SKEW)):
            return  # says nothing new, so that it must not cut an interval of the ledgers either
        opens = isinstance(item, Settled) and clinical.delivers(item.event)
        if self.row_is_last:
            self.fire(self.state.head[0] + 1, _FOREVER)
            self.at_last_row = self.state.copy(), len(self.facts)
            self.row_is_last = False
        self._begin(at_us, opens=opens)
        self._advance(self.state, at_us)
        if isinstance(item, SkewChanged):
            self._observe(_skew(item, at_us))
        elif isinstance(item.event, AlertAck | AlertShelved):
            self._respond(response_to(item.event, at_us, item.offset_us))
        else:
            received_us = at_us if item.event.received_us is None else item.event.received_us
            self.state = replace(self.state, received_us=max(self.state.received_us, received_us))
            if isinstance(item.event, PumpExplanted):
                self._explant(at_us)
            elif not self.state.explanted:
                self._clinical(item, at_us)
        self.state = replace(self.state, head=key)
        if fluid_habit.known(self.state.x) and not self.state.explanted:
            self.state = replace(self.state, risk_us=at_us)

    def _clinical(self, item: Settled, at_us: int) -> None:
        before = self.state
        suspended = float(before.x[s.SUSPENDED])
        seen = incidents.Glance(before)
        self.state, conditions, forecast_due = clinical.apply(before, item)
        self._settle_jump(before.program, suspended, at_us)
        self.state, follows = incidents.after_event(self.state, seen, item)
        conditions += follows
        for condition in conditions:
            self._observe(replace(condition, received_us=item.event.received_us))
        if forecast_due and self.state.clinic.filled_us is not None:
            self._judge(self.state, at_us, write=True)
        elif self.state.clinic.filled_us is not None:
            self.state = replace(self.state, device_alarm_us=forecasts.device_alarm(self.state, at_us)[0])

    def _settle_jump(self, before: Program, suspended: float, at_us: int) -> None:
        """A pulse at this very moment was entered by the old program; the new one, which holds from now on, may differ."""
        x, now = self.state.x, self.state.program
        if before is now and suspended == x[s.SUSPENDED]:
            return
        owed_ul = dose.jump_ul(now.head, now.boluses, x[s.SUSPENDED], float(at_us)) - dose.jump_ul(
            before.head, before.boluses, suspended, float(at_us)
        )
        if owed_ul != 0.0:
            step.account(x, owed_ul, owed_ul, 0.0, np.nan, False)

    def _explant(self, at_us: int) -> None:
        self.finish(at_us)
        book, lines = alerts.close(self.state.book, at_us)
        self.facts += lines
        self.state = replace(
            self.state,
            book=book,
            explanted=True,
            program=_STOPPED,
            window=None,
            midnight_us=None,
            crossing_us=None,
            risk_us=None,
        )

    def _begin(self, at_us: int, *, opens: bool) -> None:
        """Fire what is due before an item at `at_us`; open the first window and the first look where it is the first."""
        if self.state.explanted:
            return
        head_us = self.state.head[0]
        if head_us != NEVER_US and at_us // DAY_US != head_us // DAY_US:
            self.fire(head_us + 1, _FOREVER)
            self.at_midnights.append(self.state.copy())
        self.fire(at_us, _FOREVER)
        if np.isnan(self.state.x[s.T_US]):
            self.state.x[s.T_US] = float(at_us)
        if self.state.midnight_us is None:
            self.state = replace(self.state, midnight_us=-(-at_us // DAY_US) * DAY_US)
        if opens and self.state.window is None:
            # (from, to]: an item exactly on a boundary belongs to the window that ends there.
            start = (-(-at_us // self.window_us) - 1) * self.window_us
            self.state = replace(self.state, window=windows.opened(self.state, start))

    # -------------------------------------------------------------------------------------------- deadlines

    def _due_us(self) -> int:
        """The next deadline that looks at the ledgers."""
        due = [self.state.midnight_us, self.state.crossing_us, self.state.risk_us]
        due.append(incidents.due_us(self.state))
        if self.state.window is not None:
            due.append(self.state.window.from_us + self.window_us)
        return min((t for t in due if t is not None), default=_FOREVER)

    def fire(self, before_us: int, closed_before_us: int) -> None:
        """Fire every deadline earlier than `before_us`, in order; write windows that end by `closed_before_us`."""
        self._skip_midnights(before_us)
        while (due_us := self._due_us()) < before_us and not self.state.explanted:
            self._alert_deadlines(due_us + 1)
            ahead = self.state.copy()
            self._advance(ahead, due_us)
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
                self._judge(ahead, due_us, write=written, alarms=judged)
        if not self.state.explanted:
            self._alert_deadlines(before_us)

    def _midnight(self, ahead: PumpState, due_us: int) -> None:
        """Keep the ledgers of `ahead` as they stand at this midnight, and look at what the detectors can see."""
        if self.state.ready:
            self._judge_readiness(due_us)
        clinic = marks.add(replace(ahead, clinic=self.state.clinic), due_us)
        self.state = replace(self.state, midnight_us=due_us + DAY_US, clinic=clinic)

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
        self._advance(ahead, at_us)
        self.facts.append(windows.dose(ahead, window, at_us))
        if ahead.clinic.filled_us is not None:
            self._judge(ahead, at_us, write=True, alarms=False)

    def _judge(self, at: PumpState, at_us: int, *, write: bool, alarms: bool = True) -> None:
        """Forecast from the ledgers `at`; alerts judge it at midnights, crossings and clinical events only."""
        at = replace(at, book=self.state.book)
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
            )
            conditions, crossing_us = forecasts.judge(at, forecast)
            for condition in [*conditions, *restarts.after_forecast(at, at_us)]:
                self._observe(condition)
            tomorrow_us = self.state.midnight_us or _FOREVER
            if crossing_us is not None and crossing_us >= tomorrow_us:
                crossing_us = None
            self.state = replace(self.state, crossing_us=crossing_us)

    def _alert_deadlines(self, before_us: int) -> None:
        book, lines = alerts.advance(self.state.book, before_us)
        if lines:
            self.facts += lines
            self.state = replace(self.state, book=book)

    # ------------------------------------------------------------------------------------------------- book

    def _observe(self, condition: Condition) -> None:
        if self.state.explanted or (condition.level == 0 and condition.cause not in self.state.book.alerts):
            return  # the usual case: nothing is wrong, and nothing was
        self._alert_deadlines(condition.at_us)
        book, lines = alerts.observe(self.state.book, condition)
        self.facts += lines
        self.state = replace(self.state, book=book)
        if risk.follow(self.state, condition.cause, condition.at_us):
            self.state = replace(self.state, risk_us=condition.at_us)

    def _incidents(self, at: PumpState, at_us: int) -> None:
        """Judge what a rule waited for, by `at`, whose ledgers stand at `at_us`."""
        clinic, conditions = incidents.judge(replace(at, book=self.state.book), at_us)
        self.state = replace(self.state, clinic=clinic)
        for condition in conditions:
            self._observe(condition)

    def _judge_readiness(self, at_us: int) -> None:
        """Say what changed of what the detectors can see."""
        if not self.state.explanted:
            ready, lines = readiness.judge(self.state, at_us)
            self.readiness += lines
            self.state = replace(self.state, ready=ready)

    def _watch_level(self, at: PumpState, at_us: int) -> None:
        """Judge the drug level of `at`, whose ledgers stand at `at_us`, and note when to look again."""
        at = replace(at, book=self.state.book)
        conditions, risk_us = level_alerts.outlook(at, at_us)
        self.state.x[s.FLU_SAID] = at.x[s.FLU_SAID]
        self.state = replace(self.state, risk_us=risk_us)
        for condition in conditions:
            self._observe(condition)

    def _respond(self, response: Response) -> None:
        if response.cause is Cause.TELEMETRY_SILENT:
            return
        book, lines = alerts.respond(self.state.book, response)
        self.facts += lines
        self.state = replace(self.state, book=book)

    def _advance(self, state: PumpState, at_us: int) -> None:
        program = _STOPPED if state.explanted else state.program
        step.advance(state.x, program.head, program.schedule, program.boluses, float(at_us))


_STOPPED: Final = Program(head=np.zeros(8), schedule=np.zeros((1, 2)), boluses=np.empty((0, 5)))


def response_to(event: AlertAck | AlertShelved, at_us: int, offset_us: int) -> Response:
    """An acknowledgement or a shelving as the alert book takes it at `at_us`; `until` takes its event's clock offset."""
    return Response(
        at_us=at_us,
        received_us=at_us if event.received_us is None else event.received_us,
        alert_id=event.alert_id,
        cause=event.cause,
        until_us=event.until_us + offset_us if isinstance(event, AlertShelved) else None,
    )


def _skew(change: SkewChanged, at_us: int) -> Condition:
    seconds = change.offset_us / 1e6
    return Condition(
        cause=Cause.CLOCK_SKEW,
        at_us=at_us,
        level=2 if change.on else 0,
        text=f"The device's clock is {abs(seconds):.0f} s {'slow' if seconds > 0 else 'fast'}: set it at the next visit.",
        evidence={"offset_s": seconds},
        received_us=change.received_us,
    )
