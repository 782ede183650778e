"""What the demonstration prints at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from contract.facts import Alert, Dose, Fact
from ingest import simulator
from ingest.replay_report import Report
from ingest.simulator import PumpCase
from thecaflow.demo import tables
from thecaflow.demo.grade import Grade, grade
from thecaflow.settings import Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured: of the gateway by the replay, until everything was committed, and by the workers of themselves."""

    report: Report
    committed_s: float
    behind_s: float
    samples: int
    batches: int
    fold_s: float
    commit_s: float


def grade_and_show(drawn: Sequence[PumpCase], facts: Sequence[Fact], console: Console) -> Grade:
    """Print the table of faults, what was said of healthy pumps, and one pump's dose ledger."""
    found = grade(simulator.labels(drawn), (fact for fact in facts if isinstance(fact, Alert)))
    console.print(tables.faults(found))
    console.print(tables.healthy(found), highlight=False)
    shown = next((one.label for one in found.found if one.label.kind == "stall"), None)
    shown = shown or next((one.label for one in found.found), None)
    if shown is not None:
        own = [fact for fact in facts if isinstance(fact, Dose) and fact.pump == shown.pump]
        console.print(tables.ledger(own, shown))
    return found


def throughput(outcome: Outcome) -> str:
    """What was measured, in three lines."""
    sent = outcome.report
    latency = sent.latency
    batches = max(outcome.batches, 1)
    return (
        f"gateway: {sent.acknowledged} events in {sent.seconds:.1f} s = {sent.rate_events_s:.0f}/s; until the log "
        f"acknowledged p50 {latency.p50_ms:.0f} ms, p99 {latency.p99_ms:.0f} ms\n"
        f"workers: {outcome.samples} samples in {outcome.committed_s:.1f} s = "
        f"{outcome.samples / max(outcome.committed_s, 1e-9):.0f}/s, the last committed {outcome.behind_s:.1f} s after the "
        f"last acknowledgement\n"
        f"batches: {outcome.batches}, fold {1000 * outcome.fold_s / batches:.1f} ms and commit "
        f"{1000 * outcome.commit_s / batches:.1f} ms each"
    )


def afterwards(settings: Settings, workers: int) -> str:
    """What stays up and how to look at it."""
    lines = (
        f"What stays up: Kafka {settings.kafka}, TimescaleDB, gateway {settings.gateway_port}, {workers} workers",
        f"  logs in {Path(settings.run_folder)}",
        '  eval "$(.venv/bin/thecaflow demo --env)"   from here on this shell looks at the demonstration:',
        "  .venv/bin/thecaflow status                 the fleet by time to harm, open alerts, lag",
        "  .venv/bin/thecaflow compare                the database against a fold of its own log",
        "  .venv/bin/thecaflow export --pump founding | .venv/bin/thecaflow analyse - --kinds alert",
        '  dev/stack psql "$THECAFLOW_DATABASE"        tables and views: alert_now, dose_now, forecast_now, samples',
        f"  curl http://{settings.bind_host}:{settings.gateway_port}/metrics",
        "  make down                                  stop everything",
    )
    return "\n".join(lines)
