"""Does to a board's queries what Grafana 11.6 does before it sends them: variables, macros, `$__interval` and the rest.

Only what the boards use; anything else that looks like a variable or a macro is an error, so that a typing error in a board
cannot pass as text. Macros as in Grafana's PostgreSQL data source with `timescaledb: true`: an argument ends at the first
closing parenthesis.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

BOARDS = Path(__file__).resolve().parent.parent / "dashboards" / "grafana" / "boards"
SCRAPE_S = 5.0
"""`timeInterval` of the provisioned Prometheus source."""
MACRO = re.compile(r"\$(__\w+)\(([^)]*)\)")
VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class NotGrafanaError(ValueError):
    """Grafana would not understand this either, or would send it on as it stands."""


@dataclass(frozen=True)
class Query:
    """One query of a board; `panel` says where it stands. `shape`: what the panel wants of its rows."""

    board: str
    panel: str
    ref_id: str
    language: Literal["sql", "promql"]
    text: str
    shape: Literal["table", "time_series", "annotation", "variable"]
    instant: bool = False
    interval: str | None = None

    @property
    def name(self) -> str:
        return f"{self.board}: {self.panel} {self.ref_id}"


def boards() -> dict[str, dict[str, Any]]:
    """The committed boards by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(BOARDS.glob("*.json"))}


def queries() -> list[Query]:
    """Every query of every board: panels, also those inside rows, annotations and variables."""
    return [query for name, board in boards().items() for query in _of_board(name, board)]


def _of_board(name: str, board: Mapping[str, Any]) -> Iterator[Query]:
    for variable in board["templating"].get("list", ()):
        yield Query(name, f"${variable['name']}", "", "sql", variable["query"], "variable")
    for marks in board["annotations"].get("list", ()):
        yield Query(name, f"annotations {marks['name']}", "", "sql", marks["target"]["rawSql"], "annotation")
    panels = list(board["panels"])
    while panels:
        panel = panels.pop(0)
        panels += panel.get("panels", ())
        for target in panel.get("targets", ()):
            common = (name, panel["title"], target["refId"])
            if "rawSql" in target:
                yield Query(
                    *common, "sql", target["rawSql"], target["format"], interval=panel.get("interval")
                )
            else:
                shape: Any = "table" if target.get("format") == "table" else "time_series"
                yield Query(
                    *common, "promql", target["expr"], shape, target["instant"], panel.get("interval")
                )


@dataclass(frozen=True)
class View:
    """What a person looks at: a range of time, a panel's width in points, and choices of variables."""

    from_s: float
    to_s: float
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    points: int = 500

    def interval_s(self, least: str | None) -> float:
        """The step of a panel: its range over its points, not less than `least`."""
        floor_s = 1.0 if least is None else seconds(least)
        return max(round((self.to_s - self.from_s) / self.points), floor_s)

    def sql(self, query: Query) -> str:
        """Return the SQL that reaches PostgreSQL."""
        step = f"{self.interval_s(query.interval):g}s"
        text = query.text.replace("$__interval", step).replace("'$__searchFilter'", "'%'")
        return MACRO.sub(self._macro, self._with_variables(text))

    def promql(self, query: Query) -> str:
        """Return the PromQL that reaches Prometheus."""
        step_s = self.interval_s(query.interval)
        rate_s = max(step_s + SCRAPE_S, 4 * SCRAPE_S)
        text = query.text.replace("$__rate_interval", f"{rate_s:g}s").replace("$__interval", f"{step_s:g}s")
        return self._with_variables(text.replace("$__range", f"{self.to_s - self.from_s:.0f}s"))

    def _with_variables(self, text: str) -> str:
        def chosen(found: re.Match[str]) -> str:
            name, form = found[1] or found[3], found[2]
            if name.startswith("__"):
                return found[0]
            if name not in self.choices:
                raise NotGrafanaError(f"no variable ${name}")
            if form != "sqlstring":
                raise NotGrafanaError(f"${name} goes into SQL without :sqlstring")
            return ", ".join("'" + choice.replace("'", "''") + "'" for choice in self.choices[name])

        return VARIABLE.sub(chosen, text)

    def _macro(self, found: re.Match[str]) -> str:
        arguments = [argument.strip() for argument in found[2].split(",")]
        start, end = (
            datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
            for at in (self.from_s, self.to_s)
        )
        match found[1], arguments:
            case "__time", [column]:
                return f'{column} AS "time"'
            case "__timeFilter", [column]:
                return f"{column} BETWEEN '{start}' AND '{end}'"
            case "__timeFrom", [""]:
                return f"'{start}'"
            case "__timeTo", [""]:
                return f"'{end}'"
            case "__timeGroupAlias", [column, step]:
                return f"time_bucket('{seconds(step):.3f}s',{column}) AS \"time\""
        raise NotGrafanaError(f"no macro, or not its arguments: {found[0]}")


def seconds(duration: str) -> float:
    """Return a duration such as 5m in seconds."""
    found = DURATION.fullmatch(duration.strip("'"))
    if found is None:
        raise NotGrafanaError(f"no duration: {duration}")
    return float(found[1]) * UNITS_S[found[2]]


def leftovers(text: str) -> list[str]:
    """What Grafana would have left as it stands."""
    return re.findall(r"\$\{?\w+|\[\[\w+", text)
