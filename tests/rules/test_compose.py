"""docker-compose.yml says the same as dev/stack.env and is a file that the Compose specification allows."""

import json
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from thecaflow.stack_env import read_stack_env

ROOT = Path(__file__).resolve().parents[2]
STACK = read_stack_env({})
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as an empty environment resolves it: every variable replaced by its default."""
    return yaml.safe_load(VARIABLE.sub(lambda found: found[2], COMPOSE_TEXT))


def test_the_file_is_valid_under_the_compose_specification(compose: dict[str, Any]):
    """The specification's own JSON Schema accepts the file, and refuses a wrong one (so that it is really asked)."""
    carried = "check_jsonschema/builtin_schemas/vendor/compose-spec.json"
    schema = Path(str(distribution("check-jsonschema").locate_file(carried))).read_text(encoding="utf-8")
    validator = jsonschema.validators.validator_for(json.loads(schema))(json.loads(schema))
    assert [error.message for error in validator.iter_errors(yaml.safe_load(COMPOSE_TEXT))] == []
    assert [error.message for error in validator.iter_errors(compose)] == []
    assert list(validator.iter_errors({"services": {"kafka": {"imagee": "apache/kafka"}}}))


def test_every_default_is_the_one_of_the_settings_file():
    """A default in the composition repeats dev/stack.env letter by letter, for every variable that stands there."""
    defaults = VARIABLE.findall(COMPOSE_TEXT)
    assert {name: STACK[name] for name, _ in defaults} == dict(defaults)
    assert len({(name, text) for name, text in defaults}) == len({name for name, _ in defaults})


def test_versions_are_those_of_the_native_stack(compose: dict[str, Any]):
    """Both images carry the versions that the native stack fetches."""
    services = compose["services"]
    assert services["kafka"]["image"] == f"apache/kafka:{STACK['KAFKA_VERSION']}"
    expected = f"timescale/timescaledb:{STACK['TIMESCALEDB_VERSION']}-pg{STACK['POSTGRES_MAJOR']}"
    assert services["timescaledb"]["image"] == expected


def test_ports_are_those_of_the_native_stack_and_on_the_loopback_only(compose: dict[str, Any]):
    """Programs find either stack at the same addresses, and other machines find neither."""
    published = {name: service["ports"] for name, service in compose["services"].items()}
    assert published["kafka"] == [f"127.0.0.1:{STACK['KAFKA_PORT']}:{STACK['KAFKA_PORT']}"]
    assert published["timescaledb"] == [f"127.0.0.1:{STACK['PG_PORT']}:5432"]
    advertised = compose["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"HOST://127.0.0.1:{STACK['KAFKA_PORT']}" in advertised.split(",")


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
    environment = compose["services"]["kafka"]["environment"]
    found = {name: text for name, text in environment.items() if name.startswith("KAFKA_")}
    assert {name: text for name, text in found.items() if name not in of_the_image} == wanted
    assert f"-Xmx{STACK['KAFKA_HEAP']}" in environment["KAFKA_HEAP_OPTS"].split()


def test_database_settings_are_those_of_the_native_stack(compose: dict[str, Any]):
    """Every PG_SET_ line is one -c option of the server, and there is no other."""
    service = compose["services"]["timescaledb"]
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


def test_every_service_is_watched_and_keeps_what_it_stores(compose: dict[str, Any]):
    """Each service has a health check and a named volume that the file declares."""
    for name, service in compose["services"].items():
        assert service["healthcheck"]["test"], name
        sources = [volume.split(":")[0] for volume in service["volumes"]]
        assert sources, name
        assert set(sources) <= set(compose["volumes"]), name


def test_no_secret_is_in_the_file(compose: dict[str, Any]):
    """The password comes from the environment as a Compose secret; nothing that looks like one is written down."""
    assert compose["secrets"] == {"database_password": {"environment": "THECAFLOW_DATABASE_PASSWORD"}}
    for service in compose["services"].values():
        plain = [name for name in service["environment"] if re.search(r"PASSWORD|SECRET|TOKEN|KEY", name)]
        assert [name for name in plain if not name.endswith("_FILE")] == []
