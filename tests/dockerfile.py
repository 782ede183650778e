"""The Dockerfile, read as the few forms that it uses."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """Return each instruction's word and the rest of it on one line, without comments."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    split = (line.partition(" ") for line in joined.splitlines())
    return [(word, rest.strip()) for word, _, rest in split if word]


def stages() -> list[list[Instruction]]:
    """Return the instructions of each stage, its FROM first."""
    found: list[list[Instruction]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def environment(stage: list[Instruction]) -> dict[str, str]:
    """Return all variables that a stage sets."""
    return dict(pair.split("=", 1) for word, rest in stage if word == "ENV" for pair in rest.split())
