"""Writes the boards that Grafana reads.

Usage:
  python -m dashboards.grafana.generate           write boards/*.json
  python -m dashboards.grafana.generate --check   exit 1 where a file is not what would be written, naming it

It needs the SDK of the development requirements; whoever runs Grafana needs the written files only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel, RowPanel

from dashboards.grafana.boards_fleet import fleet_board
from dashboards.grafana.boards_operations import operations_board
from dashboards.grafana.boards_pump import pump_board

GRAFANA: Final = Path(__file__).resolve().parent


def boards() -> list[Dashboard]:
    """Every board, its panels numbered in order."""
    made = [fleet_board(), pump_board(), operations_board()]
    for board in made:
        for number, panel in enumerate(board.panels or (), start=1):
            assert isinstance(panel, Panel | RowPanel)
            panel.id_val = number
    return made


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    return {
        GRAFANA / "boards" / f"{(board.uid or '').removeprefix('thecaflow-')}.json": json.dumps(
            board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
        for board in boards()
    }


def main(arguments: Sequence[str]) -> int:
    """Write the files, or compare them with ``--check``; return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        asked = list(arguments) in (["-h"], ["--help"])
        print(__doc__, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    wanted = files()
    differing = [
        path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    extra = sorted(set((GRAFANA / "boards").glob("*.json")) - wanted.keys())
    for path in differing:
        name = path.relative_to(GRAFANA.parent.parent)
        if arguments:
            print(f"{name} is not what the code says: python -m dashboards.grafana.generate")
        else:
            path.write_text(wanted[path], encoding="utf-8")
            print(f"{name} written")
    for path in extra:
        print(f"{path.relative_to(GRAFANA.parent.parent)} is no board of the code: remove it")
    return 1 if extra or (arguments and differing) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
