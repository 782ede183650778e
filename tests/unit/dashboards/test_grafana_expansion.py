"""The tests' own stand-in for Grafana's variables and macros does what Grafana does, and refuses what Grafana would."""

from __future__ import annotations

import pytest

from tests.grafana import NotGrafanaError, Query, View, leftovers, queries

VIEW = View(1_767_225_600.0, 1_767_225_600.0 + 86_400, {"pump": ["it's"], "site": ["a", "b"]}, points=480)


def sql(text: str, interval: str | None = None) -> str:
    return VIEW.sql(Query("b", "p", "A", "sql", text, "table", interval=interval))


def promql(text: str) -> str:
    return VIEW.promql(Query("b", "p", "A", "promql", text, "time_series"))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("$__time(at)", 'at AS "time"'),
        ("$__timeFilter(at)", "at BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-02T00:00:00Z'"),
        ("$__timeFrom()::timestamptz", "'2026-01-01T00:00:00Z'::timestamptz"),
        ("$__timeTo()", "'2026-01-02T00:00:00Z'"),
        ("$__timeGroupAlias(at, $__interval)", "time_bucket('180.000s',at) AS \"time\""),
        ("$__timeGroupAlias(at, '10m')", "time_bucket('600.000s',at) AS \"time\""),
        ("IN (${site:sqlstring})", "IN ('a', 'b')"),
        ("= ${pump:sqlstring}", "= 'it''s'"),
        ("LIKE '$__searchFilter'", "LIKE '%'"),
    ],
)
def test_sql_is_expanded(written: str, sent: str):
    """Each macro and variable that a board uses, with the text that reaches PostgreSQL."""
    assert sql(written) == sent


def test_a_panel_with_a_least_interval_has_no_finer_step():
    """A day over 480 points is 3 minutes, but not where the panel says 10."""
    assert "600.000s" in sql("$__timeGroupAlias(at, $__interval)", interval="10m")


def test_promql_is_expanded():
    """`$__rate_interval` is the step and a scrape, four scrapes at least; `$__range` is the whole range."""
    assert (
        promql("rate(x[$__rate_interval]) + y[$__interval] + z[$__range]")
        == "rate(x[185s]) + y[180s] + z[86400s]"
    )
    narrow = View(0, 60, points=480)
    assert narrow.promql(Query("b", "p", "A", "promql", "x[$__rate_interval]", "time_series")) == "x[20s]"


@pytest.mark.parametrize(
    "wrong",
    ["$__timeFiltre(at)", "$__timeFilter(coalesce(a, b))", "$plump", "'$pump'", "$__timeGroupAlias(at)"],
)
def test_what_grafana_would_not_understand_is_an_error(wrong: str):
    """A misspelt macro or variable, one without quoting, an argument with a parenthesis: none passes as text."""
    with pytest.raises(NotGrafanaError):
        sql(wrong)


def test_nothing_of_a_board_is_left_unexpanded():
    """Every query of every board comes out without a variable or a macro."""
    found = queries()
    assert {query.board for query in found} == {"fleet", "pump", "operations"}
    for query in found:
        text = VIEW.sql(query) if query.language == "sql" else VIEW.promql(query)
        assert leftovers(text) == [], query.name
