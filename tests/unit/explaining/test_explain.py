"""`thecaflow explain` from files: the numbers that made an alert, its plot, and plain words for what can't be explained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner, Result

from contract.facts import Alert, Cause
from dashboards.clearing import CLEARING
from kernels import state as s
from kernels import step
from processors.analyse import analyse
from thecaflow.cli import run
from thecaflow.commands import simulate
from thecaflow.commands.explain import command
from thecaflow.evaluation.fold_pump import sightings
from thecaflow.explaining.account import account_of
from thecaflow.explaining.course import items_of, states_at
from thecaflow.explaining.finding import Found, Wanted, from_files
from thecaflow.explaining.plot import BUCKETS, bucketed, panels_of
from thecaflow.explaining.quantities import QUANTITIES
from thecaflow.explaining.text import told

OCCLUDED, STALLED = "pump-0001", "pump-0002"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pumps: a catheter blocked on day 8, a motor that stands from day 9."""
    path = tmp_path_factory.mktemp("explained") / "events.jsonl"
    asked = ["--pumps", "2", "--days", "12", "--seed", "3", "--makers", "implant", "-o", str(path)]
    asked += ["--fault", f"occlusion:{OCCLUDED}@8", "--fault", f"stall:{STALLED}@9"]
    done = CliRunner().invoke(simulate.command, asked)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def founding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The founding case at +14.5 %: dry before its own alarm."""
    path = tmp_path_factory.mktemp("founding") / "events.jsonl"
    asked = [
        "--case",
        "founding",
        "--flow-ratio",
        "1.145",
        "--days",
        "140",
        "--period",
        "6h",
        "-o",
        str(path),
    ]
    done = CliRunner().invoke(simulate.command, asked)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def blocked(fleet: Path) -> Found:
    """The occlusion's alert."""
    return from_files([str(fleet)], Wanted(cause="occlusion", pump=OCCLUDED), None)


def explained(*arguments: object) -> Result:
    """The command's answer."""
    return CliRunner().invoke(command, [str(one) for one in arguments], standalone_mode=False)


def alerts(path: Path, pump: str) -> list[Alert]:
    """What a fold of one pump's lines says."""
    lines = [line for line in path.read_bytes().splitlines() if json.loads(line)["pump"] == pump]
    return [fact for fact in analyse(sightings(lines)[0]).facts if isinstance(fact, Alert)]


def test_the_detectors_numbers_are_those_that_the_alert_stated(blocked: Found):
    """What is read from the folded vector at the alarm is, to the last bit, what the fold put into the evidence."""
    account = account_of(blocked)
    line = next(line for line in blocked.lines if line.at_us == account.moments.alarm_us)
    assert account.at_alarm[s.OCC_SCORE] == line.evidence["score"]
    assert account.at_alarm[s.OCC_BASE_KPA] == line.evidence["baseline_kpa"]
    assert account.at_alarm[s.OCC_SCORE] >= 0.5 > account.before[s.OCC_SCORE]
    assert account.moments.onset_us == line.evidence["onset_us"]


def test_an_occlusion_is_explained_and_drawn(fleet: Path, tmp_path: Path):
    """The text has the score with its threshold and the pressures around it; the picture is one whole SVG file."""
    done = explained("--pump", OCCLUDED, "--cause", "occlusion", fleet, "--plot", tmp_path / "why.svg")
    assert done.exception is None, done.exception
    assert f"{OCCLUDED}: the catheter may be blocked" in done.output
    assert re.search(
        r"share of top to threshold +alarm from 0\.5 +\S+ +0\.[5-9]|alarm from 0\.5 +\S+ +[1-9]", done.output
    )
    assert re.search(r"Outlet pressure, kPa +[\d.]+ / [\d.]+ / [\d.]+ +[\d.]+ / ", done.output)
    assert CLEARING[Cause.OCCLUSION] in done.output
    picture = (tmp_path / "why.svg").read_text()
    assert ET.fromstring(picture).tag.endswith("svg")  # our own file
    for word in ("Outlet pressure, kPa", "Healthy centre", "alarm from 0.5", ">onset<", ">alarm<"):
        assert word in picture
    assert "nan" not in picture.lower()


def test_a_stall_is_explained_by_its_id_with_every_line(fleet: Path):
    """All lines of the alert are there, and the stall stands beyond three habits of its counter at the alarm."""
    lines = [line for line in alerts(fleet, STALLED) if line.cause is Cause.MOTOR_STALL]
    done = explained(lines[0].alert_id, fleet)
    assert done.exception is None, done.exception
    assert len(
        re.findall(r"^  \S+ \S+ UTC  .*\((?:pending|active|latched|cleared)\), ", done.output, re.MULTILINE)
    ) == len(lines)
    score = re.search(r"usual largest +alarm from 3 +.*?(\d+(?:\.\d+)?)$", done.output, re.MULTILINE)
    assert score is not None
    assert float(score[1]) > 3.0
    assert re.search(r"Counted or measured +0 µL", done.output)


def test_a_forecast_is_explained_by_the_reservoir(founding: Path, tmp_path: Path):
    """Dry before alarm: the estimate lies below the device's own arithmetic, and the level's plot has both."""
    done = explained("--cause", "dry_before_alarm", founding, "--plot", tmp_path / "dry.svg")
    assert done.exception is None, done.exception
    left, by_device = (
        float(re.search(rf"{words} .* ([\d.]+) mL$", done.output, re.MULTILINE)[1])  # type: ignore[index]
        for words in ("Estimated volume left", "Volume left by the device's own arithmetic")
    )
    assert left < by_device
    assert "withdrawal" in done.output
    picture = (tmp_path / "dry.svg").read_text()
    assert "Reservoir level, mL" in picture
    assert "The device&#x27;s alarm level" in picture


def test_without_an_onset_the_alarm_is_compared_with_a_time_before(founding: Path):
    """Where nothing estimates an onset, the two columns are two times all the same, and the text says how far apart."""
    account = account_of(from_files([str(founding)], Wanted(cause="refill_due"), None))
    assert account.moments.onset_us == account.moments.alarm_us
    assert account.before[s.RES_V_UL] > account.at_alarm[s.RES_V_UL]
    assert re.search(r"at \d+ d before +at the alarm", told(account))


def test_an_alert_is_the_same_whatever_moments_are_asked_for(blocked: Found):
    """Stopping the fold at many moments leaves the vector at the last one as it is without them, byte for byte."""
    items = items_of(blocked.log)
    last_us = blocked.lines[0].at_us
    moments = np.linspace(items.rows_us[0], last_us, 40).astype(np.int64).tolist()
    [whole] = states_at(OCCLUDED, items, [last_us])
    assert states_at(OCCLUDED, items, moments)[-1].x.tobytes() == whole.x.tobytes()


def test_what_stands_after_the_alarm_changes_none_of_its_numbers(blocked: Found, fleet: Path):
    """Explained with a horizon at the alarm, the detector's numbers are the same: nothing later is used."""
    account = account_of(blocked)
    early = from_files([str(fleet)], Wanted(cause="occlusion", pump=OCCLUDED), account.moments.alarm_us)
    assert account_of(early).at_alarm.tobytes() == account.at_alarm.tobytes()
    assert "after the alarm" in told(account_of(early))


def test_panels_hold_the_view_only(blocked: Found):
    """Nothing is drawn outside the time that the axis shows."""
    account = account_of(blocked, traced=20)
    from_us, to_us = account.moments.view_us
    panels = panels_of(account)
    assert panels
    for panel in panels:
        for curve in panel.curves:
            assert from_us <= curve.at_us.min() <= curve.at_us.max() <= to_us


def test_an_unknown_id_lists_the_alerts_that_there_are(fleet: Path, capsys: pytest.CaptureFixture[str]):
    """Exit 1 with the ids of the files' alerts, so that the right one can be picked."""
    known = alerts(fleet, STALLED)[0].alert_id
    assert run(["explain", "0" * 16, str(fleet), "--pump", STALLED]) == 1
    said = capsys.readouterr().err
    assert "there is no alert 0000000000000000" in said
    assert known in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say which alert"),
        (["not-an-id"], "no alert id"),
        (["--cause", "occlusion"], "--pump"),
        (["--cause", "occlusion", "FLEET"], "--pump"),
        (["--cause", "occlusion", "--pump", "nobody", "FLEET"], "there are pump-0001"),
        (["0" * 16, "--cause", "occlusion", "FLEET"], "not both"),
        (["0" * 16, "/nowhere/e.jsonl"], "can't read"),
        (["0" * 16, "FLEET", "FLEET"], "named twice"),
    ],
)
def test_unusable_arguments_are_exit_2_and_say_why(
    arguments: list[str], words: str, fleet: Path, capsys: pytest.CaptureFixture[str]
):
    """A command line that can't be used ends before anything is folded, in words."""
    asked = [str(fleet) if one == "FLEET" else one for one in arguments]
    assert run(["explain", *asked]) == 2
    assert words in capsys.readouterr().err


def test_a_picture_that_cant_be_written_is_exit_2(fleet: Path, capsys: pytest.CaptureFixture[str]):
    """The text is there all the same, and the reason is one line."""
    asked = ["explain", "--pump", STALLED, "--cause", "motor_stall", str(fleet), "--plot", "/nowhere/why.svg"]
    assert run(asked) == 2
    captured = capsys.readouterr()
    assert "the motor stands still" in captured.out
    assert "can't write the picture" in captured.err


def test_every_cause_says_what_ends_it_and_reads_a_new_pump():
    """No cause is without words and numbers, and no number needs a learned pump to be asked for."""
    assert set(CLEARING) == set(QUANTITIES) == set(Cause)
    fresh = step.fresh()
    for cause, quantities in QUANTITIES.items():
        names = [quantity.words for quantity in quantities]
        assert len(set(names)) == len(names), cause
        for quantity in quantities:
            number = quantity.of(fresh)
            assert number is None or np.isfinite(number)


def test_of_a_pump_in_health_every_cause_has_a_number(fleet: Path):
    """Whatever is alarmed, there is something to look at: a learned number of the pump, or what the alert has to state."""
    log, _ = sightings([line for line in fleet.read_bytes().splitlines() if OCCLUDED.encode() in line])
    items = items_of(log)
    [state] = states_at(OCCLUDED, items, [int(items.rows_us[-1])])
    silent = [
        cause
        for cause, quantities in QUANTITIES.items()
        if not any(
            quantity.field or (quantity.role != "threshold" and quantity.of(state.x) is not None)
            for quantity in quantities
        )
    ]
    assert silent == []


def test_a_clock_is_explained_by_what_the_alert_states(fleet: Path, tmp_path: Path):
    """No vector holds a clock's offset: it comes from the evidence, beside the limit that it is held against."""
    path = tmp_path / "late.jsonl"
    lines = []
    for line in fleet.read_bytes().splitlines():
        event = json.loads(line)
        if event["pump"] == OCCLUDED:
            if event["type"] == "telemetry":
                event["at"] = event["at"].replace("2026-", "2027-")  # a year ahead of its own arrival
            lines.append(json.dumps(event))
    path.write_text("\n".join(lines[:60]))
    done = explained("--cause", "clock_skew", path)
    assert done.exception is None, done.exception
    assert re.search(r"clock is behind by +stated +\S+.* s\n", done.output)
    assert re.search(r"Alarm from, either way +threshold +60 s +60 s", done.output)


def test_a_bucket_keeps_its_extremes():
    """One odd reading among thousands is still drawn: the band spans it."""
    at_us = np.arange(10_000, dtype=np.int64)
    readings = np.ones(10_000)
    readings[4321] = 50.0
    _, least, mean, greatest = bucketed(at_us, readings, 0, 9_999)
    assert len(mean) <= BUCKETS + 1
    assert (least.min(), greatest.max()) == (1.0, 50.0)
    assert mean.max() < 50.0
