"""Writes what follows from the catalogues: rules, their tests of every cause, and the runbooks.

Usage:
  python -m dashboards.prometheus.generate           write the files
  python -m dashboards.prometheus.generate --check   exit 1 where a file is not what would be written, naming it

It needs PyYAML of the development requirements; whoever runs the system needs the written files only.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from dashboards.prometheus import pipeline, pump_rules, thresholds
from dashboards.prometheus.cause_tests import cause_tests
from dashboards.runbooks.text import pipeline_runbook, pumps_runbook

DASHBOARDS: Final = Path(__file__).resolve().parent.parent
HEADER: Final = "# Written by `python -m dashboards.prometheus.generate` from dashboards/: change it there.\n"


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, keys in their own order."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _yaml(document: Any) -> str:
    return HEADER + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=118, allow_unicode=True)


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    pumps = {
        "name": "pumps",
        "interval": thresholds.PUMP_RULES_EVERY,
        "rules": [*pump_rules.recordings(), *pump_rules.alerts()],
    }
    pipes = {
        "name": "pipeline",
        "interval": thresholds.PIPELINE_RULES_EVERY,
        "rules": [*pipeline.recordings(), *(alert.rule for alert in pipeline.ALERTS)],
    }
    return {
        DASHBOARDS / "prometheus/rules/pumps.yml": _yaml({"groups": [pumps]}),
        DASHBOARDS / "prometheus/rules/pipeline.yml": _yaml({"groups": [pipes]}),
        DASHBOARDS / "prometheus/tests/every_cause.yml": _yaml(cause_tests()),
        DASHBOARDS / "runbooks/pumps.md": pumps_runbook(),
        DASHBOARDS / "runbooks/pipeline.md": pipeline_runbook(),
    }


def main(arguments: Sequence[str]) -> int:
    """Write the files, or compare them with ``--check``; return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print(__doc__, file=sys.stdout if list(arguments) in (["-h"], ["--help"]) else sys.stderr)
        return 0 if list(arguments) in (["-h"], ["--help"]) else 2
    differing = [
        (path, text)
        for path, text in files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in differing:
        name = path.relative_to(DASHBOARDS.parent)
        if arguments:
            print(f"{name} is not what the catalogues say: python -m dashboards.prometheus.generate")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{name} written")
    return 1 if arguments and differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
