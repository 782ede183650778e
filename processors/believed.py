"""What the live system should believe, folded anew from the log: the other side of `thecaflow compare`."""

from __future__ import annotations

from collections.abc import Iterable

from processors import heads, ways
from processors.timeline import Sighting
from storage.types import FactRow


def believed(pump: str, sightings: Iterable[Sighting], present_us: int) -> list[FactRow]:
    """All facts of one pump whose present is `present_us`, from its whole log."""
    whole = ways.from_beginning(pump, sightings)
    head = heads.look(whole.head, present_us)
    return [*whole.facts, *head.physics_ahead, *head.uploads_ahead]
