"""Folds every pump's whole log anew and makes the outcome the current run."""

from __future__ import annotations

from dataclasses import dataclass

from processors import heads
from processors.rebuild import Rebuilt, rebuild
from processors.versions import STATE_VERSION
from storage import pool
from storage.migrate import require_current
from storage.rebuild import rebuilding
from storage.types import Changes, StateRow
from thecaflow.progress import bar
from thecaflow.settings import Settings


@dataclass(slots=True)
class Outcome:
    """What was rebuilt so far."""

    run_id: int
    pumps: int = 0
    events: int = 0
    facts: int = 0
    added: int = 0
    superseded: int = 0
    moved: int = 0

    def count(self, events: int, rebuilt: Rebuilt) -> None:
        """Count one pump."""
        self.pumps += 1
        self.events += events
        self.facts += len(rebuilt.facts)
        self.added += len(rebuilt.added)
        self.superseded += len(rebuilt.superseded)
        self.moved += len(rebuilt.events)

    def in_words(self) -> str:
        """Return what a person reads."""
        return (
            f"run {self.run_id} is current: {self.pumps} pumps, {self.events} events, {self.facts} facts by rules "
            f"{STATE_VERSION}\n"
            f"differs from what was believed: {self.added} facts added, {self.superseded} superseded; "
            f"{self.moved} events stand differently in the log"
        )


async def rebuild_all(settings: Settings) -> Outcome:
    """Rebuild in one transaction, with a progress bar over pumps.

    Raises ThecaflowError, and nothing has changed, where a worker is up, the database can't be reached or its schema is
    another one.
    """
    async with pool.single(settings) as connection:
        await require_current(connection)
        async with rebuilding(connection, settings.events_topic, f"rebuilt by rules {STATE_VERSION}") as run:
            outcome = Outcome(run.run_id)
            pumps = await run.pumps()
            with bar("rebuilding", len(pumps)) as advance:
                for pump, partition in pumps.items():
                    log = await run.log(pump, partition)
                    rebuilt = rebuild(pump, log)
                    await run.write(pump, rebuilt.facts, _changes(pump, partition, rebuilt))
                    outcome.count(len(log.events), rebuilt)
                    advance(1, text=f"{outcome.pumps} of {len(pumps)} pumps, {outcome.events} events")
    return outcome


def _changes(pump: str, partition: int, rebuilt: Rebuilt) -> Changes:
    return Changes(
        partition=partition,
        expected_offset=0,
        next_offset=0,
        believed_us=rebuilt.head.present_us,
        events=rebuilt.events,
        replaced=[(pump, event_id) for event_id in rebuilt.replaced],
        added=rebuilt.added,
        superseded=rebuilt.superseded,
        states=[StateRow(pump=pump, blob=heads.encode(rebuilt.head))],
        checkpoints=rebuilt.checkpoints,
    )
