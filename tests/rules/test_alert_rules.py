"""Rules, routes and runbooks of alerts: they are what the catalogues say, the tools accept them, and nothing is left out."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.facts import Cause
from dashboards.causes import CAUSES
from dashboards.prometheus.generate import files, main

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "dashboards" / "prometheus"
ALERTMANAGER = ROOT / "dashboards" / "alertmanager"
ROUTES = ALERTMANAGER / "alertmanager.yml"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
EXAMPLES = sorted((ALERTMANAGER / "examples").glob("*.yml"))
PUMP = "kind=pump alertname=Occlusion cause=occlusion site=north pump=pump-7"
PIPELINE = "kind=pipeline alertname=NoCommits"


def _documents(paths: list[Path]) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]


def _rules() -> list[dict[str, Any]]:
    groups = [group for document in _documents(RULES) for group in document["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def _alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in _rules() if "alert" in rule}


def _dev_stack(*arguments: str | Path) -> str:
    command = [sys.executable, str(ROOT / "dev" / "stack"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, f"{' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tools() -> None:
    """Promtool and amtool; the set-up returns at once where they are."""
    _dev_stack("setup")


def test_generated_files_are_what_the_catalogues_say(capsys: pytest.CaptureFixture[str]):
    """Writing rules, their tests and the runbooks anew would change nothing."""
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_the_check_notices_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A rule that somebody edits by hand makes the check fail."""
    path = tmp_path / "dashboards" / "rules.yml"
    path.parent.mkdir()
    path.write_text("groups: []\n")
    monkeypatch.setattr("dashboards.prometheus.generate.DASHBOARDS", path.parent)
    monkeypatch.setattr("dashboards.prometheus.generate.files", lambda: {path: "groups: [other]\n"})
    assert main(["--check"]) == 1


def test_every_cause_has_its_rule():
    """A cause that the contract knows is paged; its rule selects it and nothing else."""
    alerts = _alerts()
    for cause in Cause:
        assert f'cause="{cause}"' in alerts[CAUSES[cause].alert_name]["expr"]


def test_every_alert_has_its_heading_in_a_runbook():
    """The anchor that an alert's annotation names is a heading of that file, with first checks below."""
    for name, rule in _alerts().items():
        path, anchor = rule["annotations"]["runbook"].split("#")
        sections = re.split(r"^## ", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
        (section,) = [section for section in sections if section.startswith(f"{name}\n")]
        assert anchor == name.lower()
        if "first_checks" in rule["annotations"]:
            assert rule["annotations"]["first_checks"] in section, name


def test_every_alert_is_tested_to_fire_and_not_to():
    """Each alert has a time with exact labels and text, and an earlier time or a look-alike without it."""
    fires, quiet = set(), set()
    for document in _documents(TESTS):
        for test in document["tests"]:
            for case in test.get("alert_rule_test", []):
                (fires if case["exp_alerts"] else quiet).add(case["alertname"])
                for alert in case["exp_alerts"]:
                    assert alert["exp_labels"], case["alertname"]
                    assert alert["exp_annotations"]["summary"], case["alertname"]
    assert fires == set(_alerts())
    assert quiet == set(_alerts()) - {"Watchdog"}


def test_every_threshold_has_its_reason():
    """Each number of the rules stands in one file, with a sentence why."""
    body = ast.parse((PROMETHEUS / "thresholds.py").read_text(encoding="utf-8")).body
    names = [place for place, node in enumerate(body) if isinstance(node, ast.AnnAssign)]
    assert names
    for place in names:
        assert isinstance(body[place + 1], ast.Expr), ast.unparse(body[place])


def test_every_webhook_has_its_address_in_a_file():
    """The committed routes hold neither an address nor a secret, and every file of urls/ belongs to a receiver."""
    text = ROUTES.read_text(encoding="utf-8")
    hooks = [
        hook for receiver in yaml.safe_load(text)["receivers"] for hook in receiver.get("webhook_configs", [])
    ]
    assert {hook["url_file"] for hook in hooks} == {
        f"urls/{path.name}" for path in (ALERTMANAGER / "urls").iterdir()
    }
    assert "://" not in text
    secret = re.compile(r"(password|key|token|secret)(?!_file):", re.IGNORECASE)
    for path in (ROUTES, *EXAMPLES):
        assert not secret.search(path.read_text(encoding="utf-8")), path.name


def test_the_generator_knows_all_rule_files():
    """No rule file stands beside the generated ones."""
    assert set(RULES) <= set(files())


def test_prometheus_accepts_configuration_and_rules(tools: None):
    """Promtool checks the configuration, the files of targets and each rule, with lint."""
    _dev_stack("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    _dev_stack("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(tools: None, path: Path):
    """Promtool runs the tests of the rules."""
    _dev_stack("promtool", "test", "rules", path)


@pytest.mark.parametrize("path", [ROUTES, *EXAMPLES], ids=lambda path: path.stem)
def test_alertmanager_accepts_routes_and_examples(tools: None, path: Path):
    """Amtool checks the configuration with its templates."""
    assert "1 templates" in _dev_stack("amtool", "check-config", path)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (f"{PUMP} priority=high", "pages"),
        (f"{PUMP} priority=medium", "notifications"),
        (f"{PUMP} priority=low", "tickets"),
        (f"{PUMP} priority=info", "nobody"),
        ("kind=pump alertname=SiteSilent site=north priority=high", "pages"),
        ("kind=pump alertname=PumpAlertReturned cause=leak pump=pump-7 priority=medium", "notifications"),
        ("kind=handled alertname=PumpAlertHandled cause=leak pump=pump-7 priority=high", "nobody"),
        (
            "kind=escalation severity=escalation alertname=PumpAlertNotAcknowledged priority=high",
            "escalation",
        ),
        ("kind=pipeline severity=none alertname=Watchdog", "watchdog"),
        (f"{PIPELINE} severity=page", "operations"),
        (f"{PIPELINE} severity=ticket", "tickets"),
        (f"{PUMP} priority=loud", "operations"),
        ("alertname=Unheard", "operations"),
    ],
)
def test_every_alert_reaches_whom_it_should(tools: None, labels: str, receiver: str):
    """High pages, medium notifies, low makes a ticket; what no route knows is seen by somebody."""
    words = labels.split()
    _dev_stack(
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={ROUTES}",
        f"--verify.receivers={receiver}",
        *words,
    )


def _title(tmp_path: Path, *alerts: tuple[str, str], priority: str | None = "medium") -> str:
    """Render the line of a lock screen for alerts given by status and summary."""
    labels = {"site": "north"} | ({} if priority is None else {"priority": priority})
    data = {
        "receiver": "pages",
        "status": "firing" if any(status == "firing" for status, _ in alerts) else "resolved",
        "alerts": [
            {"status": status, "labels": labels, "annotations": {"summary": summary}}
            for status, summary in alerts
        ],
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "",
    }
    path = tmp_path / "data.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return _dev_stack(
        "amtool",
        "template",
        "render",
        f"--template.glob={ALERTMANAGER}/templates/*.tmpl",
        f"--template.data={path}",
        '--template.text={{ template "thecaflow.title" . }}',
    )


def test_a_lock_screen_says_what_is_open_now(tools: None, tmp_path: Path):
    """Counts leave out what has ended; and what goes on at another priority is never said to be over, just beside its page."""
    leak, stall = ("firing", "pump-7: a leak"), ("resolved", "pump-8: a stall")
    assert _title(tmp_path, stall, leak, priority="high") == "HIGH: pump-7: a leak"
    assert _title(tmp_path, leak, leak, stall) == "MEDIUM: 2 alerts: pump-7: a leak, ..."
    assert _title(tmp_path, stall) == "No longer MEDIUM: pump-8: a stall"
    assert _title(tmp_path, ("resolved", "No worker runs"), priority=None) == "Over: No worker runs"


def test_no_alert_falls_through_to_the_last_route(tools: None):
    """Each rule's own labels have a route of their own; the default is for what the rules do not make."""
    routes = yaml.safe_load(ROUTES.read_text(encoding="utf-8"))["route"]["routes"]
    matched = {matcher for route in routes for matcher in route["matchers"]}
    for name, rule in _alerts().items():
        labels = rule["labels"]
        pairs = {f'{label}="{text}"' for label, text in labels.items()} | {f'alertname="{name}"'}
        assert pairs & matched, name


def test_every_metric_of_the_rules_is_served():
    """A metric that is renamed in a process would silently end its alerts; a counter has `_total` behind its name."""
    sources = ("processors/metrics.py", "ingest/gateway_metrics.py", "dashboards/console/metrics.py")
    served = set().union(
        *(re.findall(r'"(thecaflow_\w+)"', (ROOT / path).read_text(encoding="utf-8")) for path in sources)
    )
    text = "".join(str(rule["expr"]) for rule in _rules())
    asked = {name.removesuffix("_total") for name in re.findall(r"thecaflow_\w+", text)}
    assert asked <= served
