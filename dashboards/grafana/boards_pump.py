"""One pump's board: dose, reservoir, telemetry, events and alerts on one axis of time."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import Dashboard, VariableRefresh, VariableSort

from dashboards.grafana import panels
from dashboards.grafana.panels import FULL, HALF, QUARTER
from dashboards.grafana.queries import TIMESCALEDB, SqlAnnotations, series, sql_variable, table

UL: Final = "suffix: µL"
UL_H: Final = "suffix: µL/h"
UG: Final = "suffix: µg"
STATES: Final = (
    (0, "clear", "transparent"),
    (1, "pending", "yellow"),
    (2, "active", "red"),
    (3, "acknowledged", "blue"),
    (4, "latched", "orange"),
    (5, "shelved", "purple"),
)
AHEAD: Final = "now+14d"
"""As far as a high `dry_before_alarm` reaches: the fan and both alarm times of a near one are in view."""


def pump_board() -> Dashboard:
    """Build it."""
    made = panels.board(
        "thecaflow-pump",
        "Pump",
        "What one pump was told to give, gave, and has left; its events and alerts on the same axis of time.",
        past="now-14d",
        ahead=AHEAD,
    )
    variable = sql_variable("pump", "Pump", "pumps").multi(False).include_all(False)
    made = made.with_variable(variable.refresh(VariableRefresh.ON_DASHBOARD_LOAD).sort(VariableSort.DISABLED))
    for title, name, color in (
        ("Events", "pump_marks_events", "blue"),
        ("Alerts", "pump_marks_alerts", "red"),
        ("Ahead", "pump_marks_forecast", "purple"),
    ):
        made = made.annotation(SqlAnnotations(title, name, color))
    for panel in (*_head(), *_dose(), *_reservoir()):
        made = made.with_panel(panel)
    made = made.with_row(dashboard.Row("Telemetry"))
    for panel in _telemetry():
        made = made.with_panel(panel)
    made = made.with_row(dashboard.Row("What happened"))
    for panel in _history():
        made = made.with_panel(panel)
    return made.build()


def _head() -> list[Any]:
    registration = panels.rows(
        "Registration",
        "The newest registration; empty limits: the pump was never registered, and is watched without them.",
        TIMESCALEDB,
        table("pump_registration"),
        width=FULL,
        height=4,
        empty="not known",
    )
    for name, unit in (
        ("reservoir", "mlitre"),
        ("low at", "mlitre"),
        ("dead volume", UL),
        ("slowest", UL_H),
        ("fastest", UL_H),
        ("tolerance", "percentunit"),
    ):
        registration = panels.column(registration, name, unit=unit)
    forecast = panels.numbers(
        "Forecast",
        "From now, by the newest forecast: 5 % and half of all courses are dry by the first two times.",
        TIMESCALEDB,
        [table("pump_forecast")],
        unit="dtdurations",
        width=FULL,
        empty="no fill known: no forecast",
    )
    forecast = panels.column(forecast, "dry before alarm", unit="percentunit", decimals=0)
    forecast = panels.column(forecast, "delivered / programmed", unit="percentunit", decimals=1)
    return [registration, panels.in_priority_colors(forecast)]


def _dose() -> list[Any]:
    volume = panels.lines(
        "Volume of each window",
        "Windows end at their points; coverage is the part of a window that has telemetry.",
        TIMESCALEDB,
        [series("pump_dose_volume")],
        unit=UL,
    )
    volume = panels.column(volume, "coverage", unit="percentunit", max=1, custom__axisPlacement="right")
    mass = panels.lines(
        "Drug of each window",
        "What left the catheter's tip lags behind by the dead volume. Empty until a fill tells the concentration.",
        TIMESCALEDB,
        [series("pump_dose_mass")],
        unit=UG,
    )
    return [mass, volume]


def _reservoir() -> list[Any]:
    fan = panels.lines(
        "Reservoir, and when it may be empty",
        "Measured and stated levels; the fan leads from the newest forecast to its three times of an empty reservoir.",
        TIMESCALEDB,
        [
            _sampled("A", reservoir_ml="measured"),
            series("pump_volume_stated", "B"),
            series("pump_reservoir_fan", "C"),
        ],
        unit="mlitre",
        width=HALF + QUARTER,
        height=10,
    )
    fan = panels.column(fan, "latest", custom__fillBelowTo="earliest", custom__fillOpacity=15)
    for name in ("earliest", "median", "latest"):
        dashed = {"fill": "dash", "dash": [6, 6]}
        fan = panels.column(fan, name, custom__lineStyle=dashed, custom__showPoints="never")
    for name in ("filled", "stated by the device"):
        fan = panels.column(fan, name, custom__drawStyle="points", custom__pointSize=8)
    scores = panels.lines(
        "Assessments",
        "Clinical scores, beside the dose they answer to.",
        TIMESCALEDB,
        [series("pump_assessments")],
        unit="short",
        width=QUARTER,
        height=10,
        empty="none in this range of time",
    )
    return [fan.min(0), scores]


def _sampled(ref_id: str = "A", *, peaks: tuple[str, ...] = (), **channels: str) -> Any:
    """Telemetry channels as means over the panel's steps, those of `peaks` as maxima, too."""
    columns = [f'avg({channel}) AS "{legend}"' for channel, legend in channels.items()]
    columns += [f'max({channel}) AS "{channels[channel]}, peak"' for channel in peaks]
    return series("pump_samples", ref_id, columns=", ".join(columns))


def _telemetry() -> list[Any]:
    def of(title: str, unit: str, *queries: Any, about: str = "Means over the steps of the panel.") -> Any:
        return panels.lines(title, about, TIMESCALEDB, queries, unit=unit)

    pressure = _sampled(peaks=("pressure_kpa",), pressure_kpa="outlet", inlet_kpa="inlet")
    current = _sampled(peaks=("motor_ma",), motor_ma="current")
    return [
        of("Pressure", "pressurekpa", pressure, about="Means and peaks: an occlusion is short and high."),
        of("Motor current", "mamp", current, about="Means and peaks."),
        of("Flow", UL_H, _sampled(flow_ul_h="measured"), series("pump_program_rate", "B")),
        of("Motor and battery voltage", "volt", _sampled(motor_v="motor", battery_v="battery")),
        of("Vibration", "accG", _sampled(vibration_g="first sensor", vibration2_g="second sensor")),
        of("Temperature", "celsius", _sampled(temperature_c="body of the pump", fluid_c="fluid")),
        of(
            "Encoder's count",
            UL,
            _sampled(delivered_ul="delivered, as counted"),
            about="Wraps and restarts are seen.",
        ),
        of(
            "Rotor stands",
            "percentunit",
            _sampled(stalled="share of the step"),
            about="By the device's own word.",
        ),
    ]


def _history() -> list[Any]:
    lines = panels.rows(
        "Lines of its alerts",
        "As they are believed now; told: when this was first believed to be so.",
        TIMESCALEDB,
        table("pump_alert_lines"),
        width=FULL,
    )
    return [
        panels.states(
            "Alerts", "The state of each cause.", TIMESCALEDB, series("pump_alert_states"), names=STATES
        ),
        lines,
        panels.rows(
            "Events",
            "What people did and the device said, in the contract's words.",
            TIMESCALEDB,
            table("pump_events"),
            width=FULL,
            empty="none in this range of time",
        ),
    ]
