"""Prometheus and Alertmanager in docker-compose.yml are those of the native stack; Grafana has all that its files ask for."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.composition import ROOT, bind_mounts, composition, services
from thecaflow.stack_env import read_stack_env

STACK = read_stack_env({})
COMPOSE = composition()
WATCHERS = {"prometheus": "prometheus", "alertmanager": "alertmanager"}
# Where the paths of options may differ: the native stack's folders, Debian's own option, and what the loopback needs not.
DIFFER = {"--config.file", "--storage.tsdb.path", "--storage.path", "--web.listen-address"}
OF_DEBIAN = {"--web.local-assets"}
OF_COMPOSE = {"--storage.tsdb.retention.time"}


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, list[str]]:
    """Command lines of the native parts, by service."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "dev"), *sys.path])
    from nativestack.alertmanager import Alertmanager
    from nativestack.config import StackConfig
    from nativestack.prometheus import Prometheus

    config = StackConfig.from_env({"STACK_HOME": str(tmp_path), "STACK_DATA": str(tmp_path)})
    return {"prometheus": Prometheus(config).command(), "alertmanager": Alertmanager(config).command()}


def options(words: list[str]) -> dict[str, str]:
    """Return options by name."""
    return {name: text for name, _, text in (word.partition("=") for word in words if word.startswith("--"))}


@pytest.mark.parametrize("name", WATCHERS)
def test_options_are_those_of_the_native_stack(name: str, native: dict[str, list[str]]):
    """An option that changes what a page does, such as a delay, is set in both or in neither."""
    inside, outside = options(services(COMPOSE)[name]["command"]), options(native[name])
    assert set(inside) - OF_COMPOSE == set(outside) - OF_DEBIAN
    same = set(outside) - OF_DEBIAN - DIFFER
    assert {option: inside[option] for option in same} == {option: outside[option] for option in same}


@pytest.mark.parametrize("name", WATCHERS)
def test_the_files_are_the_very_same(name: str):
    """The composition mounts the files that the native stack copies, at the paths that its options name."""
    mounts = {target: ROOT / source for source, target in bind_mounts(services(COMPOSE)[name])}
    config = options(services(COMPOSE)[name]["command"])["--config.file"]
    assert mounts[config] == ROOT / "dashboards" / name / f"{name}.yml"
    folder = Path(config).parent
    for kind in {"prometheus": ("rules", "targets"), "alertmanager": ("templates", "urls")}[name]:
        assert mounts[str(folder / kind)] == ROOT / "dashboards" / name / kind
    if name == "prometheus":
        assert mounts[str(folder / "scrape")] == ROOT / "dev/compose/scrape"
        assert str(
            yaml.safe_load((ROOT / "dashboards/prometheus/prometheus.yml").read_text())["scrape_config_files"]
        )
    else:
        assert services(COMPOSE)[name]["working_dir"] == str(folder)


def test_every_target_is_a_service_at_the_port_it_listens_on():
    """A wrong name among the targets would be a job that is down from the first day."""
    seen: dict[str, list[str]] = {}
    for file in (ROOT / "dashboards/prometheus/targets").glob("*.yml"):
        groups: list[dict[str, Any]] = yaml.safe_load(file.read_text())
        seen[file.stem] = [target for group in groups for target in group["targets"]]
    for job, targets in seen.items():
        expected = [] if job == "worker" else [f"{job}:{STACK[f'{job.upper()}_PORT']}"]
        assert targets == expected
        assert job in services(COMPOSE)
    configured = yaml.safe_load((ROOT / "dashboards/prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert {job["job_name"] for job in configured} == set(seen)


def test_replicas_of_the_worker_are_one_job_like_the_native_ones():
    """Rules speak of the job `worker`; the scrape of replicas has another name only since a name may be used once."""
    (job,) = yaml.safe_load((ROOT / "dev/compose/scrape/workers.yml").read_text())["scrape_configs"]
    assert {"target_label": "job", "replacement": "worker"} in job["relabel_configs"]
    whole = yaml.safe_load((ROOT / "dashboards/prometheus/prometheus.yml").read_text())
    (native,) = [one for one in whole["scrape_configs"] if one["job_name"] == "worker"]
    interval = whole["global"]["scrape_interval"]
    assert job.get("scrape_interval", interval) == native.get("scrape_interval", interval)


def test_every_receiver_posts_to_the_pager_until_somebody_names_another():
    """Each address file of the repository names the service, its port, and the receiver itself."""
    files = list((ROOT / "dashboards/alertmanager/urls").iterdir())
    assert files
    for file in files:
        address = urlsplit(file.read_text().strip())
        assert (address.hostname, str(address.port)) == ("pager", STACK["PAGER_PORT"])
        assert address.path == f"/{file.name}"
    assert set(services(COMPOSE)["pager"]["networks"]) & set(services(COMPOSE)["alertmanager"]["networks"])


def test_grafana_is_given_what_its_provisioning_asks_for():
    """Each variable in the files of sources is set, sources and boards are found where the files say."""
    service = services(COMPOSE)["grafana"]
    mounts = {target: ROOT / source for source, target in bind_mounts(service)}
    provisioning = mounts["/etc/grafana/provisioning"]
    sources = "".join(file.read_text() for file in (provisioning / "datasources").glob("*.yml"))
    asked = set(re.findall(r"\$([A-Z]\w*)", sources))
    assert asked
    assert asked == {name for name in service["environment"] if not name.startswith("GF_")}
    environment = service["environment"]
    assert environment["BOARDS_DATABASE_ADDRESS"] == "timescaledb:5432"
    assert environment["BOARDS_PROMETHEUS_URL"] == f"http://prometheus:{STACK['PROMETHEUS_PORT']}"
    role = (ROOT / "dev/compose/boards-role.sql").read_text()
    assert f"ALTER ROLE {environment['BOARDS_DATABASE_USER']} PASSWORD" in role
    (pool,) = re.findall(r"maxOpenConns: (\d+)", sources)
    assert int(pool) < int(re.findall(r"CONNECTION LIMIT (\d+)", role)[0])
    providers = [yaml.safe_load(file.read_text()) for file in (provisioning / "dashboards").glob("*.yml")]
    paths = {one["options"]["path"] for whole in providers for one in whole["providers"]}
    assert paths <= set(mounts)
    home = Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (mounts[str(home.parent)] / home.name).exists()
