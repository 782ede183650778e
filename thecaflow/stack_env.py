"""Reads dev/stack.env and tells where the stack lives. Standard library only, since dev/stack uses it too."""

import os
from collections.abc import Mapping
from pathlib import Path

STACK_ENV = Path(__file__).resolve().parent.parent / "dev" / "stack.env"


def read_stack_env(environ: Mapping[str, str], path: Path = STACK_ENV) -> dict[str, str]:
    """Read every ``KEY=text`` line of ``path``; a variable of that name in ``environ`` wins.

    Returns nothing where the file does not exist, as in an installed wheel. Raises ValueError with the line number for
    a line that is neither empty, a comment nor ``KEY=text``.
    """
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key, separator, setting = text.partition("=")
        if not separator or not key.isidentifier():
            raise ValueError(f"{path.name} line {number}: expected KEY=text, found {text!r}")
        found[key] = environ.get(key, setting)
    return found


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder for what can be made again.

    Root's is not in its home, which the user that runs the servers may not enter.
    """
    if os.getuid() == 0:
        return Path("/var/cache/thecaflow")
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "thecaflow"


def stack_home(environ: Mapping[str, str]) -> Path:
    """Return the folder of the stack's programs (STACK_HOME)."""
    return Path(environ.get("STACK_HOME") or cache_folder(environ) / "stack").absolute()


def stack_data(environ: Mapping[str, str]) -> Path:
    """Return the folder of the stack's data, logs, pid files and configuration (STACK_DATA, default STACK_HOME)."""
    return Path(environ.get("STACK_DATA") or stack_home(environ)).absolute()
