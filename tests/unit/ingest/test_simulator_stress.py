"""The stress mode: far outside the defaults, reproducible, honest about what cannot be seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from contract import codec
from contract.events import Telemetry
from contract.facts import Quarantined
from contract.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US, parse_rfc3339
from ingest import simulator
from ingest.simulation.distortion import Bent, Distorter, Distortion
from ingest.simulation.effects import Span
from ingest.simulation.observability import CARRIERS
from ingest.simulation.stress import MOST_ROWS

START_US = parse_rfc3339("2026-01-01T00:00:00Z")


def stress_plan(
    pumps: int, days: float = 30.0, seed: int = 3, faults: tuple[str, ...] = ()
) -> simulator.FleetPlan:
    return simulator.FleetPlan(
        seed=seed,
        pumps=pumps,
        start_us=START_US,
        end_us=START_US + round(days * DAY_US),
        uplink=simulator.Uplink(10 * MINUTE_US, 4 * HOUR_US),
        faults=tuple(simulator.parse_fault(text) for text in faults),
        stress=True,
    )


@pytest.fixture(scope="module")
def healthy() -> list[simulator.PumpCase]:
    return simulator.draw_fleet(stress_plan(120))


def test_the_ranges_are_as_wide_as_they_say(healthy: list[simulator.PumpCase]):
    """A hundred pumps span six decades of flow and sample from seconds to a quarter of an hour."""
    rates = [case.design.rate_ul_h for case in healthy]
    periods = [case.uplink.period_us / SECOND_US for case in healthy]
    assert max(rates) / min(rates) > 1e6
    assert min(periods) < 5.0
    assert max(periods) > 600.0
    assert all(1.0 <= period <= 900.0 for period in periods)
    assert all((case.end_us - case.start_us) / case.uplink.period_us <= MOST_ROWS + 1 for case in healthy)
    assert len({case.design.channels for case in healthy}) > 30


def test_every_line_is_a_contract_event_and_the_same_again(healthy: list[simulator.PumpCase]):
    """However strained, nothing is quarantined; the same plan gives the same bytes."""
    plan = stress_plan(3, days=3.0)
    lines = [[line.json for line in simulator.events(simulator.draw_fleet(plan))] for _ in range(2)]
    assert lines[0] == lines[1]
    assert not [line for line in lines[0] if isinstance(codec.decode_json(line), Quarantined)]
    assert len(lines[0]) > 50


def test_a_pump_more_does_not_change_the_others():
    """Strain and distortion come from each pump's own random streams."""
    small, large = (simulator.draw_fleet(stress_plan(n)) for n in (3, 5))
    assert [case.design for case in small] == [case.design for case in large[:3]]
    assert [case.distortion for case in small] == [case.distortion for case in large[:3]]


def test_a_fault_without_its_channels_is_not_expected():
    """Where no set of channels that carries a fault is reported it is unobservable; where one is, size decides."""
    cases = simulator.draw_fleet(stress_plan(120, seed=9, faults=("leak:40", "stall:40", "early_empty:40")))
    told = [(case, next(label for label in case.labels if label.cause is not None)) for case in cases]
    for case, label in told:
        carried = any(needed <= set(case.design.channels) for needed in CARRIERS[label.kind])
        assert carried or not label.observable
        if label.kind == "stall":
            assert label.observable is carried
    seen = Counter(label.observable for _, label in told)
    assert seen[True] > 2 * seen[False] > 0


def test_dead_sensors_and_jumping_clocks_are_labelled(healthy: list[simulator.PumpCase]):
    """Who calls a sensor dead that is dead makes no mistake."""
    allowed = Counter(label.kind for case in healthy for label in case.labels for _ in label.also)
    assert allowed["sensor_dead"] > 10
    assert allowed["clock_jump"] > 5


def test_what_the_label_says_of_a_frozen_channel_is_in_the_telemetry():
    """A channel that is labelled dead is constant or absent for as long."""
    plan = stress_plan(60, days=10.0)
    checked = 0
    for case in simulator.draw_fleet(plan):
        dead = [label for label in case.labels if label.kind == "sensor_dead"]
        if not dead or case.effects.clocks or case.uplink.period_us < 120 * SECOND_US:
            continue
        frames = [codec.decode_json(line.json) for line in simulator.events([case])]
        frames = [frame for frame in frames if isinstance(frame, Telemetry)]
        for label in dead:
            row = codec.CHANNEL_INDEX[label.parameters["channel"]]
            assert label.end_us is not None
            readings = np.concatenate(
                [
                    f.columns[row][(f.rows_us() >= label.onset_us) & (f.rows_us() < label.end_us)]
                    for f in frames
                ]
            )
            known = readings[~np.isnan(readings)]
            assert known.size == 0 or np.ptp(known) == 0.0
            checked += readings.size > 0
    assert checked > 3


def walk(bent: Bent, rows: int = 20_000, chunk: int = 20_000) -> np.ndarray:
    """A channel that is truly 0, as it is distorted, read in chunks."""
    distortion = Distortion(bent=(("pressure_kpa", bent),))
    distorter = Distorter(
        distortion, lambda at: {"pressure_kpa": np.zeros(at.size)}, 1, 0, (0, rows * SECOND_US)
    )
    times = np.arange(rows, dtype=np.int64) * SECOND_US
    return np.concatenate(
        [distorter.read(times[first : first + chunk])["pressure_kpa"] for first in range(0, rows, chunk)]
    )


@pytest.mark.parametrize(
    "memories", [(), (50.0,), (1.0, 4.0, 16.0, 64.0, 256.0)], ids=["white", "AR(1)", "1/f"]
)
def test_noise_has_its_size_and_its_memory(memories: tuple[float, ...]):
    """The standard deviation is the one asked for (30 % for the slow ones), and neighbours are as alike as they should be."""
    column = walk(Bent(noise_sd=2.0, memories=memories))
    assert np.std(column) == pytest.approx(2.0, rel=0.3)
    alike = float(np.corrcoef(column[:-1], column[1:])[0, 1])
    wanted = float(np.mean([np.exp(-1.0 / memory) for memory in memories])) if memories else 0.0
    assert alike == pytest.approx(wanted, abs=0.05)


def test_distortion_has_no_seam_between_reads():
    """Drift, noise and frozen readings are the same in one piece and in many."""
    bent = Bent(noise_sd=1.0, drift=5.0, quantum=0.1)
    assert np.array_equal(walk(bent), walk(bent, chunk=20_000))
    slow = replace(bent, noise_sd=0.0)
    assert np.array_equal(walk(slow), walk(slow, chunk=999))


def test_a_frozen_reading_holds_the_last_one_across_reads():
    """A sensor sticks at what it last showed, not at what it shows at the next upload."""
    distortion = Distortion(frozen=(("motor_ma", Span(5 * SECOND_US, 10**9)),))
    distorter = Distorter(distortion, lambda at: {"motor_ma": at / SECOND_US}, 1, 0, (0, 10**9))
    shown = [
        distorter.read(np.arange(first, first + 4, dtype=np.int64) * SECOND_US)["motor_ma"].tolist()
        for first in (0, 4, 8)
    ]
    assert shown == [[0, 1, 2, 3], [4, 4, 4, 4], [4, 4, 4, 4]]
