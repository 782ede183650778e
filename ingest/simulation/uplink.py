"""From rows to what the gateway receives: frames, relays that are late or send twice, silence, skewed clocks."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from contract.times import MINUTE_US, SECOND_US, format_us
from ingest.ids import RANDOM_BYTES, uuid7
from ingest.simulation.case import PumpCase
from ingest.simulation.clock import stream
from ingest.simulation.distortion import Distorter
from ingest.simulation.effects import Span
from ingest.simulation.entries import Entry
from ingest.simulation.programs import Floats, Times
from ingest.simulation.sensors import SensorBank

CHUNK_ROWS: Final = 1024
_BACKLOG_SPACING_US: Final = 5 * SECOND_US


class Line(NamedTuple):
    """One event as it is written: when the gateway received it, an order for ties, and its JSON without newline."""

    received_us: int
    order: tuple[int, int]
    json: bytes


class Sender:
    """Gives the events of one pump their ids, sequence numbers and times, and holds them until they are received."""

    def __init__(self, case: PumpCase) -> None:
        self._case = case
        self._ids = stream(case.seed, case.index, "ids")
        self._luck = stream(case.seed, case.index, "uplink")
        self._sequence = {"clinic": 0, "device": 0, "system": 0}
        self._waiting: list[Line] = []
        self._pushed = 0
        self._was_late = False

    def send(
        self, kind: str, source: str, at_us: int, received_us: int, payload: dict[str, Any]
    ) -> dict[str, Any]:
        """Queue one event and return it, so that it can be sent again."""
        event = {
            "type": kind,
            "v": 1,
            "id": self._uuid7(received_us),
            "pump": self._case.pump,
            "source": source,
            "seq": self._sequence[source],
            "at": format_us(at_us),
            **payload,
        }
        self._sequence[source] += 1
        self._queue(event, received_us)
        return event

    def _queue(self, event: dict[str, Any], received_us: int) -> None:
        line = msgspec.json.encode(event | {"received": format_us(received_us)})
        heapq.heappush(self._waiting, Line(received_us, (self._case.index, self._pushed), line))
        self._pushed += 1

    def _uuid7(self, created_us: int) -> str:
        """UUIDv7 of a creation time, its random part from this pump's own stream."""
        return uuid7(created_us, self._ids.bytes(RANDOM_BYTES))

    def send_entry(self, entry: Entry) -> None:
        """Send a single event; what a device says waits while its relay is silent."""
        received_us, at_us = entry.at_us + entry.delay_us, entry.at_us
        if entry.source == "device":
            received_us = max(received_us, *(g.to_us + MINUTE_US for g in self._gaps(received_us)), 0)
            at_us += self._ahead_us(at_us)
        self.send(entry.kind, entry.source, at_us, received_us, dict(entry.fields))

    def send_frame(self, upload_us: int, rows_us: Times, columns: dict[str, Floats], backlog: int) -> None:
        """Send a telemetry event of the rows, received when the relay gets through; now and then late, or twice."""
        uplink, luck = self._case.uplink, self._luck
        latency_us = round(uplink.latency_s * luck.lognormal(0.0, 0.8) * SECOND_US)
        late, doubled, how_late, how_doubled = luck.random(4)
        received_us = upload_us + min(latency_us, 5 * MINUTE_US)
        gaps = self._gaps(upload_us)
        # Never two late ones in a row: the silence between uploads stays well inside three intervals.
        is_late = not gaps and not self._was_late and late < uplink.late_share
        if is_late:
            received_us += round((0.5 + how_late) * uplink.upload_us)
        self._was_late = is_late
        if gaps:
            received_us = max(gap.to_us for gap in gaps) + MINUTE_US + backlog * _BACKLOG_SPACING_US
        offset_us = self._ahead_us(int(rows_us[0]))
        event = self.send(
            "telemetry", "device", int(rows_us[0]) + offset_us, received_us, _frame(rows_us, columns)
        )
        if doubled < uplink.doubled_share:
            self._queue(event, received_us + MINUTE_US + round(how_doubled * uplink.upload_us))

    def _gaps(self, at_us: int) -> list[Span]:
        return [gap for gap in self._case.effects.gaps if gap.from_us <= at_us < gap.to_us]

    def _ahead_us(self, at_us: int) -> int:
        return sum(
            round(c.size * SECOND_US) for c in self._case.effects.clocks if c.from_us <= at_us < c.to_us
        )

    def received_by(self, until_us: int) -> Iterator[Line]:
        """Take out what is received by then, in order."""
        while self._waiting and self._waiting[0].received_us <= until_us:
            yield heapq.heappop(self._waiting)


def _frame(rows_us: Times, columns: dict[str, Floats]) -> dict[str, Any]:
    """Payload of a telemetry event; `t_s` counts from its first row."""
    payload: dict[str, Any] = {"t_s": np.round((rows_us - rows_us[0]) / SECOND_US, 6).tolist()}
    for name, column in columns.items():
        numbers = column.tolist()
        # NaN is the only number that differs from itself.
        payload[name] = [None if x != x else x for x in numbers] if np.isnan(column).any() else numbers  # noqa: PLR0124
    return payload


def play(case: PumpCase) -> Iterator[Line]:
    """All events of one pump that are received by the end of the run, in order of `received`.

    Rows are read in pieces of about CHUNK_ROWS, so that a run of years needs no more memory than one of weeks.
    """
    uplink, sender = case.uplink, Sender(case)
    phases = stream(case.seed, case.index, "phase").random(2)
    phase_us = 0 if uplink.in_step else round(phases[0] * uplink.upload_us)
    first_row_us = case.start_us + (
        0 if uplink.in_step else round(phases[1] * uplink.period_us) // SECOND_US * SECOND_US
    )
    first_upload_us = case.start_us + (phase_us or uplink.upload_us)
    lost = stream(case.seed, case.index, "lost")
    bank = SensorBank(
        case.design,
        case.plant,
        case.effects,
        case.seed,
        case.index,
        np.array([case.start_us, case.end_us], np.int64),
    )
    read = bank.read
    if case.distortion is not None:
        span = case.start_us, case.end_us
        read = Distorter(case.distortion, bank.read, case.seed, case.index, span).read
    entries = iter(case.entries)
    pending = next(entries, None)
    uploads_per_chunk = max(1, CHUNK_ROWS * uplink.period_us // uplink.upload_us)
    uploads = range(first_upload_us, case.end_us + 1, uplink.upload_us)
    next_row, backlog = 0, 0
    for begin in range(0, len(uploads), uploads_per_chunk):
        chunk = uploads[begin : begin + uploads_per_chunk]
        past_row = (chunk[-1] - first_row_us) // uplink.period_us + 1
        rows_us = first_row_us + uplink.period_us * np.arange(
            next_row, max(past_row, next_row), dtype=np.int64
        )
        next_row = max(past_row, next_row)
        rows_us = rows_us[lost.random(rows_us.size) >= uplink.lost_row_share]
        if case.distortion is not None:
            rows_us = rows_us[case.distortion.kept(rows_us)]
        columns = read(rows_us) if rows_us.size else {}
        edges = [0, *np.searchsorted(rows_us, np.array(chunk, np.int64), side="right").tolist()]
        for upload_us, low, high in zip(chunk, edges[:-1], edges[1:], strict=True):
            while pending is not None and pending.at_us <= upload_us:
                sender.send_entry(pending)
                pending = next(entries, None)
            if low < high:
                sender.send_frame(
                    upload_us, rows_us[low:high], {n: c[low:high] for n, c in columns.items()}, backlog
                )
            backlog = backlog + 1 if any(g.from_us <= upload_us < g.to_us for g in case.effects.gaps) else 0
        yield from sender.received_by(chunk[-1] - 1)
    while pending is not None:
        sender.send_entry(pending)
        pending = next(entries, None)
    yield from sender.received_by(case.end_us)
