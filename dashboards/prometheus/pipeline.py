"""Alerts about the pipeline itself: failures that make pages late or missing, on the way from the gateway to the worker."""

from typing import Final

from dashboards.prometheus import thresholds as limit
from dashboards.prometheus.pipeline_alert import LAG, PipelineAlert, down
from dashboards.prometheus.pipeline_showing import CONSOLE, PAGING


def recordings() -> list[dict[str, str]]:
    """What the alerts are made of."""
    jobs = 'max by (job) (up{job=~"gateway|worker|console"})'
    return [
        # What was up once is expected: itself remembered, through a restart of Prometheus of up to a day.
        {"record": "thecaflow:job_up", "expr": jobs},
        {
            "record": "thecaflow:job_seen",
            "expr": "(thecaflow:job_up > 0)\nor thecaflow:job_seen\nor max_over_time(thecaflow:job_seen[1d])\n",
        },
        {
            "record": "thecaflow:lag_seconds",
            "expr": f"sum({LAG}) / sum(rate(thecaflow_frames_total[2m]))",
        },
        {
            "record": "thecaflow:partition_idle_seconds",
            "expr": "time() - max by (partition) (thecaflow_progress_seconds)",
        },
        {"record": "thecaflow:partitions_read", "expr": f"count({LAG})"},
    ]


def _quarantine() -> str:
    bad, good = "sum(rate(thecaflow_quarantined_total[10m]))", "sum(rate(thecaflow_frames_total[10m]))"
    enough = f"sum(increase(thecaflow_quarantined_total[10m])) >= {limit.QUARANTINE_RECORDS}"
    return f"{bad} / ({bad} + {good}) > {limit.QUARANTINE_SHARE}\n  and {enough}\n"


def _refusing() -> str:
    bad = 'sum(rate(thecaflow_gateway_requests_total{status=~"5.."}[5m]))'
    enough = f"sum(increase(thecaflow_gateway_requests_total[5m])) >= {limit.REFUSING_REQUESTS}"
    return (
        f"{bad} / sum(rate(thecaflow_gateway_requests_total[5m])) > {limit.REFUSING_SHARE}\n  and {enough}\n"
    )


_WORKER: Final = (
    PipelineAlert(
        name="WorkersDown",
        severity="page",
        expr=down("worker"),
        wait=limit.DOWN_FOR,
        title="No worker runs",
        effect="Telemetry is kept but not judged: no new alert arises until a worker runs.",
        first_checks=(
            "The workers' logs: an exit code of 3 or more says why it will not go on by itself (docs/operations.md).",
            "Database and Kafka: a worker waits for both, and says so in its log.",
        ),
        look_alike="One of several workers is gone: the others take its partitions. A restart within half a minute.",
    ),
    PipelineAlert(
        name="NoCommits",
        severity="page",
        expr=(
            f"count(\n"
            f"  (thecaflow:partition_idle_seconds > {limit.NO_COMMIT_S} and on (partition) {LAG} > 0)\n"
            f"  or ({LAG} > 0 unless on (partition) thecaflow:partition_idle_seconds)\n"
            f")\n"
        ),
        wait=limit.NO_COMMIT_FOR,
        title="Records wait, and nothing is committed",
        summary="Records wait, and nothing is committed in {{ $value }} partitions",
        effect="The pumps of these partitions are not judged: no new alert of theirs arises.",
        first_checks=(
            "The worker's log: retries of a batch, a rebalance that does not end.",
            "The database: locks that somebody holds, a full disk.",
        ),
        look_alike="Nothing is committed since nothing waits: a gateway that is stopped writes no ticks.",
    ),
    PipelineAlert(
        name="LagOld",
        severity="page",
        expr=f"thecaflow:lag_seconds > {limit.LAG_OLD_S}",
        wait=limit.LAG_OLD_FOR,
        title="Records are judged too late",
        summary="Records are judged {{ humanizeDuration $value }} late at the present rate",
        effect="Pages are late by as much.",
        first_checks=(
            "Load: events a second against what it was last week.",
            "The time of a commit and of a fold on the operations board: which of them grew?",
            "Another worker takes a share of the partitions by itself.",
        ),
        look_alike="A backlog after a restart that is worked off within minutes.",
    ),
    PipelineAlert(
        name="LagGrowing",
        severity="ticket",
        expr=(
            f"deriv(sum({LAG})[{limit.LAG_GROWING_OVER}:]) > 0\n"
            f"  and on () thecaflow:lag_seconds > {limit.LAG_GROWING_S}\n"
        ),
        wait=limit.LAG_GROWING_FOR,
        title="Records come faster than they are judged",
        effect="Pages will be late if it goes on.",
        first_checks=(
            "Load: events a second against what it was last week.",
            "Another worker takes a share of the partitions by itself.",
        ),
        look_alike="A large lag that falls: a backlog that is being worked off.",
    ),
    PipelineAlert(
        name="PartitionsUnread",
        severity="page",
        expr=(
            f"thecaflow:partitions_read < max_over_time(thecaflow:partitions_read[{limit.PARTITIONS_SEEN_OVER}])"
        ),
        wait=limit.PARTITIONS_UNREAD_FOR,
        title="Some partitions are read by no worker",
        summary="Only {{ $value }} partitions are read by a worker",
        effect="The pumps of the others are not judged: no new alert of theirs arises.",
        first_checks=(
            "The workers' logs: which of them gave its partitions back, and why nobody took them.",
            "The consumer group's members, by Kafka's own tool.",
        ),
        look_alike="A rebalance: partitions are read by nobody for some seconds.",
    ),
    PipelineAlert(
        name="QuarantineShare",
        severity="ticket",
        expr=_quarantine(),
        wait=limit.QUARANTINE_FOR,
        title="A share of what is sent is put into quarantine",
        summary="{{ humanizePercentage $value }} of what is sent is put into quarantine",
        effect="Pumps whose events are all refused are not watched; they are reported as silent in time.",
        first_checks=(
            "The newest reasons in table quarantine: one sender or many, one reason or many?",
            "A sender whose software was changed at that time.",
        ),
        look_alike="A single damaged file, or the same share of a handful of records.",
    ),
)
_GATEWAY: Final = (
    PipelineAlert(
        name="GatewayDown",
        severity="page",
        expr=down("gateway"),
        wait=limit.DOWN_FOR,
        title="No gateway runs",
        effect="Nothing comes in. Relays keep their uploads and try again; silence is noticed only when it is back.",
        first_checks=(
            "The gateway's log and its process.",
            "The address that relays use: certificate, proxy, name.",
        ),
        look_alike="A gateway that has never run here. A restart within half a minute.",
    ),
    PipelineAlert(
        name="GatewayNotConnected",
        severity="page",
        expr="max(thecaflow_gateway_connected) == 0",
        wait=limit.NOT_CONNECTED_FOR,
        title="The gateway does not reach Kafka",
        effect="Everything that is sent is answered with 503. Relays keep their uploads and try again.",
        first_checks=("Kafka's log and its process.", "The network between the gateway and Kafka."),
        look_alike="A restart of Kafka.",
    ),
    PipelineAlert(
        name="GatewayRefusing",
        severity="page",
        expr=_refusing(),
        wait=limit.REFUSING_FOR,
        title="The gateway fails a share of what is sent",
        summary="The gateway fails {{ humanizePercentage $value }} of what is sent (5xx)",
        effect="Uploads are late: relays try again, and what they send counts only once it is taken.",
        first_checks=(
            "The gateway's log: which kind of problem.",
            "Kafka's answers, on the operations board: the time to an acknowledgement, records waiting.",
        ),
        look_alike="Refusals with 4xx: the sender's fault, and told to the sender.",
    ),
    PipelineAlert(
        name="GatewayClockOff",
        severity="page",
        expr=(
            "abs(thecaflow_gateway_clock_seconds - timestamp(thecaflow_gateway_clock_seconds))"
            f" > {limit.CLOCK_OFF_S}"
        ),
        wait=limit.CLOCK_OFF_FOR,
        title="The clock of a gateway is off",
        summary="The clock of gateway {{ $labels.instance }} is off by {{ humanizeDuration $value }}",
        effect="`received` is wrong: silence is noticed too late or too early, and sound device clocks look skewed.",
        first_checks=(
            "Time service on the gateway's machine, then on Prometheus' own: the two are compared.",
            "Events taken meanwhile keep the wrong `received`; they are in table events by that time.",
        ),
        look_alike="A clock that jumps once, when it is set right.",
    ),
)
ALERTS: Final = (*_WORKER, *_GATEWAY, *CONSOLE, *PAGING)
