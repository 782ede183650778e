"""The founding case through the real commands: `thecaflow simulate --case founding | thecaflow analyse -`.

Days count from the fill. The arithmetic (domain.md): 20 mL at 500 ug/mL and an alarm at 2 mL give 50 ug/day an alarm after
180 days and 200 days in all; 60 ug/day from day 28 on gives 28 + (20 - 2.8 - 2) / 0.12 = 154.67 and 28 + 17.2 / 0.12 = 171.33.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from contract.times import DAY_US, parse_rfc3339

FILL_US = parse_rfc3339("2026-01-01T00:00:00Z")
DRY_DAY_AT_TOLERANCE = 150.2


def run(*arguments: str, stdin: bytes | None = None) -> bytes:
    """Run the command as a shell would and return its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "thecaflow", *arguments], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@cache
def facts(*options: str) -> tuple[dict[str, Any], ...]:
    """The facts of one variant of the case."""
    events = run("simulate", "--case", "founding", *options)
    return tuple(json.loads(line) for line in run("analyse", "-", stdin=events).splitlines())


def day(time: str | None) -> float:
    """Days after the fill."""
    assert time is not None
    return (parse_rfc3339(time) - FILL_US) / DAY_US


def forecasts_under_a_program(*options: str) -> list[dict[str, Any]]:
    """The forecasts from the first program on; the fill a moment before it was made under none."""
    found = [fact for fact in facts(*options) if fact["fact"] == "forecast"]
    return [fact for fact in found if fact["device_alarm_at"] is not None]


def alerts(cause: str, *options: str) -> list[dict[str, Any]]:
    """The lines of one cause in order."""
    return [fact for fact in facts(*options) if fact["fact"] == "alert" and fact["cause"] == cause]


def test_first_forecast_under_a_program():
    """50 ug/day: the device's alarm after 180 days, empty after 200."""
    first = forecasts_under_a_program()[0]
    assert day(first["device_alarm_at"]) == pytest.approx(180.0, abs=0.001)
    assert day(first["empty_at"]["p50"]) == pytest.approx(200.0, abs=0.05)
    assert day(first["at"]) == 0.0


def test_forecast_at_the_change_on_day_28():
    """60 ug/day from day 28 on: the alarm moves to day 154.67, the end to day 171.3."""
    [changed] = [fact for fact in forecasts_under_a_program() if 28.0 <= day(fact["at"]) < 28.1][-1:]
    assert day(changed["device_alarm_at"]) == pytest.approx(154.67, abs=0.05)
    assert day(changed["empty_at"]["p50"]) == pytest.approx(171.3, abs=1.5)
    assert changed["empty_at"]["p05"] < changed["empty_at"]["p50"] < changed["empty_at"]["p95"]


def test_the_device_says_nothing_else_on_the_way_and_nothing_alarms_before_its_time():
    """Of the whole case as it was lived only the refill, the emptying and what follows from it are said."""
    said = {fact["cause"]: day(fact["since"]) for fact in facts() if fact["fact"] == "alert"}
    assert set(said) <= {"refill_due", "reservoir_low", "reservoir_empty", "withdrawal_risk"}
    assert said["withdrawal_risk"] - said["reservoir_empty"] == pytest.approx(4 / 24, abs=0.01)
    assert min(said.values()) > 130.0


def test_over_delivery_within_the_tolerance_is_seen_weeks_before_the_silent_end():
    """At +14.5 % the pump is dry on day 150.2, before its own alarm: known 14 days or more ahead, at least as medium."""
    lines = alerts("dry_before_alarm", "--flow-ratio", "1.145")
    first = next(line for line in lines if line["state"] == "active")
    assert day(first["at"]) <= DRY_DAY_AT_TOLERANCE - 14.0
    assert first["priority"] in ("medium", "high")


def test_the_silent_end_pages_once_harm_is_within_14_days():
    """Priority high no later than 14 days before the earliest harm, and before the dry date by as much."""
    lines = alerts("dry_before_alarm", "--flow-ratio", "1.145")
    paged = next(line for line in lines if line["priority"] == "high")
    assert day(paged["at"]) == pytest.approx(day(paged["harm_at"]["lo"]) - 14.0, abs=0.01)
    assert day(paged["at"]) <= DRY_DAY_AT_TOLERANCE - 14.0 + 0.5
    assert not [
        line for line in lines if line["state"] == "cleared" and day(line["at"]) < DRY_DAY_AT_TOLERANCE
    ]


def test_true_flow_is_found_from_the_level_sensor():
    """The encoder can't see the stroke: the level does, and the ratio's interval holds the truth once it shows."""
    last = forecasts_under_a_program("--flow-ratio", "1.145")[-1]["flow_ratio"]
    assert last["lo"] <= 1.145 <= last["hi"]
    assert last["hi"] - last["lo"] < 0.05


def test_a_slow_pump_is_due_for_its_drugs_age():
    """30 ug/day would last 333 days: the refill is due for stability, on day 180."""
    last = forecasts_under_a_program("--rate", "30")[-1]
    assert last["refill_due_reason"] == "stability"
    assert day(last["refill_due"]) == pytest.approx(180.0, abs=0.001)
    [due] = [line for line in alerts("refill_due", "--rate", "30") if line["state"] == "active"]
    assert day(due["at"]) == pytest.approx(166.0, abs=0.001)


def test_every_dose_window_is_there_and_adds_up():
    """One window a day from the first program to the horizon, 28 days of 50 ug and then of 60 ug."""
    doses = [fact for fact in facts() if fact["fact"] == "dose"]
    programmed = {round(day(fact["to"])): fact["programmed_ug"] for fact in doses}
    assert all(earlier["to"] == later["from"] for earlier, later in pairwise(doses))
    assert sum(programmed.values()) == pytest.approx(28 * 50 + 152 * 60, rel=1e-9)
    assert programmed[10] == pytest.approx(50.0)
    assert programmed[100] == pytest.approx(60.0)
