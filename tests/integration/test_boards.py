"""Every query of every board on the live stack: rows come, of the kinds that Grafana can draw, under the boards' own role."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.pool import single
from tests import grafana
from tests.grafana import Query, View
from tests.native import NativeStack
from tests.watched import DAYS, Watched, watched_fleet

ROLE_SQL = Path(__file__).resolve().parents[2] / "dev" / "compose" / "boards-role.sql"
NUMBERS = {"int4", "int8", "float8", "numeric"}
SHOWN = NUMBERS | {"timestamptz", "text", "bool"}
SQL = [query for query in grafana.queries() if query.language == "sql"]
PROMQL = [query for query in grafana.queries() if query.language == "promql"]
SCRAPED_WITHIN_S = 60.0
"""A rate needs two scrapes, 5 s apart, on either side of what it counts; the console's metrics come from its snapshot."""
SQL_WITHIN_S = 2.0
"""A board shows some twenty queries at once and is opened by somebody who waits; this fleet is small."""


@pytest.fixture(scope="module")
def watched(stack: NativeStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A fleet with something of everything behind it."""
    with watched_fleet(stack, tmp_path_factory.mktemp("boards")) as running:
        name = running.settings.database.rpartition("/")[2]
        role = ROLE_SQL.read_text().replace("`cat /run/secrets/grafana_database_password`", "only-for-tests")
        stack.run("psql", "-X", "-q", "-d", name, stdin=role.encode())
        yield running


@pytest.fixture
async def connection(watched: Watched) -> AsyncIterator[Any]:
    """A session with the rights of the boards' data source and no others."""
    async with single(watched.settings) as session:
        await session.execute("SET ROLE boards")
        await session.execute("SET default_transaction_read_only = on")
        await session.execute(f"SET statement_timeout = '{SQL_WITHIN_S:g}s'")
        yield session


def view(watched: Watched, pump: str) -> View:
    """What a person looks at: the fleet's days and two weeks ahead, all sites, one pump."""
    now_s = time.time()
    sites = ["bench", "not stated", *(f"site-{number}" for number in range(20))]
    return View(now_s - DAYS * 86_400, now_s + 14 * 86_400, {"pump": [pump], "site": sites})


async def sites_of(connection: Any) -> list[str]:
    (query,) = {query.text for query in SQL if query.panel == "$site"}
    return [row[0] for row in await connection.fetch(query)]


@pytest.mark.parametrize("query", SQL, ids=lambda query: query.name)
async def test_an_sql_query_gives_rows_that_its_panel_can_draw(
    watched: Watched, connection: Any, query: Query
):
    """Rows come; each column has a value for some pump; types and columns are those of the panel's kind; time ascends."""
    sites = await sites_of(connection)
    assert len(sites) > 1
    filled: set[str] = set()
    columns: dict[str, str] = {}
    pumps = watched.pumps if "${pump" in query.text else watched.pumps[:1]
    for pump in pumps:
        look = view(watched, pump)
        text = View(look.from_s, look.to_s, {"pump": [pump], "site": sites}).sql(query)
        statement = await connection.prepare(text)
        columns = {column.name: column.type.name for column in statement.get_attributes()}
        assert len(columns) == len(statement.get_attributes()), "two columns of one name"
        rows = await statement.fetch()
        filled |= {name for row in rows for name, cell in row.items() if cell is not None}
        if query.shape == "time_series":
            times = [row["time"] for row in rows]
            assert times == sorted(times)
            assert None not in times
    check_columns(query, columns)
    assert columns.keys() - filled == set(), "nothing in these for any pump"


def check_columns(query: Query, columns: dict[str, str]) -> None:
    """What Grafana needs of a query of this kind."""
    names = list(columns)
    assert set(columns.values()) <= SHOWN, columns
    match query.shape:
        case "time_series":
            assert names[0] == "time"
            assert columns["time"] == "timestamptz"
            assert columns.get("metric", "text") == "text"
            numbers = {kind for name, kind in columns.items() if name not in ("time", "metric")}
            assert numbers, "no number to draw"
            assert numbers <= NUMBERS, columns
        case "annotation":
            assert set(names) in ({"time", "text", "tags"}, {"time", "timeend", "text", "tags"})
            assert {columns[name] for name in names if name.startswith("time")} == {"timestamptz"}
        case "variable":
            assert list(columns.values()) == ["text"]


def ask(watched: Watched, query: Query) -> list[dict[str, Any]]:
    """What Prometheus answers to a panel: the result of an instant or a range query over the last minutes."""
    now_s = time.time()
    look = View(now_s - 300, now_s, points=150)
    parameters: dict[str, Any] = {"query": look.promql(query)}
    if query.instant:
        answer = httpx.get(f"{watched.prometheus_url}/api/v1/query", params=parameters, timeout=20)
    else:
        parameters |= {"start": look.from_s, "end": look.to_s, "step": look.interval_s(query.interval)}
        answer = httpx.get(f"{watched.prometheus_url}/api/v1/query_range", params=parameters, timeout=20)
    assert answer.status_code == 200, answer.text
    told = answer.json()["data"]
    assert told["resultType"] == ("vector" if query.instant else "matrix")
    return told["result"]


def numbers_of(result: list[dict[str, Any]]) -> list[float]:
    """All finite values of an answer."""
    written = [sample[1] for series in result for sample in series.get("values", [series.get("value")])]
    return [number for number in map(float, written) if math.isfinite(number)]


@pytest.mark.parametrize("query", PROMQL, ids=lambda query: query.name)
def test_a_promql_query_gives_numbers(watched: Watched, query: Query):
    """Prometheus, which scrapes the real processes, answers with finite numbers and with the labels that the legend shows."""
    end = time.monotonic() + SCRAPED_WITHIN_S
    while not numbers_of(result := ask(watched, query)):
        assert time.monotonic() < end, result or "nothing"
        time.sleep(1)
    names = [tuple(sorted(series["metric"].items())) for series in result]
    assert len(set(names)) == len(names)


def legends() -> list[tuple[str, str, str]]:
    return [
        (board, panel["title"], target["refId"])
        for board, shown in grafana.boards().items()
        for panel in shown["panels"]
        for target in panel.get("targets", ())
        if "{{" in target.get("legendFormat", "")
    ]


@pytest.mark.parametrize(("board", "panel", "ref_id"), legends())
def test_a_legend_names_labels_that_the_series_have(watched: Watched, board: str, panel: str, ref_id: str):
    """A `{{label}}` of a legend is a label of at least one series, or all series would have one name."""
    (query,) = [q for q in PROMQL if (q.board, q.panel, q.ref_id) == (board, panel, ref_id)]
    shown = next(p for p in grafana.boards()[board]["panels"] if p["title"] == panel)
    legend = next(t["legendFormat"] for t in shown["targets"] if t["refId"] == ref_id)
    wanted = {part.split("}}")[0] for part in legend.split("{{")[1:]}
    labels = {label for series in ask(watched, query) for label in series["metric"]}
    known_when_it_fires = {"alertname"} if "ALERTS" in query.text else set()
    assert wanted - known_when_it_fires <= labels
