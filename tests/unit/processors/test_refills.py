"""`refill_mismatch`: what was drawn out, what the level shows after the fill, what is stated soon after it."""

from __future__ import annotations

import numpy as np
import pytest

from contract.facts import Cause
from contract.times import HOUR_US, format_us
from tests.pump_days import START_US
from tests.unit.processors.test_fold import Story

AT_H = 600.0


def refilled(reservoir_ml: float, removed_ml: float | None, filled_ml: float | None = None) -> Story:
    """A pump whose whole run was counted, to be refilled with 17/20 of its volume left."""
    told = Story().registered(reservoir_ml=reservoir_ml, flow_tolerance=0.01).filled(filled_ml=reservoir_ml)
    told.runs(0, reservoir_ml / 4.0)
    full_ml = reservoir_ml if filled_ml is None else filled_ml
    return told.tell(
        "reservoir_filled",
        AT_H,
        removed_ml=removed_ml,
        filled_ml=full_ml,
        concentration_ug_ml=500.0,
        drug="b",
    )


def mismatches(told: Story, until_h: float = AT_H + 1) -> list[tuple[float, str, str]]:
    """The alerts of a story."""
    return told.alerts(until_h, Cause.REFILL_MISMATCH)


@pytest.mark.parametrize(("reservoir_ml", "limit_ml"), [(20.0, 1.0), (40.0, 2.0), (2e5, 1e4)])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_drawn_out_volumes_beyond_a_twentieth_of_the_reservoir(
    reservoir_ml: float, limit_ml: float, sign: float
) -> None:
    """1 mL of 20 mL, 2 mL of 40 mL, the same share of a tank; exactly that much is inside."""
    expected_ml = 0.85 * reservoir_ml
    assert mismatches(refilled(reservoir_ml, expected_ml + 1.01 * sign * limit_ml)) == [
        (AT_H, "active", "medium")
    ]
    assert mismatches(refilled(reservoir_ml, expected_ml + 0.999 * sign * limit_ml)) == []


def test_an_in_tolerance_pump_that_nobody_has_measured_is_no_mismatch() -> None:
    """15 mL by the program at +/-14.5 % are 1.1 mL to an sd: 2 mL off say nothing, 4 mL do."""
    for removed_ml, expected in ((3.0, []), (7.0, []), (9.0, [(AT_H, "active", "medium")])):
        told = Story().registered().filled().runs(0, 25.0)
        told.tell(
            "reservoir_filled", AT_H, removed_ml=removed_ml, filled_ml=20, concentration_ug_ml=500.0, drug="b"
        )
        assert mismatches(told) == expected


@pytest.mark.parametrize("removed_ml", [None, 17.0, 17.3])
def test_unknown_or_fitting_volumes_are_silent(removed_ml: float | None) -> None:
    """Nothing was written down, or what fits."""
    assert mismatches(refilled(20.0, removed_ml)) == []


def test_more_than_the_reservoir_holds_cannot_be_in_it() -> None:
    """22 mL in 20 mL went elsewhere; 20.5 are a full syringe."""
    assert mismatches(refilled(20.0, None, 22.0)) == [(AT_H, "active", "medium")]
    assert mismatches(refilled(20.0, None, 20.5)) == []


def test_a_refill_that_adds_up_ends_it() -> None:
    """The next fill is judged by itself."""
    told = refilled(20.0, 12.0)
    told.tell(
        "reservoir_filled", AT_H + 24, removed_ml=19.9, filled_ml=20, concentration_ug_ml=500.0, drug="b"
    )
    assert mismatches(told, AT_H + 30)[-1] == (AT_H + 24, "latched", "medium")


def levelled(missing_ml: float, *, offset_ml: float = 0.0, stuck: bool = False, gain: float = 1.0) -> Story:
    """A level sensor every ten minutes; the second fill brings `missing_ml` less than is said."""
    rng = np.random.default_rng(3)
    told = Story().registered().filled().runs(0, 20.0)
    told.tell("reservoir_filled", AT_H, removed_ml=None, filled_ml=20, concentration_ug_ml=500.0, drug="b")
    hours = np.arange(0, AT_H + 24, 1 / 6) + 0.05
    left = np.where(hours < AT_H, 20.0 - 0.02 * hours, 20.0 - missing_ml - 0.02 * (hours - AT_H))
    level = gain * left + offset_ml + 0.03 * rng.normal(size=hours.size)
    if stuck:
        level = np.where(hours > 400, 12.0, level)
    told.records.append(
        told.event(
            "telemetry",
            START_US,
            START_US + round((AT_H + 24) * HOUR_US),
            "device",
            t_s=(3600 * hours).tolist(),
            delivered_ul=(20.0 * hours).tolist(),
            reservoir_ml=np.round(np.maximum(level, 0.0), 2).tolist(),
        )
    )
    return told


@pytest.mark.parametrize(("removed_ml", "expected"), [(8.0, 0), (11.0, 1)])
def test_a_level_sensor_that_misled_the_estimate_is_no_mismatch(removed_ml: float, expected: int) -> None:
    """It falls by a quarter too fast; what is drawn out is what the program leaves, to the tolerance, or is not."""
    told = Story().registered().filled().runs(0, 20.0)
    hours = np.arange(0, AT_H, 1 / 4) + 0.05
    level = 20.0 - 0.025 * hours + 0.03 * np.random.default_rng(4).normal(size=hours.size)
    told.records.append(
        told.event(
            "telemetry",
            START_US,
            START_US + round(AT_H * HOUR_US),
            "device",
            t_s=(3600 * hours).tolist(),
            delivered_ul=(20.0 * hours).tolist(),
            reservoir_ml=np.round(level, 2).tolist(),
        )
    )
    told.tell(
        "reservoir_filled", AT_H, removed_ml=removed_ml, filled_ml=20, concentration_ug_ml=500.0, drug="b"
    )
    assert mismatches(told) == [(AT_H, "active", "medium")] * expected


@pytest.mark.parametrize("missing_ml", [1.5, 3.0, -1.5])
def test_the_level_after_a_fill_shows_a_pocket_fill_within_two_hours(missing_ml: float) -> None:
    """Below what was filled, or above it; not earlier than an hour, for the fill's own time may be off."""
    lines = mismatches(levelled(missing_ml), AT_H + 24)
    assert lines[0][1:] == ("active", "medium")
    assert AT_H + 1 <= lines[0][0] <= AT_H + 2


@pytest.mark.parametrize(
    "told",
    [
        levelled(0.0),
        levelled(0.8),
        levelled(0.0, offset_ml=1.8),
        levelled(0.0, gain=0.9),
        levelled(0.0, stuck=True),
    ],
    ids=["healthy", "small", "offset", "gain", "stuck"],
)
def test_a_sensor_with_its_own_ways_is_no_mismatch(told: Story) -> None:
    """It reads high, reads a tenth too little, or has stood still since before the fill; 0.8 mL are of no consequence."""
    assert mismatches(told, AT_H + 24) == []


def test_a_pump_that_empties_its_reservoir_within_the_hour_was_filled_all_the_same() -> None:
    """Four times the rate after a restart takes a third of the reservoir in an hour; the first readings show that it was full."""
    told = Story().registered(max_rate_ul_h=1e5, flow_tolerance=0.05).filled().runs(0, 2000.0)
    told.tell("suspended", 4).tell("resumed", 30)
    told.tell("reservoir_filled", 30, removed_ml=None, filled_ml=20, concentration_ug_ml=500.0, drug="b")
    hours = np.arange(0, 32, 1 / 20) + 0.01
    left = np.where(hours < 30, 20.0 - 2.0 * np.minimum(hours, 4), 20.0 - 8.0 * (hours - 30))
    level = np.round(left + 0.03 * np.random.default_rng(3).normal(size=hours.size), 2)
    t_s = (3600 * hours).tolist()
    end_us = START_US + 32 * HOUR_US
    told.records.append(
        told.event("telemetry", START_US, end_us, "device", t_s=t_s, reservoir_ml=level.tolist())
    )
    assert mismatches(told, 32) == []


@pytest.mark.parametrize(
    ("after_h", "stated_ml", "expected"), [(1.0, 18.0, 1), (1.0, 19.2, 0), (300.0, 13.0, 0)]
)
def test_a_volume_stated_soon_after_the_fill(after_h: float, stated_ml: float, expected: int) -> None:
    """Two of twenty mL are missing; later statements only start the estimate anew."""
    told = refilled(20.0, None)
    moment = format_us(START_US + round((AT_H + after_h) * HOUR_US))
    told.tell(
        "volume_reported",
        AT_H + after_h,
        ledger="reservoir",
        value_ul=1000.0 * stated_ml,
        **{"from": moment, "to": moment},
    )
    lines = mismatches(told, AT_H + 310)
    assert lines == [(AT_H + after_h, "active", "medium")] * expected


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, 1), (2.0, 0)])
def test_what_an_over_delivering_pump_leaves_is_no_mismatch(ratio: float, expected: int) -> None:
    """2 mL less than expected are drawn out: a wrong volume, unless a fault of the stroke has been told since the fill."""
    told = Story().registered(flow_tolerance=0.01).filled()
    hours = np.arange(0, AT_H, 1 / 4) + 0.05
    flow = np.where(hours < AT_H / 2, 5.0, 5.0 * ratio)
    told.runs(0, 5.0)
    told.records.append(
        told.event(
            "telemetry",
            START_US,
            START_US + round(AT_H * HOUR_US),
            "device",
            t_s=(3600 * hours).tolist(),
            delivered_ul=(5.0 * hours).tolist(),
            flow_ul_h=flow.tolist(),
        )
    )
    left_ml = 20.0 - 5.0 * AT_H / 1000.0 * (1.0 + ratio) / 2.0
    told.tell(
        "reservoir_filled", AT_H, removed_ml=left_ml - 2.0, filled_ml=20, concentration_ug_ml=500.0, drug="b"
    )
    assert [cause for _, cause, _ in told.alerts(AT_H, Cause.OVER_DELIVERY)][:1] == ["active"] * (
        1 - expected
    )
    assert len(mismatches(told)) == expected
