"""A blocked catheter in words: whether the line still stores what is pumped, or lets it pass again through what is left of it.

C dP/dt = Q - P / R. Behind a full block all of Q is stored and the pressure rises by 1 / C for each microlitre pumped, evenly.
Behind a partial one the rise settles as P / R comes to Q: a displacement pump then keeps its flow, and only the resistance has risen.
So the pressure is held against the volume that was programmed meanwhile, not against time: a flex program bends the one, not the other.

What settles is no proof where the body's movement is gone from the pressure and the rise was straight before it: a drive that slips at
its limit looks like that, and nothing passes. Nor is it above the registered limit, or while the sensed flow is lost. And where
the body's movement is still there, a line that has taken HOLDS times its own volume has let it pass, however it rises.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from contract.facts import Cause, Priority
from contract.times import DAY_US
from kernels import dose, fluid_habit, occlusion, pulses
from kernels import state as s
from processors import risk
from processors.alerts import Condition
from processors.pump_state import PumpState

ENTRIES: Final = 4  # of an excursion's profile that say how it goes on
SETTLES: Final = 0.8
"""The second half's share of the rise, by the volume pumped in it: 1 behind a full block, 0.8 where half of the drug passes again
(0.81 time constants of C dP/dt = Q - P / R) [P]."""
BENDS: Final = (
    0.9  # the same where nothing else moves the pressure: a third passes, more than the level needs [P]
)
FILLS_AGAIN: Final = 0.95  # the same, for a line that let the drug pass before [P]
BENT: Final = 0.95  # the same of the first half alone, which a drive that slips leaves at 1 at first [P]
BODY: Final = (
    2.0  # margins of the envelope: what the body itself moves the pressure by says nothing of the line [P]
)
STILL: Final = (
    0.3  # of the steepest rise that must go on: behind a drive that slips nothing rises any more [P]
)
HOLDS: Final = 10.0
"""Dead volumes that no line stores: full of gas it would take one for each atmosphere [P]."""
STORED: Final = 0.5
"""Of what is pumped: where the compliance is registered, C dP/dt must be that at least [P]."""
STORED_BENT: Final = 1.0 - fluid_habit.LOW_SHARE
"""The same where the rise falls off as well: the rest keeps the drug's level."""
_STOPPED_TEXT: Final = (
    "The outlet pressure climbs as in a blocked catheter: the drug is stored, not delivered. Image the catheter;"
    " clearing it releases the stored volume as a bolus."
)
_NARROW_TEXT: Final = (
    "The outlet pressure has risen and settles, as in a catheter that is narrowed but open: the drug still passes. Image the"
    " catheter before it closes; clearing it releases what is stored as a bolus."
)


class _Way(NamedTuple):
    """The pressure since it left the envelope (kPa), and the volume programmed up to each of these points (uL)."""

    path_kpa: list[float]
    pumped_ul: list[float]

    def share(self, first: int, middle: int, last: int) -> float:
        """Rise by volume from `middle` to `last` against that from `first`; NaN where nothing was pumped or nothing rose."""
        whole_kpa, whole_ul = (
            self.path_kpa[last] - self.path_kpa[first],
            self.pumped_ul[last] - self.pumped_ul[first],
        )
        late_ul = self.pumped_ul[last] - self.pumped_ul[middle]
        if not (whole_kpa > 0.0 and late_ul > 0.25 * whole_ul):
            return math.nan
        return (self.path_kpa[last] - self.path_kpa[middle]) / whole_kpa * whole_ul / late_ul

    def rises(self) -> list[float]:
        """Rise by volume over each two entries; empty where nothing was pumped in some of them."""
        path_kpa, pumped_ul = self.path_kpa, self.pumped_ul
        if any(later <= earlier for earlier, later in pairwise(pumped_ul)):
            return []
        return [
            (path_kpa[k + 2] - path_kpa[k]) / (pumped_ul[k + 2] - pumped_ul[k])
            for k in range(len(path_kpa) - 2)
        ]

    def bends(self, first: int, last: int) -> bool:
        """Whether the rise from `first` to `last` falls off, and did so in its first half already."""
        middle = (first + last) // 2
        return (
            self.share(first, middle, last) < BENDS
            and self.share(first, (first + middle) // 2, middle) < BENT
        )


def occlusion_condition(state: PumpState, level: int, at_us: int) -> Condition:
    """High while the drug is stored; medium, without a time to harm, once it passes again."""
    if level == 0:
        return Condition(cause=Cause.OCCLUSION, at_us=at_us, level=0)
    x = state.x
    raw_us = float(x[s.OCC_ONSET_US])
    onset_us = at_us if math.isnan(raw_us) else min(round(raw_us), at_us)
    told = {
        "slope_kpa_h": float(x[s.OCC_SLOPE_KPA_H]),
        "baseline_kpa": float(x[s.OCC_BASE_KPA]),
        "score": float(x[s.OCC_SCORE]),
        "onset_us": float(onset_us),
    }
    before = state.book.alerts.get(Cause.OCCLUSION)
    passed = before is not None and before.on and before.said.level == 2 and before.said.harm_lo_us is None
    way = _way(state)
    if level == 2 and _passes(state, way, passed=passed):
        evidence = {name: number for name, number in told.items() if math.isfinite(number)}
        return Condition(
            cause=Cause.OCCLUSION,
            at_us=at_us,
            level=2,
            priority=Priority.MEDIUM,
            text=_NARROW_TEXT,
            evidence=evidence,
        )
    stopped_us = _stopped_us(state, way, onset_us)
    if passed and before is not None:
        stopped_us = max(stopped_us, before.said.at_us)
    told["stopped_us"] = float(stopped_us)
    lo_us, hi_us = risk.harm_of_stop(state, stopped_us)
    return Condition(
        cause=Cause.OCCLUSION,
        at_us=at_us,
        level=level,
        priority=Priority.HIGH,
        text=_STOPPED_TEXT,
        evidence={name: number for name, number in told.items() if math.isfinite(number)},
        harm_lo_us=lo_us,
        harm_hi_us=hi_us,
    )


def _way(state: PumpState) -> _Way:
    x = state.x
    entries = int(x[s.OCC_OUT_N]) if x[s.OCC_OUT_ROWS] > 0.0 else 0
    path_kpa = [float(number) for number in x[s.OCC_OUT + 1 : s.OCC_OUT + entries + 1]]
    times_us = [_time_us(state, entry) for entry in range(entries)]
    return _Way(path_kpa, [_programmed_ul(state, times_us[0], us) for us in times_us])


def _time_us(state: PumpState, entry: int) -> float:
    """Middle of the rows whose mean an entry is."""
    x = state.x
    return float(x[s.OCC_OUT_US] + ((entry + 0.5) * x[s.OCC_OUT_STRIDE] - 0.5) * x[s.OCC_PERIOD_US])


def _programmed_ul(state: PumpState, from_us: float, to_us: float) -> float:
    """Programmed volume; what an earlier program asked for is taken to be what this one does in the mean."""
    program, split_ul = state.program, np.zeros(3)
    begun_us = min(max(float(program.head[pulses.AT_US]), from_us), to_us)
    dose.programmed_ul(
        program.head,
        program.schedule,
        program.boluses,
        float(state.x[s.SUSPENDED]),
        begun_us,
        to_us,
        split_ul,
    )
    before_ul = float(dose.daily_ul(program.head, program.schedule)[0]) * (begun_us - from_us) / DAY_US
    return float(split_ul[0] + split_ul[2]) + before_ul


def _passes(state: PumpState, way: _Way, *, passed: bool) -> bool:
    """Whether enough of what is pumped leaves the line again; `passed`: it did when last looked at."""
    x, last = state.x, len(way.path_kpa) - 1
    limit_kpa = float(x[s.PRESSURE_LIMIT_KPA])
    if last < ENTRIES or way.path_kpa[last] >= limit_kpa or occlusion.flow_is_lost(x):
        return passed and last < ENTRIES
    body_kpa = x[s.OCC_THRESHOLD_KPA] - x[s.OCC_BASE_KPA]
    if not way.path_kpa[last] - way.path_kpa[0] >= BODY * body_kpa:
        return passed
    half, lost = last // 2, occlusion.movement_is_lost(x)
    rises = way.rises()
    if lost and rises and rises[-1] < STILL * max(rises):
        return passed
    late_kpa, late_ul = way.path_kpa[last] - way.path_kpa[half], way.pumped_ul[last] - way.pumped_ul[half]
    late = way.share(0, half, last)
    stored = float(x[s.COMPLIANCE_UL_PER_KPA]) * late_kpa / late_ul if late_ul > 0.0 else math.nan
    bent = not lost or way.share(0, half // 2, half) < BENT  # where a drive slips, not before it does
    if bent and (stored < STORED or (stored < STORED_BENT and late < BENT)):
        return True
    if not lost and way.pumped_ul[last] > HOLDS * float(x[s.DEAD_VOLUME_UL]):
        return True
    if math.isnan(late):
        return passed
    if passed:
        return late < FILLS_AGAIN or late_kpa <= body_kpa
    if not lost:
        return late < SETTLES
    return way.bends(0, last) or (last >= 2 * ENTRIES and way.bends(half, last))


def _stopped_us(state: PumpState, way: _Way, onset_us: int) -> int:
    """Since when more than half is stored: since the pressure rises, for each microlitre, by half of the most that it ever did.

    A bore that closes over hours raises R Q long before it stops the flow.
    """
    rises = way.rises()
    if len(way.path_kpa) <= ENTRIES or not rises:
        return onset_us
    first = len(rises)
    while first > 0 and rises[first - 1] >= 0.5 * max(rises):
        first -= 1
    return onset_us if first == 0 else max(onset_us, round(_time_us(state, first)))
