"""``thecaflow analyse``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Final

import click
from msgspec.structs import replace

from contract.codec import decode_json, digest, encode_fact
from contract.events import Tick
from contract.facts import FACT_TYPES, Correction, Fact, Quarantined, fact_name, fact_sort_key
from processors.timeline import Sighting
from thecaflow.commands.simulate import Duration, Moment, Names
from thecaflow.event_files import EventFile, shown_name, size_of
from thecaflow.progress import Advance, bar

KINDS: Final = tuple(fact_name(kind) for kind in FACT_TYPES if kind is not Correction)
_UNREAD: Final = b""
_BATCH: Final = 2000
_REASONS: Final = 3

EPILOG: Final = """\b
Examples:
  thecaflow simulate --case founding | thecaflow analyse -
  thecaflow analyse 2026-01.jsonl.zst 2026-02.jsonl.zst --window 1h --kinds dose > hourly.jsonl
  thecaflow export --pump p-007 | thecaflow analyse - --kinds alert

\b
Facts are JSON Lines in the order of the contract: quarantined input first, then by time. Exit codes: 0 all was read
(what was quarantined is told on standard error), 2 unusable arguments or an unreadable file."""


class Placed(Sighting, frozen=True, kw_only=True, eq=False):
    """An event with its place in the input."""

    path: str
    line: int


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="EVENTS.jsonl...")
@click.option("--window", "window_us", type=Duration(), default="1d", show_default=True,
              help="Length of the dose windows, aligned to UTC.")  # fmt: skip
@click.option(
    "--until", "until_us", type=Moment(), help="The horizon [default: the newest event of any pump]."
)
@click.option(
    "--kinds", type=Names(KINDS), default=KINDS, help=f"Write only these, out of {','.join(KINDS)}."
)
def command(files: tuple[str, ...], window_us: int, until_us: int | None, kinds: tuple[str, ...]) -> int:
    """Fold files of events into facts, with no broker and no database: the fold that the live workers run.

    EVENTS are JSON Lines in any order, also .gz or .zst; - is standard input.
    """
    if len(set(files)) < len(files):
        raise click.UsageError("a file is named twice; name each one once.")
    reading = Reading(several=len(files) > 1)
    with bar("reading", size_of(files)) as advance:
        for path in files:
            reading.read(path, advance)
    facts = reading.facts(window_us, until_us)
    _write(fact for fact in facts if fact_name(fact) in kinds)
    refused = sum(isinstance(fact, Quarantined) for fact in facts)
    click.echo(
        f"analysed {reading.events} events, {len(reading.pumps)} pump{'s' * (len(reading.pumps) != 1)}: "
        f"{len(facts) - refused} facts, {refused} line{'s' * (refused != 1)} quarantined{_reasons(facts)}",
        err=True,
    )
    return 0


class Reading:
    """What was read so far. A digest costs as much as decoding: only ids that come twice get one."""

    def __init__(self, *, several: bool) -> None:
        self._several = several
        self._seen: list[Sighting] = []
        self._first: dict[tuple[str, str], int] = {}
        self._quarantined: list[Fact] = []
        self.pumps: set[str] = set()

    @property
    def events(self) -> int:
        """Number of lines that are events, repeated ones too."""
        return len(self._seen)

    def read(self, path: str, advance: Advance) -> None:
        """Decode every line of a file; UnreadableFileError where that can't be done."""
        file = EventFile(path)
        reported = 0
        for line, text in file.lines():
            self.take(path, line, text)
            if line % _BATCH == 0:
                advance(file.taken - reported, text=f"{len(self._seen)} events")
                reported = file.taken

    def take(self, path: str, line: int, text: bytes) -> None:
        """Decode one line."""
        event = decode_json(text)
        if isinstance(event, Quarantined):
            self._refuse(event.reason, event.text, path, line, event.pump, event.at_us)
            return
        assert not isinstance(event, Tick)  # only on Kafka
        identity = (event.pump, event.id)
        first = self._first.setdefault(identity, len(self._seen))
        content = _UNREAD
        if first < len(self._seen):
            content = digest(event, text)
            known = self._seen[first]
            if known.digest is _UNREAD:
                self._seen[first] = replace(known, digest=digest(known.event, known.raw))
        self.pumps.add(event.pump)
        self._seen.append(Placed(event=event, digest=content, raw=text, path=path, line=line))

    def facts(self, window_us: int, until_us: int | None) -> list[Fact]:
        """All facts in order, quarantined ones first."""
        if not self._seen:
            return sorted(self._quarantined, key=fact_sort_key)
        from processors.analyse import analyse  # noqa: PLC0415 - compiled kernels take a second to load
        from processors.live import CONFLICT  # noqa: PLC0415

        with bar("folding") as advance:
            advance(0, text=f"{len(self._seen)} events of {len(self.pumps)} pumps")
            outcome = analyse(self._seen, window_us=window_us, until_us=until_us)
        for lost in outcome.lost:
            assert isinstance(lost, Placed)
            event = lost.event
            self._refuse(CONFLICT, event.id, lost.path, lost.line, event.pump, event.at_us)
        return [*sorted(self._quarantined, key=fact_sort_key), *outcome.facts]

    def _refuse(
        self, reason: str, text: str, path: str, line: int, pump: str | None, at_us: int | None
    ) -> None:
        where = f"{shown_name(path)}: " if self._several else ""
        self._quarantined.append(
            Quarantined(pump=pump, at_us=at_us, reason=reason, line=line, text=f"{where}{text}")
        )


def _write(facts: Iterable[Fact]) -> None:
    """Write facts to standard output; a reader that has seen enough ends the command quietly (thecaflow.cli)."""
    write = sys.stdout.buffer.write
    for fact in facts:
        write(encode_fact(fact) + b"\n")
    sys.stdout.buffer.flush()


def _reasons(facts: Iterable[Fact]) -> str:
    """Return the commonest reasons in brackets, empty if nothing was quarantined."""
    counted = Counter(fact.reason for fact in facts if isinstance(fact, Quarantined))
    told = [f"{count} x {reason}" for reason, count in counted.most_common(_REASONS)]
    return f" ({'; '.join(told)}{'; ...' if len(counted) > _REASONS else ''})" if told else ""
