"""docker-compose.yml says the same as dev/stack.env and is a file that the Compose specification allows."""

import json
import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.composition import ROOT, TEXT, VARIABLE, composition, services
from thecaflow.settings import Settings
from thecaflow.stack_env import read_stack_env

STACK = read_stack_env({})
# What the native stack does not have, or what differs from machine to machine.
OWN_DEFAULTS = {
    "THECAFLOW_VERSION": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
    "THECAFLOW_CONSOLE_URL": Settings.from_env({}).console_url,
    "THECAFLOW_DATABASE_LIMIT_GB": "0",
    "THECAFLOW_SECRETS": "./secrets",
    "ALERTMANAGER_URLS": "./dashboards/alertmanager/urls",
    "GRAFANA_VERSION": "11.6.5",
    "GRAFANA_PORT": "27300",
    "GRAFANA_URL": "http://127.0.0.1:27300",
    "NGINX_VERSION": "1.28.0",
    "PROXY_ADDRESS": "127.0.0.1",
    "PROXY_PORT": "27443",
    "PROXY_GRAFANA_PORT": "27444",
}
# Inside, the number is fixed, since the scrape targets name it; outside, a variable moves it.
INSIDE = {
    "gateway": "GATEWAY_PORT",
    "console": "CONSOLE_PORT",
    "prometheus": "PROMETHEUS_PORT",
    "alertmanager": "ALERTMANAGER_PORT",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as an empty environment resolves it."""
    return composition()


def test_the_file_is_valid_under_the_compose_specification(compose: dict[str, Any]):
    """The specification's own JSON Schema accepts the file, and refuses a wrong one (so that it is really asked)."""
    carried = "check_jsonschema/builtin_schemas/vendor/compose-spec.json"
    schema = Path(str(distribution("check-jsonschema").locate_file(carried))).read_text(encoding="utf-8")
    validator = jsonschema.validators.validator_for(json.loads(schema))(json.loads(schema))
    assert [error.message for error in validator.iter_errors(yaml.safe_load(TEXT))] == []
    assert [error.message for error in validator.iter_errors(compose)] == []
    assert list(validator.iter_errors({"services": {"kafka": {"imagee": "apache/kafka"}}}))


def test_no_key_stands_twice_in_one_place():
    """Our YAML reader takes the last one and says nothing; Compose refuses the file."""

    def keys(node: yaml.Node) -> list[str]:
        if isinstance(node, yaml.MappingNode):
            own = [key.value for key, _ in node.value if key.value != "<<"]
            twice = [key for key in own if own.count(key) > 1]
            return twice + [found for _, below in node.value for found in keys(below)]
        return (
            [found for below in node.value for found in keys(below)]
            if isinstance(node, yaml.SequenceNode)
            else []
        )

    assert keys(yaml.compose(TEXT)) == []
    assert keys(yaml.compose("a: {b: 1, b: 2}")) == ["b", "b"]


def test_every_default_is_the_one_of_the_settings_file():
    """A default in the composition repeats dev/stack.env letter by letter, or is one of the few that it does not have."""
    defaults = VARIABLE.findall(TEXT)
    known = {**OWN_DEFAULTS, **STACK}
    assert {name: known[name] for name, _ in defaults} == dict(defaults)
    assert len(set(defaults)) == len({name for name, _ in defaults})
    assert set(OWN_DEFAULTS) <= {name for name, _ in defaults}
    assert len(VARIABLE.findall(TEXT)) == len(re.findall(r"(?<!\$)\$\{", TEXT))


def test_versions_are_those_of_the_native_stack(compose: dict[str, Any]):
    """The images carry the versions that the native stack fetches."""
    images = {name: service["image"] for name, service in services(compose).items()}
    assert images["kafka"] == f"apache/kafka:{STACK['KAFKA_VERSION']}"
    database = f"timescale/timescaledb:{STACK['TIMESCALEDB_VERSION']}-pg{STACK['POSTGRES_MAJOR']}"
    assert images["timescaledb"] == images["boards-role"] == database
    assert images["prometheus"] == f"prom/prometheus:v{STACK['PROMETHEUS_VERSION']}"
    assert images["alertmanager"] == f"prom/alertmanager:v{STACK['ALERTMANAGER_VERSION']}"


def test_every_image_is_pinned_by_version(compose: dict[str, Any]):
    """No start brings another program than the last: each tag begins with a whole version."""
    for name, service in services(compose).items():
        tag = service["image"].rpartition(":")[2]
        assert re.match(r"v?\d+\.\d+\.\d+(-|$)", tag), f"{name}: {tag}"


def test_ports_are_those_of_the_native_stack_and_on_the_loopback_only(compose: dict[str, Any]):
    """Programs find either stack at the same addresses, and other machines find neither."""
    published = {name: service["ports"] for name, service in services(compose).items() if "ports" in service}
    assert published["kafka"] == [f"127.0.0.1:{STACK['KAFKA_PORT']}:{STACK['KAFKA_PORT']}"]
    assert published["timescaledb"] == [f"127.0.0.1:{STACK['PG_PORT']}:5432"]
    for name, setting in INSIDE.items():
        assert published[name] == [f"127.0.0.1:{STACK[setting]}:{STACK[setting]}"]
    everything = [port for ports in published.values() for port in ports]
    assert [port for port in everything if not port.startswith("127.0.0.1:")] == []
    outside = [port.split(":")[1] for port in everything]
    assert len(set(outside)) == len(outside)
    advertised = services(compose)["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"HOST://127.0.0.1:{STACK['KAFKA_PORT']}" in advertised.split(",")


def test_another_port_outside_is_the_same_port_inside():
    """Whoever moves the gateway on his machine need not move what Prometheus scrapes."""
    moved = composition({"GATEWAY_PORT": "30080", "PROMETHEUS_PORT": "30090"})
    assert services(moved)["gateway"]["ports"] == [f"127.0.0.1:30080:{STACK['GATEWAY_PORT']}"]
    assert services(moved)["gateway"]["environment"]["THECAFLOW_GATEWAY_PORT"] == STACK["GATEWAY_PORT"]
    assert f"--web.listen-address=:{STACK['PROMETHEUS_PORT']}" in services(moved)["prometheus"]["command"]


def test_whoever_asks_inside_asks_the_port_that_is_listened_on(compose: dict[str, Any]):
    """Health checks, the proxy, the replicas' scrape and our own settings name the ports of dev/stack.env."""
    environment = services(compose)["console"]["environment"]
    for name, setting in INSIDE.items():
        address = environment.get(f"THECAFLOW_{name.upper()}_URL", "")
        assert name == "console" or address == f"http://{name}:{STACK[setting]}"
    for setting in ("GATEWAY_PORT", "CONSOLE_PORT", "WORKER_PORT", "PAGER_PORT"):
        assert environment[f"THECAFLOW_{setting}"] == STACK[setting]
    assert services(compose)["pager"]["environment"]["THECAFLOW_PAGER_PORT"] == STACK["PAGER_PORT"]
    for name in ("prometheus", "alertmanager"):
        service = services(compose)[name]
        assert f"--web.listen-address=:{STACK[INSIDE[name]]}" in service["command"]
        assert service["healthcheck"]["test"][-1] == f"http://127.0.0.1:{STACK[INSIDE[name]]}/-/ready"
    replicas = yaml.safe_load((ROOT / "dev/compose/scrape/workers.yml").read_text())["scrape_configs"][0]
    assert replicas["dns_sd_configs"][0]["names"] == ["worker"]
    assert str(replicas["dns_sd_configs"][0]["port"]) == STACK["WORKER_PORT"]


def test_broker_settings_are_those_of_the_native_stack(compose: dict[str, Any]):
    """Every KAFKA_SET_ line stands in the composition with the same text, and no other broker setting does."""
    wanted = {
        name.replace("KAFKA_SET_", "KAFKA_"): text
        for name, text in STACK.items()
        if name.startswith("KAFKA_SET_")
    }
    of_the_image = {
        *("KAFKA_HEAP_OPTS", "KAFKA_NODE_ID", "KAFKA_PROCESS_ROLES", "KAFKA_CONTROLLER_QUORUM_VOTERS"),
        *("KAFKA_LISTENERS", "KAFKA_ADVERTISED_LISTENERS", "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"),
        *("KAFKA_INTER_BROKER_LISTENER_NAME", "KAFKA_CONTROLLER_LISTENER_NAMES", "KAFKA_LOG_DIRS"),
    }
    environment = services(compose)["kafka"]["environment"]
    found = {name: text for name, text in environment.items() if name.startswith("KAFKA_")}
    assert {name: text for name, text in found.items() if name not in of_the_image} == wanted
    assert f"-Xmx{STACK['KAFKA_HEAP']}" in environment["KAFKA_HEAP_OPTS"].split()


def test_database_settings_are_those_of_the_native_stack(compose: dict[str, Any]):
    """Every PG_SET_ line is one -c option of the server, and there is no other."""
    service = services(compose)["timescaledb"]
    program, *options = service["command"]
    wanted = {
        f"-c{name.removeprefix('PG_SET_').replace('__', '.')}={text}"
        for name, text in STACK.items()
        if name.startswith("PG_SET_")
    }
    assert program == "postgres"
    assert set(options) == wanted
    assert service["environment"]["POSTGRES_DB"] == STACK["PG_DATABASE"]
    assert service["environment"]["POSTGRES_USER"] == STACK["PG_USER"]


def test_our_settings_are_those_that_the_native_stack_gives(compose: dict[str, Any]):
    """Topics, partitions and retention are what a checkout's own settings say; only the hosts differ."""
    environment = services(compose)["worker"]["environment"]
    inside = Settings.from_env({}).to_env()
    for name in ("EVENTS_TOPIC", "FACTS_TOPIC", "TOPIC_PARTITIONS"):
        assert environment[f"THECAFLOW_{name}"] == inside[f"THECAFLOW_{name}"]
    assert float(environment["THECAFLOW_TOPIC_RETENTION_DAYS"]) == Settings.from_env({}).topic_retention_days
    assert environment["THECAFLOW_KAFKA"] in (
        services(compose)["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].replace("INSIDE://", "")
    ).split(",")
    assert environment["THECAFLOW_DATABASE"] == inside["THECAFLOW_DATABASE"].replace(
        f"127.0.0.1:{STACK['PG_PORT']}", "timescaledb:5432"
    )
