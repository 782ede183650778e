"""What is left in a reservoir, as the pages calculate it from a forecast; and holes in plots."""

from __future__ import annotations

import pytest

from contract.events import PeriodicBolus, ProgramSet, ProgramStep
from contract.times import DAY_US, HOUR_US
from dashboards.console.pages.plots import channel_plots, with_holes
from dashboards.console.pages.reservoir import fan_of, fan_plot, mean_rate_ul_h
from dashboards.console.snapshot import PumpNow
from storage.history import Channel, Channels

NOW_US = 1_780_000_000_000_000


def program(*steps: ProgramStep, periodic: PeriodicBolus | None = None) -> ProgramSet:
    """Return a program."""
    return ProgramSet(
        id="p", pump="p", source="clinic", at_us=0, mode="flex", steps=steps, periodic_bolus=periodic
    )


STEADY = program(ProgramStep(minute=0, rate_ul_h=5.0))  # 0.12 mL a day
TRUE_ML_DAY = 0.12 * 1.143


def founding(volume_ml: float, volume_sd_ml: float, **changes: object) -> PumpNow:
    """Return a pump whose forecast follows from a volume with its standard deviation, by a normal distribution."""
    half_us = round(1.6449 * volume_sd_ml / TRUE_ML_DAY * DAY_US)
    empty_us = NOW_US + round(volume_ml / TRUE_ML_DAY * DAY_US)
    fields = {
        "pump": "founding",
        "reservoir_ml": 20.0,
        "low_reservoir_ml": 2.0,
        "forecast_us": NOW_US,
        "flow_ratio": 1.143,
        "flow_ratio_lo": 1.143,
        "flow_ratio_hi": 1.143,
        "empty_p05_us": empty_us - half_us,
        "empty_p50_us": empty_us,
        "empty_p95_us": empty_us + half_us,
        "device_alarm_us": NOW_US + 15 * DAY_US,
    }
    return PumpNow(**{**fields, **changes})  # type: ignore[arg-type]


def test_the_volume_and_its_uncertainty_come_back_out_of_the_forecast():
    """A forecast made of 1.51 mL +/- 0.24 says just that."""
    fan = fan_of(founding(1.51, 0.24), STEADY)
    assert fan is not None
    assert fan.volume_ml == pytest.approx(1.51, abs=1e-6)
    assert fan.volume_sd_ml == pytest.approx(0.24, abs=1e-6)
    later = fan.at(NOW_US + 5 * DAY_US)
    assert later.p50_ml == pytest.approx(1.51 - 5 * TRUE_ML_DAY, abs=1e-6)
    assert later.hi_ml - later.p50_ml == pytest.approx(1.6449 * 0.24, abs=1e-6)


def test_an_uncertain_rate_widens_the_fan_with_time():
    """What the ratio's interval explains is not the volume's uncertainty today."""
    narrow = fan_of(founding(10.0, 0.24), STEADY)
    uncertain = fan_of(founding(10.0, 0.24, flow_ratio_lo=1.12, flow_ratio_hi=1.166), STEADY)
    assert narrow is not None
    assert uncertain is not None
    assert uncertain.volume_sd_ml < narrow.volume_sd_ml
    now, later = uncertain.at(NOW_US), uncertain.at(NOW_US + 30 * DAY_US)
    assert later.hi_ml - later.p50_ml > now.hi_ml - now.p50_ml


def test_the_pump_itself_counts_by_its_program():
    """Its own arithmetic meets its own alarm level at its own alarm."""
    fan = fan_of(founding(1.51, 0.24), STEADY)
    assert fan is not None
    assert fan.device_at(NOW_US + 15 * DAY_US) == pytest.approx(2.0)
    assert fan.device_at(NOW_US) == pytest.approx(2.0 + 15 * 0.12)


def test_a_dry_pump_has_nothing_left():
    """The median time of empty is past: 0, not a negative volume, and no division by nothing."""
    fan = fan_of(founding(-0.5, 0.1), STEADY)
    assert fan is not None
    assert fan.at(NOW_US).p50_ml == 0.0
    assert fan_plot(founding(-0.5, 0.1), fan, [], None, NOW_US).shown["x"]


@pytest.mark.parametrize("missing", ["forecast_us", "empty_p05_us", "empty_p95_us", "flow_ratio"])
def test_without_a_forecast_there_is_no_fan(missing: str):
    """Nothing is invented; nor for a program that is not known, or stands still."""
    assert fan_of(founding(1.51, 0.24, **{missing: None}), STEADY) is None
    assert fan_of(founding(1.51, 0.24), None) is None
    assert fan_of(founding(1.51, 0.24), program(ProgramStep(minute=0, rate_ul_h=0.0))) is None


def test_the_plot_says_both_alarm_times_in_its_caption_too():
    """The pump's own, ours, the low level, and when it is dry: for whoever does not see the lines."""
    pump = founding(1.51, 0.24, refill_due_us=NOW_US - 4 * DAY_US, refill_due_reason="volume")
    fan = fan_of(pump, STEADY)
    assert fan is not None
    plot = fan_plot(pump, fan, [(NOW_US - DAY_US, 1.65)], NOW_US - 90 * DAY_US, NOW_US)
    for told in ("About 1.51 mL", "Dry in", "The pump's own low-reservoir alarm", "Our alert", "low level"):
        assert told in plot.caption
    assert {mark["label"] for mark in plot.shown["marks"]} == {
        "now",
        "pump's own alarm",
        "low by our estimate",
        "our alert",
    }
    assert all(len(series["y"]) == len(plot.shown["x"]) for series in plot.shown["series"])


def test_the_mean_rate_of_a_program_is_that_of_its_week():
    """Steps of some days count on those days; what runs before the first step of the week is the last one's rate."""
    weekend = program(
        ProgramStep(minute=0, rate_ul_h=4.0, days=(0,)), ProgramStep(minute=720, rate_ul_h=11.0, days=(6,))
    )
    assert mean_rate_ul_h(weekend) == pytest.approx((6.5 * 4.0 + 0.5 * 11.0) / 7)
    daily = program(ProgramStep(minute=360, rate_ul_h=4.0), ProgramStep(minute=1080, rate_ul_h=8.0))
    assert mean_rate_ul_h(daily) == pytest.approx(6.0)


def test_pulses_add_to_the_rate():
    """Every 7 hours from midnight on are four a day."""
    pulsed = program(
        ProgramStep(minute=0, rate_ul_h=1.0),
        periodic=PeriodicBolus(volume_ul=6.0, every_s=7 * 3600.0, duration_s=60.0),
    )
    assert mean_rate_ul_h(pulsed) == pytest.approx(1.0 + 4 * 6.0 / 24)


def test_a_pause_is_a_hole_not_a_line():
    """Where nothing was reported for more than three times the usual spacing, a null row is put in."""
    times = [0, HOUR_US, 2 * HOUR_US, 9 * HOUR_US, 10 * HOUR_US]
    x, [readings] = with_holes(times, [1.0, 2.0, None, 4.0, 5.0])
    assert readings == [1.0, 2.0, None, None, 4.0, 5.0]
    assert x == sorted(x)
    assert with_holes([], []) == ([], [[]])


def test_a_channel_is_said_in_numbers_too():
    """Caption with the last value and the range, table with the same values; only channels that were asked for."""
    telemetry = Channels(
        [NOW_US, NOW_US + HOUR_US],
        12,
        [
            Channel("pressure_kpa", [1.0, 2.5], [0.5, 2.0], [1.5, 3.25]),
            Channel("motor_ma", [10.0, None], [9.0, None], [11.0, None]),
        ],
    )
    [plot] = channel_plots(telemetry, ("motor_ma", "inlet_kpa"))
    assert plot.title == "Motor current"
    assert plot.caption.startswith("10 mA at 28 May 2026 20:26 UTC; from 9 to 11 mA")
    assert [list(row)[1:] for row in plot.rows] == [["10", "9", "11"], ["not known"] * 3]
    assert [found.title for found in channel_plots(telemetry)] == ["Outlet pressure", "Motor current"]
