"""docker-compose.yml as an engine would read it: variables replaced, merges resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+):-([^}]*)\}")
OURS = "thecaflow:"


def composition(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the whole file under an environment; every variable has a default, so an empty one does."""
    environ = environ or {}
    loaded = yaml.safe_load(VARIABLE.sub(lambda found: environ.get(found[1]) or found[2], TEXT))
    return dict(loaded)


def services(whole: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return all services, those of profiles too."""
    return dict(whole["services"])


def ours(whole: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the services that run our image."""
    return {name: one for name, one in services(whole).items() if one["image"].startswith(OURS)}


def command_lines(service: Mapping[str, Any]) -> list[list[str]]:
    """Return the command lines of `thecaflow` that a service of ours runs, each without its first word."""
    if "entrypoint" not in service:
        return [list(service["command"])]
    assert service["entrypoint"] == ["sh", "-ec"]
    steps = [step.split() for step in service["command"][0].split(" && ")]
    assert all(step[0] == "thecaflow" for step in steps)
    return [step[1:] for step in steps]


def bind_mounts(service: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return source and target of each file or folder of the repository that a service sees, all read-only."""
    found = []
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        if source.startswith("."):
            assert mode == ["ro"], volume
            found.append((source, target))
    return found


def named_volumes(service: Mapping[str, Any]) -> list[str]:
    """Return the names of the volumes that a service stores in."""
    return [volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith(".")]


def runs_once(service: Mapping[str, Any]) -> bool:
    """Whether a service does its work and ends."""
    return service["restart"] == "no"
