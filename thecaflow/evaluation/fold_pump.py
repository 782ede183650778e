"""One pump's lines through the fold that the live workers run, and once more without anything measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from contract.codec import decode_json, digest
from contract.events import PumpEvent, Telemetry, Tick
from contract.facts import Alert, Forecast, Quarantined
from ingest.simulator import Label
from processors.analyse import analyse
from processors.timeline import Sighting
from thecaflow.evaluation.calibration import without_measurements
from thecaflow.evaluation.scores import PumpScore, score_pump


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a fold said of one pump, and the same by the prior alone; span_us: its first event and the horizon."""

    alerts: list[Alert]
    forecasts: list[Forecast]
    priors: list[Forecast]
    span_us: tuple[int, int]
    rows: int
    quarantined: int


def sightings(lines: Iterable[bytes]) -> tuple[list[Sighting], int]:
    """Decoded events of one pump, and how many lines were refused. Only an id that comes twice costs a digest."""
    seen: list[Sighting] = []
    first: dict[str, int] = {}
    refused = 0
    for line in lines:
        event = decode_json(line)
        if isinstance(event, Quarantined | Tick):
            refused += 1
            continue
        known = first.setdefault(event.id, len(seen))
        if known < len(seen) and not seen[known].digest:
            seen[known] = replace(seen[known], digest=digest(seen[known].event, seen[known].raw))
        content = digest(event, line) if known < len(seen) else b""
        seen.append(Sighting(event=event, digest=content, raw=line))
    return seen, refused


def fold_pump(lines: Iterable[bytes], until_us: int, *, prior: bool) -> Told | None:
    """Fold one pump up to `until_us`; None if no line of it is an event. `prior`: fold it without measurements, too."""
    seen, refused = sightings(lines)
    if not seen:
        return None
    facts = analyse(seen, until_us=until_us).facts
    priors: list[Forecast] = []
    if prior:
        bare = _once(without_measurements(_counted(seen)))
        priors = [one for one in analyse(bare, until_us=until_us).facts if isinstance(one, Forecast)]
    events = [one.event for one in seen]
    first_us = min(event.at_us for event in events)
    return Told(
        alerts=[fact for fact in facts if isinstance(fact, Alert)],
        forecasts=[fact for fact in facts if isinstance(fact, Forecast)],
        priors=priors,
        span_us=(min(first_us, until_us), until_us),
        rows=sum(len(event.t_s) for event in events if isinstance(event, Telemetry)),
        quarantined=refused,
    )


def alerts_of(events: Iterable[PumpEvent], until_us: int) -> list[Alert]:
    """The alert lines of one pump's events, of which none comes twice, up to `until_us`."""
    return [fact for fact in analyse(_once(events), until_us=until_us).facts if isinstance(fact, Alert)]


def score_lines(
    lines: Iterable[bytes], labels: Sequence[Label], until_us: int, labelled: Collection[str]
) -> PumpScore | None:
    """Fold one pump and score it against its labels."""
    told = fold_pump(lines, until_us, prior=any(label.empties for label in labels))
    if told is None:
        return None
    return score_pump(labels, told.alerts, told.forecasts, told.priors, told.span_us, labelled)


def _once(events: Iterable[PumpEvent]) -> list[Sighting]:
    """Sightings of events that come once, so that none is ever compared with another."""
    return [Sighting(event=event, digest=str(n).encode(), raw=b"") for n, event in enumerate(events)]


def _counted(seen: Iterable[Sighting]) -> list[PumpEvent]:
    """Each id once."""
    return list({one.event.id: one.event for one in seen}.values())
