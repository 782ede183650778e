"""What the demonstration prints at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from contract.facts import Dose, Fact
from ingest.replay_report import Report
from ingest.simulator import Label
from storage.written import WrittenLine
from thecaflow.demo import tables
from thecaflow.demo.grade import Grade
from thecaflow.demo.pages import P99_LIMIT_US, RECEIVERS, PageGrade, told_and_withdrawn
from thecaflow.demo.processes import WORKERS
from thecaflow.evaluation.matching import LOUD
from thecaflow.settings import Settings
from thecaflow.status_screen import span


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


def show(found: Grade, facts: Sequence[Fact], console: Console, told: PageGrade | None = None) -> None:
    """Print the table of faults, what was said of healthy pumps, and one pump's dose ledger."""
    console.print(tables.faults(found, told))
    console.print(tables.healthy(found), highlight=False)
    shown = next((one.label for one in found.found if one.label.kind == "stall"), None)
    shown = shown or next((one.label for one in found.found), None)
    if shown is not None:
        own = [fact for fact in facts if isinstance(fact, Dose) and fact.pump == shown.pump]
        console.print(tables.ledger(own, shown))


def paging(labels: Sequence[Label], told: PageGrade, lines: Sequence[WrittenLine]) -> str:
    """What arrived at the webhook: how soon, what should not have, and what real time would have shown besides."""
    loud = [one for one in told.deliveries if one.priority in LOUD]
    arrived = sum(one.arrived_us is not None for one in loud)
    p50_us, p99_us = told.percentile_us(0.5), told.percentile_us(0.99)
    limit_s = P99_LIMIT_US / 1e6
    late = "" if p99_us is None or p99_us <= P99_LIMIT_US else " [bold red]TOO LATE[/]"
    counts = ", ".join(f"{told.arrived.get(priority, 0)} to {name}" for name, priority in RECEIVERS.items())
    delays = f"p50 {tables.seconds(p50_us)}, p99 {tables.seconds(p99_us)} (limit {limit_s:.0f} s){late}"
    text = [
        f"paging: {arrived} of {len(loud)} due pages and notifications arrived, from commit to webhook {delays}",
        f"arrived by now: {counts} (these are gathered for 30 s)",
        f"pages or notifications of healthy pumps: {len(told.false_pages)}",
    ]
    text += [f"  [bold red]FALSE[/] {tables.arrival(page)}" for page in told.false_pages]
    text += [f"  [bold red]WRONG RECEIVER[/] {tables.arrival(page)}" for page in told.astray]
    text += [f"  [bold red]RESOLVED BUT OPEN[/] {tables.arrival(page)}" for page in told.ended]
    if told.others:
        text.append("of no pump: " + ", ".join(f"{name} {count}" for name, count in told.others.items()))
    if withdrawn := told_and_withdrawn(labels, lines):
        longest = ", ".join(f"{pump} {cause} {span(us)}" for (pump, cause), us in withdrawn.items())
        text.append(f"believed of healthy pumps for a while and withdrawn: {longest}")
    return "\n".join(text)


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


def afterwards(settings: Settings, link: str) -> str:
    """What stays up and how to look at it."""
    at = f"http://{settings.bind_host}:{settings.pager_port}/"
    stays = (
        f"Kafka {settings.kafka}, TimescaleDB, Prometheus, Alertmanager, gateway {settings.gateway_port}, "
        f"{len(WORKERS)} workers, console, pager; logs in {Path(settings.run_folder)}"
    )
    looks = (
        (settings.console_url, "the console: the fleet by time to harm, alerts, pumps"),
        (settings.alertmanager_url, "Alertmanager: what is firing, silences"),
        (settings.prometheus_url, "Prometheus: rules, targets, metrics"),
        (f"curl {at}", "the pages as they arrived, the newest first"),
        ('eval "$(.venv/bin/thecaflow demo --env)"', "from here on this shell looks at the demonstration:"),
        (".venv/bin/thecaflow status --watch", "alerts by time to harm, lag, rates"),
        ("export THECAFLOW_TOKEN=$(.venv/bin/thecaflow token add me --role operator)", ""),
        (".venv/bin/thecaflow alerts", "what is open; `ack` and `shelve` answer; the token logs in, too"),
        (".venv/bin/thecaflow compare", "the database against a fold of its own log"),
        (".venv/bin/thecaflow export --pump founding | .venv/bin/thecaflow analyse - --kinds alert", ""),
        ('dev/stack psql "$THECAFLOW_DATABASE"', "views: alert_now, dose_now, forecast_now, samples"),
        ("make down", "stop everything"),
    )
    return "\n".join(
        (
            f"What stays up: {stays}",
            *(f"  {look:<42} {what}".rstrip() for look, what in looks),
            "Nobody sends from here on: in some 12 hours the pumps are silent, and are paged as such.",
            f"Log in to the console as an operator, once, by this link: {link}",
        )
    )
