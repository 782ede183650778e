"""What the live system should believe, folded anew from the log: the other side of `thecaflow compare`."""

from __future__ import annotations

from collections.abc import Iterable

from processors import fold, heads, pump_state, timeline, uploads
from processors.heads import Head
from processors.timeline import Sighting
from storage.types import FactRow


def believed(pump: str, sightings: Iterable[Sighting], present_us: int) -> list[FactRow]:
    """All facts of one pump whose present is `present_us`, from its whole log."""
    counted, _ = timeline.unique(sightings)
    settled, _, skews = timeline.settle(timeline.Clock(), counted)
    folded = fold.fold(pump_state.begin(pump), timeline.arrange(settled, skews))
    track, said = uploads.fold_uploads(uploads.begin(pump), uploads.uploads_of(settled))
    at_us = folded.state.head[0]
    rows = heads.fact_rows(folded.facts)
    places = tuple((row.at_us, row.kind, row.cause, row.alert_id) for row in rows if row.at_us == at_us)
    head = heads.look(Head(physics=folded.state, track=track, at_head=places), present_us)
    return [*rows, *heads.fact_rows(said), *head.physics_ahead, *head.uploads_ahead]
