"""What rules over more than one event remember of a pump: plain values, part of `processors.pump_state.Clinic`."""

from __future__ import annotations

import msgspec


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """A fill with another concentration waits for its bridge (processors.bridges).

    `due_us`: when the hour is over or, once `missing`, when the old drug should have left the dead volume. `until_us`: end
    of the valid bridge that was seen, None while there is none; `stated`: it says itself what it delivered, so that a
    suspension does not shorten it.
    """

    filled_us: int
    due_us: int
    before_ug_ml: float
    after_ug_ml: float
    primed_ul: float = 0.0
    until_us: int | None = None
    stated: bool = False
    missing: bool = False


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    """A rotor that stopped in an MRI window waits for its restart until `due_us`; `window_end_us`: of that window."""

    due_us: int
    window_end_us: int
    onset_us: int


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """A stop, and what came after it (processors.restarts).

    `stopped_us`: since when nothing is programmed, None while something is. `stood_us`: how long the last stop of a day or
    more was. `release_due_us`: when the release of a stored volume counts as over.
    """

    stopped_us: int | None = None
    stood_us: int = 0
    release_due_us: int | None = None


class Refill(msgspec.Struct, frozen=True, kw_only=True):
    """What the level sensor showed around the last fill (processors.refills), uL.

    `anchored_ul`: what the device's arithmetic began with, at the fill or at a statement since.

    `offset_ul`, `offset_sd_ul`: its usual error before the fill, None while not learned. `last_level_ul`: its last reading
    before the fill. `full_error_ul`: its error right after the fill before, None while unknown. `more`, `less`: a fault because
    of which a stroke moves more, or less, than it counts was there since the fill.
    """

    filled_us: int
    delivered_ul: float
    anchored_ul: float
    offset_ul: float | None = None
    offset_sd_ul: float = 0.0
    last_level_ul: float | None = None
    full_error_ul: float | None = None
    more: bool = False
    less: bool = False


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """The ledgers at one time: programmed and sensed volume (uL), time with telemetry (us), rows, and those that measure."""

    at_us: int
    programmed_ul: float
    sensed_ul: float
    covered_us: float
    rows: float
    sensing_rows: float


class DeviceWord(msgspec.Struct, frozen=True, kw_only=True):
    """What the device says of itself, to be held against our evidence (processors.disagreements).

    `reasons`: why it disagrees now. `marks`: ledgers in the past, the oldest first. `steady_us`: since when the
    program is the same, and runs or rests. `alarms`: it has given an alarm before. `heard`: reservoir and no-delivery alarms since the last fill. `claim`: the
    ledgers when it last said that its motor stands, to be judged at `claim_due_us`; `unsaid_due_us`: when a stall of which
    the device says nothing becomes a disagreement; `alarm_due_us`: when an alarm without evidence is no longer news.
    """

    reasons: tuple[str, ...] = ()
    evidence: dict[str, float] = {}
    marks: tuple[Mark, ...] = ()
    steady_us: int | None = None
    alarms: bool = False
    heard: tuple[str, ...] = ()
    claim: Mark | None = None
    claim_due_us: int | None = None
    unsaid_due_us: int | None = None
    alarm_due_us: int | None = None
