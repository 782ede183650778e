"""Each service of docker-compose.yml can do what it is asked to, sees what it needs, and no more than that."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import click
import pytest

from tests.composition import (
    ROOT,
    bind_mounts,
    command_lines,
    composition,
    named_volumes,
    ours,
    runs_once,
    services,
)
from thecaflow.cli import thecaflow
from thecaflow.healthy import PAGES
from thecaflow.settings import PREFIX, Settings

COMPOSE = composition()
NAMES = sorted(services(COMPOSE))
OURS = sorted(ours(COMPOSE))
# Programs of the images that a health check may call; those of ours are in the Dockerfile.
TOOLS = {
    "apache/kafka": {"/opt/kafka/bin/kafka-broker-api-versions.sh"},
    "timescale/timescaledb": {"pg_isready"},
    "prom/prometheus": {"wget"},
    "prom/alertmanager": {"wget"},
    "grafana/grafana": {"wget"},
    "nginx": {"wget"},
    "thecaflow": {"python"},
}
# Their entry points write their configuration at each start.
WRITABLE_ROOT = {"kafka", "timescaledb"}


def parsed(arguments: list[str]) -> click.Context:
    """Return the context of the command that a command line of ours names; raises click's own exceptions."""
    command: click.Command | None = thecaflow
    name, rest = "thecaflow", arguments
    while isinstance(command, click.Group):
        name, *rest = rest
        command = command.get_command(click.Context(command), name)
    assert command is not None, arguments
    return command.make_context(name, rest)


def settings_known() -> set[str]:
    """Names of all variables that our commands read: the settings, and options with a variable of their own."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.__struct_fields__}
    context = click.Context(thecaflow)
    for name in thecaflow.list_commands(context):
        command = thecaflow.get_command(context, name)
        assert command is not None
        known |= {str(option.envvar) for option in command.params if option.envvar}
    return known


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_ours_is_one_that_parses(name: str):
    """A command or option that the composition names and the program does not have would only show on an engine."""
    for arguments in command_lines(services(COMPOSE)[name]):
        assert parsed(arguments).info_name in arguments
    with pytest.raises(click.UsageError):
        parsed(["gateway", "--no-such-option"])


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_ours_is_a_setting(name: str):
    """A misspelt variable would be left to others, and the default would hold."""
    for variable in services(COMPOSE)[name]["environment"]:
        if variable.startswith(PREFIX):
            assert variable.removesuffix("_FILE") in settings_known()
        else:
            assert variable in ("PGPASSWORD_FILE", "FORWARDED_ALLOW_IPS")  # libpq's, and uvicorn's


@pytest.mark.parametrize("name", NAMES)
def test_every_secret_is_a_file_that_the_service_is_given(name: str):
    """What names a file in /run/secrets names one that is mounted there, and what is mounted is named somewhere."""
    service = services(COMPOSE)[name]
    mounted = set(service.get("secrets", []))
    assert mounted <= set(COMPOSE["secrets"])
    text = str(service)
    for source, _ in bind_mounts(service):
        path = ROOT / source
        text += (
            path.read_text() if path.is_file() else "".join(file.read_text() for file in path.rglob("*.y*ml"))
        )
    assert set(re.findall(r"/run/secrets/(\w+)", text)) == mounted


def test_no_secret_is_in_the_file():
    """All secrets are files outside the repository; no variable of any service holds what looks like one."""
    assert {tuple(secret) for secret in COMPOSE["secrets"].values()} == {("file",)}
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())
    for name, service in services(COMPOSE).items():
        for variable, text in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY", variable):
                assert text.startswith("/run/secrets/"), f"{name}: {variable}"
            assert not re.search(r"://[^/@]*:[^/@]*@", text), f"{name}: {variable} holds a password"
    ignored = subprocess.run(["git", "check-ignore", "-q", "secrets/x"], cwd=ROOT, check=False)
    assert ignored.returncode == 0
    assert "secrets" not in (ROOT / ".dockerignore").read_text().replace("no secrets", "")


@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_is_mounted_exists(name: str):
    """An engine would make an empty folder in the place of a file that is missing."""
    for source, _ in bind_mounts(services(COMPOSE)[name]):
        assert (ROOT / source).exists(), source
    assert set(named_volumes(services(COMPOSE)[name])) <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_bounded_and_can_gain_no_rights(name: str):
    """Memory, processors, processes and logs have limits; no program gets more rights than it began with."""
    service = services(COMPOSE)[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] in ("unless-stopped", "no")
    assert service.get("read_only", False) == (name not in WRITABLE_ROOT)
    assert name == "timescaledb" or service["cap_drop"] == ["ALL"]
    assert not {"cap_add", "privileged", "network_mode", "pid", "ipc"} & set(service)
    assert set(service["networks"]) <= set(COMPOSE["networks"])


def test_the_proxy_reaches_no_database_and_no_broker():
    """What stands in front of everybody shares no network with what holds the data."""
    assert services(COMPOSE)["proxy"]["networks"] == ["front"]
    on_front = {name for name in NAMES if "front" in services(COMPOSE)[name]["networks"]}
    assert on_front == {"proxy", "gateway", "console", "grafana"}


@pytest.mark.parametrize("name", NAMES)
def test_every_service_that_goes_on_is_watched_by_a_program_of_its_image(name: str):
    """A health check that calls what the image lacks would make a well service look ill."""
    service = services(COMPOSE)[name]
    if runs_once(service):
        assert service.get("healthcheck", {"disable": True}) == {"disable": True}
        return
    if "healthcheck" not in service:
        assert name == "pager"  # the image's own check is asked
        return
    kind, *words = service["healthcheck"]["test"]
    program, *arguments = words[0].split() if kind == "CMD-SHELL" else words
    assert program in TOOLS[service["image"].rpartition(":")[0]]
    if program == "python":
        assert arguments[:2] == ["-m", "thecaflow.healthy"]
        assert arguments[2] in PAGES
    assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


def test_who_waits_for_a_service_waits_for_what_it_can_become():
    """`healthy` needs a health check, `completed` an end; and whoever ends is waited for, else `up --wait` fails."""
    waited_for = set()
    for name, service in services(COMPOSE).items():
        for other, condition in service.get("depends_on", {}).items():
            if condition == {"condition": "service_completed_successfully"}:
                assert runs_once(services(COMPOSE)[other])
                waited_for |= {other} if not runs_once(service) else set()
            else:
                assert condition == {"condition": "service_healthy"}, name
                assert "test" in services(COMPOSE)[other]["healthcheck"]
    assert waited_for == {name for name in NAMES if runs_once(services(COMPOSE)[name])}
    needing = [name for name in OURS if "database_password" in services(COMPOSE)[name]["secrets"]]
    assert [
        name for name in needing if name != "setup" and "setup" not in services(COMPOSE)[name]["depends_on"]
    ] == []


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path):
    """A second run changes no password that a database already has; nobody else can enter the folder."""
    folder = tmp_path / "secrets"
    command = [ROOT / "dev/compose/secrets.sh"]
    environ = os.environ | {"THECAFLOW_SECRETS": str(folder)}
    subprocess.run(command, env=environ, check=True, capture_output=True)
    made = {file.name: file.read_text() for file in folder.iterdir()}
    needed = {
        Path(secret["file"]).name for secret in COMPOSE["secrets"].values() if "/tls/" not in secret["file"]
    }
    assert set(made) == needed
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch(r"[0-9a-f]{64}", text) for text in made.values())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}
    again = subprocess.run(command, env=environ, check=True, capture_output=True)
    assert again.stdout == b""
    assert {file.name: file.read_text() for file in folder.iterdir()} == made
