"""Which telemetry rows are new: uploads overlap, and a row that comes twice is one row (contract, Order and identity)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.events import PumpEvent, Telemetry

NO_ROWS: Final = np.empty(0, dtype=np.int64)


class KnownRows:
    """Which rows of a source were seen: a row equal in raw time and every value is that row again."""

    def __init__(self, max_raw_us: int) -> None:
        self.max_raw_us = max_raw_us
        self._frames: dict[str, list[tuple[NDArray[np.int64], Telemetry]]] = {}
        self._newest: dict[str, int] = {}
        self._index: dict[str, set[tuple[int, bytes]]] = {}

    def fresh(self, event: PumpEvent) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(raw times of all rows; raw times and row numbers of those that no earlier frame of the source holds)."""
        if not isinstance(event, Telemetry):
            return NO_ROWS, NO_ROWS, NO_ROWS
        raw_us = event.rows_us()
        kept = np.arange(len(raw_us), dtype=np.int64)
        if not len(raw_us):
            return raw_us, raw_us, kept
        source = event.source
        repeats_inside = bool((raw_us[1:] == raw_us[:-1]).any())
        newest_us = self._newest.get(source)
        if repeats_inside or (newest_us is not None and raw_us[0] <= newest_us):
            kept = self._unseen(event, raw_us)
        self._frames.setdefault(source, []).append((raw_us, event))
        last_us = int(raw_us[-1])
        self._newest[source] = last_us if newest_us is None else max(newest_us, last_us)
        self.max_raw_us = max(self.max_raw_us, int(raw_us[-1]))
        return raw_us, raw_us if len(kept) == len(raw_us) else raw_us[kept], kept

    def _unseen(self, event: Telemetry, raw_us: NDArray[np.int64]) -> NDArray[np.int64]:
        index = self._index.setdefault(event.source, set())
        for known_us, frame in self._frames.pop(event.source, []):
            index.update(_rows(frame, known_us))
        kept = []
        for number, row in enumerate(_rows(event, raw_us)):
            if row not in index:
                index.add(row)
                kept.append(number)
        return np.array(kept, dtype=np.int64)


def _rows(event: Telemetry, raw_us: NDArray[np.int64]) -> list[tuple[int, bytes]]:
    # + 0.0 turns -0 into 0, and one NaN stands for every null, so that equal numbers have equal bytes.
    columns = np.ascontiguousarray(np.where(np.isnan(event.columns), np.nan, event.columns + 0.0).T)
    return [(int(time), columns[number].tobytes()) for number, time in enumerate(raw_us)]
