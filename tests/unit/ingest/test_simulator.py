"""The simulator as its users see it: lines, order, labels, the founding arithmetic, the command line."""

from __future__ import annotations

import gzip
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from click.testing import CliRunner

from contract import codec
from contract.events import ProgramSet, ReservoirFilled, Telemetry
from contract.facts import Cause, Quarantined
from contract.times import DAY_US, HOUR_US, MINUTE_US, parse_rfc3339
from ingest import simulator
from thecaflow.commands.simulate import command

START_US = parse_rfc3339("2026-01-01T00:00:00Z")


def fleet_plan(pumps: int = 4, days: float = 6.0, seed: int = 1, **more: Any) -> simulator.FleetPlan:
    uplink = more.pop("uplink", simulator.Uplink(10 * MINUTE_US, 4 * HOUR_US))
    faults = tuple(simulator.parse_fault(text) for text in more.pop("faults", ()))
    return simulator.FleetPlan(
        seed=seed,
        pumps=pumps,
        start_us=START_US,
        end_us=START_US + round(days * DAY_US),
        uplink=uplink,
        faults=faults,
        **more,
    )


def founding_plan(**more: Any) -> simulator.FoundingPlan:
    quiet = simulator.Uplink(HOUR_US, DAY_US, 0.0, 0.0, 0.0, latency_s=0.0, in_step=True)
    return simulator.FoundingPlan(**{"seed": 1, "fill_us": START_US, "days": 180.0, "uplink": quiet} | more)


def decoded(lines: list[simulator.Line]) -> list[Any]:
    return [codec.decode_json(line.json) for line in lines]


def all_kinds() -> tuple[str, ...]:
    return tuple(simulator.KINDS)


@pytest.fixture(scope="module")
def every_fault() -> tuple[list[simulator.PumpCase], list[simulator.Line]]:
    cases = simulator.draw_fleet(fleet_plan(pumps=30, days=12.0, faults=all_kinds()))
    return cases, list(simulator.events(cases))


def test_every_line_of_every_fault_is_a_contract_event(every_fault: Any) -> None:
    """No kind of fault makes a line that the codec would quarantine."""
    refused = [event for event in decoded(every_fault[1]) if isinstance(event, Quarantined)]
    assert refused == []
    assert len(every_fault[1]) > 1000


def test_lines_come_in_order_of_received_and_never_before_they_happened(every_fault: Any) -> None:
    """The stream is sorted by `received`, and no event is received before its last row but for skewed clocks."""
    cases, lines = every_fault
    assert [line.received_us for line in lines] == sorted(line.received_us for line in lines)
    skewed = {case.pump for case in cases if case.effects.clocks}
    assert len(skewed) == 1
    for event in decoded(lines):
        last_us = int(event.rows_us()[-1]) if isinstance(event, Telemetry) else event.at_us
        assert event.pump in skewed or last_us <= event.received_us


def test_a_skewed_clock_is_ahead_of_received() -> None:
    """The clock_skew fault shows as rows that lie after their own `received`."""
    case = simulator.draw_fleet(fleet_plan(pumps=1, faults=["clock_skew@2"]))[0]
    ahead = [
        int(event.rows_us()[-1]) - event.received_us
        for event in decoded(list(simulator.events([case])))
        if isinstance(event, Telemetry)
    ]
    assert max(ahead) > 5 * MINUTE_US
    assert ahead[0] <= 0


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    """A run is decided by its seed alone."""
    first, again, other = (
        b"\n".join(
            line.json for line in simulator.events(simulator.draw_fleet(fleet_plan(seed=seed, days=3.0)))
        )
        for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_a_pump_more_does_not_change_the_others() -> None:
    """Each pump has random streams of its own, so fleets of different size share their first pumps."""
    small, large = (
        [
            line.json
            for line in simulator.events(
                simulator.draw_fleet(fleet_plan(pumps=n, days=2.0, healthy_share=1.0))
            )
        ]
        for n in (2, 3)
    )
    assert set(small) < set(large)


def test_memory_is_kept_by_chunks_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter read in many small chunks is the counter read in one."""
    plan = fleet_plan(pumps=1, days=8.0, channels=("delivered_ul",))
    whole = [line.json for line in simulator.events(simulator.draw_fleet(plan))]
    monkeypatch.setattr("ingest.simulation.uplink.CHUNK_ROWS", 30)
    pieces = [line.json for line in simulator.events(simulator.draw_fleet(plan))]
    assert whole == pieces


def test_some_uploads_are_late_some_twice_and_silence_stays_short() -> None:
    """Frames overtake each other and repeat, but no healthy pump is quiet for three upload intervals."""
    lines = list(simulator.events(simulator.draw_fleet(fleet_plan(pumps=20, days=10.0, healthy_share=1.0))))
    frames = [event for event in decoded(lines) if isinstance(event, Telemetry)]
    copies = Counter((frame.pump, frame.id) for frame in frames)
    assert 0.005 < sum(n > 1 for n in copies.values()) / len(copies) < 0.05
    overtaken = 0
    for pump in {frame.pump for frame in frames}:
        received = [frame.received_us for frame in frames if frame.pump == pump]
        starts = [frame.at_us for frame in frames if frame.pump == pump]
        overtaken += sum(after < before for before, after in itertools.pairwise(starts))
        assert max(np.diff(received)) < 3 * 4 * HOUR_US
    assert overtaken > 5


def test_sequence_numbers_of_a_source_are_gapless() -> None:
    """`seq` counts 0, 1, 2 within each source's own log, whatever the order of arrival."""
    lines = list(simulator.events(simulator.draw_fleet(fleet_plan(pumps=1, days=8.0, faults=["stall@3"]))))
    for source in ("device", "clinic"):
        numbers = {event.seq for event in decoded(lines) if event.source == source}
        assert len(numbers) > 3
        # Only what is received after the end may be missing, and that is the newest.
        assert sorted(numbers) == list(range(len(numbers))) or max(numbers) - len(numbers) < 2


def test_clinic_events_lie_inside_frames_uploaded_later(every_fault: Any) -> None:
    """Some programs take effect inside a frame that was received after them."""
    events = decoded(every_fault[1])
    frames = [event for event in events if isinstance(event, Telemetry)]
    inside = [
        program
        for program in events
        if isinstance(program, ProgramSet)
        and any(
            f.pump == program.pump
            and f.at_us < program.at_us < f.rows_us()[-1]
            and f.received_us > program.received_us
            for f in frames
        )
    ]
    assert len(inside) > 5


def test_labels_name_causes_of_the_contract(every_fault: Any) -> None:
    """Each label's causes exist, its onset lies in the run, and harm comes after the onset."""
    causes = {cause.value for cause in Cause}
    faults = [label for label in simulator.labels(every_fault[0]) if label.cause is not None]
    assert {label.kind for label in faults} == set(simulator.KINDS) - {"counter_restart"}
    for label in faults:
        assert {label.cause, *label.also} <= causes
        assert START_US <= label.onset_us < START_US + 12 * DAY_US
        assert label.harm_us is None or label.onset_us < label.harm_us[0] < label.harm_us[1]


def test_founding_case_arithmetic() -> None:
    """50 then 60 ug/day: device alarm on day 154.67, dry on day 171.33 (domain.md), infection note in month 6."""
    case = simulator.founding_case(founding_plan())
    events = decoded(list(simulator.events([case])))
    alarm = next(event for event in events if getattr(event, "code", "") == "low_reservoir")
    assert (alarm.at_us - START_US) / DAY_US == pytest.approx(154.6667, abs=0.001)
    assert (case.plant.dry_us[0] - START_US) / DAY_US == pytest.approx(171.3333, abs=0.001)
    assert {"infection", "test", "ashworth"} <= {getattr(e, "kind", getattr(e, "scale", "")) for e in events}
    assert events[0].at_us < START_US
    assert max(event.received_us for event in events) == START_US + 180 * DAY_US


@pytest.mark.parametrize(("flow_ratio", "dry_day"), [(1.145, 150.24), (0.855, 199.61)])
def test_founding_case_with_other_flow_fools_the_encoder_not_the_level(
    flow_ratio: float, dry_day: float
) -> None:
    """The true flow empties the reservoir at its own time, while the counter shows the programmed volume."""
    case = simulator.founding_case(founding_plan(flow_ratio=flow_ratio, days=200.0))
    assert (case.plant.dry_us[0] - START_US) / DAY_US == pytest.approx(dry_day, abs=0.05)
    frames = [e for e in decoded(list(simulator.events([case]))) if isinstance(e, Telemetry)]
    day_100 = next(f for f in frames if f.at_us > START_US + 99 * DAY_US)
    hours = (day_100.at_us - START_US) / HOUR_US
    programmed_ul = 100 * 28 + 120 * (hours / 24 - 28)
    assert day_100.columns[0, 0] == pytest.approx(programmed_ul, abs=0.2)
    assert day_100.columns[2, 0] == pytest.approx(20 - flow_ratio * programmed_ul / 1000, abs=0.06)


def test_founding_rate_is_constant_and_a_long_run_is_refilled() -> None:
    """`--rate` sets one program; past day 200 the true course has refills and 75 ug/day."""
    constant = decoded(list(simulator.events([simulator.founding_case(founding_plan(rate_ug_day=30.0))])))
    programs = [event for event in constant if isinstance(event, ProgramSet)]
    assert [step.rate_ul_h * 24 * 0.5 for p in programs for step in p.steps] == pytest.approx([30.0])
    year = decoded(list(simulator.events([simulator.founding_case(founding_plan(days=365.0))])))
    doses = [p.steps[0].rate_ul_h * 24 * 0.5 for p in year if isinstance(p, ProgramSet)]
    assert doses == pytest.approx([50.0, 60.0, 75.0])
    drawn = [fill.removed_ml for fill in year if isinstance(fill, ReservoirFilled)]
    assert drawn[0] is None
    assert drawn[1] == pytest.approx(20 - 0.1 * 28 - 0.12 * 122, abs=0.02)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_command_writes_the_same_bytes_in_each_form(tmp_path: Path, suffix: str) -> None:
    """A file, compressed or not, holds what standard output gets, and equal runs give equal files."""
    arguments = ["--pumps", "2", "--days", "2", "--seed", "3"]
    plain = CliRunner().invoke(command, arguments).stdout_bytes
    paths = [tmp_path / f"{name}.jsonl{suffix}" for name in "ab"]
    for path in paths:
        assert CliRunner().invoke(command, [*arguments, "-o", str(path)]).exit_code == 0
    packed = paths[0].read_bytes()
    assert packed == paths[1].read_bytes()
    unpack = {
        "": bytes,
        ".gz": gzip.decompress,
        ".zst": lambda b: zstandard.ZstdDecompressor().decompressobj().decompress(b),
    }
    assert unpack[suffix](packed) == plain
    assert plain.count(b"\n") > 20


def test_command_writes_labels(tmp_path: Path) -> None:
    """The labels file has one line a pump, faults with cause, onset and harm."""
    path = tmp_path / "truth.jsonl"
    ran = CliRunner().invoke(
        command, ["--pumps", "3", "--days", "5", "--fault", "stall:pump-0002@2", "--labels", str(path)]
    )
    assert ran.exit_code == 0
    labels = [json.loads(line) for line in path.read_text().splitlines()]
    assert {label["pump"] for label in labels} == {"pump-0001", "pump-0002", "pump-0003"}
    stall = next(label for label in labels if label["cause"] == "motor_stall")
    assert (stall["pump"], stall["onset"]) == ("pump-0002", "2026-01-03T00:00:00.000000Z")
    assert stall["harm_at"] == {"lo": "2026-01-03T08:00:00.000000Z", "hi": "2026-01-06T00:00:00.000000Z"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault", "flood"], "there is no kind 'flood'"),
        (["--fault", "stall@99"], "the run has only 30 days"),
        (["--fault", "stall:11"], "there are only 10 pumps"),
        (["--fault", "stall:pump-0011"], "pump-0001 to pump-0010"),
        (["--fault", "stall:pump-0001", "--fault", "leak:pump-0001"], "has a fault already"),
        (["--fault", "early_empty@0"], "needs a pump that has run"),
        (["--start", "2026-01-01T00:00:00"], "bare local time"),
        (["--start", "now", "--end", "now"], "exclude each other"),
        (["--period", "1h", "--upload", "1m"], "can't be shorter"),
        (["--rate", "30"], "only with --case founding"),
        (["--case", "founding", "--pumps", "3"], "not with --case founding"),
        (["--channels", "blood"], "unknown blood"),
        (["-o", "missing/folder/x.jsonl"], "can't write"),
    ],
)
def test_command_refuses_with_one_clear_line(arguments: list[str], said: str) -> None:
    """Unusable arguments end with code 2, nothing on standard output and a sentence that says what is wrong."""
    refused = CliRunner().invoke(command, arguments)
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert said in refused.stderr


def test_help_shows_examples_and_every_kind() -> None:
    """The help names all kinds of faults and the founding case."""
    shown = CliRunner().invoke(command, ["--help"]).output
    assert all(kind in shown for kind in simulator.KINDS)
    assert "--case founding --flow-ratio 1.145" in shown


def test_end_now_ends_now() -> None:
    """`--end now` puts the last upload of every pump within the last interval."""
    ran = CliRunner().invoke(command, ["--pumps", "2", "--days", "1", "--end", "now"])
    received = [parse_rfc3339(json.loads(line)["received"]) for line in ran.stdout.splitlines()]
    import time

    assert 0 <= time.time() - max(received) / 1e6 < 4.2 * 3600
