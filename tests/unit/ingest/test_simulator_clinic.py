"""The simulated clinic keeps its pumps filled and within their limits, and what runs low all the same is labelled so."""

from __future__ import annotations

import numpy as np
import pytest

from contract.times import DAY_US, HOUR_US, MINUTE_US, parse_rfc3339
from ingest import simulator

START_US = parse_rfc3339("2026-01-01T00:00:00Z")


@pytest.fixture(scope="module", params=["implant", "gated", "syringe", "bench"])
def fleet(request: pytest.FixtureRequest) -> list[simulator.PumpCase]:
    """Three pumps of each kind of fault and as many healthy ones, of one maker, over 45 days."""
    faults = tuple(simulator.parse_fault(f"{kind}:3") for kind in sorted(simulator.KINDS))
    return simulator.draw_fleet(
        simulator.FleetPlan(
            seed=3,
            pumps=2 * 3 * len(faults),
            start_us=START_US,
            end_us=START_US + 45 * DAY_US,
            uplink=simulator.Uplink(15 * MINUTE_US, 6 * HOUR_US),
            makers=(request.param,),
            faults=faults,
            healthy_share=0.5,
        )
    )


def test_no_reservoir_is_at_its_alarm_level_unless_a_fault_made_it_so(
    fleet: list[simulator.PumpCase],
) -> None:
    """A healthy pump, or one before its fault, never truly runs low."""
    for case in fleet:
        until_us = min((one.onset_us for one in case.labels if one.cause is not None), default=case.end_us)
        times = np.arange(START_US + HOUR_US, until_us, HOUR_US, dtype=np.int64)
        low_ul = 1000.0 * case.design.low_reservoir_ml
        assert not np.any(case.plant.reservoir_at(times) <= low_ul), (case.pump, case.labels[0].kind)


def test_every_program_but_a_slip_stays_inside_the_limits_of_its_pump(
    fleet: list[simulator.PumpCase],
) -> None:
    """Titration and bridges never ask for less or more than the pump can do."""
    for case in fleet:
        slip = {one.onset_us for one in case.labels if one.kind == "program_implausible"}
        for entry in case.entries:
            if entry.kind == "program_set" and entry.fields["steps"] and entry.at_us not in slip:
                rates = [step["rate_ul_h"] for step in entry.fields["steps"]]
                assert case.design.min_rate_ul_h <= min(rates), (case.pump, case.labels[0].kind)
                assert max(rates) <= case.design.max_rate_ul_h, (case.pump, case.labels[0].kind)


def test_what_runs_dry_is_labelled_from_the_volume_that_is_left(fleet: list[simulator.PumpCase]) -> None:
    """A dry reservoir has a label that allows for it from a syringe's error before it is dry until it is filled again."""
    dry = 0
    for case in fleet:
        told = [one for one in case.labels if one.kind == "runs_dry"]
        for dry_us in case.plant.dry_us:
            filled_us = [int(at) for at in case.plant.fill_us if at > dry_us]
            over_us = min(filled_us, default=case.end_us)
            around = [one for one in told if one.onset_us <= dry_us < (one.end_us or 0)]
            assert [one.end_us for one in around] == [over_us]
            left_ml = case.plant.reservoir_at(np.array([around[0].onset_us], np.int64))[0] / 1000.0
            assert left_ml <= 0.02 * case.design.reservoir_ml
            assert "reservoir_empty" in around[0].also
            dry += 1
    assert dry > 0
