"""The promises' error shares and burn rates, judged by Prometheus' own tool on made-up series."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.grafana.slos import GATEWAY, LATENCY, PAGING, PAIRS

STACK = Path(__file__).resolve().parents[2] / "dev" / "stack"
EVERY = "15s"
HOUR = 240
"""Scrapes an hour."""
POSTS = 'thecaflow_gateway_requests_total{instance="a", job="gateway", status="%s"}'
UP = 'up{instance="%s", job="%s"}'
AGE = 'thecaflow_console_snapshot_age_seconds{instance="%s", job="console"}'
COUNT = 'thecaflow_end_to_end_seconds_count{instance="w"}'
IN_TIME = 'thecaflow_end_to_end_seconds_bucket{instance="w", le="10.0"}'


@dataclass(frozen=True)
class Case:
    """Series over an hour, an expression at its end, and what it gives; None: no sample."""

    series: dict[str, str]
    expr: str
    gives: float | None


CASES = {
    "two of a hundred events late burn at twice the pace": Case(
        {COUNT: f"0+100x{HOUR}", IN_TIME: f"0+98x{HOUR}"}, LATENCY.burn("1h"), 2.0
    ),
    "all events in time burn nothing": Case(
        {COUNT: f"0+100x{HOUR}", IN_TIME: f"0+100x{HOUR}"}, LATENCY.burn("1h"), 0.0
    ),
    "without events there is no share": Case(
        {COUNT: f"5x{HOUR}", IN_TIME: f"5x{HOUR}"}, LATENCY.burn("1h"), None
    ),
    "one post in a hundred refused by a 5xx burns ten times the budget": Case(
        {POSTS % 202: f"0+98x{HOUR}", POSTS % 400: f"0+1x{HOUR}", POSTS % 503: f"0+1x{HOUR}"}
        | {UP % ("a", "gateway"): f"1x{HOUR}"},
        GATEWAY.burn("1h"),
        10.0,
    ),
    "what the sender did wrong is no error of ours": Case(
        {POSTS % 202: f"0+1x{HOUR}", POSTS % 422: f"0+9x{HOUR}", UP % ("a", "gateway"): f"1x{HOUR}"},
        GATEWAY.errors("1h"),
        0.0,
    ),
    "a gateway that nobody posts to and that is up keeps its promise": Case(
        {UP % ("a", "gateway"): f"1x{HOUR}"}, GATEWAY.errors("1h"), 0.0
    ),
    "one of two gateways is enough": Case(
        {UP % ("a", "gateway"): f"1x{HOUR}", UP % ("b", "gateway"): f"0x{HOUR}"}, GATEWAY.errors("1h"), 0.0
    ),
    "a gateway that is down breaks it though it counts no failed post": Case(
        {POSTS % 202: f"0+9x{HOUR}", UP % ("a", "gateway"): f"0x{HOUR}"}, GATEWAY.errors("1h"), 1.0
    ),
    "a console with a fresh snapshot beside a stale one is enough": Case(
        {UP % ("a", "console"): f"1x{HOUR}", UP % ("b", "console"): f"1x{HOUR}"}
        | {AGE % "a": f"1x{HOUR}", AGE % "b": f"900x{HOUR}"},
        PAGING.errors("1h"),
        0.0,
    ),
    "a snapshot that is old breaks it though the console answers": Case(
        {UP % ("a", "console"): f"1x{HOUR}", AGE % "a": f"21x{HOUR}"}, PAGING.errors("1h"), 1.0
    ),
    "a console that is gone breaks it though no age is told": Case(
        {UP % ("a", "console"): f"0x{HOUR}", AGE % "a": f"stale _x{HOUR}"}, PAGING.errors("5m"), 1.0
    ),
    "what was before Prometheus ran does not count": Case(
        {UP % ("a", "console"): f"1x{HOUR}", AGE % "a": f"1x{HOUR}"}, PAGING.errors("3d"), 0.0
    ),
    "a burst that has just begun is not yet both windows'": Case(
        {COUNT: f"0+100x{HOUR}", IN_TIME: f"0+100x{HOUR - 20} {100 * (HOUR - 20)}+0x19"},
        f"{LATENCY.both('5m', '1h')} < bool {PAIRS[0][2]}",
        1.0,
    ),
    "nor is a burst that is over": Case(
        {COUNT: f"0+100x{HOUR}", IN_TIME: f"0+0x120 0+100x{HOUR - 121}"}, LATENCY.both("5m", "1h"), 0.0
    ),
    "what burns in both is the lower of the two": Case(
        {COUNT: f"0+100x{HOUR}", IN_TIME: f"0+50x{HOUR}"}, LATENCY.both("5m", "1h"), 50.0
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_promise_is_judged(tmp_path: Path, name: str):
    """The case of this name: series in, burn rate or error share out."""
    case = CASES[name]
    # Rounded, as the tool compares to the last bit.
    expr = f"round({case.expr}, 0.0001)"
    samples: list[dict[str, Any]] = [] if case.gives is None else [{"labels": "{}", "value": case.gives}]
    group = {
        "interval": EVERY,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [{"expr": expr, "eval_time": "1h", "exp_samples": samples}],
    }
    path = tmp_path / "slo.yml"
    path.write_text(yaml.safe_dump({"tests": [group]}))
    told = subprocess.run(
        [sys.executable, str(STACK), "promtool", "test", "rules", str(path)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
