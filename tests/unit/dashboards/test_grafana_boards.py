"""The committed boards are what the code writes, hang together, and name only what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from dashboards.console.metrics import ConsoleMetrics, SnapshotCollector
from dashboards.console.snapshot import Snapshot
from dashboards.grafana import generate, slos
from dashboards.grafana.queries import SQL, sql_text
from ingest.gateway_metrics import Metric as GatewayMetric
from processors.metrics import END_TO_END_SECONDS
from processors.metrics import Metric as WorkerMetric
from storage.console import AlertNow, Figures
from tests import grafana

ROOT = Path(__file__).resolve().parents[3]
OF_OTHERS = {
    *("up", "ALERTS"),
    *("alertmanager_notifications_total", "alertmanager_notifications_failed_total"),
}
"""Metrics of Prometheus and Alertmanager that the boards use; the test on the live stack finds them there."""
BOARDS = grafana.boards()
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]


def test_generating_again_changes_nothing(capsys: pytest.CaptureFixture[str]):
    """--check finds each committed board as the code writes it, and says so with exit 0 and no word."""
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_a_changed_and_a_foreign_board_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """--check names a file that differs, one that is missing and one that no code wrote; writing repairs the first two."""
    folder = tmp_path / "dashboards" / "grafana"
    (folder / "boards").mkdir(parents=True)
    monkeypatch.setattr(generate, "GRAFANA", folder)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (folder / "boards" / "fleet.json").write_text("{}")
    (folder / "boards" / "pump.json").unlink()
    (folder / "boards" / "mine.json").write_text("{}")
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    told = capsys.readouterr().out
    assert all(f"boards/{name}.json" in told for name in ("fleet", "pump", "mine"))
    assert "boards/operations.json" not in told
    (folder / "boards" / "mine.json").unlink()
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_unknown_arguments_are_wrong_usage(capsys: pytest.CaptureFixture[str]):
    """Exit 2 with the usage on standard error; --help says the same with exit 0."""
    assert generate.main(["--chekc"]) == 2
    assert "--check" in capsys.readouterr().err
    assert generate.main(["--help"]) == 0
    assert "--check" in capsys.readouterr().out


def test_every_sql_file_is_on_a_board():
    """No query is left over, and each begins with a comment that says what it is for."""
    used = {query.text for query in grafana.queries() if query.language == "sql"}
    for file in sorted(SQL.glob("*.sql")):
        assert file.read_text(encoding="utf-8").startswith("-- "), file.name
        body = sql_text(file.stem, columns="@") if "{{columns}}" in file.read_text() else sql_text(file.stem)
        before, _, after = body.partition("@")
        assert any(text.startswith(before) and text.endswith(after) for text in used), file.name


def test_sql_with_a_part_missing_or_unknown_is_refused():
    """A board that forgets a part of its query, or names one that is not there, fails when it is generated."""
    with pytest.raises(KeyError, match="left open"):
        sql_text("pump_samples")
    with pytest.raises(KeyError, match="no part"):
        sql_text("sites", columns="1")


def test_no_board_shows_what_people_wrote_or_who_answered():
    """Notes, reasons and the names of those who answered stay in the log, and tokens where they are."""
    forbidden = re.compile(
        r"->>? '(?:text|reason|actor|drug)'|\bactor\b|\btoken\b|\blogin_link\b|\bquarantine\.text\b|\bpayload\b"
    )
    shown = [query for query in grafana.queries() if query.language == "sql"]
    assert [query.name for query in shown if forbidden.search(query.text)] == []
    assert forbidden.search("SELECT content ->> 'reason'"), "the search finds"


def exposed() -> dict[str, set[str]]:
    """Every series of our processes that a scrape can find, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in (*WorkerMetric, *GatewayMetric):
        definition = metric.value
        labels = set(definition.labels)
        match definition.kind:
            case "counter":
                found[f"{definition.name}_total"] = labels
            case "gauge":
                found[definition.name] = labels
            case "histogram":
                found[f"{definition.name}_bucket"] = labels | {"le"}
                found |= {f"{definition.name}_{part}": labels for part in ("sum", "count")}
    return found | exposed_by_console()


class _OneAlert:
    """A console's source of snapshots with one alert that has everything."""

    confirmed_us = 0
    database_up = True

    def __init__(self) -> None:
        fields: dict[str, Any] = dict.fromkeys(AlertNow.__dataclass_fields__)
        fields |= {
            "pump": "p",
            "site": "s",
            "cause": "occlusion",
            "state": "acknowledged",
            "priority": "high",
        }
        alert = AlertNow(**(fields | {"harm_lo_us": 1}))
        self.current = Snapshot(
            version=1,
            at_us=0,
            alerts=(alert,),
            figures=Figures(outbox_waiting=0, database_bytes=0, quarantined_recent=0),
        )


def exposed_by_console() -> dict[str, set[str]]:
    source: Any = _OneAlert()
    metrics = ConsoleMetrics(SnapshotCollector(source, lambda: 0, 1))
    metrics.request_seconds.labels("route").observe(0.1)
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


def recorded() -> set[str]:
    files = sorted((ROOT / "dashboards/prometheus/rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


WORD = re.compile(r"(?<![\w$:])([a-zA-Z_:][\w:]*)(?![\w:]|\s*\()")
NOT_METRICS = {"by", "on", "or", "and", "unless", "bool", "without", "ignoring", "group_left", "group_right"}


def names_and_labels(expr: str) -> tuple[set[str], set[str]]:
    """Metrics and labels that a PromQL expression names; functions are followed by a parenthesis."""
    labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expr))
    for group in re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expr):
        labels |= {label.strip() for label in group.split(",")}
    bare = re.sub(r'"(?:\\.|[^"\\])*"|\{[^}]*\}|\[[^\]]*\]', " ", expr)
    bare = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)", " ", bare)
    return set(WORD.findall(bare)) - NOT_METRICS, labels


def test_every_metric_and_label_of_a_board_exists():
    """PromQL of the boards names only series of our catalogues, of the recording rules, or of Prometheus and Alertmanager."""
    catalogue = exposed()
    known = catalogue.keys() | recorded() | OF_OTHERS
    labels = {label for those in catalogue.values() for label in those}
    labels |= {"job", "instance", "alertname", "alertstate", "severity", "kind", "integration", "window"}
    named: set[str] = set()
    for query in grafana.queries():
        if query.language == "promql":
            names, used = names_and_labels(query.text)
            assert names, query.name
            assert names <= known, f"{query.name}: {names - known}"
            assert used <= labels, f"{query.name}: {used - labels}"
            named |= names
    assert {"thecaflow_lag_records", "thecaflow_end_to_end_seconds_bucket", "up"} <= named, (
        "the search finds names"
    )
    assert named >= OF_OTHERS, "a metric of others that no board needs is a gap of this test"


def test_the_search_for_metrics_sees_through_an_expression():
    """Functions, keywords, labels, strings, ranges and numbers are no metrics; what is left is."""
    expr = 'sum by (le, a) (rate(m_one{x="m_x"}[5m])) > 0 or label_replace(m:two, "d", "m_y", "", "") * on (z) (m3 < bool 2)'
    assert names_and_labels(expr) == ({"m_one", "m:two", "m3"}, {"le", "a", "x", "z"})


def test_the_promise_of_latency_stands_at_a_bucket():
    """A share within a bound that is no bucket's would be none at all."""
    assert slos.COMMITTED_WITHIN_S in END_TO_END_SECONDS


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_a_board_can_be_shown(name: str):
    """Unique ids, panels inside the 24 columns that do not overlap, sources of the provisioning, a text for no rows."""
    provisioned = yaml.safe_load(
        (ROOT / "dashboards/grafana/provisioning/datasources/thecaflow.yml").read_text()
    )
    sources = {(source["type"], source["uid"]) for source in provisioned["datasources"]}
    board = BOARDS[name]
    assert board["uid"] == f"thecaflow-{name}"
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    covered: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not covered & cells, panel["title"]
        covered |= cells
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]
            for asked in (panel, *panel["targets"]):
                assert (asked["datasource"]["type"], asked["datasource"]["uid"]) in sources, panel["title"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_links_lead_to_boards_that_exist():
    """A link of a cell names a board by the uid it has, and a variable which that board has."""
    found = re.findall(
        r"/d/([\w-]+)\?var-(\w+)=", "".join(path.read_text() for path in grafana.BOARDS.glob("*.json"))
    )
    assert found
    for uid, variable in found:
        board = BOARDS[uid.removeprefix("thecaflow-")]
        assert variable in {known["name"] for known in board["templating"]["list"]}


def test_the_provisioning_holds_no_secret_and_no_address():
    """Passwords come from a mounted file, addresses from variables that the composition sets."""
    text = (ROOT / "dashboards/grafana/provisioning/datasources/thecaflow.yml").read_text()
    for source in yaml.safe_load(text)["datasources"]:
        assert source["url"].startswith("$")
        assert all(secret.startswith("$__file{") for secret in source.get("secureJsonData", {}).values())
    composition = (ROOT / "docker-compose.yml").read_text()
    for variable in set(re.findall(r"\$(BOARDS_\w+)", text)):
        assert re.search(rf"^ +{variable}: \S", composition, flags=re.MULTILINE), variable


def test_the_boards_folder_is_the_one_that_the_composition_mounts():
    """Grafana looks for boards where the composition puts them."""
    provider = yaml.safe_load((ROOT / "dashboards/grafana/provisioning/dashboards/thecaflow.yml").read_text())
    path = provider["providers"][0]["options"]["path"]
    assert f"./dashboards/grafana/boards:{path}:ro" in (ROOT / "docker-compose.yml").read_text()
