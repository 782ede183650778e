"""THE step: (state of a pump, items in order) -> (state after them, facts). Pure: no IO, no clock, no randomness.

`fold` moves the state over items; what is due before an item fires first (processors/deadlines.py, which also looks ahead from the
last item to the pump's present). The live workers, `analyse` and `compare` all call these two.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from contract.events import AlertAck, AlertShelved, PumpExplanted
from contract.facts import Cause, Fact, Readiness
from contract.times import DAY_US
from kernels import dose, fluid_habit, step, volumes
from kernels import state as s
from processors import (
    alerts,
    clinical,
    forecasts,
    incidents,
    signals,
    windows,
)
from processors.alerts import Condition
from processors.answers import response_to
from processors.deadlines import FOREVER, STOPPED, Course
from processors.pump_state import Program, PumpState
from processors.timeline import NEVER_US, Items, Key, Settled, SkewChanged


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
    run = _Items(state, window_us)
    for key, item in items.events:
        run.rows(items, int(np.searchsorted(items.rows_us, key[0], side="left")))
        run.event(key, item)
    run.rows(items, len(items.rows_us))
    run.fire(run.state.head[0], FOREVER)  # an alert's own deadline may lie between the last rows
    final = replace(run.state, head=max(items.last_key, state.head))
    return Folded(
        state=final,
        facts=run.facts,
        has_rows=len(items.rows_us) > 0,
        at_last_row=None if run.row_is_last else run.at_last_row,
        at_midnights=run.at_midnights,
        readiness=run.readiness,
    )


class _Items(Course):
    """A course over items."""

    def __init__(self, state: PumpState, window_us: int) -> None:
        super().__init__(state, window_us)
        self.at_last_row: tuple[PumpState, int] | None = None
        self.at_midnights: list[PumpState] = []
        self.row_is_last = False
        self._row = 0
        self._signals = np.empty((step.SIGNALS, step.SIGNAL_SIZE))

    def rows(self, items: Items, stop: int) -> None:
        """Fold telemetry rows up to number `stop`, a kernel call at a time between deadlines."""
        while self._row < stop:
            first_us = int(items.rows_us[self._row])
            self._begin(first_us, opens=True)
            until = self.due_us()
            ahead_us = items.rows_us[self._row : stop]
            reach = int(np.searchsorted(ahead_us, until, side="right")) + self._row
            # A row at midnight itself opens the new day: the checkpoint is the state before it.
            midnight_us = (first_us // DAY_US + 1) * DAY_US
            reach = min(reach, int(np.searchsorted(ahead_us, midnight_us, side="left")) + self._row)
            if self.state.ready or self.state.explanted:
                self._kernel_rows(items, max(reach, self._row + 1))
            else:
                self._kernel_rows(items, self._row + 1)
                self.judge_readiness(first_us)

    def _kernel_rows(self, items: Items, stop: int) -> None:
        program, x, explanted = self.state.program, self.state.x, self.state.explanted
        if explanted:
            program = STOPPED
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
                self.observe(condition)
            for condition in follows:
                self.observe(condition)
            if code == step.LEVEL:
                self.state = replace(self.state, risk_us=at_us)
            if code == step.CHANNELS:
                self.judge_readiness(at_us)

    def event(self, key: Key, item: Settled | SkewChanged) -> None:
        """Fold one clinical event, or a change of the device's clock."""
        at_us = key[0]
        if isinstance(item, SkewChanged) and not (item.on or alerts.is_on(self.state.book, Cause.CLOCK_SKEW)):
            return  # says nothing new, so that it must not cut an interval of the ledgers either
        opens = isinstance(item, Settled) and clinical.delivers(item.event)
        if self.row_is_last:
            self.fire(self.state.head[0] + 1, FOREVER)
            self.at_last_row = self.state.copy(), len(self.facts)
            self.row_is_last = False
        self._begin(at_us, opens=opens)
        self.advance(self.state, at_us)
        if isinstance(item, SkewChanged):
            self.observe(_skew(item, at_us))
        elif isinstance(item.event, AlertAck | AlertShelved):
            self.respond(response_to(item.event, at_us, item.offset_us))
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
            self.observe(replace(condition, received_us=item.event.received_us))
        if forecast_due and self.state.clinic.filled_us is not None:
            self.judge(self.state, at_us, write=True)
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
            volumes.account(x, owed_ul, owed_ul, 0.0, np.nan, False)

    def _explant(self, at_us: int) -> None:
        self.finish(at_us)
        book, lines = alerts.close(self.state.book, at_us)
        self.facts += lines
        self.state = replace(
            self.state,
            book=book,
            explanted=True,
            program=STOPPED,
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
            self.fire(head_us + 1, FOREVER)
            self.at_midnights.append(self.state.copy())
        self.fire(at_us, FOREVER)
        if np.isnan(self.state.x[s.T_US]):
            self.state.x[s.T_US] = float(at_us)
        if self.state.midnight_us is None:
            self.state = replace(self.state, midnight_us=-(-at_us // DAY_US) * DAY_US)
        if opens and self.state.window is None:
            # (from, to]: an item exactly on a boundary belongs to the window that ends there.
            start = (-(-at_us // self.window_us) - 1) * self.window_us
            self.state = replace(self.state, window=windows.opened(self.state, start))


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
