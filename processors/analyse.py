"""Events in, facts out, with no broker and no database: the same fold that the live workers run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

from contract.facts import Fact, fact_sort_key
from contract.times import DAY_US
from processors import deadlines, pump_state, timeline, uploads
from processors import fold as physics
from processors.timeline import Sighting


class Outcome(Struct, frozen=True, kw_only=True):
    """`facts` in the contract's order; `lost`: events whose id another content had first; `horizon_us`: None if no event."""

    facts: list[Fact]
    lost: list[Sighting]
    horizon_us: int | None


def horizon_of(settled: Iterable[timeline.Settled]) -> int | None:
    """The newest `received` of any event that counts, its last row or its `at` where it has none; None if no event."""
    return max((timeline.seen_us(one) for one in settled), default=None)


def analyse(
    sightings: Iterable[Sighting], *, window_us: int = DAY_US, until_us: int | None = None
) -> Outcome:
    """All facts of the events up to the horizon: every pump's present is the horizon, the last window is unfinished."""
    by_pump: dict[str, list[Sighting]] = defaultdict(list)
    for seen in sightings:
        by_pump[seen.event.pump].append(seen)
    lost: list[Sighting] = []
    prepared: dict[str, tuple[list[timeline.Settled], list[timeline.Item]]] = {}
    for pump, seen_events in by_pump.items():
        counted, losers = timeline.unique(seen_events)
        lost += losers
        settled, _, skews = timeline.settle(timeline.Clock(), counted)
        prepared[pump] = (settled, skews)
    horizon_us = until_us
    if horizon_us is None:
        horizon_us = horizon_of(one for settled, _ in prepared.values() for one in settled)
    facts: list[Fact] = []
    if horizon_us is not None:
        for pump in sorted(prepared):
            settled, skews = prepared.pop(pump)
            facts += _whole_pump(pump, settled, skews, window_us, horizon_us)
    facts.sort(key=fact_sort_key)
    return Outcome(facts=facts, lost=lost, horizon_us=horizon_us)


def _whole_pump(
    pump: str, settled: list[timeline.Settled], skews: list[timeline.Item], window_us: int, horizon_us: int
) -> list[Fact]:
    items = until(timeline.arrange(settled, skews), horizon_us)
    folded = physics.fold(pump_state.begin(pump), items, window_us)
    ahead, ready, _ = deadlines.look_ahead(
        folded.state, horizon_us, window_us, closed_before_us=horizon_us, open_window=True
    )
    heard = [one for one in uploads.uploads_of(settled) if one.place[0] <= horizon_us]
    track, said = uploads.fold_uploads(uploads.begin(pump), heard)
    return [
        *folded.facts,
        *folded.readiness,
        *ahead,
        *ready,
        *said,
        *uploads.look_ahead(track, horizon_us)[0],
    ]


def until(items: timeline.Items, horizon_us: int) -> timeline.Items:
    """The items up to the horizon."""
    rows = int((items.rows_us <= horizon_us).sum())
    events = [item for item in items.events if item[0][0] <= horizon_us]
    if rows == len(items.rows_us) and len(events) == len(items.events):
        return items
    return timeline.Items(
        events=events,
        rows_us=items.rows_us[:rows],
        received_us=items.received_us[:rows],
        sources=items.sources[:rows],
        columns=items.columns[:, :rows],
        last_key=items.last_key,
    )
