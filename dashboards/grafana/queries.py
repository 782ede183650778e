"""The queries of the boards: SQL from `sql/NAME.sql` to TimescaleDB, PromQL to Prometheus, by the uids of the provisioning."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from grafana_foundation_sdk.builders import dashboard, prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import AnnotationQuery, AnnotationTarget, DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

SQL: Final = Path(__file__).resolve().parent / "sql"
TIMESCALEDB: Final = DataSourceRef(type_val="grafana-postgresql-datasource", uid="thecaflow-timescaledb")
PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="thecaflow-prometheus")

Format: TypeAlias = Literal["table", "time_series"]


def sql_text(name: str, **parts: str) -> str:
    """Return the query `name` without its comment; `{{part}}` is replaced. KeyError where a part is missing."""
    lines = (SQL / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--")).strip()
    for part, written in parts.items():
        if f"{{{{{part}}}}}" not in text:
            raise KeyError(f"{name}.sql has no part {part}")
        text = text.replace(f"{{{{{part}}}}}", written)
    if "{{" in text:
        raise KeyError(f"{name}.sql: a part is left open")
    return text


class SqlDataquery(Dataquery):
    """A query of Grafana's PostgreSQL data source, which the SDK has no type for."""

    def __init__(self, text: str, shape: Format, ref_id: str) -> None:
        self.text = text
        self.shape = shape
        self.ref_id = ref_id

    def to_json(self) -> dict[str, object]:
        """Return what Grafana stores."""
        return {
            "refId": self.ref_id,
            "datasource": TIMESCALEDB,
            "editorMode": "code",
            "rawQuery": True,
            "format": self.shape,
            "rawSql": self.text,
        }


class SqlQuery(Builder[SqlDataquery]):
    """Builds one SQL query of a panel."""

    def __init__(self, name: str, *, shape: Format, ref_id: str = "A", **parts: str) -> None:
        self._query = SqlDataquery(sql_text(name, **parts), shape, ref_id)

    def build(self) -> SqlDataquery:
        """Return it."""
        return self._query


def table(name: str, **parts: str) -> SqlQuery:
    """Return a query whose rows are a table."""
    return SqlQuery(name, shape="table", **parts)


def series(name: str, ref_id: str = "A", **parts: str) -> SqlQuery:
    """Return a query whose rows are time series: `time` first, numbers, and `metric` where a row names its series."""
    return SqlQuery(name, shape="time_series", ref_id=ref_id, **parts)


def promql(expr: str, legend: str, ref_id: str = "A") -> prometheus.Dataquery:
    """Return a PromQL query over the board's range of time."""
    query = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(ref_id).range()
    return query.editor_mode(QueryEditorMode.CODE).datasource(PROMETHEUS)


def promql_now(
    expr: str, legend: str, ref_id: str = "A", shape: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> prometheus.Dataquery:
    """Return a PromQL query of the end of the board's range of time."""
    query = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(ref_id).instant()
    return query.format(shape).editor_mode(QueryEditorMode.CODE).datasource(PROMETHEUS)


class _SqlAnnotationTarget(AnnotationTarget):
    """An annotation's query; the SDK knows only those of Grafana's own database."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._query = SqlDataquery(text, "table", "Anno")

    def to_json(self) -> dict[str, object]:
        return self._query.to_json()


class SqlAnnotations(Builder[AnnotationQuery]):
    """Marks on the axis of time: a query with `time`, `timeend`, `text` and `tags`."""

    def __init__(self, title: str, name: str, color: str) -> None:
        self._annotations = AnnotationQuery(
            name=title,
            datasource=TIMESCALEDB,
            icon_color=color,
            target=_SqlAnnotationTarget(sql_text(name)),
            built_in=None,
        )

    def build(self) -> AnnotationQuery:
        """Return them."""
        return self._annotations


def sql_variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """Return a variable of the board whose choices are the rows of a query."""
    text: Any = sql_text(query)
    return dashboard.QueryVariable(name).label(label).datasource(TIMESCALEDB).query(text)
