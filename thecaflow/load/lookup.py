"""Looks every acknowledged id up in the database: what is missing was lost, whatever any counter says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, Final

from storage import load
from thecaflow.load.fleet import Fleet
from thecaflow.load.ledger import ACKNOWLEDGED, Ledger
from thecaflow.load.report import Found

PUMPS_A_QUERY: Final = 200
LOST_SHOWN: Final = 20


async def look_up(
    connection: Any,
    fleet: Fleet,
    ledger: Ledger,
    clinical: Collection[str],
    advance: Callable[[int], None],
) -> Found:
    """Compare what was acknowledged, frames and clinical events, with what is stored and what is in quarantine."""
    first, last = fleet.names[0], fleet.names[-1]
    quarantined = set(await load.quarantined_ids(connection, first, last))
    lost: list[str] = []
    acknowledged = twice = 0
    for start in range(0, len(fleet.names), PUMPS_A_QUERY):
        names = fleet.names[start : start + PUMPS_A_QUERY]
        stored = Counter(await load.stored_ids(connection, names[0], names[-1]))
        expected = _expected(fleet, ledger, clinical, range(start, start + len(names)))
        acknowledged += len(expected)
        lost += [identity for identity in expected if identity not in stored and identity not in quarantined]
        twice += sum(count - 1 for count in stored.values())
        advance(len(names))
    return Found(
        acknowledged=acknowledged,
        lost=len(lost),
        lost_ids=lost[:LOST_SHOWN],
        twice=twice,
        quarantined=len(quarantined),
        alerts=await load.alerts_raised(connection, first, last),
    )


def _expected(fleet: Fleet, ledger: Ledger, clinical: Collection[str], pumps: range) -> list[str]:
    """Return the ids of these pumps that were acknowledged."""
    expected = [identity for pump in pumps for identity in fleet.clinical_ids(pump) if identity in clinical]
    size = len(fleet.names)
    for pump in pumps:
        expected += [
            fleet.identity(frame)[1]
            for frame in range(pump, len(ledger.fates), size)
            if ledger.fates[frame] in ACKNOWLEDGED
        ]
    return expected
