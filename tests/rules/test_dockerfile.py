"""The Dockerfile copies what there is, pins what it takes, and leaves an image that needs no rights."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

from tests.composition import ROOT, composition, services
from tests.dockerfile import TEXT, Instruction, environment, instructions, stages
from thecaflow.settings import Settings

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


BUILD, FINAL = stages()


def only(stage: list[Instruction], word: str) -> str:
    """Return the one instruction of a stage with this word."""
    (rest,) = [rest for found, rest in stage if found == word]
    return rest


def test_every_instruction_is_one_that_we_mean():
    """A typing error is no instruction; ADD fetches addresses and unpacks, MAINTAINER and SHELL are not needed."""
    known = [
        "FROM",
        "ARG",
        "ENV",
        "WORKDIR",
        "COPY",
        "RUN",
        "LABEL",
        "USER",
        "EXPOSE",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    ]
    assert {word for word, _ in instructions()} <= set(known)


def test_both_stages_begin_with_the_same_pinned_python():
    """Kernels and packages are used by the interpreter that made them, which is one that the project supports."""
    images = [only(stage, "FROM").split()[0] for stage in (BUILD, FINAL)]
    assert images[0] == images[1]
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-[a-z]+", images[0])
    assert version, images[0]
    assert f">={version[1]}" in PROJECT["project"]["requires-python"]


def copied() -> Iterator[str]:
    for word, rest in BUILD:
        if word == "COPY":
            yield from rest.split()[:-1]


def test_what_is_copied_is_what_the_wheel_is_made_of():
    """Every package of the wheel and nothing that does not exist; the engine is sent no more than that."""
    wanted = {*PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "pyproject.toml"}
    wanted |= {PROJECT["project"]["readme"], "requirements.txt", "requirements-dev.txt"}
    assert set(copied()) == wanted
    assert [name for name in wanted if not (ROOT / name).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == wanted
    assert any(fnmatch("kernels/__pycache__", line) for line in ignored)


def test_everything_installed_is_known_by_its_hash_and_compiled_by_nobody():
    """Each installation takes wheels of the pins, or our own wheel that was just built."""
    commands = [command for word, rest in BUILD if word == "RUN" for command in rest.split(" && ")]
    installing = [command for command in commands if " install " in command]
    assert len(installing) == 3
    for command in installing:
        from_pins = "--only-binary :all: --require-hashes -r" in command
        assert from_pins or "--no-deps --no-index /build/wheels/" in command
    assert not re.search(r"apt|apk|curl|wget|git|https?:", " ".join(commands))


def test_the_builder_is_pinned_with_all_that_it_needs():
    """The list of names that is cut out of the development pins is hatchling's closure, no more and no less."""
    needed, asked = set(), ["hatchling"]
    while asked:
        name = asked.pop()
        needed.add(name)
        for line in requires(name) or []:
            wanted = Requirement(line)
            if wanted.name not in needed and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
                asked.append(wanted.name)
    cut = re.search(r"/\^\(([\w|-]+)\)==/", TEXT)
    assert cut
    assert set(cut[1].split("|")) == needed
    (script,) = re.findall(r"awk '(.*?)'", TEXT)
    pins = subprocess.run(
        ["awk", script, ROOT / "requirements-dev.txt"], capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^([\w-]+)==", pins, re.MULTILINE)) == needed
    assert pins.count("--hash=") >= len(needed)


def test_the_image_runs_as_nobody_who_could_do_harm():
    """A user by number, so that an engine can see that it isn't root; no tools that install or build are left."""
    assert re.fullmatch(r"([1-9]\d{4,}):\1", only(FINAL, "USER"))
    last_run = max(number for number, (word, _) in enumerate(FINAL) if word in ("RUN", "COPY"))
    assert [word for word, _ in FINAL].index("USER") > last_run
    assert "pip uninstall --yes --quiet setuptools wheel pip" in only(FINAL, "RUN")
    assert only(FINAL, "COPY") == "--from=build /opt/thecaflow /opt/thecaflow"
    assert "--without-pip" in TEXT
    assert not re.search(r"(?i)(password|secret|token|key)=", " ".join(rest for _, rest in instructions()))


def test_what_it_writes_is_in_tmp():
    """The caches are where a tmpfs is; kernels are compiled for the processor that the image says it runs on."""
    variables = environment(FINAL)
    assert variables["NUMBA_CACHE_DIR"].startswith("/tmp/")
    assert variables["XDG_CACHE_HOME"] == "/tmp"
    assert variables["NUMBA_CPU_NAME"] == environment(BUILD)["NUMBA_CPU_NAME"] == "generic"
    compiling = [rest for word, rest in BUILD if word == "RUN"][-1]
    assert compiling.startswith(f"NUMBA_CACHE_DIR={variables['COMPILED_KERNELS']} ")
    for service in services(composition()).values():
        if service["image"].startswith("thecaflow:"):
            assert any(mount.split(":")[0] == "/tmp" for mount in service["tmpfs"])


def test_it_starts_says_how_it_is_and_what_it_is():
    """Entry point, health check and labels are those of this version; the ports are those that settings begin with."""
    assert json.loads(only(FINAL, "ENTRYPOINT")) == ["thecaflow"]
    check = only(FINAL, "HEALTHCHECK")
    assert json.loads(check.partition(" CMD ")[2]) == ["python", "-m", "thecaflow.healthy"]
    usual = Settings()
    assert only(FINAL, "EXPOSE").split() == [
        str(port) for port in (usual.gateway_port, usual.console_port, usual.worker_port)
    ]
    arguments = dict(rest.split("=", 1) for word, rest in FINAL if word == "ARG")
    assert arguments["VERSION"] == PROJECT["project"]["version"]
    for label in ("title", "description", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in only(FINAL, "LABEL")


@pytest.mark.parametrize("variable", sorted(environment(FINAL)))
def test_every_variable_of_ours_is_a_setting(variable: str):
    """What the image sets for us is read by somebody."""
    if variable.startswith("THECAFLOW_"):
        assert variable.removeprefix("THECAFLOW_").lower() in Settings.__struct_fields__
    else:
        of_others = {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "XDG_CACHE_HOME"}
        assert variable in of_others | {"COMPILED_KERNELS", "NUMBA_CACHE_DIR", "NUMBA_CPU_NAME"}
