"""How panels look: one function for each kind, so that all boards have the same colours, legends and empty states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    dashboard,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

Query: TypeAlias = Builder[Dataquery]
Steps: TypeAlias = Sequence[tuple[float | None, str]]

PRIORITY_COLORS: Final = {"high": "red", "medium": "orange", "low": "blue", "info": "text"}
FULL: Final = 24
HALF: Final = 12
THIRD: Final = 8
QUARTER: Final = 6


def board(uid: str, title: str, description: str, *, past: str, ahead: str = "now") -> dashboard.Dashboard:
    """Return a board without panels; times in UTC, as everywhere in the system."""
    made = dashboard.Dashboard(title).uid(uid).description(description).tags(["thecaflow"]).timezone("utc")
    made = made.time(past, ahead).refresh("30s").editable().tooltip(DashboardCursorSync.CROSSHAIR)
    boards = dashboard.DashboardLink("Boards").type(DashboardLinkType.DASHBOARDS).tags(["thecaflow"])
    return made.link(boards.as_dropdown(True).keep_time(True))


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Return colours by level; the first step has no lower end."""
    made = [Threshold(value=level, color=color) for level, color in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def _dress(
    panel: Any,
    title: str,
    description: str,
    source: DataSourceRef,
    queries: Sequence[Query],
    *,
    width: int,
    height: int,
    empty: str,
) -> Any:
    for query in queries:
        panel = panel.with_target(query)
    panel = panel.title(title).description(description).datasource(source)
    return panel.span(width).height(height).no_value(empty)


def lines(
    title: str,
    description: str,
    source: DataSourceRef,
    queries: Sequence[Query],
    *,
    unit: str,
    width: int = HALF,
    height: int = 8,
    empty: str = "nothing reported",
    limits: Steps = (),
) -> timeseries.Panel:
    """Return curves over time; `limits` draw lines at their levels."""
    panel: timeseries.Panel = _dress(
        timeseries.Panel(), title, description, source, queries, width=width, height=height, empty=empty
    )
    legend = common.VizLegendOptions().display_mode(models.LegendDisplayMode.LIST).show_legend(True)
    panel = panel.unit(unit).line_width(1).fill_opacity(5).show_points(models.VisibilityMode.AUTO)
    panel = panel.legend(legend.placement(models.LegendPlacement.BOTTOM))
    panel = panel.tooltip(common.VizTooltipOptions().mode(models.TooltipDisplayMode.MULTI))
    if limits:
        style = common.GraphThresholdsStyleConfig().mode(models.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(thresholds(limits)).thresholds_style(style)
    return panel


def bars(
    title: str,
    description: str,
    source: DataSourceRef,
    queries: Sequence[Query],
    *,
    unit: str = "short",
    width: int = HALF,
    height: int = 8,
    empty: str = "none",
    stacked: bool = True,
) -> timeseries.Panel:
    """Return counts over time as bars."""
    panel = lines(title, description, source, queries, unit=unit, width=width, height=height, empty=empty)
    panel = panel.draw_style(models.GraphDrawStyle.BARS).fill_opacity(70).min(0)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(models.StackingMode.NORMAL).group("A"))
    return panel


def numbers(
    title: str,
    description: str,
    source: DataSourceRef,
    queries: Sequence[Query],
    *,
    unit: str = "short",
    width: int = HALF,
    height: int = 4,
    empty: str = "none",
    steps: Steps = ((None, "text"),),
) -> stat.Panel:
    """Return large numbers, one for each column or series."""
    panel: stat.Panel = _dress(
        stat.Panel(), title, description, source, queries, width=width, height=height, empty=empty
    )
    newest = common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)
    panel = panel.unit(unit).reduce_options(newest).thresholds(thresholds(steps))
    panel = panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    return panel.graph_mode(models.BigValueGraphMode.NONE).color_mode(models.BigValueColorMode.VALUE)


def rows(
    title: str,
    description: str,
    source: DataSourceRef,
    query: Query,
    *,
    width: int = HALF,
    height: int = 8,
    empty: str = "none",
) -> table.Panel:
    """Return a table."""
    panel: table.Panel = _dress(
        table.Panel(), title, description, source, [query], width=width, height=height, empty=empty
    )
    return panel.filterable(True)


def counts(
    title: str, description: str, source: DataSourceRef, query: Query, *, x: str, width: int = HALF
) -> barchart.Panel:
    """Return stacked bars, one for each row of a table; columns of priorities have their colours."""
    panel: barchart.Panel = _dress(
        barchart.Panel(), title, description, source, [query], width=width, height=8, empty="none"
    )
    panel = panel.x_field(x).orientation(models.VizOrientation.HORIZONTAL)
    panel = panel.stacking(models.StackingMode.NORMAL).show_value(models.VisibilityMode.AUTO)
    coloured: barchart.Panel = in_priority_colors(panel)
    return coloured


def gauges(
    title: str,
    description: str,
    source: DataSourceRef,
    queries: Sequence[Query],
    *,
    unit: str,
    steps: Steps,
    width: int = THIRD,
    empty: str = "none",
) -> bargauge.Panel:
    """Return one horizontal bar for each series, coloured by level."""
    panel: bargauge.Panel = _dress(
        bargauge.Panel(), title, description, source, queries, width=width, height=8, empty=empty
    )
    newest = common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)
    panel = panel.unit(unit).min(0).reduce_options(newest).thresholds(thresholds(steps))
    panel = panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    return panel.orientation(models.VizOrientation.HORIZONTAL)


def states(
    title: str,
    description: str,
    source: DataSourceRef,
    query: Query,
    *,
    names: Sequence[tuple[int, str, str]],
) -> statetimeline.Panel:
    """Return states over time; `names` gives number, word and colour of each."""
    panel: statetimeline.Panel = _dress(
        statetimeline.Panel(),
        title,
        description,
        source,
        [query],
        width=FULL,
        height=8,
        empty="no alert in this range of time",
    )
    words = {
        str(number): ValueMappingResult(text=word, color=color, index=index)
        for index, (number, word, color) in enumerate(names)
    }
    # Long rows come as one column for each cause, null wherever another cause changed: the state goes on there.
    panel = panel.mappings([ValueMap(options=words)]).merge_values(True)
    panel = panel.override_by_regexp(".*", [DynamicConfigValue(id_val="custom.spanNulls", value=True)])
    return panel.show_value(models.VisibilityMode.AUTO)


def in_priority_colors(panel: Any) -> Any:
    """Give columns or series that are named by a priority its colour."""
    for priority, color in PRIORITY_COLORS.items():
        fixed = DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})
        panel = panel.override_by_name(priority, [fixed])
    return panel


def column(panel: Any, name: str, **properties: Any) -> Any:
    """Set properties of one column of a table or one series, such as its unit."""
    values = [
        DynamicConfigValue(id_val=identity.replace("__", "."), value=written)
        for identity, written in properties.items()
    ]
    return panel.override_by_name(name, values)


def linked_to_pump(panel: Any, name: str = "pump") -> Any:
    """Make a column of pumps lead to their board."""
    link = {"title": "Board of this pump", "url": "/d/thecaflow-pump?var-pump=${__value.raw}"}
    return column(panel, name, links=[link])
