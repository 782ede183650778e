"""Compares the facts that the database believes with a fold of its own log, on one snapshot, pump by pump."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from contract.codec import decode_with_digest
from contract.events import Tick
from contract.facts import Quarantined
from contract.times import format_us
from processors import heads
from processors.believed import believed
from processors.timeline import Sighting
from storage import pool
from storage.migrate import require_current
from storage.snapshot import PumpSnapshot, snapshot
from storage.types import FactRow
from thecaflow.progress import bar
from thecaflow.settings import Settings

Place: TypeAlias = tuple[
    int, str, str, str, str, int
]  # the contract's order: at, pump, kind, cause, alert_id, ordinal
KINDS: Final = ("dose", "forecast", "alert")
SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that both sides tell differently; a line of None: that side has no such fact."""

    place: Place
    database: bytes | None
    fold: bytes | None

    def in_words(self) -> str:
        """Return what differs, with both lines."""
        at_us, pump, kind, cause, alert_id, _ = self.place
        name = f"{kind} {cause} {alert_id}".rstrip()
        said = (
            "is only in the database"
            if self.fold is None
            else ("is missing in the database" if self.database is None else "differs")
        )
        lines = [f"pump {pump}, {format_us(at_us)}: {name} {said}"]
        lines += [
            f"  {side}: {line.decode()}"
            for side, line in (("database", self.database), ("fold    ", self.fold))
            if line is not None
        ]
        return "\n".join(lines)


@dataclass(slots=True)
class Comparison:
    """What was compared so far. `horizon_us`: the earliest present of a pump, or the stated one; None without pumps."""

    until_us: int | None = None
    pumps: int = 0
    events: int = 0
    database: Counter[str] = field(default_factory=Counter)
    fold: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    first: Difference | None = None
    horizon_us: int | None = None
    unfolded: list[str] = field(default_factory=list)
    """Pumps whose head state is missing, or whose log holds what is no event: a difference of its own."""

    @property
    def equal(self) -> bool:
        """Whether both sides are the same bytes."""
        return not self.differing and not self.unfolded

    def add(self, stored: PumpSnapshot) -> None:
        """Fold one pump's log and compare."""
        self.pumps += 1
        self.events += len(stored.events)
        if stored.head is None:
            self.unfolded.append(f"pump {stored.pump} has a log or facts, but no head state")
            self._compare(stored.facts, [])
            return
        sightings, refused = sightings_of(stored.events)
        self.unfolded += [
            f"pump {stored.pump}: the log holds what is no event ({reason})" for reason in refused[:1]
        ]
        present_us = heads.decode(stored.head).present_us
        self.horizon_us = present_us if self.horizon_us is None else min(self.horizon_us, present_us)
        self._compare(stored.facts, believed(stored.pump, sightings, present_us))

    def _compare(self, database: Iterable[FactRow], fold: Iterable[FactRow]) -> None:
        stored, folded = self._by_place(database), self._by_place(fold)
        self.database.update(place[2] for place in stored)
        self.fold.update(place[2] for place in folded)
        for place in sorted(stored.keys() | folded.keys()):
            one, other = stored.get(place), folded.get(place)
            if one == other:
                continue
            self.differing[place[2]] += 1
            if self.first is None or place < self.first.place:
                self.first = Difference(place, one, other)

    def _by_place(self, rows: Iterable[FactRow]) -> dict[Place, bytes]:
        return {
            (row.at_us, row.pump, row.kind, row.cause, row.alert_id, row.ordinal): row.line
            for row in rows
            if self.until_us is None or row.at_us <= self.until_us
        }


def sightings_of(records: Iterable[bytes]) -> tuple[list[Sighting], list[str]]:
    """(the events of a pump's log, why others are none)."""
    sightings, refused = [], []
    for raw in records:
        event, digest = decode_with_digest(raw)
        if isinstance(event, Quarantined):
            refused.append(event.reason)
        elif not isinstance(event, Tick):
            sightings.append(Sighting(event=event, digest=digest, raw=raw))
    return sightings, refused


async def compare(settings: Settings, until_us: int | None = None) -> Comparison:
    """Compare on one snapshot, with a progress bar over pumps.

    Raises ThecaflowError where the database can't be read, its schema is another one, or its states were written by
    other rules.
    """
    found = Comparison(until_us=until_us)
    async with pool.single(settings) as connection:
        await require_current(connection)
        async with snapshot(connection, settings.events_topic) as stored:
            pumps = await stored.pumps()
            with bar("comparing", len(pumps)) as advance:
                for pump, partition in pumps.items():
                    found.add(await stored.pump(pump, partition))
                    advance(1, text=f"{found.pumps} of {len(pumps)} pumps, {found.events} events")
    if until_us is not None:
        found.horizon_us = until_us
    return found


def report(found: Comparison) -> str:
    """Return what a person reads: counts by kind, the horizon, and the first difference in words."""
    lines = []
    for kind in KINDS:
        differing = found.differing[kind]
        verdict = "equal" if not differing else f"{differing} differ"
        lines.append(
            f"{kind:<9}{found.database[kind]:>9} in the database{found.fold[kind]:>9} in the fold of the log   {verdict}"
        )
    horizon = "nothing is stored yet" if found.horizon_us is None else f"up to {format_us(found.horizon_us)}"
    if found.horizon_us is not None and found.until_us is None:
        horizon += " and each pump's own present after it"
    lines.append(f"{found.pumps} pumps, {found.events} events, {horizon}")
    lines += found.unfolded[:SHOWN]
    if found.first is not None:
        lines.append(f"first difference: {found.first.in_words()}")
    lines.append("equal" if found.equal else "NOT EQUAL")
    return "\n".join(lines)
