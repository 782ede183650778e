"""What leaves the tip of a narrowed catheter, and what its label says of the patient."""

from __future__ import annotations

import numpy as np
import pytest

from contract.times import DAY_US, HOUR_US, MINUTE_US
from ingest.simulation import tip
from ingest.simulation.designs import Design
from ingest.simulation.effects import FOREVER_US, Effects, Narrowing
from ingest.simulation.labels import Label
from ingest.simulation.plant import Fill, run_plant
from ingest.simulation.programs import StepFlow

ONSET_US = 3 * DAY_US
RATE_UL_H = 5.0
DESIGN = Design(
    maker="implant",
    model="m",
    channels=("pressure_kpa",),
    rate_ul_h=RATE_UL_H,
    concentration_ug_ml=500.0,
    reservoir_ml=20.0,
    low_reservoir_ml=2.0,
    dead_volume_ul=250.0,
    min_rate_ul_h=0.1,
    max_rate_ul_h=1000.0,
    flow_tolerance=0.145,
    compliance_ul_per_kpa=5.0,
)


def narrowed(constant_h: float) -> Effects:
    """A catheter that narrows at once, so that the line is stretched with this time constant."""
    return Effects(
        narrowings=(Narrowing(ONSET_US, FOREVER_US, 0, constant_h / DESIGN.compliance_ul_per_kpa),)
    )


def labelled(constant_h: float, kind: str = "occlusion_partial") -> Label:
    """The label of such a pump."""
    flow = StepFlow(np.array([0, 20 * DAY_US], np.int64), np.array([RATE_UL_H]))
    effects = narrowed(constant_h)
    plant = run_plant(flow, DESIGN, effects, [Fill(0, 20.0)])
    label = Label("p", kind, "occlusion", ONSET_US)
    return tip.with_narrow_harm(label, plant, DESIGN, effects, 20 * DAY_US)


def test_the_tip_recovers_with_the_time_constant_of_the_line() -> None:
    """Flow out of the tip is Q (1 - exp(-t / R C)), and all that was pumped has left or is in the line."""
    times = np.arange(ONSET_US - HOUR_US, ONSET_US + 40 * HOUR_US, 5 * MINUTE_US, dtype=np.int64)
    left = tip.tip_ul_h(times, np.full(times.shape, RATE_UL_H), DESIGN, narrowed(10.0))
    hours = (times - ONSET_US) / HOUR_US - 1 / 24  # the middle of what is a mean of five minutes
    after = hours > 0.5
    assert left[after] == pytest.approx(RATE_UL_H * (1.0 - np.exp(-hours[after] / 10.0)), rel=0.03)
    assert left[hours < -0.1] == pytest.approx(RATE_UL_H)


@pytest.mark.parametrize(
    ("constant_h", "risk", "harm_h"),
    [(1.0, False, None), (20.0, True, None), (60.0, True, 8.0), (1000.0, True, 8.0)],
)
def test_withdrawal_follows_only_where_the_level_truly_falls(
    constant_h: float, *, risk: bool, harm_h: float | None
) -> None:
    """A line that is stretched within the hour costs nothing; over days it is a stop, harmful after 8 h like any other."""
    label = labelled(constant_h)
    assert ("withdrawal_risk" in label.also) is risk
    told_h = None if label.harm_us is None else (label.harm_us[0] - ONSET_US) / HOUR_US
    assert told_h == (None if harm_h is None else pytest.approx(harm_h, abs=0.5))


def test_the_latest_harm_is_that_of_the_slowest_level() -> None:
    """After what is as good as a full stop it is 72 h, as for one; other kinds of faults are left alone."""
    stopped = labelled(1000.0)
    assert stopped.harm_us is not None
    assert (stopped.harm_us[1] - ONSET_US) / HOUR_US == pytest.approx(72.0, abs=1.5)
    assert labelled(1000.0, "occlusion").harm_us is None
