"""Tests of the alert of every cause, for promtool: it fires with its exact labels and text, and in no look-alike.

What is particular to a cause is written by hand in tests/pumps.yml.
"""

from typing import Any

from contract.facts import DEFAULT_PRIORITY, Cause
from dashboards.causes import CAUSES, CauseText
from dashboards.prometheus.pump_rules import checks_words

HARM_SECONDS = 9000


def cause_tests() -> dict[str, Any]:
    """One test a cause: opened at minute 2 with harm in 2 h 30 min; a pump with another cause stands beside it."""
    return {
        "rule_files": ["../rules/pumps.yml"],
        "evaluation_interval": "1m",
        "tests": [_cause_test(text) for text in CAUSES.values()],
    }


def _cause_test(text: CauseText) -> dict[str, Any]:
    other = Cause.LEAK if text.cause is not Cause.LEAK else Cause.OCCLUSION
    priority = str(DEFAULT_PRIORITY[text.cause])
    own = f'pump="pump-7",site="north",cause="{text.cause}",priority="{priority}"'
    beside = f'pump="pump-8",site="north",cause="{other}",priority="high"'
    what = "Harm" if text.harm == "none" else text.harm.capitalize()
    fires = {
        "exp_labels": {
            "kind": "pump",
            "pump": "pump-7",
            "site": "north",
            "cause": str(text.cause),
            "priority": priority,
        },
        "exp_annotations": {
            "summary": f"north, pump pump-7: {text.title}",
            "harm": f"{what} is expected in 2h 30m 0s at the earliest.",
            "effect": text.effect,
            "first_checks": checks_words(text.first_checks),
            "runbook": text.runbook,
            "console": "/pumps/pump-7",
        },
    }
    return {
        "name": f"{text.alert_name} fires when its alert opens, not before, and for no other cause",
        "interval": "1m",
        "input_series": [
            {"series": 'up{job="console",instance="a"}', "values": "1x6"},
            {"series": f"thecaflow_alert_active{{{own}}}", "values": "_x2 1x4"},
            {"series": f"thecaflow_alert_harm_seconds{{{own}}}", "values": f"_x2 {HARM_SECONDS}-60x4"},
            {"series": f"thecaflow_alert_active{{{beside}}}", "values": "1x6"},
        ],
        "alert_rule_test": [
            {"eval_time": "1m", "alertname": text.alert_name, "exp_alerts": []},
            {"eval_time": "2m", "alertname": text.alert_name, "exp_alerts": [fires]},
        ],
    }
