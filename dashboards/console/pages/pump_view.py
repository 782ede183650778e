"""What a pump's pages show beside the snapshot: ledgers, forecasts, events, levels, the last fill, the program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from contract.events import Assessment, ProgramSet, ReservoirFilled
from contract.facts import Cause
from contract.times import DAY_US, HOUR_US
from dashboards.causes import CAUSES
from dashboards.console.pages.therapy import TYPES, Told, therapy
from dashboards.console.snapshot import AlertNow, PumpNow
from storage import history
from storage.history import AlertFound, AlertSearch, DoseSpan, ForecastPoint, PastEvent

_EVENTS: Final = 30
_ASSESSMENTS: Final = 200
_CLINICAL: Final = 300
_THERAPY: Final = 12
_PAST_ALERTS: Final = 20
_LEVELS: Final = 150
_LEVELS_US: Final = 400 * DAY_US
SMALL_ML: Final = 20.0
CHECKS: Final = 16
"""More do not fit on the page."""
_ON_THE_SHEET: Final = frozenset(
    {
        Cause.DRY_BEFORE_ALARM,
        Cause.RESERVOIR_LOW,
        Cause.RESERVOIR_EMPTY,
        Cause.REFILL_DUE,
        Cause.REFILL_MISMATCH,
    }
)
"""Causes whose checks the sheet makes by itself."""
_UNFILLED_US: Final = 60 * DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservoirPast:
    """Since the last fill."""

    fill: PastEvent | None = None
    program: ProgramSet | None = None
    levels: Sequence[tuple[int, float]] = ()

    @property
    def filled(self) -> ReservoirFilled | None:
        """The last fill itself."""
        return None if self.fill is None else self.fill.event  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpPast:
    """Everything of a pump's page that the database tells; empty while it is away."""

    doses: Sequence[DoseSpan] = ()
    forecasts: Sequence[ForecastPoint] = ()
    events: Sequence[PastEvent] = ()
    assessments: Sequence[PastEvent] = ()
    alerts: Sequence[AlertFound] = ()
    reservoir: ReservoirPast = ReservoirPast()
    therapy: Sequence[Told] = ()

    def scores(self) -> dict[int, str]:
        """Return the assessments that fall into each dose window, by the window's end."""
        scores: dict[int, str] = {}
        for told in reversed(self.assessments):
            assert isinstance(told.event, Assessment)
            text = f"{told.event.scale.capitalize()} {told.event.score:g}"
            for span in self.doses:
                if span.from_us < told.at_us <= span.to_us:
                    scores[span.to_us] = f"{scores[span.to_us]}, {text}" if span.to_us in scores else text
        return scores


async def reservoir_past(db: Any, pump: str, now_us: int) -> ReservoirPast:
    """Return the last fill, the last program, and the level readings since that fill."""
    before_us = now_us + DAY_US
    fills = await history.events(db, pump, before_us, 1, ("reservoir_filled",))
    programs = await history.events(db, pump, before_us, 1, ("program_set",))
    from_us = max(fills[0].at_us if fills else now_us - _UNFILLED_US, now_us - _LEVELS_US)
    program = programs[0].event if programs else None
    assert program is None or isinstance(program, ProgramSet)
    return ReservoirPast(
        fill=fills[0] if fills else None,
        program=program,
        levels=await history.levels(db, pump, from_us, now_us + HOUR_US, _LEVELS),
    )


async def pump_past(db: Any, pump: str, now_us: int, days: int, span_s: float) -> PumpPast:
    """Ask everything of one connection: a page waits for its place in the pool once."""
    from_us, to_us = now_us - days * DAY_US, now_us + DAY_US
    clinical = await history.events(db, pump, to_us, _CLINICAL, TYPES)
    return PumpPast(
        doses=await history.doses(db, pump, from_us, to_us, span_s),
        forecasts=await history.forecasts(db, pump, from_us, to_us, span_s),
        events=await history.events(db, pump, to_us, _EVENTS),
        assessments=await history.events(db, pump, to_us, _ASSESSMENTS, ("assessment",)),
        alerts=await history.find_alerts(db, AlertSearch(pump=pump, state="cleared"), _PAST_ALERTS),
        reservoir=await reservoir_past(db, pump, now_us),
        therapy=therapy(clinical, whole=len(clinical) < _CLINICAL)[:_THERAPY],
    )


def refill_checks(pump: PumpNow, alerts: Sequence[AlertNow]) -> list[str]:
    """Return what is looked at on a refill visit: of the refill itself, and of what is open; each sentence once.

    How far a level may be from what was expected: 1 mL for a 20 mL pump, 2 mL for one of 40 mL (docs/domain.md).
    """
    checks = [
        "Drug of the right concentration at hand; drug and concentration on the label, against those above.",
        "The volume drawn out, against both expected volumes.",
    ]
    if pump.reservoir_ml is not None:
        margin_ml = 1 if pump.reservoir_ml <= SMALL_ML else 2
        checks.append(
            f"A difference of more than {margin_ml} mL is consequential: look for its reason before the fill."
        )
    causes = [Cause(alert.cause) for alert in alerts if alert.state != "pending"]
    if Cause.DRY_BEFORE_ALARM in causes:
        checks.append(
            "The pump's own alarm comes too late: it counts by the program, not by what left the reservoir."
        )
    for cause in causes:
        if cause not in _ON_THE_SHEET:
            checks += CAUSES[cause].first_checks
    checks += [
        *CAUSES[Cause.REFILL_MISMATCH].first_checks,
        "Another concentration: is a bridge bolus programmed for the dead volume?",
        "The fill and the program are entered, and the pump's own reservoir volume is set.",
    ]
    return list(dict.fromkeys(checks))[:CHECKS]
