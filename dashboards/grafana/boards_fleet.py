"""The fleet's board: which pumps have how long left, what is open where, and whether the pipeline keeps up."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import Dashboard, VariableRefresh, VariableSort

from dashboards.grafana import panels
from dashboards.grafana.panels import FULL, HALF, QUARTER, THIRD
from dashboards.grafana.queries import (
    PROMETHEUS,
    TIMESCALEDB,
    promql,
    promql_now,
    series,
    sql_variable,
    table,
)

QUANTILES: Final = (("p50", 0.5), ("p99", 0.99))


def site_variable() -> dashboard.QueryVariable:
    """$site: all sites, or some."""
    made = sql_variable("site", "Site", "sites").multi(True).include_all(True)
    return made.refresh(VariableRefresh.ON_DASHBOARD_LOAD).sort(VariableSort.DISABLED)


def quantiles(histogram: str, by: str = "") -> list[Any]:
    """p50 and p99 of a histogram, as queries A and B."""
    group = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return [
        promql(
            f"histogram_quantile({share}, sum by ({group}) (rate({histogram}_bucket[$__rate_interval])))",
            f"{legend}{name}",
            ref_id,
        )
        for ref_id, (name, share) in zip("AB", QUANTILES, strict=True)
    ]


def fleet_board() -> Dashboard:
    """Build it."""
    made = panels.board(
        "thecaflow-fleet",
        "Fleet",
        "Pumps by time to harm, open alerts, and whether the pipeline keeps up.",
        past="now-24h",
    )
    made = made.with_variable(site_variable())
    for panel in (*_pumps(), *_alerts()):
        made = made.with_panel(panel)
    made = made.with_row(dashboard.Row("Pipeline"))
    for panel in _pipeline():
        made = made.with_panel(panel)
    return made.build()


def _pumps() -> list[Any]:
    counts = panels.numbers(
        "Now",
        "Open alerts that are past their on-delay; latched ones are open. Silent: no upload when one was due.",
        TIMESCALEDB,
        [table("fleet_counts")],
        width=FULL,
    )
    for name, color in (("high", "red"), ("high, not answered", "red"), ("silent pumps", "orange")):
        steps = {
            "mode": "absolute",
            "steps": [{"value": None, "color": "green"}, {"value": 1, "color": color}],
        }
        counts = panels.column(counts, name, thresholds=steps)
    pumps = panels.rows(
        "Pumps by time to harm",
        "Soonest first: the earliest harm of an open alert, else the earliest time of an empty reservoir (5 %).",
        TIMESCALEDB,
        table("fleet_pumps"),
        width=FULL,
        height=12,
        empty="no pump has been heard of",
    )
    for name in ("to harm", "to empty, earliest", "to device's alarm", "to refill", "last heard"):
        pumps = panels.column(pumps, name, unit="dtdurations")
    pumps = panels.column(pumps, "flow ratio", unit="percentunit", decimals=1)
    return [counts, panels.linked_to_pump(pumps)]


def _alerts() -> list[Any]:
    raised = panels.bars(
        "Alerts raised",
        "Each time that an alert became active, at the time when it was first told.",
        TIMESCALEDB,
        [series("fleet_raised")],
        width=FULL,
        empty="none raised",
    )
    by_cause = table("fleet_open_by_cause")
    by_site = table("fleet_open_by_site")
    return [
        panels.counts("Open alerts by cause", "Without pending ones.", TIMESCALEDB, by_cause, x="cause"),
        panels.counts("Open alerts by site", "The 30 sites with the most.", TIMESCALEDB, by_site, x="site"),
        panels.in_priority_colors(raised.interval("10m")),
    ]


def _pipeline() -> list[Any]:
    return [
        panels.numbers(
            "Behind by",
            "Records in the log that are not committed, and the time they take at the present rate.",
            PROMETHEUS,
            [
                promql_now("sum(max by (partition) (thecaflow_lag_records))", "records", "A"),
                promql_now("sum(thecaflow_partitions)", "partitions read", "B"),
                promql_now("max(thecaflow_quarantined_recent)", "quarantined in 10 min", "C"),
            ],
            width=FULL,
            empty="no worker",
        ),
        panels.lines(
            "Lag",
            "Records in the log that are not committed, by partition: those that have any.",
            PROMETHEUS,
            [promql("max by (partition) (thecaflow_lag_records)", "{{partition}}")],
            unit="short",
            width=HALF,
        ),
        panels.lines(
            "Throughput",
            "Committed by all workers; taken by the gateway.",
            PROMETHEUS,
            [
                promql("sum(rate(thecaflow_frames_total[$__rate_interval]))", "events committed", "A"),
                promql("sum(rate(thecaflow_samples_total[$__rate_interval]))", "samples committed", "B"),
                promql(
                    "sum by (result) (rate(thecaflow_gateway_events_total[$__rate_interval]))",
                    "events {{result}} by the gateway",
                    "C",
                ),
            ],
            unit="cps",
            width=HALF,
        ),
        panels.lines(
            "From reception to commit",
            "Of an event. A replay with its recorded times of reception counts as late.",
            PROMETHEUS,
            quantiles("thecaflow_end_to_end_seconds"),
            unit="s",
            width=THIRD,
        ),
        panels.lines(
            "A post to the gateway",
            "From its arrival to its answer, the broker's acknowledgement included.",
            PROMETHEUS,
            quantiles("thecaflow_gateway_post_seconds"),
            unit="s",
            width=THIRD,
        ),
        panels.lines(
            "Quarantined",
            "Records that took no part: each has its reason in the table beside.",
            PROMETHEUS,
            [promql("sum(rate(thecaflow_quarantined_total[$__rate_interval])) or vector(0)", "records")],
            unit="cps",
            width=THIRD,
        ),
        panels.rows(
            "Why quarantined",
            "Reasons in this range of time; what the records said stays in the database.",
            TIMESCALEDB,
            table("fleet_quarantined"),
            width=HALF + QUARTER,
            empty="nothing was quarantined",
        ),
        panels.numbers(
            "Workers' partitions",
            "How many partitions each worker holds.",
            PROMETHEUS,
            [promql_now("thecaflow_partitions", "{{instance}}")],
            width=QUARTER,
            height=8,
            empty="no worker",
        ),
    ]
