"""What the console asks of the detectors: readiness from a pump's stored state, an explanation from its log of record.

An explanation folds the log anew, in a thread, one at a time, bounded by MOST_ROWS; what was explained is kept for KEPT_S. The
kernels are loaded when the first one is asked for.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Final

from contract.errors import StaleStateError
from contract.facts import Readiness
from dashboards.console.detection import Explanation
from dashboards.console.parts import DatabaseSource
from processors import stored_head
from processors.stored_head import HeadSeen
from storage import history

MOST_ROWS: Final = 2_000_000
"""Telemetry rows of a pump: four years of minutes, some seconds to read and fold."""
READ_S: Final = 30.0
KEPT_S: Final = 60.0
KEPT: Final = 32
_TRACED: Final = 160


class Detectors:
    """A `Detection` of the console over the database; `clock_s`: any clock that only goes on."""

    def __init__(
        self, database: DatabaseSource, events_topic: str, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._topic = events_topic
        self._clock_s = clock_s
        self._one = asyncio.Lock()
        self._kept: dict[str, tuple[float, Explanation]] = {}

    async def readiness(self, pump: str) -> Sequence[Readiness]:
        """Return what the pump's state says of each cause; raises UnreachableError."""
        seen = await self._seen(pump)
        return () if seen is None else seen.readiness

    async def explanation(self, pump: str, alert_id: str) -> Explanation:
        """Return what `thecaflow explain` tells of an alert; raises UnreachableError."""
        async with self._one:
            kept = self._kept.get(alert_id)
            if kept is not None and self._clock_s() - kept[0] < KEPT_S:
                return kept[1]
            made = await self._explained(pump, alert_id)
            while len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept.pop(alert_id, None)
            self._kept[alert_id] = (self._clock_s(), made)
            return made

    async def _seen(self, pump: str) -> HeadSeen | None:
        """Return what the stored head tells; None where there is none, or one of other rules that a worker will fold anew."""
        blob = await self._database.ask(lambda db: history.head(db, self._topic, pump))
        try:
            return None if blob is None else stored_head.seen(blob)
        except StaleStateError:
            return None

    async def _explained(self, pump: str, alert_id: str) -> Explanation:
        seen = await self._seen(pump)
        if seen is not None and seen.rows > MOST_ROWS:
            return Explanation(refused=_too_long(seen.rows, alert_id))
        stored = await self._database.ask(
            lambda db: history.log_and_head(db, self._topic, pump), within_s=READ_S
        )
        return await asyncio.to_thread(_explain, pump, alert_id, *stored)


def _too_long(rows: int, alert_id: str) -> str:
    return (
        f"The log of this pump has {rows} rows of telemetry, too many to fold for a page: "
        f"run `thecaflow explain {alert_id} --plot why.svg`."
    )


def _explain(pump: str, alert_id: str, events: Sequence[bytes], head: bytes | None) -> Explanation:
    from thecaflow.explaining import finding, plot, text  # noqa: PLC0415 - kernels take a second to load
    from thecaflow.explaining.account import account_of  # noqa: PLC0415

    wanted = finding.Wanted(alert_id=alert_id, pump=pump)
    found = finding.from_stored(finding.Stored(pump, events, head), wanted, None)
    if isinstance(found, finding.NoSuchAlertError):
        return Explanation(
            refused="The fold of the log of record no longer says this alert: it was corrected."
        )
    account = account_of(found, traced=_TRACED)
    picture = f"data:image/svg+xml;base64,{b64encode(plot.drawn(account).encode()).decode()}"
    return Explanation(sections=text.sections(account), picture=picture)
