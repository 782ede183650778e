"""The operations board: promises and how fast their budgets burn, how alerting itself does, and what goes wrong."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import Dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.grafana import panels
from dashboards.grafana.boards_fleet import quantiles, site_variable
from dashboards.grafana.panels import FULL, HALF, QUARTER, THIRD
from dashboards.grafana.queries import PROMETHEUS, TIMESCALEDB, promql, promql_now, series, table
from dashboards.grafana.slos import PAIRS, SLOS, WINDOWS, Slo

MANAGEABLE: Final = 150
TOO_MANY: Final = 300
"""Alerts a day and operator (EEMUA 191)."""
FLOOD: Final = 10
"""Activations in 10 minutes above which nobody can follow (ISA-18.2)."""


def operations_board() -> Dashboard:
    """Build it."""
    made = panels.board(
        "thecaflow-operations",
        "Operations",
        "Promises and error budgets, alerting's own figures after ISA-18.2 and EEMUA 191, and errors.",
        past="now-7d",
    )
    made = made.with_variable(site_variable())
    for title, group in (
        ("Promises", _slos()),
        ("Alerting", _alerting()),
        ("Pipeline", _pipeline()),
        ("Errors", _errors()),
    ):
        made = made.with_row(dashboard.Row(title))
        for panel in group:
            made = made.with_panel(panel)
    return made.build()


def _slos() -> list[Any]:
    kept = [
        promql_now(f"1 - ({slo.errors('$__range')})", slo.name, ref_id)
        for slo, ref_id in zip(SLOS, "ABC", strict=True)
    ]
    firing = 'sum by (alertname, severity) (ALERTS{alertstate="firing", kind="pipeline"}) or vector(0)'
    return [
        panels.numbers(
            "Kept in this range of time",
            "; ".join(slo.promise for slo in SLOS) + ".",
            PROMETHEUS,
            kept,
            unit="percentunit",
            width=HALF,
            height=8,
            empty="no traffic",
        ),
        panels.rows(
            "Pipeline alerts that fire",
            "The runbook of each is in dashboards/runbooks/pipeline.md. A single row without a name: none fires.",
            PROMETHEUS,
            promql_now(firing, "{{alertname}}", shape=PromQueryFormat.TABLE),
            width=HALF,
        ),
        *(_burning(slo) for slo in SLOS),
        *(_windows(slo) for slo in SLOS),
    ]


def _burning(slo: Slo) -> Any:
    queries = [
        promql(slo.both(short, long), f"{short} and {long}, look at {limit:g}", ref_id)
        for (short, long, limit), ref_id in zip(PAIRS, "ABC", strict=True)
    ]
    return panels.lines(
        f"Burn rate: {slo.name}",
        f"{slo.promise}. 1 spends the budget exactly. The lower of each pair of windows.",
        PROMETHEUS,
        queries,
        unit="short",
        width=THIRD,
        limits=((None, "transparent"), (PAIRS[1][2], "orange"), (PAIRS[0][2], "red")),
    ).min(0)


def _windows(slo: Slo) -> Any:
    queries = [
        promql_now(slo.burn(window), window, ref_id) for window, ref_id in zip(WINDOWS, "ABCDE", strict=True)
    ]
    return panels.gauges(
        f"Burn rate now: {slo.name}",
        "Over each window up to now.",
        PROMETHEUS,
        queries,
        unit="short",
        steps=((None, "green"), (1, "yellow"), (PAIRS[1][2], "orange"), (PAIRS[0][2], "red")),
        empty="no traffic",
    )


def _alerting() -> list[Any]:
    load = panels.lines(
        "Alerts a day and operator",
        f"On each person who answered any that day. {MANAGEABLE} can be managed, {TOO_MANY} are too many (EEMUA 191).",
        TIMESCALEDB,
        [series("alerts_an_operator")],
        unit="short",
        limits=((None, "transparent"), (MANAGEABLE, "orange"), (TOO_MANY, "red")),
        empty="no alert in this range of time",
    )
    a_day = panels.bars(
        "Alerts a day", "By UTC day and highest priority.", TIMESCALEDB, [series("alerts_a_day")]
    )
    ten = panels.lines(
        "Activations in ten minutes",
        f"More than {FLOOD} at one site is a flood (ISA-18.2).",
        TIMESCALEDB,
        [series("alerts_ten_minutes")],
        unit="short",
        limits=((None, "transparent"), (FLOOD, "red")),
        empty="no alert in this range of time",
    )
    floods = panels.numbers(
        "Floods", "Over this range of time.", TIMESCALEDB, [table("alerts_floods")], width=HALF, height=8
    )
    floods = panels.column(floods, "time in flood", unit="percentunit", decimals=2)
    answer = panels.lines(
        "Time to the first answer",
        "High and medium alerts, from told to acknowledged or shelved.",
        TIMESCALEDB,
        [series("alerts_to_answer")],
        unit="s",
        empty="nothing was answered",
    )
    return [
        panels.in_priority_colors(a_day),
        load,
        ten.min(0),
        floods,
        _answered(),
        answer,
        *_offenders(),
    ]


def _answered() -> Any:
    answered = panels.rows(
        "Answers", "What became of the alerts of this range of time.", TIMESCALEDB, table("alerts_answered")
    )
    for name in ("answered", "acknowledged", "shelved", "raised again after an answer"):
        answered = panels.column(answered, name, unit="percentunit", decimals=0)
    for name in ("to answer, p50", "to answer, p95"):
        answered = panels.column(answered, name, unit="s")
    return answered


def _offenders() -> list[Any]:
    frequent = panels.rows(
        "The ten most frequent",
        "A few signals make most of the load: these are the ones to repair or to tune.",
        TIMESCALEDB,
        table("alerts_most_frequent"),
        width=THIRD,
    )
    chattering = panels.rows(
        "Chattering",
        "Raised three times or more within a minute.",
        TIMESCALEDB,
        table("alerts_chattering"),
        width=THIRD,
    )
    stale = panels.rows(
        "Stale", "Open for more than 24 hours.", TIMESCALEDB, table("alerts_stale"), width=THIRD
    )
    stale = panels.column(stale, "open for", unit="dtdurations")
    frequent = panels.column(frequent, "share", unit="percentunit", decimals=0)
    return [panels.linked_to_pump(panel) for panel in (frequent, chattering, stale)]


def _pipeline() -> list[Any]:
    steps = [
        promql(
            f"histogram_quantile(0.99, sum by (le) (rate(thecaflow_{step}_seconds_bucket[$__rate_interval])))",
            f"{step}, p99",
            ref_id,
        )
        for step, ref_id in zip(("read", "fold", "commit"), "ABC", strict=True)
    ]
    clocks = "thecaflow_gateway_clock_seconds - timestamp(thecaflow_gateway_clock_seconds)"

    def of(title: str, about: str, unit: str, *queries: Any, width: int = THIRD) -> Any:
        return panels.lines(title, about, PROMETHEUS, queries, unit=unit, width=width)

    return [
        of("One batch of a worker", "Reading, folding, committing.", "s", *steps),
        of(
            "Acknowledged by the broker",
            "Of a post's records.",
            "s",
            *quantiles("thecaflow_gateway_ack_seconds"),
        ),
        of("Console's answers", "By route.", "s", *quantiles("thecaflow_console_request_seconds", "route")),
        of(
            "Age of the pages' snapshot",
            "Since the database last confirmed what the console serves.",
            "s",
            promql("thecaflow_console_snapshot_age_seconds", "{{instance}}"),
        ),
        of(
            "Facts on their way to the topic",
            "Those that wait, and those published.",
            "short",
            promql("max(thecaflow_outbox_waiting)", "waiting", "A"),
            promql(
                "sum(rate(thecaflow_outbox_published_total[$__rate_interval]))", "published a second", "B"
            ),
        ),
        of(
            "Open alerts by state",
            "As the console serves them to Prometheus; several consoles say the same.",
            "short",
            promql("max by (state) (sum by (instance, state) (thecaflow_alerts))", "{{state}}"),
        ),
        of("Database", "Its size.", "bytes", promql("max(thecaflow_database_bytes)", "size")),
        of("Gateway's clock", "Against Prometheus' own.", "s", promql(clocks, "{{instance}}")),
        of(
            "Notifications",
            "Sent by Alertmanager, and failed, by kind of receiver.",
            "cps",
            promql(
                "sum by (integration) (rate(alertmanager_notifications_total[$__rate_interval])) > 0 or vector(0)",
                "{{integration}} sent",
                "A",
            ),
            promql(
                "sum(rate(alertmanager_notifications_failed_total[$__rate_interval])) or vector(0)",
                "failed",
                "B",
            ),
        ),
    ]


def _errors() -> list[Any]:
    worker = "sum(rate(thecaflow_{name}_total[$__rate_interval])) or vector(0)"
    names = (
        ("database_retries", "batches retried"),
        ("rereads", "partitions read anew"),
        ("repeated", "records known already"),
        ("rewinds", "pumps folded again"),
        ("corrections", "facts corrected"),
    )
    answers = "sum by (status) (rate(thecaflow_gateway_requests_total[$__rate_interval]))"
    problems = "sum by (kind) (rate(thecaflow_gateway_problems_total[$__rate_interval])) or vector(0)"
    up = 'max by (job) (up{job=~"gateway|worker|console|alertmanager|prometheus"})'
    return [
        panels.bars(
            "Gateway's answers",
            "By status.",
            PROMETHEUS,
            [promql(answers, "{{status}}")],
            unit="cps",
            width=THIRD,
        ),
        panels.bars(
            "Posts not done",
            "By kind of problem.",
            PROMETHEUS,
            [promql(problems, "{{kind}}")],
            unit="cps",
            width=THIRD,
        ),
        panels.lines(
            "Workers",
            "Late events are folded again and correct facts: no error by itself. Retries are the database's.",
            PROMETHEUS,
            [
                promql(worker.format(name=name), legend, ref_id)
                for (name, legend), ref_id in zip(names, "ABCDE", strict=True)
            ],
            unit="cps",
            width=THIRD,
        ),
        panels.numbers(
            "Processes that can be scraped",
            "1: at least one of the kind.",
            PROMETHEUS,
            [promql_now(up, "{{job}}")],
            width=FULL - QUARTER,
            steps=((None, "red"), (1, "green")),
        ),
        panels.numbers(
            "Gateway and broker",
            "1 while the broker acknowledges; records that wait for it.",
            PROMETHEUS,
            [
                promql_now("min(thecaflow_gateway_connected)", "connected", "A"),
                promql_now("sum(thecaflow_gateway_queue_events)", "waiting", "B"),
            ],
            width=QUARTER,
        ),
    ]
