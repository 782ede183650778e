"""Alerts about what shows and what pages: console, database, Alertmanager, Prometheus, and the watchdog over all."""

from typing import Final

from dashboards.prometheus import thresholds as limit
from dashboards.prometheus.pipeline_alert import PipelineAlert, down

CONSOLE: Final = (
    PipelineAlert(
        name="ConsoleDown",
        severity="page",
        expr=down("console"),
        wait=limit.DOWN_FOR,
        title="No console runs",
        effect="Open pages stay as they are, but no new alert is paged, and nothing can be acknowledged on the pages.",
        first_checks=(
            "The console's log and its process.",
            "The database: a console that has not reached it since its start answers 503.",
            "Open alerts are in the database all the while: `thecaflow alerts`.",
        ),
        look_alike="One of two consoles is gone. A restart within half a minute.",
    ),
    PipelineAlert(
        name="ConsoleSnapshotOld",
        severity="page",
        expr=f"min(thecaflow_console_snapshot_age_seconds) > {limit.SNAPSHOT_OLD_S}",
        wait=limit.SNAPSHOT_OLD_FOR,
        title="The console shows an old picture",
        summary="The console shows a picture that is {{ humanizeDuration $value }} old",
        effect="Open pages stay as they are, but no new alert is paged.",
        first_checks=("The console's log.", "The database: slow, locked, or too many connections?"),
        look_alike="A restart of the database; another console that is up to date.",
    ),
    PipelineAlert(
        name="DatabaseAway",
        severity="page",
        expr="max(thecaflow_console_database_up) == 0",
        wait=limit.DATABASE_AWAY_FOR,
        title="The database does not answer",
        effect="Nothing is judged, and no new alert is paged. What is sent waits in Kafka; nothing is lost.",
        first_checks=(
            "The database's log and its process.",
            "Its disk: full?",
            "Its connections: all taken?",
        ),
        look_alike="A restart of the database.",
    ),
    PipelineAlert(
        name="OutboxStuck",
        severity="ticket",
        expr=(
            "max(thecaflow_outbox_waiting) > 0\n"
            "  and on () sum(increase(thecaflow_outbox_published_total[5m])) == 0\n"
        ),
        wait=limit.OUTBOX_STUCK_FOR,
        title="Facts wait for their topic",
        summary="{{ $value }} facts wait for their topic, and none is published",
        effect="Programs behind the topic of facts do not see them. Pages do not depend on it.",
        first_checks=("The console's log.", "Kafka, and the topic of facts: does it exist?"),
        look_alike="Facts wait and are published: load.",
    ),
    PipelineAlert(
        name="DatabaseFull",
        severity="page",
        expr=f"max(thecaflow_database_bytes) / max(thecaflow_database_limit_bytes) > {limit.DATABASE_FULL_SHARE}",
        title="The database is almost full",
        summary="The database has filled {{ humanizePercentage $value }} of its limit",
        effect="When the disk is full, nothing is judged any more.",
        first_checks=(
            "More disk, and THECAFLOW_DATABASE_LIMIT_GB with it.",
            "Old runs and old telemetry that the law no longer wants (docs/operations.md).",
        ),
        look_alike="A limit that is not stated: then nothing is known, and nothing fires.",
    ),
    PipelineAlert(
        name="DatabaseFilling",
        severity="ticket",
        expr=(
            f"max(predict_linear(thecaflow_database_bytes[{limit.DATABASE_FILLING_OVER}], "
            f"{limit.DATABASE_FILLING_WITHIN_S})) > max(thecaflow_database_limit_bytes)\n"
            f"  and max(thecaflow_database_bytes) / max(thecaflow_database_limit_bytes)"
            f" > {limit.DATABASE_FILLING_SHARE}\n"
        ),
        wait=limit.DATABASE_FILLING_FOR,
        title="The database will be full within four days",
        effect="When the disk is full, nothing is judged any more.",
        first_checks=(
            "What grows: events by pumps or by their frequency, or a second run of a rebuild?",
            "More disk, and THECAFLOW_DATABASE_LIMIT_GB with it.",
        ),
        look_alike="Steep growth below half of the limit, such as a load test.",
    ),
)
PAGING: Final = (
    PipelineAlert(
        name="NotificationsFailing",
        severity="page",
        expr="sum by (integration) (rate(alertmanager_notifications_failed_total[2m])) > 0",
        wait=limit.NOTIFICATIONS_FAILING_FOR,
        title="Alertmanager cannot deliver",
        summary="Alertmanager cannot deliver by {{ $labels.integration }}",
        effect="Somebody is not paged. Alertmanager tries again by itself.",
        first_checks=(
            "Alertmanager's log: which receiver, which answer.",
            "The address of that receiver in urls/, and the service behind it.",
        ),
        look_alike="A single failure that the next attempt makes good.",
    ),
    PipelineAlert(
        name="RulesFailing",
        severity="page",
        expr="sum by (rule_group) (rate(prometheus_rule_evaluation_failures_total[2m])) > 0",
        wait=limit.RULES_FAILING_FOR,
        title="A rule cannot be evaluated",
        summary='A rule of group {{ $labels.rule_group | reReplaceAll ".*;" "" }} cannot be evaluated',
        effect="Its alerts are not paged.",
        first_checks=(
            "Prometheus' log, and its page of rules: the error stands beside the rule.",
            "Two series of one alert with the same labels: which target serves both?",
        ),
        look_alike="A rule without rows: that is health.",
    ),
    PipelineAlert(
        name="Watchdog",
        severity="none",
        expr="vector(1)",
        title="Pages work",
        effect="None: it always fires. Where it stops arriving, Prometheus or Alertmanager or the way from them is down.",
        first_checks=(
            "A dead man's switch outside of this installation calls when it no longer hears this.",
        ),
        look_alike="Nothing: it never stops while pages work.",
    ),
)
